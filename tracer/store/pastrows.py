"""Writes what a back-fill finds: facts in bounded commits, and in one commit all that follows from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from tracer.chain import Marks
from tracer.life import Lives
from tracer.notices import Notice
from tracer.prepared import Judged, Prepared
from tracer.store.backfills import UnfilledRow
from tracer.store.blockrows import insert_judged, insert_postings, movement_row
from tracer.store.chains import ChainHandle
from tracer.store.checkrows import insert_checks, keep_header
from tracer.store.derived import forget
from tracer.store.liferows import insert_changes
from tracer.store.past import Job, Known, lowest, number_below
from tracer.store.rows import insert_many
from tracer.store.spans import extend_spans, late_set, open_span
from tracer.store.tables import Block, MovementRow, Tx
from tracer.store.tracerows import insert_openings, insert_traces, live_runs, register_live
from tracer.store.writer import Store
from tracer.types import BlockRef, Checked
from tracer.units import format_units
from tracer.value import Check


@dataclass(slots=True)
class Found:
    """A block as a back-fill read it: its rows, and which of them are not stored yet."""

    prepared: Prepared
    known: Known
    new: frozenset[tuple[str, int]]


def begin(store: Store, chain: ChainHandle, job: Job, anchor: BlockRef) -> None:
    """Begin a back-fill after a block of our chain, or after one below it, which is stored then."""
    with store.connection.begin():
        bottom = lowest(store.connection, chain)
        below = anchor.height < bottom.height
        if below:
            begin_below(store.connection, chain, anchor)
        store.connection.execute(
            text("UPDATE backfill SET done_height = :h, done_hash = :d, join_height = :j WHERE id = :id"),
            {"h": anchor.height, "d": anchor.hash, "j": bottom.height if below else None, "id": job.id},
        )
        store.connection.execute(
            text("DELETE FROM coverage WHERE chain_id = :c AND watch_set = :w"), {"c": chain.id, "w": late_set(job.id)}
        )
        open_span(store.connection, chain.id, late_set(job.id), anchor.height, anchor.hash)


def begin_below(connection: Connection, chain: ChainHandle, anchor: BlockRef) -> None:
    """Store a block below our lowest one, after which reading begins, unless it is there; inside a transaction."""
    known = connection.execute(
        text("SELECT 1 FROM block WHERE chain_id = :c AND hash = :h"), {"c": chain.id, "h": anchor.hash}
    ).scalar()
    if known is None:
        number = number_below(connection, chain, anchor.height)
        row = (number, chain.id, anchor.height, anchor.hash, anchor.parent, 0, False, int(Checked.REPORTED))
        insert_many(connection, Block, "id chain_id height hash parent time canonical checked", [row])


def note_done(connection: Connection, job: Job, to: BlockRef) -> None:
    """Note the block to which a back-fill has come; call it inside a transaction."""
    connection.execute(
        text("UPDATE backfill SET done_height = :h, done_hash = :d WHERE id = :id"),
        {"h": to.height, "d": to.hash, "id": job.id},
    )


def commit_read(store: Store, chain: ChainHandle, job: Job, blocks: Sequence[Found]) -> None:
    """Store the facts of some blocks, lowest first, and how far the back-fill has come, in one transaction."""
    with store.connection.begin():
        insert_blocks(store.connection, chain, blocks)
        merge_facts(store, chain, blocks)
        insert_openings(store, chain, [block.prepared for block in blocks])
        insert_checks(store, chain, [new_checks(store, chain, block) for block in blocks if block.prepared.checks])
        refs = [block.prepared.facts.ref for block in blocks]
        read = [(b.prepared.facts.ref.height, b.prepared.facts.ref.hash, b.prepared.facts.checked) for b in blocks]
        extend_spans(store.connection, chain.id, late_set(job.id), read)
        note_done(store.connection, job, refs[-1])
        if job.join_height is not None and refs[-1].height >= job.join_height:
            join_below(store.connection, chain)
            store.connection.execute(text("UPDATE backfill SET join_height = NULL WHERE id = :id"), {"id": job.id})


def join_below(connection: Connection, chain: ChainHandle) -> None:
    """Let blocks below our chain count that lead up to it without a gap; others wait until theirs is closed."""
    keys: dict[str, object] = {"c": chain.id}
    waiting = "b.chain_id = :c AND b.id < 0 AND NOT b.canonical"
    bottom = lowest(connection, chain)
    keys["bottom"], keys["parent"] = bottom.height, bottom.parent
    if connection.execute(text(f"SELECT 1 FROM block b WHERE {waiting} AND b.hash = :parent"), keys).scalar() is None:
        return
    keys["low"] = connection.execute(
        text(
            f"SELECT max(b.height) FROM block b WHERE {waiting} AND b.height < :bottom"
            " AND NOT EXISTS (SELECT 1 FROM block p WHERE p.chain_id = :c AND p.hash = b.parent AND p.id < 0)"
        ),
        keys,
    ).scalar_one()
    connection.execute(
        text(f"UPDATE block AS b SET canonical = 1 WHERE {waiting} AND b.height >= :low AND b.height < :bottom"), keys
    )


def insert_blocks(connection: Connection, chain: ChainHandle, blocks: Iterable[Found]) -> None:
    """Store blocks below the first that was followed; they count once they meet it."""
    rows = [
        (
            block.known.block,
            chain.id,
            block.prepared.facts.ref.height,
            block.prepared.facts.ref.hash,
            block.prepared.facts.ref.parent,
            block.prepared.facts.time,
            block.prepared.facts.header,
            False,
            int(block.prepared.facts.checked),
        )
        for block in blocks
        if not block.known.stored
    ]
    insert_many(connection, Block, "id chain_id height hash parent time header canonical checked", rows)


def insert_new(store: Store, chain: ChainHandle, blocks: Sequence[Found]) -> None:
    """Insert the transactions and movements of stored blocks that are not stored yet; rows that are there stay."""
    connection = store.connection
    forget(connection, (block.known.block for block in blocks if block.known.stored and block.prepared.txs))
    for block in blocks:
        for asset in block.prepared.facts.new_assets:
            if asset.id not in chain.assets:
                store.add_asset(chain, asset)
    txs = [(block, tx) for block in blocks for tx in block.prepared.txs]
    insert_many(
        connection,
        Tx,
        "id block_id position txid raw proof",
        (
            (tx.id, block.known.block, tx.position, tx.txid, tx.raw, tx.proof)
            for block, tx in txs
            if ("tx", tx.id) in block.new
        ),
    )
    moves = [(block, tx.id, move) for block, tx in txs for move in tx.moves]
    rows = [*moves, *((block, None, move) for block in blocks for move in block.prepared.loose)]
    parties = (h for _, _, n in rows for h in (n.movement.source, n.movement.target) if h is not None)
    holders = store.holder_ids(chain, parties)
    insert_many(
        connection,
        MovementRow,
        "id block_id kind tx_id idx asset_id amount source_id target_id spends_id spent_txid spent_idx lane",
        (
            movement_row(chain, holders, block.known.block, tx_id, move)
            for block, tx_id, move in rows
            if ("movement", move.id) in block.new
        ),
    )
    for block in blocks:
        if block.prepared.txs or block.prepared.loose or block.prepared.checks:
            keep_header(connection, block.known.block, block.prepared.facts.header)


def merge_facts(store: Store, chain: ChainHandle, blocks: Sequence[Found]) -> None:
    """Add to stored blocks what they lack of a case's facts; rows that are there stay, and coins are joined to them."""
    insert_new(store, chain, blocks)
    connection = store.connection
    moves = [(block, move) for block in blocks for tx in block.prepared.txs for move in tx.moves]
    for block, move in moves:
        if move.spends_id is not None and ("movement", move.id) not in block.new:
            connection.execute(
                text(
                    "UPDATE movement SET spends_id = :s, spent_txid = NULL, spent_idx = NULL"
                    " WHERE id = :id AND spends_id IS NULL"
                ),
                {"s": move.spends_id, "id": move.id},
            )
    strengthen(connection, blocks)
    for block in blocks:
        if block.prepared.facts.checked is Checked.HEADER and any(
            ("tx", tx.id) in block.new for tx in block.prepared.txs
        ):
            connection.execute(  # its new transactions owe their proofs
                text("UPDATE block SET checked = :k WHERE id = :id AND checked > :k"),
                {"k": int(Checked.HEADER), "id": block.known.block},
            )


