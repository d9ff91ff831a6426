"""The order of the roles: the site's playbooks state it, and every other place that lists them follows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ORDER = {
    "windows": ["windows_proxy", "windows_base", "wsl_enable", "wsl_distribution", "visual_studio", "cuda_windows"],
    "wsl": ["wsl_proxy", "apt_mirror", "cuda_wsl", "docker_engine", "docker_proxy", "nvidia_ctk", "devcontainer"],
}
BOTH = ORDER["windows"] + ORDER["wsl"]


def plays(name: str) -> list[dict]:
    return yaml.safe_load((ROOT / "playbooks" / name).read_text(encoding="utf-8"))


def tasks(play: dict) -> list[dict]:
    """Return the tasks of a play, or of a block of a file of tasks."""
    return play.get("pre_tasks", []) + play.get("tasks", []) + play.get("block", [])


def roles_of(name: str) -> list[list[str]]:
    return [[entry["role"] for entry in play["roles"]] for play in plays(name) if "roles" in play]


def half(name: str) -> list[str]:
    """Return the roles that a file of tasks applies, in order."""
    text = (ROOT / "playbooks" / "tasks" / f"{name}_half.yml").read_text(encoding="utf-8")
    return re.findall(r"import_role: \{name: (\w+)\}", text)


def looped(name: str) -> list[list[str]]:
    """Return the lists of the tasks that ask each role in turn."""
    return [
        task["loop"] for play in plays(name) for task in tasks(play) if "loop" in task and "preflight.yml" in str(task)
    ]


def imported(name: str, entry_point: str) -> list[str]:
    found = [task.get("ansible.builtin.import_role", {}) for play in plays(name) for task in tasks(play)]
    return [one["name"] for one in found if one.get("tasks_from") == entry_point and one["name"] in BOTH]


def states(name: str) -> list[list[str]]:
    """Return the roles whose state a play sets, for plays that set several."""
    found = [re.findall(r"(\w+)_state\b", " ".join(play.get("vars", {}))) for play in plays(name)]
    return [roles for roles in found if len(roles) > 1]


def table(page: str) -> list[str]:
    """Return the roles of the rows of a page's table of roles."""
    return re.findall(r"^\| \[`(\w+)`\]\(", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_public_role_has_its_place():
    public = {path.parent.parent.name for path in ROOT.glob("roles/*/tasks/main.yml")}
    assert public == {*BOTH, "room_cache"}  # no PC has that one: playbooks/cache.yml


def test_the_site_applies_the_roles_in_this_order():
    assert roles_of("windows_ready.yml") + [half("windows")] == [ORDER["windows"][:4], ORDER["windows"][4:]]
    assert half("wsl") == ORDER["wsl"]


@pytest.mark.parametrize("name", ORDER)
def test_a_half_alone_and_the_site_go_on_with_the_same_tasks(name):
    file = f"tasks/{name}_half.yml"
    (alone,) = [task for play in plays(f"{name}.yml") for task in tasks(play) if file in str(task)]
    (site,) = [task for play in plays("site.yml") for task in tasks(play) if file in str(task)]
    assert (alone["ansible.builtin.import_tasks"], site["ansible.builtin.include_tasks"]) == (file, file)
    assert site["when"] == f"'{name}' in group_names"
    assert site["tags"] == ["always", *half(name)]  # --list-tags, and a misspelt tag


def test_the_site_says_what_to_do_next_as_the_half_alone_does():
    (alone, site) = (plays(name)[-1]["vars"]["progress_next"] for name in ("wsl.yml", "site.yml"))
    assert alone == site != []


def test_both_halves_are_asked_first_in_the_same_order():
    assert imported("windows_ready.yml", "preflight") == ORDER["windows"]
    assert looped("tasks/wsl_half.yml") == [ORDER["wsl"]]
    assert looped("preflight.yml") == [ORDER["windows"], ORDER["wsl"]]


def test_the_large_downloads_begin_in_the_same_order():
    found = imported("windows_ready.yml", "download")
    assert found == [role for role in ORDER["windows"] if role in found] != []


def test_values_are_checked_in_the_same_order():
    (task,) = yaml.safe_load((ROOT / "playbooks/tasks/values.yml").read_text(encoding="utf-8"))
    assert [task["vars"][f"values_of_{half}"] for half in ORDER] == list(ORDER.values())


def test_they_are_taken_back_in_the_opposite_order():
    wsl, windows = ORDER["wsl"][::-1], ORDER["windows"][::-1]
    assert roles_of("remove.yml") == [wsl, windows]
    assert states("remove.yml") == [wsl, windows]
    here = [play["vars"]["roles_here"] for play in plays("remove.yml") if "roles_here" in play.get("vars", {})]
    assert here == [windows, wsl]


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_table_of_roles_has_the_same_order(page):
    assert table(page) == BOTH


def test_contributing_names_each_place_where_a_new_role_is_listed():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("## Add a role")[2].partition("\n## ")[0]
    files = (
        "tasks/wsl_half.yml",
        "windows_ready.yml",
        "tasks/windows_half.yml",
        "tasks/values.yml",
        "preflight.yml",
        "remove.yml",
    )
    places = [*(f"playbooks/{file}" for file in files), "README.md", "README.zh-CN.md", "tests/unit/test_order.py"]
    assert [place for place in places if f"`{place}`" not in section] == []
