"""What the compiled loops share: the arrays that they are lent, exact shares, and how a coin stands.

The table of addresses names the arrays that `native.ARRAYS` lists; the control has the numbers of `native.CONTROL`.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.numpy_support import carray

from tracer.taint.dense import native
from tracer.taint.dense.task import (
    ANYBODY,
    AT_EXCHANGE,
    AT_REFUND,
    BURNT,
    FOLLOWED,
    NOBODY,
    OVER_HOPS,
    OVER_LIVE,
    TO_EXCHANGE,
    TO_REFUND,
    UNDER_AMOUNT,
)

NUMBERS = len(native.CONTROL)
NEXT, STOP, LIVE, TRACED, LABELS, WORDS, HEIGHT, FEES_USED, FEES_ROOM = range(9)
USED, ROOM_AT, NEEDED, HOPS, LEAST, MOST_LIVE, TXS, INS, OUTS = range(9, NUMBERS)
LENT = len(native.ARRAYS)
CELL, COUNT, HOP = native.CELL, native.COUNT, native.HOP
HEIGHTS, IN_START, OUT_START, IN_COIN, IN_AMOUNT, OUT_AMOUNT, TOTAL, WHOSE, ORDER, STATE, HOPS_OF = range(11)
CELLS, OFFSET, RANKS, UNITS, MASKS, FEE, FEE_ROWS, SUMS, SEEN = range(11, LENT)

FAR, NEAR = 24, 12

small: Any = njit(inline="always", error_model="numpy")
step: Any = njit(error_model="numpy")


def _pointer(_context: Any, _number: Any) -> Any:
    """An address as a pointer."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), lower


