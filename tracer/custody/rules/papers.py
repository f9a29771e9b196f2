"""Rules about documents: those that a stage needs are there, and were valid when they were acted on. Pure."""

from collections.abc import Iterator

from tracer.custody.case import LegKind
from tracer.custody.facts import CaseFacts
from tracer.custody.findings import Found, Rule
from tracer.custody.gates import matching
from tracer.custody.instants import instant_text
from tracer.custody.preset import Preset
from tracer.custody.record import Record
from tracer.custody.records import ExpectedLoss, Filing, Mandate
from tracer.types import Lane

Papers = list[tuple[Record, str, int | None]]
"""Papers with the name of their sort, and their last instant."""


def missing(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """DOC-1: value left custody, or moved within it, and a record that the preset asks for is not there."""
    moved = min((p.first_at for p in facts.progress.values() if p.first_at is not None), default=None)
    if moved is None:
        return
    for wanted in preset.rules.documents:
        if not matching(facts, wanted):
            text = f"legs have been paid since {instant_text(moved)}, and nobody filed: {wanted}"
            yield Found(f"document:{wanted}", text, (), shown=False)
    yield from unfounded(facts, preset)
    resting = (records for records in facts.current.values() if records and records[0].body.needs_document)
    for record in (one for records in resting for one in records):
        if record.document is None:
            text = f"{record.kind} {record.ref} rests on no document"
            yield Found(f"record:{record.ref}", text, (f"record:{record.id}",), shown=False)


def unfounded(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """The part of DOC-1 about legs that may be paid only on a record: an order, an agreement, an estimate."""
    for need in preset.file.needs:
        progress = facts.progress.get(LegKind(need.legs))
        if progress is None or progress.first_at is None:
            continue
        filed = sorted(matching(facts, need.record), key=lambda record: (begins(record), record.id))
        in_time = [record for record in filed if begins(record) <= progress.first_at]
        if in_time and not all(record.may_have_known(progress.first_block) for record in in_time):
            continue
        head = f"{need.legs} legs have been paid since {instant_text(progress.first_at)}"
        when = f"is {'' if in_time else 'only '}of {instant_text(begins(filed[0]))}" if filed else "was not filed"
        after = f", and {in_time[0].filed_when}" if in_time else ""
        refs = (f"record:{filed[0].id}",) if filed else ()
        subject = f"needs:{need.legs}:{need.record}"
        yield Found(
            subject, f"{head}; {need.record} {when}{after}", refs, shown=bool(filed) and not in_time, severity="HIGH"
        )


def begins(record: Record) -> int:
    """Since when a record counts: its instant, or a later one from which what it says is valid."""
    start = getattr(record.body, "valid_from", None)
    return record.at if start is None else max(record.at, int(start))


def expired(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """DOC-2: when some leg was paid, a mandate or another document had ended and no other one of its sort was valid."""
    mandates: Papers = [(record, body.what, body.valid_to) for record, body in facts.of("mandate", Mandate)]
    papers: Papers = [(record, filing.title, filing.valid_to) for record, filing in facts.of("document", Filing)]
    for sort, of_sort in (("", mandates), ("document ", papers)):
        for record, name, end in of_sort:
            bare = [] if end is None else [at for at in facts.paid if at > end and not valid(name, at, of_sort)]
            if bare and end is not None:
                what = f"{name} {record.ref}" if not sort else f"document {record.ref} ({name})"
                text = f"{what} ended at {instant_text(end)}; a leg was paid {instant_text(max(bare))}"
                yield Found(f"record:{record.ref}", text, (f"record:{record.id}",))


def valid(name: str, when: int, papers: Papers) -> bool:
    """Whether some paper of a sort was valid at an instant."""
    return any(
        title == name and begins(record) <= when and (end is None or when <= end) for record, title, end in papers
    )


def no_emergency(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """LOSS-1: coins were sold early without an expected loss as large as the preset asks for."""
    needed = preset.rules.loss_percent
    if not needed or not facts.current.get("sale"):
        return
    expected = max((body.percent for _, body in facts.of("expected-loss", ExpectedLoss)), default=None)
    if expected is None or expected < needed:
        said = "nobody filed one" if expected is None else f"{expected} % was filed"
        text = f"an emergency sale needs an expected loss of {needed} %; {said}"
        refs = tuple(f"record:{record.id}" for record in facts.current.get("expected-loss", ()))
        yield Found("loss", text, refs, shown=expected is not None)


RULES = (
    Rule("DOC-1", "WARN", Lane.ATTESTED, "a document is missing", on_case=missing, version=2),
    Rule("DOC-2", "HIGH", Lane.ATTESTED, "a document had expired", on_case=expired, version=2),
    Rule("LOSS-1", "HIGH", Lane.ATTESTED, "an emergency sale without the expected loss it needs", on_case=no_emergency),
)
