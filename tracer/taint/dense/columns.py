"""A stored coin graph as columns: what of it the dense engines need, as arrays in the order of the digest. Pure.

Transactions stand by height, then position; outputs by transaction, then vout. A block's coinbase comes first there,
although its coins come last in chain order: as it spends nothing, only the count of live coins tells the two apart.
An output is named by its *ordinal*, its place among all outputs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

Kept = TypeVar("Kept")

LARGEST = 2**51 - 1
"""The largest amount for which a product over an amount is exact by a float's estimate and a correction."""

MOST = 2**31 - 1
"""How many outputs, or parts of them, can be told apart by ordinals of 32 bits."""


class Unsupported(Exception):
    """The dense engine cannot give the reference's result for this run; says why in one line."""


@dataclass(frozen=True, slots=True)
class Columns:
    """A coin graph. Each transaction has the inputs from `in_start` of it to that of the next, and so its outputs.

    heights, positions: per transaction. in_coin: the ordinal of the output that an input spends, -1 where that is not
    stored. out_row, out_index, out_holder, out_amount: an output's row in the store, vout, holder's number, amount.
    fee_row: the row of the fee; 0 where there is none.
    """

    heights: Int32s
    positions: Int32s
    in_start: Int32s
    out_start: Int32s
    in_coin: Int32s
    in_amount: Int64s
    out_row: Int64s
    out_index: Int32s
    out_holder: Int32s
    out_amount: Int64s
    fee_row: Int64s
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def once(self, name: str, make: Callable[[], Kept]) -> Kept:
        """What is worked out from the graph alone, once for all runs over it."""
        if name not in self.kept:
            self.kept[name] = make()
        found: Kept = self.kept[name]
        return found

    @property
    def total(self) -> Int64s:
        """Per transaction, the sum of its inputs."""
        return self.once("total", lambda: sums(self.in_amount, self.in_start))

    @property
    def transactions(self) -> int:
        """How many transactions there are, those that spend nothing included."""
        return len(self.heights)

    @property
    def outputs(self) -> int:
        """How many outputs there are."""
        return len(self.out_row)


def check(columns: Columns) -> None:
    """Raise Unsupported unless the graph is one, and its amounts are small enough to be exact."""
    c = columns
    if max(c.outputs, len(c.in_coin)) > MOST:
        raise Unsupported(f"there are more than {MOST} outputs or inputs")
    for amounts in (c.in_amount, c.out_amount):
        if amounts.size and (int(amounts.max()) > LARGEST or int(amounts.min()) < 0):
            raise Unsupported(f"an amount is negative or above {LARGEST}")
    spends = np.diff(c.in_start) > 0
    came, went = c.total, sums(c.out_amount, c.out_start)
    if came.size and (int(came.max()) > LARGEST or int(came.min()) < 0):
        raise Unsupported(f"the inputs of a transaction add up to more than {LARGEST}")
    if bool(np.any((went > came) & spends)) or bool(np.any((went < 0) & spends)):
        raise Unsupported("the outputs of a transaction add up to more than its inputs")
    known = c.in_coin >= 0
    coins = c.in_coin[known]
    if coins.size and (int(coins.max()) >= c.outputs):
        raise Unsupported("an input spends an output that is not in the graph")
    once = np.zeros(c.outputs, np.bool_)
    once[coins] = True
    if int(np.count_nonzero(once)) != coins.size:
        raise Unsupported("an output is spent twice")
    if bool(np.any(coins >= np.repeat(c.out_start[:-1], np.diff(c.in_start))[known])):
        raise Unsupported("an input spends an output that comes after it")
    if bool(np.any(c.in_amount[known] != c.out_amount[coins])):
        raise Unsupported("an input has another amount than the output that it spends")


def sums(values: Int64s, starts: Int32s) -> Int64s:
    """The sum of each run of values that begins at one start and ends at the next.

    >>> sums(np.array([1, 2, 3]), np.array([0, 2, 2, 3])).tolist()
    [3, 0, 3]
    """
    upto = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=upto[1:])
    return np.diff(upto[starts])


def starts_of(counts: Array) -> Int32s:
    """Where each of several runs of the given lengths begins, and where the last one ends.

    >>> starts_of(np.array([2, 0, 1])).tolist()
    [0, 2, 2, 3]
    """
    starts = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=starts[1:])
    return starts


def spread(starts: Array, counts: Array) -> Int64s:
    """The numbers of several runs, one run after the other.

    >>> spread(np.array([5, 1]), np.array([2, 3])).tolist()
    [5, 6, 1, 2, 3]
    """
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    numbers: Int64s = np.arange(total, dtype=np.int64)
    numbers += np.repeat(starts - (ends - counts), counts)
    return numbers


def product_over(a: Int64s, b: Int64s, total: Int64s) -> Int64s:
    """`a * b // total`, exact, for 0 <= a, b <= LARGEST and a quotient that is no larger; a total of 0 is read as 1.

    The float's estimate is off by less than one; the remainder, which wraps around only in its upper bits, tells.

    >>> product_over(np.array([2**51 - 1]), np.array([2**51 - 2]), np.array([2**51 - 1])).tolist()
    [2251799813685246]
    """
    total = np.maximum(total, 1)
    quotient = (a.astype(np.float64) * b / total).astype(np.int64)
    left = a * b
    left -= quotient * total
    quotient -= left < 0
    quotient += left >= total
    return quotient
