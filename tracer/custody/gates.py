"""The conditions of a preset's gates and the events of its clocks: a small language over a case's facts. Pure.

seized                       the seizure height is reached on every chain of the case
record KIND [FIELD=VALUE]    somebody filed such a record
legs KIND                    at least one leg of the kind is planned, and every one is SHOWN
legs-if-any KIND             every planned leg of the kind is SHOWN; none may be planned
attested KIND                every receiver of the kind's legs is attested now
explained                    nothing is unexplained in any asset
quiet RULE                   the rule finds nothing
any A | B                    one of several conditions
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from tracer.custody.case import LegKind
from tracer.custody.facts import CaseFacts
from tracer.custody.preset import PresetFile
from tracer.custody.record import Record
from tracer.custody.records import KINDS
from tracer.strict import Fault, Unreadable

QuietRules = Collection[str]
"""The ids of rules that find something now: a gate `quiet RULE` is open if its rule is not among them."""


@dataclass(frozen=True, slots=True)
class Met:
    """Whether a condition holds: since which instant, else what is missing; and the facts it rests on."""

    condition: str
    holds: bool
    at: int | None
    missing: str
    refs: tuple[str, ...] = ()


def check(condition: str, facts: CaseFacts, finding: QuietRules) -> Met:
    """Check one condition; it has been found well-formed by `check_conditions`."""
    verb, _, rest = condition.partition(" ")
    return VERBS[verb](condition, rest, facts, finding)


def check_conditions(file: PresetFile) -> None:
    """Raise Unreadable for the first condition or event of a preset that means nothing."""
    for place, stage in enumerate(file.stage):
        for index, condition in enumerate(stage.gate):
            if fault := fault_of(condition):
                raise Unreadable(Fault(("stage", place, "gate", index), f"{condition!r}: {fault}"))
    for place, clock in enumerate(file.clock):
        for index, reading in enumerate(clock.reading):
            for key in ("start", "stop"):
                if fault := event_fault(getattr(reading, key), {stage.name for stage in file.stage}):
                    raise Unreadable(Fault(("clock", place, "reading", index, key), fault))


def fault_of(condition: str) -> str | None:
    """What is wrong with a condition; None if nothing is."""
    verb, _, rest = condition.partition(" ")
    if verb == "any":
        return next((fault for part in rest.split(" | ") if (fault := fault_of(part))), None)
    if verb == "record":
        return record_fault(rest)
    if verb in ("legs", "legs-if-any", "attested"):
        return None if rest in LegKind.__members__ else f"there is no kind of legs {rest!r}"
    if verb == "quiet":
        return None if rest else "expected the id of a rule"
    return None if verb in VERBS and not rest else f"expected one of {', '.join(VERBS)}"


def record_fault(rest: str) -> str | None:
    """What is wrong with the rest of `record KIND [FIELD=VALUE]`."""
    kind, _, test = rest.partition(" ")
    if kind not in KINDS:
        return f"there is no kind of records {kind!r}"
    if test and test.partition("=")[0] not in KINDS[kind].model_fields:
        return f"a {kind} record has no field {test.partition('=')[0]!r}"
    return None


def event_fault(event: str, stages: Collection[str]) -> str | None:
    """What is wrong with an event of a clock; None if nothing is."""
    verb, _, rest = event.partition(" ")
    if verb == "stage":
        return None if rest in stages else f"there is no stage {rest!r}"
    if verb == "record":
        return record_fault(rest)
    if verb in ("leg", "last-leg"):
        return None if rest in LegKind.__members__ else f"there is no kind of legs {rest!r}"
    return None if event == "seizure" else f"{event!r} is no event"


def matching(facts: CaseFacts, rest: str) -> list[Record]:
    """The records that count of `KIND [FIELD=VALUE]`, oldest first."""
    kind, _, test = rest.partition(" ")
    name, _, value = test.partition("=")
    records = facts.current.get(kind, [])
    return [record for record in records if not test or str(getattr(record.body, name)) == value]


def event_at(event: str, facts: CaseFacts, stages: dict[str, int | None]) -> int | None:
    """When an event happened; None if it has not. stages: since when the case has stood in each stage it reached."""
    verb, _, rest = event.partition(" ")
    if verb == "stage":
        return stages.get(rest)
    if verb == "record":
        return min((record.at for record in matching(facts, rest)), default=None)
    if verb == "seizure":
        return None if None in facts.opened.values() else max((at for at in facts.opened.values() if at), default=None)
    progress = facts.progress.get(LegKind(rest))
    if progress is None or not progress.served:
        return None
    if verb == "leg":
        return progress.first_at
    return progress.last_at if progress.shown == progress.planned else None


def _seized(condition: str, _: str, facts: CaseFacts, __: QuietRules) -> Met:
    waiting = sorted(chain for chain, at in facts.opened.items() if at is None)
    missing = f"the seizure height on {', '.join(waiting)}" if waiting else "" if facts.opened else "a seizure height"
    known = [at for at in facts.opened.values() if at is not None]
    return Met(condition, bool(facts.opened) and not waiting, max(known, default=None), missing)


def _record(condition: str, rest: str, facts: CaseFacts, _: QuietRules) -> Met:
    found = matching(facts, rest)
    if not found:
        return Met(condition, False, None, f"a record: {rest}")
    return Met(condition, True, found[0].at, "", tuple(f"record:{record.id}" for record in found))


def _legs(condition: str, rest: str, facts: CaseFacts, _: QuietRules) -> Met:
    progress = facts.progress.get(LegKind(rest))
    if progress is None or not progress.planned:
        optional = condition.startswith("legs-if-any")
        return Met(condition, optional, None, "" if optional else f"a planned {rest} leg")
    if progress.shown < progress.planned:
        return Met(condition, False, None, f"{progress.planned - progress.shown} of {progress.planned} {rest} legs")
    return Met(condition, True, progress.last_at, "")


def _attested(condition: str, rest: str, facts: CaseFacts, _: QuietRules) -> Met:
    targets = {leg.target for leg in facts.legs.values() if leg.kind.value == rest and not leg.withdrawn}
    now = facts.clock
    valid = {t: [a for a in facts.attested.get(t, ()) if a.covers(now)] for t in sorted(targets)}
    without = [target for target, found in valid.items() if not found]
    if without or not targets:
        return Met(condition, False, None, f"an attestation of {', '.join(without) or f'the receiver of a {rest} leg'}")
    refs = tuple(f"attestation:{one.id}" for found in valid.values() for one in found)
    return Met(condition, True, max(min(one.valid_from for one in found) for found in valid.values()), "", refs)


def _explained(condition: str, _: str, facts: CaseFacts, __: QuietRules) -> Met:
    open_ = [asset.symbol for asset in facts.assets if asset.unexplained]
    missing = f"an explanation of {', '.join(open_)}" if open_ else "" if facts.assets else "a ledger"
    return Met(condition, not missing, None, missing)


def _quiet(condition: str, rest: str, _: CaseFacts, finding: QuietRules) -> Met:
    return Met(condition, rest not in finding, None, f"{rest} to find nothing" if rest in finding else "")


def _any(condition: str, rest: str, facts: CaseFacts, finding: QuietRules) -> Met:
    parts = [check(part, facts, finding) for part in rest.split(" | ")]
    holding = [part for part in parts if part.holds]
    if not holding:
        return Met(condition, False, None, " or ".join(part.missing for part in parts))
    first = min(holding, key=lambda part: part.at or 0)
    return Met(condition, True, first.at, "", first.refs)


VERBS: dict[str, Callable[[str, str, CaseFacts, QuietRules], Met]] = {
    "seized": _seized,
    "record": _record,
    "legs": _legs,
    "legs-if-any": _legs,
    "attested": _attested,
    "explained": _explained,
    "quiet": _quiet,
    "any": _any,
}
