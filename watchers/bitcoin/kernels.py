"""The compiled steps over a raw block: where transactions lie, which may be of interest, their ids and their tree.

Importing this needs the extra `fast`. Each step returns a negative number where the bytes are not as they must be; the
plain twin then says what is wrong. `walk` and `tracer.proof.blocks` say what each step means.
"""

from typing import Any

import numpy as np
from numba import njit, types

from watchers.bitcoin.sha import START, compress

_START = np.array(START, np.uint32)
_ONE, _TWO = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
BY_SCRIPT, BY_COIN, BY_BLOCK = 1, 2, 4
"""Why a transaction may be of interest."""
AMBIGUOUS, WITNESSES = 1, 2
"""What `read` returns: a transaction has 64 bytes; the tree over the wtxids was worked out."""

BYTES = types.Array(types.uint8, 1, "C", readonly=True)
ROOM = types.Array(types.uint8, 1, "C")
MANY = types.Array(types.int64, 2, "C")
TABLE = types.Array(types.uint64, 1, "C")


def compiled(signature: Any) -> Any:
    """Compile for these argument types, kept in a cache folder; without the interpreter's lock."""
    return njit(signature, nogil=True, cache=True)


def _number(data: Any, place: Any) -> tuple[Any, Any]:
    """A CompactSize and the byte after it; -1 at the end of the data, or for more than the data can hold."""
    size = len(data)
    if place >= size:
        return 0, -1
    first = np.int64(data[place])
    if first < 0xFD:
        return first, place + 1
    more = np.int64(1) << (first - 0xFC)
    if place + 1 + more > size:
        return 0, -1
    value = np.int64(0)
    for n in range(more if more < 5 else np.int64(5)):
        value |= np.int64(data[place + 1 + n]) << np.int64(8 * n)
    for n in range(5, more):
        if data[place + 1 + n]:
            return 0, -1
    return (value, place + 1 + more) if value <= size else (0, -1)


number: Any = njit(nogil=True, inline="always")(_number)


def _word(data: Any, place: Any) -> Any:
    value = np.uint64(0)
    for n in range(8):
        value |= np.uint64(data[place + n]) << np.uint64(8 * n)
    return value


word: Any = njit(nogil=True, inline="always")(_word)


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


mixed: Any = njit(nogil=True)(_mixed)


