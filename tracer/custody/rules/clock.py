"""Rules about time: overall clocks, stages, proofs of holding. Pure."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from tracer.custody.clocks import BREACHED, KEPT, ClockState
from tracer.custody.facts import CaseFacts
from tracer.custody.findings import Found, Rule
from tracer.custody.gates import matching
from tracer.custody.instants import instant_text, span_text
from tracer.custody.preset import Preset
from tracer.custody.stages import Standing
from tracer.types import Lane

OVERALL = Rule(
    "CLOCK-1", "HIGH", Lane.REPORTED, "an overall clock is past its warning, will be missed, or is breached", version=2
)
STAGE = Rule("CLOCK-2", "WARN", Lane.REPORTED, "a stage takes longer than the preset allows")
HOLDING = Rule("CLOCK-3", "WARN", Lane.ATTESTED, "a periodic proof of holding is overdue")


def clock_findings(
    facts: CaseFacts, preset: Preset, standing: Standing, clocks: Iterable[ClockState]
) -> Iterator[tuple[Rule, Found]]:
    """What the clocks say that a person must see."""
    hands = {(clock.name, reading.name): reading for clock in preset.file.clock for reading in clock.reading}
    for clock in clocks:
        reading = hands[clock.clock, clock.reading]
        if found := overall(clock):
            yield OVERALL, found
        if clock.state != BREACHED:
            words = (kept_by_word(clock, reading.stop, facts), moved_by_word(clock, reading.start, facts))
            yield from ((OVERALL, found) for found in words if found)
    yield from ((STAGE, found) for found in slow_stages(facts, preset, standing))
    yield from ((HOLDING, found) for found in overdue_proof(facts, preset))


def overall(clock: ClockState) -> Found | None:
    """CLOCK-1: breached, at the warning share, or about to be missed at the present pace.

    The words change with the facts alone, not with every block that passes.
    """
    name, limit = f"{clock.clock}, {clock.reading}", span_text(clock.limit_s)
    match clock.state:
        case "breached":
            stopped = f"stopped after {span_text(clock.elapsed_s)}" if clock.stop is not None else "has not stopped"
            return Found(f"clock:{name}:{clock.state}", f"{name}: {stopped}; {limit} is allowed", ("clock",))
        case "warned":
            text = f"{name}: most of {limit} is used"
            return Found(f"clock:{name}:{clock.state}", text, ("clock",), shown=False, severity="WARN")
        case "forecast":
            assert clock.start is not None
            text = f"{name}: at the present pace it stops later than {instant_text(clock.start + clock.limit_s)}"
            return Found(f"clock:{name}:{clock.state}", text, ("clock",), shown=False, severity="WARN")
    return None


def kept_by_word(clock: ClockState, stop: str, facts: CaseFacts) -> Found | None:
    """CLOCK-1: it was kept by the instant that a record speaks of, and that was filed when the limit had passed."""
    verb, _, rest = stop.partition(" ")
    if clock.state != KEPT or verb != "record" or clock.start is None:
        return None
    record = min(matching(facts, rest), key=lambda one: (one.at, one.id))
    if record.known_at is not None and record.known_at - clock.start <= clock.limit_s:
        return None
    name = f"{clock.clock}, {clock.reading}"
    when = (
        "while no chain was followed"
        if record.known_at is None
        else f"only when it was {instant_text(record.known_at)}"
    )
    text = f"{name}: stopped at {instant_text(record.at)} by {record.kind} {record.ref}, filed {when}"
    return Found(f"clock:{name}:{clock.state}", text, (f"record:{record.id}",), shown=False, severity="WARN")


def moved_by_word(clock: ClockState, start: str, facts: CaseFacts) -> Found | None:
    """CLOCK-1: its limit has passed since a record that started it, and that one was superseded by a later instant."""
    verb, _, rest = start.partition(" ")
    if verb != "record" or clock.start is None:
        return None
    record = min(matching(facts, rest), key=lambda one: (one.at, one.id))
    first = min(facts.lineage(record), key=lambda one: (one.at, one.id))
    if (clock.stop if clock.stop is not None else facts.clock) - first.at <= clock.limit_s:
        return None
    name = f"{clock.clock}, {clock.reading}"
    text = (
        f"{name}: started at {instant_text(first.at)} by {record.kind} {first.ref}, until {record.ref} took its place"
    )
    refs = (f"record:{first.id}", f"record:{record.id}")
    return Found(f"clock:{name}:moved", text, refs, shown=False, severity="WARN")


def slow_stages(facts: CaseFacts, preset: Preset, standing: Standing) -> Iterator[Found]:
    """CLOCK-2: a stage came, or has not come, within its time since the stage before it."""
    for before, stage in pairwise(stage for stage in preset.file.stage if stage.name not in standing.left_out):
        since = standing.since.get(before.name)
        reached = standing.since.get(stage.name, facts.clock)
        if stage.within_s is None or since is None or reached is None:
            continue
        taken = reached - since
        if taken > stage.within_s:
            allowed = f"within {span_text(stage.within_s)} of {before.name}"
            came = f"came {span_text(taken)} after {before.name}; {span_text(stage.within_s)} is allowed"
            text = f"{stage.name} {came if stage.name in standing.since else f'has not come {allowed}'}"
            yield Found(f"stage:{stage.name}", text, ("clock",))


def overdue_proof(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """CLOCK-3: the latest proof of holding is older than the preset allows."""
    every = preset.rules.holding_proof_every_s
    begun = [at for at in facts.opened.values() if at is not None]
    if not every or not begun:
        return
    proofs = [record.at for record in facts.current.get("holding-proof", ())]
    latest = max([*proofs, max(begun)])
    if facts.clock - latest > every:
        text = f"nobody has proven the holding since {instant_text(latest)}; that is due every {span_text(every)}"
        yield Found("holding", text, tuple(f"record:{r.id}" for r in facts.current.get("holding-proof", ())[-1:]))


RULES = (OVERALL, STAGE, HOLDING)
