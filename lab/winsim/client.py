"""The client of a running simulator's control port."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

INFO = "winsim.json"


class ControlError(Exception):
    """The running simulator refused a request, or there is none."""


class Client:
    """Talks to the simulator that runs on a state folder.

    Raises:
        ControlError: no simulator runs there (also from every method).
    """

    def __init__(self, state_dir: str | Path) -> None:
        path = Path(state_dir) / INFO
        try:
            self.info: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError as error:
            raise ControlError(f"no simulator runs on {state_dir}") from error

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send one request and return the JSON of the answer."""
        request = urllib.request.Request(
            self.info["control"] + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {self.info['token']}"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ControlError(json.load(error)["error"]) from error
        except OSError as error:
            raise ControlError(f"the simulator does not answer: {error}") from error

    def state(self) -> dict[str, Any]:
        """Return the state of the machine, without passwords."""
        return self.call("GET", "/state")

    def log(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the events of this run from number ``since`` on."""
        return self.call("GET", f"/log?since={since}")

    def fault(self, kind: str, **values: Any) -> None:
        """Arm a fault; see :class:`lab.winsim.control.FaultSwitch`."""
        self.call("POST", "/fault", {"kind": kind, **values})

    def reboot(self, soft: bool = True) -> None:
        """Reboot the machine."""
        self.call("POST", "/reboot", {"soft": soft})

    def stop(self) -> None:
        """Stop the simulator."""
        self.call("POST", "/stop", {})


def alive(state: Path) -> bool:
    """Tell whether a simulator runs on a state folder."""
    try:
        os.kill(int((state / "winsim.pid").read_text()), 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return False
    return True