def new_checks(store: Store, chain: ChainHandle, block: Found) -> tuple[int, int, list[Check]]:
    """A block's balance checks as they are written: without those of holders that were checked there for others."""
    checks = block.prepared.checks
    holders = store.holder_ids(chain, (check.holder for check in checks))
    stored = {
        (int(holder), int(asset))
        for holder, asset in store.connection.execute(
            text("SELECT holder_id, asset_id FROM balance_check WHERE block_id = :b"), {"b": block.known.block}
        )
    }
    fresh = [check for check in checks if (holders[check.holder], chain.assets[check.asset]) not in stored]
    return block.known.block, block.prepared.facts.ref.height, fresh


def strengthen(connection: Connection, blocks: Sequence[Found]) -> None:
    """Add proofs to transactions that are stored without, and lift movements into the lane that they support."""
    proofs = [
        (tx.proof, tx.id)
        for block in blocks
        for tx in block.prepared.txs
        if tx.proof is not None and ("tx", tx.id) not in block.new
    ]
    lanes = [
        (int(move.movement.lane), move.id, int(move.movement.lane))
        for block in blocks
        for tx in block.prepared.txs
        for move in tx.moves
        if ("movement", move.id) not in block.new
    ]
    if proofs:
        connection.exec_driver_sql("UPDATE tx SET proof = ? WHERE id = ? AND proof IS NULL", proofs)
    if lanes:
        connection.exec_driver_sql("UPDATE movement SET lane = ? WHERE id = ? AND lane > ?", lanes)


