# Runs nvidia-smi in a container as a user, and remembers when that went well. Arguments: image, user, the file that remembers.
image=$1 user=$2 note=$3
timeout --kill-after=10 900 runuser --login "$user" --command "docker run --rm --gpus all '$image' nvidia-smi" </dev/null
rc=$?
[ $rc != 124 ] || echo "docker run did not end within 15 minutes." >&2
[ $rc != 0 ] || printf '%s %s\n' "$image" "$user" >"$note"
exit $rc
