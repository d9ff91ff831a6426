"""What a user sees while a large download runs, on the wire and in real time."""

from __future__ import annotations

import re

from lab.winsim.model.pins import PINS

CUDA = PINS["cuda_windows"]["url"]
LINE = r"^… (\d+) s  {}  cuda_[\d.]+_windows_x86_64\.exe  ([\d.]+) of 3\.9 GB, (\d+) %, (\d+) MB/s, \d+ s left$"


def test_a_slow_download_is_seen_in_bytes_and_ends_in_a_summary(new_pc, monkeypatch):
    monkeypatch.setenv("ANSIBLE_PROGRESS_FIRST", "2")
    broken_at_first = {"url": CUDA, "kind": "break", "bytes": 400_000_000, "times": 1}
    pc = new_pc(faults={"downloads": [broken_at_first, {"url": CUDA, "kind": "slow", "bytes_per_second": 350_000_000}]})
    run = pc.play("--tags", "cuda_windows")
    assert run.code == 0, run.output[-4000:]
    seen = [tuple(map(float, line)) for line in re.findall(LINE.format(pc.name), run.output, re.M)]
    assert len(seen) >= 2, run.output[-4000:]
    assert seen == sorted(seen)
    assert all(0 < arrived < 3.9 and 200 < rate < 500 for _, arrived, _, rate in seen), seen
    assert "FAILED" not in run.output
    asked = [event for event in pc.events("request") if event["url"] == CUDA]
    assert [(event["method"], event["start"]) for event in asked] == [("GET", 0), ("GET", 400_000_000), ("HEAD", 0)]
    screen = run.output.split("SUMMARY (")[1].splitlines()
    assert screen[1] == pc.name
    assert screen[2].startswith("  done        cuda_windows     The CUDA toolkit on Windows")
    assert screen[screen.index("next") + 1] == "  - Nothing."  # the distribution was not asked for


def test_an_installer_that_asks_for_a_restart_is_told_at_the_end_and_nothing_restarts(new_pc):
    pc = new_pc(faults={"programs": [{"program": "vs_bootstrapper.exe", "rc": 3010, "effect": "full"}]})
    run = pc.play("--tags", "windows_proxy,visual_studio")
    assert run.code == 0, run.output[-4000:]
    screen = " ".join(run.output.split("SUMMARY (")[1].split())
    assert f"- Restart Windows on {pc.name} when it suits you; the installer of Visual Studio asks for it." in screen
    assert pc.events("boot") == []
