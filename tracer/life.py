"""The life of a transfer, from the mempool to final, and what may come between: every change is an event. Pure.

    seen -> included -> confirmed -> final
    seen -> replaced | conflicted | dropped -> seen | included
    included, confirmed -> orphaned -> seen | included | replaced | conflicted
    final -> finality-violated -> orphaned

An event is appended when something changes, and never changed: what was known at an instant is the events up to it.
`confirmed` comes before `final`, always. A transaction is what lives: one of its movements cannot be mined alone.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from tracer.chain import NO_MARKS, Marks
from tracer.types import Hash


class State(IntEnum):
    """What was last observed of a transfer; the numbers are stored."""

    SEEN = 0
    INCLUDED = 1
    CONFIRMED = 2
    FINAL = 3
    REPLACED = 4
    CONFLICTED = 5
    DROPPED = 6
    ORPHANED = 7
    FINALITY_VIOLATED = 8


IN_CHAIN = frozenset({State.INCLUDED, State.CONFIRMED, State.FINAL, State.FINALITY_VIOLATED})
"""States of a transfer that a canonical block holds."""

LOOSE = frozenset({State.SEEN, State.ORPHANED})
"""States of a transfer that no block holds, and that may still go either way."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A node's mempool holds it; `tip`: the block (its number in the store) that was our tip then."""

    tip: int


@dataclass(frozen=True, slots=True)
class Included:
    """A block of our chain holds it."""

    block: int


@dataclass(frozen=True, slots=True)
class Marked:
    """Its block is confirmed, or final, by the chain's own policy; legs may ask for more."""

    confirmed: bool
    final: bool


@dataclass(frozen=True, slots=True)
class Orphaned:
    """Its block left our chain."""

    block: int


@dataclass(frozen=True, slots=True)
class Replaced:
    """The mempool holds another transaction, `by`, that spends the same; `shared` says what, in words."""

    by: Hash
    shared: str


@dataclass(frozen=True, slots=True)
class Conflicted:
    """A block of our chain holds another transaction, `by`, that spends the same; `shared` says what, in words."""

    by: Hash
    shared: str
    block: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """The mempool does not hold it any more, no block does, and nothing known spends the same."""

    tip: int


@dataclass(frozen=True, slots=True)
class Violated:
    """Its block is final here, and a node shows another block, `by`, at that height or below."""

    block: int
    by: Hash | None = None


Observation = Seen | Included | Marked | Orphaned | Replaced | Conflicted | Dropped | Violated


class Event(NamedTuple):
    """A change of state with its evidence.

    block: number of the block that it is about (of the tip, for what a mempool says). by: the other transaction, or
    the rival block. shared: what both spend, in words.
    """

    state: State
    block: int | None = None
    by: Hash | None = None
    shared: str | None = None


@dataclass(slots=True)
class Promise:
    """An unconfirmed transaction that would serve legs (case, leg): its row, and the newest block's time when it came.

    told: that it is stuck. It is known while the daemon runs, and looked at anew after a start.
    """

    row: int
    legs: tuple[tuple[int, int], ...]
    clock: int
    told: bool = False


@dataclass(slots=True)
class Life:
    """A transfer that is not at rest; tx_id, pending_id: its rows in the store, as a block and as a mempool has it."""

    txid: Hash
    state: State | None = None
    tx_id: int | None = None
    pending_id: int | None = None
    block: int | None = None
    height: int = -1


class Change(NamedTuple):
    """An event of a transfer, as it is to be stored."""

    tx_id: int | None
    pending_id: int | None
    event: Event


