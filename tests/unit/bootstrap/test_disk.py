"""bootstrap/Disk.ps1: the disk of the distribution is backed up, restored, moved and shrunk, and nothing is lost."""

from __future__ import annotations

import pytest

from lab.winsim.handlers import run_captured
from lab.winsim.model import wsl
from lab.winsim.model.files import Content
from lab.winsim.process import Session
from tests.unit.bootstrap.install_pc import PWSH

pytestmark = pytest.mark.skipif(not PWSH, reason="needs PowerShell 7: pwsh on the PATH, or its path in PWSH")

MIB = 2**20
DISK = 1_350 * MIB  # of a fresh distribution
NOTE = "HKCU\\Software\\wsl-dl-playbook\\disk"
PLACE = "C:\\wsl\\Ubuntu-24.04\\ext4.vhdx"
MOVED = "D:\\wsl\\Ubuntu-24.04\\ext4.vhdx"
SECOND = "C:\\wsl\\Ubuntu-24.04\\ext4-2.vhdx"
FILE = "D:\\ubuntu.vhdx"
DISTRIBUTION = {
    "name": "distribution",
    "distribution": "Ubuntu-24.04",
    "version": "24.04",
    "default_user": "dev",
    "location": "C:\\wsl\\Ubuntu-24.04",
}


@pytest.fixture
def pc(make_pc):
    """A PC with WSL and a distribution in which there is a file."""
    return ready(make_pc)


def ready(make_pc, *, free_c=100, free_d=100, **changes):
    """The same with so many GB (2^30) free."""
    made = make_pc(
        windows={"language": "en-US"},
        features={"VirtualMachinePlatform": "Enabled"},
        installed=[{"name": "wsl"}, DISTRIBUTION],
        disks={"C": {"size_gb": 237, "free_gb": free_c}, "D": {"size_gb": 900, "free_gb": free_d, **changes}},
    )
    write(made, b"precious")
    return made


def distribution(pc):
    return wsl.find(pc.machine, pc.user, "Ubuntu-24.04")


def inside(pc, *words, elevated=False, user=("-u", "root")):
    """Run a program in the distribution, from an ordinary terminal."""
    session = Session(pc.machine, pc.user, elevated, "interactive", 1)
    session.environment, session.cwd = pc.machine.environment_for(pc.user), "C:\\Windows"
    session.environment["WSL_UTF8"] = "1"
    program = "C:\\Program Files\\WSL\\wsl.exe"
    return run_captured(session, [program, "-d", "Ubuntu-24.04", *user, "--cd", "/", "--exec", *words])


def write(pc, text):
    """Work in the distribution: a file gets this text."""
    assert inside(pc, "true").rc == 0
    pc.inside.guests[distribution(pc).id].files["/root/work"] = text
    wsl.stop(pc.machine, distribution(pc))


def read(pc):
    """What is in that file, for somebody in an ordinary terminal; and who the default user is."""
    done = inside(pc, "cat", "/root/work")
    assert done.rc == 0, done
    return done.stdout, inside(pc, "id", "-un", user=()).stdout.strip()


def disks(pc):
    """Every virtual disk and every folder in which one is made: path -> bytes."""
    found = {}

    def walk(path):
        for node in pc.machine.files.listdir(path):
            below = f"{path.rstrip(chr(92))}\\{node.name}"
            if node.name.endswith((".vhdx", ".wsl-dl-playbook")):
                found[below] = None if node.is_dir else node.content.size
            if node.is_dir:
                walk(below)

    for drive in pc.machine.files.drives:
        walk(drive + "\\")
    return found


def stops(pc):
    return [call for call in pc.calls if "--shutdown" in call or "--terminate" in call]


def refused(pc, *texts, **given):
    """Expect that it stops with all these texts at once, and before WSL was stopped or a disk made."""
    before = (pc.state()["distributions"], disks(pc))
    pc.calls.clear()
    code, said = pc.start(Yes=True, **given)
    assert code == 1, said
    assert [text for text in texts if text not in said] == [], said
    assert said.count("Stopped:") == said.count("What to do:") == len(texts), said
    assert (pc.state()["distributions"], disks(pc), stops(pc)) == (before[0], before[1], [])
    assert pc.state()["person"] == {}


