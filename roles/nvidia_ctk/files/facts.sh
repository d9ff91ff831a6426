# Prints what the role has to know, a key and a value a line. Arguments: the file that remembers the last smoke test, and its user.
note=$1 user=$2
# WSL, by what its kernel shows: its name, its way to start Windows programs, what Windows mounts. The same line stands in each role that asks.
in_wsl() { grep -qiE 'microsoft|wsl' /proc/sys/kernel/osrelease || [ -e /proc/sys/fs/binfmt_misc/WSLInterop ] || grep -q ' /usr/lib/wsl/' /proc/mounts; }
config=/etc/docker/daemon.json
toml=/etc/nvidia-container-runtime/config.toml
spec=$(sed -n 's/^NVIDIA_CTK_CDI_OUTPUT_FILE_PATH=//p' /etc/nvidia-container-toolkit/nvidia-cdi-refresh.env 2>/dev/null | tail -n 1)
spec=${spec:-/var/run/cdi/nvidia.yaml}

if in_wsl; then
  echo wsl
  device=/dev/dxg
else
  echo plain
  device=/dev/nvidiactl # after a start it is there when a program of root's has asked for the GPU
  [ -e $device ] || timeout --kill-after=5 60 nvidia-smi -L >/dev/null 2>&1
fi
[ ! -e $device ] || echo "gpu $device"
command -v dockerd | sed 's/^/dockerd /'
[ ! -s $config ] || python3 -m json.tool $config 2>&1 >/dev/null | sed -n '$s/^/json /p'
dpkg-query -W -f '${db:Status-Status} ${Package}=${Version}\n' nvidia-container-toolkit nvidia-container-toolkit-base \
  libnvidia-container-tools libnvidia-container1 2>/dev/null | grep '^installed '
home=$(timeout 20 getent passwd "$user" | cut -d: -f6)
[ -n "$home" ] || echo "unknown $user"

# The specification names files of the driver. With every update the folder of the Windows driver, and the files of a Linux driver, get other
# names; the former ones may stay. What else of WSL's is missing, the smoke test in a container names.
echo "at $spec"
named() {
  if in_wsl; then grep -o '/usr/lib/wsl/drivers/[^" :]*' "$spec"; else sed -n 's/^[ -]*hostPath: *"*\([^"]*\).*/\1/p' "$spec"; fi
}
if [ -s "$spec" ] && named | sort -u | while read -r file; do [ -e "$file" ] || exit 1; done &&
  [ -z "$(find /usr/lib/wsl/drivers -maxdepth 2 -name libcuda.so.1.1 -cnewer "$spec" 2>/dev/null)" ]; then
  echo "spec $spec"
fi

# The packages write config.toml themselves, over one that was there before.
[ ! -e "${note%/*}/packages" ] || { echo begun; sed 's/^/before /' "${note%/*}/packages"; }
[ ! -e $toml ] || echo "toml $toml"
[ ! -e "${note%/*}/config.toml" ] || echo "original ${note%/*}/config.toml"
[ -z "$(ls -A ${toml%/*} 2>/dev/null | grep -vx config.toml)" ] || echo "others ${toml%/*}"

# A smoke test counts while nothing that it depends on is newer.
newer=$(find $config "$spec" "$home/.docker/config.json" /etc/systemd/system/docker.service.d /usr/bin/dockerd \
  /usr/bin/nvidia-container-runtime-hook /usr/bin/nvidia-smi /usr/lib/wsl/lib /usr/lib/wsl/drivers -maxdepth 1 -cnewer "$note" 2>/dev/null)
[ ! -s "$note" ] || [ -n "$newer" ] || sed 's/^/proved /' "$note"
exit 0
