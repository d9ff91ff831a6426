#!/usr/bin/env python3
"""Make docs/fleet-report.png: the page of the callback plugin fleet_report, of a report, as a browser shows it.

usage: docs/fleet_picture.py [FLEET.json [OUTPUT.png]]

Without arguments it takes docs/fleet-report.json, an example with twelve PCs. It needs Chromium (Debian: apt-get
install chromium), and it finds the plugin as Ansible does, so run it in the folder of the repository.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ansible.plugins.loader import callback_loader

HERE = Path(__file__).parent
ROW_HEIGHT, REST = 48, 240
"""Pixels of the picture: of a row, and of all that is no row."""


def main() -> None:
    """Write the page into a folder of its own, and let a browser without a window draw it."""
    given = [Path(argument) for argument in sys.argv[1:]]
    report = given[0] if given else HERE / "fleet-report.json"
    output = given[1] if len(given) > 1 else HERE / "fleet-report.png"
    plugin = sys.modules[callback_loader.get("fleet_report", class_only=True).__module__]
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        sys.exit("Chromium is missing (Debian: apt-get install chromium).")
    pcs = json.loads(report.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "fleet.html"
        page.write_text(plugin.page(pcs), encoding="utf-8")
        size = f"--window-size=1240,{REST + ROW_HEIGHT * len(pcs['pcs'])}"
        argv = [browser, "--headless", "--no-sandbox", "--hide-scrollbars", f"--user-data-dir={folder}/profile", size]
        subprocess.run([*argv, f"--screenshot={output.resolve()}", page.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    main()
