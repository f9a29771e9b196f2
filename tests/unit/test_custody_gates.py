"""The conditions of gates, and where a case stands: forward, back again, and beside."""

from typing import Any

import pytest

from tests.unit.custody_facts import DAY, HOUR, T0, arrived, assess, asset, facts, leg, preset, record
from tests.unit.custody_plays import PLAYS, STEP, after
from tracer.custody.facts import CONTRADICTED, NOT_SHOWN, SHOWN, Attested, CaseFacts, Outside, Unseen
from tracer.custody.gates import check, event_at
from tracer.custody.presetfiles import find_preset
from tracer.custody.stages import stand

BEIJING = find_preset("beijing-2025")
SOLD = PLAYS["beijing: sold"][1]


def holds(condition: str, case: CaseFacts, finding: tuple[str, ...] = ()) -> tuple[bool, int | None, str]:
    """Whether a condition holds, since when, and what is missing."""
    met = check(condition, case, finding)
    return met.holds, met.at, met.missing


def chains(**opened: int | None) -> CaseFacts:
    case = facts()
    case.opened = dict(opened)
    return case


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (chains(), (False, None, "a seizure height, or a declared-asset record")),
        (chains(btc=None, eth=None), (False, None, "the seizure height on btc, eth")),
        (chains(btc=T0, eth=None), (False, T0, "the seizure height on eth")),
        (chains(btc=T0, eth=T0 + 1), (True, T0 + 1, "")),
    ],
)
def test_seized_asks_for_the_height_on_every_chain(case: CaseFacts, expected: tuple[bool, int | None, str]) -> None:
    assert holds("seized", case) == expected
    assert event_at("seizure", case, {}) == (expected[1] if expected[0] else None)


def test_a_case_on_no_chain_is_seized_when_an_asset_is_declared() -> None:
    doge = record(1, "declared-asset", T0, chain="dogecoin", symbol="DOGE", amount="6 bn", source="judgment")
    assert holds("seized", facts(doge)) == (True, T0, "")
    on_a_chain = facts(doge)
    on_a_chain.opened = {"btc": None}
    assert holds("seized", on_a_chain) == (False, None, "the seizure height on btc")


def test_record_holds_from_the_earliest_such_record_that_counts() -> None:
    two = facts(record(1, "fx-approval", T0 + HOUR, number="1"), record(2, "fx-approval", T0, number="2"))
    assert check("record fx-approval", two, ()).refs == ("record:1", "record:2")
    assert holds("record fx-approval", two) == (True, T0, "")
    assert event_at("record fx-approval", two, {}) == T0
    assert holds("record fx-approval number=1", two) == (True, T0 + HOUR, "")
    assert holds("record fx-approval number=3", two) == (False, None, "a record: fx-approval number=3")
    gone = facts(record(1, "fx-approval", number="1"), record(2, "fx-approval", T0, number="2", supersedes=1))
    assert holds("record fx-approval number=1", gone)[0] is False


@pytest.mark.parametrize(("percent", "opens"), [(9, False), (10, True), (11, True)])
def test_a_record_can_be_asked_for_a_number_at_least_as_large(percent: int, opens: bool) -> None:
    case = facts(record(1, "expected-loss", asset="bitcoin:BTC", percent=percent, source="s"))
    assert holds("record expected-loss percent>=10", case)[0] is opens


