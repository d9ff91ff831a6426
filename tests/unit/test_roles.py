"""The contract that every role keeps, read from the roles' own files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import jinja2
import jinja2.meta
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
EXPRESSIONS = {"when", "changed_when", "failed_when", "until", "that"}
BUILT_IN = {
    "item",
    "lookup",
    "query",
    "q",
    "omit",
    "now",
    "range",
    "role_path",
    "undef",
    "hostvars",
    "inventory_hostname",
}


class _Loader(yaml.SafeLoader):
    """Reads Ansible's own tags as plain values."""


_Loader.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_scalar(node))


def load(path: Path) -> object:
    """Return the content of a YAML file, None when there is no such file."""
    return yaml.load(path.read_text(), _Loader) if path.exists() else None


def options_of(role: str) -> dict:
    """Return the options of a role's ``main`` entry point."""
    return load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"].get("options") or {}


def strings(node: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield (key, string) for every string in parsed YAML, mapping keys included."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield "", str(name)
            yield from strings(value, str(name))
    elif isinstance(node, list):
        for value in node:
            yield from strings(value, key)
    elif isinstance(node, str):
        yield key, node


def names_in(template: str) -> set[str]:
    """Return the variables that a Jinja template reads from outside."""
    environment = jinja2.Environment()
    environment.filters = _Anything(environment.filters)
    environment.tests = _Anything(environment.tests)
    return jinja2.meta.find_undeclared_variables(environment.parse(template))


class _Anything(dict):
    """Accept every filter and test: only variables matter here."""

    def __contains__(self, name: object) -> bool:
        return True

    def get(self, name: str, default: object = None) -> object:
        return lambda value, *_: value


def variables_of(role: str) -> dict[str, set[str]]:
    """Return, for each file of a role, the variables that it reads."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "roles" / role).rglob("*")):
        area = path.relative_to(ROOT / "roles" / role).parts[0]
        if area == "templates" and path.is_file():
            found[path.name] = names_in(path.read_text())
        elif area in ("tasks", "handlers", "vars", "defaults") and path.suffix == ".yml":
            texts = strings(load(path))
            names = [names_in(f"{{{{ {text} }}}}" if key in EXPRESSIONS else text) for key, text in texts]
            found[f"{area}/{path.name}"] = set().union(*names) if names else set()
    return found


def loop_variables(role: str) -> set[str]:
    """Return the names that a role gives to its loop variables."""
    files = (ROOT / "roles" / role / "tasks").glob("*.yml")
    return {name for path in files for name in re.findall(r"loop_var: *(\w+)", path.read_text())}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_every_part_of_the_contract(role):
    needed = ["defaults/main.yml", "meta/argument_specs.yml", "meta/main.yml", "tasks/main.yml", "README.md"]
    missing = [name for name in needed if not (ROOT / "roles" / role / name).is_file()]
    assert missing == []


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_a_scenario_for_present_and_for_absent(role):
    scenarios = [role, f"{role}-absent"]
    assert [name for name in scenarios if not (ROOT / "molecule" / name / "molecule.yml").is_file()] == []


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_specification_name_the_same_options(role):
    optional = {name for name, option in options_of(role).items() if not option.get("required")}
    assert set(load(ROOT / "roles" / role / "defaults" / "main.yml") or {}) == optional


@pytest.mark.parametrize("role", ROLES)
def test_the_specification_gives_types_and_prose_but_no_defaults(role):
    for name, option in options_of(role).items():
        assert "type" in option, name
        assert option.get("description"), name
        assert "default" not in option, f"{name}: a default lives in defaults/main.yml alone"


@pytest.mark.parametrize("role", ROLES)
def test_every_role_can_be_present_absent_or_ignored(role):
    assert sorted(options_of(role)[f"{role}_state"]["choices"]) == ["absent", "ignore", "present"]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reads_only_its_own_variables(role):
    own = re.compile(rf"^(__)?{role}_|^ansible_")
    allowed = BUILT_IN | loop_variables(role)
    strangers = {
        file: sorted(name for name in names if not own.match(name) and name not in allowed)
        for file, names in variables_of(role).items()
    }
    assert {file: names for file, names in strangers.items() if names} == {}


@pytest.mark.parametrize("role", ROLES)
def test_main_is_the_same_few_lines_in_every_role(role):
    def shape(name: str) -> str:
        return (ROOT / "roles" / name / "tasks" / "main.yml").read_text().replace(name, "ROLE")

    assert shape(role) == shape("wsl_proxy")


@pytest.mark.parametrize("role", ROLES)
def test_what_a_task_registers_is_no_variable_of_the_role(role):
    """A registered answer hides a variable of the same name, without a word."""
    folder = ROOT / "roles" / role
    tasks = "".join(path.read_text() for path in (folder / "tasks").glob("*.yml"))
    registered = set(re.findall(r"^ *register: *(\w+)", tasks, re.MULTILINE))
    variables = set().union(
        *(load(path) or {} for part in ("vars", "defaults") for path in (folder / part).glob("*.yml"))
    )
    assert registered & variables == set()


@pytest.mark.parametrize("role", ROLES)
def test_a_readme_has_the_parts_that_all_have(role):
    text = (ROOT / "roles" / role / "README.md").read_text()
    parts = [part for part in re.findall(r"^## (.+)$", text, re.MULTILINE) if part != "Details"]
    assert text.startswith(f"# {role}\n")
    assert parts == ["Outcome", "Needs", "Owns", "States", "Exports", "Example"]
    assert text.endswith(f"Variables: `ansible-doc -t role -r roles {role}`.\n")


@pytest.mark.parametrize("role", ROLES)
def test_task_files_stay_short(role):
    lengths = {
        path.name: len(path.read_text().splitlines()) for path in (ROOT / "roles" / role / "tasks").glob("*.yml")
    }
    assert {name: lines for name, lines in lengths.items() if lines > 80} == {}


@pytest.mark.parametrize("template", sorted((ROOT / "roles").glob("*/templates/**/*.j2")), ids=lambda path: path.name)
def test_a_template_says_who_manages_the_file(template):
    role = template.relative_to(ROOT / "roles").parts[0]
    head = template.read_text().splitlines()[:3]
    assert any("{{ ansible_managed | comment }}" in line for line in head)
    assert any(f"role:{role}" in line for line in head)


def test_no_task_ignores_errors():
    files = [*(ROOT / "roles").rglob("*.yml"), *(ROOT / "playbooks").glob("*.yml")]
    assert [str(path) for path in files if "ignore_errors" in path.read_text()] == []


def test_a_script_that_reads_what_apt_says_reads_it_in_english():
    """apt and dpkg translate their output; dpkg-query with a format does not."""
    scripts = {path: path.read_text() for path in (ROOT / "roles").rglob("*.sh")}
    reading = {
        path: text for path, text in scripts.items() if re.search(r"\bapt-(cache|get|config|mark)\b|\bdpkg -", text)
    }
    assert [path.name for path, text in reading.items() if "LC_ALL=C.UTF-8" not in text] == []
    assert len(reading) > 1


def roles_that_use_apt() -> set[str]:
    """Return the public roles with a task that lets apt work."""
    use = re.compile(r"^ *(ansible\.builtin\.apt|apt_source|apt_mirror_sources):$", re.MULTILINE)
    files = [path for role in ROLES for path in (ROOT / "roles" / role / "tasks").glob("*.yml")]
    return {path.parts[-3] for path in files if use.search(path.read_text())}


def test_apt_is_looked_at_before_the_first_role_that_uses_it():
    (half,) = load(ROOT / "playbooks" / "tasks" / "wsl_half.yml")
    (look,) = [task for task in half["block"] if task["name"] == "Check apt before the first role uses it"]
    assert look["block"][0]["ansible.builtin.import_tasks"] == "apt.yml"
    here = roles_that_use_apt() - {"room_cache"}
    assert set(look["tags"]) == here
    assert set(re.findall(r"(\w+)_state", look["when"])) == here
    *_, play = load(ROOT / "playbooks" / "cache.yml")
    assert play["pre_tasks"][0]["ansible.builtin.import_tasks"] == "tasks/apt.yml"
    preflight = (ROOT / "playbooks" / "preflight.yml").read_text()
    assert "tasks/apt.yml" in preflight[: preflight.index("loop: [wsl_proxy, ")]


def test_each_role_of_the_distribution_is_asked_what_it_needs_before_the_first_one_changes_anything():
    (half,) = load(ROOT / "playbooks" / "tasks" / "wsl_half.yml")
    names = [task["name"] for task in half["block"]]
    ask = half["block"][names.index("Check what each role needs")]
    assert [f"Set up {role}" for role in ask["loop"]] == [name for name in names if name.startswith("Set up ")]
    assert names.index("Refuse what cannot work, before anything is changed") < names.index("Set up wsl_proxy")


@pytest.mark.parametrize("role", ROLES)
def test_whoever_uses_apt_waits_for_others_who_do(role):
    for path in (ROOT / "roles" / role / "tasks").glob("*.yml"):
        head, found, tasks = path.read_text().partition("ansible.builtin.apt:\n")
        if found:
            assert "apt_lock:" in head, path
            assert tasks.count("lock_timeout: 120") == tasks.count("ansible.builtin.apt:\n") + 1, path