def done(pc, text, **given):
    code, said = pc.start(Yes=True, **given)
    assert code == 0, said
    assert text in said
    assert pc.state()["person"] == {}
    return said


# --- backup ------------------------------------------------------------------------------------------------------


def test_a_backup_is_a_copy_of_the_disk(pc):
    code, said = pc.start(Backup=FILE, answers=["yes"])
    assert code == 0, said
    assert "The disk of Ubuntu-24.04 is copied to D:\\ubuntu.vhdx, which needs 2 GB there.\n" in said
    assert pc.world["asked"] == ["WSL is stopped for it: finish first what works there. Go on? yes or no [no]"]
    assert 'Done: D:\\ubuntu.vhdx. To go back to it: Install.cmd -Restore "D:\\ubuntu.vhdx"\n' in said
    assert disks(pc) == {PLACE: DISK, FILE: DISK}
    assert read(pc) == (b"precious", b"dev")
    refused(pc, "D:\\ubuntu.vhdx exists already.", Backup=FILE)


def test_no_is_an_answer(pc):
    for given in ({"Backup": FILE}, {"Move": "D"}, {"Shrink": True}):
        code, said = pc.start(**given, answers=[""])
        assert (code, len(pc.world["asked"])) == (0, 1)
        assert "Nothing was changed.\n" in said
        assert (disks(pc), stops(pc)) == ({PLACE: DISK}, [])


@pytest.mark.campaign
def test_a_backup_that_breaks_off_is_made_anew(pc):
    pc.machine.faults["wsl"] = {"export": 5 * MIB}
    pc.kill = lambda argv: "--export" in argv and pc.kill_once()
    assert pc.start(Yes=True, Backup=FILE)[0] == -9
    assert disks(pc)[f"{FILE}.wsl-dl-playbook\\disk.vhdx"] == 5 * MIB
    assert FILE not in disks(pc)
    done(pc, "Done: D:\\ubuntu.vhdx.", Backup=FILE)
    assert disks(pc) == {PLACE: DISK, FILE: DISK}


@pytest.mark.campaign
def test_a_backup_that_is_not_whole_is_none(pc):
    pc.machine.faults["wsl"] = {"export": 5 * MIB}  # and it says that all is well
    code, said = pc.start(Yes=True, Backup=FILE)
    assert code == 1
    assert "D:\\ubuntu.vhdx was not made (Copy-Disk ended with 0).\n" in said
    assert disks(pc) == {PLACE: DISK}
    pc.machine.faults = {"programs": [{"program": "wsl.exe", "match": "--export", "rc": -1, "times": 1}]}
    code, said = pc.start(Yes=True, Backup=FILE)
    assert code == 1
    assert "D:\\ubuntu.vhdx was not made (Copy-Disk ended with 255).\n" in said  # -1 on Windows
    assert disks(pc) == {PLACE: DISK}


@pytest.mark.campaign
def test_where_a_backup_does_not_fit(make_pc):
    pc = ready(make_pc, free_d=2)
    refused(pc, "Drive D: has 2 GB left, and 3 GB are needed.", Backup=FILE)
    refused(pc, "There is no drive E: that can hold the disk; WSL's must be NTFS.", Backup="E:\\ubuntu.vhdx")
    refused(pc, "ubuntu.vhdx is not the full name of a file that ends in .vhdx.", Backup="ubuntu.vhdx")
    refused(pc, "D:\\ubuntu.tar is not the full name of a file that ends in .vhdx.", Backup="D:\\ubuntu.tar")


def test_a_fat_drive_holds_small_backups_only(make_pc):
    pc = ready(make_pc, filesystem="FAT32")
    done(pc, "Done: D:\\ubuntu.vhdx.", Backup=FILE)
    node = pc.machine.files.get(PLACE)
    node.content = Content(5 * 2**30, data=node.content.data)
    refused(pc, "Drive D: is FAT, where no file is larger than 4 GB.", Backup="D:\\two.vhdx")


# --- restore -----------------------------------------------------------------------------------------------------


