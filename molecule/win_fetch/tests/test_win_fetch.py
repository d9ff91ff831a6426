"""A PC with one file fetched."""

from __future__ import annotations

from lab.winsim.model.pins import PINS

FILE = "C:\\ProgramData\\wsl-dl-playbook\\downloads\\wsl.msi"


def test_the_file_is_the_expected_one(pc):
    read = pc.module("ansible.windows.win_stat", path=FILE, checksum_algorithm="sha256")["stat"]
    assert read["checksum"] == PINS["wsl"]["sha256"]


def test_it_was_fetched_once_through_the_proxy(pc):
    asked = [event for event in pc.events("request") if event["url"].endswith("/" + PINS["wsl"]["url"].split("/")[-1])]
    assert {event["proxy"] for event in asked} == {"127.0.0.1:7890"}
    assert len([event for event in asked if event["bytes"]]) == 1  # the other one is the redirect to it
