"""How the rows of prepared blocks are written: facts, postings, traces, judgements; always inside a transaction."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import orjson
from sqlalchemy import Connection

from tracer.book import Numbered
from tracer.casework import Prepared
from tracer.custody.judge import OF_LEDGER, OF_LEG, Judgement
from tracer.notices import Notice
from tracer.store.chains import ChainHandle
from tracer.store.rows import insert_many
from tracer.store.tables import (
    AlertRow,
    EntryRow,
    HeldRow,
    LedgerRow,
    MovementRow,
    Tx,
    VerdictRow,
)
from tracer.types import Asset, AssetId


class Rows(Protocol):
    """What writing rows needs of the store."""

    connection: Connection

    def holder_ids(self, chain: ChainHandle, keys: Iterable[bytes]) -> dict[bytes, int]:
        """Find or insert holders."""

    def add_asset(self, chain: ChainHandle, asset: Asset) -> None:
        """Insert an asset."""


def insert_facts(store: "Rows", chain: ChainHandle, blocks: Sequence[Prepared]) -> None:
    """Assets, transactions, holders and movements."""
    for block in blocks:
        for asset in block.facts.new_assets:
            if asset.id not in chain.assets:
                store.add_asset(chain, asset)
    insert_many(
        store.connection,
        Tx,
        "id block_id position txid raw proof",
        ((tx.id, b.block_id, tx.position, tx.txid, tx.raw, tx.proof) for b in blocks for tx in b.txs),
    )
    holders = store.holder_ids(
        chain,
        (h for b in blocks for n in numbered_of(b) for h in (n.movement.source, n.movement.target) if h is not None),
    )
    insert_many(
        store.connection,
        MovementRow,
        "id block_id kind tx_id idx asset_id amount source_id target_id spends_id spent_txid spent_idx lane",
        (
            movement_row(chain, holders, b.block_id, tx_id, n)
            for b in blocks
            for tx_id, n in [*((tx.id, n) for tx in b.txs for n in tx.moves), *((None, n) for n in b.loose)]
        ),
    )


def insert_postings(store: "Rows", chain: ChainHandle, blocks: Sequence[Prepared]) -> None:
    """Ledger entries, holdings, and the equation after each block."""
    named = [e.holder for b in blocks for _, _, e in b.entries] + [h for b in blocks for _, h, _ in b.held]
    holders = store.holder_ids(chain, (holder for holder in named if holder is not None))
    entries = (
        (
            case_id,
            b.block_id,
            tx_id,
            e.movement_id,
            None if e.holder is None else holders[e.holder],
            chain.assets[e.asset],
            e.leg_id,
            e.place.value,
            e.reason,
            e.amount,
        )
        for b in blocks
        for case_id, tx_id, e in b.entries
    )
    columns = "case_id block_id tx_id movement_id holder_id asset_id leg_id place reason amount"
    insert_many(store.connection, EntryRow, columns, entries)
    held = (
        (case_id, holders[holder], chain.assets[asset], b.block_id, amount)
        for b in blocks
        for (case_id, holder, asset), amount in b.held.items()
    )
    insert_many(store.connection, HeldRow, "case_id holder_id asset_id block_id amount", held)
    ledger = (
        (case_id, chain.assets[asset], b.block_id, t.seized, t.credits, t.held, t.delivered, t.fees, t.unexplained)
        for b in blocks
        for (case_id, asset), t in b.ledger.items()
    )
    columns = "case_id asset_id block_id seized credits held delivered fees unexplained"
    insert_many(store.connection, LedgerRow, columns, ledger)


def insert_judged(
    store: "Rows",
    chain: ChainHandle,
    block_id: int,
    verdicts: Iterable[tuple[int, int | None, AssetId, Judgement]],
    notices: Iterable[Notice],
    now: int,
) -> None:
    """Verdicts and alerts that were given when `block_id` was the tip."""
    insert_many(
        store.connection,
        VerdictRow,
        "case_id leg_id asset_id block_id policy_id verdict reason lane claims rule rule_version",
        (
            (
                case_id,
                leg_id,
                chain.assets[asset],
                block_id,
                chain.policy_id,
                j.verdict.value,
                j.reason,
                j.lane.name,
                orjson.dumps([{"what": c.what, "lane": c.lane.name, "refs": c.refs} for c in j.claims]).decode(),
                *(OF_LEDGER if leg_id is None else OF_LEG),
            )
            for case_id, leg_id, asset, j in verdicts
        ),
    )
    insert_many(
        store.connection,
        AlertRow,
        "at rule severity chain_id block_id case_id leg_id tx_id message",
        ((now, n.rule, n.severity, chain.id, block_id, n.case_id, n.leg_id, n.tx_id, n.message) for n in notices),
    )


def numbered_of(block: Prepared) -> list[Numbered]:
    """All numbered movements of a block."""
    return [*(n for tx in block.txs for n in tx.moves), *block.loose]


def movement_row(
    chain: ChainHandle, holders: dict[bytes, int], block_id: int, tx_id: int | None, numbered: Numbered
) -> tuple[object, ...]:
    """A movement as the table wants it; the outpoint spent is kept only where the coin itself is not stored."""
    move = numbered.movement
    unknown = move.spends if numbered.spends_id is None else None
    return (
        numbered.id,
        block_id,
        int(move.kind),
        tx_id,
        move.index,
        chain.assets[move.asset],
        move.amount,
        holders[move.source] if move.source is not None else None,
        holders[move.target] if move.target is not None else None,
        numbered.spends_id,
        unknown[31::-1] if unknown is not None else None,
        int.from_bytes(unknown[32:], "little") if unknown is not None else None,
        int(move.lane),
    )
