"""The command wsl-dl in the distribution, and its completion; sudo, Ansible, pytest write down their calls."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import yaml

from tests.unit.bootstrap.distribution import ROOT, Distribution

ADMINISTRATOR = '"Mandatory Label\\High Mandatory Level","Label","S-1-16-12288",""'
OTHER = '"Mandatory Label\\Medium Mandatory Level","Label","S-1-16-8192",""'
RECORD = """#!/bin/sh
said="proxy=${https_proxy:-} elevated=${ANSIBLE_WSL_INTEROP_ELEVATED:-} ${ANSIBLE_PROGRESS_LANGUAGE:-}${VERIFY_RUN:-}"
printf '%s\\n' "${0##*/} $* $said" >>"{log}"
"""
SUDO = """#!/bin/sh
[ "$1" != -n ] || exit 1 # it would ask
printf '%s\\n' "sudo $*" >>"{log}"
shift
SUDO_USER=mei exec "$@"
"""
SITE = "ansible-playbook -i inventory/mine playbooks/site.yml"


class Pc(Distribution):
    """A distribution that Install.cmd has set up, with a terminal."""

    def set_up(self, language: str) -> None:
        """Do what Install.cmd does."""
        self.program("recorder", RECORD)
        self.program("sudo", SUDO)
        self.program(
            "id", '#!/bin/sh\ncase "$1 $SUDO_USER" in "-u ") echo 1000 ;; "-u "*) echo 0 ;; *) echo mei ;; esac\n'
        )
        self.unpack()
        self.run("copy", language, cwd=self.zip)
        self.run("settings", "proxy_port=7890", "proxy_state=absent", "cuda_windows_state=ignore")
        self.run("python", "0", "https://index.example/simple")
        self.terminal(ADMINISTRATOR)
        self.log.unlink()

    def terminal(self, said: str) -> None:
        """Open a terminal of which Windows says this."""
        self.program("whoami.exe", f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")

    def say(self, *words: str, rc: int = 0, text: str = "", **settings: str) -> str:
        """Type wsl-dl and words; return what it says."""
        path = f"{self.tools}:/usr/bin:/bin"
        environment = {"WSL_DL_PLAYBOOK_SYSTEM32": str(self.tools), "PATH": path, "WSL_DISTRO_NAME": "Ubuntu-24.04"}
        done = subprocess.run(
            [self.prefix / "bin" / "wsl-dl", *words],
            cwd=self.base.parent, env=self.environment | environment | settings, input=text,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == rc, done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def calls(self) -> list[str]:
        """Return what was called since the last question, and forget it."""
        found = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line.replace(f"{self.prefix}/bin/", "").replace(f"{self.base}/", "BASE/").rstrip() for line in found]


@pytest.fixture(scope="module")
def as_installed(tmp_path_factory):
    pc = Pc(tmp_path_factory.mktemp("pc"))
    pc.set_up("en")
    return pc


@pytest.fixture
def pc(as_installed):
    """Return a PC with an administrator's terminal; what a test has changed is as before afterwards."""
    settings = (as_installed.base / "settings.yml").read_bytes()
    yield as_installed
    (as_installed.base / "settings.yml").write_bytes(settings)
    (as_installed.base / "language").write_text("en\n")
    as_installed.terminal(ADMINISTRATOR)
    as_installed.log.unlink(missing_ok=True)


def test_the_command_is_installed_with_its_completion_and_goes_with_the_rest(pc, tmp_path):
    command = pc.prefix / "bin" / "wsl-dl"
    completion = pc.prefix / "share" / "bash-completion" / "completions" / "wsl-dl"
    assert command.stat().st_mode & 0o777 == 0o755 and completion.stat().st_mode & 0o777 == 0o644
    other = Distribution(tmp_path)
    (other.prefix / "bin").mkdir(parents=True)
    (other.prefix / "bin" / "wsl-dl").write_text("somebody else's")
    shutil.copytree(pc.base, other.base, symlinks=True)
    other.run("copy", cwd=pc.zip)
    assert (other.prefix / "share" / "bash-completion" / "completions" / "wsl-dl").exists()
    other.run("forget")
    assert [path for path in other.prefix.rglob("*") if path.is_file()] == [other.prefix / "bin" / "wsl-dl"]
    (other.prefix / "bin" / "wsl-dl").unlink()
    shutil.copytree(pc.base, other.base, symlinks=True)
    other.run("copy", cwd=pc.zip)
    assert (other.prefix / "bin" / "wsl-dl").read_bytes() == (ROOT / "bootstrap" / "wsl-dl").read_bytes()
    other.run("forget")
    assert sorted(str(path.relative_to(other.prefix)) for path in other.prefix.rglob("*")) == ["bin", "share"]


