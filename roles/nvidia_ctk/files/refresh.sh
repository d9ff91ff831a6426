# Runs NVIDIA's refresh once, and prints what it said when it leaves no new specification. Argument: the specification.
spec=$1
unit=nvidia-cdi-refresh.service path=nvidia-cdi-refresh.path
since=$(date +%s)
# Five starts in ten seconds are its limit, and it starts itself again; where it met its limit, the unit that watches for it has failed, too.
timeout 30 systemctl reset-failed $unit $path 2>/dev/null
timeout 120 systemctl restart $unit
rc=$?
# It fails where the driver is not ready yet, and succeeds a second later: wait for its own attempts.
for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
  [ $rc != 124 ] && [ "$(timeout 30 systemctl show --property ActiveState --value $unit)" = activating ] || break
  sleep 1
done
if timeout 30 systemctl is-enabled --quiet $path 2>/dev/null; then
  timeout 30 systemctl start $path
fi
if [ "$(stat -c %Y "$spec" 2>/dev/null || echo 0)" -ge "$since" ]; then
  exit 0
fi
if [ $rc = 124 ]; then
  echo "$unit did not end within 120 seconds."
  timeout 30 systemctl stop $unit
elif [ $rc = 0 ]; then
  echo "$unit was skipped, since one of its conditions does not hold, and wrote no $spec."
fi
timeout 10 journalctl --sync
timeout 10 journalctl --unit=$unit --since="@$since" --output=cat --no-pager --lines=60
exit 1
