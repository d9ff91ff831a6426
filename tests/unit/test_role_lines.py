"""The stdout callback role_lines: what a person sees of a run, in a pipe and in a terminal of 80 columns."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
JARGON = re.compile(r"TASK \[|PLAY|fatal|unreachable|UNREACHABLE|FAILED|RETRYING|\bok:|changed:|skipping|WARNING|ERROR")
FILES = {
    "roles/looks/tasks/main.yml": "- {name: main | Tell, debug: {msg: [A note for people., Another.]}}\n",
    "roles/looks/tasks/preflight.yml": "- {name: preflight | Tell, debug: {msg: [@]}}\n".replace(
        "@", "Each word of this stays. " * 4
    ),
    "roles/ignored/tasks/main.yml": "- {name: main | Leave, ansible.builtin.command: 'false', when: false}\n",
    "roles/docker/meta/main.yml": "galaxy_info: {description: Docker Engine from Docker's own repository}\n",
    "roles/docker/handlers/main.yml": "[{name: Restart, ansible.builtin.command: 'true'}]\n",
    "roles/docker/tasks/main.yml": """
- {name: install | Get it, ansible.builtin.command: 'true', notify: Restart}
- {name: install | Warn, warns: }
- name: install | Fail and repair it
  block: [{ansible.builtin.fail: {msg: never shown}}]
  rescue: [{ansible.builtin.command: 'true'}]
- {name: install | Fail and go on, ansible.builtin.fail: {msg: never shown either}, ignore_errors: true}
- name: install | Try again
  ansible.builtin.command: "false"
  register: tried
  until: tried.rc == 0
  failed_when: false
  retries: 1
  delay: 1
""",
    "roles/apt_mirror/meta/main.yml": (
        "galaxy_info: {description: 'Ubuntu''s packages from a mirror nearby, without the proxy'}\n"
    ),
    "roles/apt_mirror/tasks/main.yml": """
- ansible.builtin.include_tasks: absent.yml
""",
    "roles/apt_mirror/tasks/absent.yml": "- {name: absent | Take, set_fact: {x: 1}, changed_when: true}\n",
    "roles/cuda/meta/main.yml": "galaxy_info: {description: The CUDA toolkit on Windows; the driver stays as it is}\n",
    "roles/cuda/tasks/main.yml": """
- name: install | Refuse what cannot work
  ansible.builtin.fail:
    msg: The disk of Windows is full. Make room (24 GB), then run again; it goes on from there and loses nothing.
""",
    "roles/waits/meta/main.yml": "galaxy_info: {description: 'WSL 2 and its settings'}\n",
    "roles/waits/tasks/main.yml": """
- {name: main | Wait, ansible.builtin.wait_for: {path: '{{ inventory_dir }}/go', timeout: 60}, changed_when: true}
- {name: main | Warn, ansible.builtin.debug: {msg: A note for people.}}
""",
    "library/warns.py": """
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({})
module.warn("Ansible finds something odd.")
module.exit_json()
""",
    "hosts.yml": """
all:
  vars: {ansible_connection: local}
  hosts: {pc: , pc-wsl: }
""",
    "site.yml": """
- {name: Begin with the other one, hosts: pc-wsl, gather_facts: false, tasks: [set_fact: {begun: true}]}
- name: Check every value before anything is changed
  hosts: all
  gather_facts: false
  order: inventory
  vars: {progress_next: [Nothing was changed.]}
  tasks: [{name: Look, ansible.builtin.set_fact: {looked: true}}]
- name: Say what will stay in the distribution
  hosts: pc-wsl
  gather_facts: false
  tasks: [{name: Look, import_role: {name: looks, tasks_from: preflight}}]
- name: The WSL half
  hosts: pc-wsl
  gather_facts: false
  roles: [looks, ignored, docker, apt_mirror]
- name: The Windows half
  hosts: pc
  gather_facts: false
  roles: [cuda, looks]
""",
    "both.yml": """
- name: Both halves
  hosts: all
  gather_facts: false
  strategy: host_pinned
  roles: [waits, {role: docker, when: inventory_hostname == 'pc'}]
""",
    "pauses.yml": """
- name: The Windows half
  hosts: pc
  gather_facts: false
  vars: {progress_next: []}
  roles: [looks]
  post_tasks:
    - {name: Tell again, debug: {msg: [A note for people., Another.]}}
    - {name: Tell, debug: {msg: Something new.}}
    - name: Ask for what it may not do
      ansible.builtin.fail:
        msg: >-
          WSL has to be stopped, so that .wslconfig and wsl.conf count, and that would end this run too. Type
          "wsl --shutdown" in PowerShell, open Ubuntu-24.04 again and run again; it goes on from here.
      vars: {progress_pauses: true}
