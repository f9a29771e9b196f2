"""Reads the planned legs of a case, as they were imported."""

from sqlalchemy import Connection, Row, text

from tracer.custody.case import LegKind
from tracer.matching import Plan
from tracer.types import AssetId, Holder


def load_plans(connection: Connection, keys: dict[str, int], where: str) -> list[Plan]:
    """A case's planned legs on one chain, as imported; where: which rows of `leg l` count."""
    sources: dict[int, set[Holder]] = {}
    for leg_id, key in connection.execute(
        text(
            "SELECT s.leg_id, h.key FROM leg_source s JOIN leg l ON l.id = s.leg_id JOIN watch w ON w.id = s.watch_id"
            " JOIN holder h ON h.id = w.holder_id WHERE l.case_id = :case AND h.chain_id = :c"
        ),
        keys,
    ):
        sources.setdefault(leg_id, set()).add(Holder(bytes(key)))
    rows = connection.execute(
        text(
            "SELECT l.*, a.caip19, h.key FROM leg l JOIN asset a ON a.id = l.asset_id"
            " JOIN watch w ON w.id = l.target_id JOIN holder h ON h.id = w.holder_id"
            f" WHERE l.case_id = :case AND a.chain_id = :c AND {where} ORDER BY l.id"
        ),
        keys,
    )
    return [plan_of(row, frozenset(sources.get(row.id, ()))) for row in rows]


def plan_of(row: Row[tuple[object, ...]], sources: frozenset[Holder]) -> Plan:
    """A leg row as matching needs it."""
    return Plan(
        row.id,
        row.ref,
        LegKind(row.kind),
        AssetId(row.caip19),
        sources,
        Holder(bytes(row.key)),
        int(row.amount),
        int(row.tolerance),
        int(row.max_fee),
        row.not_before,
        row.deadline,
    )


def withdrawn_legs(connection: Connection, case_id: int) -> set[int]:
    """The legs of a case that were withdrawn, or superseded by another."""
    rows = connection.execute(
        text(
            "SELECT l.id FROM record n JOIN leg l ON l.record_id = n.supersedes_id WHERE n.case_id = :case"
            " AND n.kind = 'leg' UNION SELECT l.id FROM record n JOIN leg l ON l.case_id = n.case_id"
            " AND l.ref = json_extract(n.body, '$.leg') WHERE n.case_id = :case AND n.kind = 'withdrawal'"
            " AND NOT EXISTS (SELECT 1 FROM record s WHERE s.supersedes_id = n.id)"
        ),
        {"case": case_id},
    )
    return {int(number) for (number,) in rows}


def recorded_since(connection: Connection, case_id: int) -> dict[int, int]:
    """For each leg that was recorded later, the first instant after the newest block that was known then."""
    rows = connection.execute(
        text(
            "SELECT l.id, b.time FROM leg l JOIN record r ON r.id = l.record_id JOIN block b ON b.id = r.tip_id"
            " WHERE l.case_id = :case"
        ),
        {"case": case_id},
    )
    return {int(leg): int(time) + 1 for leg, time in rows}
