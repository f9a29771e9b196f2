"""Rebuilds the casework of a chain from the store's canonical rows: at start, and after every reorg."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from sqlalchemy import Connection, text

from tracer.book import Book
from tracer.casework import Casework
from tracer.chain import Marks
from tracer.custody.judge import WITHDRAWN, Attested
from tracer.custody.ledger import Totals
from tracer.custody.lookalike import LookAlikes
from tracer.matching import Arrival, LegState
from tracer.opening import Interest, Tracked
from tracer.store.chains import ChainHandle
from tracer.store.checkrows import load_drift, load_values
from tracer.store.counting import published
from tracer.store.interest import split_outpoints
from tracer.store.liferows import load_lives
from tracer.store.plans import load_plans, withdrawn_legs
from tracer.store.tracerows import COIN, CURRENT, UNSPENT, load_runs
from tracer.store.writer import Store
from tracer.types import (
    HELD_ROLES,
    Asset,
    AssetId,
    AssetKind,
    BlockRef,
    Hash,
    Holder,
    Kind,
    Lane,
    Outpoint,
    outpoint,
)

MANY = 10_000
"""Watches of a case from which look-alikes of its seized addresses are not looked for."""

CLOCK_SPAN = 2016
"""Blocks among which the latest time is looked for: times may step back, but never by so many blocks."""


def cursor(store: Store, chain: ChainHandle) -> tuple[BlockRef, Marks] | None:
    """Where following stands; None if the chain was never started."""
    row = store.connection.execute(
        text(
            "SELECT b.height, b.hash, b.parent, f.confirmed_height, f.final_height, f.peak_height FROM follower f"
            " JOIN block b ON b.id = f.tip_id WHERE f.chain_id = :c"
        ),
        {"c": chain.id},
    ).first()
    if row is None:
        return None
    return BlockRef(row[0], Hash(bytes(row[1])), Hash(bytes(row[2]))), Marks(
        row[3], row[4], row[0], max(row[0], row[5])
    )


def canonical_hash(store: Store, chain: ChainHandle, height: int) -> Hash | None:
    """The hash of our canonical block at a height; None where we have none."""
    value = store.connection.execute(
        text("SELECT hash FROM block WHERE chain_id = :c AND height = :h AND canonical"), {"c": chain.id, "h": height}
    ).scalar()
    return None if value is None else Hash(bytes(value))


def canonical_ref(store: Store, chain: ChainHandle, height: int) -> BlockRef:
    """Our canonical block at a height where there is one."""
    row = store.connection.execute(
        text("SELECT hash, parent FROM block WHERE chain_id = :c AND height = :h AND canonical"),
        {"c": chain.id, "h": height},
    ).one()
    return BlockRef(height, Hash(bytes(row[0])), Hash(bytes(row[1])))


def start_height(store: Store, chain: ChainHandle) -> int:
    """The height of the block after which following began, which is our first one; -1 if it has not begun."""
    value = store.connection.execute(
        text("SELECT min(height) FROM block WHERE chain_id = :c AND canonical"), {"c": chain.id}
    ).scalar()
    return -1 if value is None else int(value)


def orphaned_hashes(store: Store, chain: ChainHandle) -> set[Hash]:
    """The hashes of stored blocks that are not on the canonical chain now."""
    rows = store.connection.execute(
        text("SELECT hash FROM block WHERE chain_id = :c AND NOT canonical"), {"c": chain.id}
    )
    return {Hash(bytes(block_hash)) for (block_hash,) in rows}


def first_height(store: Store, chain: ChainHandle) -> int | None:
    """The height where following must begin for the imported cases; None if no case names the chain."""
    value = store.connection.execute(
        text(
            "SELECT min(h) FROM (SELECT min(d.birth) AS h FROM (SELECT DISTINCT birth FROM watch) d"
            " WHERE EXISTS (SELECT 1 FROM watch w JOIN holder o ON o.id = w.holder_id"
            " WHERE w.birth = d.birth AND o.chain_id = :c)"
            " UNION ALL SELECT min(height) FROM seizure WHERE chain_id = :c)"
        ),
        {"c": chain.id},
    ).scalar()
    return None if value is None else int(value)


class Watched(Iterable[Holder]):
    """The watched holders of a chain, streamed from the store, some of them twice; there may be a million.

    Those whose past is still being read too: a node that is asked for hits alone is asked for theirs by this.

    The query goes through the watches in their order, which is also that of the holders' rows: five times faster than
    through the index of the holders' keys.
    """

    ROWS = "FROM watch w CROSS JOIN holder h ON h.id = w.holder_id WHERE +h.chain_id = ?"

    def __init__(self, store: Store, chain: ChainHandle) -> None:
        self._store, self._chain = store, chain

    def _select(self, what: str) -> Iterator[tuple[Any, ...]]:
        driver = self._store.connection.connection.driver_connection
        assert driver is not None
        rows: Iterator[tuple[Any, ...]] = driver.execute(f"SELECT {what} {self.ROWS}", (self._chain.id,))
        return rows

    def __iter__(self) -> Iterator[Holder]:
        for (key,) in self._select("h.key"):
            yield Holder(key)

    def __length_hint__(self) -> int:
        """How many there are at most: whoever puts them into a table makes room once."""
        ((count,),) = self._select("count(*)")
        return int(count)


def watched_holders(store: Store, chain: ChainHandle) -> Watched:
    """The watched holders of a chain."""
    return Watched(store, chain)


def held_holders(store: Store, chain: ChainHandle, case_id: int, where: str = "") -> list[Holder]:
    """The holders whose balances a case counts as held; where: which rows of `watch w` count."""
    marks = ", ".join(f"'{role.value}'" for role in HELD_ROLES)
    rows = store.connection.execute(
        text(
            f"SELECT DISTINCT h.key FROM watch w JOIN holder h ON h.id = w.holder_id"
            f" WHERE w.case_id = :case AND h.chain_id = :c AND w.role IN ({marks})"
            f" AND {where or published('w')} ORDER BY h.key"
        ),
        {"case": case_id, "c": chain.id},
    )
    return [Holder(bytes(key)) for (key,) in rows]


def load_casework(
    store: Store,
    chain: ChainHandle,
    utxo: bool,
    native: Asset,
    interest_of: Callable[[Holder], tuple[Interest, ...]],
) -> Casework:
    """Rebuild a chain's casework; call it with no other transaction under way, or inside a disconnect."""
    connection = store.connection
    books = {
        case_id: load_book(connection, chain, case_id, ref, height)
        for case_id, ref, height in connection.execute(
            text(
                "SELECT c.id, c.ref, s.height FROM cases c JOIN seizure s ON s.case_id = c.id WHERE s.chain_id = :c"
                f" AND {published('s')} ORDER BY c.id"
            ),
            {"c": chain.id},
        ).all()
    }
    assets = {
        AssetId(row[0]): Asset(AssetId(row[0]), row[1], row[2], AssetKind(row[3]))
        for row in connection.execute(
            text("SELECT caip19, symbol, decimals, kind FROM asset WHERE chain_id = :c"), {"c": chain.id}
        )
    }
    tip = connection.execute(
        text(
            "SELECT t.height, max(b.time) FROM follower f JOIN block t ON t.id = f.tip_id JOIN block b"
            " ON b.chain_id = f.chain_id AND b.height > t.height - :span AND b.canonical WHERE f.chain_id = :c"
            " GROUP BY t.height"
        ),
        {"c": chain.id, "span": CLOCK_SPAN},
    ).first()
    for book in books.values():
        book.opened = tip is not None and tip[0] >= book.seizure
    coins = load_coins(connection, chain) if utxo else {}
    if utxo:
        load_own_coins(connection, chain, books)
        load_missing(connection, chain, books)
    load_drift(connection, chain, books)
    return Casework(
        utxo,
        native,
        assets,
        store.ids,
        interest_of,
        lambda holder: chain.show(holder) or holder.hex(),
        books,
        load_runs(connection, chain, utxo, books),
        coins,
        chain.policy,
        tip[1] if tip is not None else 0,
        load_lives(connection, chain),
        values=load_values(connection, chain),
        alike=look_alikes_of(connection, chain),
    )


