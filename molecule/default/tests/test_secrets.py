"""What the runs of this scenario said at -vvvv --diff holds no secret."""

import base64
import os
from pathlib import Path

from lab import windows

GROUP = "windows"


def test_no_output_holds_a_secret(host):
    log = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "ansible.log").read_text()
    assert "Set the password of dev" in log
    assert "EXEC" in log, "the runs were not at -vvvv"
    folder = windows.state_of(host.backend.host)
    for name in ("password", "linux-password-hash"):
        secret = (folder / name).read_text().encode()
        forms = [
            secret.decode(),
            base64.b64encode(secret).decode(),
            base64.b64encode(secret.decode().encode("utf-16-le")).decode(),
        ]
        assert [form for form in forms if form in log] == [], name
