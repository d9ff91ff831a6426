"""What roles, their modules and the names of their tasks are in Chinese: all of it, and whole messages."""

from __future__ import annotations

import ast
import importlib.util
import re
import time
from pathlib import Path

import pytest
import yaml

from tests.unit import loaded, messages
from verify.causes import known

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = [
    *("callback/check_inputs", "filter/refusals", "filter/preflight_report", "filter/why_apt_failed"),
    *("connection/wsl_interop", "action/check_values"),
    *("action/win_fetch", "modules/apt_source", "modules/apt_facts", "modules/json_merge"),
    *("modules/managed_files", "modules/service_current", "modules/docker_facts", "module_utils/docker_json"),
    *("module_utils/apt_program", "lookup/pins"),
]
"""Plugins whose words a person reads, where a task fails."""
GIVEN = yaml.safe_load((ROOT / "tests" / "unit" / "chinese.yml").read_text(encoding="utf-8"))
LEFT_OUT = set(GIVEN["left_out"])


progress = loaded.module("plugins/callback/progress.py")
pytestmark = [
    pytest.mark.filterwarnings("ignore:invalid escape sequence"),  # of patterns in the roles, for Jinja
    pytest.mark.filterwarnings("ignore:Unknown pytest.mark.promise"),  # verify/conftest.py registers it
]


@pytest.fixture(autouse=True)
def chinese():
    progress.speak("zh")
    yield
    progress.speak("en")


# --- all of it ---------------------------------------------------------------------------------------------------


def english_in(text: str) -> list[str]:
    """Return what of a text, with numbers in its holes, stays English."""
    numbers = iter(range(1, 99))
    text = re.sub(r"^\{\} (?=[A-Z][a-z])", "", text)  # another sentence
    message = re.sub(r"\{\}", lambda _: f"‹{next(numbers)}›", text)
    return [piece for piece, other in progress.pieces(message) if other is None and re.search("[A-Za-z]{2,}", piece)]


def of_roles() -> set[str]:
    texts = {text for _, text in [*messages.of_roles(), *messages.of_playbooks(), *messages.of_scripts()]}
    assert len(texts) > 300
    assert {
        "This machine does not use apt. Set apt_mirror_state to ignore.",  # a check
        "It had no network. Look at the system proxy, then run again.",  # a table of causes
        "apt would install {}. Another file in /etc/apt/preferences.d comes before cuda-wsl and allows it; remove it "
        "there.",  # a task
        "finds no GPU",  # a choice in a sentence
        "wsl-proxy-upstream: there is no default route (yet), so nobody knows where Windows is.",  # a script
    } <= texts
    return texts


def test_every_message_of_roles_and_playbooks_is_there_in_chinese():
    assert {text: english for text in of_roles() - LEFT_OUT if (english := english_in(text))} == {}


def of_plugin(name: str) -> set[str]:
    """Return the texts of a plugin, without the patterns that are looked for in apt's words."""
    texts = set(messages.of_python(ROOT / "plugins" / f"{name}.py"))
    apt = name in ("module_utils/apt_program", "filter/why_apt_failed")
    return {text for text in texts if not apt or "grep -E" in text or not re.search(r"[|\\]", text)}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_message_of_a_plugin_is_there_in_chinese(plugin):
    texts = of_plugin(plugin)
    assert len(texts) > 0
    assert {text: english for text in texts - LEFT_OUT if (english := english_in(text))} == {}


def test_nothing_is_left_out_that_nobody_says():
    texts = of_roles().union(*map(of_plugin, PLUGINS))
    assert sorted(LEFT_OUT - texts) == []


def test_every_task_has_a_chinese_name():
    names = {name for _, name in messages.tasks()}
    assert len(names) > 250
    assert sorted(name for name in names if progress.named(name) == name) == []
    assert progress.named("cuda_windows : Install CUDA 13.4.1") == "cuda_windows : 安装 CUDA 13.4.1"


def test_every_translation_is_of_something_that_is_said():
    names = {name for _, name in messages.tasks()}
    assert sorted(set(yaml.safe_load(progress.TASKS.read_text(encoding="utf-8"))) - names) == []
    texts = of_roles().union(GIVEN["pieces"], *map(of_plugin, PLUGINS))
    assert sorted(set(yaml.safe_load(progress.ROLES.read_text(encoding="utf-8"))) - texts) == []


@pytest.mark.parametrize("catalogue", [progress.ROLES, progress.TASKS], ids=["roles", "tasks"])
def test_each_translation_has_the_places_of_its_text(catalogue):
    for text, other in yaml.safe_load(catalogue.read_text(encoding="utf-8")).items():
        numbers, places = text.count("{}"), re.findall(r"\{(\d*)\}", other)
        assert places == [""] * numbers or sorted(places) == [str(number) for number in range(numbers)], text


