"""Where a raw block's transactions lie, and which of them touch scripts and coins of interest. Pure."""

from collections.abc import Container, Iterator

from tracer.proof.blocks import SpanTuple
from tracer.proof.headers import HEADER_BYTES
from tracer.proof.transactions import compact_size, long_size


def walk(  # noqa: PLR0912 - the hot loop: calls would cost more than they tidy
    raw: bytes, scripts: Container[bytes], coins: Container[bytes], fresh: Container[bytes], spans: list[SpanTuple]
) -> Iterator[int]:
    """Step over a block's transactions, noting each in `spans`, and yield the positions of the hits.

    Nothing is decoded but lengths. `fresh` may grow between two hits. Raises IndexError or ValueError if the
    bytes do not end with the last transaction: a slice past the end is short, the step is noticed there.
    """
    total, place = compact_size(raw, HEADER_BYTES)
    for position in range(total):
        begin = place
        touches = False
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
            point = raw[place : place + 36]
            if point in coins or point in fresh:
                touches = True
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
            if raw[place:end] in scripts:
                touches = True
            place = end
        middle = place
        if segwit:
            place = _after_witnesses(raw, place, witnesses)
        place += 4
        spans.append((begin, middle, place))
        if touches:
            yield position
    if place != len(raw):
        raise ValueError(f"{len(raw)} bytes hold {total} transactions of {place} bytes")


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
