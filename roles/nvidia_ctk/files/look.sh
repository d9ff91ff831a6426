# Prints what the role has to know, a key and a value a line. Arguments: the file that remembers the last proof, and the user of the proof.
proof=$1 user=$2
config=/etc/docker/daemon.json
toml=/etc/nvidia-container-runtime/config.toml
spec=$(sed -n 's/^NVIDIA_CTK_CDI_OUTPUT_FILE_PATH=//p' /etc/nvidia-container-toolkit/nvidia-cdi-refresh.env 2>/dev/null | tail -n 1)
spec=${spec:-/var/run/cdi/nvidia.yaml}

[ ! -d /usr/lib/wsl/lib ] || echo "wsl /usr/lib/wsl/lib"
for device in /dev/dxg /dev/nvidiactl; do
  [ ! -e $device ] || echo "gpu $device"
done
command -v dockerd | sed 's/^/dockerd /'
[ ! -s $config ] || python3 -m json.tool $config 2>&1 >/dev/null | sed -n '$s/^/json /p'
dpkg-query -W -f '${db:Status-Status} ${Package}=${Version}\n' nvidia-container-toolkit nvidia-container-toolkit-base \
  libnvidia-container-tools libnvidia-container1 2>/dev/null | grep '^installed '
home=$(timeout 20 getent passwd "$user" | cut -d: -f6)
[ -n "$home" ] || echo "unknown $user"

# The specification names files of the Windows driver, whose folder gets another name with every driver update; the former one may stay.
echo "at $spec"
if [ -s "$spec" ] && grep -o '/usr/lib/wsl/drivers/[^" :]*' "$spec" | sort -u | while read -r file; do [ -e "$file" ] || exit 1; done &&
  [ -z "$(find /usr/lib/wsl/drivers -maxdepth 2 -name libcuda.so.1.1 -cnewer "$spec" 2>/dev/null)" ]; then
  echo "spec $spec"
fi

# The packages write config.toml themselves, over one that was there before.
[ ! -d "${proof%/*}" ] || echo "begun ${proof%/*}"
[ ! -e $toml ] || echo "toml $toml"
[ ! -e "${proof%/*}/config.toml" ] || echo "original ${proof%/*}/config.toml"
[ -z "$(ls -A ${toml%/*} 2>/dev/null | grep -vx config.toml)" ] || echo "others ${toml%/*}"

# A proof counts while nothing that it depends on is newer.
newer=$(find $config "$spec" "$home/.docker/config.json" /etc/systemd/system/docker.service.d /usr/bin/dockerd \
  /usr/bin/nvidia-container-runtime-hook /usr/lib/wsl/lib /usr/lib/wsl/drivers -maxdepth 1 -cnewer "$proof" 2>/dev/null)
[ ! -s "$proof" ] || [ -n "$newer" ] || sed 's/^/proved /' "$proof"
exit 0
