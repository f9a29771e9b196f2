"""The conditions of a preset's gates and the events of its clocks: a small language over a case's facts. Pure.

seized                       the seizure height is reached on every chain of the case, or, on none, an asset is declared
record KIND [FIELD=VALUE]    somebody filed such a record; FIELD>=NUMBER asks for a whole number as large
legs KIND                    at least one leg of the kind is planned, and every one is SHOWN
legs-if-any KIND             every planned leg of the kind is SHOWN; none may be planned
planned KIND                 at least one leg of the kind is planned
no-legs KIND                 no leg of the kind is planned
attested KIND                every receiver of the kind's legs was attested when it was paid, or, not yet paid, is now
explained                    nothing is unexplained in any asset
empty                        nothing is held any more of what was seized
quiet RULE                   the rule finds nothing
any A | B                    one of several conditions

A leg that was withdrawn is not planned, and a record that was superseded is not filed.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, get_args, get_origin

from tracer.custody.case import LegKind
from tracer.custody.facts import SHOWN, Attested, CaseFacts
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
        for key, conditions in (("gate", stage.gate), ("unless", stage.unless)):
            for index, condition in enumerate(conditions):
                if fault := fault_of(condition):
                    raise Unreadable(Fault(("stage", place, key, index), f"{condition!r}: {fault}"))
    for place, clock in enumerate(file.clock):
        for index, reading in enumerate(clock.reading):
            for key in ("start", "stop"):
                if fault := event_fault(getattr(reading, key), {stage.name for stage in file.stage}):
                    raise Unreadable(Fault(("clock", place, "reading", index, key), fault))


def parts(condition: str) -> tuple[tuple[str, str], ...]:
    """The verbs of a condition with the rest of each; several where it is an `any`."""
    verb, _, rest = condition.partition(" ")
    if verb != "any":
        return ((verb, rest),)
    return tuple(one for part in rest.split(" | ") for one in parts(part))


def fault_of(condition: str) -> str | None:
    """What is wrong with a condition; None if nothing is."""
    verb, _, rest = condition.partition(" ")
    if verb == "any":
        return next((fault for part in rest.split(" | ") if (fault := fault_of(part))), None)
    if verb == "record":
        return record_fault(rest)
    if verb in ("legs", "legs-if-any", "planned", "no-legs", "attested"):
        return None if rest in LegKind.__members__ else f"there is no kind of legs {rest!r}"
    if verb == "quiet":
        return None if rest else "expected the id of a rule"
    return None if verb in VERBS and not rest else f"expected one of {', '.join(VERBS)}"


def record_fault(rest: str) -> str | None:
    """What is wrong with the rest of `record KIND [FIELD=VALUE]`."""
    kind, _, test = rest.partition(" ")
    if kind not in KINDS:
        return f"there is no kind of records {kind!r}"
    name, sign, value = read_test(test)
    if test and name not in KINDS[kind].model_fields:
        return f"a {kind} record has no field {name!r}"
    if test and not sign:
        return f"expected {name}=VALUE"
    annotation = KINDS[kind].model_fields[name].annotation if test else None
    if sign == ">=" and (annotation is not int or not re.fullmatch("[0-9]{1,12}", value)):
        return f"expected {name}=VALUE" if annotation is not int else f"expected a whole number, got {value!r}"
    if get_origin(annotation) is Literal and value not in get_args(annotation):
        return f"{name} is one of {', '.join(get_args(annotation))}, not {value!r}"
    return None


def read_test(test: str) -> tuple[str, str, str]:
    """Split `FIELD=VALUE` or `FIELD>=NUMBER` into the field, the sign and the value."""
    sign = ">=" if ">=" in test else "="
    return test.partition(sign)


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
    """The records that count of `KIND [FIELD=VALUE]`, in the order in which they were filed."""
    kind, _, test = rest.partition(" ")
    name, sign, value = read_test(test)
    records = facts.current.get(kind, [])
    if sign == ">=":
        return [record for record in records if getattr(record.body, name) >= int(value)]
    return [record for record in records if not test or str(getattr(record.body, name)) == value]


def event_at(event: str, facts: CaseFacts, stages: dict[str, int | None], *, starts: bool = False) -> int | None:
    """When an event happened; None if it has not. stages: since when the case has stood in each stage it reached.

    starts: it starts a clock. What started is not taken back by a leg that is planned later.
    """
    verb, _, rest = event.partition(" ")
    if verb == "stage":
        return stages.get(rest)
    if verb == "record":
        return min((record.at for record in matching(facts, rest)), default=None)
    if verb == "seizure":
        opened = [at for at in facts.opened.values() if at is not None]
        return max(opened, default=None) if len(opened) == len(facts.opened) else None
    progress = facts.progress.get(LegKind(rest))
    if progress is None or not progress.served:
        return None
    if verb == "leg":
        return progress.first_at
    if progress.shown == progress.planned:
        return progress.last_at
    if not starts or progress.last_at is None:
        return None
    waiting = (leg for leg in facts.legs.values() if leg.kind.value == rest and leg.verdict != SHOWN)
    later = all(leg.withdrawn or leg.planned_clock > progress.last_at for leg in waiting)
    return progress.last_at if later else None


def _seized(condition: str, _: str, facts: CaseFacts, __: QuietRules) -> Met:
    declared = facts.current.get("declared-asset", [])
    if not facts.opened and declared:
        refs = tuple(f"record:{record.id}" for record in declared)
        return Met(condition, True, min(record.at for record in declared), "", refs)
    waiting = sorted(chain for chain, at in facts.opened.items() if at is None)
    asked = f"the seizure height on {', '.join(waiting)}" if waiting else ""
    missing = asked if facts.opened else "a seizure height, or a declared-asset record"
    known = [at for at in facts.opened.values() if at is not None]
    return Met(condition, bool(facts.opened) and not waiting, max(known, default=None), missing)


def _record(condition: str, rest: str, facts: CaseFacts, _: QuietRules) -> Met:
    found = matching(facts, rest)
    if not found:
        return Met(condition, False, None, f"a record: {rest}")
    return Met(condition, True, min(one.at for one in found), "", tuple(f"record:{record.id}" for record in found))


def _legs(condition: str, rest: str, facts: CaseFacts, _: QuietRules) -> Met:
    progress = facts.progress.get(LegKind(rest))
    if progress is None or not progress.planned:
        optional = condition.startswith("legs-if-any")
        return Met(condition, optional, None, "" if optional else f"a planned {rest} leg")
    if progress.shown < progress.planned:
        against = f", {progress.contradicted} of them against its plan" if progress.contradicted else ""
        missing = f"{progress.planned - progress.shown} of {progress.planned} {rest} legs{against}"
        return Met(condition, False, None, missing)
    return Met(condition, True, progress.last_at, "")


def _planned(condition: str, rest: str, facts: CaseFacts, _: QuietRules) -> Met:
    progress = facts.progress.get(LegKind(rest))
    planned = progress is not None and progress.planned > 0
    return Met(condition, planned, None, "" if planned else f"a planned {rest} leg")


def _no_legs(condition: str, rest: str, facts: CaseFacts, _: QuietRules) -> Met:
    progress = facts.progress.get(LegKind(rest))
    planned = progress.planned if progress is not None else 0
    return Met(condition, not planned, None, f"that none of {planned} {rest} legs is planned" if planned else "")


def _attested(condition: str, rest: str, facts: CaseFacts, _: QuietRules) -> Met:
    now = facts.clock
    kind, times = LegKind(rest), dict[str, set[int]]()
    for leg in facts.legs.values():
        if leg.kind is kind and not leg.withdrawn:
            times.setdefault(leg.target, set()).update([one.time for one in leg.arrivals] or [now])
    used: dict[str, list[Attested]] = {}
    for target in sorted(times):
        statements = facts.attested.get(target, ())
        if all(any(one.covers(time) for one in statements) for time in times[target]):
            used[target] = [one for one in statements if any(one.covers(time) for time in times[target])]
    without = [target for target in sorted(times) if target not in used]
    if without or not times:
        return Met(condition, False, None, f"an attestation of {', '.join(without) or f'the receiver of a {rest} leg'}")
    refs = tuple(f"attestation:{one.id}" for found in used.values() for one in found)
    return Met(condition, True, max(min(one.valid_from for one in found) for found in used.values()), "", refs)


def _explained(condition: str, _: str, facts: CaseFacts, __: QuietRules) -> Met:
    open_ = [asset.symbol for asset in facts.assets if asset.unexplained]
    missing = f"an explanation of {', '.join(open_)}" if open_ else "" if facts.assets else "a ledger"
    return Met(condition, not missing, None, missing)


def _empty(condition: str, _: str, facts: CaseFacts, __: QuietRules) -> Met:
    held = [asset.symbol for asset in facts.assets if asset.seized and asset.held]
    missing = f"that nothing of {', '.join(held)} is held any more" if held else "" if facts.assets else "a ledger"
    return Met(condition, not missing, None, missing)


def _quiet(condition: str, rest: str, _: CaseFacts, finding: QuietRules) -> Met:
    return Met(condition, rest not in finding, None, f"{rest} to find nothing" if rest in finding else "")


def _any(condition: str, rest: str, facts: CaseFacts, finding: QuietRules) -> Met:
    ways = [check(way, facts, finding) for way in rest.split(" | ")]
    holding = [way for way in ways if way.holds]
    if not holding:
        return Met(condition, False, None, " or ".join(way.missing for way in ways))
    first = min(holding, key=lambda way: way.at or 0)
    return Met(condition, True, first.at, "", first.refs)


VERBS: dict[str, Callable[[str, str, CaseFacts, QuietRules], Met]] = {
    "seized": _seized,
    "record": _record,
    "legs": _legs,
    "legs-if-any": _legs,
    "planned": _planned,
    "no-legs": _no_legs,
    "attested": _attested,
    "explained": _explained,
    "empty": _empty,
    "quiet": _quiet,
    "any": _any,
}
