"""Virtual disks: wsl.exe --export and --import-in-place, robocopy, icacls, diskpart, and the file system of a drive."""

from __future__ import annotations

import pytest

from lab.winsim.errors import SimulatorError
from lab.winsim.model import wsl as model
from lab.winsim.model.files import Content

EXE = "C:\\Program Files\\WSL\\wsl.exe"
DISK = "C:\\linux\\ext4.vhdx"
COPY = "D:\\copy\\ext4.vhdx"
SIZE = 1_350 * 2**20
READY = {
    "features": {"VirtualMachinePlatform": "Enabled"},
    "installed": [
        {"name": "wsl"},
        {"name": "distribution", "distribution": "u", "default_user": "dev", "location": "C:\\linux"},
    ],
    "disks": {"C": {"size_gb": 100, "free_gb": 50}, "D": {"size_gb": 9, "free_gb": 3, "filesystem": "exFAT"}},
}


@pytest.fixture
def ready(build, on):
    """A Windows with a distribution, and a folder for copies of its disk."""
    host = on(build(**READY))
    host.machine.files.mkdir("D:\\copy")
    return host


def wsl(host, *arguments):
    done = host.run(EXE, *arguments, WSL_UTF8="1")
    return done.rc, done.stdout.decode().replace("\r\n", "\n")


def put(host, text, name="u"):
    guest = host.machine.wsl_backend.guests[model.find(host.machine, host.session.user, name).id]
    guest.files["/root/x"] = text


def get(host, name="u"):
    return wsl(host, "-d", name, "-u", "root", "--cd", "/", "--exec", "cat", "/root/x")


def test_an_exported_disk_is_the_distribution_as_it_was_then(ready):
    assert wsl(ready, "-d", "u", "--exec", "true") == (0, "")
    put(ready, b"then")
    assert wsl(ready, "--export", "u", COPY, "--vhd") == (0, "The operation completed successfully.\n")
    assert not model.is_running(ready.machine, model.find(ready.machine, ready.session.user, "u"))
    assert ready.machine.files.size(COPY) == SIZE
    assert get(ready) == (0, "then")
    put(ready, b"now")
    assert wsl(ready, "--import-in-place", "two", COPY) == (0, "The operation completed successfully.\n")
    assert [get(ready), get(ready, "two")] == [(0, "now"), (0, "then")]
    two = model.find(ready.machine, ready.session.user, "two")
    assert (two.disk, two.default_uid) == (COPY, 0)
    model.unregister(ready.machine, two)
    assert not ready.machine.files.exists("D:\\copy")


def test_a_distribution_has_the_disk_that_the_registry_names(ready):
    assert wsl(ready, "-d", "u", "--exec", "true") == (0, "")
    put(ready, b"then")
    wsl(ready, "--export", "u", COPY, "--vhd")
    assert get(ready) == (0, "then")
    put(ready, b"now")
    wsl(ready, "--shutdown")
    key = f"{model.HKCU_LXSS}\\{model.find(ready.machine, ready.session.user, 'u').id}"
    view = ready.machine.registry.view(ready.session.user)
    view.set(key, "BasePath", "D:\\copy")
    assert get(ready) == (0, "then")
    wsl(ready, "--shutdown")
    view.set(key, "BasePath", "C:\\linux")
    assert get(ready) == (0, "now")
    wsl(ready, "--shutdown")
    view.set(key, "VhdFileName", "none.vhdx")
    code = "Wsl/Service/CreateInstance/MountDisk/HCS/ERROR_FILE_NOT_FOUND"
    text = f"Failed to attach disk 'C:\\linux\\none.vhdx' to WSL2: The system cannot find the file specified\nError code: {code}\n"
    assert get(ready) == (0xFFFFFFFF, text)


def test_what_fails_leaves_no_file_and_what_is_killed_leaves_a_part(ready):
    files = ready.machine.files
    assert wsl(ready, "--export", "nobody", COPY, "--vhd")[0] == 0xFFFFFFFF
    assert "Wsl/Service/ExportDistro/WSL_E_EXPORT_FAILED" in wsl(ready, "--export", "u", "D:\\copy\\x.tar", "--vhd")[1]
    assert "Wsl/ERROR_PATH_NOT_FOUND" in wsl(ready, "--export", "u", "D:\\none\\x.vhdx", "--vhd")[1]
    files.set_free("D:", 2**20)
    assert "Wsl/Service/ExportDistro/ERROR_DISK_FULL" in wsl(ready, "--export", "u", COPY, "--vhd")[1]
    assert files.listdir("D:\\copy") == []
    ready.machine.faults["wsl"] = {"export": 4096}
    wsl(ready, "--export", "u", COPY, "--vhd")
    assert files.size(COPY) == 4096
    assert "Wsl/Service/RegisterDistro/WSL_E_IMPORT_FAILED" in wsl(ready, "--import-in-place", "two", COPY)[1]
    assert "Wsl/Service/RegisterDistro/ERROR_ALREADY_EXISTS" in wsl(ready, "--import-in-place", "U", DISK)[1]
    assert "Wsl/Service/RegisterDistro/ERROR_FILE_NOT_FOUND" in wsl(ready, "--import-in-place", "two", "D:\\x.vhdx")[1]
    with pytest.raises(SimulatorError):
        wsl(ready, "--export", "u", "D:\\copy\\x.tar")


