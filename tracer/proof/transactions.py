"""How a Bitcoin transaction is written in bytes: its parts, and the two ids over them. Pure.

Sources: BIP 144 (serialization with witnesses), BIP 141 (txid, wtxid).
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

MAX_SATOSHI = 21_000_000 * 10**8
NOWHERE = bytes(32) + b"\xff\xff\xff\xff"
"""The outpoint that a coinbase spends."""

AMBIGUOUS_BYTES = 64
"""A transaction of this size without its witness can be taken for two hashes inside a merkle tree (BIP 54)."""


class Span(NamedTuple):
    """Where a transaction lies in some bytes: from `begin`, its outputs up to `middle`, all of it up to `end`."""

    begin: int
    middle: int
    end: int

    @property
    def segwit(self) -> bool:
        """Whether marker, flag and witnesses are there: else the locktime alone follows the outputs."""
        return self.middle != self.end - 4


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction taken apart. inputs: (outpoint, script); outputs: (amount in satoshi, script).

    witnesses: per input its stack; empty where the bytes have none.
    """

    span: Span
    inputs: tuple[tuple[bytes, bytes], ...]
    outputs: tuple[tuple[int, bytes], ...]
    witnesses: tuple[tuple[bytes, ...], ...]


def stripped(data: bytes, span: tuple[int, int, int]) -> bytes:
    """A transaction without its witness: what the txid is taken over."""
    begin, middle, end = span
    if middle == end - 4:
        return data[begin:end]
    return data[begin : begin + 4] + data[begin + 6 : middle] + data[end - 4 : end]


def hash256(data: bytes) -> bytes:
    """Hash twice; in wire order."""
    return sha256(sha256(data).digest()).digest()


def compact_size(raw: bytes, place: int) -> tuple[int, int]:
    """Read a CompactSize; returns the number and the byte after it. Raises IndexError at the end of `raw`."""
    first = raw[place]
    return long_size(raw, first, place + 1) if first >= 0xFD else (first, place + 1)


def long_size(raw: bytes, first: int, place: int) -> tuple[int, int]:
    """Read the rest of a CompactSize that began with 0xfd or more; returns the number and the byte after it."""
    after = place + (1 << (first - 0xFC))
    if after > len(raw):
        raise IndexError("cut short")
    return int.from_bytes(raw[place:after], "little"), after


def parse(raw: bytes) -> Transaction:
    """Take a transaction apart; raises ValueError unless the bytes are exactly one."""
    try:
        transaction = _parse(raw)
    except IndexError as error:
        raise ValueError("the bytes of a transaction are cut short") from error
    if transaction.span.end != len(raw):
        raise ValueError(f"{len(raw)} bytes are not a transaction of {transaction.span.end}")
    return transaction


def _parse(raw: bytes) -> Transaction:
    segwit = raw[4] == 0
    if segwit and raw[5] != 1:
        raise ValueError("a transaction without inputs")
    count, place = compact_size(raw, 6 if segwit else 4)
    inputs = []
    for _ in range(count):
        length, start = compact_size(raw, place + 36)
        inputs.append((raw[place : place + 36], raw[start : start + length]))
        place = start + length + 4
    count, place = compact_size(raw, place)
    outputs = []
    for _ in range(count):
        length, start = compact_size(raw, place + 8)
        outputs.append((int.from_bytes(raw[place : place + 8], "little"), raw[start : start + length]))
        place = start + length
    middle = place
    witnesses = []
    for _ in inputs if segwit else ():
        items, place = compact_size(raw, place)
        stack = []
        for _ in range(items):
            length, start = compact_size(raw, place)
            stack.append(raw[start : start + length])
            place = start + length
        witnesses.append(tuple(stack))
    return Transaction(Span(0, middle, place + 4), tuple(inputs), tuple(outputs), tuple(witnesses))
