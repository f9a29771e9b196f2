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
    """BOND-1: the agency received before any bond was posted, or what is dated so was filed too late to show it."""
    served = [p for kind in AGENCYS if (p := facts.progress.get(kind)) and p.first_at is not None]
    percent = preset.rules.bond_percent
    if not percent or not served:
        return
    first = min(p.first_at for p in served if p.first_at is not None)
    block = min((p.first_block for p in served if p.first_block is not None), default=None)
    bonds = list(facts.of("bond", Bond))
    posted = [(record, body) for record, body in bonds if record.at <= first]
    late = [record for record, _ in posted if record.may_have_known(block)]
    head = f"the agency first received at {instant_text(first)}"
    if not posted:
        then = f"the bond came at {instant_text(min(one.at for one, _ in bonds))}" if bonds else "there is no bond"
        yield Found("bond", f"{head}; {then}", bond_refs(facts))
    elif late and not covers([body.sum for record, body in posted if record not in late], facts, percent):
        then = f"the bond is dated {instant_text(min(one.at for one in late))}, and {late[0].filed_when}"
        yield Found("bond", f"{head}; {then}", bond_refs(facts), shown=False)


def covers(bonds: list[Money], facts: CaseFacts, percent: int) -> bool:
    """Whether bonds are the share of all valuations that they have to be, where all are in one currency."""
    values = list(latest_values(facts).values())
    if not bonds or len({money.currency for money in [*bonds, *(money for _, money in values)]}) > 1:
        return False
    value = Money(bonds[0].currency, sum(money.minor for _, money in values))
    return sum(money.minor for money in bonds) >= percent_of(value, percent)


def latest_values(facts: CaseFacts) -> dict[str, tuple[int, Money]]:
    """The latest valuation of each asset, with the number of its record."""
    latest: dict[str, tuple[int, Money]] = {}
    for record, body in sorted(facts.of("valuation", Valuation), key=lambda item: (item[0].at, item[0].id)):
        latest[body.asset] = (record.id, body.sum)
    return latest


def too_small(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """BOND-2: all bonds that stand are less than the preset's share of the latest valuation of everything."""
    percent = preset.rules.bond_percent
    bonds = [body.sum for _, body in standing_bonds(facts)]
    latest = latest_values(facts)
    received = any((p := facts.progress.get(kind)) and p.served for kind in AGENCYS)
    if not percent or not bonds or check("any record credit | record closing", facts, ()).holds:
        return
    bare = [asset for asset in facts.assets if asset.seized and f"{asset.chain}:{asset.symbol}" not in latest]
    if received and (bare or not latest):
        what = ", ".join(asset.symbol for asset in bare) or "what the bond is to cover"
        yield Found("bond:unvalued", f"nobody has valued {what}", bond_refs(facts), shown=False, severity="WARN")
    if not latest:
        return
    refs = (*bond_refs(facts), *(f"record:{number}" for number, _ in latest.values()))
    currencies = {money.currency for money in [*bonds, *(value for _, value in latest.values())]}
    if len(currencies) > 1:
        text = f"bond and valuations are in {', '.join(sorted(currencies))}: nobody can compare them exactly"
        yield Found("bond", text, refs, shown=False, severity="WARN")
    elif not covers(bonds, facts, percent):
        value = Money(bonds[0].currency, sum(money.minor for _, money in latest.values()))
        have = Money(value.currency, sum(money.minor for money in bonds))
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
        released = min(one.at for one in facts.lineage(record))  # one that was dated anew was given back all the same
        if until not in standing.since or (at is not None and released < at):
            text = f"the bond was released at {instant_text(released)}, before the case was {until}"
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
    Rule(
        "BOND-2",
        "HIGH",
        Lane.ATTESTED,
        "the bond is below its share of the latest valuation",
        on_case=too_small,
        version=2,
    ),
    Rule("BOND-3", "HIGH", Lane.ATTESTED, "the bond was released early", on_case=released_early, version=2),
)
