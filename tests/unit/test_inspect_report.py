"""What an inspection prints: every address with its findings, the gravest first, and what was not shown."""

import pytest

from tracer.powers.nouns import Finding, Rule, Severity, Subject, verdict
from tracer.types import ChainId, Holder, Lane
from watchers.inspectcommand import report

SUBJECT = Subject(ChainId("eip155:1"), Holder(b"\x0a" * 20))


def finding(kind: str, severity: Severity, rule: Rule = Rule.APPROVE, *, shown: bool = True) -> Finding:
    refs: dict[str, str | int] = {"block_height": 7, "block_hash": "ab"}
    return Finding(kind, severity, rule, SUBJECT, f"about {kind}", Lane.REPORTED, refs=refs, shown=shown)


def test_an_address_has_its_parts_in_order_and_the_gravest_first() -> None:
    found = [
        finding("paused", Severity.CRITICAL, Rule.ISSUER),
        finding("single-key", Severity.INFO),
        finding("siblings", Severity.WARN, Rule.INVENTORY, shown=False),
        finding("proxy", Severity.WARN),
        finding("allowance", Severity.CRITICAL),
    ]
    names = {(SUBJECT.chain, SUBJECT.holder.hex()): "0xName"}
    assert report("c", [one.row() for one in found], names).splitlines() == [
        "case c",
        "",
        "0xName  (eip155:1) at block 7 ab",
        "  WHO CAN MOVE IT",
        "    CRITICAL  allowance         about allowance",
        "    WARN      proxy             about proxy",
        "    INFO      single-key        about single-key",
        "  THE TOKENS",
        "    CRITICAL  paused            about paused",
        "  THE INVENTORY",
        "    NOT_SHOWN siblings          about siblings",
        "",
        "5 findings: 2 critical, 1 not shown",
    ]


def test_nothing_seized_is_nothing_found() -> None:
    assert report("c", [], {}) == "case c\n\n0 findings: 0 critical, 0 not shown"
    assert verdict([]) == 0


@pytest.mark.parametrize(
    ("severities", "code"),
    [
        ([(Severity.WARN, True)], 0),
        ([(Severity.INFO, True), (Severity.INFO, False)], 4),
        ([(Severity.INFO, False), (Severity.CRITICAL, True)], 3),
    ],
)
def test_the_exit_code_is_the_gravest(severities: list[tuple[Severity, bool]], code: int) -> None:
    assert verdict([finding("x", severity, shown=shown) for severity, shown in severities]) == code
