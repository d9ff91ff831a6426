"""Which way the requests of a finished workstation go, by the lab's request log."""

GROUP = "wsl"


def test_the_proxy_carries_docker_and_the_mirror_is_reached_directly(host, user_run, requests_during):
    user_run("docker image rm --force busybox")

    def work():
        assert user_run("docker pull busybox").rc == 0
        assert host.run("apt-get update --error-on=any").rc == 0

    seen = {(record["via"], record["host"]) for record in requests_during(work)}
    assert ("proxy", "registry-1.docker.io") in seen
    assert ("proxy", "download.docker.com") in seen
    assert ("proxy", "nvidia.github.io") in seen
    assert ("proxy", "developer.download.nvidia.com") in seen
    assert ("direct", "mirrors.ustc.edu.cn") in seen
    assert ("proxy", "mirrors.ustc.edu.cn") not in seen
    assert {name for via, name in seen if via == "direct"} == {"mirrors.ustc.edu.cn"}