@pytest.mark.parametrize(
    ("legs", "must", "may", "none"),
    [
        ([], "a planned RECEIVE leg", "", ""),
        ([leg(1, "RECEIVE")], "1 of 1 RECEIVE legs", "1 of 1 RECEIVE legs", "that none of 1 RECEIVE legs is planned"),
        ([leg(1, "RECEIVE", T0)], "", "", "that none of 1 RECEIVE legs is planned"),
        ([leg(1, "RECEIVE", T0), leg(2, "RECEIVE")], "1 of 2 RECEIVE legs", "1 of 2 RECEIVE legs", "that none of 2"),
        ([leg(1, "RECEIVE", T0), leg(2, "RECEIVE", withdrawn=True)], "", "", "that none of 1 RECEIVE legs is planned"),
        ([leg(1, "RECEIVE", withdrawn=True)], "a planned RECEIVE leg", "", ""),
        ([leg(1, "DEPOSIT", T0)], "a planned RECEIVE leg", "", ""),
        (
            [leg(1, "RECEIVE", T0, verdict=CONTRADICTED), leg(2, "RECEIVE")],
            "2 of 2 RECEIVE legs, 1 of them against its plan",
            "2 of 2 RECEIVE legs, 1 of them against its plan",
            "that none of 2",
        ),
    ],
)
def test_legs_say_how_many_are_missing(legs: list[Any], must: str, may: str, none: str) -> None:
    case = facts(*legs)
    assert holds("legs RECEIVE", case)[::2] == (not must, must)
    assert holds("legs-if-any RECEIVE", case)[::2] == (not may, may)
    assert holds("no-legs RECEIVE", case)[0] is not none
    assert holds("no-legs RECEIVE", case)[2].startswith(none)
    assert holds("planned RECEIVE", case)[0] is bool(none)
    assert holds("planned RECEIVE", case)[2] == ("" if none else "a planned RECEIVE leg")


def test_legs_hold_since_the_last_part_arrived() -> None:
    case = facts(leg(1, "RECEIVE", T0 + 5, T0 + 9), leg(2, "RECEIVE", T0))
    assert holds("legs RECEIVE", case) == (True, T0 + 9, "")
    assert event_at("leg RECEIVE", case, {}) == T0
    assert event_at("last-leg RECEIVE", case, {}) == T0 + 9
    case.put_leg(leg(3, "RECEIVE"))
    assert event_at("leg RECEIVE", case, {}) == T0
    assert event_at("last-leg RECEIVE", case, {}) is None
    assert event_at("leg DEPOSIT", case, {}) is None


@pytest.mark.parametrize(
    ("times", "valid", "opens"),
    [
        ((), (T0, None), True),  # not yet paid: it counts now, an hour later
        ((), (T0, T0 + HOUR), True),
        ((), (T0, T0 + HOUR - 1), False),
        ((), (T0 + HOUR + 1, None), False),
        ((T0 + 5,), (T0, T0 + 5), True),  # paid: it counted then, and may have ended since
        ((T0 + 5,), (T0, T0 + 4), False),
        ((T0 + 5,), (T0 + 6, None), False),
        ((T0 + 5, T0 + 9), (T0, T0 + 5), False),  # one part of two
    ],
)
def test_an_attestation_counts_when_a_leg_was_paid_or_else_now(
    times: tuple[int, ...], valid: tuple[int, int | None], opens: bool
) -> None:
    case = facts(leg(1, "RECEIVE", *times), Attested(9, "desk", "venue", *valid), now=T0 + HOUR)
    met = check("attested RECEIVE", case, ())
    assert met.holds is opens
    assert (met.at, met.refs) == ((valid[0], ("attestation:9",)) if opens else (None, ()))
    assert met.missing == ("" if opens else "an attestation of desk")


def test_an_attestation_needs_a_planned_leg() -> None:
    case = facts(leg(1, "RECEIVE", withdrawn=True), Attested(9, "desk", "venue", T0, None))
    assert holds("attested RECEIVE", case) == (False, None, "an attestation of the receiver of a RECEIVE leg")


def test_explained_asks_for_a_ledger_in_which_everything_is() -> None:
    assert holds("explained", facts()) == (False, None, "a ledger")
    assert holds("explained", facts(asset(0))) == (True, None, "")
    assert holds("explained", facts(asset(0), asset(1))) == (False, None, "an explanation of BTC")


def test_quiet_asks_a_rule() -> None:
    assert holds("quiet FORK-1", facts(), ("COLD-2",)) == (True, None, "")
    assert holds("quiet FORK-1", facts(), ("FORK-1",)) == (False, None, "FORK-1 to find nothing")


