"""The compiled steps over sets that keep 128 bits of each byte string; `kernels` says how they are called."""

from typing import Any

import numpy as np
from numba.np.numpy_support import carray

from watchers.bitcoin.sha import inlined, step

_ONE, _TWO = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


def _word(data: Any, place: Any) -> Any:
    value = np.uint64(0)
    for n in range(8):
        value |= np.uint64(data[place + n]) << np.uint64(8 * n)
    return value


word: Any = inlined(_word)


def _mixed(data: Any, begin: Any, end: Any, seed: Any) -> tuple[Any, Any]:
    """A keyed fingerprint of 128 bits; never twice zero."""
    one, two = seed ^ np.uint64(end - begin), seed * _TWO
    place = begin
    while place < end:
        part = np.uint64(0)
        if place + 8 <= end:
            part = word(data, place)
        else:
            for n in range(end - place):
                part |= np.uint64(data[place + n]) << np.uint64(8 * n)
        one = (one ^ part) * _ONE
        one ^= one >> np.uint64(29)
        two = (two + part) * _TWO
        two ^= two >> np.uint64(31)
        place += 8
    one = (one ^ (two >> np.uint64(32))) * _TWO
    return one | np.uint64(1), two


mixed: Any = step(_mixed)


def _find(table: Any, one: Any, two: Any) -> Any:
    """The slot of a fingerprint, or the free one where it belongs."""
    mask = np.uint64(len(table) // 2 - 1)
    slot = (one >> np.uint64(1)) & mask
    while table[2 * slot] and (table[2 * slot] != one or table[2 * slot + 1] != two):
        slot = (slot + np.uint64(1)) & mask
    return slot


find: Any = step(_find)


def _holds(data: Any, begin: Any, end: Any, table: Any, seed: Any) -> Any:
    """Whether a piece of `data` is in a table."""
    one, two = mixed(data, begin, end, seed)
    return table[2 * find(table, one, two)] != 0


holds_piece: Any = step(_holds)


def holds(data: Any, size: Any, table: Any, slots: Any, seed: Any) -> Any:
    """Whether a table has all of `data` as one piece."""
    return np.int64(
        holds_piece(carray(data, (size,), np.uint8), np.int64(0), size, carray(table, (2 * slots,), np.uint64), seed)
    )


def insert(data: Any, size: Any, ends: Any, count: Any, table: Any, slots: Any, seed: Any) -> Any:
    """Put pieces of `data` (up to each of `count` numbers at `ends`) into a table; returns how many were new."""
    pieces, table = carray(data, (size,), np.uint8), carray(table, (2 * slots,), np.uint64)
    begin, fresh = np.int64(0), np.int64(0)
    for end in carray(ends, (count,), np.int64):
        one, two = mixed(pieces, begin, end, seed)
        slot = find(table, one, two)
        if not table[2 * slot]:
            table[2 * slot], table[2 * slot + 1] = one, two
            fresh += 1
        begin = end
    return fresh


def move(old: Any, old_slots: Any, new: Any, new_slots: Any) -> Any:
    """Put all of a table into a larger one; returns how many there are."""
    old, new = carray(old, (2 * old_slots,), np.uint64), carray(new, (2 * new_slots,), np.uint64)
    count = np.int64(0)
    for slot in range(old_slots):
        if old[2 * slot]:
            place = find(new, old[2 * slot], old[2 * slot + 1])
            new[2 * place], new[2 * place + 1] = old[2 * slot], old[2 * slot + 1]
            count += 1
    return count
