"""Haircut over columns: every coin has the running sums of its labels' units in label order. Pure.

Splitting a share by telescoping over the labels' masses takes only their running sums: taking `share * sum // total`
from each is the whole step, and the sums of a transaction's inputs are the sums of their running sums.
"""

from dataclasses import dataclass, field

import numpy as np

from tracer.taint.dense.columns import Array, Int64s, Unsupported, product_over
from tracer.taint.dense.fees import Fees
from tracer.taint.dense.task import MOST_BYTES, Parts, Spread, Task, Title

FEW = 5
"""At most so many transactions with yet more outputs go on one by one: whole arrays cost more than that."""


@dataclass(slots=True)
class _Round:
    """Transactions of a level, those with most outputs first.

    left: what is left of their labels, as running sums. upto, bound: of the outputs so far, their amounts and what
    they were given. order: their places among the transactions of the level.
    """

    left: Array
    begin: Int64s
    counts: Int64s
    total: Int64s
    order: Int64s
    tainted: Int64s = field(init=False)
    upto: Int64s = field(init=False)
    bound: Int64s = field(init=False)
    outs: list[Int64s] = field(default_factory=list)
    shares: list[Int64s] = field(default_factory=list)
    by: list[Int64s] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tainted = self.left[:, -1].copy()
        self.upto, self.bound = np.zeros(len(self.total), np.int64), np.zeros(len(self.total), np.int64)


class Haircuts:
    """The running sums of all coins that carry something: rows of `pool`, which `slot` names; free: unused rows."""

    def __init__(self, task: Task, fees: Fees) -> None:
        self.task, self.fees = task, fees
        self.slot = np.zeros(task.columns.outputs, np.int32)
        self.pool = np.zeros((1024, max(task.labels, 1)), np.int64)
        self.free: Array = np.arange(1024, dtype=np.int32)
        self.unused = 1024

    def parts(self, coins: Int64s) -> Parts:
        """See `Traced`."""
        units = np.diff(self.pool[self.slot[coins]], axis=1, prepend=0)
        place, rank = np.nonzero(units)
        return Parts(coins[place], np.zeros(len(place), np.int64), rank, units[place, rank])

    def mark(self, title: Title, traced: bool) -> int:
        """See `numpy_engine.Payload`."""
        if not traced:
            self.slot[title.coin] = self._take(1)[0]
            self.pool[self.slot[title.coin]] = 0
        row = self.pool[self.slot[title.coin]]
        given = int(self.task.columns.out_amount[title.coin]) - int(row[-1])
        row[title.rank :] += given
        return given

    def spread(self, coins: Int64s, before: Int64s, starts: Int64s, txs: Int64s) -> Spread:
        """See `numpy_engine.Payload`."""
        c = self.task.columns
        slots = self.slot[coins]
        left = np.add.reduceat(self.pool[slots], starts, axis=0)
        self.free[self.unused : self.unused + len(slots)] = slots
        self.unused += len(slots)
        begin = c.out_start[txs].astype(np.int64)
        counts = c.out_start[txs + 1] - begin
        order = np.argsort(-counts, kind="stable")
        go = _Round(left[order], begin[order], counts[order], self.task.total[txs[order]], order)
        for number in range(int(go.counts[0])):
            n = int(np.searchsorted(-go.counts, -number))
            if n <= FEW and number:
                self._one_by_one(go, n, number)
                break
            self._give(go, n, number)
        fee = np.empty_like(go.left)
        fee[order] = go.left
        fee[:, 1:] -= fee[:, :-1].copy()
        self.fees.add(txs, fee)
        return joined(go.outs), joined(go.shares), joined(go.by)

    def _give(self, go: "_Round", n: int, number: int) -> None:
        """Take the share of one output of each of the first `n` transactions from what is left of their labels."""
        left, out, by = go.left[:n], go.begin[:n] + number, go.order[:n]
        go.upto[:n] += self.task.columns.out_amount[out]
        reached = product_over(go.tainted[:n], go.upto[:n], go.total[:n])
        share = reached - go.bound[:n]
        go.bound[:n] = reached
        taken = product_over(share[:, None], left, left[:, -1:])
        left -= taken
        some = np.flatnonzero(share)
        if len(some) < n:
            taken, out, share, by = taken[some], out[some], share[some], by[some]
        slots = self._take(len(out))
        self.pool[slots] = taken
        self.slot[out] = slots
        go.outs.append(out)
        go.shares.append(share)
        go.by.append(by)

    def _one_by_one(self, go: "_Round", n: int, number: int) -> None:
        """Go on with a few transactions, which have had their first outputs, in Python's numbers."""
        for place in range(n):
            sums: list[int] = go.left[place].tolist()
            tainted, whole, reached, so_far = (int(v[place]) for v in (go.tainted, go.total, go.bound, go.upto))
            begin, end = int(go.begin[place]), int(go.begin[place] + go.counts[place])
            rows, given, units = [], [], []
            for out, amount in enumerate(self.task.columns.out_amount[begin + number : end].tolist(), begin + number):
                so_far += amount
                share, reached = tainted * so_far // whole - reached, tainted * so_far // whole
                if share:
                    rest = sums[-1]
                    taken = [share * one // rest for one in sums]
                    sums = [one - away for one, away in zip(sums, taken, strict=True)]
                    rows.append(taken)
                    given.append(out)
                    units.append(share)
            go.left[place] = sums
            if rows:
                slots = self._take(len(rows))
                self.pool[slots] = rows
                self.slot[given] = slots
                go.outs.append(np.array(given, np.int64))
                go.shares.append(np.array(units, np.int64))
                go.by.append(np.repeat(go.order[place], len(rows)))

    def _take(self, count: int) -> Array:
        """Some unused rows."""
        if count > self.unused:
            old = len(self.pool)
            new = max(2 * old, old + count)
            if new * self.pool.shape[1] * 8 > MOST_BYTES:
                raise Unsupported("live coins times labels take more memory than this engine may use")
            grown = np.zeros((new, self.pool.shape[1]), np.int64)
            grown[:old] = self.pool
            free = np.zeros(new, np.int32)
            free[: self.unused] = self.free[: self.unused]
            free[self.unused : self.unused + new - old] = np.arange(old, new)
            self.pool, self.free, self.unused = grown, free, self.unused + new - old
        self.unused -= count
        return self.free[self.unused : self.unused + count].copy()


def joined(some: list[Int64s]) -> Int64s:
    """Arrays in one; none of them: an empty one."""
    return np.concatenate(some) if some else np.zeros(0, np.int64)
