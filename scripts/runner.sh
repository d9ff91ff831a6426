#!/usr/bin/env bash
# The site on the lab by ansible-runner's three parts, as a company's engine does it: the sender packs the project, a worker that has nothing but
# ansible-runner and the stream runs it, the receiver writes the events. On two machines the pipes are connections.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/sent/project/.lab/winsim" "$folder/worker" "$folder/received"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --no-dereference --target-directory "$folder/sent/project"
cp -r .lab/keys "$folder/sent/project/.lab" # fingerprints of the lab's repositories
cp -r .lab/winsim/lab-pc "$folder/sent/project/.lab/winsim" # the lab's endpoint and passwords; a company has its vault
unset ANSIBLE_CONFIG # the project's own is to count

ansible-runner transmit "$folder/sent" --playbook playbooks/site.yml \
  | ansible-runner worker --private-data-dir "$folder/worker" \
  | ansible-runner process "$folder/received"

grep -qr --include='*.json' 'SUMMARY (' "$folder/received/artifacts" || { echo "the summary did not arrive with the events"; exit 1; }
code=$(cat "$folder/received/artifacts/rc")
echo "events received: $(find "$folder/received/artifacts" -path '*/job_events/*.json' | wc -l), exit code of the run: $code"
exit "$code"
