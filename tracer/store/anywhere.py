"""What a trace asks of the store where it belongs to no case: everything that is stored counts, for whomever it was.

Histories that were imported later are not linked to the coins that were spent before: those are found by txid and
index, on the canonical chain.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from tracer.store.graph import SPENDER, StoredAccounts, StoredCoins, roles_in
from tracer.store.openings import openings_of
from tracer.store.traceread import rows
from tracer.store.tracerows import stored_openings, unpacked
from tracer.taint.history import CoinTx, Made, Order, Spent
from tracer.taint.ledgers import LedgerBlock
from tracer.types import AssetId, Holder, Kind, Role

UNLINKED = """SELECT i.spent_txid, i.spent_idx, i.id, i.tx_id, i.block_id, b.height, t.position FROM movement i
    JOIN block b ON b.id = i.block_id AND b.canonical JOIN tx t ON t.id = i.tx_id
    WHERE i.kind = 0 AND i.spends_id IS NULL AND i.spent_txid IS NOT NULL AND b.chain_id = ?"""
COIN_AT = """SELECT m.id, m.amount FROM tx t JOIN block b ON b.id = t.block_id AND b.canonical AND b.chain_id = ?
    JOIN movement m ON m.block_id = t.block_id AND m.kind = 1 AND coalesce(m.tx_id, 0) = t.id AND m.idx = ?
    WHERE t.txid = ?"""
NAME = "SELECT t.txid, m.idx FROM movement m JOIN tx t ON t.id = m.tx_id WHERE m.id = ?"
MOVES = """SELECT m.id, m.kind, m.idx, m.amount, m.spends_id, m.spent_txid, m.spent_idx, h.key FROM movement m
    LEFT JOIN holder h ON h.id = coalesce(m.target_id, m.source_id) WHERE m.block_id = ? AND m.kind IN (0, 1, 2)
    AND coalesce(m.tx_id, 0) = ? ORDER BY m.kind, m.idx"""
FOLLOWED = """SELECT m.id FROM movement m WHERE m.id IN ({numbers}) AND (
    EXISTS (SELECT 1 FROM watch w WHERE w.holder_id = m.target_id)
    OR EXISTS (SELECT 1 FROM trace_coin c JOIN trace_run r ON r.id = c.run_id WHERE c.movement_id = m.id
        AND c.boundary IS NULL AND r.live AND r.superseded_by IS NULL)
    OR EXISTS (SELECT 1 FROM trace_label l WHERE l.movement_id = m.id))"""
HOLDER = "SELECT id FROM holder WHERE chain_id = ? AND key = ?"
CASES = "SELECT DISTINCT r.case_id FROM trace_run r WHERE r.chain_id = ? ORDER BY 1"
HELD = """SELECT d.amount FROM held d JOIN block b ON b.id = d.block_id AND b.canonical JOIN holder h
    ON h.id = d.holder_id JOIN asset a ON a.id = d.asset_id WHERE b.chain_id = ? AND h.key = ? AND a.caip19 = ?
    AND b.height < ? ORDER BY b.height DESC LIMIT 1"""
LOTS = """SELECT l.state FROM trace_lots l JOIN trace_run r ON r.id = l.run_id AND r.method = 'fifo' AND r.live
    AND r.superseded_by IS NULL JOIN block b ON b.id = l.block_id AND b.canonical JOIN holder h ON h.id = l.holder_id
    JOIN asset a ON a.id = l.asset_id WHERE b.chain_id = ? AND h.key = ? AND a.caip19 = ? AND b.height < ?
    ORDER BY b.height DESC LIMIT 1"""


def coin_at(connection: Connection, chain_id: int, txid: bytes, index: int) -> tuple[int, int] | None:
    """The row and amount of a stored canonical coin; None if its making is not stored."""
    found = rows(connection, COIN_AT, (chain_id, index, txid))
    return (int(found[0][0]), int(found[0][1])) if found else None


def all_roles(connection: Connection, chain_id: int) -> dict[Holder, Role]:
    """Who is who in any case on a chain; the case that came first has the say."""
    roles: dict[Holder, Role] = {}
    for (case_id,) in rows(connection, "SELECT id FROM cases ORDER BY id"):
        roles = roles_in(connection, case_id, chain_id) | roles
    return roles


@dataclass(slots=True)
class AnyCoins(StoredCoins):
    """The coins of a UTXO chain as far as they are stored; `case_id` says nothing.

    stops: coins that are not looked beyond. linked: coins by the input that spends them, which the store does not link.
    """

    stops: Collection[int] = ()
    linked: dict[int, int] = field(default_factory=dict)
    _loose: dict[tuple[bytes, int], tuple[int, int, Order]] | None = None

    def spender(self, coin: int) -> CoinTx | None:
        """The transaction that spends a coin; None if none that is stored does."""
        if coin in self.stops:
            return None
        found = self._rows(SPENDER, (coin, self.oldest))
        if found:
            [(tx_id, block_id, height, position)] = found
            order = int(height), position
        else:
            [(txid, index)] = self._rows(NAME, (coin,))
            place = self._unlinked().get((bytes(txid), index))
            if place is None:
                return None
            tx_id, block_id, order = place
        if tx_id not in self._transactions:
            self._transactions[tx_id] = self.transaction(block_id, tx_id, order)
        return self._transactions[tx_id]

    def transaction(self, block_id: int, tx_id: int, order: Order) -> CoinTx:
        """A stored transaction."""
        spent: list[Spent] = []
        made: list[Made] = []
        fee = 0
        for row, kind, index, amount, spends, txid, place, key in self._rows(MOVES, (block_id, tx_id)):
            if kind == Kind.IN:
                coin = -row if spends is None else spends
                if spends is None and txid is not None:
                    found = coin_at(self.connection, self.chain_id, bytes(txid), place)
                    if found is not None:
                        coin = self.linked[row] = found[0]
                spent.append(Spent(row, coin, int(amount), bytes(key or b"")))
            elif kind == Kind.OUT:
                made.append(Made(row, index, Holder(bytes(key)), int(amount)))
            else:
                fee = row
        return CoinTx(order, tuple(spent), tuple(made), fee)

    def _followed(self, coins: Sequence[int]) -> set[int]:
        return self._among(FOLLOWED, coins)

    def _unlinked(self) -> dict[tuple[bytes, int], tuple[int, int, Order]]:
        """Where inputs are whose coins the store does not link, by what they spend."""
        if self._loose is None:
            self._loose = {
                (bytes(txid), index): (tx_id, block_id, (int(height), position))
                for txid, index, _, tx_id, block_id, height, position in self._rows(UNLINKED, (self.chain_id,))
            }
        return self._loose


@dataclass(slots=True)
class AnyAccounts:
    """The accounts of a chain as far as they are stored, for any case (`tracer.taint.alone.Books`)."""

    connection: Connection
    chain_id: int
    _of: list[StoredAccounts] = field(default_factory=list)

    def __post_init__(self) -> None:
        for (case_id,) in rows(self.connection, CASES, (self.chain_id,)):
            roles = roles_in(self.connection, case_id, self.chain_id)
            self._of.append(StoredAccounts(self.connection, self.chain_id, case_id, roles))

    def blocks(self, after: int, upto: int) -> "Sequence[LedgerBlock]":
        """The blocks above `after` with payments, in order, with what was asked for any case."""
        found = StoredAccounts(self.connection, self.chain_id, 0, {}).blocks(after, upto)
        return [replace(block, balances=self._asked(block.height)) for block in found]

    def _asked(self, height: int) -> dict[tuple[Holder, AssetId], int]:
        sql = "SELECT id FROM block WHERE chain_id = ? AND height = ? AND canonical"
        [(number,)] = rows(self.connection, sql, (self.chain_id, height))
        return stored_openings(self.connection, number)

    def seen(self, holder: Holder, height: int) -> bool:
        """Whether an account's movements are stored from a block on."""
        return any(case.seen(holder, height) for case in self._of)

    def seen_until(self, height: int) -> list[Holder]:
        """The accounts whose movements are not stored above a block, and were until then."""
        over = {holder for case in self._of for holder in case.seen_until(height)}
        return [holder for holder in over if not self.seen(holder, height + 1)]

    def since(self, holder: Holder, height: int) -> int | None:
        """From which block on an account's movements are stored without a gap up to a height; None: they are not."""
        if not self.seen(holder, height):
            return None
        if any(holder in case.roles for case in self._of):
            return 0
        begun = height
        spans = sorted((span for case in self._of for span in case._spans.get(holder, ())), reverse=True)
        for first, last in spans:
            if first < begun and (last is None or last >= begun - 1):
                begun = first
        return begun

    def balance(self, key: tuple[Holder, AssetId], height: int) -> int | None:
        """What an account held after the block below `height`; None: nothing stored tells."""
        values = (self.chain_id, bytes(key[0]), str(key[1]), height)
        for (state,) in rows(self.connection, LOTS, values):
            holding = unpacked(state)
            if holding.labelled():
                return holding.balance
        for (amount,) in rows(self.connection, HELD, values):
            return int(amount)
        holders = [number for (number,) in rows(self.connection, HOLDER, values[:2])]
        after, units, _ = openings_of(self.connection, self.chain_id, holders).get(key, (-1, 0, None))
        return units if after >= height - 1 else None
