# Prints what the role has to know, a key and a value a line. Arguments: the users whose containers get the proxy.
config=/etc/docker/daemon.json

for user; do
  home=$(getent passwd "$user" | cut -d: -f6)
  if [ -n "$home" ]; then
    printf 'home %s:%s\ngroup %s:%s\n' "$user" "$home" "$user" "$(id -gn "$user")"
  else
    echo "unknown $user"
  fi
  [ ! -s "$home/.docker/config.json" ] || python3 -m json.tool "$home/.docker/config.json" 2>&1 >/dev/null |
    sed -n "\$s|^|json $home/.docker/config.json: |p"
done
[ ! -s $config ] || python3 -m json.tool $config 2>&1 >/dev/null | sed -n "\$s|^|json $config: |p"
grep -qs '"proxies"' $config && echo "overruled $config"
command -v dockerd | sed 's/^/dockerd /'
state=$(systemctl show -p ActiveState -p NeedDaemonReload -p UnitFileState docker.service | sort | tr '\n' ' ')
[ "$state" = "ActiveState=active NeedDaemonReload=no UnitFileState=enabled " ] || echo "stale docker.service"
[ ! $config -nt /run/docker.pid ] || echo "stale $config"
# What "docker info" shows, without the time that it takes to ask each plugin of the command line for its version.
python3 2>/dev/null - <<'END'
import http.client, json, socket

daemon = http.client.HTTPConnection("localhost")
daemon.sock = socket.socket(socket.AF_UNIX)
daemon.sock.connect("/run/docker.sock")
daemon.request("GET", "/info")
found = json.load(daemon.getresponse())
for name in ("HttpProxy", "HttpsProxy", "NoProxy"):
    print("uses", found[name])
END
exit 0
