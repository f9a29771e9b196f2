"""Reads what a back-fill needs: how far it has come, what is stored of a block, and the stored past of a case."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, text

from tracer.book import Book
from tracer.casework import Casework
from tracer.matching import LegState, Plan
from tracer.prepared import Ids
from tracer.rivals import Rivals
from tracer.store.chains import ChainHandle
from tracer.store.counting import published
from tracer.store.interest import InterestReader, split_outpoints
from tracer.store.load import load_attestations
from tracer.store.plans import load_plans, recorded_since, withdrawn_legs
from tracer.store.spans import ALL
from tracer.store.tracerows import fresh_runs
from tracer.store.writer import Store
from tracer.types import (
    Asset,
    AssetId,
    AssetKind,
    BlockFacts,
    BlockRef,
    Hash,
    Holder,
    Kind,
    Lane,
    Movement,
    TxFacts,
    outpoint,
)
from tracer.value import Balance

BELOW_BITS = 26
"""Blocks below the first that was followed get negative numbers, so many bits of them per chain."""

OURS = "(b.canonical OR b.id < 0)"
"""Blocks of our chain, and those below its first that do not meet it yet."""


@dataclass(frozen=True, slots=True)
class Job:
    """A back-fill that is not published; done: the last block read, None if it has not begun."""

    id: int
    case_id: int
    case_ref: str
    from_height: int
    done: BlockRef | None
    join_height: int | None


@dataclass(slots=True)
class Known:
    """What is stored of a block already: its number, and those of its transactions and movements.

    moves: by kind, position of the transaction (None: loose) and index. stored: whether the block itself is.
    """

    block: int
    stored: bool = True
    txs: dict[int, int] = field(default_factory=dict)
    moves: dict[tuple[Kind, int | None, int], int] = field(default_factory=dict)


@dataclass(slots=True)
class KnownIds(Ids):
    """Hands out the numbers of what is stored, and new ones for the rest; `new`: the rows to be written."""

    known: Known = field(default_factory=lambda: Known(0))
    new: set[tuple[str, int]] = field(default_factory=set)

    def of_block(self) -> int:
        """The number of the block at hand."""
        return self.known.block

    def of_tx(self, position: int) -> int:
        """The number of a transaction, new if it is not stored."""
        if position not in self.known.txs:
            self.known.txs[position] = next(self.tx)
            self.new.add(("tx", self.known.txs[position]))
        return self.known.txs[position]

    def of_movement(self, position: int | None, move: Movement) -> int:
        """The number of a movement, new if it is not stored."""
        key = (move.kind, position, move.index)
        if key not in self.known.moves:
            self.known.moves[key] = next(self.movement)
            self.new.add(("movement", self.known.moves[key]))
        return self.known.moves[key]


def next_job(connection: Connection, chain: ChainHandle) -> Job | None:
    """The oldest back-fill of a chain that is not published."""
    row = connection.execute(
        text(
            "SELECT f.id, f.case_id, k.ref, f.from_height, f.done_height, f.done_hash, f.join_height FROM backfill f"
            " JOIN cases k ON k.id = f.case_id WHERE f.chain_id = :c AND f.published_height IS NULL ORDER BY f.id"
        ),
        {"c": chain.id},
    ).first()
    if row is None:
        return None
    done = None if row[5] is None else BlockRef(int(row[4]), Hash(bytes(row[5])), Hash(bytes(32)))
    return Job(int(row[0]), int(row[1]), str(row[2]), int(row[3]), done, row[6])


def on_chain(connection: Connection, chain: ChainHandle, done: BlockRef) -> BlockRef:
    """The highest block of our chain at or below one that was on it once."""
    while True:
        canonical, parent = connection.execute(
            text("SELECT b.canonical OR b.id < 0, b.parent FROM block b WHERE b.chain_id = :c AND b.hash = :h"),
            {"c": chain.id, "h": done.hash},
        ).one()
        if canonical:
            return done
        done = BlockRef(done.height - 1, Hash(bytes(parent)), Hash(bytes(32)))


def lowest(connection: Connection, chain: ChainHandle) -> BlockRef:
    """The lowest block of our chain."""
    row = connection.execute(
        text("SELECT height, hash, parent FROM block WHERE chain_id = :c AND canonical ORDER BY height LIMIT 1"),
        {"c": chain.id},
    ).one()
    return BlockRef(int(row[0]), Hash(bytes(row[1])), Hash(bytes(row[2])))


def first_followed(connection: Connection, chain: ChainHandle) -> int:
    """The height of the block after which following began, whatever was read below it since.

    By the coverage, where there is one: of the blocks, all those below it would have to be passed over.
    """
    return int(
        connection.execute(
            text(
                "SELECT coalesce((SELECT min(from_height) - 1 FROM coverage WHERE chain_id = :c AND watch_set = :all),"
                " (SELECT min(height) FROM block WHERE chain_id = :c AND id > 0))"
            ),
            {"c": chain.id, "all": ALL},
        ).scalar_one()
    )


def number_below(connection: Connection, chain: ChainHandle, height: int) -> int:
    """The number of a block below the first that was ever followed: the lower the block, the lower its number."""
    return -(chain.id << BELOW_BITS) - (first_followed(connection, chain) - height)


def known_block(connection: Connection, chain: ChainHandle, ref: BlockRef) -> Known | None:
    """The number of a block, without its rows; None if our chain has another one at its height, or is not so high."""
    rows = connection.execute(
        text("SELECT b.id, b.hash FROM block b WHERE b.chain_id = :c AND b.height = :h AND " + OURS),
        {"c": chain.id, "h": ref.height},
    ).all()
    numbers = {bytes(block_hash): int(number) for number, block_hash in rows}
    if ref.hash in numbers:
        return Known(numbers[ref.hash])
    if rows or ref.height >= first_followed(connection, chain):
        return None
    return Known(number_below(connection, chain, ref.height), stored=False)


def known_rows(connection: Connection, block_id: int) -> Known:
    """The numbers of a stored block's rows."""
    txs = {
        int(position): int(number)
        for number, position in connection.execute(
            text("SELECT id, position FROM tx WHERE block_id = :b"), {"b": block_id}
        )
    }
    positions = {number: position for position, number in txs.items()}
    moves = {
        (Kind(kind), None if tx_id is None else positions[tx_id], int(index)): int(number)
        for number, kind, tx_id, index in connection.execute(
            text("SELECT id, kind, tx_id, idx FROM movement WHERE block_id = :b"), {"b": block_id}
        )
    }
    return Known(block_id, True, txs, moves)


