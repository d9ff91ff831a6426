# Proves that Docker runs a container. Needs no network: the image is Docker's own init, which is one static program.
# usage: sh -c THIS probe [ADDRESS]     ADDRESS: where the daemon listens, if that is not the usual socket
address=${1:-unix:///var/run/docker.sock} image=wsl-dl-playbook/probe
export DOCKER_CONFIG=/nonexistent

docker() {
  timeout --kill-after=5 50 docker --host "$address" "$@"
}

for init in /usr/libexec/docker/docker-init /usr/bin/docker-init; do
  [ ! -x "$init" ] || break
done
tar --create --directory "${init%/*}" docker-init | docker import - $image >/dev/null || exit 1
docker run --rm --pull never --runtime runc $image /docker-init --version
code=$?
docker image rm $image >/dev/null
exit $code
