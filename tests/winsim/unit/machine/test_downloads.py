"""curl.exe: proxies, breaks, resuming; whose signature win_package finds."""

from __future__ import annotations

import threading
import time

import pytest

from lab.winsim.errors import SimulatorError
from lab.winsim.model.pins import PINS

PROXY = "http://127.0.0.1:7890"
IMAGE = PINS["ubuntu"]["Ubuntu-24.04"]["url"]
IMAGE_SHA256 = PINS["ubuntu"]["Ubuntu-24.04"]["sha256"]
BYTES = 388975696
TARGET = "C:\\dl\\u.wsl"


BEST_EFFORT = "--ssl-revoke-best-effort"


def curl(host, *more, url=IMAGE, proxy=PROXY, revocation=BEST_EFFORT):
    more += (revocation,) if revocation else ()
    return host.run("curl.exe", "--fail", "--location", "--silent", "--show-error", "--create-dirs",
                    "--continue-at", "-", "--proxy", proxy, "--output", TARGET, *more, url)  # fmt: skip


def sha256(host):
    return host.module("win_stat", path=TARGET, checksum_algorithm="sha256")["stat"].get("checksum")


def test_a_download_goes_through_the_proxy_and_is_logged(host):
    assert curl(host).rc == 0
    assert sha256(host) == IMAGE_SHA256
    assert [(item["proxy"], item["bytes"], item["status"]) for item in host.machine.network.requests] == [
        ("127.0.0.1:7890", BYTES, 200)
    ]


def test_without_the_proxy_the_connection_times_out(host):
    done = curl(host, proxy="")
    assert (done.rc, done.stderr.startswith(b"curl: (28)")) == (28, True)


def test_schannel_asks_for_revocation_by_winhttps_proxy_not_by_curls(host):
    done = curl(host, revocation="")
    assert (done.rc, b"CRYPT_E_REVOCATION_OFFLINE (0x80092013)" in done.stderr) == (35, True)
    assert host.machine.network.bytes_downloaded() == 0
    assert curl(host).rc == 0
    host.machine.files.remove(TARGET)
    host.module("win_http_proxy", proxy="127.0.0.1:7890")
    assert curl(host, revocation="").rc == 0


def test_a_certificate_without_revocation_list_is_exit_code_35(host):
    host.module("win_http_proxy", proxy="127.0.0.1:7890")
    host.machine.faults["downloads"] = [{"kind": "no_revocation"}]
    done = curl(host, revocation="")
    assert (done.rc, b"CRYPT_E_NO_REVOCATION_CHECK (0x80092012)" in done.stderr) == (35, True)
    assert curl(host).rc == 0


def test_http_has_no_certificate_to_check(host):
    assert (
        host.run(
            "curl.exe", "--silent", "--show-error", "--proxy", PROXY, "http://www.msftconnecttest.com/connecttest.txt"
        ).rc
        == 0
    )


def test_a_proxy_that_does_not_listen_is_exit_code_7(host):
    assert curl(host, proxy="http://127.0.0.1:7891").rc == 7
    assert curl(host, proxy="http://nowhere:7890").rc == 5


def test_the_environment_names_the_proxy_when_the_command_line_does_not(host):
    done = host.run(
        "curl.exe", "--silent", "--show-error", "http://www.msftconnecttest.com/connecttest.txt", http_proxy=PROXY
    )
    assert (done.rc, done.stdout) == (0, b"Microsoft Connect Test")
    bypassed = host.run("curl.exe", "--silent", "--show-error", "http://www.msftconnecttest.com/connecttest.txt", http_proxy=PROXY,
                        no_proxy="msftconnecttest.com")  # fmt: skip
    assert bypassed.rc == 28


def test_a_broken_transfer_goes_on_where_it_stopped(host):
    host.machine.faults["downloads"] = [{"url": "*ubuntu*", "kind": "break", "bytes": 1000, "times": 1}]
    broken = curl(host)
    assert (broken.rc, host.machine.files.size(TARGET)) == (18, 1000)
    assert sha256(host) != IMAGE_SHA256
    assert curl(host).rc == 0
    assert sha256(host) == IMAGE_SHA256
    assert [(item["start"], item["bytes"]) for item in host.machine.network.requests] == [
        (0, 1000),
        (1000, BYTES - 1000),
    ]


def test_a_complete_file_is_not_fetched_again(host):
    curl(host)
    again = curl(host)
    assert (again.rc, b"416" in again.stderr) == (22, True)
    assert host.machine.network.bytes_downloaded() == BYTES
    assert sha256(host) == IMAGE_SHA256


def test_a_server_error_is_22_and_retried_when_asked(host):
    host.machine.faults["downloads"] = [{"url": "*ubuntu*", "kind": "status", "status": 502, "times": 1}]
    assert curl(host).rc == 22
    host.machine.faults["downloads"] = [{"url": "*ubuntu*", "kind": "status", "status": 502, "times": 1}]
    assert curl(host, "--retry", "2").rc == 0


