"""The rules about legs and addresses: when each fires, and when not."""

from typing import Any

import pytest

from tests.unit.custody_facts import (
    BTC,
    DAY,
    HOUR,
    T0,
    assess,
    asset,
    facts,
    found,
    leg,
    preset,
    record,
    ruled,
    told,
)
from tracer.custody.facts import NOT_SHOWN, Exposure, LegFacts, Outside, Shared
from tracer.custody.record import Record
from tracer.custody.rules import BY_ID, RULES
from tracer.custody.rules import told as told_elsewhere

PLAIN = preset()
NOBODY: list[Any] = []


def test_every_rule_has_one_id_and_is_evaluated_in_one_place() -> None:
    assert len(BY_ID) == len(RULES)
    idle = {rule.id for rule in RULES if rule.on_case is None and rule.on_leg is None}
    assert idle == {rule.id for rule in told_elsewhere.RULES} | {"CLOCK-1", "CLOCK-2", "CLOCK-3"}


# LEG-4

TESTED = ruled(test_kinds=["RECEIVE"])
SAME = {"target": "desk", "target_key": b"\x00\x14" + b"d" * 20}
LOOKALIKE = {"target": "desk", "target_key": b"\x00\x14" + b"d" * 19 + b"e"}


def test_a_main_leg_without_a_test_transfer_is_told() -> None:
    assert told("LEG-4", facts(leg(1, "RECEIVE", T0)), TESTED) == [
        (
            "HIGH",
            "leg receive-1 was paid to desk without a confirmed test transfer to the same script before it",
            ("leg:1", "movement:10"),
            True,
        )
    ]


@pytest.mark.parametrize(
    ("test", "fires"),
    [
        (leg(2, "TEST", T0), False),  # in the same second, so in the same block or before
        (leg(2, "TEST", T0 + 1), True),  # after the main transfer
        (leg(2, "TEST", T0 - 1, **LOOKALIKE), True),  # to another script of the same name
        (leg(2, "TEST", T0 - 1, asset="other"), True),
        (leg(2, "TEST", T0 - 1, verdict=NOT_SHOWN), True),  # not confirmed
        (leg(2, "TEST", T0 - 1, withdrawn=True), True),
    ],
)
def test_a_test_counts_for_its_own_script_once_it_is_confirmed_and_not_after_the_main_leg(
    test: LegFacts, fires: bool
) -> None:
    assert bool(told("LEG-4", facts(leg(1, "RECEIVE", T0), test), TESTED)) is fires


def test_a_second_test_after_the_main_leg_does_not_hide_the_first() -> None:
    case = facts(leg(2, "TEST", T0 - 1), leg(1, "RECEIVE", T0), leg(3, "TEST", T0 + 1))
    assert not told("LEG-4", case, TESTED)


def test_a_leg_asks_for_a_test_itself_or_by_its_kind_and_not_before_it_is_paid() -> None:
    assert not told("LEG-4", facts(leg(1, "DEPOSIT", T0)), TESTED)
    assert told("LEG-4", facts(leg(1, "DEPOSIT", T0, needs_test=True)), TESTED)
    assert not told("LEG-4", facts(leg(1, "RECEIVE")), TESTED)


def test_a_reorg_of_the_test_tells_of_the_main_leg_again_when_only_the_test_changed() -> None:
    from tracer.custody.assess import Assessor

    case, assessor = facts(leg(2, "TEST", T0 - 1), leg(1, "RECEIVE", T0)), Assessor(TESTED)
    assert ("LEG-4", "leg:receive-1") not in assessor.assess(case).findings
    case.put_leg(leg(2, "TEST"))
    assert ("LEG-4", "leg:receive-1") in assessor.assess(case, [2]).findings


# LEG-7

APPROVED = ruled(approvals=2, approved_kinds=["RECEIVE"])


def approvals(*given: tuple[str, int], of: str = "receive-1") -> list[Record]:
    return [record(20 + place, "approval", at, actor=who, leg=of) for place, (who, at) in enumerate(given)]


def test_a_leg_paid_with_one_of_two_approvals_is_told_with_that_one() -> None:
    assert told("LEG-7", facts(leg(1, "RECEIVE", T0), *approvals(("ann", T0))), APPROVED) == [
        (
            "CRITICAL",
            "leg receive-1 was paid at 2026-06-01T00:00:00Z with 1 of 2 approvals",
            ("leg:1", "movement:10", "record:20"),
            True,
        )
    ]


