"""Rules about exchanges: licensed when the deposit arrived, and the deposit address attested then. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from tracer.custody.case import LegKind
from tracer.custody.facts import Attested, CaseFacts, LegFacts
from tracer.custody.findings import Found, Rule
from tracer.custody.instants import instant_text
from tracer.custody.preset import Preset
from tracer.custody.record import Record
from tracer.custody.records import Licence
from tracer.types import Lane


@dataclass(frozen=True, slots=True)
class Held:
    """A licence as the register or a record says it."""

    entity: str
    valid_from: int | None
    valid_to: int | None
    ref: str

    def covers(self, time: int) -> bool | None:
        """Whether it was valid at an instant; None where nobody gave the date that it began."""
        if self.valid_to is not None and time > self.valid_to:
            return False
        return None if self.valid_from is None else self.valid_from <= time


def unlicensed(leg: LegFacts, facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """EXC-1: the receiver of a deposit had no licence when it arrived; not shown where the register has no dates."""
    if leg.kind.value not in preset.rules.licensed_kinds or not leg.arrivals:
        return
    licences = licences_of(leg.institution, facts, preset)
    name = facts.institutions[leg.institution].name if leg.institution in facts.institutions else leg.target
    unknown: int | None = None
    refs = (*leg.refs, *(licence.ref for licence in licences))
    for time in sorted(one.time for one in leg.arrivals):
        verdicts = [licence.covers(time) for licence in licences]
        if True in verdicts:
            continue
        if None not in verdicts:
            why = "without a licence that was valid then" if licences else "and nobody knows a licence of that name"
            text = f"leg {leg.ref}: {name} received at {instant_text(time)} {why}"
            yield Found(f"leg:{leg.ref}", text, refs, leg=leg.id)
            return
        unknown = time if unknown is None else unknown
    if unknown is not None:
        when = instant_text(unknown)
        text = f"leg {leg.ref}: the register names no date from which {name} was licensed; it received at {when}"
        yield Found(f"leg:{leg.ref}", text, refs, shown=False, severity="WARN", leg=leg.id)


def licences_of(institution: str | None, facts: CaseFacts, preset: Preset) -> list[Held]:
    """The licences of an institution: those recorded for it, and those of the register under one of its names."""
    found = [
        Held(body.entity, body.valid_from, body.valid_to, f"record:{record.id}")
        for record, body in facts.of("licence", Licence)
        if body.institution == institution
    ]
    body = facts.institutions.get(institution or "")
    if body is not None:
        names = {one.casefold() for one in (body.name, *body.aliases)}
        for place, line in enumerate(preset.file.licence):
            if names & {one.casefold() for one in (line.entity, *line.names)}:
                found.append(Held(line.entity, line.valid_from, line.valid_to, f"preset:licence:{place + 1}"))
    return found


def not_attested(leg: LegFacts, facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """EXC-2: no attestation of the deposit address was valid when the deposit arrived, or filed in time to show it."""
    if leg.kind not in (LegKind.DEPOSIT, LegKind.RETURN):
        return
    statements = facts.attested.get(leg.target, [])
    bare = [one for one in leg.arrivals if not any(statement.covers(one.time) for statement in statements)]
    if bare:
        why = "its attestation was not valid" if statements else "nobody had attested it"
        yield Found(
            f"leg:{leg.ref}",
            f"leg {leg.ref} arrived at {leg.target} at {instant_text(bare[0].time)}, when {why}",
            (*leg.refs, *(f"attestation:{one.id}" for one in statements)),
            leg=leg.id,
        )
        return
    known = [one for one in statements if filed_late(one, leg, facts) is None]
    unsure = [one for one in leg.arrivals if not any(statement.covers(one.time) for statement in known)]
    if unsure:
        late = next(record for one in statements if (record := filed_late(one, leg, facts)) is not None)
        text = f"leg {leg.ref} arrived at {leg.target}; attestation {late.ref} of it {late.filed_when}"
        yield Found(f"leg:{leg.ref}", text, (*leg.refs, f"record:{late.id}"), shown=False, leg=leg.id)


def filed_late(statement: Attested, leg: LegFacts, facts: CaseFacts) -> Record | None:
    """The record of an attestation, if the deposit may have been known when it was filed; None if it was not."""
    record = facts.by_number.get(statement.record_id) if statement.record_id is not None else None
    return record if record is not None and record.may_have_known(leg.first_block) else None


RULES = (
    Rule("EXC-1", "HIGH", Lane.ATTESTED, "the exchange was not licensed when the deposit arrived", on_leg=unlicensed),
    Rule(
        "EXC-2",
        "HIGH",
        Lane.ATTESTED,
        "the deposit address was not attested, or that had expired",
        on_leg=not_attested,
        version=2,
    ),
)
