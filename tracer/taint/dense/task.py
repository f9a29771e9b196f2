"""What a dense engine is asked, and what it answers, as arrays. Pure.

An engine says of every output whether it is traced, and how it stands, by one of the states below. Labels are named by
their *rank* in the label order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tracer.taint.boundaries import AMOUNT, BURN, EXCHANGE, HOPS, LIVE, REFUND, Limits
from tracer.taint.dense.columns import Array, Bytes, Columns, Int32s, Int64s, Unsupported, spread, starts_of
from tracer.taint.rules import Method
from tracer.types import Role

NOT_TRACED, FOLLOWED, TO_EXCHANGE, TO_REFUND, BURNT, OVER_HOPS, UNDER_AMOUNT, OVER_LIVE = range(8)
STATES = ("", "", EXCHANGE, REFUND, BURN, HOPS, AMOUNT, LIVE)
"""The reason of each state in which a coin is a leaf."""

MOST_BYTES = 1 << 31
"""What grows with coins times labels may take so much memory."""

ANYBODY, NOBODY, AT_EXCHANGE, AT_REFUND, HELD = range(5)
"""Whose an output is: outside the case, nobody's, or by its role; HELD is what the case holds."""

BY_ROLE = {Role.EXCHANGE: AT_EXCHANGE, Role.REFUND: AT_REFUND}


@dataclass(frozen=True, slots=True)
class Title:
    """A source: the ordinal of its coin, and its label's rank."""

    coin: int
    rank: int


@dataclass(frozen=True, slots=True)
class Task:
    """A run over a graph.

    titles: one per label. whose: per output. upto: how many transactions, from the first, are looked at.
    """

    columns: Columns
    method: Method
    limits: Limits
    titles: tuple[Title, ...]
    whose: Bytes
    upto: int

    @property
    def total(self) -> Int64s:
        """Per transaction, the sum of its inputs."""
        return self.columns.total

    @property
    def labels(self) -> int:
        """How many labels there are."""
        return len(self.titles)


@dataclass(frozen=True, slots=True)
class Parts:
    """Labelled parts of some outputs, in order: per part the output, its offset, its label's rank, its units."""

    coin: Int64s
    offset: Int64s
    rank: Int64s
    units: Int64s


class Traced(Protocol):
    """What an engine keeps of the outputs that carry traced value."""

    def parts(self, coins: Int64s) -> Parts:
        """The parts of some traced outputs; under haircut and poison with offset 0, in label order."""


Spread = tuple[Int64s, Int64s, Int64s]
"""Outputs that carry something, how many units each does, whose of some transactions each is."""


@dataclass(slots=True)
class Outcome:
    """The answer to a task.

    state: per output, of those that are not spent by a transaction that was looked at. early: parts of coins that had
    stopped before they were given a title, with their states. fees: per block (its height) and rank the units.
    seeded: per rank.
    """

    state: Bytes
    traced: Traced
    early: list[tuple[int, Parts]]
    fee_height: Int64s
    fee_rank: Int64s
    fee_units: Int64s
    seeded: Int64s
    transactions: int


@dataclass(slots=True)
class Masks:
    """Poison: per output the set of its labels, as words of 64 bits."""

    words: Array
    amounts: Int64s

    def parts(self, coins: Int64s) -> Parts:
        """See `Traced`."""
        chosen = np.ascontiguousarray(self.words[coins])
        bits = np.unpackbits(chosen.view(np.uint8), axis=1, bitorder="little")
        place, rank = np.nonzero(bits)
        coin = coins[place]
        return Parts(coin, np.zeros(len(coin), np.int64), rank, self.amounts[coin])

    def mark(self, title: Title, amount: int, traced: bool) -> int:
        """Give a title to a coin unless it has labels already; returns how many units get it."""
        if traced or not amount:
            return 0
        words = self.words[title.coin]
        words[:] = 0
        words[title.rank // 64] = np.uint64(1 << (title.rank % 64))
        return amount


@dataclass(slots=True)
class Arena:
    """Lists of parts, one after the other; each traced output has `count` of them from `start` on.

    offset: empty where parts have none. Lists of coins that are spent stay until room is needed.
    """

    start: Int32s
    count: Int32s
    offset: Int64s
    rank: Int32s
    units: Int64s
    used: int = 0

    @classmethod
    def of(cls, outputs: int, room: int, tiles: bool) -> "Arena":
        """An empty one."""
        return cls(
            np.zeros(outputs, np.int32),
            np.zeros(outputs, np.int32),
            np.zeros(room if tiles else 0, np.int64),
            np.zeros(room, np.int32),
            np.zeros(room, np.int64),
        )

    def parts(self, coins: Int64s) -> Parts:
        """See `Traced`."""
        counts = self.count[coins].astype(np.int64)
        place = spread(self.start[coins].astype(np.int64), counts)
        offset = self.offset[place] if self.offset.size else np.zeros(len(place), np.int64)
        return Parts(np.repeat(coins, counts), offset, self.rank[place].astype(np.int64), self.units[place])

    def make_room(self, needed: int, state: Bytes) -> None:
        """Have room for so many more parts: drop the lists of coins that are not traced any more, then grow."""
        coins = np.flatnonzero(state)
        counts = self.count[coins].astype(np.int64)
        place = spread(self.start[coins].astype(np.int64), counts)
        self.used = len(place)
        room = max(len(self.rank), 2 * self.used + needed)
        if room >= 2**31:
            raise Unsupported("there are more traced parts than can be told apart")
        self.rank, self.units = moved(self.rank, place, room), moved(self.units, place, room)
        if self.offset.size:
            self.offset = moved(self.offset, place, room)
        self.start[coins] = starts_of(counts)[:-1]

    def append(self, coins: Array, counts: Array, offset: Array | None, rank: Array, units: Array) -> None:
        """Add the lists of some coins, for which there is room."""
        end = self.used + len(rank)
        self.start[coins] = self.used + np.cumsum(counts) - counts
        self.count[coins] = counts
        self.rank[self.used : end], self.units[self.used : end] = rank, units
        if offset is not None and self.offset.size:
            self.offset[self.used : end] = offset
        self.used = end


def moved(values: Array, place: Int64s, room: int) -> Array:
    """Some of the values at the front of a new array."""
    fresh = np.zeros(room, values.dtype)
    np.take(values, place, out=fresh[: len(place)])
    return fresh


def words_per_set(task: Task) -> int:
    """How many words hold a set of labels; raises Unsupported where such sets take too much memory."""
    words = max(1, -(-task.labels // 64))
    if task.columns.outputs * words * 8 > MOST_BYTES:
        raise Unsupported("outputs times labels take more memory than poison may use")
    return words


def tiho_order(columns: Columns) -> Int64s:
    """The outputs of each transaction by value, the highest first; of equal ones the lower vout."""

    def order() -> Int64s:
        tx = np.repeat(np.arange(columns.transactions), np.diff(columns.out_start))
        return np.lexsort((-columns.out_amount, tx))

    return columns.once("tiho", order)


def task_of(
    columns: Columns, method: Method, limits: Limits, titles: tuple[Title, ...], whose: Bytes, upto: int
) -> Task:
    """A task with what both engines work out first; upto: a height."""
    count = int(np.searchsorted(columns.heights, upto, side="right"))
    if any(title.coin >= columns.out_start[count] for title in titles):
        raise Unsupported("a source is above the height that the run goes up to")
    return Task(columns, method, limits, titles, whose, count)


def chunks(coins: Int64s, size: int) -> Iterator[Int64s]:
    """Some outputs, so many at a time."""
    for begin in range(0, len(coins), size):
        yield coins[begin : begin + size]
