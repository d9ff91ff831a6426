# Runs NVIDIA's refresh once, and prints what it said when it leaves no new specification. Argument: the specification.
spec=$1
unit=nvidia-cdi-refresh.service path=nvidia-cdi-refresh.path
since=$(date +%s)
# Five starts in ten seconds are its limit, and it starts itself again; where it met its limit, the unit that watches for it has failed, too.
watcher=$(timeout 30 systemctl is-failed $path)
timeout 30 systemctl reset-failed $unit $path 2>/dev/null
timeout 120 systemctl restart $unit
rc=$?
if [ $rc = 0 ] && [ "$(stat -c %Y "$spec" 2>/dev/null || echo 0)" -ge "$since" ]; then
  [ "$watcher" != failed ] || timeout 30 systemctl start $path
  exit 0
fi
if [ $rc = 124 ]; then
  echo "$unit did not end within 120 seconds."
  timeout 30 systemctl stop $unit
elif [ $rc = 0 ]; then
  echo "$unit was skipped, since one of its conditions does not hold, and wrote no $spec."
fi
timeout 10 journalctl --sync
timeout 10 journalctl --unit=$unit --since="@$since" --output=cat --no-pager --lines=30
exit 1