def test_a_backup_comes_back_and_the_distribution_stays_the_same(pc):
    before = pc.machine.registry.view(pc.user).get(wsl.HKCU_LXSS, "DefaultDistribution")
    done(pc, "Done:", Backup=FILE)
    write(pc, b"spoilt")
    code, said = pc.start(Restore=FILE, answers=["yes"])
    assert code == 0, said
    assert (
        "Ubuntu-24.04 gets the disk in D:\\ubuntu.vhdx, which needs 2 GB on C:. "
        "What has changed in Ubuntu-24.04 since then is lost when it has started.\n"
    ) in said
    assert read(pc) == (b"precious", b"dev")
    assert disks(pc) == {SECOND: DISK, FILE: DISK}
    assert distribution(pc).id == before
    write(pc, b"spoilt again")
    done(pc, "Done: Ubuntu-24.04 has the disk of D:\\ubuntu.vhdx.", Restore=FILE)
    assert read(pc) == (b"precious", b"dev")
    assert disks(pc) == {PLACE: DISK, FILE: DISK}
    assert pc.machine.registry.view(pc.user).get(wsl.HKCU_LXSS, "DefaultDistribution") == before


@pytest.mark.campaign
def test_a_backup_comes_back_where_the_distribution_is_gone(pc):
    conf = b"[user]\ndefault=dev\n"
    pc.inside.guests[distribution(pc).id].files["/etc/wsl.conf"] = conf
    write(pc, b"precious")
    done(pc, "Done:", Backup=FILE)
    wsl.unregister(pc.machine, distribution(pc))
    said = done(pc, "Done: Ubuntu-24.04 has the disk of D:\\ubuntu.vhdx.", Restore=FILE, Drive="D")
    assert "Ubuntu-24.04 gets the disk in D:\\ubuntu.vhdx, which needs 2 GB on D:.\n" in said
    assert disks(pc) == {MOVED: DISK, FILE: DISK}
    assert read(pc) == (b"precious", b"dev")


@pytest.mark.campaign
@pytest.mark.parametrize("state", [1, 3], ids=["registered", "half registered"])
def test_a_distribution_that_was_being_made_again_is_made(pc, state):
    pc.inside.guests[distribution(pc).id].files["/etc/wsl.conf"] = b"[user]\ndefault=dev\n"
    write(pc, b"precious")
    done(pc, "Done:", Backup=FILE)
    wsl.unregister(pc.machine, distribution(pc))
    pc.kill = lambda argv: "--import-in-place" in argv and pc.kill_once()
    assert pc.start(Yes=True, Restore=FILE, Drive="D")[0] == -9
    view = pc.machine.registry.view(pc.user)
    view.set(f"{wsl.HKCU_LXSS}\\{distribution(pc).id}", "State", state)
    done(pc, "Done:", Restore=FILE, Drive="D")
    assert disks(pc) == {MOVED: DISK, FILE: DISK}
    assert (distribution(pc).state, read(pc)) == (1, (b"precious", b"dev"))


def test_what_is_no_backup_is_refused(make_pc):
    pc = ready(make_pc, free_d=300)
    refused(pc, "There is no file D:\\ubuntu.vhdx.", Restore=FILE)
    pc.machine.files.write_bytes(FILE, b"a letter to Mei")
    refused(pc, "D:\\ubuntu.vhdx is no virtual disk.", Restore=FILE)
    pc.machine.files.put(FILE, Content(200 * 2**30))
    refused(pc, "Drive C: has 107 GB left, and 216 GB are needed.", Restore=FILE)


def test_a_backup_that_does_not_start_leaves_the_former_disk(pc):
    pc.machine.files.put(FILE, Content(900 * MIB, complete=False))
    code, said = pc.start(Yes=True, Restore=FILE)
    assert code == 1
    text = f"Stopped: Ubuntu-24.04 does not start from {SECOND}. It has its former disk again: {PLACE}.\n"
    assert text in said
    assert disks(pc) == {PLACE: DISK, FILE: 900 * MIB}
    assert read(pc) == (b"precious", b"dev")
    wsl.unregister(pc.machine, distribution(pc))
    code, said = pc.start(Yes=True, Restore=FILE)
    assert code == 1
    assert "Stopped: WSL has not taken the disk (wsl ended with 255): Importing the distribution failed." in said
    assert (disks(pc), pc.state()["person"]) == ({FILE: 900 * MIB}, {})


