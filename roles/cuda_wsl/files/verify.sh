# role:cuda_wsl
# Print the packages of a Linux GPU driver that apt would install.
export LC_ALL=C.UTF-8 # apt translates "Candidate:" and "(none)"
timeout 60 apt-cache pkgnames |
    grep -E '^(cuda|cuda-[0-9]+-[0-9]+|cuda-(drivers|runtime).*|nvidia-(driver|open|dkms|headless|kernel)-.*|libnvidia-(compute|gl)-.*)$' |
    xargs -r timeout 60 apt-cache policy |
    awk '/^[^ ]/ {package = $1} $1 == "Candidate:" && $2 != "(none)" {sub(/:$/, "", package); print package}'
