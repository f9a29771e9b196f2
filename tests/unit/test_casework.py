"""Casework over random histories: the equation closes, the store reloads to the same state, reorgs undo exactly."""

import shutil
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from trace_audit import digests, hold_to_account

from tracer.casework import Casework, Judged, Prepared
from tracer.chain import Marks, Policy
from tracer.custody.case import Attestation, Case, Document, Institution, Leg, LegKind, Watch
from tracer.errors import CaseRefused
from tracer.store import load
from tracer.store.cases import import_case
from tracer.store.chains import ChainHandle
from tracer.store.interest import InterestReader
from tracer.store.writer import Served, Store
from tracer.taint.boundaries import Limits
from tracer.types import (
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
    Outpoint,
    Role,
    TxFacts,
    outpoint,
)

CHAIN = ChainId("bip122:0f9188f13cb7b2c71f2a335e3a4fc328")
BTC = Asset(AssetId(f"{CHAIN}/slip44:0"), "BTC", 8, AssetKind.NATIVE)
B0 = 3
GENESIS = Hash(bytes(32))
POLICY = Policy(2, 6)


def holder(name: str) -> Holder:
    return Holder(name.encode())


def case(ref: str, roles: dict[str, Role], legs: tuple[Leg, ...] = ()) -> Case:
    watches = tuple(Watch(name, CHAIN, holder(name), role, None, 1) for name, role in roles.items())
    return Case(
        ref,
        ref,
        "none",
        {CHAIN: B0},
        (Institution("i", "I", "AUDIT"),),
        watches,
        (),
        (),
        legs,
        ref.encode().rjust(32, b"\0"),
    )


def leg(ref: str, kind: LegKind, sources: tuple[str, ...], target: str, amount: int, fee: int = 10) -> Leg:
    return Leg(ref, kind, BTC.id, sources, target, amount, 0, fee, None, None)


ALPHA = case(
    "alpha",
    {"s1": Role.SEIZED, "s2": Role.SEIZED, "auth": Role.AUTHORITY, "agent": Role.AGENCY, "exch": Role.EXCHANGE},
    (
        leg("a-secure", LegKind.SECURE, ("s1", "s2"), "auth", 500),
        leg("a-deposit", LegKind.DEPOSIT, ("auth", "agent"), "exch", 400),
    ),
)
BETA = case(
    "beta",
    {"s3": Role.SEIZED, "auth": Role.AUTHORITY, "exch": Role.EXCHANGE},
    (leg("b-deposit", LegKind.DEPOSIT, ("s3", "auth"), "exch", 300),),
)
ALONE = case("alone", {"s1": Role.SEIZED, "auth": Role.AUTHORITY, "exch": Role.EXCHANGE})
NAMES = ["s1", "s2", "s3", "auth", "agent", "exch", "stranger1", "stranger2"]


@dataclass
class Chain:
    """A pretended UTXO chain: what is unspent, and the facts of each block."""

    coins: dict[Outpoint, tuple[str, int]] = field(default_factory=dict)
    height: int = 0
    tip: Hash = GENESIS
    branch: str = "a"

    def block(self, txs: list[tuple[list[Outpoint], list[tuple[str, int]]]]) -> BlockFacts:
        """Facts of the next block; a transaction without inputs makes new coins."""
        self.height += 1
        ref = BlockRef(self.height, Hash(f"{self.branch}{self.height}".encode().rjust(32, b"\0")), self.tip)
        self.tip = ref.hash
        facts = []
        for position, (spends, outputs) in enumerate(txs):
            txid = Hash(f"{self.branch}{self.height}-{position}".encode().rjust(32, b"\1"))
            moves, total = [], 0
            for n, point in enumerate(spends):
                name, amount = self.coins.pop(point)
                total += amount
                moves.append(Movement(Kind.IN, n, BTC.id, amount, holder(name), None, point))
            for n, (name, amount) in enumerate(outputs):
                self.coins[outpoint(txid, n)] = (name, amount)
                moves.append(Movement(Kind.OUT, n, BTC.id, amount, None, holder(name)))
            if spends:
                fee = total - sum(amount for _, amount in outputs)
                moves.append(Movement(Kind.FEE, 0, BTC.id, fee, None, None))
            facts.append(TxFacts(position, txid, b"raw", tuple(moves)))
        return BlockFacts(ref, 1_000 + self.height, bytes(80), tuple(facts))


