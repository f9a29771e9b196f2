"""The clocks of a preset under each reading, their warnings and forecast, and what waits for confirmations."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.custody_facts import DAY, HOUR, T0, assess, chain, facts, preset, record
from tests.unit.custody_plays import PLAYS, STEP, after
from tracer.custody.clocks import ClockState, stage_of, still_missing
from tracer.custody.facts import CaseFacts
from tracer.custody.instants import instant_text
from tracer.custody.presetfiles import find_preset

BEIJING = find_preset("beijing-2025")
READING = {"name": "r", "start": "record inspection", "stop": "record external-claim"}
STAGES = [
    {"name": "A", "gate": ["record inspection"]},
    {"name": "B", "gate": ["record fx-approval"]},
    {"name": "C", "gate": ["record fork-claim"]},
    {"name": "D", "gate": ["record external-claim"]},
]


def timed(**clock: Any) -> Any:
    """A preset of four stages with one clock of a hundred seconds."""
    return preset(STAGES, clock=[{"name": "c", "limit_s": 100, "reading": [READING], **clock}])


def looked(at: int = T0) -> Any:
    return record(1, "inspection", at, result="passed", what="w")


def agreed(at: int) -> Any:
    return record(2, "fx-approval", at, number="1")


def claimed(at: int) -> Any:
    return record(3, "fork-claim", at, coin="BCH", decision="none")


def counted(at: int) -> Any:
    return record(4, "external-claim", at, who="w", number="1", unit="BTC")


def clock_of(case: CaseFacts, by: Any) -> ClockState:
    (state,) = assess(case, by).clocks
    return state


@pytest.mark.parametrize(
    ("now", "stop", "state", "elapsed", "percent"),
    [
        (T0 + 79, None, "running", 79, 79),
        (T0 + 80, None, "warned", 80, 80),  # exactly the share
        (T0 + 100, None, "warned", 100, 100),  # exactly the limit is kept yet
        (T0 + 101, None, "breached", 101, 101),
        (T0 + 500, T0 + 100, "kept", 100, 100),
        (T0 + 500, T0 + 101, "breached", 101, 101),
        (T0 + 500, T0, "kept", 0, 0),
    ],
)
def test_a_clock_runs_warns_and_stops(now: int, stop: int | None, state: str, elapsed: int, percent: int) -> None:
    things = [looked(), *([counted(stop)] if stop is not None else [])]
    got = clock_of(facts(*things, now=now), timed())
    assert got == ClockState("c", "r", 100, T0, stop, elapsed, state, None)
    assert got.percent == percent


def test_a_clock_waits_for_its_start_even_where_its_stop_is_there() -> None:
    assert clock_of(facts(now=T0 + DAY), timed()) == ClockState("c", "r", 100, None, None, 0, "waiting", None)
    state = clock_of(facts(counted(T0), now=T0 + DAY), timed())
    assert (state.state, state.stop, state.elapsed_s) == ("waiting", T0, 0)


def test_a_clock_warns_at_its_own_share() -> None:
    assert clock_of(facts(looked(), now=T0 + 49), timed(warn_percent=50)).state == "running"
    assert clock_of(facts(looked(), now=T0 + 50), timed(warn_percent=50)).state == "warned"


@pytest.mark.parametrize(
    ("things", "now", "expected", "state"),
    [
        # One stage (B) in 30 s since the start; C and D are to come: 30 + 2 x 30 = 90, in time.
        ([agreed(T0 + 30)], T0 + 40, T0 + 90, "running"),
        # In 34 s: 34 + 2 x 34 = 102, too late.
        ([agreed(T0 + 34)], T0 + 40, T0 + 102, "forecast"),
        # B and C in 61 s, 30 s each, rounded down; D is to come: 61 + 30 = 91.
        ([agreed(T0 + 10), claimed(T0 + 61)], T0 + 62, T0 + 91, "running"),
        # B and C in 68 s: 68 + 34 = 102.
        ([agreed(T0 + 10), claimed(T0 + 68)], T0 + 69, T0 + 102, "forecast"),
        # No stage since the start: nothing tells.
        ([], T0 + 50, None, "running"),
        # The pace is long past: the stage under way cannot end before now, and the other one takes a second.
        ([agreed(T0 + 1)], T0 + 60, T0 + 61, "running"),
        # The share of the limit is told first.
        ([agreed(T0 + 34)], T0 + 80, T0 + 114, "warned"),
    ],
)
def test_a_forecast_is_the_mean_time_of_the_stages_since_the_start_for_each_to_come(
    things: list[Any], now: int, expected: int | None, state: str
) -> None:
    got = clock_of(facts(looked(), *things, now=now), timed())
    assert (got.expected, got.state) == (expected, state)


def test_a_stage_that_is_left_out_does_not_count_in_a_forecast() -> None:
    stages = [dict(stage) for stage in STAGES]
    stages[2]["unless"] = ["no-legs DEPOSIT"]
    by = preset(stages, clock=[{"name": "c", "limit_s": 100, "reading": [READING]}])
    got = clock_of(facts(looked(), agreed(T0 + 34), now=T0 + 40), by)
    assert (got.expected, got.state) == (T0 + 68, "running")  # 34 + 34 for D alone


@pytest.mark.parametrize(
    ("event", "stage"),
    [
        ("stage SOLD", "SOLD"),
        ("seizure", "SEIZED"),
        ("record inspection", "TESTED"),
        ("record mandate what=entrustment", "ENTRUSTED"),
        ("record remittance", "REMITTED"),
        ("record bond", "AGENT_READY"),
        ("record bond-release", None),
        ("leg RECEIVE", "RECEIVED"),
        ("last-leg TRANSFER", "DEPOSITED"),
        ("last-leg DESTROY", None),
    ],
)
def test_an_event_belongs_to_the_first_stage_whose_gate_names_it(event: str, stage: str | None) -> None:
    assert stage_of(event, BEIJING) == stage


def test_beijing_shows_its_24_hours_under_both_readings() -> None:
    steps = PLAYS["beijing: sold"][1]
    names = [stage for stage, _ in steps]
    at = {name: T0 + STEP * place for place, name in enumerate(names)}
    whole = {clock.reading: clock for clock in assess(after(steps), BEIJING).clocks}
    assert {(c.reading, c.start, c.stop, c.state) for c in whole.values()} == {
        ("detection to settlement", at["TESTED"], at["SETTLED"], "kept"),
        ("custody to treasury", at["RECEIVED"], at["REMITTED"], "kept"),
    }
    part = steps[: names.index("SETTLED") + 1]
    late = {clock.reading: clock for clock in assess(after(part, at["RECEIVED"] + DAY + 1), BEIJING).clocks}
    assert late["detection to settlement"].state == "kept"
    assert late["custody to treasury"].state == "breached"
    warned = {clock.reading: clock for clock in assess(after(part, at["RECEIVED"] + DAY * 4 // 5), BEIJING).clocks}
    assert warned["custody to treasury"].state == "warned"


# CLOCK-1, CLOCK-2, CLOCK-3


@pytest.mark.parametrize(
    ("things", "now", "severity", "message", "shown"),
    [
        ([], T0 + 101, "HIGH", "c, r: has not stopped; 1 min 40 s is allowed", True),
        ([], T0 + 80, "WARN", "c, r: most of 1 min 40 s is used", False),
        (
            [agreed(T0 + 34)],
            T0 + 40,
            "WARN",
            "c, r: at the present pace it stops later than 2026-06-01T00:01:40Z",
            False,
        ),
    ],
)
def test_what_a_clock_says_is_told(things: list[Any], now: int, severity: str, message: str, shown: bool) -> None:
    (one,) = assess(facts(looked(), *things, now=now), timed()).findings.values()
    told = (one.rule, one.severity, one.found.message, one.found.refs, one.found.shown)
    assert told == ("CLOCK-1", severity, message, ("clock",), shown)
    assert one.found.subject.startswith("clock:c, r:")
    off = preset(STAGES, clock=[{"name": "c", "limit_s": 100, "reading": [READING]}], off=["CLOCK-1"])
    assert not assess(facts(looked(), *things, now=now), off).findings


@pytest.mark.parametrize(("known_at", "fires"), [(None, True), (T0 + 100, False), (T0 + 101, True)])
def test_a_clock_that_was_kept_by_what_was_filed_too_late_is_told(known_at: int | None, fires: bool) -> None:
    stopped = record(4, "external-claim", T0 + 100, who="w", number="1", unit="BTC", tip_id=1, known_at=known_at)
    found = list(assess(facts(looked(), stopped, now=T0 + DAY), timed()).findings.values())
    when = "while no chain was followed" if known_at is None else "only when it was 2026-06-01T00:01:41Z"
    text = f"c, r: stopped at 2026-06-01T00:01:40Z by external-claim external-claim-4, filed {when}"
    told = [(one.rule, one.severity, one.found.message, one.found.refs, one.found.shown) for one in found]
    assert told == ([("CLOCK-1", "WARN", text, ("record:4",), False)] if fires else [])


@pytest.mark.parametrize(("now", "fires"), [(T0 + 100, False), (T0 + 101, True)])
def test_a_clock_whose_start_was_dated_later_by_another_record_is_told(now: int, fires: bool) -> None:
    later = record(9, "inspection", T0 + 50, result="passed", what="w", supersedes=1)
    found = [one for one in assess(facts(looked(), later, now=now), timed()).findings.values() if "moved" in one.key[1]]
    text = "c, r: started at 2026-06-01T00:00:00Z by inspection inspection-1, until inspection-9 took its place"
    assert [(one.rule, one.found.message, one.found.shown) for one in found] == (
        [("CLOCK-1", text, False)] if fires else []
    )


def test_a_clock_that_runs_waits_or_was_kept_tells_nothing() -> None:
    for case in (facts(looked(), now=T0 + 79), facts(now=T0 + DAY), facts(looked(), counted(T0 + 100), now=T0 + DAY)):
        assert not assess(case, timed()).findings


SLOW = preset([STAGES[0], {**STAGES[1], "within_s": 100}])


@pytest.mark.parametrize(
    ("things", "now", "message"),
    [
        ([agreed(T0 + 100)], T0 + DAY, None),
        ([agreed(T0 + 101)], T0 + DAY, "B came 1 min 41 s after A; 1 min 40 s is allowed"),
        ([], T0 + 100, None),
        ([], T0 + 101, "B has not come within 1 min 40 s of A"),
    ],
)
def test_a_stage_that_is_slow_is_told(things: list[Any], now: int, message: str | None) -> None:
    found = list(assess(facts(looked(), *things, now=now), SLOW).findings.values())
    assert [(one.rule, one.severity, one.found.message, one.found.shown) for one in found] == (
        [("CLOCK-2", "WARN", message, True)] if message else []
    )
    assert not assess(facts(*things, now=now), SLOW).findings or things  # A was never reached


def test_the_time_of_a_stage_runs_from_the_one_before_it_that_was_not_left_out() -> None:
    stages = [STAGES[0], {**STAGES[1], "unless": ["no-legs DEPOSIT"]}, {**STAGES[2], "within_s": 100}]
    (one,) = assess(facts(looked(), now=T0 + 101), preset(stages)).findings.values()
    assert one.found.message == "C has not come within 1 min 40 s of A"


PROVEN = preset(rules={"holding_proof_every_s": DAY})


@pytest.mark.parametrize(
    ("proofs", "now", "refs"),
    [
        ([], T0 + DAY, None),
        ([], T0 + DAY + 1, ()),
        ([T0 + HOUR], T0 + DAY + HOUR, None),
        ([T0 + HOUR], T0 + DAY + HOUR + 1, ("record:20",)),
        ([T0 + HOUR, T0 + 2 * HOUR], T0 + DAY + 2 * HOUR + 1, ("record:21",)),
    ],
)
def test_a_proof_of_holding_is_due_again_after_its_time(
    proofs: list[int], now: int, refs: tuple[str, ...] | None
) -> None:
    filed = [record(20 + n, "holding-proof", at, statement="s") for n, at in enumerate(proofs)]
    found = list(assess(facts(*filed, now=now), PROVEN).findings.values())
    since = instant_text(max([T0, *proofs]))
    text = f"nobody has proven the holding since {since}; that is due every 1 d"
    told = [(one.rule, one.severity, one.found.message, one.found.refs, one.found.shown) for one in found]
    assert told == ([("CLOCK-3", "WARN", text, refs, True)] if refs is not None else [])
    assert not assess(facts(*filed, now=now), preset()).findings
    assert not assess(facts(*filed, now=now, opened=None), PROVEN).findings


# Waiting for confirmations


@pytest.mark.parametrize(
    ("height", "needs", "expected"),
    [
        (104, (3, 6), (2, T0 + 1200)),  # in the tip: two more blocks
        (103, (3, 6), (1, T0 + 600)),
        (104, (2, 6), (1, T0 + 600)),
        (102, (3, 6), (1, T0 + 600)),  # deep enough, and not judged so yet: with the next block
        (104, None, None),  # the node's tags decide
    ],
)
def test_a_block_that_is_not_confirmed_says_how_long_that_takes(
    height: int, needs: tuple[int, int] | None, expected: tuple[int, int] | None
) -> None:
    assert still_missing(replace(chain(), height=104, confirmed=101, needs=needs), height) == expected
