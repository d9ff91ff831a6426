# facts.sh NOTE PACKAGE…: what is on the machine, a line each.
# "free GB": in /var, "begun": the note of what was there before exists, "before PACKAGE": from that note, "installed PACKAGE",
# "unit NAME": a service of the cache.
note=$1
shift
echo "free $(($(df --output=avail -k /var | tail -n 1) / 1000000))"
if [ -e "$note" ]; then
  echo begun
  sed 's/^/before /' "$note"
fi
for package; do
  [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] && echo "installed $package"
done
for unit in /etc/systemd/system/room-cache*.service; do
  [ -e "$unit" ] && echo "unit ${unit##*/}"
done
exit 0
