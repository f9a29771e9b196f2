"""What other cases posted of the blocks that a back-fill reads; see `tracer.rivals`."""

from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from tracer.book import Book
from tracer.rivals import NOTHING, Taken
from tracer.store.chains import ChainHandle
from tracer.types import HELD_ROLES, AssetId, Hash, Holder, Kind, outpoint

CREDITED = frozenset({"credit", "internal", "change", "refund", "delivered"})
PAID = frozenset({"internal", "change", "delivered", "fee"})
"""Places of what a case's own holders paid; what it calls unexplained is left to a case that can explain it."""

HELD = ", ".join(f"'{role.value}'" for role in HELD_ROLES)


@dataclass(slots=True)
class StoredRivals:
    """The postings of all cases but one; `at` says which block is read."""

    connection: Connection
    chain: ChainHandle
    case_id: int
    _taken: dict[int, Taken] = field(default_factory=dict)
    _loose: set[int] = field(default_factory=set)

    def at(self, block_id: int) -> None:
        """Take up the postings of a block; call it inside a transaction."""
        rows = self.connection.execute(
            text(
                "SELECT e.case_id, e.tx_id, e.movement_id, e.asset_id, e.place, e.reason, e.amount FROM cases k"
                " CROSS JOIN entry e ON e.case_id = k.id AND e.block_id = :b WHERE k.id <> :case"
            ),
            {"b": block_id, "case": self.case_id},
        ).all()
        self._loose = {row.movement_id for row in rows if row.tx_id is None and row.movement_id is not None}
        self._taken = {}
        for tx_id in {row.tx_id for row in rows if row.tx_id is not None}:
            credits: dict[int, int] = {}
            paid: dict[tuple[int, int], int] = {}
            fee = 0
            for row in (row for row in rows if row.tx_id == tx_id):
                units = int(row.amount)
                if row.place in CREDITED and row.movement_id is not None:
                    credits[row.movement_id] = credits.get(row.movement_id, 0) + units
                sign = 1 if row.place in PAID else -1 if row.reason == "paid in by others" else 0
                paid[row.case_id, row.asset_id] = paid.get((row.case_id, row.asset_id), 0) + sign * units
                if row.place == "fee" or (row.place == "unexplained" and row.reason.startswith("fee")):
                    fee += units
            self._taken[tx_id] = Taken(credits, self._debits(tx_id, paid), fee)

    def taken(self, tx_id: int) -> Taken:
        """What they took of a transaction of the block."""
        return self._taken.get(tx_id, NOTHING)

    def claimed(self, movement_id: int) -> bool:
        """Whether a movement without a transaction is in one of their books."""
        return movement_id in self._loose

    def books(self, height: int) -> list[Book]:
        """One book with all balances that they held after a height, and all coins that ever were in their books."""
        book = Book(0, "", 0, [], {})
        keys = {"c": self.chain.id, "case": self.case_id, "h": height}
        for txid, index in self.connection.execute(
            text(
                "SELECT DISTINCT t.txid, m.idx FROM entry e JOIN block b ON b.id = e.block_id AND b.canonical"
                " JOIN movement m ON m.id = e.movement_id JOIN tx t ON t.id = m.tx_id WHERE b.chain_id = :c"
                f" AND e.case_id <> :case AND m.kind = {int(Kind.OUT)}"
                " AND e.place IN ('seized', 'credit', 'internal', 'change', 'refund')"
            ),
            keys,
        ):
            book.coins.add(outpoint(Hash(bytes(txid)), int(index)))
        for key, asset, amount in self.connection.execute(
            text(
                "SELECT key, caip19, amount FROM (SELECT h.key, a.caip19, d.amount, row_number() OVER"
                " (PARTITION BY d.case_id, d.holder_id, d.asset_id ORDER BY b.height DESC) AS place FROM held d"
                " JOIN block b ON b.id = d.block_id AND b.canonical JOIN holder h ON h.id = d.holder_id"
                " JOIN asset a ON a.id = d.asset_id WHERE b.chain_id = :c AND b.height <= :h AND d.case_id <> :case) q"
                " WHERE place = 1"
            ),
            keys,
        ):
            where = (Holder(bytes(key)), AssetId(asset))
            book.held[where] = book.held.get(where, 0) + int(amount)
        return [book]

    def _debits(self, tx_id: int, paid: dict[tuple[int, int], int]) -> dict[int, int]:
        """Spread what cases paid in a transaction over the movements that debit their accounts, in chain order."""
        debits: dict[int, int] = {}
        for (case_id, asset_id), whole in paid.items():
            left = whole
            rows = self.connection.execute(
                text(
                    "SELECT DISTINCT m.id, m.amount, m.kind, m.idx FROM movement m JOIN watch w ON"
                    f" w.holder_id = m.source_id AND w.case_id = :case AND w.role IN ({HELD}) WHERE m.block_id ="
                    " (SELECT block_id FROM tx WHERE id = :t) AND m.tx_id = :t AND m.asset_id = :a"
                    " AND m.spends_id IS NULL AND m.spent_txid IS NULL ORDER BY m.kind, m.idx"
                ),
                {"case": case_id, "t": tx_id, "a": asset_id},
            )
            for movement_id, amount, _, _ in rows:
                part = min(left, int(amount) - debits.get(movement_id, 0))
                if part > 0:
                    debits[movement_id] = debits.get(movement_id, 0) + part
                    left -= part
        return debits