def publish(
    store: Store,
    chain: ChainHandle,
    job: Job,
    blocks: Sequence[Prepared],
    judged: Judged,
    marks: Marks,
    now: int,
) -> list[Notice]:
    """Let a case count from here on, whose back-fill stands at the cursor: everything in one transaction.

    blocks: what its postings say of every block that touches it; judged: at the tip. Returns what is to be told.
    """
    assert job.done is not None, "a back-fill that has not begun cannot be published"
    connection = store.connection
    with connection.begin():
        before = unexplained(connection, chain, job)
        supersede(connection, chain, job, now)
        insert_postings(store, chain, blocks)
        insert_traces(store, chain, blocks)
        told = already_told(connection, job)
        news: list[Notice] = []
        for block in blocks:
            fresh = [n for n in block.notices if (n.rule, n.message, n.tx_id) not in told]
            insert_judged(store, chain, block.block_id, [], fresh, now)
            news += fresh
        fresh = [n for n in judged.notices if (n.rule, n.message, n.tx_id) not in told]
        fresh += explained_later(job, before, unexplained(connection, chain, job))
        tip_id = connection.execute(
            text("SELECT tip_id FROM follower WHERE chain_id = :c"), {"c": chain.id}
        ).scalar_one()
        insert_judged(store, chain, int(tip_id), judged.verdicts, fresh, now)
        insert_lives(connection, chain, blocks, marks, now)
        connection.execute(
            text(
                "UPDATE backfill SET published_at = :now, published_height = done_height, published_hash = done_hash"
                " WHERE id = :id"
            ),
            {"now": now, "id": job.id},
        )
        others = connection.execute(
            text(
                "SELECT b.id FROM block b WHERE b.chain_id = :c AND NOT b.canonical AND b.id > 0 AND b.height >"
                " (SELECT final_height FROM follower WHERE chain_id = :c)"
            ),
            {"c": chain.id},
        ).all()
        insert_many(connection, UnfilledRow, "backfill_id block_id", [(job.id, int(number)) for (number,) in others])
        store.oversight.recorded(job.case_id, now)
    return [*news, *fresh]


def unexplained(connection: Connection, chain: ChainHandle, job: Job) -> dict[str, tuple[int, int]]:
    """What is unexplained of each asset of a case on a chain, by symbol, with the asset's decimals."""
    rows = connection.execute(
        text(
            "SELECT a.symbol, l.unexplained, a.decimals FROM asset a JOIN ledger l ON l.asset_id = a.id"
            " AND l.case_id = :case AND l.block_id = (SELECT n.block_id FROM ledger n JOIN block b ON b.id = n.block_id"
            " AND b.canonical WHERE n.case_id = :case AND n.asset_id = a.id ORDER BY n.block_id DESC LIMIT 1)"
            " WHERE a.chain_id = :c"
        ),
        {"case": job.case_id, "c": chain.id},
    )
    return {str(symbol): (int(amount), int(decimals)) for symbol, amount, decimals in rows}


