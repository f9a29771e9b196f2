"""The traced fees of all blocks, per label. Pure."""

import numpy as np

from tracer.taint.dense.columns import Columns, Int64s, Unsupported

MOST_BYTES = 1 << 30
"""Blocks times labels may take so much memory."""


class Fees:
    """A table of blocks and labels; block: per transaction its place in it."""

    def __init__(self, columns: Columns, labels: int) -> None:
        fresh = np.diff(columns.heights, prepend=-1) != 0
        self.block = np.cumsum(fresh) - 1
        self.heights = columns.heights[fresh].astype(np.int64)
        if len(self.heights) * labels * 8 > MOST_BYTES:
            raise Unsupported("blocks times labels take more memory than this engine may use")
        self.table = np.zeros((len(self.heights), labels), np.int64)

    def add(self, txs: Int64s, units: Int64s) -> None:
        """Add fees of some transactions, in order, each with its units per label."""
        if len(txs):
            block = self.block[txs]
            starts = np.flatnonzero(np.diff(block, prepend=-1))
            self.table[block[starts]] += np.add.reduceat(units, starts, axis=0)

    def add_some(self, txs: Int64s, ranks: Int64s, units: Int64s) -> None:
        """Add units of single labels."""
        np.add.at(self.table, (self.block[txs], ranks), units)

    def rows(self) -> tuple[Int64s, Int64s, Int64s]:
        """The fees by block, then label: height, rank, units."""
        block, rank = np.nonzero(self.table)
        return self.heights[block], rank, self.table[block, rank]
