"""Where a raw block's transactions lie, what they spend, and which scripts they pay. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tracer.proof.blocks import SpanTuple
from tracer.proof.headers import HEADER_BYTES
from tracer.proof.transactions import compact_size, long_size


class Spans(Sequence[SpanTuple]):
    """Where transactions lie, over an array of numbers, three for each."""

    def __init__(self, places: Any) -> None:
        self._places = places

    def __len__(self) -> int:
        return len(self._places) // 3

    def __getitem__(self, position: Any) -> Any:
        begin, middle, end = self._places[3 * position : 3 * position + 3].tolist()
        return begin, middle, end


@dataclass(frozen=True, slots=True)
class Walked:
    """A block stepped over, in chain order.

    points, scripts: the outpoint of every input, the script of every output. *_ends: how many there are up to the end
    of each transaction.
    """

    spans: Sequence[SpanTuple]
    points: list[bytes]
    point_ends: Sequence[int]
    scripts: list[bytes]
    script_ends: Sequence[int]

    def spender(self, at: int) -> int:
        """The position of the transaction that an input is of."""
        return bisect_right(self.point_ends, at)

    def payer(self, at: int) -> int:
        """The position of the transaction that an output is of."""
        return bisect_right(self.script_ends, at)


def walk(raw: bytes) -> Walked:
    """Step over a block's transactions; nothing is decoded but lengths.

    Raises IndexError or ValueError if the bytes do not end with the last transaction: a slice past the end is short,
    the step is noticed there.
    """
    spans: list[SpanTuple] = []
    points: list[bytes] = []
    scripts: list[bytes] = []
    point_ends: list[int] = []
    script_ends: list[int] = []
    total, place = compact_size(raw, HEADER_BYTES)
    for position in range(total):
        begin = place
        count = raw[place + 4]
        place += 5
        segwit = not count  # BIP-144: no inputs is the marker
        if segwit:
            if raw[place] != 1:
                raise ValueError(f"transaction {position} has no inputs")
            count = raw[place + 1]
            place += 2
        if count >= 0xFD:
            count, place = long_size(raw, count, place)
        witnesses = count
        while count:
            count -= 1
            points.append(raw[place : place + 36])
            length = raw[place + 36]
            if length < 0xFD:
                place += length + 41
            else:
                length, place = long_size(raw, length, place + 37)
                place += length + 4
        count = raw[place]
        place += 1
        if count >= 0xFD:
            count, place = long_size(raw, count, place)
        while count:
            count -= 1
            length = raw[place + 8]
            place += 9
            if length >= 0xFD:
                length, place = long_size(raw, length, place)
            end = place + length
            scripts.append(raw[place:end])
            place = end
        middle = place
        if segwit:
            place = _after_witnesses(raw, place, witnesses)
        place += 4
        spans.append((begin, middle, place))
        point_ends.append(len(points))
        script_ends.append(len(scripts))
    if place != len(raw):
        raise ValueError(f"{len(raw)} bytes hold {total} transactions of {place} bytes")
    return Walked(spans, points, point_ends, scripts, script_ends)


def _after_witnesses(raw: bytes, place: int, witnesses: int) -> int:
    """Step over the witness stacks of `witnesses` inputs."""
    while witnesses:
        witnesses -= 1
        items = raw[place]
        place += 1
        if items >= 0xFD:
            items, place = long_size(raw, items, place)
        while items:
            items -= 1
            length = raw[place]
            place += 1
            if length >= 0xFD:
                length, place = long_size(raw, length, place)
            place += length
    return place
