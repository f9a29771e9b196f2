"""What docs/control.md shows of statements and methods is what the code has."""

import re
from pathlib import Path

from test_control_message import TEXT

from tracer.proof.control.message import read, write
from tracer.proof.control.shown import Method

DOCUMENT = (Path(__file__).parents[2] / "docs" / "control.md").read_text(encoding="utf-8")


def test_the_example_is_a_statement() -> None:
    (block,) = re.findall(r"^```\n(.*?)\n```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert block == TEXT == write(read(block))


def test_every_method_is_named_and_no_other() -> None:
    section = DOCUMENT[DOCUMENT.index("### Methods") : DOCUMENT.index("What is verified is always")]
    assert re.findall(r"^\| `(.*?)` \|", section, re.MULTILINE) == [method.value for method in Method]
