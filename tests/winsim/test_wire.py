"""WS-Management as pywinrm and a bare HTTP client see it."""

from __future__ import annotations

import base64
import http.client
import threading
import time

import pytest
import winrm
from simulator_process import PASSWORD, Simulator
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WSManFaultError


@pytest.mark.parametrize(
    ("transport", "scheme", "encryption"),
    [
        ("plaintext", "http", "auto"),
        ("ntlm", "http", "always"),
        ("ntlm", "http", "never"),
        ("ssl", "https", "auto"),
        ("ntlm", "https", "auto"),
        ("ntlm", "https", "always"),
    ],
)
def test_every_way_to_log_on_works(simulator: Simulator, transport: str, scheme: str, encryption: str) -> None:
    output = simulator.run("echo", "%COMPUTERNAME%", transport=transport, scheme=scheme, message_encryption=encryption)
    assert output == (b"LAB-PC\r\n", b"", 0)


@pytest.mark.parametrize("user", ["LAB-PC\\student", ".\\student", "STUDENT"])
def test_ntlm_takes_every_spelling_of_a_local_account(simulator: Simulator, user: str) -> None:
    stdout, _, code = simulator.run("echo", "%USERNAME%", transport="ntlm", username=user)
    assert (stdout, code) == (b"student\r\n", 0)


@pytest.mark.parametrize("transport", ["plaintext", "ntlm"])
@pytest.mark.parametrize(("user", "password"), [("student", "wrong"), ("nobody", PASSWORD), ("Guest", "")])
def test_wrong_credentials_are_refused(simulator: Simulator, transport: str, user: str, password: str) -> None:
    with pytest.raises(InvalidCredentialsError):
        simulator.run("echo", "%COMPUTERNAME%", transport=transport, username=user, password=password)


def test_certificate_of_the_host_can_be_verified(simulator: Simulator) -> None:
    certificate = simulator.client.info["certificate"]
    output = simulator.run(
        "echo",
        "%COMPUTERNAME%",
        transport="ssl",
        scheme="https",
        server_cert_validation="validate",
        ca_trust_path=certificate,
    )
    assert output == (b"LAB-PC\r\n", b"", 0)


def test_unencrypted_messages_are_refused_when_the_host_says_so(own_simulator) -> None:
    strict = own_simulator("--refuse-unencrypted")
    with pytest.raises(winrm.exceptions.WinRMTransportError) as refused:
        strict.run("echo", "%COMPUTERNAME%", transport="plaintext")
    assert refused.value.code == 500
    assert strict.run("echo", "%COMPUTERNAME%", transport="ntlm")[0] == b"LAB-PC\r\n"
    assert strict.run("echo", "%COMPUTERNAME%", transport="ssl", scheme="https")[0] == b"LAB-PC\r\n"


def test_first_post_without_a_body_is_answered_empty(simulator: Simulator) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", simulator.client.info["http_port"], timeout=10)
    connection.request("POST", "/wsman", body=b"")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 401
    assert answer.headers.get_all("WWW-Authenticate") == ["Negotiate", 'Basic realm="WSMAN"']
    token = base64.b64encode(f"student:{PASSWORD}".encode()).decode()
    connection.request("POST", "/wsman", body=b"", headers={"Authorization": f"Basic {token}"})
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")


