# role:wsl_proxy
# Read-only look at the host, one finding a line: "upstream HOST:PORT" or "unresolved CAUSE", "foreign FILE:LINE:TEXT", "stale UNIT".
# A user name and a password in a proxy's address are masked.
# usage: sh -c THIS look RESOLVER PORT [HOST]
resolver=$1
shift
if found=$(sh -c "$resolver" wsl-proxy-upstream "$@" 2>&1); then echo "upstream $found"; else echo "unresolved $found"; fi

setting='^[[:space:]]*(export[[:space:]]+)?(https?|all)_proxy=|^[[:space:]]*Acquire::https?::Proxy[[:space:]]'
for file in /etc/environment /etc/profile /etc/profile.d/*.sh /etc/bash.bashrc /etc/apt/apt.conf /etc/apt/apt.conf.d/* \
    /root/.bashrc /root/.profile /home/*/.bashrc /home/*/.profile /home/*/.bash_profile /home/*/.zshrc; do
    grep -qs '^# role:wsl_proxy$' "$file" || grep -EHnis "$setting" "$file" | sed -E "s/^/foreign /; s#://[^[:space:]\"']*@#://***@#"
done

systemctl show --property Id,NeedDaemonReload wsl-proxy.socket wsl-proxy.service 2>/dev/null |
    awk -F= '$1 == "Id" {id = $2} $0 == "NeedDaemonReload=yes" {print "stale " id}'
exit 0
