"""The compiled steps over a raw block: where transactions lie, which may be of interest, their ids and their tree.

Importing this takes numba, and 100 MB: only the process that compiles does (`build`). The functions that others call
are named in `native.SIGNATURES`; they get addresses, and the sizes of what lies there. Each returns a negative number
where the bytes are not as they must be; the plain twin then says what is wrong. `walk` and `tracer.proof.blocks` say
what each step means. Nothing allocates: that would take numba's runtime, which is not there when the code runs.
"""

from typing import Any

import numpy as np
from numba.np.numpy_support import carray

from watchers.bitcoin import native
from watchers.bitcoin.native import AMBIGUOUS, BLOCKS_BYTES, MADE_BYTES, ROOM_BYTES, STATE_BYTES, WITNESSES
from watchers.bitcoin.sha import START, compress, inlined, step
from watchers.bitcoin.tables import holds_piece

_START = np.array(START, np.uint32)
_MARK = np.uint8(1)
_STATE_WORDS = STATE_BYTES // 4
_SECOND, _PADDING = 0, 64
"""On the desk: a block that hashes 32 bytes once they are written to its front, and the padding after 64 bytes."""

tree_bytes: Any = inlined(native.tree_bytes)


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


number: Any = inlined(_number)


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


inputs: Any = step(_inputs)


def _outputs(data: Any, place: Any, count: Any, scripts: Any, seed: Any) -> tuple[Any, Any]:
    """Step over outputs; returns the byte after them (-1: cut short) and whether one is in `scripts`."""
    found = False
    for _ in range(count):
        length, begin = number(data, place + 8)
        if begin < 0 or begin + length > len(data):
            return -1, False
        place = begin + length
        if holds_piece(data, begin, place, scripts, seed):
            found = True
    return place, found


outputs: Any = step(_outputs)


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


witnesses: Any = step(_witnesses)


def _lay(data: Any, place: Any, spans: Any, marks: Any, scripts: Any, seed: Any) -> Any:
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
        marks[position] = _MARK if credits else np.uint8(0)
        if middle - begin == (62 if segwit else 60):
            ambiguous = AMBIGUOUS
    return ambiguous if place == len(data) else -1


lay: Any = step(_lay)


def _write(state: Any, out: Any, place: Any) -> None:
    """Write a state as the 32 bytes of a hash."""
    for n in range(8):
        value, at = state[n], place + 4 * n
        out[at] = np.uint8(value >> np.uint32(24))
        out[at + 1] = np.uint8(value >> np.uint32(16))
        out[at + 2] = np.uint8(value >> np.uint32(8))
        out[at + 3] = np.uint8(value)


write: Any = inlined(_write)


def _again(state: Any, blocks: Any, out: Any, place: Any) -> None:
    """Hash the hash in `state` into `out`."""
    write(state, blocks, _SECOND)
    for n in range(8):
        state[n] = _START[n]
    compress(state, blocks, _SECOND)
    write(state, out, place)


again: Any = step(_again)


def _lay_desk(blocks: Any) -> None:
    for n in range(BLOCKS_BYTES):
        blocks[n] = 0
    blocks[_SECOND + 32], blocks[_SECOND + 62] = 0x80, 1
    blocks[_PADDING], blocks[_PADDING + 62] = 0x80, 2


lay_desk: Any = step(_lay_desk)


def _hash(room: Any, size: Any, state: Any, blocks: Any, out: Any, place: Any) -> None:
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
    again(state, blocks, out, place)


hash_twice: Any = step(_hash)


def _copy(data: Any, begin: Any, end: Any, room: Any, place: Any) -> None:
    for n in range(end - begin):
        room[place + n] = data[begin + n]


copy: Any = inlined(_copy)


def _txids(data: Any, spans: Any, out: Any, room: Any, state: Any, blocks: Any) -> None:
    """The ids of all transactions, 32 bytes each, into the front of `out`."""
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
        hash_twice(room, size, state, blocks, out, 32 * position)


txids: Any = step(_txids)


def _wtxids(data: Any, spans: Any, ids: Any, out: Any, room: Any, state: Any, blocks: Any) -> None:
    """The ids over whole transactions, into the front of `out`; `ids` are their txids."""
    for n in range(32):
        out[n] = 0
    for position in range(1, len(spans)):
        begin, middle, end = spans[position, 0], spans[position, 1], spans[position, 2]
        if middle == end - 4:
            copy(ids, 32 * position, 32 * position + 32, out, 32 * position)
        else:
            copy(data, begin, end, room, 0)
            hash_twice(room, end - begin, state, blocks, out, 32 * position)


wtxids: Any = step(_wtxids)


