"""What may be filed about a case: a record is checked against what is there before anything is stored. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel

from tracer.custody import records as kinds
from tracer.custody.facts import CaseFacts
from tracer.custody.instants import instant_text
from tracer.custody.money import read_money
from tracer.custody.preset import Preset
from tracer.custody.record import ID, ID_SAID, Body, Record, plain_name
from tracer.errors import OperatorError


class RecordRefused(OperatorError):
    """A record contradicts what is there, names what is not there, or breaks a rule of the preset."""

    fix = "Correct it and record it again. Nothing was written."


@dataclass(frozen=True, slots=True)
class Draft:
    """A record that somebody wants to file. ref: None lets it be numbered. document: SHA-256, hex."""

    kind: str
    body: Body
    actor: str
    second: str | None
    at: int
    document: str | None = None
    ref: str | None = None
    supersedes: str | None = None


NAMES = {"bond": "bond", "inquiry": "inquiry", "quote": "quote", "recording": "recording"}
"""Fields that name something of the case, and what kind of thing."""

INSTITUTIONS = ("venue", "institution", "buyer")


STAYS = "What an award rests on stays as it was. Nothing was written."

AHEAD_S = 600
"""Seconds by which the instant that a record speaks of may lie ahead of the daemon's clock."""


def check_draft(
    draft: Draft, facts: CaseFacts, preset: Preset, watches: Callable[[str], bool], now: int = 2**62
) -> None:
    """Raise RecordRefused, with one line, for the first thing that speaks against a record.

    watches: whether the case has a watch of a name. now: the daemon's clock.
    """
    check_people(draft, preset)
    if draft.at > now + AHEAD_S:
        raise RecordRefused(
            f"{instant_text(draft.at)} has not come yet", "Give the instant at which it happened (--at)."
        )
    if draft.body.needs_document and draft.document is None:
        raise RecordRefused(f"a {draft.kind} record rests on a document", "Give its SHA-256 or the file (--document).")
    check_names(draft, facts, watches)
    check_superseded(draft, facts)
    check_order(draft)
    if draft.kind in CONTRADICTIONS:
        CONTRADICTIONS[draft.kind](draft, facts)


def check_name(name: str) -> None:
    """Raise RecordRefused for what is no name of a person, or cannot be told from another by looking at it."""
    if not name.strip():
        raise RecordRefused("nobody is named who files it", "Give --by NAME. Nothing was written.")
    if not name.isprintable() or " ".join(name.split()) != name or UNSEEN.search(name):
        text = f"{name!r} is no name: one line, without spaces around it or two in a row"
        raise RecordRefused(text, "Write the name as it was written before. Nothing was written.")


UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Letters that leave no mark: Unicode's Default_Ignorable_Code_Point, and the empty Braille cell."""


def same_person(one: str | None, other: str | None) -> bool:
    """Whether two names are one person's, however they are written: capitals and ways to compose letters aside."""
    return one is not None and other is not None and plain_name(one) == plain_name(other)


def check_people(draft: Draft, preset: Preset) -> None:
    """Names that tell people apart, and two different people where the preset asks for two."""
    for name in (draft.actor, draft.second):
        if name is not None:
            check_name(name)
    if same_person(draft.second, draft.actor):
        raise RecordRefused(f"{draft.actor} cannot confirm what {draft.actor} files", "Give another name to --second.")
    if draft.kind in preset.file.two_people and draft.second is None:
        text = f"under {preset.name} two people file records of kind {draft.kind}"
        raise RecordRefused(text, "Name the one who confirms it (--second NAME). Nothing was written.")


