"""What the kept runs say of one coin or payment: its segments, its shares, and the way that carried most of a label."""

from sqlalchemy import Connection

from tracer.store.traceread import rows

INTO = "SELECT e.ordinal, e.amount FROM trace_edge e WHERE e.to_id = ? AND e.run_id = ? ORDER BY e.seq"
MOST_SPENT = """SELECT i.spends_id, e.amount FROM trace_edge e JOIN movement i ON i.id = e.from_id
    WHERE e.to_id = ? AND e.run_id = ? AND e.ordinal = ? ORDER BY length(e.amount) DESC, e.amount DESC LIMIT 1"""
PAYER = """SELECT i.source_id, i.asset_id, b.height, coalesce(t.position, 1 << 40), m.kind, m.idx FROM trace_edge e
    JOIN movement i ON i.id = e.from_id JOIN movement m ON m.id = e.to_id JOIN block b ON b.id = m.block_id
    LEFT JOIN tx t ON t.id = m.tx_id WHERE e.to_id = ? AND e.run_id = ? AND e.ordinal = ? LIMIT 1"""
MOST_PAID = """SELECT e.to_id, e.amount FROM movement m JOIN block b ON b.id = m.block_id AND b.canonical
    JOIN trace_edge e ON e.to_id = m.id AND e.run_id = ? AND e.ordinal = ?
    JOIN trace_coin c ON c.run_id = e.run_id AND c.movement_id = m.id AND c.boundary IS NULL
    LEFT JOIN tx t ON t.id = m.tx_id WHERE m.target_id = ? AND m.asset_id = ?
    AND (b.height, coalesce(t.position, 1 << 40), m.kind, m.idx) < (?, ?, ?, ?)
    ORDER BY length(e.amount) DESC, e.amount DESC LIMIT 1"""


def segments(connection: Connection, run_id: int, movement: int) -> list[tuple[int, int, int]]:
    """The labelled segments of a coin or payment in a run that tiles: (start, end, label), in order."""
    found: list[tuple[int, int, int]] = []
    at = 0
    for label, amount in rows(connection, INTO, (movement, run_id)):
        if label is not None:
            found.append((at, at + int(amount), label))
        at += int(amount)
    return found


def shares(connection: Connection, run_id: int, movement: int) -> dict[int, int]:
    """The units of each label in a coin or payment."""
    found: dict[int, int] = {}
    for label, amount in rows(connection, INTO, (movement, run_id)):
        if label is not None:
            found[label] = found.get(label, 0) + int(amount)
    return found


def carried(connection: Connection, run_id: int, movement: int, label: int, utxo: bool) -> list[tuple[int, int]]:
    """The way back that carried most of a label, step by step: movements, and units of the label that took it."""
    way: list[tuple[int, int]] = []
    seen: set[int] = set()
    at: int | None = movement
    if not utxo:
        units = shares(connection, run_id, movement).get(label, 0)
        while at is not None and at not in seen:
            seen.add(at)
            way.append((at, units))
            payer = rows(connection, PAYER, (at, run_id, label))
            at = None
            for payer_of in payer:
                for to_id, amount in rows(connection, MOST_PAID, (run_id, label, *payer_of)):
                    at, units = to_id, int(amount)
        return way
    while at is not None and at not in seen:
        seen.add(at)
        found = rows(connection, MOST_SPENT, (at, run_id, label))
        if not found:
            break
        way.append((at, int(found[0][1])))
        at = found[0][0]
    return way
