"""Every rule and check that the source names is in the vocabulary or the custody model, and nothing else is."""

import re
from pathlib import Path

from tracer.custody.rules import BY_ID

ROOT = Path(__file__).parents[2]
KINDS = sorted({rule.split("-")[0] for rule in BY_ID})
RULE = re.compile(
    rf'"((?:{"|".join(KINDS)}|TRACE|JUDGE|NODE|DATA|CHAIN|VERIFY|PROOF|SRC|LABEL|RECORD)-\d|COVERAGE|STALE|ANCHOR|STAGE)"'
)


def rules_of(text: str) -> set[str]:
    """The rules and checks that tables of a text have a row for."""
    return {rule for row in re.findall(r"^\| ([A-Z][A-Z0-9, -]+) \|", text, re.MULTILINE) for rule in row.split(", ")}


def test_the_vocabulary_has_every_rule_and_check() -> None:
    sources = [path for package in ("tracer", "watchers") for path in (ROOT / package).rglob("*.py")]
    named = {rule for path in sources for rule in RULE.findall(path.read_text(encoding="utf-8"))}
    text = (ROOT / "docs" / "vocabulary.md").read_text(encoding="utf-8")
    custody = (ROOT / "docs" / "custody.md").read_text(encoding="utf-8")
    told = rules_of(text[text.index("## Rules that fire today") :]) | rules_of(custody[custody.index("## Rules") :])
    assert told == named


def test_the_document_of_the_custody_model_has_every_rule_of_it() -> None:
    custody = (ROOT / "docs" / "custody.md").read_text(encoding="utf-8")
    assert rules_of(custody[custody.index("## Rules") :]) == set(BY_ID)
