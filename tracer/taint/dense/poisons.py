"""Poison over columns: every coin has a set of labels, as words of 64 bits. Pure."""

import numpy as np

from tracer.taint.dense.columns import Int64s, spread
from tracer.taint.dense.fees import Fees
from tracer.taint.dense.task import Masks, Parts, Spread, Task, Title, words_per_set


class Poisons:
    """The sets of labels of all outputs."""

    def __init__(self, task: Task, fees: Fees) -> None:
        self.task, self.fees = task, fees
        words = np.zeros((task.columns.outputs, words_per_set(task)), np.uint64)
        self.masks = Masks(words, task.columns.out_amount)

    def parts(self, coins: Int64s) -> Parts:
        """See `Traced`."""
        return self.masks.parts(coins)

    def mark(self, title: Title, traced: bool) -> int:
        """See `numpy_engine.Payload`."""
        return self.masks.mark(title, int(self.task.columns.out_amount[title.coin]), traced)

    def spread(self, coins: Int64s, before: Int64s, starts: Int64s, txs: Int64s) -> Spread:
        """See `numpy_engine.Payload`."""
        c, words = self.task.columns, self.masks.words
        union = np.bitwise_or.reduceat(words[coins], starts, axis=0)
        begin = c.out_start[txs]
        counts = c.out_start[txs + 1] - begin
        outs = spread(begin, counts)
        amounts = c.out_amount[outs]
        fees = self.task.total[txs] - _sums(amounts, counts)
        by = np.repeat(np.arange(len(txs)), counts)
        some = amounts > 0
        if not some.all():
            outs, amounts, by = outs[some], amounts[some], by[some]
        words[outs] = union[by]
        paid = np.flatnonzero(fees)
        bits = np.unpackbits(union[paid].view(np.uint8), axis=1, bitorder="little", count=self.task.labels)
        self.fees.add(txs[paid], fees[paid, None] * bits)
        return outs, amounts, by


def _sums(values: Int64s, counts: Int64s) -> Int64s:
    upto = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=upto[1:])
    ends = np.cumsum(counts)
    found: Int64s = upto[ends] - upto[ends - counts]
    return found
