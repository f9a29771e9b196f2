"""History that no case asked for: single transactions and accounts of the past, stored as facts in their blocks.

What is stored here changes nothing that follows from the cases: its transactions and movements have negative numbers,
and coins with such a number count only for a watch whose back-fill read their block itself (see `load.load_coins`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from sqlalchemy import Connection, text

from tracer.book import Numbered
from tracer.chain import NO_MARKS
from tracer.errors import Inconsistent
from tracer.prepared import KeptTx, Prepared
from tracer.store.chains import ChainHandle
from tracer.store.counting import published
from tracer.store.past import Known, KnownIds, known_block, known_rows, number_below
from tracer.store.pastrows import Found, insert_blocks, insert_new, join_below
from tracer.store.rows import insert_many
from tracer.store.spans import ALL, extend_spans
from tracer.store.tables import Block
from tracer.store.writer import Store
from tracer.types import BlockFacts, BlockRef, Checked, Hash, Holder, Kind, Lane, Movement, TxFacts

MADE = (
    "SELECT m.id, m.amount, h.key, m.lane FROM tx t JOIN block b ON b.id = t.block_id AND b.canonical"
    " AND b.chain_id = :c JOIN movement m ON m.tx_id = t.id AND m.kind = :out AND m.idx = :i"
    " LEFT JOIN holder h ON h.id = m.target_id WHERE t.txid = :t"
)


@dataclass(frozen=True, slots=True)
class StoredTx:
    """A transaction that is stored on our chain, and whether all its movements are."""

    ref: BlockRef
    raw: bytes
    whole: bool


@dataclass(frozen=True, slots=True)
class Put:
    """What was not stored yet of a block: transactions, and movements."""

    txs: int
    movements: int


@dataclass(frozen=True, slots=True)
class Unmade:
    """A coin that a stored transaction spends, and whose own transaction is not stored."""

    txid: Hash
    index: int
    amount: int


def history_set(address: str) -> str:
    """The watch set of an account whose history was imported."""
    return f"history:{address}"


def coin_made(connection: Connection, chain_id: int, txid: Hash, idx: int) -> int | None:
    """The number of the OUT movement that made a coin, on the canonical chain; None if that is not stored there.

    An IN row names the coin it spends by `spends_id`; where that is null, by `spent_txid` and `spent_idx`, because the
    coin was not stored then. It may have been imported since: this finds it.
    """
    row = connection.execute(text(MADE), {"c": chain_id, "t": txid, "i": idx, "out": int(Kind.OUT)}).first()
    return None if row is None else int(row[0])


def stored_tx(
    connection: Connection, chain: ChainHandle, txid: Hash, outputs: Callable[[bytes], int]
) -> StoredTx | None:
    """A transaction on our canonical chain; outputs: counts those of its bytes."""
    row = connection.execute(
        text(
            "SELECT b.height, b.hash, b.parent, t.raw, t.position,"
            " EXISTS (SELECT 1 FROM movement m WHERE m.tx_id = t.id AND m.kind = :fee),"
            " (SELECT count(*) FROM movement m WHERE m.tx_id = t.id AND m.kind = :out)"
            " FROM tx t JOIN block b ON b.id = t.block_id AND b.canonical WHERE b.chain_id = :c AND t.txid = :t"
        ),
        {"c": chain.id, "t": txid, "fee": int(Kind.FEE), "out": int(Kind.OUT)},
    ).first()
    if row is None:
        return None
    height, block, parent, raw, position, paid, made = row
    whole = bool(paid) or (int(position) == 0 and int(made) == outputs(bytes(raw)))
    return StoredTx(BlockRef(int(height), Hash(bytes(block)), Hash(bytes(parent))), bytes(raw), whole)


def canonical_block(connection: Connection, chain: ChainHandle, block: Hash) -> BlockRef | None:
    """A block of our canonical chain by its hash."""
    row = connection.execute(
        text("SELECT height, parent FROM block WHERE chain_id = :c AND hash = :h AND canonical"),
        {"c": chain.id, "h": block},
    ).first()
    return None if row is None else BlockRef(int(row[0]), block, Hash(bytes(row[1])))


def unmade(connection: Connection, chain: ChainHandle, txids: Iterable[Hash]) -> Iterator[Unmade]:
    """The coins that some stored transactions spend, and that are not stored themselves."""
    for txid in txids:
        rows = connection.execute(
            text(
                "SELECT m.spent_txid, m.spent_idx, m.amount FROM tx t JOIN block b ON b.id = t.block_id AND b.canonical"
                " JOIN movement m ON m.tx_id = t.id AND m.kind = :in AND m.spends_id IS NULL"
                " WHERE b.chain_id = :c AND t.txid = :t ORDER BY m.idx"
            ),
            {"c": chain.id, "t": txid, "in": int(Kind.IN)},
        ).all()
        for source, index, amount in rows:
            coin = Hash(bytes(source))
            if coin_made(connection, chain.id, coin, int(index)) is None:
                yield Unmade(coin, int(index), int(amount))


def put_headers(store: Store, chain: ChainHandle, headers: Sequence[tuple[int, Hash, Hash, int, bytes]]) -> None:
    """Let our chain reach lower by verified headers (height, hash, parent, time, bytes), the highest first.

    The first of them is the parent of our lowest block, so that the chain never has a gap. Their contents were not
    read. A back-fill may have stored some of these blocks; they stay, and count from now on.
    """
    with store.connection.begin():
        top, number = headers[0][0], number_below(store.connection, chain, headers[0][0])
        there = {
            bytes(block): int(number)
            for number, block in store.connection.execute(
                text("SELECT id, hash FROM block WHERE chain_id = :c AND height BETWEEN :low AND :high"),
                {"c": chain.id, "low": headers[-1][0], "high": headers[0][0]},
            )
        }
        insert_many(
            store.connection,
            Block,
            "id chain_id height hash parent time header canonical checked",
            (
                (
                    number - (top - height),
                    chain.id,
                    height,
                    block,
                    parent,
                    time,
                    header,
                    True,
                    int(Checked.REPORTED),
                )
                for height, block, parent, time, header in headers
                if block not in there
            ),
        )
        found = [(h[4], h[3], there[h[1]]) for h in headers if h[1] in there]
        if found:
            store.connection.exec_driver_sql(
                "UPDATE block SET canonical = 1, header = coalesce(header, ?), time = CASE time WHEN 0 THEN ? ELSE time"
                " END WHERE id = ?",
                found,
            )


def put_block(store: Store, chain: ChainHandle, facts: BlockFacts) -> Put | None:
    """Store what a verified block of our chain says, beside what is stored of it; call it inside a transaction.

    None, and nothing is written, if the block is not (or no longer) on our chain, nor one below it. Raises
    Inconsistent if an input is not worth what the stored transaction made that it spends.
    """
    known = known_block(store.connection, chain, facts.ref)
    if known is None:
        return None
    if known.stored and (facts.transactions or facts.loose):
        known = known_rows(store.connection, known.block)
    found = _numbered(store.connection, chain, facts, known)
    insert_blocks(store.connection, chain, [found])
    insert_new(store, chain, [found])
    return Put(sum(table == "tx" for table, _ in found.new), sum(table == "movement" for table, _ in found.new))


def note_whole(connection: Connection, chain: ChainHandle, block: Hash) -> None:
    """Note that a block was verified whole, of which only the header was stored."""
    connection.execute(
        text("UPDATE block SET checked = :whole WHERE chain_id = :c AND hash = :h AND checked = :not AND id < 0"),
        {"whole": int(Checked.WHOLE), "not": int(Checked.REPORTED), "c": chain.id, "h": block},
    )


def _numbered(connection: Connection, chain: ChainHandle, facts: BlockFacts, known: Known) -> Found:
    """Give a block's facts their numbers, those that are new negative ones."""
    ids = KnownIds(iter(()), _falling(connection, "tx"), _falling(connection, "movement"), known)
    done = Prepared(known.block, facts, NO_MARKS)
    unproven = {
        int(position)
        for (position,) in connection.execute(
            text("SELECT position FROM tx WHERE block_id = :b AND proof IS NULL"), {"b": known.block}
        )
    }
    here: dict[tuple[bytes, int], tuple[int, Movement]] = {}
    for tx in facts.transactions:
        shown = replace(tx, proof=None) if tx.position in unproven else tx
        moves = []
        for move, spends_id in _settled(connection, chain, shown, here):
            moves.append(Numbered(ids.of_movement(tx.position, move), move, spends_id))
            if move.kind is Kind.OUT:
                here[tx.txid, move.index] = (moves[-1].id, move)
        done.txs.append(KeptTx(ids.of_tx(tx.position), tx.position, tx.txid, tx.raw, tx.proof, tuple(moves)))
    done.loose = [Numbered(ids.of_movement(None, move), move) for move in facts.loose]
    return Found(done, known, frozenset(ids.new))


