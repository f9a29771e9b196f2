"""Traces a whole stored history at once: the plain reference that every other engine is held against. Pure.

Coins go strictly forward in chain order: the earliest transaction that spends a traced coin comes next. Only traced
transactions are looked at, so that a small trace in a large history is cheap.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Protocol

from tracer.taint.boundaries import FEE, TIME, UNCLAIMED, standing
from tracer.taint.coins import CoinTrace, Edge, Into, RoleOf, Step, StopOf, TracedRow
from tracer.taint.rules import Label, Method, Parts, clean, flows
from tracer.taint.run import COINBASE, LEAF, LIVE, Declaration, End, Place
from tracer.types import Holder, Kind

Order = tuple[int, int]
"""(height, position in the block) of a transaction."""


@dataclass(frozen=True, slots=True)
class Spent:
    """An input: the row that debits, the coin's row (negative where that coin is not stored), its amount and holder."""

    row: int
    coin: int
    amount: int
    holder: bytes = b""


@dataclass(frozen=True, slots=True)
class Made:
    """An output: its row, which is also the coin's name; index: its vout."""

    row: int
    index: int
    holder: Holder
    amount: int


@dataclass(frozen=True, slots=True)
class CoinTx:
    """A transaction with all inputs in vin order and all outputs in vout order; fee: the row and amount of its fee.

    A coinbase has no inputs and no fee.
    """

    order: Order
    inputs: tuple[Spent, ...]
    outputs: tuple[Made, ...]
    fee_row: int = 0

    @property
    def fee(self) -> int:
        """What the outputs leave over."""
        return sum(spent.amount for spent in self.inputs) - sum(made.amount for made in self.outputs)


@dataclass(frozen=True, slots=True)
class Coinbase:
    """A block's coinbase, where all of the block is stored: its outputs, its subsidy, and its fees in their order."""

    outputs: tuple[Made, ...]
    subsidy: int
    fees: tuple[tuple[int, int], ...]
    """(row, amount) by transaction."""


class History(Protocol):
    """What a trace asks of a store."""

    def coin(self, row: int) -> tuple[Order, Made]:
        """The coin that a row makes, and where."""

    def spender(self, coin: int) -> CoinTx | None:
        """The transaction that spends a coin; None if none that is stored does."""

    def seen(self, coins: Sequence[int]) -> set[int]:
        """Those of some unspent coins whose spending would have been stored."""

    def coinbase(self, height: int) -> Coinbase | None:
        """The coinbase of a block; None where not all of the block is stored."""


@dataclass(slots=True)
class Result:
    """A run's result: where every unit is, what led there, and how many units each label got.

    rows: what was traced, by row. places: where rows are.
    """

    ends: list[End] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    rows: dict[int, TracedRow] = field(default_factory=dict)
    places: dict[int, Place] = field(default_factory=dict)
    seeded: dict[Label, int] = field(default_factory=dict)
    transactions: int = 0


class TooLarge(Exception):
    """More transactions carry traced value than the caller wanted to have looked at one by one."""


LAST = 1 << 40
"""The position of a block's coinbase: its outputs come after all other transactions."""

SPEND, TITLE = 0, 1


def trace_coins(
    declared: Declaration,
    sources: Mapping[int, Label],
    history: History,
    role_of: RoleOf,
    upto: int,
    *,
    stop_of: StopOf | None = None,
    stop_at: Callable[[CoinTx], str | None] | None = None,
    at_most: int = 0,
    enough: Callable[[], bool] | None = None,
) -> Result:
    """Trace a run over a history up to a height, transaction by transaction.

    sources: labels by the row of their coin. stop_of, stop_at: further reasons to stop, by holder and by transaction.
    at_most: raises TooLarge beyond so many transactions; 0: never. enough: asked now and then whether time is up; what
    is left then ends as a leaf that says so.
    """
    trace: CoinTrace[int] = CoinTrace(declared.method, declared.limits, stop_of=stop_of)
    walk = _Walk(declared, history, role_of, trace, upto, stop_at)
    for row, label in sources.items():
        order, made = history.coin(row)
        heappush(walk.queue, (*order, TITLE, row))
        walk.titles[row] = order, made, label
    while walk.queue:
        if at_most and walk.done.transactions >= at_most:
            raise TooLarge
        if enough is not None and walk.done.transactions % 256 == 255 and enough():
            break
        walk.take(*heappop(walk.queue))
    walk.finish()
    return walk.done


