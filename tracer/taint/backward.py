"""Goes back from a deposit: which units of it came from where, exact to the unit, by FIFO. Pure.

FIFO gives every unit a place, and a transaction moves places to places, so that going back is as exact as going
forward: the ranges that are found tile the deposit. What a node is, a coin or a payment, is the caller's business.
"""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Generic, TypeVar

Node = TypeVar("Node", bound=Hashable)

Parents = Callable[[Node, int, int], Sequence[tuple[Node, int, int]]]
"""Where units [start, end) of a node came from, in order, as (node, start, end); empty: nothing tells."""


@dataclass(frozen=True, slots=True)
class Origin(Generic[Node]):
    """Units [start, end) of a deposit, and the place `begin` of the first of them in the node that they came from.

    path: nodes from the deposit back to it, both included. cut: whether the limit of hops ended the way there.
    """

    start: int
    end: int
    node: Node
    begin: int
    path: tuple[Node, ...]
    cut: bool = False

    @property
    def units(self) -> int:
        """How many units they are."""
        return self.end - self.start


def origins(
    deposit: Node,
    amount: int,
    parents: Parents[Node],
    *,
    ends_at: Callable[[Node], bool] = lambda _: False,
    step_of: Callable[[Node], Hashable] = lambda node: node,
    hops: int | None = None,
) -> list[Origin[Node]]:
    """Say of every unit of a deposit where it came from: ranges in order, whose lengths add up to the amount.

    ends_at: whether to go no further back than a node. step_of: what made a node (its transaction): neighbours that
    took the same steps are put together. hops: at most so many steps back.
    """
    walk: _Back[Node] = _Back([(-1, deposit, 0)])
    stack: list[tuple[int, Node, int, int, int, int]] = [(0, deposit, 0, amount, 0, -1)] if amount else []
    while stack:
        at, node, start, end, way, trail = stack.pop()
        far = walk.ways[way][2]
        behind = () if ends_at(node) else parents(node, start, end)
        cut = bool(behind) and hops is not None and far >= hops
        if not behind or cut:
            walk.note(at, node, start, end, way, trail, cut)
            continue
        further = walk.trails.setdefault((trail, step_of(node)), len(walk.trails))
        far += 1
        first = len(stack)
        for before, low, high in behind:
            stack.append((at, before, low, high, len(walk.ways), further))
            walk.ways.append((way, before, far))
            at += high - low
        if len(behind) > 1:
            stack[first:] = reversed(stack[first:])
    return walk.origins()


@dataclass(slots=True)
class _Back(Generic[Node]):
    """A walk back. ways: (the way before, node, steps) each; trails: numbers of the steps taken so far."""

    ways: list[tuple[int, Node, int]]
    trails: dict[tuple[int, Hashable], int] = field(default_factory=dict)
    found: list[tuple[int, int, Node, int, int, int, bool]] = field(default_factory=list)

    def note(self, at: int, node: Node, start: int, end: int, way: int, trail: int, cut: bool) -> None:
        """Write down where a range ends, as part of its left neighbour if it came the same way."""
        if self.found:
            first, upto, last, begin, last_way, last_trail, was_cut = self.found[-1]
            same = (last, begin + upto - first, last_trail, was_cut) == (node, start, trail, cut)
            if same and upto == at:
                self.found[-1] = first, at + end - start, node, begin, last_way, trail, cut
                return
        self.found.append((at, at + end - start, node, start, way, trail, cut))

    def origins(self) -> list[Origin[Node]]:
        """What was written down, with the paths."""
        return [
            Origin(start, end, node, begin, self._path(way), cut) for start, end, node, begin, way, _, cut in self.found
        ]

    def _path(self, way: int) -> tuple[Node, ...]:
        path: list[Node] = []
        while way >= 0:
            way, node, _ = self.ways[way]
            path.append(node)
        path.reverse()
        return tuple(path)


@dataclass(frozen=True, slots=True)
class Line(Generic[Node]):
    """Units that stand in a line, piece by piece: (node, where in it, how many). bounds: where each piece begins."""

    pieces: Sequence[tuple[Node, int, int]]
    bounds: Sequence[int]

    @classmethod
    def of(cls, pieces: Sequence[tuple[Node, int, int]]) -> "Line[Node]":
        """Put pieces in a line; empty ones are left out."""
        full = [piece for piece in pieces if piece[2]]
        return cls(full, list(accumulate((units for _, _, units in full), initial=0)))

    @property
    def units(self) -> int:
        """How many stand there."""
        return self.bounds[-1]

    def part(self, start: int, end: int) -> list[tuple[Node, int, int]]:
        """Units [start, end) of the line as (node, start, end).

        >>> Line.of([("a", 0, 3), ("b", 5, 2)]).part(2, 4)
        [('a', 2, 3), ('b', 5, 6)]
        """
        place = bisect_right(self.bounds, start) - 1
        if start < end <= self.bounds[place + 1]:
            node, begin, _ = self.pieces[place]
            begin -= self.bounds[place]
            return [(node, begin + start, begin + end)]
        found: list[tuple[Node, int, int]] = []
        while start < end:
            node, begin, units = self.pieces[place]
            low = start - self.bounds[place]
            high = min(units, end - self.bounds[place])
            found.append((node, begin + low, begin + high))
            start += high - low
            place += 1
        return found


@dataclass(slots=True)
class Credits(Generic[Node]):
    """What one account holds of one asset, as a queue of what came in: the oldest leaves first.

    unknown: what stands for units that left without having been seen to come in.
    """

    unknown: Node
    queue: list[tuple[Node, int, int]] = field(default_factory=list)
    first: int = 0
    paid: dict[Node, Line[Node]] = field(default_factory=dict)

    def credit(self, node: Node, amount: int) -> None:
        """Let units come in, as a piece of their own."""
        if amount:
            self.queue.append((node, 0, amount))

    def debit(self, node: Node, amount: int) -> None:
        """Let units leave, and remember which."""
        left: list[tuple[Node, int, int]] = []
        wanted = amount
        while wanted and self.first < len(self.queue):
            source, begin, units = self.queue[self.first]
            taken = min(wanted, units)
            left.append((source, begin, taken))
            wanted -= taken
            if taken == units:
                self.first += 1
            else:
                self.queue[self.first] = source, begin + taken, units - taken
        if wanted:
            left.append((self.unknown, 0, wanted))
        self.paid[node] = Line.of(left)

    def held(self) -> list[tuple[Node, int, int]]:
        """What is there now, the oldest first, as (node, where in it, how many)."""
        return self.queue[self.first :]