""",
    "action_plugins/fetch.py": """
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        Display().display(
            "… pc  cuda.exe: curl: (56) it broke; it goes on where it stopped, in 10 s (try 2 of 6)"
        )
        return {"changed": False}
""",
    "fetches.yml": """
- name: The Windows half
  hosts: pc
  gather_facts: false
  tasks: [{name: Fetch, fetch: }]
""",
    "unreachable.yml": """
- {name: Nobody is there, hosts: nobody}
- name: Check the Windows PC before anything is changed
  hosts: pc
  gather_facts: false
  vars: {progress_next: [], ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}
  tasks: [{name: Reach Windows, ansible.builtin.ping: }]
""",
}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Return a folder with a name of always the same length, since lines that name it are wrapped."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        for name, text in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        yield folder


def command(folder: Path, *arguments: str, **settings: str) -> dict:
    """Return what subprocess needs to start a playbook in the folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "LC_"))}
    program = os.environ.get("ANSIBLE_PLAYBOOK_TESTED") or str(Path(sys.executable).parent / "ansible-playbook")
    return {
        "args": [program, "-i", "hosts.yml", *arguments],
        "cwd": folder,
        "env": environment
        | {
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "plugins" / "callback"),
            "ANSIBLE_FILTER_PLUGINS": str(ROOT / "plugins" / "filter"),
            "ANSIBLE_CALLBACKS_ENABLED": "progress",
            "ANSIBLE_STDOUT_CALLBACK": "role_lines",
            "ANSIBLE_LOG_PATH": str(folder / "log"),
            "ANSIBLE_PROGRESS_FIRST": "0",  # no line of what takes long, on a slow machine
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm",
        }
        | settings,
    }


def piped(folder: Path, *arguments: str, code: int = 0, **settings: str) -> str:
    (folder / "log").unlink(missing_ok=True)
    done = subprocess.run(
        **command(folder, *arguments, **settings),
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout
    return done.stdout.replace(str(folder), "FOLDER")


ENGLISH = """\
pc-wsl  Say what will stay in the distribution:
        - Each word of this stays. Each word of this stays. Each word of this
          stays. Each word of this stays.
pc-wsl  looks:
        - A note for people.
        - Another.
pc-wsl  already so  looks
pc-wsl  done        Docker Engine from Docker's own repository
pc-wsl  taken back  Ubuntu's packages from a mirror nearby, without the proxy
pc      failed      The CUDA toolkit on Windows; the driver stays as it is
        Refuse what cannot work: The disk of Windows is full. Make room (24 GB),
        then run again; it goes on from there and loses nothing.
        All that was said and done is in FOLDER/log.

SUMMARY (
pc
  failed      cuda : Refuse what cannot work: The disk of Windows is full. Make
              room (24 GB), then run again; it goes on from there and loses
              nothing.
pc-wsl
  done        docker         Docker Engine from Docker's own repository
  taken back  apt_mirror     Ubuntu's packages from a mirror nearby, without the
                             proxy
  already so  looks
next
  - Fix the error under "failed", then run the same again. It goes on from
    there.
"""
CHINESE = """\
pc-wsl  列出发行版里会留下什么：
        - Each word of this stays. Each word of this stays. Each word of this
          stays. Each word of this stays.
pc-wsl  looks：
        - A note for people.
        - Another.
pc-wsl  无需改动    looks
pc-wsl  已完成      来自 Docker 官方软件源的 Docker Engine
pc-wsl  已撤销      从附近的镜像站获取 Ubuntu 软件包，不走代理
pc      失败        Windows 上的 CUDA 工具包，不改动驱动
        拒绝行不通的设置：The disk of Windows is full. Make room (24 GB), then
        run again; it goes on from there and loses nothing.
        完整记录在 FOLDER/log。

总结（
pc
  失败        cuda : 拒绝行不通的设置：The disk of Windows is full. Make room
              (24 GB), then run again; it goes on from there and loses nothing.
pc-wsl
  已完成      docker         来自 Docker 官方软件源的 Docker Engine
  已撤销      apt_mirror     从附近的镜像站获取 Ubuntu 软件包，不走代理
  无需改动    looks
下一步
  - 请先处理“失败”一项的问题，然后重新运行。会从那里继续。
"""


@pytest.mark.parametrize(("language", "expected"), [("en", ENGLISH), ("zh", CHINESE)], ids=["en", "zh"])
def test_a_log_has_one_line_a_role_and_the_task_that_failed(folder, language, expected):
    said = piped(folder, "site.yml", "--forks", "1", code=2, ANSIBLE_PROGRESS_LANGUAGE=language)
    said = re.sub(r" \(\d+ s\)$|（\d+ 秒）$", "", said, flags=re.MULTILINE)  # how long a role took, on a slow machine
    assert re.sub(r"((SUMMARY \(|总结（)).*", r"\1", said) == expected
    assert JARGON.findall(said) == []
    log = (folder / "log").read_text()
    for word in ("TASK [docker : install | Get it]", "never shown", "RETRYING", "something odd", "PLAY RECAP"):
        assert word in log  # what Ansible shows by default is for those who look into its log


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "… pc  cuda.exe: curl: (56) it broke; it goes on where it stopped, in 10 s (try 2 of 6)"),
        ("zh", "… pc  cuda.exe：curl: (56) it broke；从中断处继续，10 s 后（第 2 次，共 6 次）"),
    ],
)
def test_what_an_action_tells_while_it_works_is_shown_in_the_language(folder, language, told):
    assert told in piped(folder, "fetches.yml", ANSIBLE_PROGRESS_LANGUAGE=language).splitlines()


