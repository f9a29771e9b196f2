"""What made coins and payments: where their units came from, transaction by transaction, read back by indexes.

A node is the number of a movement (a coin, or a payment), or stands for what is not stored: a negative number for an
input whose coin is not, and an `Earlier` for what an account held before its movements are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, repeat
from typing import NamedTuple

from sqlalchemy import Connection

from tracer.store.anywhere import AnyAccounts, coin_at
from tracer.store.openings import openings_of
from tracer.store.traceread import rows
from tracer.taint.backward import Credits, Line
from tracer.taint.boundaries import NOBODY
from tracer.types import AssetId, Holder, Kind

IN, OUT, FEE = int(Kind.IN), int(Kind.OUT), int(Kind.FEE)

MADE = """SELECT m.id, m.kind, m.idx, m.amount, m.spends_id, m.spent_txid, m.spent_idx, m.tx_id FROM movement c
    JOIN movement m ON m.block_id = c.block_id AND m.kind IN (0, 1) AND coalesce(m.tx_id, 0) = coalesce(c.tx_id, 0)
    WHERE c.id = ? ORDER BY m.kind, m.idx"""
FIRST = "SELECT t.position FROM movement m JOIN tx t ON t.id = m.tx_id WHERE m.id = ?"
PAID = """SELECT m.source_id, m.asset_id, m.kind, m.tx_id, h.key, a.caip19, b.height FROM movement m
    JOIN block b ON b.id = m.block_id JOIN asset a ON a.id = m.asset_id LEFT JOIN holder h ON h.id = m.source_id
    WHERE m.id = ?"""
SWAPPED = "SELECT 1 FROM trace_edge WHERE to_id = ? AND from_id <> to_id LIMIT 1"
BOOK = """SELECT m.id, m.source_id, m.target_id, m.amount, b.height, t.position, m.kind, m.idx FROM movement m
    JOIN block b ON b.id = m.block_id AND b.canonical LEFT JOIN tx t ON t.id = m.tx_id
    WHERE m.{side}_id = ? AND m.asset_id = ? AND b.height > ?"""

IMPORTED = """SELECT v.from_height, v.to_height FROM coverage v JOIN holder h ON h.chain_id = v.chain_id
    WHERE h.id = ? AND v.watch_set = 'history:' || h.address ORDER BY v.to_height DESC"""
NET = """SELECT m.source_id, m.target_id, m.amount FROM movement m JOIN block b ON b.id = m.block_id AND b.canonical
    WHERE m.{side}_id = ? AND m.asset_id = ? AND b.height BETWEEN ? AND ?"""

COINBASE = "coinbase"
NO_COIN = "coin not stored"
NO_INPUTS = "inputs not stored"
NO_BOOK = "account not followed then"
NO_OPENING = "balance before not known"
OPENING = "held before"
OVERDRAWN = "not seen to come in"
MINTED = "minted"
SWAP = "by a swap"
FROM_NOBODY = {int(Kind.WITHDRAWAL): "withdrawal", int(Kind.REWARD): "block reward"}


class Earlier(NamedTuple):
    """What an account held, or was paid, before or beside what is stored of it."""

    holder: int
    asset: int
    why: str


Node = int | Earlier


@dataclass(slots=True)
class CoinMaking:
    """What made the coins of a UTXO chain; `reasons`: why nodes have nothing behind them."""

    connection: Connection
    chain_id: int
    reasons: dict[Node, str] = field(default_factory=dict)
    _made: dict[Node, tuple[Line[Node], int]] = field(default_factory=dict)
    _tx: dict[Node, int] = field(default_factory=dict)

    def parents(self, node: Node, start: int, end: int) -> Sequence[tuple[Node, int, int]]:
        """Where units [start, end) of a coin came from."""
        made = self._made.get(node)
        if made is None:
            if not isinstance(node, int) or node < 0 or node in self.reasons:
                return ()
            self._load(node)
            made = self._made.get(node)
            if made is None:
                return ()
        line, at = made
        return line.part(at + start, at + end)

    def step_of(self, node: Node) -> int:
        """The transaction that made a coin."""
        return self._tx.get(node, -1)

    def _load(self, coin: int) -> None:
        found = rows(self.connection, MADE, (coin,))
        inputs = sum(1 for row in found if row[1] != OUT)
        made = [row[0] for row in found[inputs:]]
        self._tx.update(dict.fromkeys(made, found[-1][7]))
        spent: list[tuple[Node, int, int]] = []
        for row, _, _, amount, spends, txid, place, _ in found[:inputs]:
            node = spends
            if node is None and txid is not None:
                there = coin_at(self.connection, self.chain_id, bytes(txid), place)
                node = None if there is None else there[0]
            if node is None:
                node = -row
                self.reasons[node] = NO_COIN
            spent.append((node, 0, int(amount)))
        line = Line.of(spent)
        bounds = list(accumulate((int(row[3]) for row in found[inputs:]), initial=0))
        whole = [row[2] for row in found[inputs:]] == list(range(len(made)))
        if not spent or not whole or line.units < bounds[-1]:
            [(position,)] = rows(self.connection, FIRST, (coin,))
            self.reasons |= dict.fromkeys(made, NO_INPUTS if spent or position else COINBASE)
            return
        self._made.update(zip(made, zip(repeat(line), bounds, strict=False), strict=False))


@dataclass(slots=True)
class PaymentMaking:
    """What payers of an account chain had received, as queues; `reasons`: why nodes have nothing behind them.

    seeds: the case and label of balances that are sources of traces. since: after which block a balance was known.
    """

    connection: Connection
    chain_id: int
    reasons: dict[Node, str] = field(default_factory=dict)
    seeds: dict[Node, tuple[int, int]] = field(default_factory=dict)
    since: dict[Node, int] = field(default_factory=dict)
    _books: AnyAccounts | None = None
    _credits: dict[tuple[int, int, int], Credits[Node]] = field(default_factory=dict)
    _line: dict[int, Line[Node] | None] = field(default_factory=dict)
    _tx: dict[int, int | None] = field(default_factory=dict)

    def parents(self, node: Node, start: int, end: int) -> Sequence[tuple[Node, int, int]]:
        """Where units [start, end) of a payment had come from."""
        if not isinstance(node, int):
            return ()
        if node not in self._line:
            self._line[node] = self._load(node)
        line = self._line[node]
        return () if line is None else line.part(start, end)

    def step_of(self, node: Node) -> int:
        """The transaction of a payment."""
        return (self._tx.get(node) or -1) if isinstance(node, int) else -1

    def _load(self, payment: int) -> Line[Node] | None:
        """What a payment was made of; None, with the reason, where nothing tells."""
        [(holder, asset, kind, tx_id, key, caip19, height)] = rows(self.connection, PAID, (payment,))
        self._tx[payment] = tx_id
        if holder is None or bytes(key) == NOBODY:
            self.reasons[payment] = FROM_NOBODY.get(kind, MINTED)
            return None
        if rows(self.connection, SWAPPED, (payment,)):
            self.reasons[payment] = SWAP
            return None
        if self._books is None:
            self._books = AnyAccounts(self.connection, self.chain_id)
        since = self._books.since(Holder(bytes(key)), int(height))
        if since is None:
            self.reasons[payment] = NO_BOOK
            return None
        book = self._book(holder, asset, Holder(bytes(key)), AssetId(caip19), since)
        return book.paid.get(payment)

    def _book(self, holder: int, asset: int, key: Holder, caip19: AssetId, since: int) -> Credits[Node]:
        """An account's queue, replayed from what it held when its movements were stored first."""
        at = holder, asset, since
        if at in self._credits:
            return self._credits[at]
        opening = openings_of(self.connection, self.chain_id, [holder], since).get((key, caip19))
        unknown = Earlier(holder, asset, NO_OPENING if opening is None else OVERDRAWN)
        self.reasons[unknown] = unknown.why
        book: Credits[Node] = Credits(unknown)
        after = -1
        if opening is not None:
            after, units, seed = opening
            if seed is None:
                after, units = self._earlier(holder, asset, after, units)
            before = Earlier(holder, asset, OPENING)
            self.reasons[before], self.since[before] = OPENING, after
            if seed is not None:
                self.seeds[before] = seed
            book.credit(before, units)
        moved = rows(self.connection, BOOK.format(side="source"), (holder, asset, after))
        moved += rows(self.connection, BOOK.format(side="target"), (holder, asset, after))
        last = 1 << 40
        order = {row[0]: row for row in moved}
        for row in sorted(
            order.values(), key=lambda r: (r[4], last if r[5] is None else r[5], r[6] != FEE, r[6], r[7])
        ):
            number, source, target, amount = row[:4]
            if source == holder:
                if opening is None:
                    book.paid[number] = Line.of([(unknown, 0, int(amount))])
                else:
                    book.debit(number, int(amount))
            if target == holder and opening is not None:
                book.credit(number, int(amount))
        self._credits[at] = book
        return book

    def _earlier(self, holder: int, asset: int, after: int, units: int) -> tuple[int, int]:
        """Go from a balance that is known after a block down to where the account's imported history begins.

        Returns the balance there, after which block; where that history does not reach the block, what was given.
        """
        first = after + 1
        for begin, end in rows(self.connection, IMPORTED, (holder,)):
            if end >= first - 1:
                first = min(first, int(begin))
        before = units
        for side, sign in (("target", -1), ("source", 1)):
            for _, _, amount in rows(self.connection, NET.format(side=side), (holder, asset, first, after)):
                before += sign * int(amount)
        return (first - 1, before) if before >= 0 else (after, units)


def making_of(connection: Connection, chain_id: int, utxo: bool) -> CoinMaking | PaymentMaking:
    """What made the coins, or the payments, of a chain."""
    return CoinMaking(connection, chain_id) if utxo else PaymentMaking(connection, chain_id)
