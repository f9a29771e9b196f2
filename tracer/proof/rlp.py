"""Recursive length prefix: how Ethereum writes nested byte strings (Yellow Paper, appendix B). Pure.

Reading is strict: there is exactly one encoding of each item, and every other one is refused.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

Item: TypeAlias = "bytes | Sequence[Item]"

_MAX_DEPTH = 32
"""Deeper nesting than any consensus structure has is refused before it exhausts the stack."""


class BadRlp(ValueError):
    """The bytes are not the encoding of anything."""


def text(data: bytes) -> bytes:
    """Encode a byte string.

    >>> text(b"dog").hex()
    '83646f67'
    """
    size = len(data)
    if size == 1 and data[0] < 0x80:
        return data
    if size < 56:
        return bytes((0x80 + size,)) + data
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0xB7 + len(length),)) + length + data


def number(value: int) -> bytes:
    """Encode a number: big-endian, without leading zeros, nothing for 0."""
    return text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def wrap(payload: bytes) -> bytes:
    """Encode a list whose items are encoded already and joined."""
    size = len(payload)
    if size < 56:
        return bytes((0xC0 + size,)) + payload
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0xF7 + len(length),)) + length + payload


def encode(item: Item) -> bytes:
    """Encode a byte string or a nested sequence of them."""
    if isinstance(item, bytes):
        return text(item)
    return wrap(b"".join([encode(part) for part in item]))


def join(items: Iterable[bytes]) -> bytes:
    """Encode a flat list of byte strings."""
    return wrap(b"".join([text(item) for item in items]))


def decode(data: bytes) -> bytes | list[Item]:
    """Read one item that fills the bytes exactly; raises BadRlp."""
    item, end = _read(data, 0, len(data), 0)
    if end != len(data):
        raise BadRlp(f"{len(data) - end} bytes after the end")
    return item


def fields(data: bytes) -> list[Item]:
    """Read a list; raises BadRlp if it is none."""
    item = decode(data)
    if isinstance(item, bytes):
        raise BadRlp("a byte string where a list is wanted")
    return item


def as_bytes(item: Item, size: int | None = None) -> bytes:
    """Take an item for a byte string, of exactly `size` bytes if that is given; raises BadRlp."""
    if not isinstance(item, bytes) or (size is not None and len(item) != size):
        raise BadRlp("a list where bytes are wanted" if not isinstance(item, bytes) else f"{len(item)} bytes: {size=}")
    return item


def as_list(item: Item) -> Sequence[Item]:
    """Take an item for a list; raises BadRlp."""
    if isinstance(item, bytes):
        raise BadRlp("bytes where a list is wanted")
    return item


def as_number(item: Item, bits: int = 256) -> int:
    """Take an item for a number below 2**bits without leading zeros; raises BadRlp."""
    data = as_bytes(item)
    if data[:1] == b"\0" or len(data) * 8 > bits:
        raise BadRlp(f"{data.hex()} is not a number of {bits} bits")
    return int.from_bytes(data, "big")


def _read(data: bytes, at: int, end: int, depth: int) -> tuple[bytes | list[Item], int]:
    if at >= end:
        raise BadRlp("the bytes end before the item does")
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    start, stop = _span(data, at, end, first - (0x80 if first < 0xC0 else 0xC0))
    if first < 0xC0:
        if stop - start == 1 and data[start] < 0x80:
            raise BadRlp("a byte that is its own encoding has a prefix")
        return data[start:stop], stop
    if depth >= _MAX_DEPTH:
        raise BadRlp("nested too deeply")
    items: list[Item] = []
    while start < stop:
        item, start = _read(data, start, stop, depth + 1)
        items.append(item)
    return items, stop


def _span(data: bytes, at: int, end: int, code: int) -> tuple[int, int]:
    """Where the payload of a prefix begins and ends."""
    start, size = at + 1, code
    if code > 55:
        start += code - 55
        written = data[at + 1 : start]
        size = int.from_bytes(written, "big")
        if start > end or written[:1] == b"\0" or size < 56:
            raise BadRlp("a length that is not written in its shortest form")
    if start + size > end:
        raise BadRlp("the bytes end before the item does")
    return start, start + size
