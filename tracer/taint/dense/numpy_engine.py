"""The dense engine in numpy: all transactions of one level at once. Pure."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tracer.taint.dense.columns import Array, Int64s, Unsupported, starts_of
from tracer.taint.dense.fees import Fees
from tracer.taint.dense.haircuts import Haircuts
from tracer.taint.dense.levels import Level, levels
from tracer.taint.dense.poisons import Poisons
from tracer.taint.dense.task import (
    ANYBODY,
    AT_EXCHANGE,
    AT_REFUND,
    BURNT,
    FOLLOWED,
    HELD,
    NOBODY,
    OVER_HOPS,
    TO_EXCHANGE,
    TO_REFUND,
    UNDER_AMOUNT,
    Outcome,
    Parts,
    Spread,
    Task,
    Title,
    Traced,
)
from tracer.taint.dense.tilings import Tilings
from tracer.taint.rules import Method

BY_WHOSE = np.zeros(5, np.uint8)
BY_WHOSE[[ANYBODY, NOBODY, AT_EXCHANGE, AT_REFUND, HELD]] = FOLLOWED, BURNT, TO_EXCHANGE, TO_REFUND, FOLLOWED


class Payload(Traced, Protocol):
    """How a method keeps and spreads what coins carry."""

    def spread(self, coins: Int64s, before: Int64s, starts: Int64s, txs: Int64s) -> Spread:
        """Spend traced coins, which come by transaction (`starts` of each of `txs`), into outputs and fees."""

    def mark(self, title: Title, traced: bool) -> int:
        """Give a title to what of a coin is without; returns how many units that are."""


def payload(task: Task, fees: Fees) -> Payload:
    """What a method keeps, nothing yet."""
    match task.method:
        case Method.POISON:
            return Poisons(task, fees)
        case Method.HAIRCUT:
            return Haircuts(task, fees)
    return Tilings(task, fees)


def run(task: Task) -> Outcome:
    """Work out a task."""
    c, fees = task.columns, Fees(task.columns, task.labels)
    walk = _Walk(task, payload(task, fees), fees)
    waiting: dict[int, list[Title]] = {}
    spends = np.diff(starts_of(c.in_coin >= 0)[c.in_start]) > 0
    for title in task.titles:
        tx = int(np.searchsorted(c.out_start, title.coin, side="right")) - 1
        if spends[tx]:
            waiting.setdefault(tx, []).append(title)
        else:
            walk.title(title, tx)
    marks = np.zeros(c.transactions, np.bool_)
    marks[list(waiting)] = True
    for level in levels(c, task.upto, before=task.method.tiles):
        walk.take(level)
        if waiting and marks[level.txs].any():
            for tx in np.unique(level.txs[marks[level.txs]]).tolist():
                for title in waiting.pop(tx, ()):
                    walk.title(title, tx)
    walk.check_live()
    return walk.outcome()


@dataclass(slots=True)
class _Walk:
    """A task under way; born, gone: per transaction, by how many the live coins grew after it and shrank before it."""

    task: Task
    payload: Payload
    fees: Fees
    state: Array = field(init=False)
    hop: Array = field(init=False)
    seeded: Int64s = field(init=False)
    born: Array = field(init=False)
    gone: Array = field(init=False)
    early: list[tuple[int, Parts]] = field(default_factory=list)
    transactions: int = 0

    def __post_init__(self) -> None:
        c, limited = self.task.columns, self.task.limits.max_live <= self.task.columns.outputs
        self.state = np.zeros(c.outputs, np.uint8)
        self.hop = np.zeros(c.outputs, np.int32)
        self.seeded = np.zeros(self.task.labels, np.int64)
        self.born = np.zeros(c.transactions if limited else 0, np.int32)
        self.gone = np.zeros(c.transactions if limited else 0, np.int32)

    def title(self, title: Title, tx: int) -> None:
        """Give a label to a coin that is there now."""
        state = int(self.state[title.coin])
        if state > FOLLOWED:
            self.early.append((state, self.payload.parts(np.array([title.coin]))))
        given = self.payload.mark(title, state == FOLLOWED)
        self.seeded[title.rank] = given
        if given:
            self.state[title.coin] = FOLLOWED
            if state != FOLLOWED:
                self.hop[title.coin] = 0
                if self.born.size:
                    self.born[tx] += 1

    def take(self, level: Level) -> None:
        """Work out a level."""
        chosen = np.flatnonzero(self.state[level.coins] == FOLLOWED)
        if not chosen.size:
            return
        coins, owners = level.coins[chosen], level.txs[chosen]
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        txs = owners[starts]
        self.transactions += len(txs)
        hops = np.maximum.reduceat(self.hop[coins], starts) + 1
        outs, units, by = self.payload.spread(
            coins, level.before[chosen] if level.before.size else level.before, starts, txs
        )
        self.state[coins] = 0
        self._rule(outs, units, hops[by])
        if self.born.size:
            self.gone[txs] = np.diff(starts, append=len(coins))
            np.add.at(self.born, txs[by[self.state[outs] == FOLLOWED]], 1)

    def _rule(self, outs: Int64s, units: Int64s, hops: Array) -> None:
        """Say of outputs that carry something whether they are followed, and why not."""
        limits, whose = self.task.limits, self.task.whose[outs]
        state = BY_WHOSE[whose]
        outside = whose == ANYBODY
        state[outside & (units < limits.min_amount)] = UNDER_AMOUNT
        state[outside & (hops > limits.max_hops)] = OVER_HOPS
        self.state[outs] = state
        self.hop[outs] = np.where(whose >= AT_EXCHANGE, 0, hops)

    def check_live(self) -> None:
        """Raise Unsupported if the limit of live coins would have been reached."""
        if not self.born.size:
            return
        c = self.task.columns
        order = np.arange(c.transactions)
        last = (np.diff(c.in_start) == 0) & (c.positions == 0)
        order = np.lexsort((order, last, c.heights))  # a coinbase comes last in its block
        born, gone = self.born[order].astype(np.int64), self.gone[order].astype(np.int64)
        live = np.cumsum(born - gone) - born
        if bool((gone > 0).any()) and int(live[gone > 0].max()) >= self.task.limits.max_live:
            raise Unsupported("the limit of live coins is reached, which this engine cannot apply in chain order")

    def outcome(self) -> Outcome:
        """The answer."""
        return Outcome(self.state, self.payload, self.early, *self.fees.rows(), self.seeded, self.transactions)
