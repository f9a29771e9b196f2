"""What is foreseen of a payment is what the rules tell once it was made, and nothing that they told before."""

from dataclasses import replace

import pytest

from tests.unit.custody_facts import HOUR, T0, arrived, assess, facts, leg, preset, record
from tracer.custody.foresee import foreseen

ASKING = preset(
    rules={"approvals": 2, "approved_kinds": ["RECEIVE"], "bond_percent": 110, "test_kinds": ["RECEIVE"]},
    needs=[{"legs": "RECEIVE", "record": "mandate what=entrustment"}],
)
FILED = T0 - 2 * HOUR
PAPERS = [
    *(
        record(number, "approval", FILED, actor=who, leg="receive-1", tip_id=500)
        for number, who in ((1, "ann"), (2, "ben"))
    ),
    record(3, "bond", FILED, amount="1 CNY", basis="b", tip_id=500),
    record(4, "mandate", FILED, what="entrustment", scope="all", tip_id=500),
    record(5, "valuation", FILED, asset="bitcoin:BTC", value="0.90 CNY", source="s"),
]
TESTED = leg(2, "TEST", T0 - HOUR)


def rules(*things: object, now: int = T0 + 60) -> list[str]:
    return sorted(one.rule for one in foreseen(facts(*things), ASKING, 1, 100, now))


@pytest.mark.parametrize(
    ("without", "told"),
    [
        ((), ["LEG-4"]),
        ((1,), ["LEG-4", "LEG-7"]),
        ((3,), ["BOND-1", "LEG-4"]),
        ((4,), ["DOC-1", "LEG-4"]),
        ((1, 2, 3, 4), ["BOND-1", "DOC-1", "LEG-4", "LEG-7"]),
    ],
)
def test_what_an_untested_payment_lacks_is_foreseen(without: tuple[int, ...], told: list[str]) -> None:
    assert rules(leg(1, "RECEIVE"), *(one for one in PAPERS if one.id not in without)) == told


def test_what_comes_only_after_the_payment_does_not_count() -> None:
    assert rules(leg(1, "RECEIVE"), TESTED, *PAPERS, now=T0 - 2 * HOUR) == ["LEG-4"]
    assert rules(leg(1, "RECEIVE"), TESTED, *PAPERS, now=T0 - 2 * HOUR - 1) == ["BOND-1", "DOC-1", "LEG-4", "LEG-7"]


def test_what_is_told_already_is_not_foreseen_again() -> None:
    """The test transfer was made without a bond: paying the rest adds nothing to that."""
    papers = [one for one in PAPERS if one.id != 3]
    case = facts(leg(1, "RECEIVE"), TESTED, *papers)
    assert "BOND-1" in {one.rule for one in assess(case, ASKING).findings.values()}
    assert rules(leg(1, "RECEIVE"), TESTED, *papers) == []


def test_a_payment_in_order_foresees_nothing_and_a_second_part_neither() -> None:
    first = replace(leg(1, "RECEIVE"), arrivals=(arrived(T0 + 30, 40),))
    assert rules(leg(1, "RECEIVE"), TESTED, *PAPERS) == []
    assert rules(first, TESTED, *PAPERS) == []
