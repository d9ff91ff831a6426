# role:cuda_wsl
# Reads the host, changes nothing. Prints one finding a line: "driver PACKAGE", "local PACKAGE", "oldkey FILE", "free GB", "gpu NAME" or "nogpu CAUSE",
# "installed PACKAGE", "known PACKAGE", "ldpath FILE:LINE:TEXT", "indexed VERSION" (by apt) or "offered VERSION" (by the repository),
# "active LINK FOLDER", "chosen LINK FOLDER" where somebody and not the newest version decided, "noted VERSION" as the role chose it,
# "plain": no WSL, "nvidias": the driver there is from NVIDIA's repository, "begun": the role has noted what was there before, "before PACKAGE".
# usage: sh -c THIS facts "DRIVER-PATTERN ..." "REPOSITORY-IN-WSL REPOSITORY-ELSEWHERE" PROXY NOTE PACKAGE ...
export LC_ALL=C.UTF-8
set -f
# WSL, by what its kernel shows: its name, its way to start Windows programs, what Windows mounts. The same line stands in each role that asks.
in_wsl() { grep -qiE 'microsoft|wsl' /proc/sys/kernel/osrelease || [ -e /proc/sys/fs/binfmt_misc/WSLInterop ] || grep -q ' /usr/lib/wsl/' /proc/mounts; }
installed() { dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p'; }

repository=${2%% *} proxy=$3
[ ! -e "$4" ] || { echo begun; sed 's/^/before /' "$4"; }
drivers=$(installed $1)
[ -z "$drivers" ] || printf 'driver %s\n' $drivers
if ! in_wsl; then
    echo plain
    repository=${2##* }
    [ -z "$drivers" ] || timeout 60 apt-cache policy $drivers |
        awk '/^     [^ ]/ {here = 0} $1 == "***" {here = 1} here && /^        / {print $2}' |
        grep -Eq '/compute/cuda/repos/|/cuda-repo-' && echo nvidias
fi
shift 4
installed 'cuda-repo-*-local' | sed 's/^/local /'
installed 'cuda-toolkit*' "$@" | sort -u | sed 's/^/installed /'
for package in "$@"; do
    [ -z "$(timeout 60 apt-cache --names-only show "$package" 2>/dev/null)" ] || echo "known $package"
done

versions() { sed -n 's/^Package: cuda-toolkit-\([0-9]\{1,\}-[0-9]\{1,\}\)$/\1/p' | sort --unique --version-sort | sed "s/^/$1 /"; }
if [ -n "$repository" ]; then
    timeout 60 apt-get indextargets --format '$(REPO_URI) $(FILENAME)' 'Created-By: Packages' 2>/dev/null |
        sed -nE "s,^($repository|mirror[+]file:/etc/apt/cuda-wsl[.]mirrors)/* ,,p" | xargs -r timeout 60 /usr/lib/apt/apt-helper cat-file 2>/dev/null | versions indexed
fi
for package in "$@"; do
    # What apt does not know may be in the repository all the same: it is not set up yet, or apt has not read it for long.
    case $repository$package in http*cuda-toolkit-*) ;; *) continue ;; esac
    [ -z "$(timeout 60 apt-cache --names-only show "$package" 2>/dev/null)" ] || continue
    curl --silent --fail --location --connect-timeout 10 --max-time 60 ${proxy:+--proxy "$proxy"} "$repository/Packages.gz" 2>/dev/null |
        gzip --decompress --stdout 2>/dev/null | versions offered
done

update-alternatives --get-selections 2>/dev/null |
    awk '$1 ~ /^cuda(-[0-9]+)?$/ {print "active", $1, $3; if ($2 == "manual") print "chosen", $1, $3}'
sed -n 's/^# cuda_wsl_version: \([0-9.-]*\).*/noted \1/p' /etc/profile.d/cuda.sh 2>/dev/null

set +f
home=$(mktemp -d) # gpg would make a folder in the user's home
for file in /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d/* /etc/apt/keyrings/* /usr/share/keyrings/*; do
    [ -f "$file" ] && gpg --homedir "$home" --batch --show-keys --with-colons "$file" 2>/dev/null | grep -q '^pub:.*7FA2AF80:' && echo "oldkey $file"
done

rm -rf "$home"
grep -EHns '^[^#]*LD_LIBRARY_PATH=.*cuda' /etc/environment /etc/profile /etc/profile.d/*.sh /etc/bash.bashrc /root/.bashrc /root/.profile \
    /home/*/.bashrc /home/*/.profile /home/*/.bash_profile /home/*/.zshrc | grep -v '^/etc/profile.d/cuda.sh:' | sed 's/^/ldpath /'
echo "free $(($(df --output=avail --block-size=1 /usr | tail -n 1) / 1000000000))"

if in_wsl; then
    smi=/usr/lib/wsl/lib/nvidia-smi
    missing="install the NVIDIA driver on Windows, then run wsl --shutdown there; a distribution of WSL version 1 has no GPU."
    silent="run wsl --shutdown on Windows and start the distribution again; if it stays so, update the NVIDIA driver."
    failed="update the NVIDIA driver on Windows (or enable the GPU there), then run wsl --shutdown."
else
    smi=$(command -v nvidia-smi || echo /usr/bin/nvidia-smi)
    missing='this machine has no NVIDIA driver. Run "sudo ubuntu-drivers install" and restart it (on a server "sudo ubuntu-drivers install --gpgpu"
        and, for nvidia-smi, "sudo apt-get install" with the package nvidia-utils-NUMBER-server of the same number).'
    silent='restart this machine; if it stays so, "sudo dmesg | grep NVRM" says what the driver met.'
    failed='restart this machine, so that the driver which is installed is the one that runs; if it stays so, run "sudo ubuntu-drivers install", and
        see whether Secure Boot keeps its module out ("mokutil --sb-state").'
fi
if [ ! -x $smi ]; then
    echo "nogpu $smi is missing:" $missing
elif said=$(timeout --kill-after=5 60 $smi -L 2>&1); then
    echo "gpu $said" | head -n 1
elif [ $? -ge 124 ]; then
    echo "nogpu nvidia-smi does not answer within a minute:" $silent
else
    echo "nogpu nvidia-smi says '$(echo "$said" | head -n 1)':" $failed
fi
