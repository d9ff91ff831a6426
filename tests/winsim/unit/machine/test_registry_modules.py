"""win_regedit, win_reg_stat, win_environment, win_path."""

from __future__ import annotations

KEY = "HKLM:\\SOFTWARE\\Lab"


def test_a_key_is_made_once_and_never_in_check_mode(host):
    assert host.module("win_regedit", check=True, path=KEY)["changed"] is True
    assert host.module("win_reg_stat", path=KEY)["exists"] is False
    assert host.module("win_regedit", path=KEY)["changed"] is True
    assert host.module("win_regedit", path=KEY)["changed"] is False
    assert host.module("win_reg_stat", path=KEY) == {"changed": False, "exists": True, "properties": {}, "sub_keys": []}


def test_a_dword_is_written_compared_and_shown_in_the_diff(host):
    args = {"path": KEY, "name": "Speed", "type": "dword"}
    first = host.module("win_regedit", **args, data=4294967295, diff=True)
    assert (first["changed"], first["data_changed"], first["data_type_changed"]) == (True, False, False)
    assert first["diff"] == {"before": {}, "after": {KEY: {"Speed": {"type": "DWord", "value": "0xffffffff"}}}}
    assert host.module("win_regedit", **args, data="0xffffffff")["changed"] is False
    second = host.module("win_regedit", **args, data=1)
    assert (second["changed"], second["data_changed"]) == (True, True)
    assert host.module("win_reg_stat", path=KEY, name="Speed") == {
        "changed": False,
        "exists": True,
        "type": "REG_DWORD",
        "value": 1,
        "raw_value": 1,
    }


def test_a_path_without_colon_is_refused(host, fails):
    with fails("path: HKLM\\\\SOFTWARE is not a valid powershell path"):
        host.module("win_regedit", path="HKLM\\SOFTWARE")


def test_another_type_is_a_change_even_with_equal_data(host):
    host.module("win_regedit", path=KEY, name="Home", data="%USERPROFILE%")
    result = host.module("win_regedit", path=KEY, name="Home", data="%USERPROFILE%", type="expandstring")
    assert (result["changed"], result["data_type_changed"], result["data_changed"]) == (True, True, False)
    stat = host.module("win_reg_stat", path=KEY, name="Home")
    assert (stat["value"], stat["raw_value"]) == ("C:\\Users\\student", "%USERPROFILE%")


def test_absent_removes_a_value_then_the_key(host):
    host.module("win_regedit", path=KEY, name="a", data="1")
    host.module("win_regedit", path=KEY, name="b", data="2")
    assert host.module("win_regedit", path=KEY, name="a", state="absent")["changed"] is True
    assert host.module("win_regedit", path=KEY, name="a", state="absent")["changed"] is False
    assert list(host.module("win_reg_stat", path=KEY)["properties"]) == ["b"]
    assert host.module("win_regedit", path=KEY, state="absent")["changed"] is True
    assert host.module("win_regedit", path=KEY, state="absent")["changed"] is False


def test_hkcu_belongs_to_the_user(build, on):
    machine = build(users=[{"name": "student"}, {"name": "other"}])
    on(machine).module("win_regedit", path="HKCU:\\Software\\Lab", name="mine", data="yes")
    assert on(machine, "other").module("win_reg_stat", path="HKCU:\\Software\\Lab")["exists"] is False
    sid = machine.sid("student")
    assert (
        on(machine, "other").module("win_reg_stat", path=f"HKU:\\{sid}\\Software\\Lab", name="mine")["value"] == "yes"
    )


def test_a_machine_variable_is_set_once(host):
    args = {"level": "machine", "name": "HTTP_PROXY", "value": "http://127.0.0.1:7890"}
    assert host.module("win_environment", check=True, **args)["changed"] is True
    assert "http_proxy" not in host.machine.environment_for("student")
    first = host.module("win_environment", **args)
    assert (first["changed"], first["before_value"], first["value"]) == (True, None, "http://127.0.0.1:7890")
    assert host.machine.environment_for("student")["http_proxy"] == "http://127.0.0.1:7890"
    second = host.module("win_environment", **args)
    assert (second["changed"], second["before_value"]) == (False, "http://127.0.0.1:7890")
    gone = {"level": "machine", "name": "HTTP_PROXY", "state": "absent"}
    assert host.module("win_environment", **gone)["changed"] is True
    assert host.module("win_environment", **gone)["changed"] is False


def test_variables_set_and_remove_in_one_call(host):
    host.module("win_environment", level="user", variables={"A": "1", "B": "2"})
    result = host.module("win_environment", level="user", variables={"A": "1", "B": None, "C": "3"}, diff=True)
    assert result["changed"] is True
    assert {name: item["changed"] for name, item in result["values"].items()} == {"A": False, "B": True, "C": True}
    assert result["diff"] == {"before": {"user": {"A": "1", "B": "2"}}, "after": {"user": {"A": "1", "C": "3"}}}


def test_present_without_value_is_refused(host, fails):
    with fails("When state=present, value must be defined and not an empty string"):
        host.module("win_environment", level="user", name="A", state="present", value="")
