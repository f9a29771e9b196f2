"""Answers, deposit by deposit, whether its receiver was licensed when it arrived."""

from tracer.custody.facts import CaseFacts, LegFacts
from tracer.custody.instants import instant_text
from tracer.custody.preset import Preset
from tracer.custody.rules.venue import Held, licences_of, unlicensed
from tracer.report.answer import CONTRADICTED, NOT_SHOWN, SHOWN, Check, Row
from tracer.report.casestatus import preset_of
from tracer.store.casefacts import load_facts
from tracer.store.reader import Reader


def deposits(reader: Reader, case_ref: str) -> list[Row]:
    """A row for each leg whose receiver the preset asks to be licensed: when it arrived, and by which licence."""
    case_id, preset = preset_of(reader, case_ref)
    facts = load_facts(reader.connection, case_id)
    legs = sorted(facts.legs.values(), key=lambda leg: leg.id)
    return [row_of(leg, facts, preset) for leg in legs if leg.kind.value in preset.rules.licensed_kinds]


def row_of(leg: LegFacts, facts: CaseFacts, preset: Preset) -> Row:
    """What is known of one leg's receiver."""
    licences = licences_of(leg.institution, facts, preset)
    found = next(iter(unlicensed(leg, facts, preset)), None)
    verdict = SHOWN if found is None else CONTRADICTED if found.shown else NOT_SHOWN
    return {
        "leg_ref": leg.ref,
        "receiver": leg.institution or leg.target,
        "arrived_utc": "not paid yet" if leg.first_at is None else instant_text(leg.first_at),
        "licences": "; ".join(map(said, licences)) or "none is known",
        "verdict": NOT_SHOWN if leg.first_at is None else verdict,
        "lane": "ATTESTED",
        "why": "it has not been paid" if leg.first_at is None else "" if found is None else found.message,
    }


def said(licence: Held) -> str:
    """A licence with its dates."""
    begins = "a date that nobody gave" if licence.valid_from is None else instant_text(licence.valid_from)
    ends = "" if licence.valid_to is None else f" to {instant_text(licence.valid_to)}"
    return f"{licence.entity}, from {begins}{ends} ({licence.ref})"


def licensed(rows: list[Row]) -> list[Check]:
    """Every receiver was licensed when it was paid; where nothing is to be licensed, nothing is shown."""
    if not rows:
        return [Check("EXC-1", "case", NOT_SHOWN, "no leg of the case pays a receiver that has to be licensed")]
    return [Check("EXC-1", row["leg_ref"], row["verdict"], row["why"] or "licensed when it arrived") for row in rows]