class Bench:
    """A store with cases, and the casework over it."""

    def __init__(self, store: Store, cases: list[Case]) -> None:
        self.store = store
        self.handle: ChainHandle = store.register_chain(
            CHAIN, "btc", "bitcoin", Hash(b"\1" * 32), POLICY, [BTC], lambda h: h.decode()
        )
        for item in cases:
            assert import_case(store, item, {CHAIN: self.handle}, {CHAIN: Limits(20, 0, 10**6)})
        store.start_chain(self.handle, BlockRef(0, Hash(bytes(32)), Hash(bytes(32))), 0)
        self.interest = InterestReader(store.connection, self.handle)
        self.work = self.fresh()

    def reload(self) -> Casework:
        return load.load_casework(self.store, self.handle, True, BTC, self.interest)

    def fresh(self) -> Casework:
        with self.store.connection.begin():
            return self.reload()

    def connect(self, facts: BlockFacts) -> Prepared:
        done = self.work.connect(facts, Marks(facts.ref.height - 1, facts.ref.height - 5), {})
        self.store.connect(self.handle, [done], 0)
        return done

    def disconnect(self, *refs: BlockRef) -> None:
        """Take blocks, the lowest last, off the chain."""
        fork = BlockRef(refs[-1].height - 1, refs[-1].parent, Hash(bytes(32)))
        self.store.disconnect(self.handle, fork, POLICY, self.rejudge, 0)

    def rejudge(self, served: Served, marks: Marks) -> Judged:
        self.work = self.reload()
        return self.work.judge_again(marks, served)


def state(work: Casework) -> dict[str, Any]:
    """What must survive a restart, without what is only a cache."""
    return {
        "coins": work.coins,
        "books": {
            book.ref: (
                book.opened,
                book.coins,
                {key: units for key, units in book.held.items() if units},
                dict(book.totals.items()),
                {leg.plan.ref: (leg.arrivals, leg.fees, leg.voided) for leg in book.legs},
                book.judged,
            )
            for book in work.books.values()
        },
        "runs": {case: [(t.method, t.coins, t.labels) for t in of] for case, of in work.runs.coins.items()},
    }


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "store.db"
    with Store(path):
        pass
    return path


@pytest.fixture
def benches(template: Path, tmp_path: Path) -> Iterator[Any]:
    opened: list[Store] = []

    def make(cases: list[Case]) -> Bench:
        path = tmp_path / f"{len(opened)}.db"
        shutil.copy(template, path)
        store = Store(path)
        store.__enter__()
        opened.append(store)
        return Bench(store, cases)

    yield make
    for store in opened:
        store.__exit__(None, None, None)


def random_block(draw: st.DrawFn, chain: Chain) -> BlockFacts:
    """Draw a block; later transactions may spend what earlier ones of the same block made."""
    planned: list[tuple[list[Outpoint], list[tuple[str, int]]]] = []
    pool = dict(chain.coins)
    for position in range(draw(st.integers(0, 4))):
        count = draw(st.integers(0, min(3, len(pool))))
        spends = draw(st.permutations(sorted(pool)))[:count] if count else []
        total = sum(pool.pop(point)[1] for point in spends) if spends else draw(st.integers(1, 1_000))
        outputs, left = [], total
        for _ in range(draw(st.integers(1, 3))):
            outputs.append((draw(st.sampled_from(NAMES)), draw(st.integers(0, left))))
            left -= outputs[-1][1]
        planned.append((spends, outputs))
        txid = Hash(f"{chain.branch}{chain.height + 1}-{position}".encode().rjust(32, b"\1"))
        pool.update({outpoint(txid, n): output for n, output in enumerate(outputs)})
    return chain.block(planned)


