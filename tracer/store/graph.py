"""What a trace asks of the store: coins and who spends them, accounts and what they paid. Reads canonical rows only.

A run belongs to one case: it goes on only where that case watches or follows, so that what the store holds for other
cases changes no result; and where blocks are stored whole, everywhere.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, text

from tracer.errors import OperatorError
from tracer.store.counting import published
from tracer.store.tracerows import unpacked
from tracer.taint.accounts import Key, Payment
from tracer.taint.history import LAST, Coinbase, CoinTx, Made, Order, Spent
from tracer.taint.ledgers import LedgerBlock
from tracer.taint.run import Place
from tracer.types import AssetId, Holder, Kind, Role

WHOLE = "whole"
"""The watch set of a coverage whose blocks are stored with all their transactions."""

HALVING = {"bip122:000000000019d6689c085ae165831e93": 210_000, "bip122:0f9188f13cb7b2c71f2a335e3a4fc328": 150}
"""Blocks between two halvings of the subsidy: of the main network and of regtest; test networks are as the main one."""

SUBSIDY = 5_000_000_000

AT_ONCE = 500

SPENDER = """SELECT i.tx_id, i.block_id, b.height, t.position FROM movement i JOIN block b ON b.id = i.block_id
    AND b.canonical JOIN tx t ON t.id = i.tx_id WHERE i.spends_id = ? AND i.id >= ?"""
MOVES = """SELECT m.id, m.kind, m.idx, m.amount, m.spends_id, h.key FROM movement m LEFT JOIN holder h
    ON h.id = coalesce(m.target_id, m.source_id) WHERE m.block_id = ? AND m.kind IN (0, 1, 2)
    AND coalesce(m.tx_id, 0) = ? AND m.id >= ? ORDER BY m.kind, m.idx"""
MADE = """SELECT b.height, t.position, m.idx, h.key, m.amount FROM movement m JOIN block b ON b.id = m.block_id
    JOIN tx t ON t.id = m.tx_id JOIN holder h ON h.id = m.target_id WHERE m.id = ?"""
FOLLOWED = """SELECT m.id FROM movement m WHERE m.id IN ({numbers}) AND (
    EXISTS (SELECT 1 FROM watch w WHERE w.holder_id = m.target_id AND w.case_id = :case AND {published})
    OR EXISTS (SELECT 1 FROM trace_coin c JOIN trace_run r ON r.id = c.run_id WHERE c.movement_id = m.id
        AND c.boundary IS NULL AND r.case_id = :case AND r.live AND r.superseded_by IS NULL)
    OR EXISTS (SELECT 1 FROM trace_label l WHERE l.case_id = :case AND l.movement_id = m.id))""".replace(
    "{published}", published("w")
)


OWN_LOTS = """trace_lots l JOIN trace_run r ON r.id = l.run_id AND r.case_id = :case AND r.live
    AND r.superseded_by IS NULL JOIN block b ON b.id = l.block_id AND b.canonical"""


class StoreDamaged(OperatorError):
    """What is stored cannot be: it was altered, or damaged."""

    fix = "`tracer report` tells which proofs still hold; restore the store from a copy, or follow the chain anew."


def roles_in(connection: Connection, case_id: int, chain_id: int) -> dict[Holder, Role]:
    """Who is who in a case on a chain."""
    rows = connection.execute(
        text(
            "SELECT h.key, w.role FROM watch w CROSS JOIN holder h ON h.id = w.holder_id"
            f" WHERE w.case_id = :case AND h.chain_id = :c AND {published('w')} ORDER BY w.id DESC"
        ),
        {"case": case_id, "c": chain_id},
    )
    return {Holder(bytes(key)): Role(role) for key, role in rows}


def oldest_movement(connection: Connection) -> int:
    """The lowest number of a movement now, at most 0: history that is imported later gets lower ones."""
    return int(connection.execute(text("SELECT min(coalesce(min(id), 0), 0) FROM movement")).scalar_one())


def whole_spans(connection: Connection, chain_id: int) -> tuple[tuple[int, int], ...]:
    """The spans of heights whose blocks are stored whole, joined where they meet, lowest first."""
    rows = connection.execute(
        text(
            "SELECT from_height, to_height FROM coverage WHERE chain_id = :c AND watch_set = :w"
            " AND from_height <= to_height ORDER BY from_height"
        ),
        {"c": chain_id, "w": WHOLE},
    )
    spans: list[tuple[int, int]] = []
    for begin, end in rows:
        if spans and begin <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], max(spans[-1][1], int(end)))
        else:
            spans.append((int(begin), int(end)))
    return tuple(spans)


@dataclass(slots=True)
class StoredCoins:
    """The coins of a UTXO chain as a case sees them (`tracer.taint.history.History`).

    whole: spans of heights whose blocks are stored whole. upto: the tip of the run. oldest: the lowest number of a
    movement that counts: those of history that was imported later are lower.
    """

    connection: Connection
    chain_id: int
    case_id: int
    whole: tuple[tuple[int, int], ...] = ()
    upto: int = 0
    oldest: int = -(1 << 62)
    _transactions: dict[int, CoinTx] = field(default_factory=dict)

    def _rows(self, sql: str, values: Sequence[object]) -> list[Any]:
        driver = self.connection.connection.driver_connection
        assert driver is not None
        found: list[Any] = driver.execute(sql, values).fetchall()
        return found

    def coin(self, row: int) -> tuple[Order, Made]:
        """The coin that a row makes, and where."""
        [(height, position, index, key, amount)] = self._rows(MADE, (row,))
        order = (int(height), position if position else LAST)
        return order, Made(row, index, Holder(bytes(key)), int(amount))

    def spender(self, coin: int) -> CoinTx | None:
        """The transaction that spends a coin, if the case saw it; None if none that is stored does."""
        found = self._rows(SPENDER, (coin, self.oldest))
        if not found or not (self._everywhere(int(found[0][2])) or self._followed([coin])):
            return None
        [(tx_id, block_id, height, position)] = found
        if tx_id not in self._transactions:
            self._transactions[tx_id] = self.transaction(block_id, tx_id, (int(height), position))
        return self._transactions[tx_id]

    def transaction(self, block_id: int, tx_id: int, order: Order) -> CoinTx:
        """A stored transaction."""
        spent: list[Spent] = []
        made: list[Made] = []
        fee, rows = 0, self._rows(MOVES, (block_id, tx_id, self.oldest))
        coins = [spends for _, _, _, _, spends, _ in rows if spends is not None]
        seen = set(coins) if self._everywhere(order[0]) else self._followed(coins)
        for row, kind, index, amount, spends, key in rows:
            if kind == Kind.IN:
                coin = spends if spends in seen else -row  # another case may have told which coin that is
                spent.append(Spent(row, coin, int(amount), bytes(key or b"")))
            elif kind == Kind.OUT:
                made.append(Made(row, index, Holder(bytes(key)), int(amount)))
            else:
                fee = row
        done = CoinTx(order, tuple(spent), tuple(made), fee)
        if spent and done.fee < 0:
            raise StoreDamaged(f"the transaction at position {order[1]} of block {order[0]} pays more than it spends")
        return done

    def seen(self, coins: Sequence[int]) -> set[int]:
        """Those of some unspent coins whose spending would have been stored."""
        begin = next((low for low, high in self.whole if low <= self.upto <= high), None)
        if begin is None:
            return self._followed(coins)
        sql = "SELECT m.id FROM movement m JOIN block b ON b.id = m.block_id WHERE m.id IN ({numbers}) AND b.height >= "
        found = self._among(f"{sql}{int(begin)}", coins)
        return found | self._followed([coin for coin in coins if coin not in found])

    def _everywhere(self, height: int) -> bool:
        """Whether all of a block counts."""
        return any(begin <= height <= end for begin, end in self.whole)

    def _followed(self, coins: Sequence[int]) -> set[int]:
        return self._among(FOLLOWED.replace(":case", str(int(self.case_id))), coins)

    def _among(self, sql: str, numbers: Sequence[int]) -> set[int]:
        found: set[int] = set()
        for start in range(0, len(numbers), AT_ONCE):
            part = ", ".join(str(int(number)) for number in numbers[start : start + AT_ONCE])
            found |= {row for (row,) in self._rows(sql.replace("{numbers}", part), ())}
        return found

    def coinbase(self, height: int) -> Coinbase | None:
        """The coinbase of a block; None where not all of the block is stored."""
        if not self._everywhere(height):
            return None
        rows = self._rows(
            "SELECT t.id, t.block_id, t.position FROM tx t JOIN block b ON b.id = t.block_id AND b.canonical"
            " WHERE b.chain_id = ? AND b.height = ? ORDER BY t.position",
            (self.chain_id, height),
        )
        caip2 = str(self._rows("SELECT caip2 FROM chain WHERE id = ?", (self.chain_id,))[0][0])
        found = [self.transaction(block_id, tx_id, (height, position)) for tx_id, block_id, position in rows]
        if not found or rows[0][2]:
            return None
        subsidy = SUBSIDY >> min(63, height // HALVING.get(caip2, 210_000))
        return Coinbase(found[0].outputs, subsidy, tuple((tx.fee_row, tx.fee) for tx in found[1:]))


@dataclass(slots=True)
class StoredAccounts:
    """The accounts of a chain as a case sees them (`tracer.taint.ledgers.Ledgers`).

    roles: the case's watched accounts, whose movements are stored all along; others while a live run follows them.
    """

    connection: Connection
    chain_id: int
    case_id: int
    roles: Mapping[Holder, Role]
    _spans: dict[Holder, list[tuple[int, int | None]]] = field(default_factory=dict)
    _ending: dict[int, list[Holder]] = field(default_factory=dict)
    _known: dict[Key, list[tuple[int, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._read_spans()
        self._read_known()

    def blocks(self, after: int, upto: int) -> Iterator[LedgerBlock]:
        """The blocks above `after` with payments, in order."""
        rows = self.connection.execute(
            text(
                "SELECT b.id, b.height, t.position, m.kind, m.idx, m.id, a.caip19, m.amount, s.key, g.key"
                " FROM movement m JOIN block b ON b.id = m.block_id AND b.canonical JOIN asset a ON a.id = m.asset_id"
                " LEFT JOIN tx t ON t.id = m.tx_id LEFT JOIN holder s ON s.id = m.source_id"
                " LEFT JOIN holder g ON g.id = m.target_id WHERE b.chain_id = :c AND b.height > :after"
                " AND b.height <= :upto AND a.kind IN ('native', 'listed')"
                " ORDER BY b.height, t.position IS NULL, t.position, m.kind, m.idx"
            ),
            {"c": self.chain_id, "after": after, "upto": upto},
        )
        for height, block in groupby(rows, key=lambda row: int(row[1])):
            places: dict[int, Place] = {}
            payments: list[list[Payment]] = []
            for position, moves in groupby(block, key=lambda row: row[2]):
                payments.append([])
                for _, _, _, kind, index, row, asset, amount, source, target in moves:
                    places[row] = Place(height, -1 if position is None else position, kind, index, b"", asset, row)
                    payments[-1].append(Payment(row, AssetId(asset), int(amount), _holder(source), _holder(target)))
            yield LedgerBlock(height, payments, Before(self, height), places)

    def seen(self, holder: Holder, height: int) -> bool:
        """Whether an account's movements are stored from a block on."""
        return holder in self.roles or self._span(holder, height) is not None

    def seen_until(self, height: int) -> list[Holder]:
        """The accounts whose movements are not stored above a block, and were until then."""
        return self._ending.get(height, [])

    def before(self, key: Key, height: int) -> int | None:
        """What an account held before a block, by what was asked for this case and its movements since or until then.

        None where nobody asked, or its movements between are not stored.
        """
        span = (0, None) if key[0] in self.roles else self._span(key[0], height)
        if span is None:
            return None
        fit = [(h, n) for h, n in self._known.get(key, ()) if span[0] <= h and (span[1] is None or h <= span[1])]
        if not fit:
            return None
        known, balance = min(fit, key=lambda one: abs(one[0] - height))
        low, high = sorted((known, height))
        change = self._change(key, low, high)
        return balance + change if known < height else balance - change

    def _change(self, key: Key, low: int, high: int) -> int:
        """What came to an account, less what left it, from one block on and below another."""
        rows = self.connection.execute(
            text(
                "SELECT m.amount, m.source_id = h.id, m.target_id = h.id FROM holder h JOIN movement m"
                " ON m.source_id = h.id OR m.target_id = h.id JOIN asset a ON a.id = m.asset_id AND a.caip19 = :a"
                " JOIN block b ON b.id = m.block_id AND b.canonical WHERE h.chain_id = :c AND h.key = :k"
                " AND b.height >= :low AND b.height < :high"
            ),
            {"c": self.chain_id, "k": key[0], "a": key[1], "low": low, "high": high},
        )
        return sum(int(amount) * (bool(came) - bool(left)) for amount, left, came in rows)

    def _span(self, holder: Holder, height: int) -> tuple[int, int | None] | None:
        for begin, end in self._spans.get(holder, ()):
            if begin <= height and (end is None or height <= end):
                return begin, end
        return None

    def _read_spans(self) -> None:
        """Find from which block to which one accounts are followed by a live run of the case."""
        rows = self.connection.execute(
            text(
                f"SELECT h.key, b.height, l.run_id, l.asset_id, l.state FROM {OWN_LOTS} JOIN holder h"
                " ON h.id = l.holder_id WHERE b.chain_id = :c ORDER BY h.key, b.height"
            ),
            {"case": self.case_id, "c": self.chain_id},
        )
        for key, versions in groupby(rows, lambda row: bytes(row[0])):
            self._spans[Holder(key)] = list(spans_of(versions))
            for _, end in self._spans[Holder(key)]:
                if end is not None and Holder(key) not in self.roles:
                    self._ending.setdefault(end, []).append(Holder(key))

    def _read_known(self) -> None:
        """Find what accounts held where a live run of the case came to them: as it was asked, else as it was taken."""
        rows = self.connection.execute(
            text(
                "SELECT h.key, a.caip19, b.height, l.state, o.balance, l.run_id, EXISTS (SELECT 1 FROM trace_label s"
                " WHERE s.case_id = :case AND s.block_id = l.block_id AND s.holder_id = l.holder_id"
                f" AND s.asset_id = l.asset_id) FROM {OWN_LOTS} JOIN holder h ON h.id = l.holder_id"
                " JOIN asset a ON a.id = l.asset_id LEFT JOIN account_opening o ON o.holder_id = l.holder_id"
                " AND o.asset_id = l.asset_id AND o.block_id = l.block_id WHERE b.chain_id = :c"
                " ORDER BY l.run_id, h.key, a.caip19, b.height"
            ),
            {"case": self.case_id, "c": self.chain_id},
        )
        for (_, key, asset), versions in groupby(rows, lambda row: (row[5], bytes(row[0]), row[1])):
            held = False
            for _, _, height, state, balance, _, seeded in versions:
                if not held and not seeded:
                    found = int(height), int(balance or 0)
                    self._known.setdefault((Holder(key), AssetId(asset)), []).append(found)
                elif seeded:
                    found = int(height) + 1, unpacked(state).balance
                    self._known.setdefault((Holder(key), AssetId(asset)), []).append(found)
                held = bool(unpacked(state).labelled())


@dataclass(frozen=True, slots=True)
class Before(Mapping[Key, int]):
    """What accounts held before a block, worked out when it is asked."""

    accounts: StoredAccounts
    height: int

    def __getitem__(self, key: Key) -> int:
        found = self.accounts.before(key, self.height)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[Key]:
        raise TypeError("there is no list of all accounts")

    def __len__(self) -> int:
        raise TypeError("there is no list of all accounts")


def spans_of(versions: Iterable[Any]) -> Iterator[tuple[int, int | None]]:
    """The spans of heights in which one of several versioned states holds something traced; open ones end with None."""
    held: set[tuple[int, int]] = set()
    begun: int | None = None
    for height, rows in groupby(versions, key=lambda row: int(row[1])):
        for _, _, run_id, asset_id, state in rows:
            (held.add if unpacked(state).labelled() else held.discard)((run_id, asset_id))
        if held and begun is None:
            begun = height
        elif not held and begun is not None:
            yield begun, height
            begun = None
        elif not held:
            yield height, height
    if begun is not None:
        yield begun, None


def _holder(key: bytes | None) -> Holder | None:
    return None if key is None else Holder(bytes(key))
