"""Rules about single legs: approvals, test transfers, court holds, and what is unexplained. Pure."""

from collections.abc import Iterator

from tracer.custody.facts import CaseFacts, LegFacts
from tracer.custody.findings import Found, Rule
from tracer.custody.instants import instant_text
from tracer.custody.preset import Preset
from tracer.custody.record import Record, plain_name
from tracer.custody.records import Hold
from tracer.types import Lane
from tracer.units import format_units


def not_approved(leg: LegFacts, facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """LEG-7: a leg was paid before as many different people as the preset asks for had approved it."""
    needed = preset.rules.approvals
    if not needed or leg.first_at is None or leg.kind.value not in preset.rules.approved_kinds:
        return
    given = facts.approvals.get(leg.ref, ())
    dated = {plain_name(record.actor): record for record in given if record.at <= leg.first_at}
    in_time = {name: record for name, record in dated.items() if not record.may_have_known(leg.first_block)}
    late = [record for record in dated.values() if record.may_have_known(leg.first_block)]
    if len(dated) >= needed > len(in_time):
        yield Found(
            f"leg:{leg.ref}",
            f"leg {leg.ref} was paid at {instant_text(leg.first_at)}; of {len(dated) - len(in_time)} approvals dated "
            f"before that each {late[0].filed_when}",
            (*leg.refs, *(f"record:{record.id}" for record in dated.values())),
            shown=False,
            leg=leg.id,
        )
    elif len(dated) < needed:
        yield Found(
            f"leg:{leg.ref}",
            f"leg {leg.ref} was paid at {instant_text(leg.first_at)} with {len(dated)} of {needed} approvals",
            (*leg.refs, *(f"record:{record.id}" for record in dated.values())),
            leg=leg.id,
        )


def untested(leg: LegFacts, facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """LEG-4: the main amount moved without a confirmed test transfer to the very same script before it."""
    wanted = leg.needs_test or leg.kind.value in preset.rules.test_kinds
    if not wanted or leg.first_at is None:
        return
    tested = facts.tests.get((leg.asset, leg.target_key))
    if tested is None or tested > leg.first_at:
        yield Found(
            f"leg:{leg.ref}",
            f"leg {leg.ref} was paid to {leg.target} without a confirmed test transfer to the same script before it",
            leg.refs,
            leg=leg.id,
        )


def moved_in_hold(leg: LegFacts, facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """HOLD-1: a leg was paid while a court forbade it, or after the end of a hold that was filed only later."""
    for record, hold in facts.of("hold", Hold):
        inside = [one for one in leg.arrivals if holds(record, hold, one.time)]
        if inside and leg.sources:
            sure = [one for one in inside if within(hold, one.time)]
            first = sure[0] if sure else inside[0]
            when = "during" if sure else "after the end, which was filed later, of"
            name = facts.origin(record)
            yield Found(
                f"leg:{leg.ref}:{name}",
                f"leg {leg.ref} was paid at {instant_text(first.time)}, {when} hold {name} of {hold.court}",
                (f"record:{record.id}", *(f"movement:{one.movement_id}" for one in inside)),
                shown=bool(sure),
                leg=leg.id,
            )


def within(hold: Hold, time: int) -> bool:
    """Whether an instant lies inside a hold; its end does not."""
    return hold.start <= time and (hold.end is None or time < hold.end)


def holds(record: Record, hold: Hold, time: int) -> bool:
    """Whether a hold stood at an instant, or stood for all that was known when its end was filed."""
    if within(hold, time):
        return True
    amended = record.supersedes is not None and hold.end is not None and hold.end <= time
    return amended and (record.known_at is None or time <= record.known_at)


def left_in_hold(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """HOLD-1: value moved outside every leg while a court forbade any movement."""
    for record, hold in facts.of("hold", Hold):
        for one in facts.outside:
            if holds(record, hold, one.time):
                amount, sure = f"{format_units(one.amount, one.decimals)} {one.symbol}", within(hold, one.time)
                when = "during" if sure else "after the end, which was filed later, of"
                name = facts.origin(record)
                yield Found(
                    f"entry:{one.entry_id}:{name}",
                    f"{amount} moved at {instant_text(one.time)}, {when} the hold {name} of {hold.court}",
                    (f"record:{record.id}", f"entry:{one.entry_id}", f"block:{one.block_id}"),
                    shown=sure,
                )


def unexplained(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """RECON-1: some value has no place in the ledger."""
    for asset in facts.assets:
        if asset.unexplained:
            yield Found(
                f"asset:{asset.asset}",
                f"{format_units(asset.unexplained, asset.decimals)} {asset.symbol} is unexplained",
                (f"block:{asset.block_id}", "ledger"),
            )


RULES = (
    Rule(
        "LEG-4",
        "HIGH",
        Lane.REPORTED,
        "main amount without a confirmed test transfer to the same script",
        on_leg=untested,
    ),
    Rule("LEG-7", "CRITICAL", Lane.ATTESTED, "a leg is paid before enough people approved it", on_leg=not_approved),
    Rule("RECON-1", "CRITICAL", Lane.REPORTED, "unexplained is not 0", on_case=unexplained),
    Rule(
        "HOLD-1",
        "CRITICAL",
        Lane.ATTESTED,
        "a debit during a court hold",
        on_case=left_in_hold,
        on_leg=moved_in_hold,
        version=3,
    ),
)