@pytest.mark.campaign
def test_a_copy_of_the_backup_that_breaks_off(pc):
    done(pc, "Done:", Backup=FILE)
    write(pc, b"spoilt")
    pc.machine.faults["robocopy"] = 7 * MIB
    pc.kill = lambda argv: argv[0].endswith("robocopy.exe") and pc.kill_once()
    assert pc.start(Yes=True, Restore=FILE)[0] == -9
    assert read(pc)[0] == b"spoilt"
    done(pc, "Done:", Restore=FILE)
    assert read(pc)[0] == b"precious"
    assert disks(pc) == {SECOND: DISK, FILE: DISK}


# --- move --------------------------------------------------------------------------------------------------------


def test_the_disk_moves_to_another_drive(pc):
    before = distribution(pc).id
    said = done(pc, "Done: the disk is in D:\\wsl\\Ubuntu-24.04.", Move="d")
    assert (
        "The disk of Ubuntu-24.04 moves to D:\\wsl\\Ubuntu-24.04, which needs 2 GB there; "
        "the former one goes when the new one has started.\n"
    ) in said
    assert disks(pc) == {MOVED: DISK}
    assert read(pc) == (b"precious", b"dev")  # not elevated: the disk is the person's own
    assert distribution(pc).id == before
    assert not pc.machine.files.exists("C:\\wsl\\Ubuntu-24.04")
    pc.calls.clear()
    done(pc, "The disk is in D:\\wsl\\Ubuntu-24.04 already.", Move="D:\\")
    assert stops(pc) == []
    done(pc, "Done: the disk is in D:\\linux work.", Move="D:\\linux work\\")
    assert disks(pc) == {"D:\\linux work\\ext4.vhdx": DISK}


@pytest.mark.campaign
def test_where_the_disk_cannot_move(make_pc):
    pc = ready(make_pc, free_d=2)
    refused(pc, "Drive D: has 2 GB left, and 3 GB are needed.", Move="D")
    refused(pc, "There is no drive E: that can hold the disk", Move="E")
    refused(pc, "over there is neither a drive nor the full name of a folder.", Move="over there")
    pc.machine.files.put(MOVED, Content(MIB), parents=True)
    refused(pc, "D:\\wsl\\Ubuntu-24.04\\ext4.vhdx exists already.", "Drive D: has 2 GB left", Move="D")
    refused(ready(make_pc, filesystem="exFAT"), "There is no drive D: that can hold the disk", Move="D")


def test_a_disk_that_does_not_start_at_its_new_place_goes_and_the_former_one_stays(pc):
    def kill(argv):
        if "--shutdown" in argv and (node := pc.machine.files.get(MOVED)):
            node.written += 5  # WSL got as far as attaching it
        return False

    pc.kill = kill
    pc.machine.faults["programs"] = [{"program": "wsl.exe", "match": "--exec id -u", "rc": -1, "times": 1}]
    code, said = pc.start(Yes=True, Move="D")
    assert code == 1
    text = f"Stopped: Ubuntu-24.04 does not start from {MOVED}. It has its former disk again: {PLACE}.\n"
    assert text in said
    assert (disks(pc), read(pc)) == ({PLACE: DISK}, (b"precious", b"dev"))
    assert not pc.machine.files.exists("D:\\wsl\\Ubuntu-24.04")
    assert pc.state()["person"] == {}


@pytest.mark.campaign
def test_what_is_written_while_the_disk_is_copied_is_not_lost(pc):
    pc.kill = lambda argv: "/setowner" in argv and write(pc, b"newer")
    code, said = pc.start(Yes=True, Move="D")
    assert code == 1
    assert "Stopped: The distribution was started while its disk was copied, so the copy is not the newest.\n" in said
    assert (disks(pc), read(pc)) == ({PLACE: DISK}, (b"newer", b"dev"))
    assert pc.state()["person"] == {}