def _falling(connection: Connection, table: str) -> Iterator[int]:
    """The free negative numbers of a table."""
    lowest = connection.execute(text(f"SELECT coalesce(min(id), 0) FROM {table}")).scalar_one()
    return count(min(int(lowest), 0) - 1, -1)


def _settled(
    connection: Connection, chain: ChainHandle, tx: TxFacts, here: dict[tuple[bytes, int], tuple[int, Movement]]
) -> Iterator[tuple[Movement, int | None]]:
    """The movements of a transaction with the OUT rows that its inputs spend, each as strong as what is stored shows.

    here: what the transactions before it in its block made. A fee is as strong as the weakest input.
    """
    weakest = Lane.PROVEN
    for move in tx.movements:
        spends_id, lane = None, move.lane if tx.proof is not None else max(move.lane, Lane.REPORTED)
        if move.spends is not None:
            made = _made(connection, chain, move, here)
            if made is None:
                lane = max(lane, Lane.REPORTED)
            else:
                spends_id = made[0]
                lane = max(made[1], Lane.PROVEN if tx.proof is not None else Lane.REPORTED)
            weakest = max(weakest, lane)
        elif move.kind is Kind.FEE and move.source is None:
            lane = max(weakest, Lane.PROVEN if tx.proof is not None else Lane.REPORTED)
        yield (move if lane is move.lane else replace(move, lane=lane)), spends_id