# --- the table of promises ---------------------------------------------------------------------------------------


@pytest.fixture
def verify(monkeypatch):
    monkeypatch.setattr(progress, "MESSAGES", [progress.ROLES, ROOT / "verify" / "zh_CN.yml"])


def test_every_promise_and_remedy_is_there_in_chinese(verify):
    modules = (importlib.import_module(f"verify.{name}") for name in ("test_windows", "test_wsl"))
    marks = [
        mark
        for module in modules
        for test in vars(module).values()
        for mark in getattr(test, "pytestmark", [])
        if mark.name == "promise"
    ]
    assert len(marks) > 20
    texts = {mark.args[0] for mark in marks} | {mark.kwargs["remedy"] for mark in marks}
    texts |= {
        one.remedy.replace("{user}", "mei") for area in ("relay", "docker", "apt", "shell") for one in known(area)
    }
    texts |= {one.remedy for wsl in (True, False) for one in known("nvidia", wsl)}
    assert {text: english for text in texts if (english := english_in(text))} == {}


@pytest.mark.parametrize("file", ["test_windows", "test_wsl"])
def test_every_word_of_a_broken_promise_is_there_in_chinese(verify, file):
    tree = ast.parse((ROOT / "verify" / f"{file}.py").read_text(encoding="utf-8"))
    texts = {
        "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in getattr(said, "values", [said]))
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert) and isinstance(said := node.msg, ast.Constant | ast.JoinedStr)
    }
    assert len(texts) > 1
    whole = {
        "{} in {} shell leads docker elsewhere{}": "{} in a login shell leads docker elsewhere, set in {}",
        "{}\n{}": "",
    }
    texts = {whole.get(text, text) for text in texts} - {"{} {} is {}"}  # it begins with "the machine's"
    assert {text: english for text in texts if (english := english_in(text))} == {}


@pytest.mark.parametrize(
    ("said", "other"),
    [
        (
            "the machine's http_proxy is http://***@10.1.2.3:8080",
            "机器的 http_proxy 是 http://***@10.1.2.3:8080",
        ),
        (
            "DOCKER_HOST=tcp://10.1.2.3:2375 in a login shell leads docker elsewhere, set in ~/.profile:3, ~/.zshrc:9",
            "登录 shell 里的 DOCKER_HOST=tcp://10.1.2.3:2375 把 docker 引到了别处，设在 ~/.profile:3, ~/.zshrc:9",
        ),
        (
            "the context remote in an interactive shell leads docker elsewhere",
            "交互 shell 里的 the context remote 把 docker 引到了别处",
        ),
        ("wsl-dl run --tags docker_engine again", "请再次运行 wsl-dl run --tags docker_engine"),
        ("run playbooks/site.yml --tags cuda_wsl again", "请再次运行 playbooks/site.yml --tags cuda_wsl"),
        (
            "wsl-dl run --tags docker_engine again, which puts mei into the group docker, then open a new terminal",
            "请再次运行 wsl-dl run --tags docker_engine，它会把 mei 加入 docker 组，然后打开新的终端",
        ),
        ("rests on: the relay waits for connections", "取决于：中继等待连接"),
        ("E: The repository 'x' is not signed.", "E: The repository 'x' is not signed."),
    ],
)
def test_a_line_of_the_table_is_said_in_chinese(verify, said, other):
    assert progress.translated(said) == other


# --- whole messages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", GIVEN["messages"], ids=lambda one: one["name"])
def test_a_whole_message_is_said_in_chinese(one):
    assert progress.said({"msg": one["said"]}) == one["chinese"]


def test_a_message_stays_english_where_english_is_spoken():
    progress.speak("en")
    for one in GIVEN["messages"]:
        assert progress.said({"msg": one["said"]}) == one["said"]
    assert progress.named("cuda_windows : Install CUDA 13.4.1") == "cuda_windows : Install CUDA 13.4.1"


def test_a_long_message_of_a_vendor_is_looked_through_in_no_time():
    log = "[1a2b:0001] (Warning) Package 'x' (1.0; amd64) could not be fetched: it says \"no\". " * 300
    message = f"Visual Studio's bootstrapper is missing. The installer of Visual Studio 2022 {log} Nothing was changed."
    progress.translated(message[:2000])
    began = time.perf_counter()
    assert progress.translated(message).endswith("没有任何更改。")
    assert time.perf_counter() - began < 3
