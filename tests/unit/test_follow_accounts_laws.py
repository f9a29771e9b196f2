"""Laws of following accounts, over random payments played into stores: what is stored depends on the chain alone."""

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trace_audit import digests, hold_to_account

from tracer.casework import Casework, Judged
from tracer.chain import Marks, Policy
from tracer.custody.case import Case, Watch
from tracer.store import load
from tracer.store.cases import import_case
from tracer.store.interest import InterestReader
from tracer.store.writer import Served, Store
from tracer.taint.boundaries import Limits
from tracer.types import (
    HELD_ROLES,
    Asset,
    AssetId,
    AssetKind,
    BlockFacts,
    BlockRef,
    ChainId,
    Hash,
    Holder,
    Kind,
    Movement,
    Role,
    TxFacts,
)

CHAIN = ChainId("eip155:31337")
ETH = Asset(AssetId(f"{CHAIN}/slip44:60"), "ETH", 18, AssetKind.NATIVE)
USD = Asset(AssetId(f"{CHAIN}/erc20:0x{'11' * 20}"), "USD", 6, AssetKind.LISTED)
ROLES = {"loot": Role.SEIZED, "more": Role.SEIZED, "agency": Role.AGENCY, "exchange": Role.EXCHANGE}
OTHER = {"ours": Role.SEIZED, "agency": Role.AGENCY, "x": Role.EXCHANGE}
NAMES = [*ROLES, "ours", "x", "y", "z", "pool"]
POLICY = Policy(1, 50)
Balances = Counter[tuple[str, str]]


def account(name: str) -> Holder:
    return Holder(name.encode().rjust(20, b"\1"))


def case(ref: str, roles: dict[str, Role]) -> Case:
    watches = tuple(Watch(name, CHAIN, account(name), role, None, 1) for name, role in roles.items())
    return Case(ref, ref, "none", {CHAIN: 1}, (), watches, (), (), (), ref.encode().rjust(32, b"\0"))


Block = tuple[list[list[Movement]], Balances]
"""Its transactions with all their movements, and what everybody held before it."""


@st.composite
def blocks(draw: st.DrawFn, held: Balances) -> Block:
    """Draw a block in which nobody pays more than he has; updates `held`."""
    before, txs = Counter(held), []
    for _ in range(draw(st.integers(0, 4))):
        payer = draw(st.sampled_from(NAMES))
        gas = draw(st.integers(0, min(3, held[payer, ETH.id])))
        moves = [Movement(Kind.FEE, 0, ETH.id, gas, account(payer), None)]
        held[payer, ETH.id] -= gas
        for index in range(draw(st.integers(0, 3))):
            asset = draw(st.sampled_from([ETH, USD]))
            source = draw(st.sampled_from([payer, payer, "pool"]))
            target = draw(st.sampled_from(NAMES))
            amount = draw(st.integers(0, held[source, asset.id]))
            kind = Kind.TRACE if asset is ETH else Kind.LOG
            moves.append(Movement(kind, len(txs) * 10 + index, asset.id, amount, account(source), account(target)))
            held[source, asset.id] -= amount
            held[target, asset.id] += amount
        txs.append([moves[0], *sorted(moves[1:], key=lambda move: (move.kind, move.index))])
    return txs, before


