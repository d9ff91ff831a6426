"""A PC that visual_studio was applied to."""

from __future__ import annotations

import pytest

from tests.windows.pc import MINE

VSWHERE = "C:\\Program Files (x86)\\Microsoft Visual Studio\\Installer\\vswhere.exe"
WORKLOAD = "Microsoft.VisualStudio.Workload.NativeDesktop"


def test_vswhere_finds_a_complete_visual_studio_with_cpp(pc):
    path = pc.run(
        VSWHERE,
        "-products",
        "*",
        "-version",
        "[17.0,18.0)",
        "-requires",
        WORKLOAD,
        "-property",
        "installationPath",
        "-utf8",
    )
    assert path.endswith("\\2022\\Community")


@pytest.mark.parametrize(
    ("machine", "note"), [("windows11-zh-cn", "product"), ("half-finished", "workload"), ("already-done", None)]
)
def test_the_role_notes_what_it_installed_itself(pc, machine, note):
    if not pc.name.endswith(machine):
        pytest.skip("another machine's case")
    assert pc.value(f"{MINE}\\visual_studio", "installed") == note


def test_the_bootstrapper_was_fetched_once_and_only_for_a_new_installation(pc):
    fetched = [event for event in pc.events("request") if event["bytes"] and event["url"].endswith("/vs_Community.exe")]
    assert len(fetched) == (1 if pc.name.endswith("windows11-zh-cn") else 0)
