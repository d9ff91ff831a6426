# Prints what the role has to know, a key and a value a line. Argument: the file that remembers the last proof.
proof=$1
config=/etc/docker/daemon.json
spec=/var/run/cdi/nvidia.yaml

[ ! -d /usr/lib/wsl/lib ] || echo "wsl /usr/lib/wsl/lib"
for device in /dev/dxg /dev/nvidiactl; do
  [ ! -e $device ] || echo "gpu $device"
done
command -v dockerd | sed 's/^/dockerd /'
[ ! -s $config ] || python3 -m json.tool $config 2>&1 >/dev/null | sed -n '$s/^/json /p'
dpkg-query -W -f '${db:Status-Status} ${Package}=${Version}\n' nvidia-container-toolkit nvidia-container-toolkit-base \
  libnvidia-container-tools libnvidia-container1 2>/dev/null | grep '^installed '

# The specification names files of the Windows driver, whose folder gets another name with every driver update.
if [ -s $spec ] && grep -o '/usr/lib/wsl/drivers/[^" :]*' $spec | sort -u | while read -r file; do [ -e "$file" ] || exit 1; done; then
  echo "spec $spec"
fi

# A proof counts while nothing that it depends on is newer.
newer=$(find $config $spec /etc/systemd/system/docker.service.d /usr/bin/dockerd /usr/bin/nvidia-container-runtime-hook /usr/lib/wsl/lib \
  /usr/lib/wsl/drivers -maxdepth 1 -cnewer "$proof" 2>/dev/null)
[ ! -s "$proof" ] || [ -n "$newer" ] || sed 's/^/proved /' "$proof"
exit 0
