"""docs/record.py: in the picture of a terminal each word stands in its column, whatever draws the picture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRINTED = "pc\n  \x1b[33mdone    WSL 2,  and <more> & all\x1b[0m\n  已完成  容器 GPU\n"


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> list[tuple[float, str, float]]:
    """Return the texts of a picture: column, text, width in columns."""
    output = tmp_path_factory.mktemp("record") / "picture.svg"
    options = ["--width", "80", "--title", "x"]
    program = [sys.executable, ROOT / "docs" / "record.py", *options, output, "9", "printf", "%s"]
    subprocess.run([*program, PRINTED], check=True, stdout=subprocess.DEVNULL, timeout=60)
    found = []
    for element in ElementTree.parse(output).iter("{http://www.w3.org/2000/svg}text"):
        if "textLength" in element.attrib and (element.text or "").strip():
            column, width = float(element.attrib["x"]) / 12.2, float(element.attrib["textLength"]) / 12.2
            found.append((round(column, 1), (element.text or "").replace("\xa0", " "), round(width, 1)))
    return found


def test_each_word_stands_in_its_column_and_chinese_ones_have_two(texts):
    assert texts == [
        (0.0, "$ x", 3.0),
        (0.0, "pc", 2.0),
        (2.0, "done", 4.0),
        (10.0, "WSL 2,", 6.0),
        (18.0, "and <more> & all", 16.0),
        (2.0, "已完成", 6.0),
        (10.0, "容器 GPU", 8.0),
    ]


@pytest.mark.parametrize("name", ["make-site.svg", "progress.svg", "own-pc.svg", "zh-CN/own-pc.svg"])
def test_no_text_of_a_picture_begins_with_a_blank(name):
    elements = ElementTree.parse(ROOT / "docs" / name).iter("{http://www.w3.org/2000/svg}text")
    found = [element.text or "" for element in elements if "textLength" in element.attrib]
    assert len(found) > 15
    assert [text for text in found if text != text.strip() or "\xa0\xa0" in text] == []
