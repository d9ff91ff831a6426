"""What roles, playbooks and plugins say to people, read from their sources: each text with {} for what is filled in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parents[2]
SAYING = {"fail", "assert", "debug", "set_stats"}
"""Modules whose message is for people."""
WORDS = {"data", "progress_next"} | {
    "msg",
    "fail_msg",
    "success_msg",
    "because",
    "cause",
    "plain",
    "text",
    "what",
    "remedy",
    "allowed",
    "empty",
}
"""Keys below which a text for people stands."""
DOCUMENTS = ("DOCUMENTATION", "EXAMPLES", "RETURN")
OURS = {file.stem for file in (ROOT / "plugins" / "modules").glob("*.py")}
"""The modules of this repository, which have no collection."""
JINJA = Environment(extensions=["jinja2.ext.do"])
JINJA.filters = JINJA.tests = {}
PASSING = {"default", "d", "trim", "join", "map", "list", "unique", "first", "last", "select", "selectattr", "split"}
PASSING |= {"rejectattr", "reject", "capitalize", "string", "sort", "flatten", "refusals"}


def plays(node: Any) -> Iterator[dict[str, Any]]:
    """Return every dictionary below a node of YAML."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from plays(value)
    elif isinstance(node, list):
        for value in node:
            yield from plays(value)


class Messages:
    """The texts of one role or playbook.

    :param variables: those that are known where the texts stand.
    """

    def __init__(self, variables: dict[str, Any]) -> None:
        self.variables, self.found = variables, dict[str, None]()
        self._seen: set[str] = set()

    def add(self, text: str) -> None:
        """Note a text, if it has words."""
        text = " ".join(text.split())
        if re.search(r"[A-Za-z{}]+ [A-Za-z{}]*[a-z]{2}", text):
            self.found[text] = None

    def read(self, value: Any) -> None:
        """Note the texts in a value of YAML: of a dictionary those below the keys for people, or all where none is."""
        if isinstance(value, str):
            self.add(self.template(value))
        elif isinstance(value, list):
            for item in value:
                self.read(item)
        elif isinstance(value, dict):
            known = WORDS & set(value)
            for key, item in value.items():
                if key in known or not known:
                    self.read(item)

    def template(self, source: str) -> str:
        """Return a template with {} for what is filled in; a choice of what stands there is noted by itself."""
        return self._body(JINJA._parse(source, None, None).body)

    def _body(self, body: list[nodes.Node]) -> str:
        text = ""
        for node in body:
            if isinstance(node, nodes.Output):
                text += "".join(
                    part.data if isinstance(part, nodes.TemplateData) else self._piece(part) for part in node.nodes
                )
            else:
                self._choices(getattr(node, "iter", None))
                for branch in (node.body, node.else_):
                    self.add(self._body(branch))
                text += "{}"
        return text

    def _piece(self, node: nodes.Node) -> str:
        if isinstance(node, nodes.Const):
            return str(node.value)
        if isinstance(node, nodes.Concat):
            return "".join(map(self._piece, node.nodes))
        if isinstance(node, nodes.Add) and not isinstance(node.left, nodes.List | nodes.Add):
            return self._piece(node.left) + self._piece(node.right)
        self._choices(node)
        return "{}"

    def _choices(self, node: nodes.Node | None) -> None:
        match node:
            case nodes.Const() | nodes.Concat():
                self.add(self._piece(node))
            case nodes.CondExpr():
                self._choices(node.expr1)
                self._choices(node.expr2)
            case nodes.Or() | nodes.Add() | nodes.And():
                self._choices(node.left)
                self._choices(node.right)
            case nodes.List():
                for item in node.items:
                    self._choices(item)
            case nodes.Dict():
                for pair in node.items:
                    self._choices(pair.value)
            case nodes.Filter(name=name) if name in PASSING | {"ternary"}:
                if name != "ternary":
                    self._choices(node.node)
                if name in ("ternary", "default", "d"):
                    for argument in node.args:
                        self._choices(argument)
            case nodes.Getitem() | nodes.Getattr():
                self._choices(node.node)
            case nodes.Call(node=nodes.Getattr(attr="get")):
                self._choices(node.node.node)
                for argument in node.args[1:]:
                    self._choices(argument)
            case nodes.Name(name=name) if name not in self._seen:
                self._seen.add(name)
                self.read(self.variables.get(name, []))


