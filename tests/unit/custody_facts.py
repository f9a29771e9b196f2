"""Facts of a case, built by hand: legs with arrivals, records, balances, on two chains."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tracer.custody.assess import Assessment, Assessor
from tracer.custody.case import LegKind
from tracer.custody.facts import (
    NOT_SHOWN,
    SHOWN,
    Arrived,
    AssetFacts,
    Attested,
    CaseFacts,
    ChainFacts,
    InstitutionFacts,
    LegFacts,
)
from tracer.custody.findings import Finding
from tracer.custody.preset import Preset, PresetFile
from tracer.custody.record import Record
from tracer.custody.records import KINDS

T0 = 1_780_272_000
"""2026-06-01T00:00:00Z: when cases of these tests begin."""

HOUR, DAY = 3_600, 86_400
BTC = "bip122:test/slip44:0"


def preset(stages: Sequence[dict[str, Any]] = (), **keys: Any) -> Preset:
    """A preset of these tables; without stages one that is always open."""
    table = {
        "name": "t",
        "title": "T",
        "sources": ["a test"],
        "stage": list(stages) or [{"name": "OPENED", "gate": []}],
    }
    return Preset(PresetFile.model_validate({**table, **keys}), bytes(32), "")


def ruled(**rules: Any) -> Preset:
    """A preset with one open stage and these parameters of rules."""
    return preset(rules=rules)


def record(number: int, kind: str, at: int = T0, /, **says: Any) -> Record:
    """A record of a kind, filed by `ann` unless `actor` says another; `ref` is KIND-NUMBER unless given.

    tip_id, known_at: the newest block when it was filed, and its time; unless given, filed in time.
    """
    known = ("tip_id", "known_at")
    about = {key: says.pop(key) for key in ("ref", "actor", "second", "document", "supersedes", *known) if key in says}
    return Record(
        number,
        kind,
        about.get("ref", f"{kind}-{number}"),
        about.get("actor", "ann"),
        about.get("second"),
        at,
        at,
        about.get("document", "ab" * 32 if KINDS[kind].needs_document else None),
        KINDS[kind].model_validate(says),
        about.get("supersedes"),
        about.get("tip_id", 1),
        about.get("known_at", at),
    )


def arrived(time: int, amount: int = 100, number: int = 7) -> Arrived:
    """A part that arrived in the block of an instant."""
    return Arrived(number, amount, time, 100 + (time - T0) // 600, 500 + number)


def leg(number: int, kind: str, *times: int, **keys: Any) -> LegFacts:
    """A leg of 100 base units, paid in full at each of the instants, SHOWN if there is one."""
    arrivals = tuple(arrived(time, 100, 10 * number + place) for place, time in enumerate(times))
    plan: dict[str, Any] = {
        "ref": f"{kind.lower()}-{number}",
        "chain": "btc",
        "asset": BTC,
        "symbol": "BTC",
        "decimals": 8,
        "sources": ("safe",),
        "target": "desk",
        "target_key": b"\x00\x14" + b"d" * 20,
        "institution": "venue",
        "amount": 100,
        "tolerance": 0,
        "max_fee": 10,
        "arrivals": arrivals,
        "verdict": SHOWN if arrivals else NOT_SHOWN,
    }
    plan["first_block"] = min((one.block_id for one in keys.get("arrivals", arrivals)), default=None)
    return LegFacts(id=number, kind=LegKind(kind), **{**plan, **keys})


def asset(unexplained: int = 0) -> AssetFacts:
    """The equation of the case's bitcoins, with so much unexplained."""
    return AssetFacts("btc", BTC, "BTC", 8, 1000, 0, 0, 1000 - unexplained, 0, unexplained, 900)


def chain(time: int = T0, **keys: Any) -> ChainFacts:
    """A chain whose tip has this block time."""
    height = 100 + (time - T0) // 600
    return replace(ChainFacts("btc", height, time, height - 1, height - 5, 600, (2, 6), 900), **keys)


def facts(*things: object, now: int = T0, opened: int | None = T0) -> CaseFacts:
    """The facts of a case, of legs, records, attestations, balances; `now` is the tip's block time."""
    case = CaseFacts(1, "case-1", "A case", {"btc": opened}, {"btc": chain(now)})
    case.institutions["venue"] = InstitutionFacts("venue", "The Venue", "EXCHANGE")
    case.put_records([thing for thing in things if isinstance(thing, Record)])
    for thing in things:
        match thing:
            case LegFacts():
                case.put_leg(thing)
            case Attested():
                case.attested.setdefault(thing.watch, []).append(thing)
            case AssetFacts():
                case.assets.append(thing)
            case InstitutionFacts():
                case.institutions[thing.ref] = thing
            case Record():
                pass
            case _:
                raise TypeError(f"{thing!r} is no fact")
    return case


def assess(case: CaseFacts, by: Preset) -> Assessment:
    """Assess a case for the first time."""
    return Assessor(by).assess(case)


def found(rule: str, case: CaseFacts, by: Preset) -> list[Finding]:
    """What a rule finds of a case, by subject."""
    return sorted((one for one in assess(case, by).findings.values() if one.rule == rule), key=lambda one: one.key)


def told(rule: str, case: CaseFacts, by: Preset) -> list[tuple[str, str, tuple[str, ...], bool]]:
    """What a rule finds, as (severity, message, refs, shown)."""
    return [(one.severity, one.found.message, one.found.refs, one.found.shown) for one in found(rule, case, by)]
