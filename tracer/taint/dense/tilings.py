"""FIFO, LIFO, TIHO, seniority and clean-first over columns: one merge of two lines per level. Pure.

The labelled parts of all inputs of a level, and all its sinks, are laid in one line, transaction after transaction;
each method says where in its transaction's line a part lies, and in which order the sinks cut it.
"""

import numpy as np

from tracer.taint.dense.columns import Array, Int64s, Unsupported, spread
from tracer.taint.dense.fees import Fees
from tracer.taint.dense.marks import marked
from tracer.taint.dense.task import Arena, Parts, Spread, Task, Title, tiho_order
from tracer.taint.rules import Method

FIRST_ROOM = 1 << 16
LONGEST = 2.0**62


class Tilings:
    """The labelled parts of all outputs; order: under TIHO the outputs of each transaction by value."""

    def __init__(self, task: Task, fees: Fees) -> None:
        self.task, self.fees = task, fees
        self.arena = Arena.of(task.columns.outputs, FIRST_ROOM, True)
        self.live = np.zeros(task.columns.outputs, np.bool_)
        self.order = tiho_order(task.columns) if task.method is Method.TIHO else None

    def parts(self, coins: Int64s) -> Parts:
        """See `Traced`."""
        return self.arena.parts(coins)

    def mark(self, title: Title, traced: bool) -> int:
        """See `numpy_engine.Payload`."""
        coin = np.array([title.coin])
        old = self.arena.parts(coin) if traced else None
        parts, given = marked(self.task.method, old, int(self.task.columns.out_amount[title.coin]), title.rank)
        if given:
            self._append(coin, np.array([len(parts.rank)]), parts.offset, parts.rank, parts.units)
        return given

    def _append(self, coins: Int64s, counts: Array, offset: Array, rank: Array, units: Array) -> None:
        if self.arena.used + len(rank) > len(self.arena.rank):
            self.arena.make_room(len(rank), self.live.view(np.uint8))
        self.arena.append(coins, counts, offset, rank, units)
        self.live[coins] = True

    def spread(self, coins: Int64s, before: Int64s, starts: Int64s, txs: Int64s) -> Spread:
        """See `numpy_engine.Payload`."""
        arena, whole = self.arena, self.task.total[txs]
        if float(whole.sum(dtype=np.float64)) > LONGEST:
            raise Unsupported("the amounts of one level are too large to be laid in one line")
        base = np.cumsum(whole) - whole
        tx_of_coin = np.repeat(np.arange(len(txs)), np.diff(starts, append=len(coins)))
        counts = arena.count[coins].astype(np.int64)
        place = spread(arena.start[coins].astype(np.int64), counts)
        tx = np.repeat(tx_of_coin, counts)
        rank, length = arena.rank[place], arena.units[place]
        at = self._at(np.repeat(before, counts) + arena.offset[place], length, tx, whole) + base[tx]
        if self.task.method is Method.LIFO:
            turn = np.lexsort((at, tx))
            at, rank, length = at[turn], rank[turn], length[turn]
        self.live[coins] = False
        return self._cut(at, rank, length, txs, whole)

    def _at(self, at: Int64s, length: Int64s, tx: Int64s, whole: Int64s) -> Int64s:
        """Where in its transaction's line each part begins, of which it is given where it lies in the inputs."""
        method = self.task.method
        if method is Method.FIFO:
            return at
        if method is Method.LIFO:
            return whole[tx] - at - length
        upto = np.cumsum(length)
        ends = np.searchsorted(tx, np.arange(len(whole)), side="right")
        first = np.concatenate(([0], upto[ends[:-1] - 1])) if len(whole) else upto
        mine = upto - length - first[tx]
        if method is Method.CLEAN_FIRST:
            tainted = upto[ends - 1] - first
            mine += (whole - tainted)[tx]
        return mine

    def _cut(self, at: Int64s, rank: Array, length: Int64s, txs: Int64s, whole: Int64s) -> Spread:
        """Cut the line into the sinks, and keep what went into outputs."""
        c = self.task.columns
        begin = c.out_start[txs].astype(np.int64)
        counts = c.out_start[txs + 1] - begin
        sinks = spread(begin, counts + 1)  # one more than there are outputs: the fee
        fee = np.cumsum(counts + 1) - 1
        if self.order is not None:
            sinks[fee] = 0
            sinks = self.order[sinks]
        sizes = c.out_amount[np.minimum(sinks, c.outputs - 1)]
        sizes[fee] = 0
        ends = np.cumsum(sizes)
        sizes[fee] = whole - np.diff(ends[fee], prepend=0)
        sinks[fee] = -1
        ends = np.cumsum(sizes)
        first = np.searchsorted(ends, at, side="right")
        pieces = np.searchsorted(ends, at + length, side="left") - first + 1
        sink = spread(first, pieces)
        lows = np.maximum(np.repeat(at, pieces), ends[sink] - sizes[sink])
        highs = np.minimum(np.repeat(at + length, pieces), ends[sink])
        rank = np.repeat(rank, pieces)
        some = highs > lows
        if not some.all():
            sink, lows, highs, rank = sink[some], lows[some], highs[some], rank[some]
        fresh = np.ones(len(sink), np.bool_)
        fresh[1:] = (sink[1:] != sink[:-1]) | (rank[1:] != rank[:-1]) | (lows[1:] != highs[:-1])
        heads = np.flatnonzero(fresh)
        units = highs[np.append(heads[1:], len(sink))[: len(heads)] - 1] - lows[heads]
        sink, rank, lows = sink[heads], rank[heads], lows[heads]
        kept = sinks[sink] >= 0
        if not kept.all():
            lost = np.flatnonzero(~kept)
            self.fees.add_some(txs[np.searchsorted(fee, sink[lost])], rank[lost], units[lost])
            sink, rank, lows, units = sink[kept], rank[kept], lows[kept], units[kept]
        if not len(sink):
            return sink, units, sink
        firsts = np.flatnonzero(np.diff(sink, prepend=-1))
        outs = sinks[sink[firsts]]
        self._append(outs, np.diff(firsts, append=len(sink)), lows - (ends - sizes)[sink], rank, units)
        by = np.searchsorted(fee, sink[firsts])
        return outs, np.add.reduceat(units, firsts), by