def same(here: dict[str, Any], there: dict[str, Any]) -> None:
    """Compare two states part by part, so that a difference can be read."""
    assert here["coins"] == there["coins"]
    assert here["runs"] == there["runs"]
    for ref, book in here["books"].items():
        for mine, other in zip(book, there["books"][ref], strict=True):
            assert mine == other, ref


def brief(facts: BlockFacts) -> str:
    """A block for people."""
    txs = [
        "; ".join(f"{m.kind.name} {(m.source or m.target or b'fee').decode()} {m.amount}" for m in tx.movements)
        for tx in facts.transactions
    ]
    return f"block {facts.ref.height}: " + " | ".join(txs)


SLOW = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@SLOW
@given(data=st.data())
def test_a_restart_finds_the_same_state_and_a_reorg_undoes_exactly(benches: Any, data: st.DataObject) -> None:
    bench, chain = benches([ALPHA, BETA]), Chain()
    befores: list[tuple[Chain, dict[str, Any]]] = []
    refs: list[BlockRef] = []
    for _ in range(data.draw(st.integers(4, 9))):
        befores.append((deepcopy(chain), deepcopy(state(bench.work))))
        facts = data.draw(st.composite(random_block)(chain))
        note(brief(facts))
        bench.connect(facts)
        refs.append(facts.ref)
        same(state(bench.work), state(bench.fresh()))
        hold_to_account(bench.store)
    depth = data.draw(st.integers(1, len(refs)))
    together = data.draw(st.integers(1, depth))  # so many blocks leave in one transaction, the others one by one
    for number in range(depth):
        if number == 0:
            bench.disconnect(*reversed(refs[-together:]))
        elif number >= together:
            bench.disconnect(refs[-1])
        refs.pop()
        chain, before = befores.pop()
        if number < together - 1:
            continue
        after = state(bench.work)
        assert (after["coins"], after["runs"]) == (before["coins"], before["runs"])
        for ref, book in after["books"].items():
            assert book[:4] == before["books"][ref][:4]
            assert {name: arrivals for name, (arrivals, _, _) in book[4].items()} == {
                name: arrivals for name, (arrivals, _, _) in before["books"][ref][4].items()
            }
        hold_to_account(bench.store)
    chain.branch = "b"
    for _ in range(depth + 1):
        bench.connect(data.draw(st.composite(random_block)(chain)))
        same(state(bench.work), state(bench.fresh()))
        hold_to_account(bench.store)


@SLOW
@given(data=st.data())
def test_another_case_changes_no_digest_of_a_case(benches: Any, data: st.DataObject) -> None:
    alone, beside, chain = benches([ALPHA]), benches([BETA, ALPHA]), Chain()
    for _ in range(data.draw(st.integers(4, 9))):
        facts = data.draw(st.composite(random_block)(chain))
        note(brief(facts))
        for bench in (alone, beside):
            bench.connect(facts)
        assert digests(alone.store, ALPHA.ref) == digests(beside.store, ALPHA.ref)


