"""Argument rules: read from a module's documentation, applied by Ansible's own validator."""

from __future__ import annotations

from typing import Any

import pytest

from lab.winsim import argspec, handlers
from lab.winsim.process import CaseInsensitiveDict

handlers.load_handlers()
BASIC = "#AnsibleRequires -CSharpUtil Ansible.Basic\n$spec = @{ supports_check_mode = $true }"
ENVIRONMENT = CaseInsensitiveDict(TEMP="C:\\T")


def check(module: str, script: str = BASIC, **arguments: Any) -> argspec.Checked:
    return argspec.check(module, script, arguments, ENVIRONMENT)


@pytest.mark.parametrize("name", sorted(handlers.MODULES))
def test_each_module_has_rules(name: str) -> None:
    assert all(rule.keys() & {"type", "choices", "path"} for rule in argspec.rules(name).values())


def test_arguments_are_typed_and_completed() -> None:
    args = check("ansible.windows.win_file", dest="%TEMP%\\x", state="directory").args
    assert args == {"path": "C:\\T\\x", "dest": "%TEMP%\\x", "state": "directory"} | args
    args = check("ansible.windows.win_package", path="C:\\x", use_proxy="no", headers='{"a": 1}').args
    assert (args["use_proxy"], args["headers"], args["checksum_algorithm"]) == (False, {"a": 1}, "sha1")
    assert (args["validate_certs"], args["follow_redirects"], args["proxy_url"]) == (
        True,
        "safe",
        None,
    )  # the fragment's


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "missing required arguments: path"),
        ({"path": "C:\\x", "colour": "red"}, "colour. Supported parameters include: "),
        (
            {"path": "C:\\x", "state": "gone"},
            "value of state must be one of: absent, directory, file, touch, got: gone",
        ),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(argspec.ArgumentError) as refused:
        check("ansible.windows.win_file", **arguments)
    assert message in str(refused.value)


def test_elements_of_a_list_are_checked() -> None:
    with pytest.raises(argspec.ArgumentError, match="state"):
        check("ansible.windows.win_optional_feature", name="a,b", state="on")
    assert check("ansible.windows.win_optional_feature", name="a,b").args["name"] == ["a", "b"]


def test_modes_are_passed_on_and_check_mode_is_skipped_where_unsupported() -> None:
    checked = check("ansible.windows.win_ping", _ansible_check_mode=True, _ansible_diff=True)
    assert (checked.check_mode, checked.diff) == (True, True)
    with pytest.raises(argspec.Skipped, match=r"win_ping\) does not support check mode$"):
        check("ansible.windows.win_ping", "supports_check_mode = $false", _ansible_check_mode=True)


def test_only_modules_of_ansible_basic_tell_their_call() -> None:
    assert check("ansible.windows.win_ping").invocation == {"data": "pong"}
    assert check("ansible.windows.win_ping", "Ansible.ModuleUtils.Legacy").invocation is None
    assert check("ansible.windows.win_ping", _ansible_inject_invocation=False).invocation is None
