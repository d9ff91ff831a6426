#!/usr/bin/env bash
# molecule.sh JOBS SCENARIO…: run Molecule scenarios side by side; each writes its own log, failures are shown.
# Molecule's own notes ("instances already created") are kept in this checkout: by default it shares them between all
# checkouts of one name, and an interrupted run would make the next one, anywhere, skip the creation.
set -u
jobs=$1
shift
logs=.cache/molecule
rm -rf "$logs"
mkdir -p "$logs"
export COLUMNS=160 # Molecule's frame breaks longer lines

one() {
  local start=$SECONDS
  if MOLECULE_EPHEMERAL_DIRECTORY=$PWD/$2/$1 molecule -c .config/molecule/config.yml test -s "$1" >"$2/$1.log" 2>&1 </dev/null; then
    printf 'ok      %-24s %4d s\n' "$1" $((SECONDS - start))
    touch "$2/$1.ok"
  else
    printf 'FAILED  %-24s %4d s; the end of %s/%s.log:\n' "$1" $((SECONDS - start)) "$2" "$1"
    tail -n 60 "$2/$1.log" | sed 's/^/    /'
  fi
}
export -f one

printf '%s\n' "$@" | xargs -P "$jobs" -I {} bash -c 'one "$1" "$2"' _ {} "$logs"
for scenario; do # what failed comes last: the end is what a long log keeps
  [ -e "$logs/$scenario.ok" ] || sed 's/\x1b\[[0-9;]*m//g' "$logs/$scenario.log" |
    grep -E '│ (E  |(FAILED|ERROR) |(tests/)?test_.*::|fatal: |failed: )' | tail -n 20 | sed "s/^ *│/$scenario:/"
done
passed=$(find "$logs" -name '*.ok' | wc -l)
failed=$(($# - passed))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
