"""Rules about the performance bond: there before the agency receives, large enough, not released early. Pure."""

from collections.abc import Iterator

from tracer.custody.case import LegKind
from tracer.custody.facts import CaseFacts
from tracer.custody.findings import Found, Rule
from tracer.custody.gates import check
from tracer.custody.instants import instant_text
from tracer.custody.money import Money, percent_of
from tracer.custody.preset import Preset
from tracer.custody.records import Bond, BondRelease, Valuation
from tracer.custody.stages import stand
from tracer.types import Lane

AGENCYS = (LegKind.TEST, LegKind.RECEIVE)
"""Kinds of legs by which the agency first gets something."""


def missing(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """BOND-1: the agency received before any bond was posted, or before any of those that are dated so was filed."""
    served = [p for kind in AGENCYS if (p := facts.progress.get(kind)) and p.first_at is not None]
    if not preset.rules.bond_percent or not served:
        return
    first = min(p.first_at for p in served if p.first_at is not None)
    block = min(p.first_block for p in served if p.first_block is not None)
    bonds = [record for record, _ in facts.of("bond", Bond)]
    posted = [record for record in bonds if record.at <= first]
    head = f"the agency first received at {instant_text(first)}"
    if not posted:
        then = f"the bond came at {instant_text(min(one.at for one in bonds))}" if bonds else "there is no bond"
        yield Found("bond", f"{head}; {then}", bond_refs(facts))
    elif all(record.knew(block) for record in posted):
        then = f"the bond is dated {instant_text(min(one.at for one in posted))}, and was filed when that was known"
        yield Found("bond", f"{head}; {then}", bond_refs(facts), shown=False)


def too_small(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """BOND-2: all bonds that stand are less than the preset's share of the latest valuation of everything."""
    percent = preset.rules.bond_percent
    bonds = [body.sum for _, body in standing_bonds(facts)]
    latest: dict[str, tuple[int, Money]] = {}
    for record, body in sorted(facts.of("valuation", Valuation), key=lambda item: (item[0].at, item[0].id)):
        latest[body.asset] = (record.id, body.sum)
    received = any((p := facts.progress.get(kind)) and p.served for kind in AGENCYS)
    if percent and bonds and received and not latest:
        yield Found(
            "bond", "nobody has valued what the bond is to cover", bond_refs(facts), shown=False, severity="WARN"
        )
    if not percent or not bonds or not latest or check("any record credit | record closing", facts, ()).holds:
        return
    refs = (*bond_refs(facts), *(f"record:{number}" for number, _ in latest.values()))
    currencies = {money.currency for money in [*bonds, *(value for _, value in latest.values())]}
    if len(currencies) > 1:
        text = f"bond and valuations are in {', '.join(sorted(currencies))}: nobody can compare them exactly"
        yield Found("bond", text, refs, shown=False, severity="WARN")
        return
    value = Money(bonds[0].currency, sum(money.minor for _, money in latest.values()))
    have = Money(value.currency, sum(money.minor for money in bonds))
    if have.minor < percent_of(value, percent):
        share = have.minor * 100 // value.minor if value.minor else 0
        yield Found("bond", f"the bond of {have} is {share} % of {value}; {percent} % is required", refs)


def released_early(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """BOND-3: the bond was given back before the stage up to which it has to stand."""
    until = preset.rules.bond_until
    if not until or not facts.current.get("bond-release"):
        return
    standing = stand(facts, preset, (), critical=False)
    after = preset.stages.index(until)
    ahead = [gate.stage for gate in standing.gates if not gate.left_out and preset.stages.index(gate.stage) >= after]
    until = ahead[0] if ahead else until
    at = standing.since.get(until)
    for record, _ in facts.of("bond-release", BondRelease):
        if until not in standing.since or (at is not None and record.at < at):
            text = f"the bond was released at {instant_text(record.at)}, before the case was {until}"
            yield Found(f"record:{record.ref}", text, (f"record:{record.id}",))


def standing_bonds(facts: CaseFacts) -> list[tuple[int, Bond]]:
    """The bonds that were not released, with the numbers of their records."""
    released = {body.bond for _, body in facts.of("bond-release", BondRelease)}
    return [(record.id, body) for record, body in facts.of("bond", Bond) if record.ref not in released]


def bond_refs(facts: CaseFacts) -> tuple[str, ...]:
    """The records of bonds, as findings cite them."""
    return tuple(f"record:{record.id}" for record, _ in facts.of("bond", Bond))


RULES = (
    Rule("BOND-1", "HIGH", Lane.ATTESTED, "no bond before the agency's first leg", on_case=missing, version=2),
    Rule("BOND-2", "HIGH", Lane.ATTESTED, "the bond is below its share of the latest valuation", on_case=too_small),
    Rule("BOND-3", "HIGH", Lane.ATTESTED, "the bond was released early", on_case=released_early),
)