def test_tasks_are_shown_to_those_who_ask_for_them(folder):
    said = piped(folder, "site.yml", "-v", code=2)
    assert "TASK [docker : install | Get it]" in said and "PLAY RECAP" in said
    assert "… pc-wsl  not a failure yet (exit code 1): tried again in 1 s" in said
    assert "pc-wsl  done        Docker Engine" not in said


def test_check_mode_says_what_would_be_done(folder):
    said = piped(folder, "site.yml", "--check", "--limit", "pc-wsl", ANSIBLE_PROGRESS_LANGUAGE="en")
    assert "pc-wsl  would take  Ubuntu's packages from a mirror nearby, without the proxy\n" in said


def test_a_machine_that_is_not_reached_is_no_word_of_ansible_but_a_failure(folder):
    said = piped(folder, "unreachable.yml", code=4)
    assert "[WARNING]" in (folder / "log").read_text()
    assert said.splitlines()[0] == "pc      failed      Check the Windows PC before anything is changed"
    assert said.splitlines()[1] == "        Reach Windows: Failed to connect to the host via ssh: ssh: connect to"
    assert JARGON.findall(said) == []


PAUSED = """\
pc      looks：
        - A note for people.
        - Another.
pc      无需改动    looks
pc      Something new.
pc      暂停        准备
        需要停止 WSL，使 .wslconfig 和 wsl.conf 生效，而这也会结束本次运行。请在
        PowerShell 里输入 wsl --shutdown，重新打开 Ubuntu-24.04 并再次运行，会从
        这里继续。

总结
pc
  无需改动    looks
  暂停        需要停止 WSL，使 .wslconfig 和 wsl.conf 生效，而这也会结束本次运
              行。请在 PowerShell 里输入 wsl --shutdown，重新打开 Ubuntu-24.04
              并再次运行，会从这里继续。
下一步
  - 请先完成“暂停”一项的操作，然后重新运行。会从那里继续。
"""


def test_a_task_that_waits_for_somebody_is_a_pause_and_a_note_is_told_once(folder):
    said = piped(folder, "pauses.yml", code=2, ANSIBLE_PROGRESS_LANGUAGE="zh")
    assert re.sub(r"总结（.*", "总结", said) == PAUSED


class Terminal:
    """What stands on a terminal: the rows from the beginning on, and where the cursor is."""

    def __init__(self) -> None:
        self.rows, self.row, self.column, self._rest = [""], 0, 0, ""

    def write(self, text: str) -> None:
        """Do what a terminal does; an unknown control sequence is an error."""
        text, self._rest = self._rest + text, ""
        while text:
            if text[0] == "\x1b":
                found = re.match(r"\x1b\[([0-9;]*)([A-Za-z])", text)
                if found is None:
                    assert len(text) < 12, repr(text)
                    self._rest = text  # the rest comes with the next write
                    return
                getattr(self, f"_{found[2]}")(found[1])
                text = text[found.end() :]
                continue
            if text[0] == "\n":
                self.row += 1
                self.rows += [""] * (self.row + 1 - len(self.rows))
            elif text[0] == "\r":
                self.column = 0
            else:
                row = self.rows[self.row].ljust(self.column)
                self.rows[self.row] = row[: self.column] + text[0] + row[self.column + 1 :]
                self.column += 1
            text = text[1:]

    def _m(self, argument: str) -> None:
        pass  # a colour

    def _A(self, argument: str) -> None:
        assert 0 < int(argument) <= self.row
        self.row -= int(argument)

    def _K(self, argument: str) -> None:
        assert argument == ""
        self.rows[self.row] = self.rows[self.row][: self.column]

    def _J(self, argument: str) -> None:
        self._K(argument)
        del self.rows[self.row + 1 :]


