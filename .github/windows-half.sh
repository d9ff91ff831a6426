#!/usr/bin/env bash
# For workflows/windows.yml: the Windows half against the runner itself, from inside its distribution, as docs/inside-wsl.md says.
set -euo pipefail
cd "$(dirname "$0")/.."

apt-get -q update
DEBIAN_FRONTEND=noninteractive apt-get -qy install make python3-venv
make venv

cp -r inventory/workstation inventory/mine
settings=inventory/mine/group_vars/workstation
sed -i -e '/^windows_address:/d' -e '/^windows_certificate:/d' -e 's/^# control_node:/control_node:/' \
    -e "s/^windows_user:.*/windows_user: $WINDOWS_USER/" "$settings/settings.yml"
printf "windows_password: '%s'\n" "$WINDOWS_PASSWORD" > "$settings/vault.yml"

log=$(mktemp)
fail() {
    echo "FAILED: $1" >&2
    exit 1
}
play() { # keeps the output in $log, in one line
    local rc=0
    .venv/bin/ansible-playbook -i inventory/mine --limit my-pc "$@" 2>&1 | tee "$log.raw" || rc=$?
    tr -s '[:space:]' ' ' < "$log.raw" > "$log"
    return $rc
}
says() { grep -qE "$1" "$log"; }
environment() {
    .venv/bin/ansible -i inventory/mine my-pc -m ansible.windows.win_shell \
        -a "[Environment]::GetEnvironmentVariable('http_proxy', 'Machine')" | tee "$log"
}
half=(playbooks/windows.yml --tags "windows_base,windows_proxy")

echo "== The preflight reaches Windows, and stops at the GPU that is not there"
! play playbooks/preflight.yml || fail "a machine without a GPU passed the preflight"
! says 'STOP not reached' || fail "Windows was not reached"
says 'STOP cuda_windows: .* no working NVIDIA driver' || fail "cuda_windows did not refuse"
! says 'STOP windows_(base|proxy): ' || fail "a role refused that should not"

echo "== On, and on again"
play "${half[@]}"
says 'my-pc : ok=[0-9]+ changed=[1-9]' || fail "the first run changed nothing"
play "${half[@]}"
says 'my-pc : ok=[0-9]+ changed=0 unreachable=0 failed=0 ' || fail "the second run changed something"
environment
says 'http://127.0.0.1:7890' || fail "programs are not told about the proxy"

echo "== The distribution, through WinRM"
over_winrm=(-e ansible_connection=wsl_winrm -e ansible_user=root -e ansible_become=false -e ansible_winrm_server_cert_validation=ignore)
.venv/bin/ansible-playbook -i inventory/mine --limit my-pc-wsl "${over_winrm[@]}" -e "folder=$(mktemp -d)" .github/wsl-winrm.yml

echo "== What this Windows answers to the questions of the probe, beside what the lab's answers"
.venv/bin/ansible-playbook -i inventory/mine --limit my-pc playbooks/probe.yml
cat reports/probe-my-pc.json
make compare REPORT=reports/probe-my-pc.json

echo "== Off, and off again"
play "${half[@]}" -e proxy_state=absent
play "${half[@]}" -e proxy_state=absent
says 'my-pc : ok=[0-9]+ changed=0 unreachable=0 failed=0 ' || fail "the second run changed something"
environment
! says 'http://' || fail "programs are still told about the proxy"
