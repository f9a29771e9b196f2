"""The rule about people: separated roles. That two file where one is not enough is asked for when they do. Pure."""

from collections.abc import Iterator

from tracer.custody.facts import CaseFacts
from tracer.custody.findings import Found, Rule
from tracer.custody.preset import Preset
from tracer.types import Lane


def one_person_twice(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """SOD-1: the same person filed or confirmed records that the preset separates."""
    for pair in preset.file.separate:
        ones = facts.people.get(pair.one, {})
        others = facts.people.get(pair.other, {})
        for person in sorted(ones.keys() & others.keys()):
            text = f"{ones[person][0]} filed or confirmed both {pair.one} and {pair.other}"
            refs = tuple(f"record:{number}" for _, number in (ones[person], others[person]))
            yield Found(f"person:{person}:{pair.one}:{pair.other}", text, refs)


RULES = (
    Rule("SOD-1", "HIGH", Lane.ATTESTED, "one person in two separated roles", on_case=one_person_twice, version=2),
)
