"""Refuse an inventory, names, tags, secrets and certificates that cannot be right, before the first play."""

from __future__ import annotations

import difflib
import os
import re
import ssl
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import callback_loader
from ansible.template import Templar
from ansible.vars.hostvars import HostVars

DOCUMENTATION = r"""
name: check_inputs
type: aggregate
short_description: Refuse inventories, names, tags, secrets and certificates that cannot be right
author: wsl-dl-playbook contributors
description:
  - Ansible ignores a name that nobody reads and a tag that no task has, and says of a missing secret or certificate
    what its libraries say. This plugin looks at all of them when one of this repository's playbooks starts, names file,
    line and remedy, and ends the run with exit code 2 before any host is connected to.
  - It speaks the language of the callback C(progress).
  - A play could not do it. A play on localhost is left out with C(--limit), and a play on the hosts fails with
    Ansible's own words where a vault cannot be opened.
  - It is loaded without being named in C(ansible.cfg), so it works where Ansible ignores that file, too.
"""

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("lab", "lab-real", "workstation", "fleet", "linux", "own")
"""The inventories of this repository; every other folder below inventory/ is somebody's own."""
SHARED = ("all", "windows", "wsl", "wsl_in_windows")
"""The groups that playbooks and inventory/group_vars name."""
FAMILIES = (
    "proxy_",
    "windows_",
    "wsl_",
    "visual_studio_",
    "cuda_",
    "apt_",
    "docker_",
    "nvidia_",
    "devcontainer_",
    "linux_",
)
"""How the names of this repository begin; others may call their own variables anything else."""
FOREIGN = ("ansible_", "awx_", "tower_", "molecule_", "inventory_", "lab_")
"""How names begin that others read; of those of Ansible only the known misspellings are told."""
ANSIBLE = [
    *(f"ansible_become{rest}" for rest in ("", "_exe", "_method", "_password", "_user")),
    *("ansible_connection", "ansible_host", "ansible_port", "ansible_user", "ansible_password"),
    *("ansible_python_interpreter", "ansible_ssh_private_key_file", "ansible_ssh_common_args"),
    "ansible_wsl_distribution",
]
"""Names of Ansible that people write into settings."""
FORMER = {
    "cuda_windows_disk_gb": "cuda_windows_min_free_gb",
    "cuda_wsl_free_space": "cuda_wsl_min_free_gb",
    "docker_engine_min_disk_gib": "docker_engine_min_free_gb",
    "proxy_download_url": "proxy_url_wsl",
    "proxy_windows_url": "proxy_url_windows",
    "visual_studio_disk_gb": "visual_studio_min_free_gb",
    "wsl_enable_disk_gb": "wsl_distribution_min_free_gb",
    "wsl_enable_distribution": "wsl_distribution_name",
    **{
        f"wsl_enable_{name}": f"wsl_distribution_{name}"
        for name in (
            *("image_url", "image_sha256", "location", "user", "user_password_hash", "systemd"),
            *("keepalive", "keepalive_at", "min_free_gb"),
        )
    },
}
"""Variables of earlier versions, and their names now."""
SPECIAL_TAGS = {
    "all",
    "always",
    "never",
    "tagged",
    "untagged",
    "notest",
    "molecule-notest",
    "molecule-idempotence-notest",
}
"""Tags that mean something without any task that has them; Molecule leaves out the last three."""
SORTS = 10
"""Problems of connections that are told before they are counted."""
IMPORTED = ("values_check.yml", "windows_ready.yml")
"""Playbooks that others import; the tags are those of the others."""
NEAR = 0.8
"""From which likeness on (difflib's ratio) a name is taken for a misspelling of another."""
SUFFIXES = ("", ".yml", ".yaml", ".json")
"""Names of files with variables, as Ansible looks for them."""


# --- words -------------------------------------------------------------------------------------------------------


def names(hosts: Iterable[str]) -> str:
    """Return names of hosts, of many the first three and how many more."""
    known = sorted(set(hosts))
    return ", ".join(known) if len(known) <= 4 else f"{', '.join(known[:3])} and {len(known) - 3} others"


