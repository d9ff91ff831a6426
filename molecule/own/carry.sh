#!/bin/bash
# carry.sh PC FOLDER: put into the distribution of a simulated PC what its owner has there: this repository, its Python environment, a
# password for sudo; and the keys of the lab's own origins (FOLDER). The packages are the pinned ones, from the package index that this
# machine uses; the distributions of the lab reach none.
set -euo pipefail
pc=$1 keys=$2
inside() {
  local user=$1
  shift
  python -m lab pc terminal "$pc" -- wsl.exe -d Ubuntu-24.04 -u "$user" --cd '~' --exec "$@"
}
version=$(inside dev python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' </dev/null)
packages=.cache/distribution-python$version
if [ ! -e "$packages" ] || [ requirements.txt -nt "$packages" ]; then
  pins=$(python - "$version" <<'EOP'
import sys
from packaging.requirements import Requirement
for line in open("requirements.txt"):
    if line.startswith("ansible"):
        pin = Requirement(line.strip())
        if pin.name in ("ansible", "ansible-core") and (not pin.marker or pin.marker.evaluate({"python_version": sys.argv[1]})):
            print(f"{pin.name}{pin.specifier}")
EOP
)
  rm -rf "$packages"
  # This machine's Python may be another one than the distribution's.
  pip install --quiet --disable-pip-version-check --target "$packages.new" --python-version "$version" --only-binary=:all: \
    --ignore-requires-python --no-compile $pins
  mv "$packages.new" "$packages"
fi
inside root chpasswd <<<"dev:the password of dev"
git ls-files -z --cached --others --exclude-standard | tar -c --null --ignore-failed-read -T - |
  inside dev sh -c 'mkdir -p wsl-dl-playbook && tar -x -C wsl-dl-playbook --no-same-owner'
inside dev python3 -m venv --without-pip wsl-dl-playbook/.venv </dev/null
# Of the collections only those that the PCs need: the others are eight times as many files.
collections=$(sed -n '/awx/d;s/^  - name: \(.*\)\.\(.*\)/ansible_collections\/\1\/\2/p' collections/requirements.yml)
tar -c -C "$packages" --exclude='./ansible_collections' --exclude=__pycache__ . $collections |
  inside dev sh -ec 'cd wsl-dl-playbook/.venv && tar -x -C lib/python3.*/site-packages --no-same-owner
    mv lib/python3.*/site-packages/bin/* bin/ && sed -i "1s|.*|#!$PWD/bin/python3|" bin/ansible*'
tar -c -C "$keys" lab.yml | inside dev sh -ec 'mkdir -p lab && tar -x -C lab --no-same-owner'
inside dev sh -c 'umask 077 && cat >become' <<<"the password of dev"
