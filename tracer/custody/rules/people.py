"""Rules about people: separated roles, and two people where one is not enough. Pure."""

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
            text = f"{person} filed or confirmed both {pair.one} and {pair.other}"
            refs = (f"record:{ones[person]}", f"record:{others[person]}")
            yield Found(f"person:{person}:{pair.one}:{pair.other}", text, refs)


def alone(facts: CaseFacts, preset: Preset) -> Iterator[Found]:
    """SOD-2: one person alone filed what the preset has two people file: only possible before the preset said so."""
    for kind in preset.file.two_people:
        for record in facts.current.get(kind, ()):
            if record.second is None or record.second == record.actor:
                text = f"{kind} {record.ref} was filed by {record.actor} alone"
                yield Found(f"record:{record.ref}", text, (f"record:{record.id}",))


RULES = (
    Rule("SOD-1", "HIGH", Lane.ATTESTED, "one person in two separated roles", on_case=one_person_twice),
    Rule("SOD-2", "HIGH", Lane.ATTESTED, "one person filed what two people have to", on_case=alone),
)