def _find(table: Any, one: Any, two: Any) -> Any:
    """The slot of a fingerprint, or the free one where it belongs."""
    mask = np.uint64(len(table) // 2 - 1)
    slot = (one >> np.uint64(1)) & mask
    while table[2 * slot] and (table[2 * slot] != one or table[2 * slot + 1] != two):
        slot = (slot + np.uint64(1)) & mask
    return slot


find: Any = njit(nogil=True)(_find)


@compiled(types.int64(BYTES, types.Array(types.int64, 1, "C"), TABLE, types.uint64))
def insert(data: Any, ends: Any, table: Any, seed: Any) -> Any:
    """Put pieces of `data` (up to each of `ends`) into a table; returns how many were new."""
    begin, fresh = np.int64(0), 0
    for end in ends:
        one, two = mixed(data, begin, end, seed)
        slot = find(table, one, two)
        if not table[2 * slot]:
            table[2 * slot], table[2 * slot + 1] = one, two
            fresh += 1
        begin = end
    return fresh


@compiled(types.boolean(BYTES, types.int64, types.int64, TABLE, types.uint64))
def holds(data: Any, begin: Any, end: Any, table: Any, seed: Any) -> Any:
    """Whether a piece of `data` is in a table."""
    one, two = mixed(data, begin, end, seed)
    return table[2 * find(table, one, two)] != 0


@compiled(types.int64(TABLE, TABLE))
def move(old: Any, new: Any) -> Any:
    """Put all of a table into a larger one; returns how many there are."""
    count = 0
    for slot in range(len(old) // 2):
        if old[2 * slot]:
            place = find(new, old[2 * slot], old[2 * slot + 1])
            new[2 * place], new[2 * place + 1] = old[2 * slot], old[2 * slot + 1]
            count += 1
    return count


def _inputs(data: Any, place: Any, count: Any) -> Any:
    """Step over inputs; returns the byte after them; -1: cut short."""
    for _ in range(count):
        if place + 36 > len(data):
            return -1
        length, place = number(data, place + 36)
        if place < 0:
            return -1
        place += length + 4
    return place


inputs: Any = njit(nogil=True)(_inputs)


def _outputs(data: Any, place: Any, count: Any, scripts: Any, seed: Any) -> tuple[Any, Any]:
    """Step over outputs; returns the byte after them (-1: cut short) and whether one is in `scripts`."""
    found = False
    for _ in range(count):
        length, begin = number(data, place + 8)
        if begin < 0 or begin + length > len(data):
            return -1, False
        place = begin + length
        if holds(data, begin, place, scripts, seed):
            found = True
    return place, found


outputs: Any = njit(nogil=True)(_outputs)


def _witnesses(data: Any, place: Any, count: Any) -> Any:
    """Step over the witness stacks of `count` inputs; -1: cut short."""
    for _ in range(count):
        items, place = number(data, place)
        if place < 0:
            return -1
        for _ in range(items):
            length, place = number(data, place)
            if place < 0:
                return -1
            place += length
    return place


witnesses: Any = njit(nogil=True)(_witnesses)


@compiled(types.int64(BYTES, types.int64, MANY, ROOM, TABLE, types.uint64))
def lay(data: Any, place: Any, spans: Any, marks: Any, scripts: Any, seed: Any) -> Any:
    """Find as many transactions as `spans` has rows, mark payers of `scripts`; AMBIGUOUS if one has 64 bytes, or 0."""
    ambiguous = 0
    for position in range(len(spans)):
        begin = place
        count, place = number(data, begin + 4)
        segwit = place == begin + 5 and count == 0
        if segwit:
            if place >= len(data) or data[place] != 1:
                return -1
            count, place = number(data, place + 1)
        if place < 0:
            return -1
        many = count
        place = inputs(data, place, count)
        if place < 0:
            return -1
        count, place = number(data, place)
        if place < 0:
            return -1
        place, credits = outputs(data, place, count, scripts, seed)
        if place < 0:
            return -1
        middle = place
        if segwit:
            place = witnesses(data, place, many)
        place = place + 4 if place >= 0 else -1
        if place < 0 or place > len(data):
            return -1
        spans[position, 0], spans[position, 1], spans[position, 2] = begin, middle, place
        marks[position] = BY_SCRIPT if credits else 0
        if middle - begin == (62 if segwit else 60):
            ambiguous = AMBIGUOUS
    return ambiguous if place == len(data) else -1


def _write(state: Any, out: Any, place: Any) -> None:
    """Write a state as the 32 bytes of a hash."""
    for n in range(8):
        value, at = state[n], place + 4 * n
        out[at] = np.uint8(value >> np.uint32(24))
        out[at + 1] = np.uint8(value >> np.uint32(16))
        out[at + 2] = np.uint8(value >> np.uint32(8))
        out[at + 3] = np.uint8(value)


write: Any = njit(nogil=True, inline="always")(_write)


def _again(state: Any, second: Any, out: Any, place: Any) -> None:
    """Hash the hash in `state` into `out`; `second` is a block prepared by `new_second`."""
    write(state, second, 0)
    for n in range(8):
        state[n] = _START[n]
    compress(state, second, 0)
    write(state, out, place)


again: Any = njit(nogil=True)(_again)


def _new_second() -> Any:
    """A block that hashes 32 bytes once they are written to its front."""
    second = np.zeros(64, np.uint8)
    second[32], second[62] = 0x80, 1
    return second


new_second: Any = njit(nogil=True)(_new_second)


def _hash(room: Any, size: Any, state: Any, second: Any, out: Any, place: Any) -> None:
    """Hash `size` bytes of `room` twice into `out`; `room` has 72 bytes more than that."""
    full = (size + 8) // 64 + 1
    room[size] = 0x80
    for n in range(size + 1, 64 * full - 8):
        room[n] = 0
    for n in range(8):
        room[64 * full - 1 - n] = np.uint8((size << 3) >> (8 * n))
        state[n] = _START[n]
    for n in range(full):
        compress(state, room, 64 * n)
    again(state, second, out, place)


hash_twice: Any = njit(nogil=True)(_hash)


def _copy(data: Any, begin: Any, end: Any, room: Any, place: Any) -> None:
    for n in range(end - begin):
        room[place + n] = data[begin + n]


copy: Any = njit(nogil=True, inline="always")(_copy)


@compiled(types.void(BYTES, MANY, ROOM, ROOM))
def txids(data: Any, spans: Any, out: Any, room: Any) -> None:
    """The ids of all transactions, 32 bytes each, into the front of `out`."""
    state, second = np.empty(8, np.uint32), new_second()
    for position in range(len(spans)):
        begin, middle, end = spans[position, 0], spans[position, 1], spans[position, 2]
        size = end - begin
        if middle == end - 4:
            copy(data, begin, end, room, 0)
        else:
            size = middle - begin + 2
            copy(data, begin, begin + 4, room, 0)
            copy(data, begin + 6, middle, room, 4)
            copy(data, end - 4, end, room, size - 4)
        hash_twice(room, size, state, second, out, 32 * position)


@compiled(types.void(BYTES, MANY, ROOM, ROOM, ROOM))
def wtxids(data: Any, spans: Any, ids: Any, out: Any, room: Any) -> None:
    """The ids over whole transactions, into the front of `out`; `ids` are their txids."""
    state, second = np.empty(8, np.uint32), new_second()
    for n in range(32):
        out[n] = 0
    for position in range(1, len(spans)):
        begin, middle, end = spans[position, 0], spans[position, 1], spans[position, 2]
        if middle == end - 4:
            copy(ids, 32 * position, 32 * position + 32, out, 32 * position)
        else:
            copy(data, begin, end, room, 0)
            hash_twice(room, end - begin, state, second, out, 32 * position)


def _equal(nodes: Any, left: Any, right: Any) -> Any:
    n = 0
    while n < 32 and nodes[left + n] == nodes[right + n]:
        n += 1
    return n == 32


equal: Any = njit(nogil=True)(_equal)


@compiled(types.int64(ROOM, types.int64))
def grow(nodes: Any, total: Any) -> Any:
    """Put the levels of a tree above its `total` leaves, one after the other; -1 if two neighbours are equal.

    Returns which node is the root. An odd level is followed by a copy of its last node, which is not one of it.
    """
    state, second, padding = np.empty(8, np.uint32), new_second(), np.zeros(64, np.uint8)
    padding[0], padding[62] = 0x80, 2
    begin, count = 0, total
    while count > 1:
        for n in range(0, count - 1, 2):
            if equal(nodes, 32 * (begin + n), 32 * (begin + n + 1)):
                return -1
        last = begin + count
        if count & 1:
            copy(nodes, 32 * (last - 1), 32 * last, nodes, 32 * last)
            last += 1
        for n in range(begin, last, 2):
            for m in range(8):
                state[m] = _START[m]
            compress(state, nodes, 32 * n)
            compress(state, padding, 0)
            again(state, second, nodes, 16 * (n - begin) + 32 * last)
        begin, count = last, (count + 1) // 2
    return begin


@compiled(types.int64(BYTES, types.int64, MANY, ROOM, ROOM, ROOM, ROOM, TABLE, types.uint64, types.boolean))
def read(
    data: Any,
    place: Any,
    spans: Any,
    marks: Any,
    nodes: Any,
    others: Any,
    room: Any,
    scripts: Any,
    seed: Any,
    both: Any,
) -> Any:
    """Lay a block out and grow the tree over its txids, with `both` also that over its wtxids; -1 if it is malformed.

    One call, so that a thread waits for the interpreter's lock once.
    """
    told = lay(data, place, spans, marks, scripts, seed)
    if told < 0:
        return -1
    txids(data, spans, nodes, room)
    if grow(nodes, len(spans)) < 0:
        return -1
    if both:
        wtxids(data, spans, nodes, others, room)
        if grow(others, len(spans)) >= 0:
            told |= WITNESSES
    return told


@compiled(types.int64(BYTES, MANY, ROOM, ROOM, types.Array(types.boolean, 1, "C"), TABLE, types.uint64))
def chase(data: Any, spans: Any, ids: Any, marks: Any, made: Any, coins: Any, seed: Any) -> Any:
    """Mark transactions that spend `coins`, or may spend what marked ones of the same block made.

    made: 65,536 places, one for each beginning of a txid; all False. Returns how many transactions are marked.
    """
    count = 0
    for position in range(len(spans)):
        begin = spans[position, 0]
        many, place = number(data, begin + 4)
        if many == 0:
            many, place = number(data, begin + 6)
        for _ in range(0 if marks[position] else many):
            if place < 0 or place + 36 > len(data):
                break
            if holds(data, place, place + 36, coins, seed):
                marks[position] |= BY_COIN
                break
            if count and made[np.int64(data[place]) | np.int64(data[place + 1]) << 8]:
                marks[position] |= BY_BLOCK
                break
            length, place = number(data, place + 36)
            place += length + 4
        if marks[position]:
            made[np.int64(ids[32 * position]) | np.int64(ids[32 * position + 1]) << 8] = True
            count += 1
    return count
