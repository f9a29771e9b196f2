"""Follows traced value forward from some places, hop by hop, and adds up where it ended. Pure.

A place is a coin (its number) or what an account holds of an asset; a fee is none. One walk serves both: a coin is a
place that is filled by one transaction and emptied by another.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from tracer.taint.boundaries import AMOUNT, HOPS

Label = int
Spot = Hashable
Key = tuple[Label, int]
"""A label and the number of an asset."""


@dataclass(frozen=True, slots=True)
class Move:
    """Units of one label that a movement `to_id` took from one place into another; `target` None: a fee.

    asset: its number. boundary: why the run stops there. converted: they came by a swap of what `source` gave.
    """

    to_id: int
    seq: int
    from_id: int
    label: Label
    units: int
    asset: int
    source: Spot
    target: Spot | None
    hop: int
    boundary: str | None
    converted: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a reader wants to follow: transactions from the start, traced units per movement; None: all the way."""

    hops: int | None = None
    min_amount: int = 0


ALL_THE_WAY = Bounds()


@dataclass(frozen=True, slots=True)
class Sum:
    """One label's units of one asset on the way: what was here, joined, and came by a swap, and where they ended."""

    label: Label
    asset: int
    begun: int
    joined: int
    converted: int
    live: int
    leaves: int

    @property
    def exact(self) -> bool:
        """Whether no unit was lost or made."""
        return self.begun + self.joined + self.converted == self.live + self.leaves


@dataclass(frozen=True, slots=True)
class Stop:
    """Units that are where the way ends: in a live place, or at a leaf, whose movement brought them."""

    spot: Spot | None
    row: int | None
    label: Label
    asset: int
    units: int
    hop: int
    state: str
    reason: str | None


@dataclass(slots=True)
class Forward:
    """Value followed by one run from `starts` (movements) and `spots` (places whose seeds it begins with).

    moves: in chain order. seeds: label, asset and units by place. over: places that are empty by now, whatever moves
    say. cut: places that were not looked beyond, and why. sums: none where amounts cannot be added (`adds` False).
    """

    starts: frozenset[int]
    spots: frozenset[Spot]
    moves: Iterable[Move]
    seeds: Mapping[Spot, list[tuple[Label, int, int]]]
    adds: bool = True
    bounds: Bounds = ALL_THE_WAY
    over: Collection[Spot] = frozenset()
    cut: Mapping[Spot, str] = field(default_factory=dict)
    steps: list[Move] = field(default_factory=list)
    ends: list[Stop] = field(default_factory=list)
    sums: list[Sum] = field(default_factory=list)
    inside: dict[Spot, int] = field(default_factory=dict)
    held: dict[Spot, dict[Key, tuple[int, int, int]]] = field(default_factory=dict)
    _in: dict[str, dict[Key, int]] = field(default_factory=lambda: {"begun": {}, "joined": {}, "converted": {}})
    _leaves: dict[tuple[int, Key, str], tuple[Spot | None, int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for spot, marks in self.seeds.items():
            for label, asset, units in marks:
                self._hold(spot, (label, asset), units, 0, 0)
        for spot in self.spots:
            self._enter(spot, 0, "begun")
        for _, group in groupby(self.moves, key=lambda move: move.to_id):
            self._take(list(group))
        self._finish()

    def _take(self, group: list[Move]) -> None:
        """Take the moves of one movement."""
        first = group[0]
        for move in group:
            if not move.converted:
                self._hold(move.source, (move.label, move.asset), -move.units, move.hop, 0)
        inner = [move for move in group if move.source in self.inside]
        wanted = group if first.to_id in self.starts else inner
        far = 0 if first.to_id in self.starts else 1 + min((self.inside[m.source] for m in inner), default=0)
        reason = first.boundary or (self._cut(first.target, far, sum(m.units for m in inner)) if wanted else None)
        for move in group:
            key = move.label, move.asset
            if first.boundary is None:  # beyond the reader's bounds value goes on all the same
                assert move.target is not None
                self._hold(move.target, key, move.units, move.hop, move.to_id)
            if move in wanted and reason is not None:
                self._leave(move, reason)
            if move.source in self.inside:
                self.steps.append(move)
                if move.converted:
                    _add(self._in["converted"], key, move.units)
            elif move in wanted:
                _add(self._in["begun"], key, move.units)
            elif reason is None and move.target in self.inside:
                _add(self._in["joined"], key, move.units)
        if wanted and reason is None and first.target not in self.inside:
            assert first.target is not None
            self._enter(first.target, far, "joined", group, wanted)

    def _cut(self, target: Spot | None, far: int, units: int) -> str | None:
        """Say why the reader's bounds end the way at a place that was not reached before."""
        if target in self.inside or not far:
            return None
        if self.bounds.hops is not None and far > self.bounds.hops:
            return HOPS
        return AMOUNT if units < self.bounds.min_amount else None

    def _hold(self, spot: Spot, key: Key, units: int, hop: int, row: int) -> None:
        held = self.held.setdefault(spot, {})
        had, far, last = held.get(key, (0, 0, 0))
        held[key] = had + units, max(far, hop) if units > 0 else far, row or last

    def _enter(
        self, spot: Spot, far: int, name: str, group: Iterable[Move] = (), wanted: Collection[Move] = ()
    ) -> None:
        """Begin to follow a place; what it held besides what just came counts under `name`."""
        self.inside[spot] = far
        counted: dict[Key, int] = {}
        for move in group:
            if move in wanted:
                _add(counted, (move.label, move.asset), move.units)
        for key, (units, _, _) in self.held.get(spot, {}).items():
            _add(self._in[name], key, units - counted.get(key, 0))

    def _leave(self, move: Move, reason: str) -> None:
        at = move.to_id, (move.label, move.asset), reason
        _, units, _ = self._leaves.get(at, (None, 0, 0))
        self._leaves[at] = move.target, units + move.units, move.hop

    def _finish(self) -> None:
        """Say where everything is, and add it up."""
        for (row, (label, asset), reason), (spot, units, hop) in self._leaves.items():
            self.ends.append(Stop(spot, row, label, asset, units, hop, "leaf", reason))
        for spot in self.inside:
            if spot in self.over and spot not in self.cut:
                continue
            for (label, asset), (units, hop, row) in sorted(self.held.get(spot, {}).items()):
                if units > 0 or (units and self.adds):
                    why = self.cut.get(spot)
                    state = "live" if why is None else "leaf"
                    self.ends.append(Stop(spot, row or None, label, asset, units, hop, state, why))
        live: dict[Key, int] = {}
        leaves: dict[Key, int] = {}
        for end in self.ends:
            _add(live if end.state == "live" else leaves, (end.label, end.asset), end.units)
        if not self.adds:
            return
        terms = (*(self._in[name] for name in ("begun", "joined", "converted")), live, leaves)
        for key in sorted({key for term in terms for key in term}):
            figures = [term.get(key, 0) for term in terms]
            if any(figures):
                self.sums.append(Sum(*key, *figures))

    @property
    def fault(self) -> str | None:
        """Which label's units are not all accounted for, in words; None if all are."""
        for s in self.sums:
            if not s.exact:
                came = s.begun + s.joined + s.converted
                return f"label {s.label}: {came} units went in, {s.live + s.leaves} came out"
        return None


def only(moves: Iterable[Move], labels: Collection[Label] | None) -> list[Move]:
    """The moves of some labels; None: of all."""
    return [move for move in moves if labels is None or move.label in labels]


def _add(units: dict[Key, int], key: Key, amount: int) -> None:
    units[key] = units.get(key, 0) + amount
