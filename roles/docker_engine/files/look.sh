# Prints what the role has to know, a key and a value a line. Arguments: the users of Docker.
config=/etc/docker/daemon.json

case $(uname -r) in *-Microsoft) echo "wsl1 $(uname -r)" ;; esac
case $(readlink -f /usr/bin/docker) in */docker-desktop/*) echo "desktop /usr/bin/docker" ;; esac
[ ! -e /mnt/wsl/docker-desktop ] || echo "desktop /mnt/wsl/docker-desktop"
[ ! -e /snap/bin/docker ] || echo "snap /snap/bin/docker"
for unit in $(getent passwd | cut -d: -f6 | sort -u | sed 's|$|/.config/systemd/user/docker.service|'); do
  [ ! -e "$unit" ] || echo "rootless $unit"
done
for user; do
  id -u "$user" >/dev/null 2>&1 || echo "unknown $user"
done
[ ! -s $config ] || python3 -m json.tool $config 2>&1 >/dev/null | sed -n '$s/^/json /p'
echo "disk $(df --output=avail --block-size=1G /var/lib | tail -n 1 | tr -d ' ')"
dpkg-query -W -f '${db:Status-Status} ${Package}=${Version}\n' docker-ce docker-ce-cli containerd.io docker-buildx-plugin \
  docker-compose-plugin docker.io docker-compose docker-compose-v2 docker-doc podman-docker containerd runc 2>/dev/null | grep '^installed '
getent group docker | cut -d: -f4 | tr ',' '\n' | sed -n 's/^./member &/p'
exit 0
