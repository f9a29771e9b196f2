"""The single writer: blocks connect and disconnect, each with all its rows, or not at all."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine, text

from tracer.casework import Ids, Judged, Prepared
from tracer.chain import Marks, Policy, advance_marks
from tracer.notices import Notice
from tracer.pending import Kept, Observed, Sighting
from tracer.store.backfills import reopen
from tracer.store.blockrows import insert_facts, insert_judged, insert_postings
from tracer.store.chains import ChainHandle, add_asset, register_chain
from tracer.store.checkrows import insert_checks, keep_header
from tracer.store.connection import open_writer, owned
from tracer.store.liferows import (
    alarmed,
    came_back,
    insert_changes,
    insert_pending,
    insert_pending_alerts,
    left_chain,
)
from tracer.store.oversight import Oversight, legs_of
from tracer.store.rows import insert_many
from tracer.store.spans import ALL, cut_spans, extend_spans, open_span
from tracer.store.tables import AlertRow, Block, DaemonRunRow, HolderRow
from tracer.store.tracerows import insert_traces
from tracer.types import Asset, BlockRef, Checked, Hash, Holder

SOON_PAGES, LATE_PAGES = 250, 1000
"""Pages of the write-ahead log from which a commit puts them into the database: one without hurry, and any other."""

HOLDER_CACHE = 200_000

Served = Mapping[tuple[int, int], Sequence[Hash]]
"""Legs (case, leg) that blocks had served, with the hashes of those blocks."""

Rejudge = Callable[[Served, Marks], Judged]
"""Reloads the casework and judges legs again, inside the transaction that moved blocks off the chain or back."""


@dataclass(slots=True)
class Store:
    """The open store. Use it as a context manager; it owns the lock file and the writing connection."""

    path: Path
    _lock: AbstractContextManager[None] = field(init=False)
    _engine: Engine = field(init=False)
    connection: Connection = field(init=False)
    oversight: Oversight = field(init=False)
    ids: Ids = field(init=False)
    _next_holder: Iterator[int] = field(init=False)
    _holders: dict[tuple[int, bytes], int] = field(default_factory=dict)

    def __enter__(self) -> "Store":
        self._lock = owned(self.path)
        self._lock.__enter__()
        try:
            self._engine = open_writer(self.path)
            self.connection = self._engine.connect()
            self.oversight = Oversight(self.connection)
            with self.connection.begin():
                self.ids = Ids(*(count(self._top(table) + 1) for table in ("block", "tx", "movement")))
                self._next_holder = count(self._top("holder") + 1)
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()
        self._engine.dispose()
        self._lock.__exit__(kind, error, trace)

    def _top(self, table: str) -> int:
        top = self.connection.execute(text(f"SELECT coalesce(max(id), 0) FROM {table}")).scalar_one()
        return max(0, int(top))  # what was imported of history has negative numbers

    def _one(self, sql: str, **values: object) -> Sequence[Any] | None:
        row = self.connection.execute(text(sql), values).first()
        return None if row is None else tuple(row)

    def _run(self, sql: str, **values: object) -> None:
        self.connection.execute(text(sql), values)

    def register_chain(
        self,
        caip2: str,
        name: str,
        family: str,
        genesis: Hash,
        policy: Policy,
        assets: Iterable[Asset],
        show: Callable[[Holder], str | None],
    ) -> ChainHandle:
        """Note a chain, its policy and its assets; an empty genesis is one not seen yet. Raises WrongNetwork."""
        with self.connection.begin():
            return register_chain(self.connection, caip2, name, family, genesis, policy, assets, show)

    def add_asset(self, chain: ChainHandle, asset: Asset) -> None:
        """Insert an asset inside the caller's transaction."""
        add_asset(self.connection, chain, asset)

    def holder_ids(self, chain: ChainHandle, keys: Iterable[bytes], *, shown: bool = True) -> dict[bytes, int]:
        """Find or insert holders; call it inside a transaction.

        shown: write their addresses too; a bulk import leaves that to their first movement.
        """
        ids: dict[bytes, int] = {}
        unknown: list[bytes] = []
        for key in set(keys):
            known = self._holders.get((chain.id, key))
            if known is None:
                unknown.append(key)
            else:
                ids[key] = known
        unwritten: list[tuple[str | None, int]] = []
        for start in range(0, len(unknown), 500):
            part = unknown[start : start + 500]
            marks = ", ".join(["?"] * len(part))
            for key, holder_id, address in self.connection.exec_driver_sql(
                f"SELECT key, id, address FROM holder WHERE chain_id = ? AND key IN ({marks})", (chain.id, *part)
            ).all():
                ids[key] = holder_id
                if address is None and shown:
                    unwritten.append((chain.show(Holder(key)), holder_id))
        if unwritten:
            self.connection.exec_driver_sql("UPDATE holder SET address = ? WHERE id = ?", unwritten)
        fresh = [
            (next(self._next_holder), chain.id, key, chain.show(Holder(key)) if shown else None)
            for key in unknown
            if key not in ids
        ]
        insert_many(self.connection, HolderRow, "id chain_id key address", fresh)
        ids.update({key: holder_id for holder_id, _, key, _ in fresh})
        if shown:
            if len(self._holders) + len(unknown) > HOLDER_CACHE:
                self._holders.clear()
            self._holders.update({(chain.id, key): ids[key] for key in unknown})
        return ids

    def rolled_back(self) -> None:
        """Forget what a failed transaction may have put into memory."""
        self._holders.clear()
        self.oversight.forget()

    def note_run(self, version: str, config_sha256: bytes, now: int) -> None:
        """Note which program starts to write, with which configuration."""
        with self.connection.begin():
            row = (now, version, config_sha256)
            insert_many(self.connection, DaemonRunRow, "started_at version config_sha256", [row])

    def start_chain(self, chain: ChainHandle, anchor: BlockRef, time: int) -> None:
        """Begin following after `anchor`, which is final from the first moment and never scanned."""
        with self.connection.begin():
            block_id = next(self.ids.block)
            self._blocks([(block_id, chain.id, anchor.height, anchor.hash, anchor.parent, time, None, True, 0)])
            self._run(
                "INSERT INTO follower (chain_id, tip_id, confirmed_height, final_height, final_id)"
                " VALUES (:c, :b, :h, :h, :b)",
                c=chain.id,
                b=block_id,
                h=anchor.height,
            )
            open_span(self.connection, chain.id, ALL, anchor.height, anchor.hash)

    def _blocks(self, rows: Iterable[Sequence[object]]) -> None:
        insert_many(self.connection, Block, "id chain_id height hash parent time header canonical checked", rows)

    def connect(self, chain: ChainHandle, blocks: Sequence[Prepared], now: int) -> None:
        """Append blocks, with all their rows, in one transaction; `now` is the wall clock for alerts."""
        with self.connection.begin():
            self._blocks(
                (
                    b.block_id,
                    chain.id,
                    b.facts.ref.height,
                    b.facts.ref.hash,
                    b.facts.ref.parent,
                    b.facts.time,
                    b.facts.header,
                    True,
                    int(b.facts.checked),
                )
                for b in blocks
            )
            busy = [b for b in blocks if b.txs or b.loose or b.entries or b.verdicts or b.notices or b.checks]
            if busy:
                insert_facts(self, chain, busy)
                insert_postings(self, chain, busy)
                insert_traces(self, chain, busy)
                insert_checks(self, chain, [(b.block_id, b.facts.ref.height, b.checks) for b in busy])
                for block in busy:
                    insert_judged(self, chain, block.block_id, block.verdicts, block.notices, now)
            insert_changes(self.connection, chain, [change for b in blocks for change in b.changes], now)
            read = [(b.facts.ref.height, b.facts.ref.hash, b.facts.checked) for b in blocks]
            extend_spans(self.connection, chain.id, ALL, read)
            last = blocks[-1]
            self._move_cursor(chain, last.block_id, last.marks)
            legs = legs_of(
                [
                    *((case_id, entry.leg_id) for b in busy for case_id, _, entry in b.entries),
                    *((case_id, leg_id) for b in busy for case_id, leg_id, _, _ in b.verdicts),
                ]
            )
            self.oversight.connected(chain.id, last.block_id, legs, [b.block_id for b in busy if b.entries], now)

    def _move_cursor(self, chain: ChainHandle, tip_id: int, marks: Marks) -> None:
        self._run(
            "UPDATE follower SET tip_id = :tip, confirmed_height = :confirmed, final_height = :final,"
            " peak_height = max(peak_height, :peak),"
            " final_id = (SELECT id FROM block WHERE chain_id = :c AND height = :final AND canonical)"
            " WHERE chain_id = :c",
            tip=tip_id,
            confirmed=marks.confirmed,
            final=marks.final,
            peak=marks.peak,
            c=chain.id,
        )

    def disconnect(
        self,
        chain: ChainHandle,
        fork: BlockRef,
        policy: Policy,
        rejudge: Rejudge,
        now: int,
    ) -> Judged:
        """Take every block above `fork` off the canonical chain, and judge again the legs that they had served.

        One transaction however many blocks leave: a reader sees the chain before it or after it, and nothing between.
        """
        with self.connection.begin():
            row = self._one(
                "SELECT id FROM block WHERE chain_id = :c AND hash = :h AND canonical", c=chain.id, h=fork.hash
            )
            assert row is not None, "the fork point is stored"
            gone = self.connection.execute(
                text("SELECT id FROM block WHERE chain_id = :c AND height > :h AND canonical ORDER BY height DESC"),
                {"c": chain.id, "h": fork.height},
            )
            blocks = [int(block_id) for (block_id,) in gone]
            self._set_canonical(blocks, False)
            state = self._one(
                "SELECT confirmed_height, final_height, -1, peak_height FROM follower WHERE chain_id = :c", c=chain.id
            )
            assert state is not None
            # no tags: those of the node speak of the branch that it is on, which is not this one; nothing becomes final
            marks = advance_marks(Marks(*state), fork.height, policy, {}, vouched=state[1])
            cut_spans(self.connection, chain.id, fork.height, fork.hash)
            self._move_cursor(chain, row[0], marks)
            insert_changes(self.connection, chain, left_chain(self.connection, blocks), now)
            judged = rejudge(self._legs_served(blocks), marks)
            insert_judged(self, chain, row[0], judged.verdicts, judged.notices, now)
            insert_changes(self.connection, chain, judged.changes, now)
            self.oversight.moved(chain.id, row[0], blocks, now)
        return judged

    def _set_canonical(self, blocks: Sequence[int], canonical: bool) -> None:
        """Flip the flag of some blocks."""
        self.connection.exec_driver_sql(
            "UPDATE block SET canonical = ? WHERE id = ?", [(canonical, block_id) for block_id in blocks]
        )

    def _legs_served(self, blocks: Iterable[int]) -> Served:
        """The (case, leg) pairs that postings of some blocks name, each with the hashes of those blocks."""
        served: dict[tuple[int, int], list[Hash]] = {}
        for block_id in blocks:
            rows = self.connection.execute(
                text(
                    "SELECT DISTINCT e.case_id, e.leg_id, b.hash FROM cases k CROSS JOIN entry e ON e.case_id = k.id"
                    " AND e.block_id = :b JOIN block b ON b.id = e.block_id WHERE e.leg_id IS NOT NULL"
                ),
                {"b": block_id},
            )
            for case_id, leg_id, block_hash in rows:
                served.setdefault((int(case_id), int(leg_id)), []).append(Hash(bytes(block_hash)))
        return served

    def reconnect(
        self,
        chain: ChainHandle,
        refs: Sequence[BlockRef],
        marks: Marks,
        rejudge: Rejudge,
        now: int,
    ) -> Judged:
        """Put stored blocks, lowest first, back on the canonical chain in one transaction: their rows are there."""
        with self.connection.begin():
            find = "SELECT id, height, hash, checked FROM block WHERE chain_id = :c AND hash = :h"
            found = [self._one(find, c=chain.id, h=ref.hash) for ref in refs]
            rows = [row for row in found if row is not None]
            assert len(rows) == len(refs), "only stored blocks can be reconnected"
            blocks = [int(row[0]) for row in rows]
            self._set_canonical(blocks, True)
            insert_changes(self.connection, chain, came_back(self.connection, blocks), now)
            reopen(self.connection, chain.id, blocks)
            read = [(int(height), Hash(bytes(block)), Checked(checked)) for _, height, block, checked in rows]
            extend_spans(self.connection, chain.id, ALL, read)
            self._move_cursor(chain, blocks[-1], marks)
            judged = rejudge(self._legs_served(blocks), marks)
            insert_judged(self, chain, blocks[-1], judged.verdicts, judged.notices, now)
            insert_changes(self.connection, chain, judged.changes, now)
            self.oversight.moved(chain.id, blocks[-1], (), now)
        return judged

    def note(
        self,
        chain: ChainHandle,
        judged: Judged,
        marks: Marks,
        tip: BlockRef,
        now: int,
        header: bytes | None = None,
    ) -> None:
        """Store judgements, alerts, balance checks and marks that came without a new block.

        header: the tip's, which the proofs of the checks lead to.
        """
        with self.connection.begin():
            row = self._one("SELECT tip_id FROM follower WHERE chain_id = :c", c=chain.id)
            assert row is not None, f"{chain.caip2} is followed from {tip.height}"
            self._move_cursor(chain, row[0], marks)
            insert_judged(self, chain, row[0], judged.verdicts, judged.notices, now)
            insert_changes(self.connection, chain, judged.changes, now)
            insert_checks(self, chain, [(row[0], tip.height, judged.checks)])
            keep_header(self.connection, row[0], header)
            legs = legs_of((case_id, leg_id) for case_id, leg_id, _, _ in judged.verdicts)
            self.oversight.connected(chain.id, row[0], legs, (), now)

    def note_pending(
        self, chain: ChainHandle, new: Iterable[Sighting], observe: Callable[[Kept], Observed], now: int
    ) -> Observed:
        """Store what a mempool says, in one transaction: new transactions, and what `observe` makes of them."""
        with self.connection.begin():
            tip = self._one("SELECT tip_id FROM follower WHERE chain_id = :c", c=chain.id)
            assert tip is not None, "a mempool is watched beside a chain that is followed"
            rows = {one.txid: insert_pending(self, chain, one, now) for one in new}
            observed = observe(Kept(rows, lambda txid: alarmed(self.connection, chain, txid), tip[0]))
            insert_changes(self.connection, chain, observed.changes, now)
            insert_pending_alerts(self.connection, chain, observed.notices, now)
        return observed

    def alert(self, chain: ChainHandle, notice: Notice, now: int) -> None:
        """Store an alert about a node or the daemon."""
        with self.connection.begin():
            insert_many(
                self.connection,
                AlertRow,
                "at rule severity chain_id message",
                [(now, notice.rule, notice.severity, chain.id, notice.message)],
            )

    def note_unobserved(self, chain: ChainHandle, height: int, reason: str, now: int) -> bool:
        """Note, with its alert, what could not be observed from a height on; returns whether that is new."""
        with self.connection.begin():
            new = self.connection.execute(
                text(
                    "INSERT INTO unobserved (chain_id, from_height, reason) VALUES (:c, :height, :reason)"
                    " ON CONFLICT (chain_id, reason) DO NOTHING"
                ),
                {"c": chain.id, "height": height, "reason": reason},
            ).rowcount
            if new:
                alert = (now, "DATA-1", "WARN", chain.id, f"from height {height}: {reason}")
                insert_many(self.connection, AlertRow, "at rule severity chain_id message", [alert])
        return bool(new)

    def set_status(self, chain: ChainHandle, best: BlockRef | None, state: str, message: str, now: int) -> None:
        """Say what the daemon last saw of a node; without a best block, the time of the last contact stays.

        It is no evidence, and comes after every block: so this does not wait for the disk, and here the log is put
        into the database, before the next block makes somebody wait for that.
        """
        with self._leisurely(), self.connection.begin():
            self._run(
                "INSERT INTO follower_status (chain_id, node_height, node_hash, contacted_at, state, message)"
                " VALUES (:c, :height, :hash, :contacted, :state, :message) ON CONFLICT (chain_id) DO UPDATE SET"
                " node_height = excluded.node_height, node_hash = excluded.node_hash,"
                " contacted_at = coalesce(excluded.contacted_at, follower_status.contacted_at),"
                " state = excluded.state, message = excluded.message",
                c=chain.id,
                height=best.height if best else None,
                hash=best.hash if best else None,
                contacted=now if best else None,
                state=state,
                message=message,
            )

    @contextmanager
    def _leisurely(self) -> Iterator[None]:
        """Commit what a power cut may take away: the next commit that waits for the disk waits for this one too."""
        driver = self.connection.connection.driver_connection
        assert driver is not None
        for pragma in ("synchronous = NORMAL", f"wal_autocheckpoint = {SOON_PAGES}"):
            driver.execute(f"PRAGMA {pragma}")
        try:
            yield
        finally:
            for pragma in ("synchronous = FULL", f"wal_autocheckpoint = {LATE_PAGES}"):
                driver.execute(f"PRAGMA {pragma}")
