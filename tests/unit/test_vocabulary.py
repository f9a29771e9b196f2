"""Every rule and check that the source names is in the vocabulary, and nothing else is."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RULE = re.compile(
    r'"((?:LEG|VALUE|REORG|SEIZE|TRACE|RECON|JUDGE|EXC|NODE|DATA|CHAIN|VERIFY|PROOF|SRC|LABEL|APPROVE|HOLD)-\d|COVERAGE|STALE|ANCHOR)"'
)


def test_the_vocabulary_has_every_rule_and_check() -> None:
    sources = [path for package in ("tracer", "watchers") for path in (ROOT / package).rglob("*.py")]
    named = {rule for path in sources for rule in RULE.findall(path.read_text(encoding="utf-8"))}
    text = (ROOT / "docs" / "vocabulary.md").read_text(encoding="utf-8")
    rules = text[text.index("## Rules that fire today") :]
    told = {rule for row in re.findall(r"^\| ([A-Z0-9, -]+) \|", rules, re.MULTILINE) for rule in row.split(", ")}
    assert told == named