def test_any_takes_the_earliest_of_what_holds() -> None:
    both = "any record credit | legs RETURN"
    assert holds(both, facts()) == (False, None, "a record: credit or a planned RETURN leg")
    late = record(1, "credit", T0 + HOUR, amount="1 CNY", account="a")
    assert holds(both, facts(late)) == (True, T0 + HOUR, "")
    assert holds(both, facts(late, leg(1, "RETURN", T0))) == (True, T0, "")


# Where a case stands


def test_the_stage_of_beijing_is_as_old_as_the_facts_of_its_gate() -> None:
    state = assess(after(SOLD), BEIJING).standing
    names = [stage for stage, _ in SOLD]
    assert list(state.since) == names
    assert list(state.since.values()) == [None, *(T0 + STEP * place for place in range(1, len(names)))]
    assert [gate.stage for gate in state.gates if gate.left_out] == ["RETURNED"]


def test_a_stage_is_never_older_than_the_one_before_it() -> None:
    two = preset([{"name": "A", "gate": ["record fx-approval"]}, {"name": "B", "gate": ["record inspection"]}])
    early = record(2, "inspection", T0 - HOUR, result="passed", what="w")
    state = stand(facts(record(1, "fx-approval", T0, number="1"), early), two, (), critical=False)
    assert state.since == {"A": T0, "B": T0}


@pytest.mark.parametrize(
    ("verdict", "arrivals", "missing"),
    [
        (NOT_SHOWN, (), "1 of 1 RECEIVE legs"),  # its transaction left the chain
        (NOT_SHOWN, (arrived(T0 + 6 * STEP),), "1 of 1 RECEIVE legs"),  # it is no longer confirmed
        (CONTRADICTED, (arrived(T0 + 6 * STEP),), "1 of 1 RECEIVE legs, 1 of them against its plan"),
    ],
)
def test_a_verdict_that_goes_back_takes_the_case_back(verdict: str, arrivals: tuple[Any, ...], missing: str) -> None:
    case = after(SOLD)
    assert assess(case, BEIJING).standing.stage == "CLOSED"
    received = case.legs[3]
    case.put_leg(leg(3, "RECEIVE", target="agent", arrivals=arrivals, verdict=verdict))
    state = assess(case, BEIJING).standing
    assert state.stage == "TESTED"
    assert state.next is not None
    assert (state.next.stage, state.next.missing) == ("RECEIVED", (missing,))
    case.put_leg(received)
    assert assess(case, BEIJING).standing.stage == "CLOSED"


def test_a_case_stands_nowhere_before_its_first_gate() -> None:
    state = stand(facts(), preset([{"name": "A", "gate": ["record credit"]}]), (), critical=False)
    assert (state.stage, state.since, state.left_out) == ("-", {}, ())


WAYS = preset(
    [
        {"name": "OPENED", "gate": []},
        {"name": "SOLD", "gate": ["record sale"], "unless": ["no-legs DEPOSIT", "legs RETURN"]},
        {"name": "RETURNED", "gate": ["legs RETURN"], "unless": ["no-legs RETURN"]},
        {"name": "CLOSED", "gate": ["record closing"]},
    ]
)
CLOSING = record(9, "closing", reason="r")


def test_a_stage_is_left_out_only_while_all_its_conditions_hold() -> None:
    assert assess(facts(CLOSING), WAYS).standing.stage == "OPENED"  # nothing was returned: a sale is expected
    back = facts(CLOSING, leg(1, "RETURN", T0))
    assert assess(back, WAYS).standing.stage == "CLOSED"
    assert assess(back, WAYS).standing.left_out == ("SOLD",)
    back.put_leg(leg(2, "DEPOSIT"))
    state = assess(back, WAYS).standing
    assert (state.stage, state.left_out) == ("OPENED", ())
    assert state.next is not None
    assert state.next.stage == "SOLD"


