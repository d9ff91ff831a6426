#!/bin/sh
# The part of Install.ps1 inside the distribution, as root. Every word finds out what is done already.
# usage: install.sh copy [LANGUAGE] | settings KEY=VALUE … | password | python PORT INDEX | run PLAYBOOK PORT [OPTION …] | proof USER | forget
#        and for wsl-dl: language | status | pins PORT
set -eu
umask 022
base=${WSL_DL_PLAYBOOK_BASE:-/opt/wsl-dl-playbook}
code=$base/code venv=$base/venv settings=$base/settings.yml prefix=${WSL_DL_PLAYBOOK_PREFIX:-/usr/local}
# settings that an earlier version has written by another name
former='s/^wsl_enable_distribution:/wsl_distribution_name:/
s/^wsl_enable_(image_(url|sha256)|location|user(_password_hash)?|systemd|keepalive(_at)?|min_free_gb):/wsl_distribution_\1:/'
spoken=${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}
export LC_ALL=C.UTF-8 PATH="${WSL_DL_PLAYBOOK_PATH:+$WSL_DL_PLAYBOOK_PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" # nothing of Windows

refuse() {
    echo "$1" >&2
    exit 1
}

# The folder this is started in, as /mnt/c shows it, becomes one of Linux, whole or not at all.
copy() {
    [ -f pins.json ] || refuse "$(pwd) is not the folder of the unpacked ZIP."
    rm -rf "$code.new"
    mkdir -p "$code.new"
    cp -r --no-preserve=mode,ownership,timestamps ./* "$code.new/"
    rm -rf "$code.new/inventory/mine"
    links
    cp -a "$code.new/inventory/own" "$code.new/inventory/mine"
    ln -sfn "$settings" "$code.new/inventory/mine/group_vars/own/settings.yml"
    [ -f "$settings" ] || {
        cp "$code.new/inventory/own/group_vars/own/settings.yml" "$settings.new"
        mv "$settings.new" "$settings"
    }
    sed -i -E "$former" "$settings"
    rm -rf "$code.old"
    [ ! -d "$code" ] || mv "$code" "$code.old"
    mv "$code.new" "$code"
    rm -rf "$code.old"
    [ -z "${1:-}" ] || echo "$1" >"$base/language"
    place wsl-dl "$prefix/bin/wsl-dl" 755
    place wsl-dl.bash-completion "$prefix/share/bash-completion/completions/wsl-dl" 644
}

# A command of the same name that is somebody else's stays.
place() {
    own "$2" || return 0
    mkdir -p "${2%/*}"
    cp "$code/bootstrap/$1" "$2.new"
    chmod "$3" "$2.new"
    mv "$2.new" "$2"
}

own() { [ ! -e "$1" ] || grep -q wsl-dl-playbook "$1"; }

# en or zh: what Install.ps1 speaks, else the language of this shell.
language() {
    case $(cat "$base/language" 2>/dev/null || echo "$spoken") in
        zh*) echo zh ;;
        *) echo en ;;
    esac
}

# Windows unpacks a link as a file that holds its target.
links() {
    find "$code.new/inventory" "$code.new/playbooks" "$code.new/roles" -type f -size -2 | while read -r file; do
        target=$(head -c 200 "$file" | tr -d '\000')
        case $target in
            *[!A-Za-z0-9_./-]* | "" | /*) continue ;;
            ../* | */*) ;;
            *) continue ;;
        esac
        [ ! -e "$(dirname "$file")/$target" ] || ln -sfn "$target" "$file"
    done
}

# One line a setting; the others stay as they are.
settings() {
    cp "$settings" "$settings.new"
    for word; do
        key=${word%%=*} value=${word#*=}
        case $value in
            '' | *[!0-9]*) line="$key: '$value'" ;;
            *) line="$key: $value" ;;
        esac
        if grep -q "^$key:" "$settings.new"; then
            awk -v key="$key:" -v line="$line" 'index($0, key) == 1 {print line; next} {print}' "$settings.new" >"$settings.two"
            mv "$settings.two" "$settings.new"
        else
            echo "$line" >>"$settings.new"
        fi
    done
    chmod 600 "$settings.new" # it may hold the hash of a password
    mv "$settings.new" "$settings"
}

password() {
    IFS= read -r line || [ -n "$line" ]
    line=$(printf %s "$line" | LC_ALL=C sed 's/^\xef\xbb\xbf//; s/\r$//') # of PowerShell
    hash=$(printf '%s\n' "$line" | openssl passwd -6 -stdin)
    settings "wsl_distribution_user_password_hash=$hash"
}

