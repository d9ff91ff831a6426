"""What "make verify" concludes about the proxy variables of a Windows PC, without one."""

from __future__ import annotations

import pytest

from verify.test_windows import test_the_environment_names_the_proxy as promise

OURS = {"http_proxy": "http://127.0.0.1:7890", "https_proxy": "http://127.0.0.1:7890"}


class Registry:
    def __init__(self, machine: dict[str, str], user: dict[str, str]) -> None:
        self.keys = {"HKLM": machine, "HKCU": user}

    def key(self, path: str) -> dict:
        values = self.keys[path.split(":")[0]]
        return {"properties": {name: {"value": values[name]} for name in values}} if values else {}


@pytest.mark.parametrize("user", [{}, {"HTTP_PROXY": "http://localhost:7890/"}, {"Path": "x"}])
def test_a_new_process_that_gets_the_proxy_is_fine(user):
    promise(Registry(OURS, user), {"proxy_port": 7890})


@pytest.mark.parametrize(
    ("machine", "user", "said"),
    [
        (OURS, {"Https_Proxy": "http://127.0.0.1:10809"}, "the user's own https_proxy is http://127.0.0.1:10809"),
        (OURS, {"HTTP_PROXY": "http://me:secret@10.9.9.9:1"}, "the user's own http_proxy is http://***@10.9.9.9:1"),
        ({}, {}, "http_proxy is not set for the machine"),
        ({"HTTP_PROXY": "http://127.0.0.1:1"}, {}, "the machine's http_proxy is http://127.0.0.1:1"),
    ],
)
def test_the_value_that_wins_is_named(machine, user, said):
    with pytest.raises(AssertionError) as caught:
        promise(Registry(machine, user), {"proxy_port": 7890})
    assert str(caught.value).splitlines()[0] == said
