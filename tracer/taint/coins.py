"""One run over coins: which of them carry traced value, and what a transaction does to them. Pure.

The same step serves the daemon, block by block, and a run that is computed at once: coins are named by whatever their
caller tells them apart by.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from tracer.taint.boundaries import Limits, stops, unspendable
from tracer.taint.rules import Flow, Label, Method, Parts, clean, flows, mark, mass, parts_of
from tracer.types import Holder, Role

Coin = TypeVar("Coin", bound=Hashable)

RoleOf = Callable[[Holder], Role | None]
"""The role of a holder in the run's case; None outside it."""

StopOf = Callable[[Holder], str | None]
"""A reason to stop at a holder that the run was told of when it was registered; None: go on."""


class Traced(NamedTuple):
    """What a run says of one coin: its parts (see `tracer.taint.rules`), and transactions since custody."""

    parts: Parts
    hop: int


class Into(NamedTuple):
    """A coin that is made, or the fee (`coin` and `holder` None): its row, who gets it, its amount."""

    row: int
    coin: Hashable | None
    holder: Holder | None
    amount: int


class Edge(NamedTuple):
    """Traced units from the row `from_id` that debits into the row `to_id` that credits.

    seq: under tiling methods the order of the units from the front of the coin, else the (label, input) order.
    label: None for the clean units of a tiling.
    """

    to_id: int
    seq: int
    from_id: int
    label: Label | None
    amount: int


class TracedRow(NamedTuple):
    """That a row carries traced value, how far from custody, why the trace stops there, if it does, and the parts."""

    row: int
    hop: int
    boundary: str | None
    parts: Parts = ()


class Step(NamedTuple, Generic[Coin]):
    """What one transaction adds to a run; `followed` are coins that go on being followed.

    cut: (row, reason, traced units) of what limits stopped.
    """

    edges: Sequence[Edge]
    rows: Sequence[TracedRow]
    followed: Sequence[Coin]
    cut: Sequence[tuple[int, str, int]]


@dataclass(slots=True)
class CoinTrace(Generic[Coin]):
    """The live coins of one run, and how many labels it has given.

    stop_of: further reasons to stop, by holder.
    """

    method: Method
    limits: Limits
    coins: dict[Coin, Traced] = field(default_factory=dict)
    labels: int = 0
    stop_of: StopOf | None = None

    def seed(self, coin: Coin, amount: int) -> int:
        """Follow a coin as a source and return its label; sources come in label order."""
        label = self.labels
        self.labels += 1
        self.title(coin, amount, label)
        return label

    def title(self, coin: Coin, amount: int, label: Label) -> int:
        """Give a label to what of a coin has none; returns how many units that are."""
        before = self.coins.get(coin)
        parts, given = mark(self.method, before.parts if before else clean(self.method, amount), amount, label)
        if given:
            self.coins[coin] = Traced(parts, before.hop if before else 0)
        return given

    def spends_any(self, coins: Iterable[Coin]) -> bool:
        """Whether one of some coins is followed."""
        return not self.coins.keys().isdisjoint(coins)

    def advance(
        self,
        inputs: Sequence[tuple[int, Coin, int]],
        sinks: Sequence[Into],
        role_of: RoleOf,
        stop: str | None = None,
    ) -> Step[Coin]:
        """Advance over a transaction that spends at least one of its coins.

        inputs: (row, coin, amount) in vin order; sinks: in vout order, then the fee. stop: a reason to go no further
        than this transaction's outputs, which holders of the case overrule.
        """
        if len(inputs) == 1:
            row, coin, amount = inputs[0]
            traced = self.coins.get(coin)
            if traced is not None and len(traced[0]) == 1 and traced[0][0][1] == amount:
                label = traced[0][0][0]
                if label is not None:  # all of one label: every method agrees
                    del self.coins[coin]
                    pure = [[Flow(0, label, sink[3])] if sink[3] else [] for sink in sinks]
                    return self.place(traced[1] + 1, (row,), pure, sinks, role_of, stop)
        hop, came, sources = 0, [], []
        for row, coin, amount in inputs:
            traced = self.coins.pop(coin, None)
            sources.append(row)
            if traced is None:
                came.append(clean(self.method, amount))
            else:
                came.append(traced[0])
                hop = max(hop, traced[1])
        rows = flows(self.method, came, [sink[3] for sink in sinks])
        return self.place(hop + 1, sources, rows, sinks, role_of, stop)

    def place(
        self,
        hop: int,
        sources: Sequence[int],
        rows: Sequence[Sequence[Flow]],
        sinks: Sequence[Into],
        role_of: RoleOf,
        stop: str | None = None,
    ) -> Step[Coin]:
        """Put flows into their sinks: follow what goes on, and say why the rest stops."""
        live, method = len(self.coins), self.method
        edges: list[Edge] = []
        traced: list[TracedRow] = []
        followed: list[Coin] = []
        cut: list[tuple[int, str, int]] = []
        for sink, row in zip(sinks, rows, strict=True):
            if not row:
                continue
            if len(row) == 1:
                source, label, units = row[0]
                if label is None:
                    continue
                parts: Parts = ((label, units),)
            else:
                parts = parts_of(method, row)
                units = mass(method, parts)
                if not units:
                    continue
            number, coin, holder, _ = sink
            role = role_of(holder) if holder is not None else None
            reached = 0 if role is not None else hop
            burnt = holder is not None and unspendable(holder)
            reason = stops(holder, role, reached, units, live, self.limits, burnt)
            if reason is None and role is None and holder is not None:
                reason = stop or (self.stop_of(holder) if self.stop_of is not None else None)
            for seq, (source, label, amount) in enumerate(row):
                edges.append(Edge(number, seq, sources[source], label, amount))
            traced.append(TracedRow(number, reached, reason, parts))
            if reason is None:
                self.coins[coin] = Traced(parts, reached)  # type: ignore[index]
                followed.append(coin)  # type: ignore[arg-type]
            elif reason.startswith("budget"):
                cut.append((number, reason, units))
        return Step(edges, traced, followed, cut)
