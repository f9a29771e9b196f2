"""Blocks that were stored on a node's word: which still lack their proofs, and how these are added to their facts."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, text

from tracer.casework import Judged
from tracer.errors import BlockRefused
from tracer.store.blockrows import insert_judged
from tracer.store.chains import ChainHandle
from tracer.store.counting import published
from tracer.store.liferows import insert_changes
from tracer.store.tracerows import was_followed
from tracer.store.writer import Store
from tracer.types import BlockFacts, BlockRef, Checked, Hash, Holder, Lane

Legs = Sequence[tuple[int, int]]


def unproven(connection: Connection, chain: ChainHandle, above: int, count: int) -> list[BlockRef]:
    """The lowest canonical blocks above a height of which only the header was checked, and which have transactions.

    None while late watches are back-filled: their facts are stored already, and the scanner does not look for them yet.
    """
    rows = connection.execute(
        text(
            "SELECT b.height, b.hash, b.parent FROM block b WHERE b.chain_id = :c AND b.height > :above AND b.canonical"
            " AND b.checked = :header AND EXISTS (SELECT 1 FROM tx t WHERE t.block_id = b.id AND t.proof IS NULL)"
            " AND NOT EXISTS (SELECT 1 FROM backfill f WHERE f.chain_id = :c AND f.published_height IS NULL)"
            " ORDER BY b.height LIMIT :n"
        ),
        {"c": chain.id, "above": above, "header": int(Checked.HEADER), "n": count},
    )
    return [BlockRef(height, Hash(hash_), Hash(parent)) for height, hash_, parent in rows]


def add_proofs(
    store: Store, chain: ChainHandle, blocks: Sequence[BlockFacts], rejudge: Callable[[Legs], Judged], now: int
) -> Judged | None:
    """Hold stored facts against their blocks, read whole, and keep the proofs and lanes; judge the legs they serve.

    All in one transaction. Raises BlockRefused if a block says something else than is stored.
    """
    with store.connection.begin():
        proven = [tx_id for facts in blocks for tx_id in _add(store.connection, chain, facts)]
        marks = ", ".join(map(str, proven)) or "NULL"
        legs = store.connection.execute(
            text(f"SELECT DISTINCT case_id, leg_id FROM entry WHERE tx_id IN ({marks}) AND leg_id IS NOT NULL")
        ).all()
        if not legs:
            return None
        judged = rejudge([(case_id, leg_id) for case_id, leg_id in legs])
        [(tip_id,)] = store.connection.execute(text("SELECT tip_id FROM follower WHERE chain_id = :c"), {"c": chain.id})
        insert_judged(store, chain, tip_id, judged.verdicts, judged.notices, now)
        insert_changes(store.connection, chain, judged.changes, now)
    return judged


def stored_parties(connection: Connection, chain: ChainHandle, refs: Sequence[BlockRef]) -> list[list[Holder]]:
    """Whom the stored movements of some blocks name: accounts, too, that were followed then and are no more."""
    found = text(
        "SELECT h.key FROM holder h WHERE h.id IN (SELECT m.source_id FROM movement m JOIN block b ON b.id = m.block_id"
        " WHERE b.chain_id = :c AND b.hash = :h UNION SELECT m.target_id FROM movement m"
        " JOIN block b ON b.id = m.block_id WHERE b.chain_id = :c AND b.hash = :h)"
    )
    return [
        [Holder(bytes(key)) for (key,) in connection.execute(found, {"c": chain.id, "h": ref.hash})] for ref in refs
    ]


def _add(connection: Connection, chain: ChainHandle, facts: BlockFacts) -> list[int]:
    """Add the proofs of one block; returns its transactions."""
    rows = connection.execute(
        text(
            "SELECT t.id, t.txid, m.id, m.kind, m.idx, a.caip19, m.amount, s.key, g.key, m.lane FROM block b"
            " JOIN tx t ON t.block_id = b.id JOIN movement m ON m.tx_id = t.id JOIN asset a ON a.id = m.asset_id"
            " LEFT JOIN holder s ON s.id = m.source_id LEFT JOIN holder g ON g.id = m.target_id"
            " WHERE b.chain_id = :c AND b.hash = :h"
        ),
        {"c": chain.id, "h": facts.ref.hash},
    ).all()
    stored = {
        (txid, kind, index, asset, int(amount), source, target): (tx_id, move_id, lane)
        for tx_id, txid, move_id, kind, index, asset, amount, source, target, lane in rows
    }
    shown = {
        (bytes(tx.txid), int(move.kind), move.index, move.asset, move.amount, move.source, move.target): move.lane
        for tx in facts.transactions
        for move in tx.movements
    }
    height = facts.ref.height
    gone = [key for key in stored.keys() - shown.keys() if stored[key][1] > 0]  # the scanner looks for no history
    more = [
        key
        for key in shown.keys() - stored.keys()
        if _was_watched(connection, chain, height, key[5:7])
        or any(was_followed(connection, chain, height, party) for party in key[5:7] if party is not None)
    ]
    if gone or more:
        message = (
            f"block {facts.ref.height} 0x{facts.ref.hash.hex()}: read whole, it says other than the node told of it"
        )
        raise BlockRefused(message, height=facts.ref.height, block=facts.ref.hash, evidence=facts.header or b"")
    ids = {bytes(txid): tx_id for tx_id, txid, *_ in rows}
    for tx in facts.transactions:
        if bytes(tx.txid) in ids:  # else it concerns only watches that are born later
            connection.execute(
                text("UPDATE tx SET proof = :proof WHERE id = :id"), {"proof": tx.proof, "id": ids[bytes(tx.txid)]}
            )
    both = ((stored[key], shown[key]) for key in stored.keys() & shown.keys())
    stronger = [(move_id, now) for (_, move_id, lane), now in both if now < Lane(lane)]
    for move_id, lane in stronger:
        connection.execute(text("UPDATE movement SET lane = :lane WHERE id = :id"), {"lane": int(lane), "id": move_id})
    connection.execute(
        text("UPDATE block SET checked = :whole WHERE chain_id = :c AND hash = :h"),
        {"whole": int(Checked.WHOLE), "c": chain.id, "h": facts.ref.hash},
    )
    return list(ids.values())


def _was_watched(connection: Connection, chain: ChainHandle, height: int, parties: Sequence[bytes | None]) -> bool:
    """Whether a block of this height was read for one of some holders: a watch of it was born by then."""
    found = connection.execute(
        text(
            "SELECT 1 FROM watch w JOIN holder h ON h.id = w.holder_id WHERE h.chain_id = :c AND h.key IN (:s, :t)"
            f" AND w.birth <= :h AND {published('w')} LIMIT 1"
        ),
        {"c": chain.id, "s": parties[0], "t": parties[1], "h": height},
    )
    return found.first() is not None