def look_alikes_of(connection: Connection, chain: ChainHandle) -> Callable[[int], LookAlikes]:
    """The addresses of a case on a chain that others may be mistaken for, read when they are first asked for.

    Of a case with very many watches, those that somebody pays on purpose: all but the seized ones. The driver is asked,
    because that begins no transaction: blocks are judged before the one that stores them begins.
    """
    driver = connection.connection.driver_connection
    assert driver is not None

    @cache
    def known(case_id: int) -> LookAlikes:
        rows = driver.execute(
            "SELECT h.address, w.ref FROM watch w JOIN holder h ON h.id = w.holder_id WHERE w.case_id = ?1"
            " AND h.chain_id = ?2 AND h.address IS NOT NULL AND (w.role != 'seized'"
            f" OR (SELECT count(*) FROM watch n WHERE n.case_id = ?1) <= {MANY}) ORDER BY w.id",
            (case_id, chain.id),
        )
        return LookAlikes((address, ref) for address, ref in rows)

    return known


def load_book(connection: Connection, chain: ChainHandle, case_id: int, ref: str, seizure: int) -> Book:
    """Rebuild one case's book, its own coins aside."""
    keys = {"case": case_id, "c": chain.id}
    book = Book(case_id, ref, seizure, load_legs(connection, keys), load_attestations(connection, keys))
    newest = "row_number() OVER (PARTITION BY {0} ORDER BY b.height DESC) AS place"
    for row in connection.execute(
        text(
            f"SELECT caip19, seized, credits, held, delivered, fees, unexplained FROM (SELECT a.caip19, l.*,"
            f" {newest.format('l.asset_id')} FROM ledger l JOIN block b ON b.id = l.block_id AND b.canonical"
            " JOIN asset a ON a.id = l.asset_id WHERE l.case_id = :case AND b.chain_id = :c) q WHERE place = 1"
        ),
        keys,
    ):
        book.totals[AssetId(row[0])] = Totals(*(int(value) for value in row[1:]))
    for key, caip19, amount in connection.execute(
        text(
            "SELECT key, caip19, amount FROM (SELECT h.key, a.caip19, l.amount,"
            f" {newest.format('l.holder_id, l.asset_id')}"
            " FROM held l JOIN block b ON b.id = l.block_id AND b.canonical JOIN asset a ON a.id = l.asset_id"
            " JOIN holder h ON h.id = l.holder_id WHERE l.case_id = :case AND b.chain_id = :c) q WHERE place = 1"
        ),
        keys,
    ):
        book.held[Holder(bytes(key)), AssetId(caip19)] = int(amount)
    book.judged = load_judged(connection, chain, case_id)
    book.unsettled |= {leg.plan.id for leg in book.legs if (leg.plan.id, leg.plan.asset) not in book.judged}
    book.unsettled |= {leg.plan.id for leg in book.legs if leg.withdrawn is not said_withdrawn(book, leg)}
    return book