def explained_later(job: Job, before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> list[Notice]:
    """LATE-1: value that had no place has one by what was declared after it had moved; the earlier rows are kept."""
    notices = []
    for symbol, (amount, decimals) in before.items():
        left = after.get(symbol, (0, decimals))[0]
        if left < amount:
            had, has = format_units(amount, decimals), format_units(left, decimals)
            text_ = f"{had} {symbol} was unexplained, and {has} {symbol} is, by what was declared after it had moved"
            notices.append(Notice("LATE-1", "HIGH", text_, job.case_id))
    return notices


def already_told(connection: Connection, job: Job) -> set[tuple[str, str, int | None]]:
    """The alerts of a case that people have had."""
    rows = connection.execute(text("SELECT rule, message, tx_id FROM alert WHERE case_id = :c"), {"c": job.case_id})
    return {(str(rule), str(message), tx_id) for rule, message, tx_id in rows}


def insert_lives(
    connection: Connection, chain: ChainHandle, blocks: Iterable[Prepared], marks: Marks, now: int
) -> None:
    """Begin the lives of transfers that nobody followed yet, as far as they have come by now."""
    known = text("SELECT 1 FROM transfer_event WHERE tx_id = :t LIMIT 1")
    lives = Lives()
    for block in blocks:
        fresh = [(t, txid) for t, txid in block.transfers if connection.execute(known, {"t": t}).scalar() is None]
        insert_changes(connection, chain, lives.connected(block.block_id, block.facts.ref.height, fresh, marks), now)


SUPERSEDED = {
    "posting": (
        "entry",
        "'id', r.id, 'block', r.block_id, 'tx', r.tx_id, 'movement', r.movement_id, 'holder', r.holder_id,"
        " 'asset', r.asset_id, 'leg', r.leg_id, 'place', r.place, 'reason', r.reason, 'amount', r.amount",
        "r.case_id = :case AND r.block_id IN (SELECT id FROM block WHERE chain_id = :c AND canonical)",
    ),
    "holding": (
        "held",
        "'holder', r.holder_id, 'asset', r.asset_id, 'block', r.block_id, 'amount', r.amount",
        "r.case_id = :case AND r.block_id IN (SELECT id FROM block WHERE chain_id = :c AND canonical)",
    ),
    "ledger": (
        "ledger",
        "'asset', r.asset_id, 'block', r.block_id, 'seized', r.seized, 'credits', r.credits, 'held', r.held,"
        " 'delivered', r.delivered, 'fees', r.fees, 'unexplained', r.unexplained",
        "r.case_id = :case AND r.block_id IN (SELECT id FROM block WHERE chain_id = :c AND canonical)",
    ),
    "label": (
        "trace_label",
        "'block', r.block_id, 'label', r.ordinal, 'movement', r.movement_id, 'holder', r.holder_id,"
        " 'asset', r.asset_id, 'amount', r.amount",
        "r.case_id = :case AND r.block_id IN (SELECT id FROM block WHERE chain_id = :c AND canonical)",
    ),
    "edge": (
        "trace_edge",
        "'run', r.run_id, 'to', r.to_id, 'seq', r.seq, 'from', r.from_id, 'label', r.ordinal, 'amount', r.amount",
        "r.run_id IN (SELECT id FROM trace_run WHERE case_id = :case AND chain_id = :c) AND r.to_id IN"
        " (SELECT m.id FROM movement m JOIN block b ON b.id = m.block_id AND b.canonical)",
    ),
    "reach": (
        "trace_coin",
        "'run', r.run_id, 'movement', r.movement_id, 'hop', r.hop, 'boundary', r.boundary",
        "r.run_id IN (SELECT id FROM trace_run WHERE case_id = :case AND chain_id = :c AND live) AND r.movement_id IN"
        " (SELECT m.id FROM movement m JOIN block b ON b.id = m.block_id AND b.canonical)",
    ),
    "lots": (
        "trace_lots",
        "'run', r.run_id, 'holder', r.holder_id, 'asset', r.asset_id, 'block', r.block_id, 'state', r.state",
        "r.run_id IN (SELECT id FROM trace_run WHERE case_id = :case AND chain_id = :c AND live) AND r.block_id IN"
        " (SELECT id FROM block WHERE chain_id = :c AND canonical)",
    ),
}
"""What is replaced: the table, its row as JSON, and which rows, of a case (:case) on a chain (:c)."""


def supersede(connection: Connection, chain: ChainHandle, job: Job, now: int) -> None:
    """Put aside what a case posted and traced on our chain before it was back-filled; its verdicts stay."""
    replaced = 0
    keys: dict[str, object] = {"case": job.case_id, "c": chain.id, "id": job.id}
    for kind, (table, row, where) in SUPERSEDED.items():
        keys["kind"] = kind
        replaced += connection.execute(
            text(
                "INSERT INTO superseded (backfill_id, kind, body)"
                f" SELECT :id, :kind, json_object({row}) FROM {table} r WHERE {where}"
            ),
            keys,
        ).rowcount
        connection.execute(text(f"DELETE FROM {table} AS r WHERE {where}"), keys)
    runs = live_runs(connection, chain.id, job.case_id)
    if replaced and runs:
        connection.execute(
            text(
                "UPDATE trace_run SET superseded_by = :id WHERE case_id = :case AND chain_id = :c"
                " AND superseded_by IS NULL AND live"
            ),
            keys,
        )
        since = connection.execute(
            text("SELECT s.height FROM seizure s WHERE s.case_id = :case AND s.chain_id = :c"), keys
        ).scalar_one()
        limits = next(iter(runs.values()))[1]
        register_live(connection, job.case_id, chain.id, int(since), limits, now, [method for _, method in runs])
