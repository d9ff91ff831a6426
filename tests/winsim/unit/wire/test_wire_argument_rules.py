"""Argument rules: read from a module's source, applied with the real messages."""

from __future__ import annotations

from typing import Any

import pytest

from lab.winsim import argspec
from lab.winsim.errors import SimulatorError
from lab.winsim.process import CaseInsensitiveDict
from lab.winsim.psliteral import DYNAMIC, LiteralReader

MODULE = """#!powershell
#AnsibleRequires -CSharpUtil Ansible.Basic
$levels = 'low', 'high'
$spec = @{
    options = @{
        # a comment with a brace }
        name = @{ type = 'str'; required = $true; aliases = @('title', 'label') }
        level = @{ type = 'str'; choices = $levels; default = 'low' }
        count = @{ type = 'int' }
        size = @{ type = 'float' }
        active = @{ type = 'bool' }
        folder = @{ type = 'path' }
        items = @{ type = 'list'; elements = 'int' }
        kinds = @{ type = 'list'; elements = 'str'; choices = 'a', 'b' }
        text = @{ type = 'json' }
        secret = @{ type = 'str'; no_log = $true }
        old = @{ type = 'str'; removed_in_version = '9.0.0'; removed_from_collection = 'a.b' }
        nested = @{
            type = 'dict'
            options = @{
                inner = @{ type = 'int'; required = $true }
                other = @{ type = 'str'; default = 'x' }
            }
        }
        parts = @{ type = 'list'; elements = 'dict'; options = @{ key = @{ type = 'str'; required = $true } } }
        computed = @{ type = [Func[[Object], [Int]]]{ [int]::Parse($args[0]) }; default = (Get-Date).Year }
    }
    mutually_exclusive = @(, @('count', 'size'))
    required_together = @(
        , @('text', 'folder')
    )
    required_one_of = @(, @('name', 'count'))
    required_if = @(
        @('level', 'high', @('count', 'active'), $true),
        @('name', 'needs', @('folder'))
    )
    required_by = @{ size = 'folder' }
    supports_check_mode = $true
}
$module = [Ansible.Basic.AnsibleModule]::Create($args, $spec)
"""
LEGACY = """#!powershell
#Requires -Module Ansible.ModuleUtils.Legacy
$params = Parse-Args -arguments $args -supports_check_mode $false
$path = Get-AnsibleParam -obj $params -name "path" -type "path" -failifempty $true -aliases "dest","file"
$state = Get-AnsibleParam -obj $params -name "state" -type "str" -default "present" -validateset "absent","present"
$force = Get-AnsibleParam $params "force" -type "bool" -default $false
$maybe = Get-AnsibleParam -obj $params -name "maybe" -failifempty ($state -eq "absent")
"""
ENVIRONMENT = CaseInsensitiveDict(TEMP="C:\\T")


def check(**arguments: Any) -> argspec.Checked:
    return argspec.check("a.b.c", MODULE, {"_ansible_module_name": "a.b.c", **arguments}, ENVIRONMENT)


def test_arguments_are_typed_and_completed() -> None:
    args = check(
        LABEL="n",
        count="5",
        active="yes",
        folder="%TEMP%\\x",
        items="1, 2",
        kinds="A",
        text={"k": 1},
        nested={"inner": "3"},
    ).args
    assert args == {
        "name": "n",
        "label": "n",
        "level": "low",
        "count": 5,
        "size": None,
        "active": True,
        "folder": "C:\\T\\x",
        "items": [1, 2],
        "kinds": ["A"],
        "text": '{"k":1}',
        "secret": None,
        "old": None,
        "nested": {"inner": 3, "other": "x"},
        "parts": None,
        "computed": None,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "missing required arguments: name"),
        (
            {"name": "n", "colour": "red"},
            (
                "Unsupported parameters for (a.b.c) module: colour. Supported parameters include: name, level, count, size, "
                "active, folder, items, kinds, text, secret, old, nested, parts, computed, title, label"
            ),
        ),
        ({"name": "n", "level": "mid"}, "value of level must be one of: low, high. Got no match for: mid"),
        ({"name": "n", "kinds": ["a", "c"]}, "value of kinds must be one or more of: a, b. Got no match for: c"),
        ({"name": "n", "count": 1, "size": 2}, "parameters are mutually exclusive: count, size"),
        ({"name": "n", "text": "{}"}, "parameters are required together: text, folder"),
        ({"name": "n", "level": "high"}, "level is high but any of the following are missing: count, active"),
        ({"name": "needs"}, "name is needs but all of the following are missing: folder"),
        ({"name": "n", "size": 1}, "missing parameter(s) required by 'size': folder"),
        (
            {"name": "n", "count": "many"},
            (
                "argument for count is of type System.String and we were unable to convert to int: Input string was not in a "
                "correct format."
            ),
        ),
        (
            {"name": "n", "active": "maybe"},
            (
                "argument for active is of type System.String and we were unable to convert to bool: The value 'maybe' is not "
                "a valid boolean. Valid booleans include: y, yes, on, 1, true, t, 1.0, n, no, off, 0, false, f, 0.0"
            ),
        ),
        (
            {"name": "n", "nested": 4},
            (
                "argument for nested is of type System.Int32 and we were unable to convert to dict: System.Int32 cannot be "
                "converted to a dict"
            ),
        ),
        ({"name": "n", "nested": {"other": "x"}}, "missing required arguments: inner found in nested"),
        (
            {"name": "n", "nested": {"inner": 1, "more": 2}},
            "Unsupported parameters for (a.b.c) module: more found in nested. Supported parameters include: inner, other",
        ),
        ({"name": "n", "parts": [{"key": "k"}, {}]}, "missing required arguments: key found in parts"),
        (
            {"name": "n", "items": [1, "x"]},
            (
                "argument for list entry items is of type System.String and we were unable to convert to int: Input string "
                "was not in a correct format."
            ),
        ),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(argspec.ArgumentError) as refused:
        check(**arguments)
    assert str(refused.value) == message


