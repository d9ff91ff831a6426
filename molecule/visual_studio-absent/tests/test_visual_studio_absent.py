"""A PC that visual_studio has left again."""

from __future__ import annotations

from tests.windows.pc import MINE, Pc

VSWHERE = "C:\\Program Files (x86)\\Microsoft Visual Studio\\Installer\\vswhere.exe"
WORKLOAD = "Microsoft.VisualStudio.Workload.NativeDesktop"


def installations(pc: Pc, *more: str) -> list[str]:
    return (
        pc.run(VSWHERE, "-products", "*", *more, "-property", "installationPath", "-utf8").split("\n")
        if pc.exists(VSWHERE)
        else [""]
    )


def test_what_was_there_before_is_there_and_nothing_else(pc):
    product, workload = bool(installations(pc)[0]), bool(installations(pc, "-requires", WORKLOAD)[0])
    expected = {"windows11-zh-cn": (False, False), "half-finished": (True, False), "already-done": (True, True)}
    (case,) = [case for machine, case in expected.items() if pc.name.endswith(machine)]
    assert (product, workload) == case


def test_nothing_is_noted_any_more(pc):
    assert pc.key(f"{MINE}\\visual_studio")["exists"] is False


def test_the_bootstrapper_is_gone(pc):
    assert not pc.exists("C:\\ProgramData\\wsl-dl-playbook\\downloads\\vs_community.exe")
