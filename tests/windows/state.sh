# Print every file that a person may have written, every package, and who may use Docker; not what programs write for themselves.
cd /
find etc usr/local usr/share/keyrings home root -type f ! -name '.bash_history' ! -path 'etc/ssl/*' ! -path etc/resolv.conf ! -name '*-' ! -path '*/.cache/*' -print0 \
  | sort -z | xargs -0 sha256sum
dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' | grep installed
getent group docker