@pytest.mark.parametrize(
    ("given", "fires"),
    [
        ([("ann", T0), ("ben", T0)], False),  # both at the very instant
        ([("ann", T0), ("ben", T0 + 1)], True),  # one too late
        ([("ann", T0), ("ann", T0 - 1)], True),  # one person twice
        ([], True),
    ],
)
def test_approvals_are_of_different_people_and_in_time(given: list[tuple[str, int]], fires: bool) -> None:
    assert bool(told("LEG-7", facts(leg(1, "RECEIVE", T0), *approvals(*given)), APPROVED)) is fires


def test_approvals_are_of_that_leg_and_only_where_the_preset_asks_for_them() -> None:
    two = approvals(("ann", T0), ("ben", T0), of="receive-2")
    assert told("LEG-7", facts(leg(1, "RECEIVE", T0), *two), APPROVED)
    assert not told("LEG-7", facts(leg(1, "RECEIVE")), APPROVED)
    assert not told("LEG-7", facts(leg(1, "DEPOSIT", T0)), APPROVED)
    assert not told("LEG-7", facts(leg(1, "RECEIVE", T0)), PLAIN)


# RECON-1


@pytest.mark.parametrize(("amount", "text"), [(150, "0.00000150"), (-1, "-0.00000001")])
def test_one_unexplained_unit_is_told_whatever_its_sign(amount: int, text: str) -> None:
    message = f"{text} BTC is unexplained"
    assert told("RECON-1", facts(asset(amount)), PLAIN) == [("CRITICAL", message, ("block:900", "ledger"), True)]
    assert not told("RECON-1", facts(asset(0)), PLAIN)


# HOLD-1


def hold(start: int, end: int | None) -> Record:
    return record(30, "hold", start, start=start, end=end, court="the court")


def test_a_leg_paid_during_a_hold_is_told() -> None:
    assert told("HOLD-1", facts(hold(T0, T0 + HOUR), leg(1, "SECURE", T0)), PLAIN) == [
        (
            "CRITICAL",
            "leg secure-1 was paid at 2026-06-01T00:00:00Z, during hold hold-30 of the court",
            ("record:30", "movement:10"),
            True,
        )
    ]


@pytest.mark.parametrize(
    ("time", "end", "fires"),
    [
        (T0 - 1, T0 + HOUR, False),
        (T0 + HOUR - 1, T0 + HOUR, True),
        (T0 + HOUR, T0 + HOUR, False),  # the end is no longer within
        (T0 + DAY, None, True),  # open-ended
    ],
)
def test_a_hold_begins_with_its_start_and_ends_before_its_end(time: int, end: int | None, fires: bool) -> None:
    assert bool(told("HOLD-1", facts(hold(T0, end), leg(1, "SECURE", time)), PLAIN)) is fires
    case = facts(hold(T0, end))
    case.outside.append(outside(time))
    assert bool(told("HOLD-1", case, PLAIN)) is fires


def outside(time: int) -> Outside:
    return Outside(5, 905, time, "btc", "BTC", 8, 2_000, "leak", True)


def test_what_moves_outside_every_leg_during_a_hold_is_told_too_and_what_comes_from_outside_is_not() -> None:
    case = facts(hold(T0, None))
    case.outside.append(outside(T0))
    message = "0.00002000 BTC moved at 2026-06-01T00:00:00Z, during the hold hold-30 of the court"
    assert told("HOLD-1", case, PLAIN) == [("CRITICAL", message, ("record:30", "entry:5", "block:905"), True)]
    assert not told("HOLD-1", facts(hold(T0, None), leg(1, "GAS", T0, sources=())), PLAIN)


def test_a_debit_in_a_hold_stays_the_same_finding_when_the_hold_is_given_an_end() -> None:
    ended = record(31, "hold", T0, start=T0, end=T0 + HOUR, court="the court", supersedes=30)
    before, after = (
        found("HOLD-1", facts(*records, leg(1, "SECURE", T0)), PLAIN)
        for records in ([hold(T0, None)], [hold(T0, None), ended])
    )
    assert [one.key for one in before] == [one.key for one in after] == [("HOLD-1", "leg:secure-1:hold-30")]


def test_a_hold_that_was_superseded_by_one_with_an_end_is_over_then() -> None:
    ended = record(31, "hold", T0, start=T0, end=T0 + HOUR, court="the court", supersedes=30)
    assert not told("HOLD-1", facts(hold(T0, None), ended, leg(1, "SECURE", T0 + HOUR)), PLAIN)


# Addresses


def test_a_custody_address_of_two_cases_is_told_once_for_each_other_case() -> None:
    case = facts()
    assert not told("COLD-2", case, PLAIN)
    case.shared += [Shared("cold/0", "bc1-cold", "case-2"), Shared("cold/0", "bc1-cold", "case-3")]
    assert told("COLD-2", case, PLAIN) == [
        ("WARN", f"cold/0 (bc1-cold) is a custody address of case {other} too", ("watch:cold/0",), True)
        for other in ("case-2", "case-3")
    ]


