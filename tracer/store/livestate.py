"""What live runs have come to at the tip, from the rows that the daemon wrote block by block."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from tracer.store.graph import roles_in
from tracer.store.runs import StoredRun
from tracer.store.tracerows import UNSPENT, unpacked
from tracer.taint.boundaries import standing
from tracer.taint.ledgers import held
from tracer.taint.rules import Label
from tracer.taint.run import LEAF, LIVE, End, Place
from tracer.types import Holder, Kind

LIVE_COIN = f"(c.boundary IS NULL AND m.kind = {int(Kind.OUT)} AND {UNSPENT})"


def live_ends(connection: Connection, run: StoredRun) -> list[tuple[End, str]]:
    """Where a live run's units are by its own rows, each end with its asset."""
    found = [*reached_ends(connection, run)]
    if run.family == "bitcoin":
        return [*found, *unmoved_ends(connection, run)]
    return [*found, *account_ends(connection, run)]


def reached_ends(connection: Connection, run: StoredRun) -> Iterator[tuple[End, str]]:
    """The ends at coins, fees and payments that the run reached."""
    roles = roles_in(connection, run.case_id, run.chain_id)
    rows = connection.execute(
        text(
            "SELECT m.id, b.height, t.position, m.kind, m.idx, h.key, c.boundary, e.ordinal, e.amount, a.caip19"
            " FROM trace_coin c JOIN movement m ON m.id = c.movement_id JOIN block b ON b.id = m.block_id"
            " AND b.canonical JOIN asset a ON a.id = m.asset_id JOIN trace_edge e ON e.to_id = m.id"
            " AND e.run_id = c.run_id LEFT JOIN tx t ON t.id = m.tx_id LEFT JOIN holder h ON h.id = m.target_id"
            f" WHERE c.run_id = :run AND (c.boundary IS NOT NULL OR {LIVE_COIN}) ORDER BY m.id, e.seq"
        ),
        {"run": run.id},
    )
    tiles, coins = run.declared.method.tiles, run.family == "bitcoin"
    last: tuple[int, Label | None, int] | None = None
    pending: End | None = None
    asset = ""
    for row, height, position, kind, index, key, boundary, ordinal, amount, caip19 in rows:
        units = int(amount)
        offset = last[2] if last is not None and last[0] == row else 0
        place = Place(height, position, kind, index, b"", "" if coins else caip19, row)
        reason = boundary or standing(roles.get(Holder(bytes(key))))
        joins = pending is not None and pending.place.row == row and pending.label == ordinal and coins
        if pending is not None and joins and (not tiles or (last is not None and last[1] == ordinal)):
            pending = End(place, pending.offset, pending.label, pending.units + units, pending.state, pending.reason)
        else:
            if pending is not None:
                yield pending, asset
            pending = None
            if ordinal is not None:
                pending = End(place, offset if tiles else 0, ordinal, units, LEAF if boundary else LIVE, reason)
        asset = caip19
        last = row, ordinal, offset + units
    if pending is not None:
        yield pending, asset


def unmoved_ends(connection: Connection, run: StoredRun) -> Iterator[tuple[End, str]]:
    """The seized coins that were never spent."""
    roles = roles_in(connection, run.case_id, run.chain_id)
    for label, row in run.sources.items():
        found = connection.execute(
            text(
                "SELECT b.height, t.position, m.idx, h.key, m.amount, a.caip19 FROM movement m JOIN block b"
                " ON b.id = m.block_id JOIN tx t ON t.id = m.tx_id JOIN holder h ON h.id = m.target_id"
                f" JOIN asset a ON a.id = m.asset_id WHERE m.id = :row AND {UNSPENT}"
            ),
            {"row": row},
        ).first()
        if found is not None and int(found[4]):
            height, position, index, key, amount, asset = found
            place = Place(height, position, int(Kind.OUT), index, row=row)
            yield End(place, 0, label, int(amount), LIVE, standing(roles.get(Holder(bytes(key))))), asset


def account_ends(connection: Connection, run: StoredRun) -> Iterator[tuple[End, str]]:
    """What accounts hold by the latest version of their lots."""
    roles = roles_in(connection, run.case_id, run.chain_id)
    rows = connection.execute(
        text(
            "SELECT key, caip19, state FROM (SELECT h.key, a.caip19, l.state, row_number() OVER (PARTITION BY"
            " l.holder_id, l.asset_id ORDER BY b.height DESC) AS place FROM trace_lots l JOIN block b"
            " ON b.id = l.block_id AND b.canonical JOIN holder h ON h.id = l.holder_id"
            " JOIN asset a ON a.id = l.asset_id WHERE l.run_id = :run) q WHERE place = 1 ORDER BY key, caip19"
        ),
        {"run": run.id},
    )
    for key, asset, state in rows:
        place = Place(-1, -1, -1, -1, bytes(key), asset)
        for offset, label, units in held(unpacked(state)):
            yield End(place, offset, label, units, LIVE, standing(roles.get(Holder(bytes(key))))), asset