@contextlib.contextmanager
def terminal(folder: Path, *arguments: str, **settings: str):
    """Start a playbook in a terminal of 80 columns; yield a function that returns its rows after each thing written."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = subprocess.Popen(
        **command(folder, *arguments, **settings), stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    screen = Terminal()

    def states():
        end = time.monotonic() + 120
        while select.select([ours], [], [], max(0, end - time.monotonic()))[0]:
            try:
                said = os.read(ours, 65536)
            except OSError:  # Linux says so where the other side has closed a terminal
                said = b""
            if not said:
                assert process.wait(30) == 0, screen.rows
                return
            screen.write(said.decode())
            yield screen.rows
        raise AssertionError(f"the run had not ended after 120 s: {screen.rows}")

    try:
        yield states()
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.parametrize(
    ("language", "running", "left"),
    [
        (
            "en",
            [
                r"pc      running     WSL 2 and its settings \(\d+ s\)",
                r"pc-wsl  running     WSL 2 and its settings \(\d+ s\)",
            ],
            [
                "pc      A note for people.",
                "pc      done        Docker Engine from Docker's own repository",
                "pc      done        WSL 2 and its settings",
                "pc-wsl  A note for people.",
                "pc-wsl  done        WSL 2 and its settings",
            ],
        ),
        (
            "zh",
            [
                r"pc      进行中      WSL 2 及其设置（\d+ 秒）",
                r"pc-wsl  进行中      WSL 2 及其设置（\d+ 秒）",
            ],
            [
                "pc      A note for people.",
                "pc      已完成      WSL 2 及其设置",
                "pc      已完成      来自 Docker 官方软件源的 Docker Engine",
                "pc-wsl  A note for people.",
                "pc-wsl  已完成      WSL 2 及其设置",
            ],
        ),
    ],
    ids=["en", "zh"],
)
def test_a_terminal_shows_in_place_what_runs_on_two_hosts(folder, language, running, left):
    (folder / "go").unlink(missing_ok=True)
    both, ticks, rows = re.compile("\n".join(running)), set(), []
    with terminal(folder, "both.yml", ANSIBLE_PROGRESS_LANGUAGE=language) as states:
        for rows in states:
            if found := both.search("\n".join(rows)):
                ticks.add(found[0])
                if len(ticks) == 3:  # the time went on, in place
                    (folder / "go").touch()
            assert sum(bool(re.search("running|进行中", row)) for row in rows) <= 2
    times = re.compile(r" \(\d+ s\)$|（\d+ 秒）$")
    assert sorted(times.sub("", row) for row in rows if row) == left
    assert len(ticks) >= 3 and rows[-1] == ""


def test_a_line_is_never_broken_by_the_width_of_the_terminal(folder):
    (folder / "go").touch()
    long = "A Windows that is new enough and awake, its name, Windows Terminal and everything else"
    (folder / "roles/waits/meta/main.yml").write_text(f"galaxy_info: {{description: '{long}'}}\n")
    rows: list[str] = []
    with terminal(folder, "both.yml", "--limit", "pc-wsl") as states:
        for rows in states:
            assert [row for row in rows if len(row) > 80] == []
    assert "pc-wsl  done        A Windows that is new enough and awake, its name, Windows…" in rows


def test_a_download_is_shown_with_what_is_left_of_it(folder):
    (folder / "go").unlink(missing_ok=True)
    (folder / "tmp").mkdir()
    note = {"what": "cuda.exe", "bytes": 1_200_000_000, "total": 3_900_000_000, "bytes_per_second": 24_000_000}
    line, seen = "pc      running     cuda.exe  1.2 of 3.9 GB, 30 %, 24 MB/s, 1 min 52 s left", False
    with terminal(folder, "both.yml", ANSIBLE_LOCAL_TEMP=str(folder / "tmp")) as states:
        for rows in states:
            if not seen and (own := [*(folder / "tmp").iterdir()]):
                (own[0] / "progress-pc.json").write_text(json.dumps(note))
            if line in rows and not seen:
                seen = True
                (own[0] / "progress-pc.json").unlink()
                (folder / "go").touch()
    assert seen