@pytest.mark.parametrize("rule", ["TOKEN-1", "APPROVE-1", "FORK-1", "INV-1"])
@pytest.mark.parametrize("severity", ["INFO", "WARN", "CRITICAL"])
def test_a_power_of_others_is_told_by_its_rule_alone_and_as_severe_as_it_is(rule: str, severity: str) -> None:
    power = record(40, "power", rule=rule, severity=severity, watch="0xsafe", detail="can be frozen", block="7:ab")
    case = facts(power)
    assert told(rule, case, PLAIN) == [(severity, "0xsafe: can be frozen", ("record:40",), True)]
    assert {one.rule for one in assess(case, PLAIN).findings.values()} == {rule}


def test_a_declared_asset_is_open_until_somebody_decided_on_that_coin() -> None:
    coin = record(41, "declared-asset", chain="Bitcoin Cash", symbol="BCH", amount="79,581", source="the judgment")
    message = "79,581 BCH on Bitcoin Cash is declared only: nobody decided on it"
    assert told("FORK-1", facts(coin), PLAIN) == [("WARN", message, ("record:41",), False)]
    assert told("FORK-1", facts(coin, record(42, "fork-claim", coin="BSV", decision="none")), PLAIN)
    assert not told("FORK-1", facts(coin, record(42, "fork-claim", coin="BCH", decision="left")), PLAIN)


@pytest.mark.parametrize(
    ("category", "rules"),
    [
        ("Sanctions", {"SANCT-1"}),
        ("mixer", {"MIX-1"}),
        ("CoinJoin", {"MIX-1"}),
        ("exchange", set()),
        ("exchange; mixer", {"MIX-1"}),
    ],
)
def test_a_label_of_a_counterparty_is_a_lead_and_never_shown(category: str, rules: set[str]) -> None:
    case = facts()
    case.exposures.append(Exposure(77, "bc1-other", category, "Some Name", "pack-1"))
    for one in assess(case, PLAIN).findings.values():
        assert not one.found.shown
        text = f"bc1-other is called 'Some Name' ({category}) by pack-1: a lead, not an accusation"
        assert (one.found.message, one.found.refs) == (text, ("movement:77",))
    assert {one.rule for one in assess(case, PLAIN).findings.values()} == rules


@pytest.mark.parametrize(
    ("key", "fires"),
    [
        (b"\x6a\x04burn", False),  # OP_RETURN
        (bytes(20), False),  # the zero account
        (bytes(19) + b"\x01", True),
        (b"\x00\x14" + bytes(20), True),  # pays to a hash that somebody may know a key of
        (b"\x51\x6a", True),
    ],
)
def test_a_burn_is_provable_only_where_nobody_can_spend(key: bytes, fires: bool) -> None:
    assert bool(told("BURN-1", facts(leg(1, "DESTROY", T0, target_key=key)), PLAIN)) is fires
    assert not told("BURN-1", facts(leg(1, "RETURN", T0, target_key=key)), PLAIN)


def test_a_burn_that_may_come_back_is_told_before_it_is_paid_unless_it_is_given_up() -> None:
    message = "leg destroy-1 is to go to desk, which is not provably unspendable"
    assert told("BURN-1", facts(leg(1, "DESTROY")), PLAIN) == [("HIGH", message, ("leg:1",), False)]
    message = "leg destroy-1 went to desk, which is not provably unspendable"
    paid = leg(1, "DESTROY", T0)
    assert told("BURN-1", facts(paid), PLAIN) == [("HIGH", message, ("leg:1", "movement:10"), False)]
    assert not told("BURN-1", facts(leg(1, "DESTROY", withdrawn=True)), PLAIN)


def test_a_rule_that_a_preset_turns_off_finds_nothing() -> None:
    case = facts(leg(1, "DEPOSIT", T0), asset(1))
    assert {one.rule for one in assess(case, PLAIN).findings.values()} == {"EXC-2", "RECON-1"}
    assert not assess(case, preset(off=["EXC-2", "RECON-1"])).findings


def test_findings_are_told_apart_by_rule_and_subject() -> None:
    case = facts(leg(1, "DEPOSIT", T0), leg(2, "DEPOSIT", T0), leg(3, "DEPOSIT", asset=BTC))
    assert [one.key for one in found("EXC-2", case, PLAIN)] == [("EXC-2", "leg:deposit-1"), ("EXC-2", "leg:deposit-2")]
    assert [one.found.leg for one in found("EXC-2", case, PLAIN)] == [1, 2]