def said_withdrawn(book: Book, leg: LegState) -> bool:
    """Whether the verdict that stands says that a leg was withdrawn, as far as nothing had arrived for it."""
    _, reason = book.judged.get((leg.plan.id, leg.plan.asset), ("", ""))
    return reason == WITHDRAWN or (leg.withdrawn and bool(leg.arrivals))


def load_judged(
    connection: Connection, chain: ChainHandle, case_id: int
) -> dict[tuple[int | None, AssetId], tuple[str, str]]:
    """What was said last of a case's legs and assets; of a leg only under the policy in force."""
    judged: dict[tuple[int | None, AssetId], tuple[str, str]] = {}
    for leg_id, caip19, verdict, reason, policy_id in connection.execute(
        text(
            "SELECT v.leg_id, a.caip19, v.verdict, v.reason, v.policy_id FROM verdict v"
            " JOIN block b ON b.id = v.block_id AND b.canonical"
            " JOIN asset a ON a.id = v.asset_id WHERE v.case_id = :case AND b.chain_id = :c ORDER BY b.height, v.id"
        ),
        {"case": case_id, "c": chain.id},
    ):
        judged[leg_id, AssetId(caip19)] = (verdict, reason)
        if leg_id is not None and policy_id != chain.policy_id:
            del judged[leg_id, AssetId(caip19)]  # said under another policy: it is judged anew
    return judged


def load_legs(connection: Connection, keys: dict[str, int]) -> list[LegState]:
    """Rebuild a case's legs on one chain with what has arrived for them."""
    legs = {plan.id: LegState(plan) for plan in load_plans(connection, keys, published("l"))}
    for leg_id, place, amount, movement_id, block_id, height, time, canonical, lane, doubted in connection.execute(
        text(
            "SELECT e.leg_id, e.place, e.amount, e.movement_id, e.block_id, b.height, b.time, b.canonical, m.lane,"
            " EXISTS (SELECT 1 FROM balance_check k WHERE k.holder_id = m.target_id AND k.asset_id = m.asset_id"
            " AND k.block_id = e.block_id AND k.unobserved != '0' AND NOT k.later)"
            " FROM entry e JOIN block b ON b.id = e.block_id LEFT JOIN movement m ON m.id = e.movement_id"
            " WHERE e.case_id = :case AND b.chain_id = :c AND e.leg_id IS NOT NULL"
            " ORDER BY e.id"
        ),
        keys,
    ):
        leg = legs[leg_id]
        if place in ("fee", "unexplained"):
            leg.fees += int(amount) if canonical else 0
        elif canonical:
            leg.arrivals.append(Arrival(int(amount), movement_id, height, time, block_id, Lane(lane), bool(doubted)))
        else:
            leg.voided = True
    gone = withdrawn_legs(connection, keys["case"])
    for leg in legs.values():
        leg.voided = leg.voided and not leg.arrivals
        leg.withdrawn = leg.plan.id in gone
    return list(legs.values())


