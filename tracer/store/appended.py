"""Appends records to a case, each with the digest that ties it to the one before."""

from sqlalchemy import Connection, text

from tracer.custody.filing import Draft
from tracer.store.filed import NONE, body_text, digest_of, lane_of
from tracer.store.overseen import RecordRow
from tracer.store.rows import insert_many


def insert_record(
    connection: Connection,
    case: tuple[int, str],
    draft: Draft,
    ref: str,
    supersedes: int | None,
    now: int,
    tip_id: int | None = None,
) -> int:
    """Append a record to a case (id, ref) inside the caller's transaction; returns its number.

    tip_id: the newest block of the case's chains that the store has met; None: nothing tells what was known.
    """
    row = connection.execute(
        text("SELECT digest FROM record WHERE case_id = :c ORDER BY id DESC LIMIT 1"), {"c": case[0]}
    ).first()
    previous = NONE if row is None else bytes(row[0])
    number = int(connection.execute(text("SELECT coalesce(max(id), 0) + 1 FROM record")).scalar_one())
    lane, body = lane_of(draft.body), body_text(draft.body)
    who = (draft.actor, draft.second, draft.at, now, tip_id)
    said = (draft.kind, ref, draft.supersedes, *who, draft.document, lane, body)
    document = None if draft.document is None else bytes.fromhex(draft.document)
    insert_many(
        connection,
        RecordRow,
        "id case_id kind ref supersedes_id actor second at recorded_at tip_id document lane body previous digest",
        [
            (
                number,
                case[0],
                draft.kind,
                ref,
                supersedes,
                draft.actor,
                draft.second,
                draft.at,
                now,
                tip_id,
                document,
                lane,
                body,
                previous,
                digest_of(previous, case[1], said),
            )
        ],
    )
    return number
