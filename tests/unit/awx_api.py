"""As much of AWX's API as playbooks/awx.yml uses: it keeps what it is given, and refuses some of what AWX refuses.

It checks neither rights nor the kind of a value. What it was asked for without having it stands in :attr:`Awx.unknown`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import ansible
import pytest

THERE = (Path(ansible.__file__).parent.parent / "ansible_collections" / "awx" / "awx").is_dir()
NEEDS_COLLECTION = pytest.mark.skipif(
    not THERE, reason='needs the collection awx.awx; the package "ansible" has it up to version 13'
)
ROOT = Path(__file__).resolve().parents[2]
KINDS = (
    "organizations", "execution_environments", "projects", "credential_types", "credentials", "inventories",
    "inventory_sources", "job_templates",
)  # fmt: skip
ASKED = ("type", "question_name", "variable", "required")
"""What each question of a survey has (awx/api/views, JobTemplateSurveySpec)."""


class Awx:
    """What an AWX holds: objects by kind, and what belongs to them (``job_templates/3/credentials``)."""

    def __init__(self) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
        self.surveys: dict[str, Any] = {}
        self.related: dict[str, list[dict[str, int]]] = {}
        self.unknown: list[str] = []
        self.tokens: set[str] = set()
        self.url = ""

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        """Return an object as AWX shows it: without its secrets, with the address of its survey."""
        if one["type"] == "credentials":
            kinds = self.objects["credential_types"]
            secret = {field["id"] for kind in kinds for field in kind["inputs"]["fields"] if "secret" in field}
            hidden = dict.fromkeys(secret & {name for name, value in one["inputs"].items() if value}, "$encrypted$")
            return one | {"inputs": one["inputs"] | hidden}
        return one | {"related": {"survey_spec": f"{one['url']}survey_spec/"}}

    def refused(self, kind: str, one: dict[str, Any]) -> str:
        """Return why AWX would not take an object, an empty string where it would."""
        if kind == "credential_types" and one["kind"] not in ("cloud", "net"):
            return "Must be 'cloud' or 'net'"
        if kind == "job_templates" and not (ROOT / one["playbook"]).is_file():
            return "Playbook not found for project."
        return ""

    def answer(self, method: str, path: list[str], asked: dict[str, str], sent: Any) -> tuple[int, Any]:
        """Return the status and the body for a request."""
        match method, path:
            case "GET", [kind] if kind in KINDS:
                found = [one for one in self.objects[kind] if all(str(one.get(key)) == asked[key] for key in asked)]
                return 200, {"count": len(found), "next": None, "results": [self.shown(one) for one in found]}
            case "POST", [kind] if kind in KINDS:
                number = sum(map(len, self.objects.values())) + 1
                made = {"id": number, "type": kind, "url": f"/api/v2/{kind}/{number}/", "summary_fields": {}} | sent
                if why := self.refused(kind, made):
                    return 400, {"__all__": [why]}
                self.objects[kind].append(made | ({"scm_revision": ""} if kind == "projects" else {}))
                return 201, self.shown(self.objects[kind][-1])
            case "PATCH", [kind, number]:
                (one,) = (one for one in self.objects[kind] if one["id"] == int(number))
                one |= sent
                return 200, self.shown(one)
            case "GET", ["job_templates", number, "survey_spec"]:
                return 200, self.surveys.get(number, {})
            case "POST", ["job_templates", number, "survey_spec"]:
                if missing := [name for one in sent["spec"] for name in ASKED if name not in one]:
                    return 400, {"error": f"{missing[0]} missing from survey question"}
                self.surveys[number] = sent
                return 200, {}
            case "GET", ["job_templates", number, "credentials"]:
                found = self.related.get(number, [])
                return 200, {"count": len(found), "next": None, "results": found}
            case "POST", ["job_templates", number, "credentials"]:
                self.related.setdefault(number, []).append({"id": sent["id"]})
                return 204, None
        self.unknown.append(f"{method} {'/'.join(path)}")
        return 404, {"detail": "Not found."}


@contextmanager
def running() -> Iterator[Awx]:
    """Run an AWX on this machine that has nothing yet."""
    awx = Awx()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            awx.tokens.add(self.headers.get("Authorization", ""))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = url.path.removeprefix("/api/v2/").strip("/").split("/")
            status, answer = awx.answer(self.command, path, dict(parse_qsl(url.query)), json.loads(body or "null"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"" if answer is None else json.dumps(answer).encode())

        do_POST = do_PATCH = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        awx.url = f"http://127.0.0.1:{server.server_port}"
        yield awx
        server.shutdown()