@SLOW
@given(data=st.data())
def test_without_legs_the_ledger_equals_a_plain_sum(benches: Any, data: st.DataObject) -> None:
    """Oracle: per transaction, what the held addresses paid less what they got back either left or came in."""
    bench, chain = benches([ALONE]), Chain()
    mine = {"s1", "auth"}
    seized = credits = unexplained = 0
    for _ in range(data.draw(st.integers(3, 9))):
        facts = data.draw(st.composite(random_block)(chain))
        note(brief(facts))
        bench.connect(facts)
        for tx in facts.transactions if facts.ref.height > B0 else ():
            paid = sum(m.amount for m in tx.movements if m.source is not None and m.source.decode() in mine)
            back = sum(m.amount for m in tx.movements if m.target is not None and m.target.decode() in mine)
            unexplained += max(0, paid - back)
            credits += max(0, back - paid)
        if facts.ref.height == B0:
            seized = sum(amount for name, amount in chain.coins.values() if name == "s1")
            credits = sum(amount for name, amount in chain.coins.values() if name == "auth")
        book = next(iter(bench.work.books.values()))
        if facts.ref.height >= B0:
            total = book.total(BTC.id)
            held = sum(amount for name, amount in chain.coins.values() if name in mine)
            assert (total.seized, total.credits, total.held, total.delivered, total.fees, total.unexplained) == (
                seized,
                credits,
                held,
                0,
                0,
                unexplained,
            )


def coin_of(chain: Chain, name: str) -> Outpoint:
    return next(point for point, (owner, _) in chain.coins.items() if owner == name)


def started(benches: Any, cases: list[Case], coins: dict[str, int]) -> tuple[Bench, Chain]:
    bench, chain = benches(cases), Chain()
    bench.connect(chain.block([([], [(name, amount)]) for name, amount in coins.items()]))
    bench.connect(chain.block([]))
    bench.connect(chain.block([]))
    return bench, chain


def totals(bench: Bench, ref: str) -> tuple[int, ...]:
    book = next(book for book in bench.work.books.values() if book.ref == ref)
    t = book.total(BTC.id)
    return (t.seized, t.credits, t.held, t.delivered, t.fees, t.unexplained)


def said(bench: Bench, ref: str) -> str:
    for book in bench.work.books.values():
        for item in book.legs:
            if item.plan.ref == ref:
                return " ".join(book.judged[item.plan.id, BTC.id])
    raise AssertionError(ref)


@pytest.mark.parametrize(("target", "told"), [("auth", []), ("agent", ["KEY-1"])])
def test_a_test_transfer_to_where_coins_are_secured_is_part_of_securing_them(
    benches: Any, target: str, told: list[str]
) -> None:
    tested = replace(ALPHA, legs=(*ALPHA.legs, leg("a-test", LegKind.TEST, ("s1",), target, 5)))
    bench, chain = started(benches, [tested], {"s1": 515})
    done = bench.connect(chain.block([([coin_of(chain, "s1")], [(target, 5), ("s1", 500)])]))
    assert [notice.rule for notice in done.notices] == told


def test_a_leg_closes_and_its_fee_has_a_place(benches: Any) -> None:
    bench, chain = started(benches, [ALPHA], {"s1": 510})
    assert totals(bench, "alpha") == (510, 0, 510, 0, 0, 0)
    bench.connect(chain.block([([coin_of(chain, "s1")], [("auth", 500)])]))
    assert totals(bench, "alpha") == (510, 0, 500, 0, 10, 0)
    assert said(bench, "a-secure") == "NOT_SHOWN arrived, not yet confirmed"
    bench.connect(chain.block([]))
    assert said(bench, "a-secure") == "SHOWN arrived as planned, confirmed"


def test_a_fee_above_its_maximum_is_unexplained_and_contradicts_the_leg(benches: Any) -> None:
    bench, chain = started(benches, [ALPHA], {"s1": 515})
    bench.connect(chain.block([([coin_of(chain, "s1")], [("auth", 500)])]))
    assert totals(bench, "alpha") == (515, 0, 500, 0, 10, 5)
    assert said(bench, "a-secure").startswith("CONTRADICTED fee")


def test_excess_on_a_deposit_has_a_place_but_contradicts_the_leg(benches: Any) -> None:
    bench, chain = started(benches, [ALPHA], {"auth": 460})
    bench.connect(chain.block([([coin_of(chain, "auth")], [("exch", 450)])]))
    assert totals(bench, "alpha") == (0, 460, 0, 450, 10, 0)
    assert said(bench, "a-deposit").startswith("CONTRADICTED excess")