@dataclass(slots=True)
class _Walk:
    """A run under way; spenders: transactions to come; fees: parts that wait for their block's coinbase."""

    declared: Declaration
    history: History
    role_of: RoleOf
    trace: CoinTrace[int]
    upto: int
    stop_at: Callable[[CoinTx], str | None] | None
    done: Result = field(default_factory=Result)
    queue: list[tuple[int, int, int, int]] = field(default_factory=list)
    titles: dict[int, tuple[Order, Made, Label]] = field(default_factory=dict)
    spenders: dict[Order, CoinTx] = field(default_factory=dict)
    spent_by: dict[int, Order] = field(default_factory=dict)
    made: dict[int, tuple[Order, Made]] = field(default_factory=dict)
    fees: dict[int, dict[int, tuple[Parts, int]]] = field(default_factory=dict)

    def take(self, height: int, position: int, what: int, row: int) -> None:
        """Take the event that is next in chain order."""
        if what == TITLE:
            order, made, label = self.titles[row]
            self.done.seeded[label] = self.trace.title(row, made.amount, label)
            if self.done.seeded[label]:
                self._follow(order, made)
        elif position == LAST:
            self._coinbase(height)
        else:
            self._transaction(self.spenders.pop((height, position)))

    def _transaction(self, tx: CoinTx) -> None:
        inputs = [(spent.row, spent.coin, spent.amount) for spent in tx.inputs]
        if not self.trace.spends_any(coin for _, coin, _ in inputs):
            return
        self.done.transactions += 1
        sinks = [Into(made.row, made.row, made.holder, made.amount) for made in tx.outputs]
        sinks.append(Into(tx.fee_row, None, None, tx.fee))
        stop = self.stop_at(tx) if self.stop_at is not None else None
        step = self.trace.advance(inputs, sinks, self.role_of, stop)
        self._settle(tx.order, tx.outputs, step)

    def _settle(self, order: Order, outputs: Iterable[Made], step: Step[int]) -> None:
        """Write down a step, and go on with the coins that it follows."""
        made = {one.row: one for one in outputs}
        self.done.edges += step.edges
        for row in step.rows:
            one = made.get(row.row)
            kind, index = (Kind.OUT, one.index) if one is not None else (Kind.FEE, 0)
            place = Place(order[0], order[1] if order[1] != LAST else 0, int(kind), index, row=row.row)
            self.done.rows[row.row], self.done.places[row.row] = row, place
            if one is not None and row.boundary is None:
                self._follow(order, one)
            elif row.boundary == FEE and self._to_miner(order[0], row):
                continue
            elif row.boundary is not None:
                self.done.ends += self._ends(place, row.parts, LEAF, row.boundary)

    def _to_miner(self, height: int, row: TracedRow) -> bool:
        """Keep a traced fee for the block's coinbase, if the run follows fees there and the whole block is stored."""
        if self.declared.fee_policy != COINBASE or self.history.coinbase(height) is None:
            return False
        if height not in self.fees:
            heappush(self.queue, (height, LAST, SPEND, 0))
        self.fees.setdefault(height, {})[row.row] = row.parts, row.hop
        return self.declared.method is not Method.POISON

    def _coinbase(self, height: int) -> None:
        """Let a block's fees go on: the subsidy first, clean, then the fees in order, into the outputs in order."""
        block, fees, method = self.history.coinbase(height), self.fees.pop(height), self.declared.method
        assert block is not None
        came = [clean(method, block.subsidy), *(fees.get(row, (clean(method, n), 0))[0] for row, n in block.fees)]
        unclaimed = block.subsidy + sum(amount for _, amount in block.fees) - sum(m.amount for m in block.outputs)
        sinks = [Into(made.row, made.row, made.holder, made.amount) for made in block.outputs]
        sinks.append(Into(-1, None, None, unclaimed))
        rows = flows(Method.FIFO if method.tiles else method, came, [sink.amount for sink in sinks])
        hop = 1 + max(far for _, far in fees.values())
        step = self.trace.place(hop, [-1, *(row for row, _ in block.fees)], rows[:-1], sinks[:-1], self.role_of)
        self._settle((height, LAST), block.outputs, step)
        lost = self.trace.place(hop, [-1, *(row for row, _ in block.fees)], rows[-1:], sinks[-1:], self.role_of)
        for row in lost.rows:
            self.done.ends += self._ends(Place(height, -1, int(Kind.FEE), 0), row.parts, LEAF, UNCLAIMED)

    def _follow(self, order: Order, made: Made) -> None:
        """Look up who spends a coin that is traced now."""
        self.made[made.row] = order, made
        spender = self.history.spender(made.row)
        if spender is None or spender.order[0] > self.upto:
            return
        self.spent_by[made.row] = spender.order
        if spender.order not in self.spenders:
            self.spenders[spender.order] = spender
            heappush(self.queue, (*spender.order, SPEND, 0))

    def _ends(self, place: Place, parts: Parts, state: str, reason: str) -> list[End]:
        """The labelled parts of a place; under tiling methods each at its offset."""
        ends: list[End] = []
        offset = 0
        for label, units in parts:
            if label is not None:
                ends.append(End(place, offset if self.declared.method.tiles else 0, label, units, state, reason))
            offset += units
        return ends

    def finish(self) -> None:
        """Say of every coin that is left why it is where it is."""
        live = sorted(self.trace.coins)
        seen = self.history.seen([row for row in live if row not in self.spent_by])
        for row in live:
            order, made = self.made[row]
            place = Place(order[0], order[1] if order[1] != LAST else 0, int(Kind.OUT), made.index, row=row)
            self.done.places[row] = place
            state, reason = LIVE, standing(self.role_of(made.holder), row in seen)
            if row in self.spent_by:
                state, reason = LEAF, TIME
            self.done.ends += self._ends(place, self.trace.coins[row].parts, state, reason)
