"""The single writer: blocks connect and disconnect, each with all its rows, or not at all."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, text

from tracer.book import Numbered
from tracer.casework import Ids, Judged, Prepared
from tracer.chain import Marks, Policy
from tracer.custody.judge import Judgement
from tracer.errors import WrongNetwork
from tracer.notices import Notice
from tracer.store.connection import open_writer, owned
from tracer.store.rows import insert_many
from tracer.store.tables import (
    AlertRow,
    AssetRow,
    Block,
    EntryRow,
    HeldRow,
    HolderRow,
    LedgerRow,
    MovementRow,
    TraceCoinRow,
    TraceEdgeRow,
    TraceLabelRow,
    Tx,
    VerdictRow,
)
from tracer.types import Asset, AssetId, AssetKind, BlockRef, Hash, Holder

HOLDER_CACHE = 200_000
CHECKED = "scanned as the node reported it"


@dataclass(frozen=True, slots=True)
class ChainHandle:
    """A chain's surrogates in the store."""

    id: int
    caip2: str
    policy_id: int
    show: Callable[[Holder], str | None]
    assets: dict[AssetId, int]


@dataclass(slots=True)
class Store:
    """The open store. Use it as a context manager; it owns the lock file and the writing connection."""

    path: Path
    _lock: AbstractContextManager[None] = field(init=False)
    _engine: Engine = field(init=False)
    connection: Connection = field(init=False)
    ids: Ids = field(init=False)
    _next_holder: Iterator[int] = field(init=False)
    _holders: dict[tuple[int, bytes], int] = field(default_factory=dict)

    def __enter__(self) -> "Store":
        self._lock = owned(self.path)
        self._lock.__enter__()
        try:
            self._engine = open_writer(self.path)
            self.connection = self._engine.connect()
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
        return int(self.connection.execute(text(f"SELECT coalesce(max(id), 0) FROM {table}")).scalar_one())

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
        """Note a chain at first contact, its policy and its assets; raises WrongNetwork for another genesis."""
        with self.connection.begin():
            row = self._one("SELECT id, genesis FROM chain WHERE caip2 = :caip2", caip2=caip2)
            if row is None:
                self._run(
                    "INSERT INTO chain (caip2, name, family, genesis) VALUES (:caip2, :name, :family, :genesis)",
                    caip2=caip2,
                    name=name,
                    family=family,
                    genesis=genesis,
                )
                row = self._one("SELECT id, genesis FROM chain WHERE caip2 = :caip2", caip2=caip2)
            assert row is not None
            chain_id = row[0]
            if genesis and row[1] and bytes(row[1]) != genesis:
                raise WrongNetwork(
                    f"the store holds {name} with genesis {bytes(row[1]).hex()}, the node shows {genesis.hex()}"
                )
            if genesis and not row[1]:
                self._run("UPDATE chain SET genesis = :genesis WHERE id = :id", genesis=genesis, id=chain_id)
            wanted = {"chain": chain_id, "confirmed": str(policy.confirmed), "final": str(policy.final)}
            find = "SELECT id FROM policy WHERE chain_id = :chain AND confirmed = :confirmed AND final = :final"
            found = self._one(find, **wanted)
            if found is None:
                self._run(
                    "INSERT INTO policy (chain_id, confirmed, final) VALUES (:chain, :confirmed, :final)", **wanted
                )
                found = self._one(find, **wanted)
            assert found is not None
            handle = ChainHandle(chain_id, caip2, found[0], show, {})
            for asset in assets:
                self._asset(handle, asset)
            rows = self.connection.execute(text("SELECT caip19, id FROM asset WHERE chain_id = :c"), {"c": chain_id})
            handle.assets.update({AssetId(caip19): int(asset_id) for caip19, asset_id in rows})
        return handle

    def _one(self, sql: str, **values: object) -> Sequence[Any] | None:
        row = self.connection.execute(text(sql), values).first()
        return None if row is None else tuple(row)

    def _run(self, sql: str, **values: object) -> None:
        self.connection.execute(text(sql), values)

    def _asset(self, chain: ChainHandle, asset: Asset) -> None:
        """Insert an asset, or take over what the operator's allow-list now says of it."""
        known = self._one("SELECT id, kind FROM asset WHERE caip19 = :caip19", caip19=asset.id)
        if known is None:
            insert_many(
                self.connection,
                AssetRow,
                ("chain_id", "caip19", "symbol", "decimals", "kind"),
                [(chain.id, asset.id, asset.symbol, asset.decimals, asset.kind.value)],
            )
            known = self._one("SELECT id, kind FROM asset WHERE caip19 = :caip19", caip19=asset.id)
        elif asset.kind in (AssetKind.LISTED, AssetKind.NATIVE):
            self._run(
                "UPDATE asset SET symbol = :symbol, decimals = :decimals, kind = :kind WHERE id = :id",
                symbol=asset.symbol,
                decimals=asset.decimals,
                kind=asset.kind.value,
                id=known[0],
            )
        assert known is not None
        chain.assets[asset.id] = known[0]

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
        for start in range(0, len(unknown), 500):
            part = unknown[start : start + 500]
            marks = ", ".join(["?"] * len(part))
            for key, holder_id, address in self.connection.exec_driver_sql(
                f"SELECT key, id, address FROM holder WHERE chain_id = ? AND key IN ({marks})", (chain.id, *part)
            ).all():
                ids[key] = holder_id
                if address is None and shown:
                    self._run("UPDATE holder SET address = :a WHERE id = :id", a=chain.show(key), id=holder_id)
        fresh = [
            (next(self._next_holder), chain.id, key, chain.show(Holder(key)) if shown else None)
            for key in unknown
            if key not in ids
        ]
        insert_many(self.connection, HolderRow, ("id", "chain_id", "key", "address"), fresh)
        ids.update({key: holder_id for holder_id, _, key, _ in fresh})
        if shown:
            if len(self._holders) + len(unknown) > HOLDER_CACHE:
                self._holders.clear()
            self._holders.update({(chain.id, key): ids[key] for key in unknown})
        return ids

    def rolled_back(self) -> None:
        """Forget what a failed transaction may have put into memory."""
        self._holders.clear()

    def start_chain(self, chain: ChainHandle, anchor: BlockRef, time: int) -> None:
        """Begin following after `anchor`, which is final from the first moment and never scanned."""
        with self.connection.begin():
            block_id = next(self.ids.block)
            self._blocks([(block_id, chain.id, anchor.height, anchor.hash, anchor.parent, time, None, True)])
            self._run(
                "INSERT INTO follower (chain_id, tip_id, confirmed_height, final_height, final_id)"
                " VALUES (:c, :b, :h, :h, :b)",
                c=chain.id,
                b=block_id,
                h=anchor.height,
            )
            self._run(
                "INSERT INTO coverage (chain_id, watch_set, from_height, to_height, end_hash, checked)"
                " VALUES (:c, 'all', :f, :t, :e, :k)",
                c=chain.id,
                f=anchor.height + 1,
                t=anchor.height,
                e=anchor.hash,
                k=CHECKED,
            )

    def _blocks(self, rows: Iterable[Sequence[object]]) -> None:
        insert_many(
            self.connection, Block, ("id", "chain_id", "height", "hash", "parent", "time", "header", "canonical"), rows
        )

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
                    b.facts.header if b.txs or b.loose else None,
                    True,
                )
                for b in blocks
            )
            busy = [b for b in blocks if b.txs or b.loose or b.entries or b.verdicts or b.notices]
            if busy:
                self._facts(chain, busy)
                self._postings(chain, busy)
                self._traces(chain, busy)
                for block in busy:
                    self._judged(chain, block.block_id, block.verdicts, block.notices, now)
            last = blocks[-1]
            self._move_cursor(chain, last.block_id, last.marks)

    def _move_cursor(self, chain: ChainHandle, tip_id: int, marks: Marks) -> None:
        self._run(
            "UPDATE follower SET tip_id = :tip, confirmed_height = :confirmed, final_height = :final,"
            " final_id = (SELECT id FROM block WHERE chain_id = :c AND height = :final AND canonical)"
            " WHERE chain_id = :c",
            tip=tip_id,
            confirmed=marks.confirmed,
            final=marks.final,
            c=chain.id,
        )
        self._run(
            "UPDATE coverage SET to_height = (SELECT height FROM block WHERE id = :tip),"
            " end_hash = (SELECT hash FROM block WHERE id = :tip) WHERE chain_id = :c AND watch_set = 'all'",
            tip=tip_id,
            c=chain.id,
        )

    def _facts(self, chain: ChainHandle, blocks: Sequence[Prepared]) -> None:
        for block in blocks:
            for asset in block.facts.new_assets:
                if asset.id not in chain.assets:
                    self._asset(chain, asset)
        insert_many(
            self.connection,
            Tx,
            ("id", "block_id", "position", "txid", "raw"),
            ((tx.id, b.block_id, tx.position, tx.txid, tx.raw) for b in blocks for tx in b.txs),
        )
        holders = self.holder_ids(
            chain,
            (
                h
                for b in blocks
                for n in numbered_of(b)
                for h in (n.movement.source, n.movement.target)
                if h is not None
            ),
        )
        insert_many(
            self.connection,
            MovementRow,
            (
                "id",
                "block_id",
                "kind",
                "tx_id",
                "idx",
                "asset_id",
                "amount",
                "source_id",
                "target_id",
                "spends_id",
                "outpoint",
            ),
            (
                movement_row(chain, holders, b.block_id, tx_id, n)
                for b in blocks
                for tx_id, n in [*((tx.id, n) for tx in b.txs for n in tx.moves), *((None, n) for n in b.loose)]
            ),
        )

    def _postings(self, chain: ChainHandle, blocks: Sequence[Prepared]) -> None:
        holders = self.holder_ids(
            chain,
            (
                h
                for b in blocks
                for h in [*(e.holder for _, _, e in b.entries), *(h for _, h, _ in b.held)]
                if h is not None
            ),
        )
        insert_many(
            self.connection,
            EntryRow,
            (
                "case_id",
                "block_id",
                "tx_id",
                "movement_id",
                "holder_id",
                "asset_id",
                "leg_id",
                "place",
                "reason",
                "amount",
            ),
            (
                (
                    case_id,
                    b.block_id,
                    tx_id,
                    e.movement_id,
                    holders[e.holder] if e.holder is not None else None,
                    chain.assets[e.asset],
                    e.leg_id,
                    e.place.value,
                    e.reason,
                    e.amount,
                )
                for b in blocks
                for case_id, tx_id, e in b.entries
            ),
        )
        insert_many(
            self.connection,
            HeldRow,
            ("case_id", "holder_id", "asset_id", "block_id", "amount"),
            (
                (case_id, holders[holder], chain.assets[asset], b.block_id, amount)
                for b in blocks
                for (case_id, holder, asset), amount in b.held.items()
            ),
        )
        insert_many(
            self.connection,
            LedgerRow,
            ("case_id", "asset_id", "block_id", "seized", "credits", "held", "delivered", "fees", "unexplained"),
            (
                (
                    case_id,
                    chain.assets[asset],
                    b.block_id,
                    t.seized,
                    t.credits,
                    t.held,
                    t.delivered,
                    t.fees,
                    t.unexplained,
                )
                for b in blocks
                for (case_id, asset), t in b.ledger.items()
            ),
        )

    def _traces(self, chain: ChainHandle, blocks: Sequence[Prepared]) -> None:
        if not any(b.labels or b.edges or b.traced for b in blocks):
            return
        rows = self.connection.execute(
            text("SELECT case_id, method, id FROM trace_run WHERE chain_id = :c"), {"c": chain.id}
        )
        runs = {(case_id, method): run_id for case_id, method, run_id in rows}
        insert_many(
            self.connection,
            TraceLabelRow,
            ("case_id", "block_id", "ordinal", "movement_id"),
            ((case_id, b.block_id, label, movement_id) for b in blocks for case_id, label, movement_id in b.labels),
        )
        insert_many(
            self.connection,
            TraceEdgeRow,
            ("run_id", "to_id", "seq", "from_id", "ordinal", "amount"),
            (
                (runs[case_id, e.method], e.to_id, e.seq, e.from_id, e.label, e.amount)
                for b in blocks
                for case_id, e in b.edges
            ),
        )
        insert_many(
            self.connection,
            TraceCoinRow,
            ("case_id", "movement_id", "hop", "boundary"),
            ((case_id, r.movement_id, r.hop, r.boundary) for b in blocks for case_id, r in b.traced),
        )

    def _judged(
        self,
        chain: ChainHandle,
        block_id: int,
        verdicts: Iterable[tuple[int, int | None, AssetId, Judgement]],
        notices: Iterable[Notice],
        now: int,
    ) -> None:
        insert_many(
            self.connection,
            VerdictRow,
            ("case_id", "leg_id", "asset_id", "block_id", "policy_id", "verdict", "reason", "lane", "claims"),
            (
                (
                    case_id,
                    leg_id,
                    chain.assets[asset],
                    block_id,
                    chain.policy_id,
                    j.verdict.value,
                    j.reason,
                    j.lane.name,
                    orjson.dumps([{"what": c.what, "lane": c.lane.name, "refs": c.refs} for c in j.claims]).decode(),
                )
                for case_id, leg_id, asset, j in verdicts
            ),
        )
        insert_many(
            self.connection,
            AlertRow,
            ("at", "rule", "severity", "chain_id", "block_id", "case_id", "leg_id", "tx_id", "message"),
            ((now, n.rule, n.severity, chain.id, block_id, n.case_id, n.leg_id, n.tx_id, n.message) for n in notices),
        )

    def disconnect(
        self, chain: ChainHandle, tip: BlockRef, rejudge: Callable[[list[tuple[int, int]], Marks], Judged], now: int
    ) -> Judged:
        """Take the tip off the canonical chain, and judge again the legs that it had served, in one transaction.

        rejudge: given those (case, leg) pairs and the marks, reloads the casework and judges them.
        """
        with self.connection.begin():
            row = self._one(
                "SELECT id FROM block WHERE chain_id = :c AND hash = :h AND canonical", c=chain.id, h=tip.hash
            )
            parent = self._one(
                "SELECT id FROM block WHERE chain_id = :c AND hash = :h AND canonical", c=chain.id, h=tip.parent
            )
            assert row is not None and parent is not None, "the cursor's block and its parent are stored"
            self._run("UPDATE block SET canonical = 0 WHERE id = :id", id=row[0])
            state = self._one("SELECT confirmed_height, final_height FROM follower WHERE chain_id = :c", c=chain.id)
            assert state is not None
            marks = Marks(min(state[0], tip.height - 1), state[1])
            self._move_cursor(chain, parent[0], marks)
            legs = [
                (int(case_id), int(leg_id))
                for case_id, leg_id in self.connection.execute(
                    text("SELECT DISTINCT case_id, leg_id FROM entry WHERE block_id = :b AND leg_id IS NOT NULL"),
                    {"b": row[0]},
                )
            ]
            judged = rejudge(legs, marks)
            self._judged(chain, parent[0], judged.verdicts, judged.notices, now)
        return judged

    def note(self, chain: ChainHandle, judged: Judged, marks: Marks, tip: BlockRef, now: int) -> None:
        """Store judgements, alerts and marks that came without a new block."""
        with self.connection.begin():
            row = self._one("SELECT tip_id FROM follower WHERE chain_id = :c", c=chain.id)
            assert row is not None, f"{chain.caip2} is followed from {tip.height}"
            self._move_cursor(chain, row[0], marks)
            self._judged(chain, row[0], judged.verdicts, judged.notices, now)

    def alert(self, chain: ChainHandle, notice: Notice, now: int) -> None:
        """Store an alert about a node or the daemon."""
        with self.connection.begin():
            insert_many(
                self.connection,
                AlertRow,
                ("at", "rule", "severity", "chain_id", "message"),
                [(now, notice.rule, notice.severity, chain.id, notice.message)],
            )

    def set_status(self, chain: ChainHandle, best: BlockRef | None, state: str, message: str, now: int) -> None:
        """Say what the daemon last saw of a node."""
        with self.connection.begin():
            self._run("DELETE FROM follower_status WHERE chain_id = :c", c=chain.id)
            self._run(
                "INSERT INTO follower_status (chain_id, node_height, node_hash, contacted_at, state, message)"
                " VALUES (:c, :height, :hash, :now, :state, :message)",
                c=chain.id,
                height=best.height if best else None,
                hash=best.hash if best else None,
                now=now,
                state=state,
                message=message,
            )


def numbered_of(block: Prepared) -> list[Numbered]:
    """All numbered movements of a block."""
    return [*(n for tx in block.txs for n in tx.moves), *block.loose]


def movement_row(
    chain: ChainHandle, holders: dict[bytes, int], block_id: int, tx_id: int | None, numbered: Numbered
) -> tuple[object, ...]:
    """A movement as the table wants it; the outpoint is kept only where the coin itself is not stored."""
    move = numbered.movement
    return (
        numbered.id,
        block_id,
        int(move.kind),
        tx_id,
        move.index,
        chain.assets[move.asset],
        move.amount,
        holders[move.source] if move.source is not None else None,
        holders[move.target] if move.target is not None else None,
        numbered.spends_id,
        move.spends if numbered.spends_id is None else None,
    )