def counts_for(job: Job, alias: str) -> str:
    """The SQL condition that a row of `watch`, `seizure` or `leg` is the case's, published or waiting for this job."""
    return f"({alias}.case_id = {job.case_id} AND ({published(alias)} OR {alias}.late_id = {job.id}))"


def late_holders(store: Store, chain: ChainHandle, job: Job) -> Iterator[Holder]:
    """The holders that a back-fill watches: all of its case."""
    for (key,) in store.connection.execute(
        text(
            "SELECT h.key FROM watch w CROSS JOIN holder h ON h.id = w.holder_id WHERE h.chain_id = :c AND "
            + counts_for(job, "w")
        ),
        {"c": chain.id},
    ):
        yield Holder(bytes(key))


def fresh_casework(
    store: Store, chain: ChainHandle, utxo: bool, native: Asset, job: Job, rivals: Rivals
) -> tuple[Casework, KnownIds]:
    """A casework that holds the job's case alone, before its first block; call it inside a transaction."""
    connection = store.connection
    keys = {"case": job.case_id, "c": chain.id}
    interest_of = InterestReader(connection, chain, counts_for(job, "w"))
    books: dict[int, Book] = {}
    seizure = connection.execute(
        text(f"SELECT s.height FROM seizure s WHERE s.chain_id = :c AND {counts_for(job, 's')}"), {"c": chain.id}
    ).scalar()
    if seizure is not None:
        gone, since = withdrawn_legs(connection, job.case_id), recorded_since(connection, job.case_id)
        plans = [since_recorded(plan, since) for plan in load_plans(connection, keys, counts_for(job, "l"))]
        legs = [LegState(plan, withdrawn=plan.id in gone) for plan in plans]
        book = Book(job.case_id, job.case_ref, int(seizure), legs, load_attestations(connection, keys))
        book.missing = frozenset(named_coins(connection, chain, job))
        books[job.case_id] = book
    assets = {
        AssetId(row[0]): Asset(AssetId(row[0]), row[1], row[2], AssetKind(row[3]))
        for row in connection.execute(
            text("SELECT caip19, symbol, decimals, kind FROM asset WHERE chain_id = :c"), {"c": chain.id}
        )
    }
    ids = KnownIds(store.ids.block, store.ids.tx, store.ids.movement)
    work = Casework(
        utxo,
        native,
        assets,
        ids,
        interest_of,
        lambda holder: chain.show(holder) or holder.hex(),
        books,
        fresh_runs(connection, chain.id, utxo, books),
        {},
        chain.policy,
        rivals=rivals,
    )
    return work, ids


def since_recorded(plan: Plan, since: Mapping[int, int]) -> Plan:
    """A leg that was recorded serves no block from before that: what was a leak then stays one."""
    first = since.get(plan.id)
    return plan if first is None else replace(plan, not_before=max(first, plan.not_before or 0))