def test_a_payment_that_mixes_cases_is_allocated_by_their_legs(benches: Any) -> None:
    bench, chain = started(benches, [ALPHA, BETA], {"agent": 405, "s3": 305})
    bench.connect(chain.block([([coin_of(chain, "agent"), coin_of(chain, "s3")], [("exch", 400), ("exch", 300)])]))
    assert totals(bench, "alpha") == (0, 405, 0, 400, 5, 0)
    assert totals(bench, "beta") == (305, 0, 0, 300, 5, 0)


def test_change_to_a_shared_address_belongs_to_the_case_that_paid(benches: Any) -> None:
    bench, chain = started(benches, [ALPHA, BETA], {"s3": 500})
    bench.connect(chain.block([([coin_of(chain, "s3")], [("auth", 200), ("exch", 300)])]))
    assert totals(bench, "alpha") == (0, 0, 0, 0, 0, 0)
    assert totals(bench, "beta") == (500, 0, 200, 300, 0, 0)


def test_a_reorg_voids_a_leg_and_mining_it_again_shows_it(benches: Any) -> None:
    bench, chain = started(benches, [ALPHA], {"s1": 510})
    before = deepcopy(chain)
    coin = coin_of(chain, "s1")
    facts = chain.block([([coin], [("auth", 500)])])
    bench.connect(facts)
    bench.disconnect(facts.ref)
    assert said(bench, "a-secure").startswith("NOT_SHOWN voided by reorg")
    assert totals(bench, "alpha") == (510, 0, 510, 0, 0, 0)
    before.branch = "b"
    bench.connect(before.block([([coin], [("auth", 500)])]))
    bench.connect(before.block([]))
    assert said(bench, "a-secure") == "SHOWN arrived as planned, confirmed"


def test_a_chain_that_flips_back_to_a_stored_branch_finds_its_rows_again(benches: Any) -> None:
    bench, chain = started(benches, [ALPHA], {"s1": 510})
    facts = chain.block([([coin_of(chain, "s1")], [("auth", 500)])])
    bench.connect(facts)
    there = deepcopy(state(bench.work))
    bench.disconnect(facts.ref)
    bench.store.reconnect(bench.handle, [facts.ref], Marks(3, 0), bench.rejudge, 0)
    assert state(bench.work) == there


def every_total(bench: Bench) -> dict[str, tuple[int, ...]]:
    return {book.ref: totals(bench, book.ref) for book in bench.work.books.values()}


def test_one_output_is_delivered_for_one_case_and_the_rest_is_unexplained(benches: Any) -> None:
    bench, chain = started(benches, [ALPHA, BETA], {"agent": 405, "s3": 305})
    spends = [coin_of(chain, "agent"), coin_of(chain, "s3")]
    bench.connect(chain.block([(spends, [("exch", 400), ("stranger1", 300)])]))
    found = every_total(bench)
    assert found["alpha"] == (0, 405, 0, 400, 5, 0)
    assert found["beta"] == (305, 0, 0, 0, 0, 305)


def test_a_strangers_coin_on_a_shared_address_is_nobodys(benches: Any) -> None:
    bench, chain = started(benches, [ALPHA, BETA], {"s1": 510, "s3": 300})
    bench.connect(chain.block([([coin_of(chain, "s1")], [("auth", 500)])]))
    done = bench.connect(chain.block([([], [("auth", 1)])]))
    assert {notice.rule for notice in done.notices} == {"LEG-2"}
    both = [point for point, (owner, _) in chain.coins.items() if owner == "auth"]
    bench.connect(chain.block([(both, [("exch", 400), ("auth", 96)])]))
    assert every_total(bench)["beta"] == (300, 0, 300, 0, 0, 0)