class Bench:
    """A store whose follower plays the loop of `watchers.reach` on a world that is known; forgetful: as if restarted
    before every block."""

    def __init__(self, path: Path, cases: list[Case], *, forgetful: bool = False) -> None:
        self.store = Store(path)
        self.store.__enter__()
        self.forgetful = forgetful
        self.handle = self.store.register_chain(
            CHAIN, "eth", "ethereum", Hash(b"\1" * 32), POLICY, [ETH, USD], lambda h: h.decode().strip("\1")
        )
        for item in cases:
            import_case(self.store, item, {CHAIN: self.handle}, {CHAIN: Limits(4, 2, 10)})
        self.store.start_chain(self.handle, BlockRef(0, Hash(bytes(32)), Hash(bytes(32))), 0)
        self.interest = InterestReader(self.store.connection, self.handle)
        self.watched = {watch.holder for item in cases for watch in item.watches}
        self.watching = set(self.watched)
        with self.store.connection.begin():
            self.work = self.reload()

    def reload(self) -> Casework:
        return load.load_casework(self.store, self.handle, False, ETH, self.interest)

    def connect(self, ref: BlockRef, block: Block, after: Balances) -> None:
        txs, before = block
        if self.forgetful:
            with self.store.connection.begin():
                self.work = self.reload()
            self.watching = self.watched | self.work.runs.followed
        asked: dict[Any, int] = {}
        while True:
            facts = self.scan(ref, txs)
            ahead = self.work.look_ahead(facts, asked)
            fresh = ahead.holders - self.watching
            self.watching |= ahead.holders
            asked |= {key: before[key[0].decode().strip("\1"), key[1]] for key in ahead.unknown}
            if not fresh and not ahead.unknown:
                break
        opening = {
            (book.case_id, account(name), asset): amount
            for book in self.work.books.values()
            for (name, asset), amount in after.items()
            if ref.height == 1 and amount
            if any(i.case_id == book.case_id and i.role in HELD_ROLES for i in self.interest(account(name)))
        }
        done = self.work.connect(facts, Marks(ref.height, 0), opening, {}, asked)
        self.store.connect(self.handle, [done], 0)

    def scan(self, ref: BlockRef, txs: list[list[Movement]]) -> BlockFacts:
        found = []
        for n, moves in enumerate(txs):
            mine = tuple(m for m in moves if m.source in self.watching or m.target in self.watching)
            if mine:
                found.append(TxFacts(n, Hash(ref.hash[:-1] + bytes([n])), b"raw", mine))
        return BlockFacts(ref, 1_000 + ref.height, b"h", tuple(found))

    def rejudge(self, served: Served, marks: Marks) -> Judged:
        self.work = self.reload()
        return self.work.judge_again(marks, served)

    def step_back(self, fork: BlockRef) -> None:
        self.store.disconnect(self.handle, fork, POLICY, self.rejudge, 0)

    def return_to(self, refs: list[BlockRef]) -> None:
        self.store.reconnect(self.handle, refs, Marks(refs[-1].height, 0), self.rejudge, 0)

    def rows(self) -> list[Any]:
        sql = (
            "SELECT b.height, m.kind, m.idx, m.amount, a.symbol, hex(s.key), hex(t.key) FROM movement m"
            " JOIN block b ON b.id = m.block_id AND b.canonical JOIN asset a ON a.id = m.asset_id"
            " LEFT JOIN holder s ON s.id = m.source_id LEFT JOIN holder t ON t.id = m.target_id ORDER BY 1, 2, 3, 6"
        )
        with self.store.connection.begin():
            return [tuple(row) for row in self.store.connection.exec_driver_sql(sql)]

    def state(self) -> Any:
        return {
            case: [(trace.method, trace.labels, trace.accounts) for trace in traces]
            for case, traces in self.work.runs.accounts.items()
        }

    def reloaded(self) -> Any:
        running = self.work
        with self.store.connection.begin():
            self.work = self.reload()
        found, self.work = self.state(), running
        return found


def ref_after(tip: BlockRef, branch: str) -> BlockRef:
    return BlockRef(tip.height + 1, Hash(f"{branch}{tip.height + 1}".encode().rjust(31, b"\0") + b"\xff"), tip.hash)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Any]:
    opened: list[Bench] = []

    def make(cases: list[Case], **more: bool) -> Bench:
        opened.append(Bench(tmp_path / f"{len(opened)}.db", cases, **more))
        return opened[-1]

    yield make
    for bench in opened:
        bench.store.__exit__(None, None, None)


SLOW = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
BEGIN = Counter({(name, asset): 40 for name in NAMES for asset in (ETH.id, USD.id)})


@SLOW
@given(data=st.data())
def test_following_accounts_survives_restarts_and_reorgs_and_equals_tracing_at_once(
    folder: Any, data: st.DataObject
) -> None:
    steady, forgetful = (folder([case("c", ROLES)], forgetful=of) for of in (False, True))
    world, tip = Counter(BEGIN), BlockRef(0, Hash(bytes(32)), Hash(bytes(32)))
    path: list[tuple[BlockRef, Balances]] = [(tip, deepcopy(world))]

    def grow(branch: str) -> None:
        block = ([], Counter(world)) if path[-1][0].height == 0 else data.draw(blocks(world))
        ref = ref_after(path[-1][0], branch)
        for bench in (steady, forgetful):
            bench.connect(ref, block, world)
            hold_to_account(bench.store)
            assert bench.state() == bench.reloaded()
        assert steady.rows() == forgetful.rows()
        assert steady.state() == forgetful.state()
        path.append((ref, deepcopy(world)))

    for _ in range(data.draw(st.integers(3, 7))):
        grow("a")
    depth = data.draw(st.integers(1, len(path) - 2))
    left, said = [ref for ref, _ in path[-depth:]], steady.state()
    del path[-depth:]
    for bench in (steady, forgetful):
        bench.step_back(path[-1][0])
        hold_to_account(bench.store)
    if data.draw(st.booleans()):
        for bench in (steady, forgetful):
            bench.return_to(left)
            hold_to_account(bench.store)
            assert bench.state() == said
        return
    world = deepcopy(path[-1][1])
    for _ in range(depth + 1):
        grow("b")


@SLOW
@given(data=st.data())
def test_another_case_changes_no_digest_of_a_case_on_accounts(folder: Any, data: st.DataObject) -> None:
    alone, beside = folder([case("c", ROLES)]), folder([case("d", OTHER), case("c", ROLES)])
    world, tip = Counter(BEGIN), BlockRef(0, Hash(bytes(32)), Hash(bytes(32)))
    for _ in range(data.draw(st.integers(3, 7))):
        block = ([], Counter(world)) if tip.height == 0 else data.draw(blocks(world))
        tip = ref_after(tip, "a")
        for bench in (alone, beside):
            bench.connect(tip, block, world)
            hold_to_account(bench.store)
        assert digests(alone.store, "c") == digests(beside.store, "c")