def _made(
    connection: Connection, chain: ChainHandle, move: Movement, here: dict[tuple[bytes, int], tuple[int, Movement]]
) -> tuple[int, Lane] | None:
    """The OUT row that an input spends, and how strong that is; raises Inconsistent if it is worth something else."""
    assert move.spends is not None
    txid, index = Hash(move.spends[31::-1]), int.from_bytes(move.spends[32:], "little")
    if (txid, index) in here:
        number, out = here[txid, index]
        worth, lane = (out.amount, out.target), out.lane
    else:
        row = connection.execute(text(MADE), {"c": chain.id, "t": txid, "i": index, "out": int(Kind.OUT)}).first()
        if row is None:
            return None
        number, worth, lane = int(row[0]), (int(row[1]), Holder(bytes(row[2]))), Lane(row[3])
    if worth != (move.amount, move.source):
        raise Inconsistent(f"the node says of coin {txid.hex()}:{index} other than its transaction, which is stored")
    return number, lane


def covered_from(connection: Connection, chain: ChainHandle, holder: Holder) -> int | None:
    """The height from which on a watched holder's movements are stored; None if no case that counts watches it."""
    value = connection.execute(
        text(
            "SELECT min(CASE WHEN w.late_id IS NULL THEN max(w.birth, (SELECT min(from_height) FROM coverage"
            " WHERE chain_id = :c AND watch_set = :all)) ELSE (SELECT f.from_height FROM backfill f"
            " WHERE f.id = w.late_id) END) FROM watch w JOIN holder h ON h.id = w.holder_id"
            f" WHERE h.chain_id = :c AND h.key = :k AND {published('w')}"
        ),
        {"c": chain.id, "k": holder, "all": ALL},
    ).scalar()
    return None if value is None else int(value)


def unread(connection: Connection, chain: ChainHandle, watch_set: str, first: int, last: int) -> list[tuple[int, int]]:
    """The spans of heights from `first` to `last` that were not read for a watch set."""
    rows = connection.execute(
        text(
            "SELECT from_height, to_height FROM coverage WHERE chain_id = :c AND watch_set = :w"
            " AND from_height <= to_height ORDER BY from_height"
        ),
        {"c": chain.id, "w": watch_set},
    )
    return gaps([(int(low), int(high)) for low, high in rows], first, last)


def gaps(spans: Iterable[tuple[int, int]], first: int, last: int) -> list[tuple[int, int]]:
    """What some spans, lowest first, leave open between two heights, all ends included.

    >>> gaps([(3, 4), (7, 9)], 1, 12)
    [(1, 2), (5, 6), (10, 12)]
    >>> gaps([(0, 20)], 1, 12)
    []
    """
    found = []
    for low, high in spans:
        if first < low and first <= last:
            found.append((first, min(low - 1, last)))
        first = max(first, high + 1)
    return [*found, *([(first, last)] if first <= last else [])]


def put_account(store: Store, chain: ChainHandle, watch_set: str, blocks: Sequence[BlockFacts]) -> Put | None:
    """Store what some blocks, lowest first, say of an account, and that they were read for it, in one transaction.

    Blocks below our lowest one count once they meet it. None if one is not on our chain: then nothing is written.
    """
    txs = movements = 0
    with store.connection.begin():
        if any(known_block(store.connection, chain, facts.ref) is None for facts in blocks):
            return None
        for facts in blocks:
            put = put_block(store, chain, facts)
            assert put is not None, "it was on our chain just now"
            txs, movements = txs + put.txs, movements + put.movements
        read = [(facts.ref.height, facts.ref.hash, facts.checked) for facts in blocks]
        extend_spans(store.connection, chain.id, watch_set, read)
        join_below(store.connection, chain)
    return Put(txs, movements)