def of_tasks(tasks: Any, constants: dict[str, Any]) -> list[str]:
    """Return the texts that tasks say.

    :param constants: variables that they know, beside those that tasks have.
    """
    variables = {name: [value] for name, value in constants.items()}
    for node in plays(tasks):
        for name, value in (node.get("vars") or {}).items():
            variables.setdefault(name, []).append(value)
    messages = Messages(variables)
    for task in plays(tasks):
        for module, arguments in task.items():
            if module.rpartition(".")[2] in SAYING and isinstance(arguments, dict):
                messages.read({key: value for key, value in arguments.items() if key in WORDS})
    for name, value in constants.items():
        if name.endswith("_checks"):
            messages.read(value)
    return list(messages.found)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def of_roles() -> Iterator[tuple[str, str]]:
    """Return what roles say, with the role."""
    for role in sorted((ROOT / "roles").iterdir()):
        path = role / "vars" / "main.yml"
        tasks = [load(file) for file in sorted(role.glob("*/*.yml")) if file.parent.name in ("tasks", "handlers")]
        yield from ((role.name, text) for text in of_tasks(tasks, load(path) if path.exists() else {}))


def of_playbooks() -> Iterator[tuple[str, str]]:
    """Return what playbooks say, with their name."""
    for file in sorted((ROOT / "playbooks").rglob("*.yml")):
        if "vars" not in file.parts:
            yield from ((file.name, text) for text in of_tasks(load(file), {}))


def of_python(file: Path) -> list[str]:
    """Return the texts of a plugin: strings of three words and more that are neither documentation nor a pattern."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    left_out: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            left_out.add(id(node.value))
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in (
            "DOCUMENTATION",
            "EXAMPLES",
            "RETURN",
        ):
            left_out.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            left_out.update(map(id, node.values))
    texts = []
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)  # type: ignore
        else:
            continue
        text = re.sub(r"{\w+}", "{}", " ".join(text.split()))
        if re.search(r"[A-Za-z]{2,} [A-Za-z]+ [A-Za-z]+", text):
            texts.append(text)
    return list(dict.fromkeys(texts))


def of_scripts() -> Iterator[tuple[str, str]]:
    """Return what scripts of roles hand to a message, with their name."""
    upstream = (ROOT / "roles/wsl_proxy/files/wsl-proxy-upstream").read_text(encoding="utf-8").replace("\\\n", "")
    facts = (ROOT / "roles/cuda_wsl/files/facts.sh").read_text(encoding="utf-8")
    found = [f"wsl-proxy-upstream: {text}" for text in re.findall(r'refuse "([a-zA-Z].*?)"(?: ;;|$)', upstream, re.M)]
    found += [f"{{}} is missing: {text}" for _, text in re.findall(r"""missing=(["'])(.*?)\1$""", facts, re.M | re.S)]
    found += [text for _, text in re.findall(r"""(?:silent|failed)=(["'])(.*?)\1$""", facts, re.M | re.S)]
    found += re.findall(r'"nogpu (nvidia-smi .*?:)" \$', facts)
    for text in found:
        yield "scripts", re.sub(r"\$\(.*?\)(?=')|\$\w+", "{}", " ".join(text.split())) + " {}" * text.endswith(":")


def tasks() -> Iterator[tuple[str, str]]:
    """Return how tasks are called, with the role or playbook; {} for what is filled in."""
    folders = ("roles/*/tasks", "roles/*/handlers", "playbooks/**")
    for file in sorted(file for folder in folders for file in ROOT.glob(f"{folder}/*.yml")):
        for task in plays(load(file)):
            module = next((key for key in task if "." in key or key in OURS), "")
            if module and isinstance(task.get("name"), str):
                name = re.sub(r"^\w+ \| ", "", task["name"])
                yield str(file.relative_to(ROOT)), " ".join(re.sub(r"\{\{.*?\}\}", "{}", name).split())
