"""The order in which whole arrays of transactions can be worked out at once: by depth in the graph. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tracer.taint.dense.columns import Array, Columns, Int64s, spread, starts_of


@dataclass(frozen=True, slots=True)
class Level:
    """Inputs of transactions that spend nothing of each other, by transaction; unknown coins left out.

    txs, coins: per input its transaction and the coin. before: the sum of the inputs before it, where it is wanted.
    """

    txs: Int64s
    coins: Int64s
    before: Int64s


@dataclass(frozen=True, slots=True)
class _Known:
    """The inputs whose coins are known: where those of each transaction begin, the coins, and their places."""

    start: Int64s
    coins: Int64s
    places: Int64s


@dataclass(frozen=True, slots=True)
class _Plan:
    """All known inputs by level: their transactions, coins and places; where each level begins."""

    txs: Int64s
    coins: Int64s
    places: Int64s
    ends: Array


def levels(columns: Columns, upto: int, *, before: bool) -> Iterator[Level]:
    """The levels of the first `upto` transactions, in order."""
    plan = columns.once("levels", lambda: _plan(columns))
    so_far = np.concatenate(([0], np.cumsum(columns.in_amount))) if before else np.zeros(0, np.int64)
    for begin, end in pairwise(plan.ends.tolist()):
        txs, coins, places = plan.txs[begin:end], plan.coins[begin:end], plan.places[begin:end]
        if upto < columns.transactions:
            chosen = txs < upto
            txs, coins, places = txs[chosen], coins[chosen], places[chosen]
        if len(txs):
            yield Level(txs, coins, so_far[places] - so_far[columns.in_start[txs]] if before else so_far)


def _plan(columns: Columns) -> _Plan:
    known = _known(columns)
    order, bounds = _sorted(_depths(columns, known))
    counts = np.diff(known.start)[order]
    inputs = spread(known.start[order], counts)
    return _Plan(np.repeat(order, counts), known.coins[inputs], known.places[inputs], starts_of(counts)[bounds])


def _known(columns: Columns) -> _Known:
    places = np.flatnonzero(columns.in_coin >= 0)
    start = np.searchsorted(places, columns.in_start)
    return _Known(start, columns.in_coin[places].astype(np.int64), places)


def _sorted(key: Int64s) -> tuple[Int64s, Int64s]:
    """The transactions by a key, then by number; and where each key begins, and the last one ends."""
    pairs = np.sort((key << 32) | np.arange(len(key)))
    bounds = np.flatnonzero(np.diff(pairs >> 32, prepend=-1))
    return pairs & 0xFFFFFFFF, np.append(bounds, len(pairs))


def _depths(columns: Columns, known: _Known) -> Int64s:
    """The length of the longest way to each transaction from one that spends nothing known."""
    counts = np.diff(known.start)
    tx_of_output = np.repeat(np.arange(columns.transactions), np.diff(columns.out_start))
    fresh = np.diff(columns.heights, prepend=-1) != 0
    block = np.cumsum(fresh) - 1
    inside = _inside(columns, known, block, fresh, tx_of_output)
    order, bounds = _sorted(block * (int(inside.max(initial=0)) + 1) + inside)
    counts = counts[order]
    parents = tx_of_output[known.coins[spread(known.start[order], counts)]]
    starts = starts_of(counts)
    found = np.zeros(columns.transactions, np.int64)
    for begin, end in pairwise(bounds.tolist()):
        first, last = int(starts[begin]), int(starts[end])
        if last > first:
            has = counts[begin:end] > 0
            heads = starts[begin:end][has] - first
            found[order[begin:end][has]] = np.maximum.reduceat(found[parents[first:last]], heads) + 1
    return found


def _inside(columns: Columns, known: _Known, block: Int64s, fresh: Array, tx_of_output: Int64s) -> Int64s:
    """The same, within each transaction's own block."""
    first = columns.out_start[:-1][fresh][block]
    same = np.flatnonzero(known.coins >= np.repeat(first, np.diff(known.start)))
    child = np.searchsorted(known.start, same, side="right") - 1
    parent = tx_of_output[known.coins[same]]
    found = np.zeros(columns.transactions, np.int64)
    while True:
        deeper = found[parent] + 1
        late = np.flatnonzero(deeper > found[child])
        if not late.size:
            return found
        np.maximum.at(found, child[late], deeper[late])