def shown(path: Path | str) -> str:
    """Return a path as the person would write it: relative to the folder in which they are."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("../..") else relative


def nearest(name: str, known: Iterable[str], likeness: float = NEAR) -> str:
    """Return the known name that is most like this one, an empty string if none is."""
    by_form = {word.lower().replace("-", "_"): word for word in known}
    found = difflib.get_close_matches(name.lower().replace("-", "_"), by_form, 1, likeness)
    return by_form[found[0]] if found else ""


def did_you_mean(name: str, known: Iterable[str], likeness: float = NEAR) -> str:
    """Return a question that names the nearest known name, an empty string if none is near."""
    near = nearest(name, known, likeness)
    return f' Did you mean "{near}"?' if near else ""


# --- what people write -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Name:
    """A variable that somebody has set, and where: ``settings.yml, line 12`` or ``-e``."""

    name: str
    where: str


class Unreadable(Exception):
    """A file with variables that cannot be read; the message says where, why and what to do."""


def read(path: Path, loader: Any) -> tuple[list[Name], str]:
    """Return the names that a file with variables sets, and its text.

    :param path: the file, YAML or JSON, encrypted or not.
    :param loader: Ansible's DataLoader, which has the passwords of the vaults.
    :raises Unreadable: it cannot be decrypted, is no YAML, or no mapping of names to values.
    """
    file = shown(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{file}: it cannot be read ({error}). Save it as UTF-8 text that you may read.") from None
    if text.startswith("$ANSIBLE_VAULT"):
        return [Name(str(name), file) for name in _decrypted(path, loader)], ""
    try:
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        began = re.search("expected ':'|end of stream", str(error.problem))  # the parser has gone on to another line
        mark = error.context_mark if began else error.problem_mark
        raise Unreadable(
            f'{file}, line {(mark or error.problem_mark).line + 1}: this is not YAML ({error.problem}). Write "name: value", '
            "with a space after the colon and no tab; put a value with special characters between quotes."
        ) from None
    if node is None:
        return [], text
    if not isinstance(node, yaml.MappingNode):
        raise Unreadable(
            f'{file}, line {node.start_mark.line + 1}: this is no setting. Write "name: value", with a space after the colon.'
        )
    for key, value in node.value:
        if isinstance(value, yaml.MappingNode) and any(isinstance(inner, yaml.MappingNode) for inner, _ in value.value):
            line = value.start_mark.line + 1
            raise Unreadable(
                f'{file}, line {line}: a value that begins with "{{{{" needs quotes. Write {key.value}: "{{{{ … }}}}".'
            )
    return [Name(key.value, f"{file}, line {key.start_mark.line + 1}") for key, _ in node.value], text


def _decrypted(path: Path, loader: Any) -> dict[str, Any]:
    try:
        found = loader.load_from_file(str(path), cache="none")
    except AnsibleError as error:
        cause = locked(error) or f"it cannot be read ({_said(error)}). Write it anew with ansible-vault create."
        raise Unreadable(f"{shown(path)}: {cause}") from None
    if not isinstance(found, dict):
        raise Unreadable(f'{shown(path)}: it holds no "name: value". Correct it with ansible-vault edit {shown(path)}.')
    return found


def locked(error: AnsibleError) -> str:
    """Return cause and remedy where a vault was not opened, an empty string for another error."""
    if "no vault secrets found" in str(error):
        return "it is encrypted, and no password was given. Add --ask-vault-pass, or set ANSIBLE_VAULT_PASSWORD_FILE."
    if "Decryption failed" in str(error):
        return "the vault password that was given is not the one of this file. Type it again, or correct the file that holds it."
    return ""


def known_names() -> set[str]:
    """Return the names that roles, the shared variables and the playbooks read."""
    found: set[str] = set()
    for path in [*ROOT.glob("roles/*/defaults/main.yml"), *ROOT.glob("inventory/group_vars/*/*.yml")]:
        found |= set(re.findall(r"^([a-z]\w*):", path.read_text(encoding="utf-8"), re.MULTILINE))
    return found


def read_by_playbooks() -> set[str]:
    """Return every word of the playbooks; what is there is read."""
    return {
        word for path in (ROOT / "playbooks").rglob("*") if path.suffix in (".yml", ".j2") and path.is_file()
        for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))
    }  # fmt: skip


def in_templates(text: str) -> set[str]:
    """Return the words inside of the templates of a text; those names are read by somebody."""
    return {word for part in re.findall(r"\{\{.*?\}\}|\{%.*?%\}", text, re.DOTALL) for word in re.findall(r"\w+", part)}


def unread(name: Name, known: set[str], used: set[str]) -> str:
    """Return cause and remedy where nobody reads a name and it looks as if somebody should."""
    form = name.name.lower().replace("-", "_")
    if name.name in known or name.name in used or form.startswith("__"):
        return ""
    if form in FORMER:
        near = FORMER[form]
    elif form.startswith(FOREIGN):
        near = nearest(name.name, ANSIBLE, 0.9) if name.name not in ANSIBLE else ""
    elif form.startswith(FAMILIES) or nearest(name.name, known):
        near = nearest(name.name, known, 0.6) or "?"
    else:
        near = ""
    question = f' Did you mean "{near}"?' if near != "?" else ""
    remedy = (
        "Correct the name or take it out." if question else "Take it out, or call a variable of your own otherwise."
    )
    return f'{name.where}: nobody reads "{name.name}".{question} {remedy}' if near else ""


# --- the run -----------------------------------------------------------------------------------------------------


class Run:
    """What the person has asked for: a playbook with its options and inventories.

    :param warn: takes a line about some of many PCs, which does not stop the others.
    """

    def __init__(self, playbook: Any, warn: Callable[[str], None]) -> None:
        self.warn = warn
        self.playbook = Path(playbook._file_name)
        self.plays = playbook.get_plays()
        self.variables = self.plays[0].get_variable_manager()
        self.inventory, self.loader = self.variables._inventory, self.variables._loader
        HostVars(self.inventory, self.variables, self.loader)  # a value may ask for another host's, as in a play
        self.sources = list(context.CLIARGS.get("inventory") or [])
        self.unreadable = False

    def problems(self) -> list[str]:
        """Return cause and remedy of all that cannot be right, without what only follows from something else."""
        if found := [*self.wrong_sources()]:
            return found
        found = [*self.wrong_tags(), *self.wrong_names()]
        if not self.unreadable and not (groups := [*self.wrong_groups()]):
            return [*found, *self.wrong_connections()]
        return found if self.unreadable else [*groups, *found]

    # --- the inventory ---

    def wrong_sources(self) -> Iterator[str]:
        """An inventory that is not there, or that nobody has named."""
        own = [
            path
            for path in sorted((ROOT / "inventory").iterdir())
            if path.name not in SHIPPED and any(path.glob("hosts*"))
        ]
        choice = f'"-i {shown(own[0] if own else ROOT / "inventory" / "mine")}" for your own PC'
        for source in self.sources:
            if "," not in source and not os.path.exists(source) and source not in (C.DEFAULT_HOST_LIST or []):
                near = did_you_mean(
                    shown(source), [shown(path) for path in (ROOT / "inventory").iterdir() if path.is_dir()]
                )
                yield f"-i {shown(source)}: there is no such file or folder.{near} Say {choice}."
        default = self.sources == list(C.DEFAULT_HOST_LIST or []) and "ANSIBLE_INVENTORY" not in os.environ
        if default and own:
            yield f'No inventory was named. Say {choice}, or "-i {shown(ROOT / "inventory" / "lab")}" for the lab.'
        elif default and not self.inventory.hosts:
            yield (
                f"No inventory was read, so there is no machine to set up. Say {choice}. Without -i the inventory is the one that ansible.cfg "
                "names, and Ansible reads ansible.cfg in the present folder only, and not in one that everybody may write to, such as one "
                "below /mnt/c."
            )

    def wrong_groups(self) -> Iterator[str]:
        """Machines in no group of the playbooks, and names of groups that are nearly theirs."""
        if not self.inventory.hosts:
            yield f"{self._where_hosts()}: it names no machine. Start from a copy of inventory/workstation, and edit the copy."
            return
        groups = self.inventory.groups
        wanted = {name for name in SHARED if name in groups and groups[name].get_hosts()}
        for name, group in groups.items():
            near = nearest(name, [shared for shared in SHARED if shared not in wanted]) if name not in wanted else ""
            if near and near != name and group.get_hosts():
                yield f'{self._where_hosts(name)}: no playbook uses the group "{name}". Did you mean "{near}"? Correct its name.'
        if not {"windows", "wsl"} & wanted:
            yield f"{self._where_hosts()}: no machine is in the groups windows and wsl. Put it there, as inventory/workstation/hosts.yml does."
        yield from self._lonely_distributions()

    def _lonely_distributions(self) -> Iterator[str]:
        groups = self.inventory.groups
        pcs = [host.name for host in groups["windows"].get_hosts()] if "windows" in groups else []
        for host in groups["wsl_in_windows"].get_hosts() if "wsl_in_windows" in groups and pcs else []:
            values = self.variables.get_vars(host=host)
            pc = self._value(values, "windows_host") if "windows_host" in values else ""
            if pc and pc not in pcs:
                near = did_you_mean(host.name, [f"{name}-wsl" for name in pcs])
                yield f'{self._where_hosts(host.name)}: there is no PC "{pc}" for the distribution "{host.name}".{near} Its name is the PC\'s and "-wsl".'

    def _where_hosts(self, word: str = "") -> str:
        """Return the file of the inventory, and the line in which a word stands."""
        for source in self.sources:
            path = Path(source)
            files = (
                sorted(path.glob("hosts*")) + sorted(path.glob("*.ini"))
                if path.is_dir()
                else [path]
                if path.is_file()
                else []
            )
            for file in files:
                lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
                for number, line in enumerate(lines, 1):
                    if not word or re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", line):
                        return f"{shown(file)}, line {number}" if word else shown(file)
        return "The inventory " + " ".join(shown(source) for source in self.sources)

    # --- tags ---

    def wrong_tags(self) -> Iterator[str]:
        """Tags that no task has: Ansible does nothing then, and calls it a success."""
        known = {tag for play in self.plays for tag in _tags(play)} - SPECIAL_TAGS
        if self.playbook.name in IMPORTED:
            return
        for option in ("tags", "skip_tags"):
            for tag in context.CLIARGS.get(option) or []:
                if tag in known | SPECIAL_TAGS:
                    continue
                it_has = (
                    f"Its tags are {', '.join(sorted(known))}."
                    if known
                    else f"It has no tags; leave --{option.replace('_', '-')} out."
                )
                yield f"--{option.replace('_', '-')} {tag}: no task of {shown(self.playbook)} has this tag.{did_you_mean(tag, known)} {it_has}"

    # --- names ---

    def wrong_names(self) -> Iterator[str]:
        """Variables that nobody reads, and files with variables that cannot be read or belong to nobody."""
        known, used, found = known_names(), read_by_playbooks(), []
        for entry in self._files():
            if isinstance(entry, str):
                yield entry
                continue
            try:
                there, text = read(entry, self.loader)
            except Unreadable as error:
                self.unreadable = True  # no host's variables can be asked for
                yield str(error)
                continue
            found += there
            used |= in_templates(text)
        for holder in [*self.inventory.groups.values(), *self.inventory.hosts.values()]:
            for name, value in holder.vars.items():
                found.append(Name(str(name), self._where_hosts(str(name))))
                used |= in_templates(str(value))
        for name, value in self.variables.extra_vars.items():
            if name == "_raw_params":
                yield f"-e {value}: there is no value. Write -e {value}=…, without spaces around the sign."
                continue
            found.append(Name(str(name), f"-e {name}"))
            used |= in_templates(str(value))
        yield from filter(None, (unread(name, known, used) for name in dict.fromkeys(found)))

    def _files(self) -> Iterator[Path | str]:
        """Return the files with variables of the inventories, and what is wrong with their names."""
        entities = {"group_vars": self.inventory.groups, "host_vars": self.inventory.hosts}
        for base in dict.fromkeys(
            Path(source) if os.path.isdir(source) else Path(source).parent for source in self.sources
        ):
            for kind, there in entities.items():
                origin = (base / kind).resolve().parent
                shipped = origin.parent == ROOT / "inventory" and origin.name in SHIPPED
                for entry in sorted((base / kind).iterdir()) if (base / kind).is_dir() else []:
                    if entry.resolve().is_relative_to(ROOT / "inventory" / "group_vars") or entry.name.startswith("."):
                        continue
                    name = entry.name if entry.is_dir() else entry.stem
                    if name not in there and entry.name not in there:
                        if not shipped:  # the machines of the lab are in other groups with every test
                            yield (
                                f'{shown(entry)}: the inventory has no {kind.split("_")[0]} "{name}", so nobody reads it.'
                                f"{did_you_mean(name, there)} Rename it, or take it out."
                            )
                        continue
                    for path in sorted(entry.rglob("*")) if entry.is_dir() else [entry]:
                        if path.is_file() and path.suffix in SUFFIXES and not path.name.startswith("."):
                            yield path
            for path in (
                sorted([*base.glob("vault.y*ml"), *base.glob("settings.y*ml")]) if str(base) in self.sources else []
            ):
                yield f"{shown(path)}: nobody reads it there. Move it into {shown(base / 'group_vars')}/workstation/."

    # --- secrets and certificates ---

    def wrong_connections(self) -> Iterator[str]:
        """What it takes to connect to a PC: address, account, password, certificate."""
        found: dict[str, list[str]] = {}
        patterns = {play.hosts if isinstance(play.hosts, str) else ":".join(play.hosts) for play in self.plays}
        hosts = [host for pattern in patterns if "{{" not in pattern for host in self.inventory.get_hosts(pattern)]
        for host in {host.name: host for host in hosts}.values():
            values = self.variables.get_vars(host=host)
            for problem in self._wrong_connection(host, values):
                found.setdefault(problem, []).append(host.name)
        said = [f"{names(affected)}: {problem}" for problem, affected in sorted(found.items())]
        if len(said) > SORTS:
            said[SORTS:] = [f"{len(said) - SORTS} others of the same kind; --limit asks for one PC only."]
        if len(set().union(*found.values())) < len({host.name for host in hosts}):
            for problem in said:  # of many PCs, one does not stop the others: it is not reached, and that is told
                self.warn(problem)
        else:
            yield from said

    def _wrong_connection(self, host: Any, values: dict[str, Any]) -> Iterator[str]:
        if self._problem(values, "ansible_connection") or self._value(values, "ansible_connection") not in (
            "winrm",
            "wsl_winrm",
        ):
            return
        wanted = (
            "windows_port",
            "windows_address",
            "windows_user",
            "windows_password",
            "control_node",
            "windows_certificate",
        )
        problems = {name: problem for name in wanted if name in values and (problem := self._problem(values, name))}
        if "windows_port" in problems:  # a lab that does not run has none of the others, either
            yield problems["windows_port"]
            return
        yield from problems.values()
        if not {"control_node", "windows_certificate"} & set(problems) and self._value(values, "control_node") != "wsl":
            path = self._value(values, "windows_certificate")
            yield from wrong_certificate(str(path), Path(str(values.get("inventory_dir") or "."))) if path else ()

    def _problem(self, values: dict[str, Any], name: str) -> str:
        """Return why a variable has no value, an empty string where it has one."""
        try:
            self._value(values, name)
        except AnsibleError as error:
            return f"{name}: {locked(error) or _misspelt(error, values) or _said(error)}"
        return ""

    def _value(self, values: dict[str, Any], name: str) -> Any:
        return Templar(loader=self.loader, variables=values).template(values.get(name))


def wrong_certificate(name: str, folder: Path) -> Iterator[str]:
    """Return cause and remedy where a file holds no certificate that OpenSSL can trust.

    :param name: windows_certificate.
    :param folder: the inventory's.
    """
    path = Path(name).expanduser()
    remedy = "Copy the .pem file that bootstrap/Enable-WinRM.ps1 wrote to that place, or correct windows_certificate in your settings."
    beside = folder / re.split(r"[/\\]", name)[-1]
    if not path.is_file() and beside.is_file():
        yield f'windows_certificate: there is no {shown(name)} on this machine. Write "{{{{ inventory_dir }}}}/{beside.name}".'
    elif not path.is_file():
        yield f"windows_certificate: there is no {shown(name)} on this machine. {remedy}"
    else:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=str(path))
        except (ssl.SSLError, OSError):
            yield f"windows_certificate: {shown(name)} holds no certificate. {remedy}"


def _misspelt(error: AnsibleError, known: Iterable[str]) -> str:
    """Return cause and remedy where a value asks for a name that is not there."""
    found = re.search(r"'(\w+)' is undefined", str(error))
    return (
        f'its value asks for "{found[1]}", which is not set.{did_you_mean(found[1], known)} Correct the name, or set it.'
        if found
        else ""
    )


def _said(error: AnsibleError) -> str:
    """Return what Ansible said of a value that it could not work out; of one that asks for itself, only the hint."""
    text = " ".join(str(error).split())
    hint = re.search(r"(?:Put|Set|Start) .*\.$", text)
    return hint[0] if hint else text


def _tags(node: Any) -> Iterator[str]:
    """Return the tags of a play, of its roles and of its tasks."""
    yield from (str(tag) for tag in getattr(node, "tags", None) or [])
    for part in ("roles", "pre_tasks", "tasks", "post_tasks", "handlers", "block", "rescue", "always"):
        for child in getattr(node, part, None) or []:
            yield from _tags(child)


class CallbackModule(CallbackBase):
    """Look before the first play."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "check_inputs"
    CALLBACK_NEEDS_ENABLED = False

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """End the run where something cannot be right."""
        if Path(playbook._file_name).resolve().parent != ROOT / "playbooks":
            return
        translated = sys.modules[callback_loader.get("progress", class_only=True).__module__].translated
        problems = Run(playbook, lambda warning: self._display.warning(translated(warning))).problems()
        for problem in problems:
            self._display.error(translated(problem), wrap_text=False)
        if problems:
            end = "Nothing was changed. Correct this, then run the same again."
            self._display.error(translated(end), wrap_text=False)
            raise SystemExit(2)