def check_names(draft: Draft, facts: CaseFacts, watches: Callable[[str], bool]) -> None:
    """Whatever the record names is there."""
    values = cast(BaseModel, draft.body).model_dump()
    for field, kind in NAMES.items():
        if field in values:
            there = {record.ref for record in facts.current.get(kind, ())}
            if values[field] not in there:
                raise RecordRefused(f"{field}: the case has no {kind} {values[field]!r}{near(there)}")
    legs = [(key, ref) for key in ("leg", "legs") for ref in listed(values.get(key, ()))]
    again = {said.leg for one, said in facts.of("withdrawal", kinds.Withdrawal) if one.ref == draft.supersedes}
    for field, ref in legs:
        leg = facts.leg(ref)
        if leg is None or (leg.withdrawn and not (draft.kind == "withdrawal" and ref in again)):
            there = {one.ref for one in facts.legs.values() if not one.withdrawn}
            raise RecordRefused(f"{field}: the case has no leg {ref!r}{near(there)}")
    for field in INSTITUTIONS:
        if field in values and values[field] not in facts.institutions:
            text = f"{field}: the case has no institution {values[field]!r}{near(set(facts.institutions))}"
            raise RecordRefused(text)
    named = [values["watch"]] if draft.kind in ("attestation", "control") else []
    if draft.kind == "leg":
        named = [values["to"], *values["sources"]]
        if len(set(values["sources"])) < len(values["sources"]):
            raise RecordRefused("from: a watch is named twice")
    for ref in named:
        if not watches(ref):
            raise RecordRefused(f"the case has no watch {ref!r}", "Declare it in the case file first.")


