# role:wsl_proxy
# Reads the host, changes nothing. Prints one finding a line: "upstream HOST:PORT" or "unresolved CAUSE", "foreign FILE:LINE:TEXT", "stale UNIT",
# "aptmain": apt.conf sets a proxy, "aptlater" and "aptdead FILE:LINE:TEXT": what apt would use in place of the relay,
# "bip ADDRESS": the address of docker0 that the user has chosen, "plain": no WSL, "taken PORT|PROGRAM|PID|SERVICE": who has the relay's port.
# A user name and a password in a proxy's address are masked.
# usage: sh -c THIS facts RESOLVER RELAY_PORT PORT [HOST]
export LC_ALL=C.UTF-8
# WSL, by what its kernel shows: its name, its way to start Windows programs, what Windows mounts. The same line stands in each role that asks.
in_wsl() { grep -qiE 'microsoft|wsl' /proc/sys/kernel/osrelease || [ -e /proc/sys/fs/binfmt_misc/WSLInterop ] || grep -q ' /usr/lib/wsl/' /proc/mounts; }
in_wsl || echo plain
resolver=$1
relay=$2
shift 2
if found=$(sh -c "$resolver" wsl-proxy-upstream "$@" 2>&1); then echo "upstream $found"; else echo "unresolved $found"; fi

setting='^[[:space:]]*(export[[:space:]]+|set[[:space:]]+-[a-z]+[[:space:]]+)?"?(https?|all)_proxy"?[[:space:]]*[= ]'
for file in /etc/environment /etc/profile /etc/profile.d/*.sh /etc/bash.bashrc /etc/zsh/* \
    /root/.bashrc /root/.profile /home/*/.bashrc /home/*/.bash_aliases /home/*/.profile /home/*/.bash_profile /home/*/.bash_login \
    /home/*/.zshrc /home/*/.zshenv /home/*/.zprofile /home/*/.config/fish/config.fish /home/*/.wgetrc \
    /home/*/.pam_environment /home/*/.config/environment.d/*.conf; do
    grep -qs '^# role:wsl_proxy$' "$file" || grep -EHnis "$setting" "$file" | sed -E "s/^/foreign /; s#://[^[:space:]\"']*@#://***@#"
done
grep -EHnis '^[[:space:]]*(https?-)?proxy[[:space:]]*[=:]' /etc/gitconfig /etc/pip.conf /home/*/.gitconfig /home/*/.curlrc /home/*/.npmrc \
    /home/*/.pip/pip.conf /home/*/.config/pip/pip.conf | sed -E "s/^/foreign /; s#://[^[:space:]\"']*@#://***@#"

# What apt uses. It reads apt.conf.d in the order of the alphabet, then apt.conf; keys have no case.
theirs() { # the settings of one file alone, without our own lines
    sed '/^# BEGIN wsl-dl-playbook wsl_proxy, last$/,/^# END wsl-dl-playbook wsl_proxy$/d' "$1" >"$folder/main"
    printf 'Dir::Etc::Parts "/dev/null";\nDir::Etc::Main "%s";\n' "$folder/main" >"$folder/start"
    APT_CONFIG=$folder/start apt-config dump --no-empty 2>/dev/null | grep -Ei '^Acquire::https?::(Proxy-?Auto-?Detect|Proxy)(::[^ ]*)? '
}
lines() { # FILE:LINE:TEXT, its lines that say something about a proxy
    grep -Hni 'proxy' "$1" | grep -Ev '^[^:]*:[0-9]*:[[:space:]]*(//|#)' | sed -E "s/^/$2 /; s#://[^[:space:]\"']*@#://***@#"
}
dead() { # does nobody listen at this proxy?
    address=$(printf '%s\n' "$1" | sed -E 's#^[a-z0-9]*://##; s#^[^/]*@##; s#/.*##')
    ! timeout 2 bash -c ': </dev/tcp/"${1%:*}"/"${1##*:}"' - "$(printf '%s' "$address" | tr -d '[]')" 2>/dev/null
}
folder=$(mktemp -d)
for file in /etc/apt/apt.conf.d/* /etc/apt/apt.conf; do
    case ${file##*/} in *[!A-Za-z0-9_.-]*) continue ;; *.conf) ;; *.*) continue ;; esac
    [ -f "$file" ] || continue
    said=$(theirs "$file")
    [ -n "$said" ] || continue
    ours=$(grep -c '^# role:wsl_proxy$' "$file")
    printf '%s\n' "$said" | sed -nE 's/^Acquire::https?::Proxy::([^ ]*) "(.*)";$/\1 \2/Ip' | while read -r host proxy; do
        case $proxy in '' | [Dd][Ii][Rr][Ee][Cc][Tt] | [Ff][Aa][Ll][Ss][Ee]) continue ;; esac
        ! dead "$proxy" || grep -HniF "$host" "$file" | head -n 1 | sed -E "s/^/aptdead /; s#://[^[:space:]\"']*@#://***@#"
    done
    printf '%s\n' "$said" | grep -Eqi '^Acquire::https?::(Proxy-?Auto-?Detect|Proxy) ' || continue
    case $file in
        /etc/apt/apt.conf) echo aptmain ;;
        *)
            last=$(printf '%s\n' "${file##*/}" zz-wsl-proxy | LC_ALL=C sort | tail -n 1)
            [ "$ours" != 0 ] || [ "$last" = zz-wsl-proxy ] || lines "$file" aptlater
            ;;
    esac
done
rm -rf "$folder"

timeout --kill-after=2 20 systemctl show --property Id,NeedDaemonReload wsl-proxy.socket wsl-proxy-docker.socket wsl-proxy.service 2>/dev/null |
    awk -F= '$1 == "Id" {id = $2} $0 == "NeedDaemonReload=yes" {print "stale " id}'

# systemd itself holds the relay's sockets; whoever else listens at this port is in its way.
timeout --kill-after=2 10 ss -Hltnp "sport = :$relay" 2>/dev/null | grep -v '("systemd",pid=1,' |
    sed -nE 's/.*users:\(\("([^"]*)",pid=([0-9]+),.*/\1 \2/p' | sort -u | while read -r name pid; do
    echo "taken $relay|$name|$pid|$(ps -o unit= -p "$pid" | grep -E '\.service$' | grep -v '^user@')"
done

# A bip in daemon.json is the user's unless the backup of docker_engine says that it has written it.
python3 2>/dev/null - <<'END'
import ipaddress, json

config = json.load(open("/etc/docker/daemon.json", encoding="utf-8-sig"))
try:
    backup = json.load(open("/var/lib/wsl-dl-playbook/docker_engine/daemon.json"))["keys"]
except (OSError, ValueError, KeyError):
    backup = []
if (["bip"], config["bip"]) not in [(entry.get("key_path") or entry.get("way"), entry.get("after")) for entry in backup]:
    print("bip", ipaddress.IPv4Interface(config["bip"]).ip)
END
exit 0