@pytest.mark.parametrize(
    ("kind", "side"),
    [("hold", "HOLD"), ("suspension", "SUSPENDED")],
)
@pytest.mark.parametrize(
    ("now", "end", "on"),
    [(T0 - 1, None, False), (T0, None, True), (T0 + DAY - 1, T0 + DAY, True), (T0 + DAY, T0 + DAY, False)],
)
def test_a_hold_and_a_suspension_are_states_while_they_last(
    kind: str, side: str, now: int, end: int | None, on: bool
) -> None:
    why = {"court": "c"} if kind == "hold" else {"reason": "r"}
    case = facts(record(1, kind, T0 - DAY, start=T0, end=end, **why), now=now)
    assert assess(case, preset()).standing.sides == ((side,) if on else ())


def test_a_critical_finding_is_an_incident_unless_it_is_not_shown() -> None:
    assert assess(facts(asset(1)), preset()).standing.sides == ("INCIDENT",)
    assert assess(facts(leg(1, "DEPOSIT", T0)), preset()).standing.sides == ()  # HIGH
    power = {"rule": "TOKEN-1", "watch": "w", "detail": "d", "block": "7:ab"}
    assert assess(facts(record(1, "power", severity="CRITICAL", **power)), preset()).standing.sides == ("INCIDENT",)
    assert assess(facts(record(1, "power", severity="WARN", **power)), preset()).standing.sides == ()


def test_value_that_moved_outside_every_leg_is_an_incident_also_within_custody() -> None:
    case = facts()
    case.outside.append(Outside(5, 905, T0, "btc", "BTC", 8, 1, "moved", False))
    assert assess(case, preset()).standing.sides == ("INCIDENT",)


@pytest.mark.parametrize(("gone", "came", "sides"), [(1, 0, ("INCIDENT",)), (1, 1, ("INCIDENT",)), (0, 1, ())])
def test_a_balance_that_fell_and_nobody_saw_why_is_an_incident(gone: int, came: int, sides: tuple[str, ...]) -> None:
    case = facts(asset(0))
    case.unseen = [Unseen("ethereum", "ethereum:USDT", gone, came)]
    assert assess(case, preset()).standing.sides == sides


@pytest.mark.parametrize("gate", ["legs DEPOSIT", "legs-if-any DEPOSIT", "any record credit | legs DEPOSIT"])
def test_a_stage_to_come_whose_legs_are_paid_in_part_is_partial(gate: str) -> None:
    by = preset([{"name": "OPENED", "gate": []}, {"name": "DONE", "gate": [gate]}])
    assert assess(facts(leg(1, "DEPOSIT"), leg(2, "DEPOSIT")), by).standing.sides == ()
    assert assess(facts(leg(1, "DEPOSIT", T0), leg(2, "DEPOSIT")), by).standing.sides == ("PARTIAL",)
    assert assess(facts(leg(1, "DEPOSIT", T0, verdict=NOT_SHOWN)), by).standing.sides == ("PARTIAL",)
    assert assess(facts(leg(1, "DEPOSIT", T0), leg(2, "RECEIVE", T0)), by).standing.sides == ()


def test_a_reorg_of_the_latest_arrival_takes_back_since_when_legs_hold() -> None:
    case = facts(leg(1, "DEPOSIT", T0), leg(2, "DEPOSIT", T0 + DAY))
    case.put_leg(leg(2, "DEPOSIT", T0 + HOUR))
    assert holds("legs DEPOSIT", case) == (True, T0 + HOUR, "")
    case.put_leg(leg(2, "DEPOSIT", verdict=SHOWN))
    assert holds("legs DEPOSIT", case) == (True, T0, "")


def test_a_misdated_record_that_was_put_right_no_longer_turns_the_clock() -> None:
    wrong = record(1, "fx-approval", T0 + 99 * DAY, number="1")
    assert facts(wrong).clock == T0 + 99 * DAY
    assert facts(wrong, record(2, "fx-approval", T0 + HOUR, number="1", supersedes=1)).clock == T0 + HOUR