def test_status_is_the_table_of_promises_in_any_terminal(pc):
    pc.terminal(OTHER)
    pc.say("status")
    assert pc.calls == [
        "sudo -- wsl-dl status",
        "python -m pytest verify --hosts=ansible://windows,ansible://wsl --ansible-inventory=inventory/mine"
        " --force-ansible --tb=no -rN proxy= elevated=false enwsl-dl run",
    ]


def test_run_is_the_site_with_its_options_as_root(pc):
    said = pc.say("run", "--tags", "docker_proxy", "-v")
    assert pc.calls == [
        "sudo -- wsl-dl run --tags docker_proxy -v",
        f"{SITE} --tags docker_proxy -v proxy= elevated= en",
    ]
    assert said == (
        "This needs root: sudo asks for the password of your Linux user. If it has none yet, set one in PowerShell: "
        "wsl -d Ubuntu-24.04 -u root passwd mei\n"
    )


def test_a_proxy_that_does_not_answer_is_told_before_the_site_runs(pc):
    pc.run("settings", "proxy_port=1", "proxy_state=present")
    pc.program("wslinfo", "#!/bin/sh\necho mirrored\n")  # Windows is 127.0.0.1
    assert 'The proxy at 127.0.0.1:1 does not answer here. Switch on "Allow LAN"' in pc.say("run", rc=1)
    assert pc.calls == ["sudo -- wsl-dl run"]


@pytest.mark.parametrize("words", [("run",), ("update",), ("proxy", "on", "7897"), ("proxy", "off"), ("undo",)])
def test_a_terminal_that_is_not_an_administrators_is_refused_before_anything(pc, words):
    pc.terminal(OTHER)
    before = (pc.base / "settings.yml").read_text()
    assert pc.say(*words, rc=1, text="yes\n") == (
        "This terminal was not opened as administrator, so nothing was changed. What to do: right-click Terminal in the"
        ' Start menu, "Run as administrator", start the distribution in it, and say there: wsl-dl '
        + " ".join(words)
        + "\n"
    )
    assert (pc.calls, (pc.base / "settings.yml").read_text()) == ([], before)


def test_where_windows_does_not_answer_ansible_says_why(pc):
    pc.program("whoami.exe", "#!/bin/sh\nexit 126\n")  # interop is switched off
    pc.say("run")
    assert pc.calls == ["sudo -- wsl-dl run", f"{SITE} proxy= elevated= en"]


def test_the_proxy_is_switched_off_and_on_for_good(pc):
    pc.say("proxy", "on", "7897")
    assert (pc.settings["proxy_state"], pc.settings["proxy_port"]) == ("present", 7897)
    pc.say("proxy", "off")
    assert (pc.settings["proxy_state"], pc.settings["proxy_port"]) == ("absent", 7897)
    pc.say("proxy", "on")
    assert (pc.settings["proxy_state"], pc.settings["proxy_port"]) == ("present", 7897)
    # 7897 does not answer here: Windows may let WSL through only after this run
    assert pc.calls[1::2] == [f"{SITE} proxy= elevated= en"] * 3


@pytest.mark.parametrize("words", ["", "maybe", "on 0", "on 65536", "on 7890x", "on 7890 x", "off 7890", "on 0x10"])
def test_a_port_that_is_none_is_refused_and_nothing_is_written(pc, words):
    before = (pc.base / "settings.yml").read_text()
    said = "usage: wsl-dl proxy on [PORT] | off; PORT is a number, for example 7890\n"
    assert pc.say("proxy", *words.split(), rc=1) == said
    assert (pc.calls, (pc.base / "settings.yml").read_text()) == ([], before)


def test_update_asks_the_vendors_then_runs_the_site(pc):
    pc.say("update")
    assert pc.calls[1:] == [
        "python BASE/code/scripts/pins.py --skip cuda_windows proxy= elevated=",
        f"{SITE} proxy= elevated= en",
    ]
    pc.run("settings", "cuda_windows_state=present")
    pc.say("update")
    assert pc.calls[1] == "python BASE/code/scripts/pins.py proxy= elevated="


def test_a_vendor_that_does_not_answer_stops_an_update(pc):
    program = pc.base / "venv" / "bin" / "python"
    kept = program.read_text()
    program.write_text("#!/bin/sh\necho 'WSL: it cannot be reached.'\nexit 2\n")
    try:
        said = pc.say("update", rc=1)
    finally:
        program.write_text(kept)
    assert said.endswith(
        "WSL: it cannot be reached.\nNot every vendor could be asked, or has what is expected; see above. Nothing was"
        ' set up anew. "wsl-dl run" goes on with the files that are known.\n'
    )
    assert pc.calls == ["sudo -- wsl-dl update"]