def named_coins(connection: Connection, chain: ChainHandle, job: Job) -> Iterator[Any]:
    """The outpoints that a case names as seized."""
    for (points,) in connection.execute(
        text(
            "SELECT w.outpoints FROM watch w JOIN holder h ON h.id = w.holder_id WHERE w.outpoints IS NOT NULL"
            f" AND h.chain_id = :c AND {counts_for(job, 'w')}"
        ),
        {"c": chain.id},
    ):
        yield from split_outpoints(bytes(points))


def stored_past(
    connection: Connection, chain: ChainHandle, first: int, upto: int, opens_at: int | None
) -> Iterator[tuple[BlockFacts, int]]:
    """The stored blocks of our chain between two heights, lowest first: those with facts, and the one at `opens_at`.

    Each with its number; its facts are read when it is taken, outside of any other transaction.
    """
    blocks = connection.execute(
        text(
            "SELECT b.id, b.height, b.hash, b.parent, b.time FROM block b WHERE b.chain_id = :c"
            f" AND b.height BETWEEN :first AND :upto AND {OURS} AND (b.height = :opens OR EXISTS"
            " (SELECT 1 FROM movement m WHERE m.block_id = b.id))"
            " ORDER BY b.height"
        ),
        {"c": chain.id, "first": first, "upto": upto, "opens": opens_at},
    ).all()
    return (read_block(connection, *block) for block in blocks)


def read_block(
    connection: Connection, block_id: int, height: int, block_hash: bytes, parent: bytes, time: int
) -> tuple[BlockFacts, int]:
    """A stored block's facts, and its number."""
    ref = BlockRef(int(height), Hash(bytes(block_hash)), Hash(bytes(parent)))
    with connection.begin():
        transactions, loose = stored_facts(connection, int(block_id))
    return BlockFacts(ref, int(time), None, transactions, loose), int(block_id)


def stored_facts(connection: Connection, block_id: int) -> tuple[tuple[TxFacts, ...], tuple[Movement, ...]]:
    """The movements of a block as scanned, in chain order, without the bytes of their transactions."""
    rows = connection.execute(
        text(
            "SELECT t.position, t.txid, m.kind, m.idx, a.caip19, m.amount, s.key, g.key,"
            " coalesce(ot.txid, m.spent_txid), coalesce(o.idx, m.spent_idx), m.lane"
            " FROM movement m JOIN asset a ON a.id = m.asset_id"
            " LEFT JOIN tx t ON t.id = m.tx_id LEFT JOIN holder s ON s.id = m.source_id"
            " LEFT JOIN holder g ON g.id = m.target_id LEFT JOIN movement o ON o.id = m.spends_id"
            " LEFT JOIN tx ot ON ot.id = o.tx_id WHERE m.block_id = :b ORDER BY t.position, m.kind, m.idx"
        ),
        {"b": block_id},
    ).all()
    transactions: list[TxFacts] = []
    loose: list[Movement] = []
    for (position, txid), group in groupby(rows, key=lambda row: (row[0], row[1])):
        moves = tuple(movement_of(row) for row in group)
        if position is None:
            loose += moves
        else:
            transactions.append(TxFacts(int(position), Hash(bytes(txid)), b"", moves))
    return tuple(transactions), tuple(loose)


def movement_of(row: Any) -> Movement:
    """A row of `stored_facts` as a movement."""
    _, _, kind, index, asset, amount, source, target, spent_txid, spent_index, lane = row
    return Movement(
        Kind(kind),
        int(index),
        AssetId(asset),
        int(amount),
        None if source is None else Holder(bytes(source)),
        None if target is None else Holder(bytes(target)),
        None if spent_txid is None else outpoint(Hash(bytes(spent_txid)), int(spent_index)),
        Lane(lane),
    )


def stored_answers(connection: Connection, block_id: int) -> dict[tuple[Holder, AssetId], Balance]:
    """The balances that were asked when a block was read, as the node gave them; their proofs are stored already."""
    return {
        (Holder(bytes(key)), AssetId(asset)): Balance(
            int(balance),
            Lane(lane),
            nonce=nonce,
            parent=None if since is None else Balance(int(before), Lane(lane), nonce=nonce_before),
        )
        for key, asset, balance, lane, nonce, since, before, nonce_before in connection.execute(
            text(
                "SELECT h.key, a.caip19, k.balance, k.lane, k.nonce, k.since, k.before, k.nonce_before"
                " FROM balance_check k JOIN holder h ON h.id = k.holder_id JOIN asset a ON a.id = k.asset_id"
                " WHERE k.block_id = :b AND NOT k.later"
            ),
            {"b": block_id},
        )
    }
