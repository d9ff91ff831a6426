"""What every part of wsl.exe uses: its texts, errors and options."""

from __future__ import annotations

from typing import Any

from lab.winsim.commands.output import ERROR
from lab.winsim.commands.wsl_texts import TEXTS
from lab.winsim.machine import Machine
from lab.winsim.model import wsl
from lab.winsim.model.network import NetworkError
from lab.winsim.model.proxy import user_proxy
from lab.winsim.process import Process


class WslError(Exception):
    """wsl.exe ends with -1, a text and a machine-readable code."""

    def __init__(self, key: str, code: str | None, *values: str) -> None:
        super().__init__(key)
        self.key, self.code, self.values = key, code, values


class Wsl:
    """One run of wsl.exe."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.machine: Machine = process.machine
        self.user = process.user
        self.encoding = "utf-8" if process.environment.get("WSL_UTF8") == "1" else "utf-16-le"

    def text(self, key: str, *values: str) -> str:
        """A text in the language of the machine."""
        pair = TEXTS[key]
        return pair[1 if self.machine.language == "zh-CN" else 0].format(*values)

    def text_name(self) -> str:
        """What the product is called."""
        return "适用于 Linux 的 Windows 子系统" if self.machine.language == "zh-CN" else "Windows Subsystem for Linux"

    def say(self, text: str) -> None:
        """A line on standard output."""
        self.process.write_stdout((text + "\n").replace("\n", "\r\n").encode(self.encoding))

    def warn(self, text: str) -> None:
        """A warning on standard error, unless they are switched off."""
        if self.process.environment.get("WSL_DISABLE_WARNINGS") != "1":
            self.process.write_stderr((text + "\n").replace("\n", "\r\n").encode(self.encoding))

    def fail(self, error: WslError) -> int:
        """Print an error as wsl.exe does: to standard output, with its code."""
        self.say(self.text(error.key, *error.values))
        if error.code:
            self.say(self.text("code", error.code))
        return ERROR

    def distribution(self, name: str | None, service: str = "Wsl/Service") -> wsl.Distribution:
        """A distribution of the user.

        Raises:
            WslError: there is none (of that name).
        """
        found = wsl.find(self.machine, self.user, name)
        if found is None and name is None:
            raise WslError("no distribution", f"{service}/WSL_E_DEFAULT_DISTRO_NOT_FOUND")
        if found is None:
            raise WslError("unknown distribution", f"{service}/WSL_E_DISTRO_NOT_FOUND")
        return found


def parse(
    run: Wsl, arguments: list[str], valued: dict[str, str], plain: dict[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Options with and without value (each option -> its key), and the words."""
    options: dict[str, Any] = {}
    words: list[str] = []
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        name, equals, value = word.partition("=")
        if name in valued and equals:
            options[valued[name]] = value
        elif word in valued:
            if not queue:
                raise WslError("argument", "Wsl/E_INVALIDARG", word)
            options[valued[word]] = queue.pop(0)
        elif word in plain:
            options[plain[word]] = True
        elif word.startswith("-") and word != "-":
            raise WslError("argument", "Wsl/E_INVALIDARG", word)
        else:
            words.append(word)
    return options, words


def download(run: Wsl, url: str) -> Any:
    """Fetch a URL through the user's own proxy (WinINET; the environment is not used).

    Raises:
        WslError: it did not come.
    """
    try:
        answer = run.machine.network.fetch(url, proxy=user_proxy(run.machine, run.user, url), agent="wsl-install/2.0")
    except NetworkError as error:
        code = {"timeout": "WININET_E_TIMEOUT", "connect": "WININET_E_CANNOT_CONNECT"}.get(
            error.kind, "WININET_E_NAME_NOT_RESOLVED"
        )
        raise WslError("network", f"Wsl/InstallDistro/{code}") from error
    if answer.status != 200 or answer.broken:
        raise WslError("network", "Wsl/InstallDistro/WININET_E_CONNECTION_ABORTED")
    return answer