def load_attestations(connection: Connection, keys: dict[str, int]) -> dict[Holder, tuple[Attested, ...]]:
    """A case's attestations on one chain, by the address they speak of."""
    found: dict[Holder, tuple[Attested, ...]] = {}
    for key, row_id, valid_from, valid_to in connection.execute(
        text(
            "SELECT h.key, a.id, a.valid_from, a.valid_to FROM attestation a CROSS JOIN watch w ON w.id = a.watch_id"
            " CROSS JOIN holder h ON h.id = w.holder_id WHERE w.case_id = :case AND h.chain_id = :c"
            " AND NOT EXISTS (SELECT 1 FROM record n WHERE n.supersedes_id = a.record_id) ORDER BY a.id"
        ),
        keys,
    ):
        holder = Holder(bytes(key))
        found[holder] = (*found.get(holder, ()), Attested(row_id, valid_from, valid_to))
    return found


def load_coins(connection: Connection, chain: ChainHandle) -> dict[Outpoint, Tracked]:
    """Unspent outputs of watched holders, and those that traces follow.

    One that was imported as history (see `tracer.store.history`) counts only for a watch whose back-fill read its
    block: for all others it is not there, as it was not when blocks connected.
    """
    rows = connection.execute(
        text(
            "SELECT m.id, t.txid, m.idx, h.key, m.amount, m.lane, b.height, t.position"
            f" FROM {COIN} WHERE b.chain_id = :c AND m.kind = :out AND"
            f" (EXISTS (SELECT 1 FROM watch w WHERE w.holder_id = m.target_id AND {published('w')} AND (m.id > 0"
            " OR b.height >= (SELECT f.from_height FROM backfill f WHERE f.id = w.late_id))) OR m.id IN"
            f" (SELECT c.movement_id FROM trace_coin c JOIN trace_run r ON r.id = c.run_id WHERE c.boundary IS NULL"
            f" AND {CURRENT})) AND {UNSPENT} ORDER BY m.id"
        ),
        {"c": chain.id, "out": int(Kind.OUT)},
    )
    return {
        outpoint(Hash(bytes(txid)), index): Tracked(
            movement_id, Holder(bytes(key)), int(amount), (height, position, index), Lane(lane)
        )
        for movement_id, txid, index, key, amount, lane, height, position in rows
    }


def load_own_coins(connection: Connection, chain: ChainHandle, books: dict[int, Book]) -> None:
    """Give every book the unspent coins that its postings name."""
    for case_id, txid, index in connection.execute(
        text(
            "SELECT DISTINCT e.case_id, t.txid, m.idx FROM entry e"
            " JOIN block eb ON eb.id = e.block_id AND eb.canonical"
            f" JOIN {COIN} WHERE m.id = e.movement_id AND b.chain_id = :c AND m.kind = :out"
            f" AND e.place IN ('seized', 'credit', 'internal', 'change', 'refund') AND {UNSPENT}"
        ),
        {"c": chain.id, "out": int(Kind.OUT)},
    ):
        if case_id in books:
            books[case_id].coins.add(outpoint(Hash(bytes(txid)), index))


def load_missing(connection: Connection, chain: ChainHandle, books: dict[int, Book]) -> None:
    """Tell every book which outpoints its case names as seized; of an opened book, those that were not there."""
    named: dict[int, set[Outpoint]] = {}
    for case_id, points in connection.execute(
        text(
            "SELECT w.case_id, w.outpoints FROM watch w CROSS JOIN holder h ON h.id = w.holder_id"
            f" WHERE w.outpoints IS NOT NULL AND +h.chain_id = :c AND {published('w')}"
        ),
        {"c": chain.id},
    ):
        named.setdefault(case_id, set()).update(split_outpoints(bytes(points)))
    for case_id, points in named.items():
        if case_id not in books:
            continue
        found = connection.execute(
            text(
                "SELECT t.txid, m.idx FROM entry e JOIN block b ON b.id = e.block_id AND b.canonical"
                " JOIN movement m ON m.id = e.movement_id JOIN tx t ON t.id = m.tx_id"
                " WHERE e.case_id = :case AND e.place = 'seized' AND b.chain_id = :c"
            ),
            {"case": case_id, "c": chain.id},
        )
        books[case_id].missing = frozenset(points) - {outpoint(Hash(bytes(txid)), index) for txid, index in found}