def test_required_one_of_counts_what_is_given() -> None:
    script = MODULE.replace("required = $true; aliases", "aliases")
    with pytest.raises(argspec.ArgumentError, match="^one of the following is required: name, count$"):
        argspec.check("a.b.c", script, {}, ENVIRONMENT)


def test_secrets_are_taken_out_of_the_result() -> None:
    checked = check(name="n", secret="hush")
    assert checked.invocation["secret"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    result = {"a": "hush", "b": ["x hush y"], "c": {"d": 1}}
    expected = {"a": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "b": ["x ******** y"], "c": {"d": 1}}
    assert checked.censor(result) == expected


def test_deprecated_options_are_reported() -> None:
    text = "Param 'old' is deprecated. See the module docs for more information"
    assert check(name="n", old="x").deprecations == [{"msg": text, "version": "9.0.0"}]


def test_modes_are_passed_on_and_check_mode_is_skipped_where_unsupported() -> None:
    checked = check(name="n", _ansible_check_mode=True, _ansible_diff=True)
    assert (checked.check_mode, checked.diff) == (True, True)
    script = MODULE.replace("supports_check_mode = $true", "supports_check_mode = $false")
    with pytest.raises(argspec.Skipped, match=r"^remote module \(a.b.c\) does not support check mode$"):
        argspec.check("a.b.c", script, {"name": "n", "_ansible_check_mode": True}, ENVIRONMENT)


def test_legacy_modules_take_their_arguments_as_they_do_in_life() -> None:
    args = argspec.check("a.b.l", LEGACY, {"file": "%TEMP%", "force": "yes", "typo": 1}, ENVIRONMENT).args
    assert args == {"path": "C:\\T", "state": "present", "force": True, "maybe": None}
    with pytest.raises(argspec.ArgumentError, match="^Get-AnsibleParam: Missing required argument: path$"):
        argspec.check("a.b.l", LEGACY, {}, ENVIRONMENT)
    text = "^Get-AnsibleParam: Argument state needs to be one of absent,present but was gone.$"
    with pytest.raises(argspec.ArgumentError, match=text):
        argspec.check("a.b.l", LEGACY, {"path": "x", "state": "gone"}, ENVIRONMENT)


def test_source_without_rules_is_an_error() -> None:
    with pytest.raises(SimulatorError, match="the argument rules of module a.b.d can not be read"):
        argspec.extract("a.b.d", "using Ansible.Basic; $complex_args")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("@('a', 'b')", ["a", "b"]),
        ("'a', 'b'", ["a", "b"]),
        ("@(, @('a', 'b'))", [["a", "b"]]),
        ("@(@('a'), @('b', 'c'))", [["a"], ["b", "c"]]),
        ('"x`ny"', "x\ny"),
        ("'it''s'", "it's"),
        ("0x10", 16),
        ("-5", -5),
        ("2MB", 2097152),
        ("1.5", 1.5),
        ("$true", True),
        ("$null", None),
        ("[string]'a'", "a"),
        ("'a' + 'b'", "ab"),
        ("@('a') + 'b'", ["a", "b"]),
        ("@{ a = 1 # one\n 'b c' = @{} }", {"a": 1, "b c": {}}),
        ("$unknown", DYNAMIC),
        ('"a $b"', DYNAMIC),
        ("(Get-Date)", DYNAMIC),
        ("[Enum]::GetNames([X])", DYNAMIC),
    ],
)
def test_literals(text: str, value: Any) -> None:
    assert LiteralReader(text).read_value() == value