def _post(simulator: Simulator, body: bytes, path: str = "/wsman") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", simulator.client.info["http_port"], timeout=10)
    token = base64.b64encode(f"student:{PASSWORD}".encode()).decode()
    connection.request("POST", path, body=body, headers={"Authorization": f"Basic {token}"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_other_paths_are_not_found(simulator: Simulator) -> None:
    assert _post(simulator, b"<x/>", "/other") == (404, b"")


@pytest.mark.parametrize("body", [b"no xml", b"<x/>", b"<!DOCTYPE x><x/>"])
def test_malformed_requests_are_faults(simulator: Simulator, body: bytes) -> None:
    status, answer = _post(simulator, body)
    assert status == 500
    assert b'Code="87"' in answer
    assert b"w:SchemaValidationError" in answer


def test_unknown_resource_is_a_clean_fault(simulator: Simulator) -> None:
    protocol = simulator.protocol()
    header = protocol.build_wsman_header("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", "http://example/psrp")
    import xmltodict

    with pytest.raises(WSManFaultError) as fault:
        protocol.send_message(xmltodict.unparse({"env:Envelope": {**header, "env:Body": {}}}))
    assert fault.value.wsman_fault_code == 2150858752
    assert "simulator: resource URI 'http://example/psrp'" in fault.value.reason


def test_unknown_shell_is_the_fault_that_clients_know(simulator: Simulator) -> None:
    with pytest.raises(WSManFaultError) as fault:
        simulator.protocol().run_command("11111111-1111-1111-1111-111111111111", "hostname")
    assert fault.value.wsman_fault_code == 2150858843


def test_shell_of_another_user_is_denied(simulator: Simulator) -> None:
    owner = simulator.protocol()
    shell = owner.open_shell()
    with pytest.raises(WSManFaultError) as fault:
        simulator.protocol(username="alice", password="alice-only").run_command(shell, "hostname")
    assert fault.value.wsman_fault_code == 5
    owner.close_shell(shell)


def test_receive_without_output_times_out_with_the_real_fault(simulator: Simulator) -> None:
    protocol = simulator.protocol(operation_timeout_sec=1, read_timeout_sec=5)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "ping", ["-n", "30", "127.0.0.1"])
    started = time.monotonic()
    with pytest.raises(WinRMOperationTimeoutError):
        protocol.get_command_output_raw(shell, command)
    assert 0.9 < time.monotonic() - started < 3
    assert simulator.client.call("GET", "/commands") == [command]
    protocol.cleanup_command(shell, command)
    assert simulator.client.call("GET", "/commands") == []
    protocol.close_shell(shell)


def test_commands_of_one_shell_run_side_by_side(simulator: Simulator) -> None:
    protocol = simulator.protocol()
    shell = protocol.open_shell(codepage=65001)
    slow = protocol.run_command(shell, "ping -n 1 127.0.0.1 & echo slow")
    quick = protocol.run_command(shell, "echo", ["quick"])
    started = time.monotonic()
    assert protocol.get_command_output(shell, quick) == (b"quick\r\n", b"", 0)
    assert time.monotonic() - started < 0.6
    assert protocol.get_command_output(shell, slow)[0].endswith(b"slow\r\n")
    protocol.close_shell(shell)


def test_many_clients_at_once(simulator: Simulator) -> None:
    outputs: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: outputs.append(simulator.run("echo", "%COMPUTERNAME%")[0])) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert outputs == [b"LAB-PC\r\n"] * 12


def test_silent_tls_client_does_not_block_the_others(simulator: Simulator) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", simulator.client.info["https_port"])):
        assert simulator.run("echo", "%COMPUTERNAME%", transport="ssl", scheme="https")[0] == b"LAB-PC\r\n"


@pytest.mark.parametrize("skip", [False, True])
def test_cmd_reads_each_line_whether_the_client_wants_it_or_not(simulator: Simulator, skip: bool) -> None:
    assert simulator.run("echo", "%USERNAME% & echo x", skip=skip) == (b"student \r\nx\r\n", b"", 0)


def test_a_line_is_as_long_as_cmd_takes(simulator: Simulator) -> None:
    assert simulator.run("echo", "x" * 8186) == (b"x" * 8186 + b"\r\n", b"", 0)
    assert simulator.run("echo", "x" * 8187) == (b"", b"The command line is too long.\r\n", 1)


def test_large_output_is_split_and_complete(simulator: Simulator) -> None:
    simulator.run("echo", "x" * 8000 + ">C:\\Users\\student\\big.txt")
    stdout, _, code = simulator.run("type", " ".join(["C:\\Users\\student\\big.txt"] * 50))
    assert (len(stdout), stdout[-3:], code) == (50 * 8002, b"x\r\n", 0)


def test_unknown_program_fails_as_in_cmd(simulator: Simulator) -> None:
    stdout, stderr, code = simulator.run("frobnicate", "/x")
    assert (stdout, code) == (b"", 1)
    assert stderr.startswith(b"'frobnicate' is not recognized as an internal or external command,\r\n")