@pytest.mark.campaign
def test_what_was_written_to_both_disks_after_a_kill_stays(pc):
    pc.kill = lambda argv: "BasePath" in argv and (write(pc, b"newer"), pc.kill_once())
    assert pc.start(Yes=True, Move="D")[0] == -9
    former = pc.machine.files.get(PLACE)
    former.written += 5  # somebody had it open
    said = done(pc, "The disk is in D:\\wsl\\Ubuntu-24.04 already.", Move="D")
    assert f"The former disk {PLACE} was written to since it was copied; it stays.\n" in said
    assert disks(pc) == {PLACE: DISK, MOVED: DISK}


@pytest.mark.campaign
def test_a_move_that_was_killed_is_ended_by_the_next_start_whatever_that_is(pc):
    pc.kill = lambda argv: "BasePath" in argv and pc.kill_once()
    assert pc.start(Yes=True, Move="D")[0] == -9
    assert disks(pc) == {PLACE: DISK, MOVED: DISK}
    code, said = pc.start(Yes=True)  # the set-up itself
    assert code == 0, said
    assert disks(pc) == {MOVED: DISK}
    assert read(pc) == (b"precious", b"dev")
    assert pc.state()["machine"]["install"]["drive"] == "C"  # the default answer
    code, said = pc.start(Yes=True, Move="D:\\linux")
    assert code == 0, said
    assert pc.state()["machine"]["install"]["drive"] == "D"


@pytest.mark.campaign
@pytest.mark.parametrize("at", ["BasePath", "gone"])
def test_a_new_disk_that_was_in_use_stays_whatever_happens(pc, at):
    """The PC lost power, was used for days, and WSL happens not to start when Install.cmd is started again."""
    pc.kill = lambda argv: (at in argv or at == "gone" and not pc.machine.files.exists(PLACE)) and pc.kill_once()
    assert pc.start(Yes=True, Move="D")[0] == -9
    write(pc, b"work of days")
    before = disks(pc)
    for given in ({"Move": "D"}, {}):
        pc.machine.faults["programs"] = [{"program": "wsl.exe", "match": "--exec id -u", "rc": -1, "times": 1}]
        code, said = pc.start(Yes=True, **given)
        assert code == 1
        assert f"Stopped: Ubuntu-24.04 does not start from {MOVED}, where it worked before.\n" in said
        assert (f"Nothing was deleted. Its former disk is {PLACE}.\n" in said) == (at == "BasePath")
        assert (disks(pc), read(pc)) == (before, (b"work of days", b"dev"))
    done(pc, "The disk is in D:\\wsl\\Ubuntu-24.04 already.", Move="D")
    assert (disks(pc), read(pc)) == ({MOVED: DISK}, (b"work of days", b"dev"))


@pytest.mark.campaign
def test_a_registry_that_fell_behind_when_the_power_failed_costs_no_disk(pc):
    def kill(argv):
        return not pc.machine.files.exists(PLACE) and pc.kill_once()

    pc.kill = kill
    assert pc.start(Yes=True, Move="D")[0] == -9
    assert disks(pc) == {MOVED: DISK}
    key = f"{wsl.HKCU_LXSS}\\{distribution(pc).id}"
    pc.machine.registry.view(pc.user).set(key, "BasePath", "C:\\wsl\\Ubuntu-24.04")
    done(pc, "The disk is in D:\\wsl\\Ubuntu-24.04 already.", Move="D")
    assert (disks(pc), read(pc)) == ({MOVED: DISK}, (b"precious", b"dev"))


@pytest.mark.campaign
def test_what_somebody_has_moved_elsewhere_meanwhile_stays(pc):
    pc.kill = lambda argv: "/setowner" in argv and pc.kill_once()
    assert pc.start(Yes=True, Move="D")[0] == -9
    pc.machine.files.mkdir("D:\\third")
    pc.machine.files.move(PLACE, "D:\\third\\ext4.vhdx")
    key = f"{wsl.HKCU_LXSS}\\{distribution(pc).id}"
    pc.machine.registry.view(pc.user).set(key, "BasePath", "D:\\third")
    code, said = pc.start(Yes=True, Move="D")
    assert code == 1
    assert f"Stopped: {MOVED} exists already.\n" in said
    assert disks(pc) == {"D:\\third\\ext4.vhdx": DISK, MOVED: DISK}
    assert read(pc) == (b"precious", b"dev")