TIED = case(
    "tied",
    {"s1": Role.SEIZED, "auth": Role.AUTHORITY, "exch": Role.EXCHANGE},
    (
        leg("test", LegKind.TEST, ("s1",), "auth", 10),
        leg("main", LegKind.SECURE, ("s1",), "auth", 490),
        leg("d1", LegKind.DEPOSIT, ("auth",), "exch", 100),
        leg("d2", LegKind.DEPOSIT, ("auth",), "exch", 100),
    ),
)


def test_of_legs_without_deadlines_the_one_that_wants_just_this_amount_is_meant(benches: Any) -> None:
    bench, chain = started(benches, [TIED], {"s1": 520})
    bench.connect(chain.block([([coin_of(chain, "s1")], [("auth", 10), ("s1", 500)])]))
    bench.connect(chain.block([([coin_of(chain, "s1")], [("auth", 490)])]))
    assert (said(bench, "test"), said(bench, "main")) == (
        "SHOWN arrived as planned, confirmed",
        "NOT_SHOWN arrived, not yet confirmed",
    )


def test_a_payment_that_several_legs_want_alike_is_called_ambiguous(benches: Any) -> None:
    bench, chain = started(benches, [TIED], {"auth": 100})
    done = bench.connect(chain.block([([coin_of(chain, "auth")], [("exch", 100)])]))
    assert [(e.place.value, e.reason, e.amount) for _, _, e in done.entries] == [
        ("unexplained", "ambiguous: several legs fit", 100)
    ]


def naming(*points: Outpoint) -> Case:
    whole = case("named", {"s1": Role.SEIZED})
    return replace(whole, watches=tuple(replace(watch, outpoints=points) for watch in whole.watches))


def test_where_seized_coins_are_named_other_coins_of_the_address_are_not_the_cases(benches: Any) -> None:
    seized = outpoint(Hash(b"a1-0".rjust(32, b"\1")), 0)
    bench, chain = benches([naming(seized)]), Chain()
    bench.connect(chain.block([([], [("s1", 100)]), ([], [("s1", 70)])]))
    bench.connect(chain.block([]))
    bench.connect(chain.block([]))
    assert totals(bench, "named") == (100, 0, 100, 0, 0, 0)
    other = next(point for point, (_, amount) in chain.coins.items() if amount == 70)
    bench.connect(chain.block([([other], [("stranger1", 70)]), ([], [("s1", 5)])]))
    assert totals(bench, "named") == (100, 0, 100, 0, 0, 0)
    assert state(bench.work) == state(bench.fresh())


def test_a_named_seized_coin_that_is_not_there_is_said_to_be_missing(benches: Any) -> None:
    bench, chain = benches([naming(outpoint(Hash(b"nope".rjust(32, b"\1")), 0))]), Chain()
    for _ in range(3):
        done = bench.connect(chain.block([]))
    assert [notice.rule for notice in done.notices] == ["SEIZE-1"]
    assert [judgement.verdict.value for _, _, _, judgement in done.verdicts] == ["NOT_SHOWN"]
    assert next(iter(bench.fresh().books.values())).missing


def test_a_leg_is_credited_only_with_what_the_case_itself_paid(benches: Any) -> None:
    bench, chain = started(benches, [ALPHA], {"agent": 10, "stranger1": 400})
    spends = [coin_of(chain, "agent"), coin_of(chain, "stranger1")]
    bench.connect(chain.block([(spends, [("exch", 400), ("stranger2", 5)])]))
    assert totals(bench, "alpha") == (0, 10, 0, 10, 0, 0)
    assert said(bench, "a-deposit") == "NOT_SHOWN part of the amount has arrived"


def test_strangers_cannot_contradict_a_gas_leg_by_paying_more(benches: Any) -> None:
    gas = case("g", {"s1": Role.SEIZED}, (leg("gas", LegKind.GAS, (), "s1", 100, 0),))
    bench, chain = started(benches, [gas], {"s1": 500})
    bench.connect(chain.block([([], [("s1", 100)])]))
    bench.connect(chain.block([([], [("s1", 1)])]))
    assert said(bench, "gas").startswith("SHOWN")
    assert totals(bench, "g") == (500, 101, 601, 0, 0, 0)


