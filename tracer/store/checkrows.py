"""How balance checks and the spans that they close are written and read; always inside a transaction."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, text

from tracer.book import Book
from tracer.store.blockrows import Rows
from tracer.store.chains import ChainHandle
from tracer.store.checked import BalanceCheckRow, SpanClosingRow
from tracer.store.counting import HELD
from tracer.store.rows import insert_many
from tracer.types import AssetId, Checked, Holder, Kind, Lane, Movement
from tracer.value import Check, Standing, Values

IS_HELD = f"EXISTS (SELECT 1 FROM watch w WHERE w.holder_id = k.holder_id AND w.role IN ({HELD}))"


def insert_checks(store: Rows, chain: ChainHandle, checks: Iterable[tuple[int, int, Sequence[Check]]]) -> None:
    """Write checks, given as (block, its height, checks), and what they close; the blocks are stored already."""
    items = [(block_id, height, check) for block_id, height, some in checks for check in some]
    holders = store.holder_ids(chain, (check.holder for _, _, check in items))
    insert_many(
        store.connection,
        BalanceCheckRow,
        "block_id holder_id asset_id since balance before observed unobserved nonce nonce_before sent lane confirms"
        " later proof",
        (
            (
                block_id,
                holders[c.holder],
                chain.assets[c.asset],
                c.since,
                c.balance,
                c.before,
                c.observed,
                c.unobserved,
                c.nonce,
                c.nonce_before,
                c.sent,
                int(c.lane),
                c.confirms.value,
                c.later,
                c.proof,
            )
            for block_id, _, c in items
        ),
    )
    read = HitsOnly(store.connection, chain)
    closings: list[tuple[object, ...]] = []
    for block_id, height, check in items:
        if check.since is None or not check.held:
            continue
        if count := read.between(check.since, height):
            span = (block_id, holders[check.holder], chain.assets[check.asset], check.since + 1, height, count)
            closings.append((*span, not check.open_because, check.open_because))
    columns = "block_id holder_id asset_id from_height to_height blocks closed reason"
    insert_many(store.connection, SpanClosingRow, columns, closings)


class HitsOnly:
    """Counts blocks of which only the header and the hits were verified."""

    def __init__(self, connection: Connection, chain: ChainHandle) -> None:
        self._connection, self._chain = connection, chain
        self._known: dict[tuple[int, int], int] = {}

    def between(self, since: int, height: int) -> int:
        """How many of the canonical blocks above `since` and up to `height` they are."""
        if (since, height) not in self._known:
            self._known[since, height] = self._connection.execute(
                text(
                    "SELECT count(*) FROM block WHERE chain_id = :c AND canonical AND checked = :only"
                    " AND height > :since AND height <= :height"
                ),
                {"c": self._chain.id, "only": int(Checked.HEADER), "since": since, "height": height},
            ).scalar_one()
        return self._known[since, height]


def keep_header(connection: Connection, block_id: int, header: bytes | None) -> None:
    """Keep the header of a block that had none to keep before: a proof leads to it."""
    if header is not None:
        connection.execute(
            text("UPDATE block SET header = :header WHERE id = :id AND header IS NULL"),
            {"header": header, "id": block_id},
        )


LAST = f"""SELECT * FROM (
    SELECT k.*, b.height, row_number() OVER (PARTITION BY k.holder_id, k.asset_id ORDER BY b.height DESC) AS place
    FROM balance_check k JOIN block b ON b.id = k.block_id AND b.canonical WHERE b.chain_id = :c AND {IS_HELD}
) WHERE place = 1"""


def load_values(connection: Connection, chain: ChainHandle) -> Values:
    """Rebuild what is known of held balances: the last check of each, and what was observed since."""
    keys = {"c": chain.id}
    standings: dict[tuple[int, int], Standing] = {}
    values = Values()
    rows = connection.execute(
        text(
            f"SELECT h.key, a.caip19, l.height, l.balance, l.lane, l.nonce, l.holder_id, l.asset_id FROM ({LAST}) l"
            " JOIN holder h ON h.id = l.holder_id JOIN asset a ON a.id = l.asset_id"
        ),
        keys,
    )
    for key, caip19, height, balance, lane, nonce, holder_id, asset_id in rows:
        standing = Standing(height, int(balance), Lane(lane), nonce)
        standings[holder_id, asset_id] = values.standings[Holder(bytes(key)), AssetId(caip19)] = standing
    since = (
        f"SELECT l.holder_id, m.*, t.proof IS NOT NULL AS evident FROM ({LAST}) l JOIN movement m"
        " ON m.{0} = l.holder_id AND m.asset_id = l.asset_id AND m.block_id > l.block_id"
        " JOIN block mb ON mb.id = m.block_id AND mb.canonical LEFT JOIN tx t ON t.id = m.tx_id"
    )
    moved = f"{since.format('source_id')} UNION {since.format('target_id')}"
    for row in connection.execute(text(moved), keys):
        event = Kind(row.kind) is Kind.LOG and row.evident
        standings[row.holder_id, row.asset_id].seen.add(
            _name(row.holder_id),
            Movement(
                Kind(row.kind),
                row.idx,
                AssetId(""),
                int(row.amount),
                None if row.source_id is None else _name(row.source_id),
                None if row.target_id is None else _name(row.target_id),
                lane=Lane.PROVEN if event else Lane(row.lane),
            ),
        )
    return values


def _name(holder_id: int) -> Holder:
    """Stand for a holder by its number: to add up, it only matters who is who."""
    return Holder(holder_id.to_bytes(8, "big"))


def load_drift(connection: Connection, chain: ChainHandle, books: dict[int, Book]) -> None:
    """Tell every book what changed its holders' balances unobserved since it opened."""
    for case_id, key, caip19, height, amount in connection.execute(
        text(
            "SELECT DISTINCT w.case_id, h.key, a.caip19, b.height, k.unobserved FROM balance_check k"
            " JOIN block b ON b.id = k.block_id AND b.canonical JOIN holder h ON h.id = k.holder_id"
            " JOIN asset a ON a.id = k.asset_id JOIN watch w ON w.holder_id = k.holder_id"
            f" WHERE b.chain_id = :c AND k.unobserved != '0' AND w.role IN ({HELD})"
        ),
        {"c": chain.id},
    ):
        book = books.get(case_id)
        if book is not None and book.opened and height > book.seizure:
            place = Holder(bytes(key)), AssetId(caip19)
            book.drift[place] = book.drift.get(place, 0) + int(amount)