def _equal(nodes: Any, left: Any, right: Any) -> Any:
    n = 0
    while n < 32 and nodes[left + n] == nodes[right + n]:
        n += 1
    return n == 32


equal: Any = step(_equal)


def _grow(nodes: Any, total: Any, state: Any, blocks: Any) -> Any:
    """Put the levels of a tree above its `total` leaves, one after the other; -1 if two neighbours are equal.

    Returns which node is the root. An odd level is followed by a copy of its last node, which is not one of it.
    """
    begin, count = np.int64(0), total
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
            compress(state, blocks, _PADDING)
            again(state, blocks, nodes, 16 * (n - begin) + 32 * last)
        begin, count = last, (count + 1) // 2
    return begin


grow: Any = step(_grow)


def _rooms(
    size: Any, total: Any, nodes: Any, others: Any, room: Any, state: Any, blocks: Any
) -> tuple[Any, Any, Any, Any, Any]:
    """The rooms of `native` as arrays: for both trees, a transaction, a state, and blocks of SHA-256."""
    return (
        carray(nodes, (tree_bytes(total),), np.uint8),
        carray(others, (tree_bytes(total),), np.uint8),
        carray(room, (size + ROOM_BYTES,), np.uint8),
        carray(state, (_STATE_WORDS,), np.uint32),
        carray(blocks, (BLOCKS_BYTES,), np.uint8),
    )


rooms: Any = inlined(_rooms)


def read(
    block: Any,
    size: Any,
    place: Any,
    places: Any,
    total: Any,
    marks: Any,
    nodes: Any,
    others: Any,
    room: Any,
    state: Any,
    blocks: Any,
    scripts: Any,
    slots: Any,
    seed: Any,
    both: Any,
) -> Any:
    """Lay a block out and grow the tree over its txids, with `both` also that over its wtxids; -1 if it is malformed.

    One call, so that a thread waits for the interpreter's lock once. The rooms are as `native` has them.
    """
    data, spans = carray(block, (size,), np.uint8), carray(places, (total, 3), np.int64)
    nodes, others, room, state, blocks = rooms(size, total, nodes, others, room, state, blocks)
    told = np.int64(
        lay(data, place, spans, carray(marks, (total,), np.uint8), carray(scripts, (2 * slots,), np.uint64), seed)
    )
    if told < 0:
        return np.int64(-1)
    lay_desk(blocks)
    txids(data, spans, nodes, room, state, blocks)
    if grow(nodes, total, state, blocks) < 0:
        return np.int64(-1)
    if both:
        wtxids(data, spans, nodes, others, room, state, blocks)
        if grow(others, total, state, blocks) >= 0:
            told |= WITNESSES
    return told


def witness_tree(
    block: Any, size: Any, places: Any, total: Any, nodes: Any, others: Any, room: Any, state: Any, blocks: Any
) -> Any:
    """Grow the tree over the wtxids of a block that was read; -1 if two neighbours are equal."""
    data, spans = carray(block, (size,), np.uint8), carray(places, (total, 3), np.int64)
    nodes, others, room, state, blocks = rooms(size, total, nodes, others, room, state, blocks)
    lay_desk(blocks)
    wtxids(data, spans, nodes, others, room, state, blocks)
    return np.int64(grow(others, total, state, blocks))


def chase(
    block: Any,
    size: Any,
    places: Any,
    total: Any,
    nodes: Any,
    marks: Any,
    made: Any,
    coins: Any,
    slots: Any,
    seed: Any,
) -> Any:
    """Mark transactions that spend `coins`, or may spend what marked ones of the same block made.

    made: 65,536 zeros, one for each beginning of a txid. Returns how many transactions are marked.
    """
    data, spans, ids = (
        carray(block, (size,), np.uint8),
        carray(places, (total, 3), np.int64),
        carray(nodes, (32 * total,), np.uint8),
    )
    marks, made, coins = (
        carray(marks, (total,), np.uint8),
        carray(made, (MADE_BYTES,), np.uint8),
        carray(coins, (2 * slots,), np.uint64),
    )
    count = np.int64(0)
    for position in range(total):
        begin = spans[position, 0]
        many, place = number(data, begin + 4)
        if many == 0:
            many, place = number(data, begin + 6)
        for _ in range(0 if marks[position] else many):
            if place < 0 or place + 36 > len(data):
                break
            if holds_piece(data, place, place + 36, coins, seed):
                marks[position] = _MARK
                break
            if count and made[np.int64(data[place]) | np.int64(data[place + 1]) << 8]:
                marks[position] = _MARK
                break
            length, place = number(data, place + 36)
            place += length + 4
        if marks[position]:
            made[np.int64(ids[32 * position]) | np.int64(ids[32 * position + 1]) << 8] = _MARK
            count += 1
    return count
