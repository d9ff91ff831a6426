"""What people read when a host was not reached; the messages are pywinrm's, requests' and urllib3's own."""

from __future__ import annotations

import pytest
from ansible.plugins.loader import filter_loader, init_plugin_loader

init_plugin_loader()
why_unreachable = filter_loader.get("why_unreachable").j2_function

POOL = "HTTPSConnectionPool(host='192.168.1.20', port=5986): Max retries exceeded with url: /wsman (Caused by "
REFUSED = "NewConnectionError(\"HTTPSConnection(host='192.168.1.20', port=5986): Failed to establish a new connection: "


@pytest.mark.parametrize(
    ("message", "start"),
    [
        (
            f"Task failed: {POOL}SSLError(SSLEOFError(8, '[SSL: UNEXPECTED_EOF_WHILE_READING]')))",
            "The connection to Win",
        ),
        (
            "WinRM on https://192.168.1.20:5986/wsman: ('Connection aborted.', RemoteDisconnected('Remote end closed "
            "connection without response'))",
            "The connection to Windows broke off",
        ),
        (
            "winrm connection error: HTTPSConnectionPool(host='pc', port=5986): Read timed out. (read timeout=90)",
            "The connection to Win",
        ),
        (
            "Task failed: ntlm: HTTPSConnectionPool(host='127.0.0.1', port=45187): Read timed out. (read timeout=90)",
            "The connection to Windows broke off: it was restarted, went to sleep",
        ),
        (f'ntlm: {POOL}{REFUSED}[Errno 111] Connection refused"))', "Nothing answers at the address of the PC"),
        (f'ntlm: {POOL}{REFUSED}[Errno 113] No route to host"))', "Nothing answers at the address of the PC"),
        (f"{POOL}ConnectTimeoutError('Connection to 192.168.1.20 timed out.'))", "Nothing answers at the address"),
        (
            f"{POOL}NameResolutionError(\"Failed to resolve 'pc1' ([Errno -2] Name or service not known)\"))",
            "The name of",
        ),
        ("the connection attempt timed out", "Nothing answers at the address of the PC"),
        (
            "Task failed: ('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))",
            "The connection",
        ),
        (
            "Visual Studio's bootstrapper could not be fetched. (Task failed: HTTPSConnectionPool(host='127.0.0.1', "
            "port=5986): Max retries exceeded with url: /wsman (Caused by SSLError(SSLEOFError(8, 'EOF'))))",
            "The connection to Windows broke off",
        ),
        ("ntlm: the specified credentials were rejected by the server", "Windows does not accept the account"),
        (
            f"{POOL}SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] self-signed')))",
            "The PC shows another certificate",
        ),
    ],
)
def test_cause_and_remedy_are_in_words(message, start):
    why = why_unreachable(message)
    assert why.startswith(start)
    assert "run again" in why


@pytest.mark.parametrize(
    "message",
    [
        "Failed to connect to the host via ssh: ssh: connect to host a port 22: Connection refused",
        "wsl.exe did not run the command in Ubuntu-24.04 on 127.0.0.1 (Wsl/Service/E_UNEXPECTED) timed out",
        "WinRM on https://192.168.1.20:5986/wsman: something new",
        "HTTPSConnectionPool(host='download.docker.com', port=443): Max retries exceeded (Caused by SSLEOFError())",
        "",
        None,
    ],
)
def test_what_is_not_known_is_not_guessed(message):
    assert why_unreachable(message) == ""


def test_a_distribution_that_is_not_there_yet_is_named_with_the_play_that_makes_it():
    said = "Task failed: wsl.exe did not run the command in Ubuntu-24.04 on 127.0.0.1 "
    no_wsl = f"{said}(exit code 1). If Windows did not find C:\\Program Files\\WSL\\wsl.exe: install"
    assert why_unreachable(no_wsl) == (
        "There is no WSL on that Windows yet. Run playbooks/site.yml without --tags and without --limit: it installs "
        "WSL and the distribution first."
    )
    assert why_unreachable(f"{said}(Wsl/Service/WSL_E_DISTRO_NOT_FOUND). Ubuntu-24.04 is not registered for the") == (
        "That Windows account has no such distribution yet. Run playbooks/site.yml without --tags and without --limit: "
        "it registers the distribution first. If you have one already, set wsl_distribution to its name, or "
        "windows_user to its owner."
    )