# The proxy of Windows, for this shell; a door that is shut is said at once.
proxy() {
    [ "$1" != 0 ] || return 0
    place=$(sh "$code/roles/wsl_proxy/files/wsl-proxy-upstream" "$1")
    timeout 10 bash -c ': </dev/tcp/"${1%:*}"/"${1##*:}"' - "$place" 2>/dev/null || refuse "The proxy at $place does not answer here. Switch on \
\"Allow LAN\" in the proxy program; then look into Windows' firewall (inbound rules) for a rule that blocks it, and delete that."
    export http_proxy="http://$place" https_proxy="http://$place" no_proxy=localhost,127.0.0.1
}

new_enough() {
    command -v "$1" >/dev/null && "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# ansible-core and what "make verify" needs, of the pinned versions; not what only the lab needs.
python() {
    proxy "$1"
    wanted=$(grep -E '^(ansible|ansible-core|jsonschema|pytest|pytest-html|pytest-testinfra|PyYAML)==' "$code/requirements.txt")
    [ "$wanted $2" != "$(cat "$venv/.installed" 2>/dev/null)" ] || return 0
    python=python3
    new_enough python3 || {
        packages=python3-venv
        python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || packages='python3.11 python3.11-venv' python=python3.11
        DEBIAN_FRONTEND=noninteractive
        export DEBIAN_FRONTEND
        apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 update
        # shellcheck disable=SC2086 # two words
        apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 install -y $packages
    }
    "$python" -m venv --clear "$venv"
    echo "$wanted" >"$venv/wanted.txt"
    index=$2
    [ "$index" != - ] || index=
    "$venv/bin/pip" install --disable-pip-version-check --retries 10 ${index:+--index-url "$index"} -r "$venv/wanted.txt"
    case $python in # the one that comes with Python 3.11 cannot check the signature of Visual Studio
        python3.11) "$venv/bin/ansible-galaxy" collection install 'ansible.windows:>=3.4,<4' ;;
    esac
    echo "$wanted $2" >"$venv/.installed"
}

# As root of the distribution, so that nobody asks for a password; Windows is reached as the person at the PC.
run() {
    playbook=$1
    proxy "$2"
    shift 2
    cd "$code"
    ANSIBLE_PROGRESS_LANGUAGE=$(language)
    export USER=root HOME=/root ANSIBLE_LOG_PATH="$base/$playbook.log" ANSIBLE_FORCE_COLOR=1 ANSIBLE_STDOUT_CALLBACK=role_lines ANSIBLE_PROGRESS_LANGUAGE
    exec "$venv/bin/ansible-playbook" -i inventory/mine "playbooks/$playbook.yml" "$@"
}

proof() {
    image=$(sed -n 's/^nvidia_ctk_gpu_check_image: *//p' "$code/roles/nvidia_ctk/defaults/main.yml")
    su - "$1" -c "docker run --rm --gpus all ${image:-ubuntu:24.04} nvidia-smi"
}

# Which promises hold; for this, Windows need not treat the terminal as an administrator's.
status() {
    cd "$code"
    ANSIBLE_PROGRESS_LANGUAGE=$(language)
    export USER=root HOME=/root PATH="$venv/bin:$PATH" ANSIBLE_WSL_INTEROP_ELEVATED=false VERIFY_RUN='wsl-dl run' ANSIBLE_PROGRESS_LANGUAGE
    exec "$venv/bin/python" -m pytest verify --hosts='ansible://windows,ansible://wsl' --ansible-inventory=inventory/mine --force-ansible --tb=no -rN
}

# Newer files of the vendors; that of CUDA for Windows, which is fetched for its checksum, only for those who have it.
pins() {
    proxy "$1"
    shift
    ! grep -q '^cuda_windows_state: *.ignore' "$settings" || set -- --skip cuda_windows
    exec "$venv/bin/python" "$code/scripts/pins.py" "$@"
}

forget() {
    for file in "$prefix/bin/wsl-dl" "$prefix/share/bash-completion/completions/wsl-dl"; do
        ! own "$file" || rm -f "$file"
    done
    rmdir "$prefix/share/bash-completion/completions" "$prefix/share/bash-completion" 2>/dev/null || :
    rm -rf "$base"
}

word=$1
shift
case $word in
    copy | settings | password | python | run | proof | forget | language | status | pins) "$word" "$@" ;;
    *) refuse "install.sh: unknown word $word" ;;
esac