def _prefetch(_context: Any, _number: Any) -> Any:
    """Have what lies at an address read into the cache."""

    def lower(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        place = builder.inttoptr(args[0], cgutils.voidptr_t)
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        wanted = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(wanted, [place, number(0), number(3), number(1)])
        return cgutils.false_bit

    return types.boolean(types.int64), lower


at: Any = intrinsic(_pointer)
prefetch: Any = intrinsic(_prefetch)


def _int32s(lent: Any, place: Any, size: Any) -> Any:
    """A lent array of 32-bit numbers."""
    return carray(at(lent[place]), size, np.int32)


def _int64s(lent: Any, place: Any, size: Any) -> Any:
    """A lent array of 64-bit numbers."""
    return carray(at(lent[place]), size, np.int64)


def _words(lent: Any, place: Any, size: Any) -> Any:
    """A lent array of words."""
    return carray(at(lent[place]), size, np.uint64)


def _bytes(lent: Any, place: Any, size: Any) -> Any:
    """A lent array of bytes."""
    return carray(at(lent[place]), size, np.uint8)


int32s: Any = small(_int32s)
int64s: Any = small(_int64s)
words_of: Any = small(_words)
bytes_of: Any = small(_bytes)


def _lent(lent_at: Any, control_at: Any) -> tuple[Any, Any, Any, Any, Any]:
    """The numbers, and the arrays that every loop has: per output, whose it is, its state, its hops."""
    control, lent = carray(control_at, NUMBERS, np.int64), carray(lent_at, LENT, np.int64)
    outs = control[OUTS]
    return control, lent, bytes_of(lent, WHOSE, outs), bytes_of(lent, STATE, outs), int32s(lent, HOPS_OF, outs)


def _graph(lent: Any, control: Any) -> tuple[Any, Any, Any, Any, Any, Any]:
    """Heights, first inputs and first outputs of transactions; coins that inputs spend; outputs' amounts; totals."""
    txs, ins, outs = control[TXS], control[INS], control[OUTS]
    starts = int32s(lent, IN_START, txs + 1), int32s(lent, OUT_START, txs + 1)
    amounts = int64s(lent, OUT_AMOUNT, outs), int64s(lent, TOTAL, txs)
    return int32s(lent, HEIGHTS, txs), *starts, int32s(lent, IN_COIN, ins), *amounts


def _lists(lent: Any, control: Any) -> tuple[Any, Any, Any]:
    """Per output a cell: where its list of parts begins, how long it is, its hop; ranks and units of all parts."""
    outs, room = control[OUTS], control[ROOM_AT]
    return int32s(lent, CELLS, CELL * outs), int32s(lent, RANKS, room), int64s(lent, UNITS, room)


lent_of: Any = small(_lent)
graph_of: Any = small(_graph)
lists_of: Any = small(_lists)


def _over(a: Any, b: Any, total: Any, inverse: Any) -> Any:
    """`a * b // total`; see `columns.product_over`. inverse: 1 / total; the estimate stays within one."""
    quotient = np.int64(np.float64(a) * np.float64(b) * inverse)
    left = a * b - quotient * total
    return quotient + np.int64(left >= total) - np.int64(left < 0)


over: Any = small(_over)


def _rule(whose: Any, hop: Any, units: Any, live: Any, control: Any) -> Any:
    """The state of an output that carries something."""
    if whose == ANYBODY:
        if hop > control[HOPS]:
            return OVER_HOPS
        if units < control[LEAST]:
            return UNDER_AMOUNT
        if live >= control[MOST_LIVE]:
            return OVER_LIVE
        return FOLLOWED
    if whose == NOBODY:
        return BURNT
    if whose == AT_EXCHANGE:
        return TO_EXCHANGE
    if whose == AT_REFUND:
        return TO_REFUND
    return FOLLOWED


rule: Any = small(_rule)


def _flush(height: Any, control: Any, fee: Any, fee_rows: Any) -> Any:
    """Write down the fees of the block before the one at `height`; False: there is no room."""
    labels, used = control[LABELS], control[FEES_USED]
    if used + labels > control[FEES_ROOM]:
        return False
    for rank in range(labels):
        if fee[rank]:
            fee_rows[3 * used], fee_rows[3 * used + 1], fee_rows[3 * used + 2] = control[HEIGHT], rank, fee[rank]
            fee[rank] = 0
            used += 1
    control[FEES_USED] = used
    control[HEIGHT] = height
    return True


flush: Any = step(_flush)


def _settle(
    out: Any, hop: Any, units: Any, live: Any, control: Any, whose: Any, state: Any, hops: Any, hop_at: Any
) -> Any:
    """Say how an output that carries something stands; returns 1 if it is followed."""
    found = rule(whose[out], hop, units, live, control)
    state[out] = found
    hops[hop_at] = hop if whose[out] < AT_EXCHANGE else 0
    return 1 if found == FOLLOWED else 0


settle: Any = small(_settle)


def _foresee(place: Any, in_coin: Any, state: Any, cells: Any, lent: Any) -> None:
    """Have what inputs some way ahead will need read into the cache: their cells, then their parts."""
    if place + FAR < len(in_coin):
        coin = np.int64(in_coin[place + FAR])
        if coin >= 0 and state[coin] == FOLLOWED:
            prefetch(lent[CELLS] + 4 * CELL * coin)
        coin = np.int64(in_coin[place + NEAR])
        if coin >= 0 and state[coin] == FOLLOWED:
            begin = np.int64(cells[CELL * coin])
            prefetch(lent[RANKS] + 4 * begin)
            prefetch(lent[UNITS] + 8 * begin)


foresee: Any = small(_foresee)


def _claim(tx: Any, in_start: Any, in_coin: Any, state: Any, cells: Any, lent: Any) -> tuple[Any, Any, Any]:
    """Of the traced inputs of a transaction: how many parts they have, the greatest hop (-1: none), their number."""
    parts, hop, gone = np.int64(0), np.int64(-1), np.int64(0)
    for place in range(in_start[tx], in_start[tx + 1]):
        foresee(place, in_coin, state, cells, lent)
        coin = np.int64(in_coin[place])
        if coin >= 0 and state[coin] == FOLLOWED:
            parts += cells[CELL * coin + COUNT]
            hop = max(hop, np.int64(cells[CELL * coin + HOP]))
            gone += 1
    return parts, hop, gone


claim: Any = small(_claim)
