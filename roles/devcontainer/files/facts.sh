# role:devcontainer
# Reads the host, changes nothing. Prints one finding a line: "home PATH", "unknown USER", "file PATH", "drive PATH", "missing PATH", "vscode COMMAND",
# "extension ID", "plain": no WSL.
# usage: sh -c THIS facts USER FOLDER DATASETS VSCODE     VSCODE: anything but "" to look for VS Code
# WSL, by what its kernel shows: its name, its way to start Windows programs, what Windows mounts. The same line stands in each role that asks.
in_wsl() { grep -qiE 'microsoft|wsl' /proc/sys/kernel/osrelease || [ -e /proc/sys/fs/binfmt_misc/WSLInterop ] || grep -q ' /usr/lib/wsl/' /proc/mounts; }
in_wsl || echo plain
user=$1 folder=$2 datasets=$3 vscode=$4
home=$(timeout 20 getent passwd "$user" | cut -d: -f6)
if [ -n "$home" ]; then echo "home $home"; else echo "unknown $user"; fi
[ -z "$datasets" ] || [ -d "$datasets" ] || echo "missing $datasets"
[ -n "$home" ] || exit 0

path=$home
for part in $(echo "$folder" | tr / ' ') .devcontainer; do
    path=$path/$part
    [ ! -e "$path" ] || [ -d "$path" ] || echo "file $path"
    [ ! -d "$path" ] || there=$path
done

# A file on a Windows drive cannot be given to a user of Linux.
case $(timeout 10 df --output=fstype "${there:-$home}" | tail -n 1) in
    9p | drvfs | virtiofs | cifs | smb3 | vfat | msdos | exfat | ntfs | ntfs3 | fuseblk) echo "drive $(readlink -f "${there:-$home}")" ;;
esac

# On Windows it runs through cmd.exe: the shell script beside it would install into the distribution.
[ -n "$vscode" ] || exit 0
for command in code "/mnt/c/Program Files/Microsoft VS Code/bin/code.cmd" /mnt/c/Users/*/AppData/Local/Programs/"Microsoft VS Code/bin/code.cmd"; do
    case $command in
        code) timeout 60 runuser --login "$user" --command 'command -v code' 2>/dev/null </dev/null | grep -qv '^/mnt/' || continue ;;
        *) [ -r "$command" ] || continue
            command="cd '${command%/*}' && /mnt/c/Windows/System32/cmd.exe /d /c code.cmd" ;;
    esac
    listed=$(timeout 60 runuser --login "$user" --command "$command --list-extensions" 2>/dev/null </dev/null) || continue
    echo "vscode $command"
    echo "$listed" | tr -d '\r' | sed -n 's/^[A-Za-z0-9-]*[.][A-Za-z0-9.-]*$/extension &/p'
    break
done
exit 0
