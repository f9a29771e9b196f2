"""What a store holds, read with plain sqlite3, every row by its natural key instead of its surrogates."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple


class Fact(NamedTuple):
    """A movement as it stands on its chain; `spends` is the wire outpoint that an input consumes."""

    height: int
    block: bytes
    txid: bytes | None
    kind: int
    idx: int
    asset: str
    amount: int
    source: bytes | None
    target: bytes | None
    spends: bytes | None


class Status(NamedTuple):
    """What the daemon says of a node."""

    state: str
    node_height: int | None
    message: str
    contacted_at: int


FACTS = """
SELECT b.height, b.hash, t.txid, m.kind, m.idx, a.caip19, m.amount, s.key, g.key,
    coalesce(ot.txid, m.spent_txid), coalesce(o.idx, m.spent_idx)
FROM movement m JOIN block b ON b.id = m.block_id JOIN chain c ON c.id = b.chain_id JOIN asset a ON a.id = m.asset_id
LEFT JOIN tx t ON t.id = m.tx_id LEFT JOIN holder s ON s.id = m.source_id LEFT JOIN holder g ON g.id = m.target_id
LEFT JOIN movement o ON o.id = m.spends_id LEFT JOIN tx ot ON ot.id = o.tx_id
WHERE c.name = ? AND b.canonical >= ?"""

MOVE = "hex(mb{0}.hash) || ':' || coalesce(hex(mt{0}.txid), '') || ':' || m{0}.kind || ':' || m{0}.idx"


def _move(alias: str, column: str, kind: str = "LEFT JOIN") -> str:
    return (
        f"{kind} movement m{alias} ON m{alias}.id = {column} LEFT JOIN block mb{alias} ON mb{alias}.id ="
        f" m{alias}.block_id LEFT JOIN tx mt{alias} ON mt{alias}.id = m{alias}.tx_id"
    )


DERIVED = {
    "tx": "SELECT hex(b.hash), x.position, hex(x.txid), hex(x.raw) FROM tx x JOIN block b ON b.id = x.block_id"
    " WHERE b.canonical",
    # a block without facts has its header for a check of balances alone where the daemon happened to be in step there
    "header": "SELECT hex(hash), hex(header) FROM block b WHERE canonical AND header IS NOT NULL"
    " AND (EXISTS (SELECT 1 FROM movement m WHERE m.block_id = b.id)"
    " OR NOT EXISTS (SELECT 1 FROM balance_check k WHERE k.block_id = b.id))",
    "entry": f"SELECT c.ref, hex(b.hash), hex(x.txid), {MOVE.format('')}, hex(h.key), a.caip19, l.ref, e.place,"
    " e.reason, e.amount FROM entry e JOIN cases c ON c.id = e.case_id JOIN block b ON b.id = e.block_id"
    " JOIN asset a ON a.id = e.asset_id LEFT JOIN tx x ON x.id = e.tx_id LEFT JOIN holder h ON h.id = e.holder_id"
    f" LEFT JOIN leg l ON l.id = e.leg_id {_move('', 'e.movement_id')} WHERE b.canonical",
    "held": "SELECT c.ref, hex(b.hash), hex(h.key), a.caip19, e.amount FROM held e JOIN cases c ON c.id = e.case_id"
    " JOIN block b ON b.id = e.block_id JOIN asset a ON a.id = e.asset_id JOIN holder h ON h.id = e.holder_id"
    " WHERE b.canonical",
    "ledger": "SELECT c.ref, hex(b.hash), a.caip19, e.seized, e.credits, e.held, e.delivered, e.fees, e.unexplained"
    " FROM ledger e JOIN cases c ON c.id = e.case_id JOIN block b ON b.id = e.block_id"
    " JOIN asset a ON a.id = e.asset_id WHERE b.canonical",
    "label": f"SELECT c.ref, hex(b.hash), e.ordinal, {MOVE.format('')}, hex(h.key), a.caip19, e.amount"
    " FROM trace_label e JOIN cases c ON c.id = e.case_id JOIN block b ON b.id = e.block_id"
    f" LEFT JOIN holder h ON h.id = e.holder_id LEFT JOIN asset a ON a.id = e.asset_id {_move('', 'e.movement_id')}"
    " WHERE b.canonical",
    "edge": f"SELECT c.ref, r.method, {MOVE.format('t')}, e.seq, {MOVE.format('f')}, e.ordinal, e.amount"
    " FROM trace_edge e JOIN trace_run r ON r.id = e.run_id JOIN cases c ON c.id = r.case_id"
    f" {_move('t', 'e.to_id')} {_move('f', 'e.from_id')} WHERE mbt.canonical",
    "traced": f"SELECT c.ref, r.method, {MOVE.format('')}, e.hop, e.boundary FROM trace_coin e"
    " JOIN trace_run r ON r.id = e.run_id JOIN cases c ON c.id = r.case_id"
    f" {_move('', 'e.movement_id')} WHERE mb.canonical",
    "lots": "SELECT c.ref, r.method, hex(h.key), a.caip19, hex(b.hash), e.state FROM trace_lots e"
    " JOIN trace_run r ON r.id = e.run_id JOIN cases c ON c.id = r.case_id JOIN holder h ON h.id = e.holder_id"
    " JOIN asset a ON a.id = e.asset_id JOIN block b ON b.id = e.block_id WHERE b.canonical",
    "opening": "SELECT hex(h.key), a.caip19, hex(b.hash), e.balance FROM account_opening e"
    " JOIN holder h ON h.id = e.holder_id JOIN asset a ON a.id = e.asset_id JOIN block b ON b.id = e.block_id"
    " WHERE b.canonical",
    "run": "SELECT c.ref, k.name, r.method, r.fee_policy, r.engine, r.variant, r.rounding, r.limits, r.rules"
    " FROM trace_run r JOIN cases c ON c.id = r.case_id JOIN chain k ON k.id = r.chain_id"
    " WHERE r.live AND r.superseded_by IS NULL",
    "asset": "SELECT c.name, a.caip19, a.kind FROM asset a JOIN chain c ON c.id = a.chain_id",
    "coverage": "SELECT c.name, v.watch_set, v.from_height, v.to_height, hex(v.end_hash) FROM coverage v"
    " JOIN chain c ON c.id = v.chain_id",
    "cursor": "SELECT c.name, hex(b.hash), f.confirmed_height, f.final_height, hex(n.hash) FROM follower f"
    " JOIN chain c ON c.id = f.chain_id JOIN block b ON b.id = f.tip_id JOIN block n ON n.id = f.final_id",
}
"""What follows from the canonical chain and the cases alone, so that two stores must agree on it."""

VERDICTS = "SELECT case_ref, leg_ref, asset, verdict, reason FROM v_verdict"

WITNESSED = frozenset(
    {"source", "agreement", "vouch", "source_disagreement", "refused_block", "finality_violation", "settlement"}
)
"""Who vouched for which hash, and what was refused and settled: grows beside the chain, also while that halts."""

VOLATILE = frozenset({"alert", "daemon_run", "follower_status", "alembic_version", "sqlite_sequence"}) | WITNESSED
"""Not evidence of the chain: what was told to people, and what was last seen of a node."""


class Stored:
    """Reads one store, also while a daemon writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)) as connection:
            yield connection

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Answer one query; an empty list while the store is not made yet."""
        try:
            with self._open() as connection:
                return connection.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error) or "unable to open" in str(error):
                return []
            raise

    def tip(self, chain: str) -> tuple[int, str] | None:
        """Height and hash (hex) of the cursor."""
        found = self.rows(
            "SELECT b.height, lower(hex(b.hash)) FROM follower f JOIN block b ON b.id = f.tip_id"
            " JOIN chain c ON c.id = f.chain_id WHERE c.name = ?",
            chain,
        )
        return found[0] if found else None

    def status(self, chain: str) -> Status | None:
        """What the daemon last saw of the node."""
        found = self.rows(
            "SELECT s.state, s.node_height, s.message, s.contacted_at FROM follower_status s"
            " JOIN chain c ON c.id = s.chain_id WHERE c.name = ?",
            chain,
        )
        return Status(*found[0]) if found else None

    def canonical(self, chain: str) -> list[tuple[int, str]]:
        """The canonical blocks: height and hash (hex)."""
        return self.rows(
            "SELECT height, lower(hex(hash)) FROM block b JOIN chain c ON c.id = b.chain_id"
            " WHERE c.name = ? AND canonical ORDER BY height",
            chain,
        )

    def facts(self, chain: str, *, orphaned: bool = False) -> Counter[Fact]:
        """The canonical movements; with `orphaned` those that reorgs took away as well."""
        return Counter(
            Fact(
                *(row[0], row[1], row[2], row[3], row[4], row[5]),
                int(row[6]),
                *(row[7], row[8]),
                row[9][::-1] + row[10].to_bytes(4, "little") if row[9] is not None else None,
            )
            for row in self.rows(FACTS, chain, 0 if orphaned else 1)
        )

    def derived(self) -> dict[str, Counter[tuple[Any, ...]]]:
        """Everything that two stores of the same chain and cases must agree on, by name."""
        found = {name: Counter(self.rows(sql)) for name, sql in DERIVED.items()}
        found["verdict"] = Counter(
            (*row[:4], "nothing arrived yet" if str(row[4]).startswith("voided") else row[4])
            for row in self.rows(VERDICTS)
        )
        return found

    def verdicts(self) -> dict[tuple[str, str | None, str], tuple[str, str]]:
        """The verdicts that stand: (case, leg or None, asset) -> (verdict, reason)."""
        return {row[:3]: row[3:] for row in self.rows(VERDICTS)}

    def evidence(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table that is evidence."""
        with self._open() as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {
                table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)
                for table in tables
                if table not in VOLATILE
            }

    def alerts(self) -> list[tuple[str, str, str]]:
        """Rule, severity and message of every alert, oldest first."""
        return self.rows("SELECT rule, severity, message FROM alert ORDER BY id")

    def faults(self) -> list[str]:
        """What SQLite itself and the store's own equations find wrong; empty if nothing."""
        found = [str(row) for row in self.rows("PRAGMA integrity_check") if row != ("ok",)]
        found += [f"foreign key {row}" for row in self.rows("PRAGMA foreign_key_check")]
        for row in self.rows("SELECT seized, credits, held, delivered, fees, unexplained, block_id FROM ledger"):
            seized, credited, held, delivered, fees, unexplained = map(int, row[:6])
            if seized + credited != held + delivered + fees + unexplained:
                found.append(f"ledger {row}")
        for chain, height, count in self.rows(
            "SELECT chain_id, height, count(*) FROM block WHERE canonical GROUP BY chain_id, height HAVING count(*) > 1"
        ):
            found.append(f"{count} canonical blocks at height {height} of chain {chain}")
        return found
