"""Keeps the spans of coverage: which heights were read for a set of watches, and how far they were checked."""

from collections.abc import Iterable

from sqlalchemy import Connection, text

from tracer.types import Checked, Hash

ALL = "all"
"""The watch set that is followed live: every published watch, from its birth on."""

SpanEnd = tuple[int, Hash, Checked]
"""A block that was read: height, hash, how far it was checked."""


def late_set(backfill_id: int) -> str:
    """The watch set of a back-fill."""
    return f"late:{backfill_id}"


def open_span(connection: Connection, chain_id: int, watch_set: str, anchor: int, anchor_hash: Hash) -> None:
    """Begin a set's coverage after a block: an empty span."""
    connection.execute(
        text(
            "INSERT INTO coverage (chain_id, watch_set, from_height, to_height, end_hash, checked)"
            " VALUES (:c, :w, :f, :t, :e, :k)"
        ),
        {"c": chain_id, "w": watch_set, "f": anchor + 1, "t": anchor, "e": anchor_hash, "k": word(Checked.REPORTED)},
    )


def extend_spans(connection: Connection, chain_id: int, watch_set: str, blocks: Iterable[SpanEnd]) -> None:
    """Append blocks, lowest first: to the last span if they were checked alike, else as new spans.

    The blocks follow on what is covered.
    """
    for first, last, end, checked in runs(blocks):
        keys = {"c": chain_id, "w": watch_set, "f": first, "t": last, "e": end, "k": word(checked)}
        found = connection.execute(
            text(
                "UPDATE coverage SET to_height = :t, end_hash = :e, checked = :k WHERE chain_id = :c"
                " AND watch_set = :w AND to_height = :f - 1 AND (checked = :k OR from_height > to_height)"
            ),
            keys,
        )
        if not found.rowcount:
            connection.execute(
                text(
                    "INSERT INTO coverage (chain_id, watch_set, from_height, to_height, end_hash, checked)"
                    " VALUES (:c, :w, :f, :t, :e, :k)"
                ),
                keys,
            )


def cut_spans(connection: Connection, chain_id: int, height: int, end: Hash) -> None:
    """Take back what is covered above a height, whose block has hash `end`, for every set that reaches so far."""
    keys = {"c": chain_id, "h": height, "e": end}
    connection.execute(
        text(
            "DELETE FROM coverage WHERE chain_id = :c AND from_height > :h AND EXISTS (SELECT 1 FROM coverage o"
            " WHERE o.chain_id = coverage.chain_id AND o.watch_set = coverage.watch_set"
            " AND o.from_height < coverage.from_height)"
        ),
        keys,
    )
    connection.execute(
        text(
            "UPDATE coverage SET from_height = min(from_height, :h + 1), to_height = :h, end_hash = :e"
            " WHERE chain_id = :c AND to_height > :h"
        ),
        keys,
    )


def runs(blocks: Iterable[SpanEnd]) -> list[tuple[int, int, Hash, Checked]]:
    """Join neighbouring blocks that were checked alike: (first height, last height, hash of the last, checked).

    >>> runs([(5, Hash(b"a"), Checked.WHOLE), (6, Hash(b"b"), Checked.WHOLE), (7, Hash(b"c"), Checked.HEADER)])
    [(5, 6, b'b', <Checked.WHOLE: 2>), (7, 7, b'c', <Checked.HEADER: 1>)]
    """
    found: list[tuple[int, int, Hash, Checked]] = []
    for height, block_hash, checked in blocks:
        if found and found[-1][3] is checked and found[-1][1] == height - 1:
            found[-1] = (found[-1][0], height, block_hash, checked)
        else:
            found.append((height, height, block_hash, checked))
    return found


def word(checked: Checked) -> str:
    """How far a block was checked, as coverage and the views say it."""
    return checked.name.lower()
