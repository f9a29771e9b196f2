"""What a rule is, and what it finds. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tracer.custody.facts import CaseFacts, LegFacts
from tracer.custody.preset import Preset
from tracer.types import Lane


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found: about which subject, in words, and the facts that it cites.

    subject: tells one finding of a rule from another, and stays the same while the finding lasts. shown: False where
    the rule cannot be decided (NOT_SHOWN); True where the facts go against it. due: the instant (of the case's clock)
    after which it is told, where something may still come in time; None: at once.
    """

    subject: str
    message: str
    refs: tuple[str, ...]
    shown: bool = True
    severity: str | None = None
    leg: int | None = None
    due: int | None = None

    def told_at(self, clock: int) -> bool:
        """Whether it is told at an instant of the case's clock."""
        return self.due is None or self.due < clock


OnCase = Callable[[CaseFacts, Preset], Iterable[Found]]
OnLeg = Callable[[LegFacts, CaseFacts, Preset], Iterable[Found]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the custody model; either about a case or about each of its legs.

    version: raised whenever what it finds changes. lane: of what it finds; a finding never closes anything.
    """

    id: str
    severity: str
    lane: Lane
    says: str
    on_case: OnCase | None = None
    on_leg: OnLeg | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding with the rule that made it; `key` identifies it over time."""

    rule: str
    version: int
    severity: str
    lane: Lane
    found: Found

    @property
    def key(self) -> tuple[str, str]:
        """Rule and subject."""
        return self.rule, self.found.subject
