"""Records as rows: each with a digest over itself and the one before, so that nothing changes or goes unnoticed.

digest = SHA-256 of the canonical JSON list [previous digest (hex; 64 zeros for a case's first record), case, kind, ref,
ref of the superseded record or null, actor, second or null, at, recorded_at, number of the newest block or null,
document (hex) or null, lane, body].
"""

import hashlib
from collections.abc import Sequence

import orjson
from sqlalchemy import Connection, text

from tracer.custody.record import Body, Record
from tracer.custody.records import KINDS, Control

NONE = bytes(32)
"""What stands for the digest before a case's first record."""


def body_text(body: Body) -> str:
    """What a record says, as canonical JSON."""
    return orjson.dumps(body.model_dump(by_alias=True), option=orjson.OPT_SORT_KEYS).decode()


def lane_of(body: Body) -> str:
    """The lane of a record; of a proof of control that of what shows it."""
    return body.shown.lane if isinstance(body, Control) and body.shown is not None else body.lane.name


def digest_of(previous: bytes, case: str, fields: Sequence[object]) -> bytes:
    """The digest of a record; fields: in the order that the module names, from the kind on."""
    return hashlib.sha256(orjson.dumps([previous.hex(), case, *fields])).digest()


def load_records(connection: Connection, case_id: int) -> list[Record]:
    """All records of a case, in the order in which they were filed."""
    rows = connection.execute(
        text(
            "SELECT r.*, b.time AS known_at FROM record r LEFT JOIN block b ON b.id = r.tip_id"
            " WHERE r.case_id = :c ORDER BY r.id"
        ),
        {"c": case_id},
    )
    return [
        Record(
            row.id,
            row.kind,
            row.ref,
            row.actor,
            row.second,
            row.at,
            row.recorded_at,
            None if row.document is None else bytes(row.document).hex(),
            KINDS[row.kind].model_validate(orjson.loads(row.body)),
            row.supersedes_id,
            row.tip_id,
            row.known_at,
        )
        for row in rows
    ]


def broken_at(connection: Connection, case_id: int, case: str, latest: int | None = None) -> str | None:
    """The first record of a case whose digest is not what its columns and the record before give; None if all hold.

    latest: look at so many of the newest alone, and take the digest before them as it is.
    """
    rows = connection.execute(
        text(
            "SELECT r.*, o.ref AS replaced FROM record r LEFT JOIN record o ON o.id = r.supersedes_id"
            " WHERE r.case_id = :c ORDER BY r.id DESC LIMIT :n"
        ),
        {"c": case_id, "n": -1 if latest is None else latest},
    ).all()[::-1]
    previous = NONE if latest is None or len(rows) < latest else bytes(rows[0].previous)
    for row in rows:
        document = None if row.document is None else bytes(row.document).hex()
        who = (row.actor, row.second, row.at, row.recorded_at, row.tip_id)
        said = (row.kind, row.ref, row.replaced, *who, document, row.lane, row.body)
        if bytes(row.previous) != previous or digest_of(previous, case, said) != bytes(row.digest):
            return f"{row.kind} {row.ref}"
        previous = bytes(row.digest)
    return None
