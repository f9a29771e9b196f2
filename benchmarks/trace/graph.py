"""The made-up chain as plain lists, and the totals that every engine must agree on."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from tracer.taint.dense.columns import Columns

Ends = dict[int, dict[int, int]]
"""Units per label of every output that is left, by ordinal; of the fees of all transactions under -1."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A coin graph as lists: per transaction its inputs and its outputs, as ordinals (-1: unknown).

    total: what the inputs of each transaction add up to. amounts: per output. sources: ordinals in label order.
    """

    inputs: list[list[int]]
    outputs: list[list[int]]
    total: list[int]
    amounts: list[int]
    sources: list[int]


def plain(columns: Columns, sources: Iterable[int]) -> Plain:
    """The columns as lists; transactions that spend nothing are left out."""
    c = columns
    spends = np.flatnonzero(np.diff(c.in_start)).tolist()
    in_start, out_start, coins = c.in_start.tolist(), c.out_start.tolist(), c.in_coin.tolist()
    upto = np.concatenate(([0], np.cumsum(c.in_amount)))
    total = np.diff(upto[c.in_start]).tolist()
    return Plain(
        [coins[in_start[tx] : in_start[tx + 1]] for tx in spends],
        [list(range(out_start[tx], out_start[tx + 1])) for tx in spends],
        [total[tx] for tx in spends],
        c.out_amount.tolist(),
        list(sources),
    )


def digest(ends: Ends) -> str:
    """One hash of all ends."""
    state = sha256()
    for output in sorted(ends):
        units = ends[output]
        state.update(f"{output} {sorted((label, n) for label, n in units.items() if n)}\n".encode())
    return state.hexdigest()