def listed(value: object) -> tuple[str, ...]:
    """One name, or several, as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, tuple) else ()


def near(names: set[str]) -> str:
    """What there is instead, shortly."""
    some = sorted(names)[:6]
    return f"; there is {', '.join(some)}{', ..' if len(names) > 6 else ''}" if some else "; there is none"


def check_superseded(draft: Draft, facts: CaseFacts) -> None:
    """What is superseded is there and counts; a name is used once."""
    if draft.supersedes is not None:
        old = [record for record in facts.current.get(draft.kind, ()) if record.ref == draft.supersedes]
        if not old:
            fix = "A leg of the case file is withdrawn instead." if draft.kind == "leg" else None
            raise RecordRefused(f"the case has no {draft.kind} record {draft.supersedes!r} that counts", fix)
    if draft.ref is not None and ("/" in draft.ref or not re.fullmatch(ID, draft.ref)):
        raise RecordRefused(f"id: expected {ID_SAID}, got {draft.ref!r}")
    if draft.ref is not None and taken(draft.kind, draft.ref, facts):
        raise RecordRefused(
            f"the case has a {draft.kind} {draft.ref!r} already", "Records never change: give a new id."
        )


def taken(kind: str, ref: str, facts: CaseFacts) -> bool:
    """Whether a record, or the case file, has used a name for this kind of thing."""
    declared = {"leg": facts.by_ref.keys(), "document": facts.documents}.get(kind, ())
    return ref in facts.named.get(kind, ()) or ref in declared


SPANS = (("start", "end"), ("valid_from", "valid_to"), ("not_before", "deadline"))


def check_order(draft: Draft) -> None:
    """Spans end after they begin."""
    values = cast(BaseModel, draft.body).model_dump()
    for first, last in SPANS:
        begin, end = values.get(first), values.get(last)
        if begin is not None and end is not None and end < begin:
            raise RecordRefused(f"{last} lies before {first}")
    if draft.kind == "inquiry" and values["closes_at"] <= draft.at:
        raise RecordRefused("an inquiry cannot close before it begins")


def _approval(draft: Draft, facts: CaseFacts) -> None:
    body = cast(kinds.Approval, draft.body)
    for record in facts.approvals.get(body.leg, ()):
        if same_person(record.actor, draft.actor) and record.ref != draft.supersedes:
            raise RecordRefused(f"{draft.actor} approved leg {body.leg} already", "Another person has to approve it.")
    planned = [record for record, _ in facts.of("leg", kinds.PlannedLeg) if record.ref == body.leg]
    if planned and any(same_person(draft.actor, one) for one in (planned[0].actor, planned[0].second)):
        raise RecordRefused(f"{draft.actor} planned leg {body.leg} and cannot approve it")


def _hold(draft: Draft, facts: CaseFacts) -> None:
    body = cast(kinds.Hold, draft.body)
    if body.end is not None and body.end <= body.start:
        raise RecordRefused("a hold ends after it begins")
    old = next((said for record, said in facts.of("hold", kinds.Hold) if record.ref == draft.supersedes), None)
    if old is not None and (body.start > old.start or (body.end is not None and body.end < min(facts.clock, draft.at))):
        text = "a hold that stood cannot be taken back: its successor begins no later, and ends no earlier than now"
        raise RecordRefused(text)


def _recording(draft: Draft, _: CaseFacts) -> None:
    if cast(kinds.Recording, draft.body).end > draft.at:
        raise RecordRefused("a segment has a hash once it has ended", "File it with an instant after its end (--at).")


def _inquiry(draft: Draft, facts: CaseFacts) -> None:
    if draft.supersedes in {said.inquiry for _, said in facts.of("award", kinds.Award)}:
        raise RecordRefused(
            f"inquiry {draft.supersedes} was awarded already", "What an award rests on stays as it was."
        )


def _leg(draft: Draft, facts: CaseFacts) -> None:
    old = None if draft.supersedes is None else facts.leg(draft.supersedes)
    if old is not None and old.arrivals:
        raise RecordRefused(f"leg {draft.supersedes} was paid already", "What happened cannot be planned anew.")
    deadline = cast(kinds.PlannedLeg, draft.body).deadline
    if deadline is not None and deadline < facts.clock:
        text = f"the deadline {instant_text(deadline)} has passed, and a leg that is recorded serves no earlier payment"
        raise RecordRefused(text)


def _sum(draft: Draft, _: CaseFacts) -> None:
    said = cast(BaseModel, draft.body).model_dump()
    for key in ("proceeds", "credited", "amount", "price"):
        text = said.get(key)
        if isinstance(text, str) and " " in text and not read_money(text).minor:
            raise RecordRefused(f"{key}: a {draft.kind} of nothing is none")


def _award(draft: Draft, facts: CaseFacts) -> None:
    body = cast(kinds.Award, draft.body)
    came, quoted = next((r, said) for r, said in facts.of("quote", kinds.Quote) if r.ref == body.quote)
    if came.at > draft.at:
        raise RecordRefused(f"quote {body.quote} came at {instant_text(came.at)}, after that award")
    if quoted.inquiry != body.inquiry:
        raise RecordRefused(f"quote {body.quote} is for inquiry {quoted.inquiry}, not {body.inquiry}")
    for record, said in facts.of("award", kinds.Award):
        if said.inquiry == body.inquiry and record.ref != draft.supersedes:
            raise RecordRefused(f"inquiry {body.inquiry} was awarded already", "Supersede that award if it was wrong.")


def _quote(draft: Draft, facts: CaseFacts) -> None:
    body = cast(kinds.Quote, draft.body)
    begun = next(record.at for record, _ in facts.of("inquiry", kinds.Inquiry) if record.ref == body.inquiry)
    if draft.at < begun:
        raise RecordRefused(f"inquiry {body.inquiry} began at {instant_text(begun)}, after that quote")
    won = {said.quote for _, said in facts.of("award", kinds.Award)}  # its award does not stand without it: PRICE-4
    for record, said in facts.of("quote", kinds.Quote):
        if record.ref == draft.supersedes and record.ref not in won:
            _before_award(draft, facts, said.inquiry)
        if (said.inquiry, said.venue) == (body.inquiry, body.venue) and record.ref != draft.supersedes:
            raise RecordRefused(f"{body.venue} has quoted for {body.inquiry} already", "Supersede that quote.")
    _sum(draft, facts)


def _reserve(draft: Draft, facts: CaseFacts) -> None:
    body = cast(kinds.Reserve, draft.body)
    for record, said in facts.of("reserve", kinds.Reserve):
        if said.inquiry == body.inquiry and record.ref != draft.supersedes:
            raise RecordRefused(f"inquiry {body.inquiry} has a reserve already", "Supersede that reserve.")
    _before_award(draft, facts, body.inquiry)
    _sum(draft, facts)


def _before_award(draft: Draft, facts: CaseFacts, inquiry: str) -> None:
    awarded = {said.inquiry for _, said in facts.of("award", kinds.Award)}
    if draft.supersedes is not None and inquiry in awarded:
        raise RecordRefused(f"inquiry {inquiry} was awarded already", STAYS)


def _power(draft: Draft, _: CaseFacts) -> None:
    block = cast(kinds.Power, draft.body).block
    if block != "-" and not re.fullmatch("[0-9]{1,18}:[0-9a-f]{64}", block):
        text = "block: expected HEIGHT:HASH, the hash of 64 hex digits, or - where no node was asked"
        raise RecordRefused(text, "`tracerd inspect --record NAME` files what nodes say.")


def _commitment(draft: Draft, facts: CaseFacts) -> None:
    old = {record.ref: said.inquiry for record, said in facts.of("quote-commitment", kinds.QuoteCommitment)}
    for inquiry in {cast(kinds.QuoteCommitment, draft.body).inquiry, old.get(draft.supersedes or "", "")}:
        _before_award(draft, facts, inquiry)


def _bond(draft: Draft, facts: CaseFacts) -> None:
    if not cast(kinds.Bond, draft.body).sum.minor:
        raise RecordRefused("a bond of nothing is no bond")
    if draft.supersedes in {said.bond for _, said in facts.of("bond-release", kinds.BondRelease)}:
        raise RecordRefused(f"bond {draft.supersedes} was released already", "File a bond that was posted since anew.")


def _release(draft: Draft, facts: CaseFacts) -> None:
    body = cast(kinds.BondRelease, draft.body)
    posted = next(record.at for record, _ in facts.of("bond", kinds.Bond) if record.ref == body.bond)
    if draft.at < posted:
        raise RecordRefused(f"bond {body.bond} was posted at {instant_text(posted)}, after that release")
    for record, said in facts.of("bond-release", kinds.BondRelease):
        if said.bond == body.bond and record.ref != draft.supersedes:
            raise RecordRefused(f"bond {body.bond} was released already", "Supersede that release if it was wrong.")


def _withdrawal(draft: Draft, facts: CaseFacts) -> None:
    body = cast(kinds.Withdrawal, draft.body)
    leg = facts.leg(body.leg)
    if leg is not None and leg.arrivals:
        raise RecordRefused(f"leg {body.leg} was paid already", "What happened cannot be withdrawn.")


CONTRADICTIONS: dict[str, Callable[[Draft, CaseFacts], None]] = {
    "approval": _approval,
    "leg": _leg,
    "hold": _hold,
    "recording": _recording,
    "inquiry": _inquiry,
    "sale": _sum,
    "credit": _sum,
    "settlement": _sum,
    "remittance": _sum,
    "award": _award,
    "quote": _quote,
    "quote-commitment": _commitment,
    "power": _power,
    "reserve": _reserve,
    "bond": _bond,
    "bond-release": _release,
    "withdrawal": _withdrawal,
}


def ref_of(draft: Draft, facts: CaseFacts) -> str:
    """The record's own name, or the next number of its kind."""
    if draft.ref is not None:
        return draft.ref
    number = len(facts.current.get(draft.kind, ())) + 1
    while taken(draft.kind, f"{draft.kind}-{number}", facts):
        number += 1
    return f"{draft.kind}-{number}"


def superseded_id(draft: Draft, facts: CaseFacts) -> int | None:
    """The id of the record that this one supersedes, if it does."""
    if draft.supersedes is None:
        return None
    found: list[Record] = [r for r in facts.current.get(draft.kind, ()) if r.ref == draft.supersedes]
    return found[0].id if found else None