def test_a_disk_of_the_administrators_is_attached_for_them_only(ready):
    wsl(ready, "--export", "u", COPY, "--vhd")
    node = ready.machine.files.get(COPY)
    assert node.owner == "BUILTIN\\Administrators"
    view = ready.machine.registry.view(ready.session.user)
    view.set(f"{model.HKCU_LXSS}\\{model.find(ready.machine, ready.session.user, 'u').id}", "BasePath", "D:\\copy")
    assert wsl(ready, "-d", "u", "--exec", "true")[0] == 0
    ready.session.elevated = False
    assert wsl(ready, "-d", "u", "--exec", "true")[0] == 0xFFFFFFFF
    sid = ready.machine.sid(ready.session.user)
    assert ready.run("icacls.exe", COPY, "/setowner", f"*{sid}").rc == 5
    ready.session.elevated = True
    assert ready.run("icacls.exe", COPY, "/setowner", f"*{sid}").rc == 0
    ready.session.elevated = False
    assert wsl(ready, "-d", "u", "--exec", "true")[0] == 0
    with pytest.raises(SimulatorError):
        ready.run("icacls.exe", COPY, "/grant", "x:F")


def test_robocopy_copies_one_file(ready):
    ready.machine.files.put("C:\\linux\\a b.vhdx", Content(5, data={"disk": "x"}))
    done = ready.run("robocopy.exe", "C:\\linux", "D:\\copy", "a b.vhdx", "/J", "/R:2", "/W:5", "/NJH", "/NJS", "/NDL")
    assert done.rc == 1
    assert ready.machine.files.get("D:\\copy\\a b.vhdx").content.data == {"disk": "x"}
    assert ready.run("robocopy.exe", "C:\\linux", "D:\\copy", "none.vhdx").rc == 16
    ready.machine.files.set_free("D:", 1)
    assert ready.run("robocopy.exe", "C:\\linux", "D:\\copy", "ext4.vhdx").rc == 16
    for words in (
        ["C:\\linux", "D:\\copy"],
        ["C:\\linux", "D:\\copy", "*.vhdx"],
        ["C:\\linux", "D:\\copy", "x", "/MIR"],
    ):
        with pytest.raises(SimulatorError):
            ready.run("robocopy.exe", *words)


def test_diskpart_compacts_what_was_trimmed_of_a_disk_that_nobody_uses(ready):
    files = ready.machine.files
    files.write_text("C:\\s.txt", f'select vdisk file="{DISK}"\r\ncompact vdisk\r\n')
    files.put(DISK, Content(SIZE, data={"freed": 2**20}))
    assert ready.run("diskpart.exe", "/s", "C:\\s.txt").rc == 0
    assert files.size(DISK) == SIZE  # nothing was trimmed
    files.put(DISK, Content(SIZE, data={"freed": 2**20}))
    assert wsl(ready, "-d", "u", "-u", "root", "--exec", "fstrim", "/") == (0, "")
    assert ready.run("diskpart.exe", "/s", "C:\\s.txt").rc != 0  # it is in use
    wsl(ready, "--shutdown")
    assert ready.run("diskpart.exe", "/s", "C:\\s.txt").rc == 0
    assert files.size(DISK) == SIZE - 2**20
    files.write_text("C:\\s.txt", "clean\r\n")
    with pytest.raises(SimulatorError):
        ready.run("diskpart.exe", "/s", "C:\\s.txt")


def test_fsutil_names_the_file_system(ready):
    assert ready.run("fsutil.exe", "fsinfo", "volumeinfo", "D:").stdout == b"File System Name : exFAT\r\n"
    assert [ready.run("fsutil.exe", "fsinfo", "ntfsinfo", drive).rc for drive in ("C:", "D:")] == [0, 1]
