"""How the lives of transfers are written and read back; always inside a transaction."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, text

from tracer.life import Change, Included, Life, Lives, Observation, Orphaned, State, Violated, next_events
from tracer.notices import Notice
from tracer.pending import Sighting
from tracer.store.blockrows import Rows
from tracer.store.chains import ChainHandle
from tracer.store.rows import insert_many
from tracer.store.tables import AlertRow, observed
from tracer.types import HELD_ROLES, Hash, Holder

BY_POLICY = frozenset({State.CONFIRMED, State.FINAL})
"""States that a policy says; the others are observed."""


def insert_changes(connection: Connection, chain: ChainHandle, changes: Sequence[Change], now: int) -> None:
    """Append events; `now` is the wall clock, which may have been set back: the log is not."""
    if not changes:
        return
    newest = connection.execute(text("SELECT at FROM transfer_event ORDER BY id DESC LIMIT 1")).scalar()
    at = now if newest is None else max(now, int(newest))
    insert_many(
        connection,
        observed.TransferEventRow,
        "chain_id at state tx_id pending_id block_id policy_id other shared",
        (
            (
                chain.id,
                at,
                int(event.state),
                tx_id,
                pending_id,
                event.block,
                chain.policy_id if event.state in BY_POLICY else None,
                event.by,
                event.shared,
            )
            for tx_id, pending_id, event in changes
        ),
    )


def insert_pending(store: Rows, chain: ChainHandle, sighting: Sighting, now: int) -> int:
    """Keep an unconfirmed transaction, once, and return its row; what it would move is kept with it."""
    find = text("SELECT id FROM pending_tx WHERE chain_id = :c AND txid = :t")
    keys = {"c": chain.id, "t": sighting.txid}
    known = store.connection.execute(find, keys).scalar()
    if known is not None:
        return int(known)
    row = (chain.id, sighting.txid, sighting.raw, now, sighting.source, ", ".join(sighting.spends))
    insert_many(store.connection, observed.PendingTxRow, "chain_id txid raw first_seen source spends", [row])
    pending_id = int(store.connection.execute(find, keys).scalar_one())
    holders = store.holder_ids(chain, sighting.facts.parties)
    insert_many(
        store.connection,
        observed.PendingMoveRow,
        "pending_id kind idx asset_id amount source_id target_id",
        (
            (
                pending_id,
                int(move.kind),
                move.index,
                chain.assets[move.asset],
                move.amount,
                None if move.source is None else holders[move.source],
                None if move.target is None else holders[move.target],
            )
            for move in sighting.moves
        ),
    )
    return pending_id


def alarmed(connection: Connection, chain: ChainHandle, txid: Hash) -> bool:
    """Whether a debit outside a leg was told of a transaction before, unconfirmed or in a block."""
    return bool(
        connection.execute(
            text(
                "SELECT EXISTS (SELECT 1 FROM pending_tx p JOIN alert a ON a.pending_id = p.id"
                " WHERE p.chain_id = :c AND p.txid = :t AND a.rule = 'LEG-1')"
                " OR EXISTS (SELECT 1 FROM tx t JOIN alert a ON a.block_id = t.block_id AND a.tx_id = t.id"
                " WHERE t.txid = :t AND a.chain_id = :c AND a.rule = 'LEG-1')"
            ),
            {"c": chain.id, "t": txid},
        ).scalar_one()
    )


def insert_pending_alerts(
    connection: Connection, chain: ChainHandle, notices: Iterable[tuple[int, Notice]], now: int
) -> None:
    """Keep alerts about unconfirmed transactions (row, alert)."""
    rows = ((now, n.rule, n.severity, chain.id, n.case_id, n.leg_id, n.message, row) for row, n in notices)
    insert_many(connection, AlertRow, "at rule severity chain_id case_id leg_id message pending_id", rows)


def standing(connection: Connection, where: str, **values: object) -> list[Life]:
    """The transfers of some blocks (`b`) as they stand, canonical or not, in chain order.

    Their block is the one that holds them: their last event may be that a mempool saw them again, at another tip.
    """
    rows = connection.execute(
        text(
            "SELECT t.id, t.txid, e.state, b.id, p.id, b.height FROM block b JOIN tx t ON t.block_id = b.id"
            " JOIN transfer_event e ON e.id = (SELECT max(n.id) FROM transfer_event n WHERE n.tx_id = t.id)"
            " LEFT JOIN pending_tx p ON p.chain_id = b.chain_id AND p.txid = t.txid"
            f" WHERE {where} ORDER BY b.height, t.position"
        ),
        values,
    )
    return _lives(rows)


def _lives(rows: Iterable[Any]) -> list[Life]:
    """Read rows of (transaction, txid, state, block, pending transaction, height)."""
    return [
        Life(Hash(bytes(txid)), State(state), tx_id, pending_id, block_id, height)
        for tx_id, txid, state, block_id, pending_id, height in rows
    ]


def changed(lives: Iterable[Life], what: Callable[[int], Observation]) -> list[Change]:
    """What an observation of the blocks of some transfers changes."""
    changes: list[Change] = []
    for life in lives:
        assert life.block is not None, "it stands in a block"
        events = next_events(life.state, life.block, what(life.block))
        changes += [Change(life.tx_id, life.pending_id, event) for event in events]
    return changes


def bare(connection: Connection, block: int) -> list[Life]:
    """Those that were seen unconfirmed, and moved nothing in the block that took them in: it has no row of them."""
    rows = connection.execute(
        text(
            "SELECT NULL, p.txid, n.state, b.id, p.id, b.height FROM transfer_event e"
            " JOIN pending_tx p ON p.id = e.pending_id"
            " JOIN block b ON b.id = e.block_id"
            " JOIN transfer_event n ON n.id = (SELECT max(l.id) FROM transfer_event l WHERE l.pending_id = p.id)"
            " WHERE e.block_id = :b AND e.tx_id IS NULL AND e.state = :included GROUP BY p.id ORDER BY p.id"
        ),
        {"b": block, "included": int(State.INCLUDED)},
    )
    return _lives(rows)


def left_chain(connection: Connection, blocks: Iterable[int]) -> list[Change]:
    """The events of blocks that are disconnected, in the given order."""
    return [change for b in blocks for change in changed(_of_block(connection, b), Orphaned)]


def came_back(connection: Connection, blocks: Iterable[int]) -> list[Change]:
    """The events of stored blocks that are put back on the chain, in the given order."""
    return [change for b in blocks for change in changed(_of_block(connection, b), Included)]


def _of_block(connection: Connection, block: int) -> list[Life]:
    return [*standing(connection, "b.id = :b", b=block), *bare(connection, block)]


def contradicted(connection: Connection, chain: ChainHandle, lowest: int, rival: Hash | None) -> list[Change]:
    """The events of all final transfers in canonical blocks from height `lowest` on, where a node shows others."""
    final = standing(connection, "b.chain_id = :c AND b.height >= :h AND b.canonical", c=chain.id, h=lowest)
    return changed(final, lambda block: Violated(block, rival))


def load_lives(connection: Connection, chain: ChainHandle) -> Lives:
    """Rebuild the transfers that are not at rest: those in blocks that are not final, then those in no block."""
    lives = Lives()
    above = "b.chain_id = :c AND b.canonical AND b.height > (SELECT final_height FROM follower WHERE chain_id = :c)"
    lives.remember(standing(connection, above, c=chain.id))
    lives.remember(loose(connection, chain))
    return lives


def loose(connection: Connection, chain: ChainHandle) -> list[Life]:
    """The transfers whose last event is that a mempool holds them, or that a block with them left the chain."""
    rows = connection.execute(
        text(
            "SELECT e.id, e.state, e.tx_id, coalesce(e.pending_id, q.id), coalesce(t.txid, p.txid) AS txid"
            " FROM transfer_event e LEFT JOIN tx t ON t.id = e.tx_id LEFT JOIN pending_tx p ON p.id = e.pending_id"
            " LEFT JOIN pending_tx q ON q.chain_id = e.chain_id AND q.txid = t.txid"
            " WHERE e.chain_id = :c AND e.state IN (0, 7)"
            " AND NOT EXISTS (SELECT 1 FROM transfer_event n WHERE n.pending_id = coalesce(e.pending_id, q.id)"
            " AND n.id > e.id)"
            " AND NOT EXISTS (SELECT 1 FROM tx o JOIN transfer_event n ON n.tx_id = o.id"
            " WHERE o.txid = coalesce(t.txid, p.txid) AND n.chain_id = e.chain_id AND n.id > e.id) ORDER BY e.id"
        ),
        {"c": chain.id},
    )
    return [Life(Hash(bytes(txid)), State(state), tx_id, pending_id) for _, state, tx_id, pending_id, txid in rows]


def known_height(connection: Connection, chain: ChainHandle, life: Life) -> int:
    """The height of our newest block at or below which a transfer that no block holds was still possible.

    That is the tip when a mempool held it, or the block that left the chain with it, or the newest of their ancestors
    that is on our chain.
    """
    block_id = connection.execute(
        text(
            "SELECT block_id FROM transfer_event WHERE (tx_id = :t OR pending_id = :p) AND state IN (0, 7)"
            " ORDER BY id DESC LIMIT 1"
        ),
        {"t": life.tx_id, "p": life.pending_id},
    ).scalar_one()
    return int(
        connection.execute(
            text(
                "WITH RECURSIVE back (height, parent, canonical) AS ("
                " SELECT height, parent, canonical FROM block WHERE id = :b UNION ALL"
                " SELECT b.height, b.parent, b.canonical FROM back JOIN block b ON b.chain_id = :c"
                " AND b.hash = back.parent WHERE NOT back.canonical) SELECT min(height) FROM back"
            ),
            {"b": block_id, "c": chain.id},
        ).scalar_one()
    )


def height_of(connection: Connection, chain: ChainHandle, block: Hash) -> int:
    """The height of a block on our chain; -1 if it is not there now."""
    found = connection.execute(
        text("SELECT height FROM block WHERE chain_id = :c AND hash = :h AND canonical"), {"c": chain.id, "h": block}
    ).scalar()
    return -1 if found is None else int(found)


def blocks_above(connection: Connection, chain: ChainHandle, height: int) -> list[tuple[int, Hash]]:
    """Our canonical blocks above a height, lowest first: row and hash."""
    rows = connection.execute(
        text("SELECT id, hash FROM block WHERE chain_id = :c AND canonical AND height > :h ORDER BY height"),
        {"c": chain.id, "h": height},
    )
    return [(int(block_id), Hash(bytes(block_hash))) for block_id, block_hash in rows]


def bytes_of(connection: Connection, life: Life) -> bytes:
    """A transfer's bytes, as a mempool or a block had them."""
    table, row = ("tx", life.tx_id) if life.pending_id is None else ("pending_tx", life.pending_id)
    return bytes(connection.execute(text(f"SELECT raw FROM {table} WHERE id = :id"), {"id": row}).scalar_one())


def custody(connection: Connection, chain: ChainHandle) -> list[Holder]:
    """The seized, authority and agency holders of all cases on a chain."""
    roles = ", ".join(f"'{role.value}'" for role in HELD_ROLES)
    rows = connection.execute(
        text(
            "SELECT DISTINCT h.key FROM watch w JOIN holder h ON h.id = w.holder_id"
            f" WHERE h.chain_id = :c AND w.role IN ({roles}) ORDER BY h.key"
        ),
        {"c": chain.id},
    )
    return [Holder(bytes(key)) for (key,) in rows]