# --- shrink ------------------------------------------------------------------------------------------------------


def free(pc, size):
    """Files of this size were deleted in the distribution."""
    node = pc.machine.files.get(PLACE)
    node.content = Content(node.content.size, data={**node.content.data, "freed": size})


def test_a_disk_gives_room_back(pc):
    free(pc, 400 * MIB)
    said = done(pc, "Done: 1.4 GB before, 1 GB now.", Shrink=True)
    assert (
        "A copy of the disk of Ubuntu-24.04 is made smaller and takes its place, which needs 2 GB on C: meanwhile.\n"
    ) in said
    assert disks(pc) == {SECOND: DISK - 400 * MIB}
    assert read(pc) == (b"precious", b"dev")


@pytest.mark.campaign
def test_a_disk_that_cannot_be_shrunk_stays(pc):
    pc.machine.faults["programs"] = [{"program": "diskpart.exe", "rc": 5, "times": 1}]
    code, said = pc.start(Yes=True, Shrink=True)
    assert code == 1
    assert f"{SECOND} was not made (Compress-Disk ended with 5).\n" in said
    assert (disks(pc), read(pc)) == ({PLACE: DISK}, (b"precious", b"dev"))


@pytest.mark.campaign
def test_no_room_to_shrink(make_pc):
    pc = ready(make_pc, free_c=2)
    refused(pc, "Drive C: has 2 GB left, and 3 GB are needed.", Shrink=True)


# --- all four ----------------------------------------------------------------------------------------------------


def test_one_at_a_time_and_only_where_there_is_something(make_pc, pc):
    refused(pc, "Backup, restore, move and shrink are done one at a time.", Backup=FILE, Shrink=True)
    refused(
        pc,
        "There is no distribution Debian of WSL 2 with a disk. WSL knows: Ubuntu-24.04.",
        Move="D",
        Distribution="Debian",
    )
    bare = make_pc(windows={"language": "en-US"})
    refused(bare, "WSL is not installed, or too old.", Shrink=True)


@pytest.mark.campaign
def test_another_account_does_not_see_the_distribution(pc):
    refused(pc, "Another account's password was given", Move="D", StartedBy="S-1-5-21-1-2-3-1002")


def test_the_set_up_that_waits_for_a_restart_still_goes_on_after_it(make_pc):
    pc = make_pc(windows={"language": "en-US"})
    assert pc.start(Yes=True)[0] == 0
    assert pc.state()["tasks"] != []
    assert pc.start(Yes=True, Shrink=True)[0] == 1
    assert pc.state()["tasks"] != []


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("given", "kills"),
    [({"Backup": FILE}, 13), ({"Restore": "D:\\old.vhdx"}, 25), ({"Move": "D"}, 26), ({"Shrink": True}, 27)],
    ids=["backup", "restore", "move", "shrink"],
)
def test_it_is_killed_after_each_program_and_ends_as_if_nobody_had_disturbed_it(make_pc, given, kills):
    quiet, pc = ready(make_pc), ready(make_pc)
    for one in (quiet, pc):
        free(one, 400 * MIB)
        done(one, "Done:", Backup="D:\\old.vhdx")
        write(one, b"newer")
    done(quiet, "Done", **given)
    seen = []

    def kill(argv):
        what = argv[:5] if {"stamp", "made"} & set(argv) else argv  # that changes with each start
        if what in seen:
            return False
        seen.append(what)
        return True

    pc.kill = kill
    code, said = pc.start(Yes=True, **given)
    while code == -9:
        pc.kill = lambda argv: False
        assert read(pc)[0] in (b"newer", b"precious")  # it can be used at any time
        wsl.stop(pc.machine, distribution(pc))
        pc.kill = kill
        code, said = pc.start(Yes=True, **given)
    if "Backup" in given and code == 1:
        assert "D:\\ubuntu.vhdx exists already." in said  # it was killed after the last step
        code = 0
    assert code == 0, said
    assert len(seen) == kills
    assert disks(pc) == disks(quiet)
    assert read(pc) == read(quiet)
    assert pc.state() == quiet.state()