def next_events(state: State | None, block: int | None, what: Observation) -> tuple[Event, ...]:
    """Say what an observation changes.

    state: what is known of the transfer, None if nothing is. block: the block that holds it, where it is in the chain.
    """
    match what:
        case Seen(tip):
            return () if state is State.SEEN or state in IN_CHAIN else (Event(State.SEEN, tip),)
        case Included(into):
            return () if state in IN_CHAIN and block == into else (Event(State.INCLUDED, into),)
        case Marked(confirmed, final):
            events: tuple[Event, ...] = ()
            if state is State.INCLUDED and (confirmed or final):
                events = (Event(State.CONFIRMED, block),)
            if final and state in (State.INCLUDED, State.CONFIRMED):
                events = (*events, Event(State.FINAL, block))
            return events
        case Orphaned(left):
            if state not in IN_CHAIN or block != left:
                return ()
            broken = (Event(State.FINALITY_VIOLATED, left),) if state is State.FINAL else ()
            return (*broken, Event(State.ORPHANED, left))
        case Replaced(by, shared):
            return (Event(State.REPLACED, by=by, shared=shared),) if state in LOOSE else ()
        case Conflicted(by, shared, where):
            return (Event(State.CONFLICTED, where, by=by, shared=shared),) if state in LOOSE else ()
        case Dropped(tip):
            return (Event(State.DROPPED, tip),) if state is State.SEEN else ()
        case Violated(where, by):
            broken_now = state is State.FINAL and block == where
            return (Event(State.FINALITY_VIOLATED, where, by=by),) if broken_now else ()


@dataclass(slots=True)
class Lives:
    """The transfers of one chain that are not at rest, by transaction id: a function of the store's rows.

    marks: how far they were taken to be confirmed and final. promised: what unconfirmed ones would do for legs.
    """

    open: dict[Hash, Life] = field(default_factory=dict)
    promised: dict[Hash, Promise] = field(default_factory=dict)
    marks: Marks = NO_MARKS
    _unconfirmed: deque[Life] = field(default_factory=deque)
    _unsettled: deque[Life] = field(default_factory=deque)

    def remember(self, lives: Iterable[Life]) -> None:
        """Take over what was stored: in the order of height, as far as they are in the chain."""
        for life in lives:
            self.open[life.txid] = life
            self._queue(life)

    def connected(self, block: int, height: int, txs: Iterable[tuple[int, Hash]], marks: Marks) -> list[Change]:
        """Advance over a block that holds some transfers (row, transaction id), and to its marks."""
        changes: list[Change] = []
        for tx_id, txid in txs:
            life = self.open.setdefault(txid, Life(txid))
            self.promised.pop(txid, None)
            events = next_events(life.state, life.block, Included(block))
            life.tx_id, life.block, life.height = tx_id, block, height
            changes += self._follow(life, events)
            self._queue(life)
        return changes + self.marked(marks)

    def marked(self, marks: Marks) -> list[Change]:
        """Advance to new marks; transfers that become final are at rest then."""
        changes: list[Change] = []
        self.marks = marks
        while self._unconfirmed and self._unconfirmed[0].height <= marks.confirmed:
            life = self._unconfirmed.popleft()
            final = life.height <= marks.final
            changes += self._follow(life, next_events(life.state, life.block, Marked(True, final)))
        while self._unsettled and self._unsettled[0].height <= marks.final:
            life = self._unsettled.popleft()
            changes += self._follow(life, next_events(life.state, life.block, Marked(True, True)))
            self.open.pop(life.txid, None)
        return changes

    def observe(self, life: Life, what: Observation) -> list[Change]:
        """Take in what a mempool says of a transfer, which may be new here."""
        changes = self._follow(life, next_events(life.state, life.block, what))
        if changes and life.state in LOOSE:
            self.open[life.txid] = life
        elif changes:
            self.open.pop(life.txid, None)
        return changes

    def loose(self) -> list[Life]:
        """The transfers that no block holds, and that may still go either way; the oldest first."""
        return [life for life in self.open.values() if life.state in LOOSE]

    def _queue(self, life: Life) -> None:
        if life.state is State.INCLUDED:
            self._unconfirmed.append(life)
        if life.state in (State.INCLUDED, State.CONFIRMED):
            self._unsettled.append(life)

    def _follow(self, life: Life, events: Sequence[Event]) -> list[Change]:
        changes = [Change(life.tx_id, life.pending_id, event) for event in events]
        if events:
            life.state = events[-1].state
        return changes
