# role:apt_mirror
# Fetch the index of the sources files unless apt has all these suites from the mirror, then print what apt knows.
# usage: sh -c THIS index "FILE ..." URI SUITE ...
files=$1
lists=/var/lib/apt/lists/$(printf %s "$2" | sed 's,^https*://,,; s,_,%5f,g; s,~,%7e,g; s,/,_,g')
shift 2

for suite in "$@"; do
    [ -e "${lists}_dists_${suite}_InRelease" ] || [ -e "${lists}_dists_${suite}_Release" ] || missing=$suite
done
if [ -n "${missing:-}" ]; then
    echo fetched
    for file in $files; do
        apt-get update -q -o Dir::Etc::SourceList="$file" -o Dir::Etc::SourceParts=- -o APT::Get::List-Cleanup=0 \
            -o APT::Update::Error-Mode=any -o Acquire::Retries=2 || exit 1
    done
fi
apt-cache policy
