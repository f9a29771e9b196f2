"""Rules about the recording of the process: no gap around a leg, and files that are what they were. Pure."""

from collections.abc import Iterator

from tracer.custody.facts import CaseFacts, LegFacts
from tracer.custody.findings import Found, Rule
from tracer.custody.instants import instant_text
from tracer.custody.preset import Preset
from tracer.custody.records import Recording, RecordingCheck
from tracer.types import Lane


def gap(leg: LegFacts, facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """REC-1: a leg was paid at an instant that no recording of it covers.

    A segment is filed once it has ended: it may still come until the preset's time is over, or a later segment of the
    leg is there.
    """
    if leg.kind.value not in preset.rules.recorded_kinds:
        return
    films = [*facts.films.get(None, ()), *facts.films.get(leg.ref, ())]
    bare = [one.time for one in leg.arrivals if not any(film.start <= one.time <= film.end for film in films)]
    if bare:
        later = any(film.end >= min(bare) for film in films)
        due = None if later else min(bare) + preset.rules.recording_within_s
        yield Found(
            f"leg:{leg.ref}",
            f"leg {leg.ref} was paid at {instant_text(min(bare))}, and no recording covers that instant",
            leg.refs,
            leg=leg.id,
            due=due if preset.rules.recording_within_s else None,
        )


def altered(facts: CaseFacts, _: Preset) -> Iterator[Found]:
    """REC-2: the file of a recording no longer has the hash that was filed."""
    films = {one.ref: one for record, _ in facts.of("recording", Recording) for one in facts.lineage(record)}
    for check, body in facts.of("recording-check", RecordingCheck):
        film = films.get(body.recording)
        if film is not None and isinstance(film.body, Recording) and film.body.sha256 != body.sha256:
            text = f"the file of recording {body.recording} has another hash than was filed"
            yield Found(f"record:{body.recording}", text, (f"record:{film.id}", f"record:{check.id}"))


RULES = (
    Rule("REC-1", "WARN", Lane.ATTESTED, "a gap in the recording", on_leg=gap, version=2),
    Rule("REC-2", "HIGH", Lane.ATTESTED, "a recording's file has another hash", on_case=altered, version=2),
)
