"""From a bare Windows 11 PC in Chinese to the finished one, and once more."""

from __future__ import annotations

from lab.compare import traces

USER = "HKU\\S-1-5-21-568831229-2244024844-2769509295-1001\\Software\\Microsoft\\Windows\\CurrentVersion"
VENDORS = (
    "C:\\Program Files (x86)\\Microsoft Visual Studio\\Installer\\",
    "C:\\Program Files\\NVIDIA Corporation\\Installer2\\",
    "HKLM\\SOFTWARE\\WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\{GUID}\\ ",  # Visual Studio Installer
    "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Lxss\\ ['Nat",
    f"{USER}\\Lxss\\ ['DefaultVersion'",
    f"{USER}\\Internet Settings\\Connections\\ ['DefaultConnectionSettings'",
)


def test_one_run_ends_well(finished):
    _, first, _ = finished
    assert first.code == 0, first.output[-4000:]


def test_windows_was_restarted_exactly_once(finished):
    pc, _, _ = finished
    assert len(pc.events("boot")) == 1


def test_wsl_was_stopped_once_for_both_of_its_files(finished):
    pc, _, _ = finished
    assert [event["arguments"] for event in pc.events("wsl") if "--shutdown" in event["arguments"]] == [["--shutdown"]]


def test_who_is_signed_in_had_a_minute_and_a_message_before_the_restart(finished):
    pc, _, _ = finished
    (asked,) = pc.events("shutdown requested")
    assert (asked["delay"], asked["reason"]) == (
        60,
        "wsl-dl-playbook restarts this PC in a minute to finish its set-up. Save your work now.",
    )


def test_a_second_run_changes_nothing_and_does_not_restart(finished):
    _, _, second = finished
    assert second.code == 0, second.output[-4000:]
    assert second.recap["changed"] == 0


def test_no_byte_was_fetched_twice(finished):
    pc, _, _ = finished
    fetched = [event["url"] for event in pc.events("request") if event["bytes"]]
    assert len(fetched) == len(set(fetched)) == 5


def test_the_large_downloads_began_before_the_first_change(finished):
    pc, _, _ = finished
    kinds = [event["event"] for event in pc.events("request", "hostname", "user proxy", "installed", "features")]
    assert kinds[:4] == ["request"] * 4  # CUDA, the WSL package (and the redirect to it), the image
    assert kinds[4] != "request"


def test_no_secret_is_in_the_output_at_vvv_or_in_what_the_pc_logged(finished):
    pc, first, second = finished
    written = [first.output, second.output]
    written += [path.read_text(errors="replace") for path in (pc.folder / "events.jsonl", pc.folder / "winsim.log")]
    for secret in ("password", "linux-password-hash"):
        text = (pc.folder / secret).read_text()
        assert [position for position, content in enumerate(written) if text in content] == [], secret


def test_the_password_hash_reached_the_distribution(finished):
    pc, _, _ = finished
    (distribution,) = pc.state()["wsl"].values()
    assert distribution["users"]["dev"]["password_set"] is True


def test_the_simulator_met_nothing_that_it_does_not_know(finished):
    pc, _, _ = finished
    assert pc.events("simulator_error", "module_refused") == []


def test_remove_takes_everything_back_but_what_it_announces(finished, new_pc):
    pc = finished[0]
    purge = ("-e", '{"wsl_enable_purge": true}')
    run = pc.play(*purge, playbook="playbooks/remove.yml")
    assert run.code == 0, run.output[-4000:]
    before_the_first_change = run.output.split("TASK [wsl_distribution : absent")[0]
    assert "What the vendors' uninstallers leave" in before_the_first_change
    assert pc.play(*purge, playbook="playbooks/remove.yml").recap["changed"] == 0
    pc.winsim("reboot")
    before, after = traces(new_pc().state()), traces(pc.state())
    assert before - after == set()
    # What the playbook announces: empty folders and keys, and what the vendors leave.
    assert {line[:150] for line in after - before if not line.endswith("\\") and not line.startswith(VENDORS)} == set()
