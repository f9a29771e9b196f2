"""The seam: what an inspection of a case asks of a chain family, and what it is given for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tracer.custody.case import Watch
from tracer.powers.nouns import Finding
from tracer.types import ChainId, Holder


@dataclass(frozen=True, slots=True)
class Filed:
    """A descriptor as a case file declares it: its watches are ref/first to ref/last, or ref where it has no *."""

    ref: str
    text: str
    first: int
    last: int

    def watch(self, index: int) -> str:
        """The ref of the watch of one index."""
        return f"{self.ref}/{index - self.first}" if "*" in self.text else self.ref


@dataclass(frozen=True, slots=True)
class Spend:
    """A transaction that spent a coin of a holder, and which of its inputs did."""

    raw: bytes
    place: int


@dataclass(frozen=True, slots=True)
class Task:
    """What is inspected on one chain.

    seized: the case's seized watches. watched: all that it watches there. used: refs of watches that ever received.
    spends: one spend of a holder each, where the store has one. configured: every chain that is followed.
    """

    seized: Sequence[Watch]
    watched: frozenset[Holder]
    filed: Sequence[Filed] = ()
    used: frozenset[str] = frozenset()
    spends: Mapping[Holder, Spend] = field(default_factory=dict)
    configured: frozenset[ChainId] = frozenset()


class Inspector(Protocol):
    """Asks one node. Every method raises what a node's methods raise."""

    async def open(self) -> None:
        """Connect and check the network; raises WrongNetwork."""

    async def close(self) -> None:
        """Release connections. Idempotent."""

    async def look(self, task: Task) -> list[Finding]:
        """Find all powers and gaps, at the node's best block."""
