# role:cuda_wsl
# Print the packages of a Linux GPU driver that apt would install. Fails where apt does not say.
set -e
export LC_ALL=C.UTF-8 # apt translates "Candidate:" and "(none)"
ask() {
    timeout 60 apt-cache "$@" || {
        code=$?
        [ $code != 124 ] || echo "apt-cache $1 had not answered after 60 s." >&2
        return $code
    }
}
known=$(ask pkgnames)
drivers=$(printf '%s\n' "$known" |
    grep -E '^(cuda|cuda-[0-9]+-[0-9]+|cuda-(drivers|runtime).*|nvidia-(driver|open|dkms|headless|kernel)-.*|libnvidia-(compute|gl)-.*)$' || true)
[ -n "$drivers" ] || exit 0
policy=$(ask policy $drivers)
printf '%s\n' "$policy" |
    awk '/^[^ ]/ {package = $1} $1 == "Candidate:" && $2 != "(none)" {sub(/:$/, "", package); print package}'