def test_a_foreign_beginning_never_becomes_the_right_file(host):
    host.machine.files.write_bytes(TARGET, b"something else", parents=True)
    assert curl(host).rc == 0
    assert host.machine.files.size(TARGET) == BYTES
    assert sha256(host) != IMAGE_SHA256


def test_a_full_disk_is_exit_code_23(build, on):
    host = on(build(disks={"C": {"size_gb": 100, "free_gb": 0.1}}))
    assert curl(host).rc == 23


def test_an_option_that_is_not_known_fails_loudly(host):
    with pytest.raises(SimulatorError, match="simulator: curl: unrecognized arguments: --frob"):
        curl(host, "--frob")


def test_an_unknown_host_fails_loudly(host):
    with pytest.raises(SimulatorError, match="simulator: URL not in the catalogue"):
        curl(host, url="https://example.org/x")


def test_a_file_that_is_being_written_can_not_be_renamed(build, on):
    host = on(build(time_scale=0.05))
    thread = threading.Thread(target=curl, args=(host,), daemon=True)
    thread.start()
    while not host.machine.files.exists(TARGET):
        time.sleep(0.005)
    busy = host.run("cmd.exe", "/d", "/c", "ren", TARGET, "u.wsl")
    thread.join(20)
    assert (busy.rc, host.run("cmd.exe", "/d", "/c", "ren", TARGET, "u.wsl").rc) == (1, 0)


def test_a_slowed_download_grows_over_real_time(host):
    host.machine.faults["downloads"] = [{"url": "*ubuntu*", "kind": "slow", "bytes_per_second": BYTES * 2}]
    thread = threading.Thread(target=curl, args=(host,), daemon=True)
    start = time.monotonic()
    thread.start()
    sizes = set()
    while thread.is_alive():
        sizes.add(host.module("win_stat", path=TARGET, get_checksum=False)["stat"].get("size", 0))
        time.sleep(0.01)
    assert 0.4 < time.monotonic() - start < 5
    assert len([size for size in sizes if 0 < size < BYTES]) > 3
    assert sha256(host) == IMAGE_SHA256


def test_a_slowed_download_that_also_breaks(host):
    fault = {"url": "*ubuntu*", "kind": "break", "bytes": 1000, "bytes_per_second": 5000, "times": 1}
    host.machine.faults["downloads"] = [fault]
    start = time.monotonic()
    assert curl(host).rc == 18
    assert time.monotonic() - start > 0.15


def test_curl_tells_the_size_of_a_file_without_fetching_it(host):
    argv = ("curl.exe", "--silent", "--show-error", "--head", "--location", BEST_EFFORT, "--proxy", PROXY, IMAGE)
    assert host.run(*argv).stdout.decode().split("\r\n") == [
        "HTTP/1.1 200 Connection established", "",
        "HTTP/1.1 200 OK", f"Content-Length: {BYTES}", "", "",
    ]  # fmt: skip
    assert host.machine.network.bytes_downloaded() == 0


@pytest.mark.parametrize("fault", [{"kind": "slwo"}, {"kind": "slow"}])
def test_a_fault_that_is_not_known_fails_loudly(host, fault):
    host.machine.faults["downloads"] = [fault]
    with pytest.raises(SimulatorError, match="simulator: fault of downloads not known"):
        curl(host)


def test_package_checks_the_signer_when_asked(host, fails):
    url = "https://aka.ms/vs/17/release/vs_community.exe"
    host.machine.faults["downloads"] = [{"url": "*vs_Community*", "kind": "signer"}]
    assert host.run("curl.exe", "--location", BEST_EFFORT, "--proxy", PROXY, "--output", "C:\\vs.exe", url).rc == 0
    with fails("is not digitally signed"):
        host.module("win_package", path="C:\\vs.exe", creates_path="C:\\none", verify_signature=True)


def test_a_cache_in_the_room_gives_what_the_vendor_has_without_the_proxy(host):
    impatient = ("--connect-timeout", "10", "--speed-limit", "1", "--speed-time", "30")
    done = curl(host, *impatient, url=IMAGE.replace("https://", "http://cache.lab:8780/"), proxy="")
    assert (done.rc, sha256(host)) == (0, IMAGE_SHA256)
    assert [(item["proxy"], item["bytes"]) for item in host.machine.network.requests] == [(None, BYTES)]
    msi = "http://cache.lab:8780/github.com/microsoft/WSL/releases/download/3.0.1/wsl.3.0.1.0.x64.msi"
    told = host.run(
        "curl.exe", "--head", "--location", "--proxy", "", msi
    ).stdout  # it has followed the vendor's redirect
    assert told.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 367669248\r\n")
    assert host.run("curl.exe", "--head", "--proxy", "", "http://cache.lab:8780/a/b").stdout.startswith(b"HTTP/1.1 404")