def test_each_arrival_may_rest_on_its_own_attestation(benches: Any) -> None:
    papers = (Document("p", "P", b"\1" * 32),)
    spoken = (Attestation("exch", "i", "p", 0, 1004), Attestation("exch", "i", "p", 1005, None))
    bench, chain = started(benches, [replace(ALPHA, documents=papers, attestations=spoken)], {"auth": 410})
    bench.connect(chain.block([([coin_of(chain, "auth")], [("exch", 200), ("auth", 210)])]))
    bench.connect(chain.block([([coin_of(chain, "auth")], [("exch", 200), ("auth", 5)])]))
    bench.connect(chain.block([]))
    assert said(bench, "a-deposit").startswith("SHOWN")


@pytest.mark.parametrize(
    ("kind", "sources", "target"),
    [
        (LegKind.RETURN, ("exch",), "owner"),
        (LegKind.DEPOSIT, (), "exch"),
        (LegKind.DEPOSIT, ("s1",), "s1"),
        (LegKind.SECURE, ("s1",), "exch"),
    ],
)
def test_a_leg_that_its_kind_cannot_have_is_refused(
    benches: Any, kind: LegKind, sources: tuple[str, ...], target: str
) -> None:
    roles = {"s1": Role.SEIZED, "exch": Role.EXCHANGE, "owner": Role.REFUND}
    with pytest.raises(CaseRefused, match="leg x: a"):
        benches([case("c", roles, (leg("x", kind, sources, target, 5),))])


def test_a_later_file_may_add_to_a_case_but_change_nothing(benches: Any) -> None:
    bench, chain = started(benches, [ALONE], {"s1": 510})
    chains = {CHAIN: bench.handle}
    young = Watch("vault", CHAIN, holder("vault"), Role.AUTHORITY, "i", 50)
    grown = replace(
        ALONE,
        watches=(*ALONE.watches, young),
        documents=(Document("p", "P", b"\1" * 32),),
        attestations=(Attestation("exch", "i", "p", 0, None),),
        legs=(leg("pay", LegKind.DEPOSIT, ("s1",), "exch", 500),),
        source_sha256=b"2" * 32,
    )
    assert import_case(bench.store, grown, chains)
    assert not import_case(bench.store, grown, chains)
    assert not import_case(bench.store, ALONE, chains)
    bench.interest = InterestReader(bench.store.connection, bench.handle)
    bench.work = bench.fresh()
    bench.connect(chain.block([]))
    assert said(bench, "pay") == "NOT_SHOWN nothing arrived yet"
    bench.connect(chain.block([([coin_of(chain, "s1")], [("exch", 500)])]))
    bench.connect(chain.block([]))
    assert said(bench, "pay") == "SHOWN arrived as planned, confirmed"
    again = replace(grown, source_sha256=b"3" * 32)
    for other, what in (
        (replace(again, title="other"), "title"),
        (replace(again, watches=again.watches[1:]), "watch s1"),
        (replace(again, legs=(replace(again.legs[0], amount=7),)), "leg pay"),
        (replace(again, attestations=()), "attestation of exch"),
        (replace(again, seizures={}), "seizure height"),
    ):
        with pytest.raises(CaseRefused, match=what):
            import_case(bench.store, other, chains)
    rows = bench.store.connection.exec_driver_sql("SELECT count(*) FROM case_import").scalar()
    bench.store.connection.rollback()
    assert rows == 2
    old = replace(young, ref="old", holder=holder("old"), birth=1)
    assert import_case(bench.store, replace(again, watches=(*again.watches, old)), chains)
    waits = bench.store.connection.exec_driver_sql("SELECT case_ref, from_height, state FROM v_backfill").all()
    bench.store.connection.rollback()
    assert [tuple(row) for row in waits] == [("alone", 1, "waiting")]
