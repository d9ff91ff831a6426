"""The connection plugin with a stand-in for pywinrm's Protocol."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import become_loader, connection_loader, init_plugin_loader

ROOT = Path(__file__).parents[3]
VARIABLES = {
    "inventory_hostname": "pc1",
    "ansible_host": "192.0.2.7",
    "ansible_winrm_user": "me",
    "ansible_winrm_password": "secret",
    "ansible_wsl_distribution": "Ubuntu-24.04",
    "ansible_user": "dev",
}
MARK = b"wsl_winrm:00c0ffee"


class Protocol:
    """Answers from a list; every call is written down."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.answers: list[Any] = [(b"", MARK, 0, True)]
        self.fails: dict[str, Exception] = {}
        self.arguments: dict[str, Any] = {}
        self.shells = 0
        self.begins = True  # bash runs, and says so
        self._begun = True
        self.session = SimpleNamespace(trust_env=True)
        self.transport = SimpleNamespace(build_session=lambda: self.session)

    def __call__(self, **arguments: Any) -> Protocol:
        """The plugin makes its protocol object."""
        self.arguments = arguments
        return self

    def _note(self, name: str, value: Any) -> None:
        self.calls.append((name, value))
        if name in self.fails:
            raise self.fails.pop(name)

    def open_shell(self, **options: Any) -> str:
        """Create."""
        self._note("open_shell", options)
        self.shells += 1
        return f"shell {self.shells}"

    def run_command(self, shell: str, command: str, **options: Any) -> str:
        """Command."""
        self._note("run_command", (shell, command, options))
        self._begun = False
        return "command"

    def send_command_input(self, shell: str, command: str, data: bytes, end: bool = False) -> None:
        """Send."""
        self._note("send", (bytes(data), end))

    def get_command_output_raw(self, shell: str, command: str) -> tuple[bytes, bytes, int, bool]:
        """Receive."""
        self._note("receive", None)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if self._begun or not self.begins:
            return answer
        self._begun = True
        return (MARK + answer[0], *answer[1:])

    def cleanup_command(self, shell: str, command: str) -> None:
        """Signal."""
        self._note("cleanup", command)

    def close_shell(self, shell: str, close_session: bool = True) -> None:
        """Delete."""
        self._note("close_shell", shell)

    def of(self, name: str) -> list[Any]:
        """The calls of one kind."""
        return [value for kind, value in self.calls if kind == name]

    @property
    def command_line(self) -> str:
        """What Windows is asked to start, at last."""
        return self.of("run_command")[-1][1]

    @property
    def sent(self) -> bytes:
        """All that was sent, of all commands."""
        return b"".join(data for data, _ in self.of("send"))


@pytest.fixture(scope="session", autouse=True)
def _plugins() -> None:
    init_plugin_loader()
    connection_loader.add_directory(str(ROOT / "plugins" / "connection"))


@pytest.fixture
def protocol(monkeypatch: pytest.MonkeyPatch) -> Protocol:
    """The Protocol that the plugin gets, and a token that is known beforehand."""
    stand_in = Protocol()
    module = sys.modules[type(connection_loader.get("wsl_winrm", PlayContext())).__module__]
    monkeypatch.setattr(module, "Protocol", stand_in)
    monkeypatch.setattr(module.secrets, "token_hex", lambda count: "00c0ffee")
    return stand_in


@pytest.fixture
def connect(protocol: Protocol) -> Callable[..., Any]:
    """Make a connection from inventory variables; None takes one away."""

    def make(**variables: Any) -> Any:
        connection = connection_loader.get("wsl_winrm", PlayContext())
        values = {**VARIABLES, **variables}
        connection.set_options(var_options={name: value for name, value in values.items() if value is not None})
        return connection

    return make


@pytest.fixture
def sudo() -> Callable[..., Any]:
    """Give a connection the sudo plugin, with a password; returns the text that stands for success."""

    def give(connection: Any, password: str = "let me in") -> bytes:
        plugin = become_loader.get("sudo")
        plugin.set_options(direct={"become_pass": password, "become_user": "root"})
        connection.set_become_plugin(plugin)
        plugin.build_become_command("true", connection._shell)
        return plugin.success.encode()

    return give