def test_update_takes_newer_code_from_a_folder_and_keeps_the_settings(pc, tmp_path):
    newer = tmp_path / "newer"
    shutil.copytree(pc.zip, newer)
    (newer / "pins.json").write_text("{}")
    with (newer / "requirements.txt").open("a") as file:
        file.write("jsonschema==99\n")
    pc.say("update", str(newer))
    assert (pc.base / "code" / "pins.json").read_text() == "{}"
    assert pc.settings["cuda_windows_state"] == "ignore"
    calls = pc.calls
    assert calls[1].startswith(
        "pip install --disable-pip-version-check --retries 10 --index-url https://index.example/simple"
    )
    assert calls[2:] == [f"{SITE} proxy= elevated= en"]
    pc.run("copy", cwd=pc.zip)


def test_update_from_a_folder_that_is_another_is_refused(pc, tmp_path):
    said = pc.say("update", str(tmp_path), rc=1)
    assert (
        f'{tmp_path} is not the folder of an unpacked ZIP of this repository. Unpack the ZIP ("Extract all"), and name'
        in said
    )
    assert pc.calls == [f"sudo -- wsl-dl update {tmp_path}"]


def test_undo_asks_first(pc):
    assert pc.say("undo", rc=1, text="y\n").endswith("Type yes to go on:\nNothing was changed.\n")
    assert pc.say("undo", rc=1).endswith("Nothing was changed.\n")
    assert pc.calls == ["sudo -- wsl-dl undo"] * 2
    said = pc.say("undo", text="yes\n")
    assert pc.calls[1] == "ansible-playbook -i inventory/mine playbooks/remove.yml proxy= elevated= en"
    assert said.endswith("Taken back. The distribution and WSL go with Install.cmd -Remove on Windows.\n")


def test_a_run_that_fails_is_no_success(pc):
    program = pc.base / "venv" / "bin" / "ansible-playbook"
    kept = program.read_text()
    program.write_text("#!/bin/sh\nexit 4\n")
    try:
        assert "Taken back" not in pc.say("undo", rc=4, text="yes\n")
        pc.say("run", rc=4)
        pc.say("proxy", "off", rc=4)
    finally:
        program.write_text(kept)


@pytest.mark.parametrize(("language", "usage"), [("en", "usage: wsl-dl COMMAND"), ("zh", "用法：wsl-dl 命令")])
def test_help_names_every_command_in_the_persons_language(pc, language, usage):
    (pc.base / "language").write_text(f"{language}\n")
    said = pc.say("--help")
    assert said.splitlines()[0] == usage
    commands = [line.split()[0] for line in said.splitlines() if line[:2] == "  " and line[2] != " "]
    assert commands == ["status", "run", "update", "update", "proxy", "proxy", "undo"]
    assert pc.say() == said and pc.say("explode", rc=2) == said
    assert pc.calls == []


def test_all_that_is_said_is_there_in_chinese(pc):
    (pc.base / "language").write_text("zh\n")
    pc.terminal(OTHER)
    assert pc.say("run", rc=1) == (
        "这个终端不是以管理员身份打开的，没有任何更改。处理办法：在开始菜单右键“终端”，"
        "“以管理员身份运行”，在其中启动发行版，再输入：wsl-dl run\n"
    )
    pc.terminal(ADMINISTRATOR)
    assert pc.say("undo", rc=1, text="no\n").splitlines()[1:] == [
        "将撤销在 Windows 和 WSL 里的设置：代理、CUDA、Docker 等（原来就有的除外）。发行版和你的文件会保留。",
        "输入 yes 继续：",
        "没有任何更改。",
    ]
    pc.say("run")
    assert pc.calls[-1] == f"{SITE} proxy= elevated= zh"


def test_a_folder_that_is_gone_is_told(pc, tmp_path):
    said = f"{tmp_path}/none is not there or not whole. Start Install.cmd on Windows again.\n"
    assert pc.say("run", rc=1, WSL_DL_PLAYBOOK_BASE=f"{tmp_path}/none") == said


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["wsl-dl", ""], "status run update proxy undo --help"),
        (["wsl-dl", "u"], "update undo"),
        (["wsl-dl", "proxy", ""], "on off"),
        (["wsl-dl", "run", "--t"], "--tags"),
        (["wsl-dl", "undo", ""], ""),
    ],
)
def test_bash_completes(typed, offered):
    words = " ".join(f"'{word}'" for word in typed)
    line = f'COMP_WORDS=({words}) COMP_CWORD={len(typed) - 1}; _wsl_dl; echo "${{COMPREPLY[*]}}"'
    script = f"source '{ROOT}/bootstrap/wsl-dl.bash-completion'; {line}"
    done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == offered + "\n"


def test_the_settings_that_it_writes_are_yaml(pc):
    pc.say("proxy", "on", "10809")
    assert yaml.safe_load((pc.base / "settings.yml").read_text())["proxy_port"] == 10809
