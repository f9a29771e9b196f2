"""Casework on an account chain: pooled balances, gas, tokens, contracts in between, and accounts that cases share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trace_audit import hold_to_account

from tracer.casework import Casework
from tracer.chain import Marks, Policy
from tracer.custody.case import Case, Leg, LegKind, Watch
from tracer.pending import judge_pending
from tracer.store import load
from tracer.store.cases import import_case
from tracer.store.interest import InterestReader
from tracer.store.writer import Store
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
    Lane,
    Movement,
    Role,
    TxFacts,
)
from tracer.value import Standing

CHAIN = ChainId("eip155:31337")
ETH = Asset(AssetId(f"{CHAIN}/slip44:60"), "ETH", 18, AssetKind.NATIVE)
USD = Asset(AssetId(f"{CHAIN}/erc20:0x{'11' * 20}"), "USD", 6, AssetKind.LISTED)
FAKE = Asset(AssetId(f"{CHAIN}/erc20:0x{'22' * 20}"), "", 0, AssetKind.UNLISTED)


def account(name: str) -> Holder:
    return Holder(name.encode().rjust(20, b"\0"))


def case(ref: str, roles: dict[str, Role], legs: tuple[Leg, ...] = ()) -> Case:
    watches = tuple(Watch(name, CHAIN, account(name), role, None, 1) for name, role in roles.items())
    return Case(ref, ref, "none", {CHAIN: 1}, (), watches, (), (), legs, ref.encode().rjust(32, b"\0"))


def leg(ref: str, kind: LegKind, sources: tuple[str, ...], target: str, asset: Asset, amount: int, fee: int) -> Leg:
    return Leg(ref, kind, asset.id, sources, target, amount, 0, fee, None, None)


class Bench:
    """One account chain: its store, its casework, and what every account holds."""

    def __init__(self, store: Store, cases: list[Case], opening: dict[tuple[str, Asset], int]) -> None:
        self.store = store
        self.handle = store.register_chain(
            CHAIN, "eth", "ethereum", Hash(b"\1" * 32), Policy(1, 2), [ETH, USD], lambda h: h.decode().strip("\0")
        )
        for item in cases:
            import_case(store, item, {CHAIN: self.handle})
        store.start_chain(self.handle, BlockRef(0, Hash(bytes(32)), Hash(bytes(32))), 0)
        self.interest = InterestReader(store.connection, self.handle)
        self.work = self.fresh()
        self.height, self.tip = 0, Hash(bytes(32))
        asked = {
            (case_id, account(name), asset.id): amount
            for case_id, book in self.work.books.items()
            for (name, asset), amount in opening.items()
            if any(i.case_id == case_id and i.role in HELD_ROLES for i in self.interest(account(name)))
        }
        self.block([], asked)

    def fresh(self) -> Casework:
        with self.store.connection.begin():
            return load.load_casework(self.store, self.handle, False, ETH, self.interest)

    def block(self, txs: list[list[Movement]], balances: Any = None) -> None:
        self.height += 1
        ref = BlockRef(self.height, Hash(f"b{self.height}".encode().rjust(32, b"\0")), self.tip)
        self.tip = ref.hash
        facts = BlockFacts(
            ref,
            1_000 + self.height,
            b"h",
            tuple(
                TxFacts(n, Hash(f"t{self.height}-{n}".encode().rjust(32, b"\0")), b"raw", tuple(moves))
                for n, moves in enumerate(txs)
            ),
            (),
            (FAKE,) if any(m.asset == FAKE.id for t in txs for m in t) else (),
        )
        self.done = self.work.connect(facts, Marks(self.height, self.height - 1), balances or {})
        self.store.connect(self.handle, [self.done], 0)
        hold_to_account(self.store)

    def totals(self, ref: str, asset: Asset) -> tuple[int, ...]:
        book = next(book for book in self.work.books.values() if book.ref == ref)
        t = book.total(asset.id)
        return (t.seized, t.credits, t.held, t.delivered, t.fees, t.unexplained)

    def reason(self, ref: str) -> str:
        return next(
            " ".join(book.judged[item.plan.id, item.plan.asset])
            for book in self.work.books.values()
            for item in book.legs
            if item.plan.ref == ref
        )


@pytest.fixture
def benches(tmp_path: Path) -> Iterator[Any]:
    opened: list[Store] = []

    def make(cases: list[Case], opening: dict[tuple[str, Asset], int]) -> Bench:
        store = Store(tmp_path / f"{len(opened)}.db")
        store.__enter__()
        opened.append(store)
        return Bench(store, cases, opening)

    yield make
    for store in opened:
        store.__exit__(None, None, None)


def fee(payer: str, amount: int) -> Movement:
    return Movement(Kind.FEE, 0, ETH.id, amount, account(payer), None)


def ether(index: int, source: str, target: str, amount: int) -> Movement:
    return Movement(Kind.TRACE, index, ETH.id, amount, account(source), account(target))


def token(index: int, source: str, target: str, amount: int, asset: Asset = USD) -> Movement:
    return Movement(Kind.LOG, index, asset.id, amount, account(source), account(target))


ROLES = {"seized": Role.SEIZED, "auth": Role.AUTHORITY, "exch": Role.EXCHANGE}


def test_a_deposit_through_a_contract_reaches_its_leg(benches: Any) -> None:
    legs = (leg("d", LegKind.DEPOSIT, ("seized",), "exch", ETH, 500, 50),)
    bench = benches([case("c", ROLES, legs)], {("seized", ETH): 1_000})
    bench.block([[fee("seized", 30), ether(0, "seized", "contract", 500), ether(1, "contract", "exch", 500)]])
    assert bench.totals("c", ETH) == (1_000, 0, 470, 500, 30, 0)
    assert bench.reason("d").startswith("NOT_SHOWN no attestation")


def test_gas_for_a_token_leg_is_paid_in_ether_under_the_legs_maximum(benches: Any) -> None:
    legs = (
        leg("top-up", LegKind.GAS, (), "seized", ETH, 100, 0),
        leg("secure", LegKind.SECURE, ("seized",), "auth", USD, 700, 60),
    )
    bench = benches([case("c", ROLES, legs)], {("seized", USD): 700})
    bench.block([[ether(0, "stranger", "seized", 100)]])
    bench.block([[fee("seized", 60), token(0, "seized", "auth", 700)]])
    assert bench.totals("c", USD) == (700, 0, 700, 0, 0, 0)
    assert bench.totals("c", ETH) == (0, 100, 40, 0, 60, 0)
    assert bench.reason("top-up") == "SHOWN arrived as planned, final"
    assert bench.reason("secure") == "SHOWN arrived as planned, confirmed"


def test_a_failed_transaction_costs_a_fee_that_no_leg_explains(benches: Any) -> None:
    bench = benches([case("c", ROLES)], {("seized", ETH): 1_000})
    bench.block([[fee("seized", 25)]])
    assert bench.totals("c", ETH) == (1_000, 0, 975, 0, 0, 25)


def test_what_a_contract_returns_in_the_same_transaction_is_not_a_loss(benches: Any) -> None:
    bench = benches([case("c", ROLES)], {("seized", ETH): 1_000})
    bench.block([[ether(0, "seized", "contract", 300), ether(1, "contract", "seized", 300)]])
    assert bench.totals("c", ETH) == (1_000, 0, 1_000, 0, 0, 0)


def test_fake_tokens_and_zero_transfers_raise_an_alert_and_move_nothing(benches: Any) -> None:
    bench = benches([case("c", ROLES)], {("seized", USD): 700})
    bench.block([[token(0, "seized", "thief", 700, FAKE)], [token(1, "seized", "look-alike", 0)]])
    assert bench.totals("c", USD) == (700, 0, 700, 0, 0, 0)
    assert [notice.rule for notice in bench.done.notices] == ["LEG-3", "LEG-3"]


ALPHA = case(
    "alpha",
    {"pool": Role.AUTHORITY, "a": Role.SEIZED, "exch": Role.EXCHANGE},
    (
        leg("a-in", LegKind.SECURE, ("a",), "pool", ETH, 100, 0),
        leg("a-out", LegKind.DEPOSIT, ("pool",), "exch", ETH, 100, 0),
    ),
)
BETA = case("beta", {"pool": Role.AUTHORITY, "b": Role.SEIZED})


def test_a_shared_account_is_debited_for_the_case_whose_leg_the_payment_serves(benches: Any) -> None:
    bench = benches([ALPHA, BETA], {("a", ETH): 100, ("b", ETH): 40})
    bench.block([[ether(0, "a", "pool", 100)], [ether(0, "b", "pool", 40)]])
    bench.block([[ether(0, "pool", "exch", 100)]])
    assert bench.totals("alpha", ETH) == (100, 0, 0, 100, 0, 0)
    assert bench.totals("beta", ETH) == (40, 0, 40, 0, 0, 0)


def test_a_leak_from_a_shared_account_is_ambiguous_for_both_cases(benches: Any) -> None:
    bench = benches([ALPHA, BETA], {("a", ETH): 100, ("b", ETH): 40})
    bench.block([[ether(0, "a", "pool", 100)], [ether(0, "b", "pool", 40)]])
    bench.block([[ether(0, "pool", "thief", 30)]])
    for ref in ("alpha", "beta"):
        assert bench.totals(ref, ETH)[-1] == 30
    assert {entry.reason for _, _, entry in bench.done.entries} == {"ambiguous: several cases share the payer"}


NAMES = ["seized", "auth", "exch", "stranger", "contract"]
moves = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(0, 500), st.booleans())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    blocks=st.lists(
        st.lists(st.tuples(st.lists(moves, max_size=4), st.sampled_from(NAMES), st.integers(0, 9)), max_size=3),
        max_size=5,
    )
)
def test_without_legs_the_ledger_follows_the_balances(benches: Any, blocks: Any) -> None:
    """Oracle: balances of the held accounts, summed plainly; per transaction what left net is unexplained."""
    start = {(name, asset): 10**6 for name in ("seized", "auth") for asset in (ETH, USD)}
    bench = benches([case("c", ROLES)], start)
    held = {"seized", "auth"}
    holds = {ETH.id: 2 * 10**6, USD.id: 2 * 10**6}
    credits = {ETH.id: 10**6, USD.id: 10**6}
    lost = {ETH.id: 0, USD.id: 0}
    for block in blocks:
        txs = []
        for items, payer, cost in block:
            tx = [fee(payer, cost)]
            tx += [token(n, s, t, v) if is_token else ether(n, s, t, v) for n, (s, t, v, is_token) in enumerate(items)]
            txs.append(tx)
            for asset in (ETH.id, USD.id):
                net = sum(
                    (item.amount if item.target in map(account, held) else 0)
                    - (item.amount if item.source in map(account, held) else 0)
                    for item in tx
                    if item.asset == asset
                )
                holds[asset] += net
                credits[asset] += max(0, net)
                lost[asset] += max(0, -net)
        bench.block(txs)
    for asset in (ETH, USD):
        assert bench.totals("c", asset) == (10**6, credits[asset.id], holds[asset.id], 0, 0, lost[asset.id])
    restarted = next(iter(bench.fresh().books.values()))
    book = next(iter(bench.work.books.values()))
    assert (restarted.held, restarted.totals, restarted.judged) == (book.held, book.totals, book.judged)


def held(bench: Bench, name: str, asset: Asset = ETH) -> dict[str, int]:
    return {book.ref: book.held.get((account(name), asset.id), 0) for book in bench.work.books.values()}


BETA_TOO = case(
    "beta",
    {"pool": Role.AUTHORITY, "b": Role.SEIZED, "exch": Role.EXCHANGE},
    (
        leg("b-in", LegKind.SECURE, ("b",), "pool", ETH, 100, 0),
        leg("b-out", LegKind.DEPOSIT, ("pool",), "exch", ETH, 100, 0),
    ),
)


def test_one_payment_never_fulfils_the_legs_of_two_cases(benches: Any) -> None:
    bench = benches([ALPHA, BETA_TOO], {("a", ETH): 100, ("b", ETH): 100})
    bench.block([[ether(0, "a", "pool", 100)], [ether(0, "b", "pool", 100)]])
    bench.block([[ether(0, "pool", "exch", 100)]])
    assert [bench.totals(ref, ETH)[3] for ref in ("alpha", "beta")] == [0, 0]
    assert [bench.totals(ref, ETH)[5] for ref in ("alpha", "beta")] == [100, 100]


def test_a_case_pays_from_a_shared_account_only_what_it_holds_there(benches: Any) -> None:
    bench = benches([ALPHA, BETA], {("a", ETH): 100, ("b", ETH): 40})
    bench.block([[ether(0, "a", "pool", 60)], [ether(0, "b", "pool", 40)]])
    bench.block([[ether(0, "pool", "exch", 100)]])
    assert held(bench, "pool") == {"alpha": 0, "beta": 0}
    assert bench.totals("alpha", ETH)[3] + bench.totals("beta", ETH)[5] == 100


def test_an_address_that_pays_more_than_it_was_seen_to_hold_is_doubted(benches: Any) -> None:
    legs = (leg("d", LegKind.DEPOSIT, ("seized",), "exch", ETH, 500, 0),)
    bench = benches([case("c", ROLES, legs)], {("seized", ETH): 100})
    bench.block([[ether(0, "seized", "exch", 500)]])
    verdict, reason = next(iter(bench.work.books.values())).judged[None, ETH.id]
    assert (verdict, "was not observed" in reason) == ("NOT_SHOWN", True)


def test_a_payment_of_one_case_is_no_gas_of_another(benches: Any) -> None:
    gas = case("beta", {"pool": Role.AUTHORITY, "b": Role.SEIZED}, (leg("b-gas", LegKind.GAS, (), "pool", ETH, 5, 0),))
    bench = benches([ALPHA, gas], {("a", ETH): 100, ("b", ETH): 40})
    bench.block([[ether(0, "a", "pool", 100)]])
    assert bench.totals("beta", ETH) == (40, 0, 40, 0, 0, 0)


def test_one_top_up_is_counted_once(benches: Any) -> None:
    cases = [
        case(ref, {"pool": Role.AUTHORITY}, (leg(f"{ref}-gas", LegKind.GAS, (), "pool", ETH, 5, 0),))
        for ref in ("alpha", "beta")
    ]
    bench = benches(cases, {})
    bench.block([[ether(0, "stranger", "pool", 5)]])
    assert [bench.totals(ref, ETH) for ref in ("alpha", "beta")] == [(0, 0, 0, 0, 0, 0)] * 2
    assert {notice.rule for notice in bench.done.notices} == {"LEG-2"}


@pytest.mark.parametrize("back", [("contract", "exch"), ("contract", "seized")])
def test_the_first_hop_is_known_where_a_contract_keeps_a_part(benches: Any, back: tuple[str, str]) -> None:
    legs = (leg("d", LegKind.DEPOSIT, ("seized",), "exch", ETH, 300, 50),)
    bench = benches([case("c", ROLES, legs)], {("seized", ETH): 1_000})
    bench.block([[ether(0, "seized", "contract", 500), ether(1, *back, 300)]])
    lost = [(e.holder, e.amount) for _, _, e in bench.done.entries if e.place.value == "unexplained"]
    assert lost == [(account("contract"), 200)]


def test_an_exchange_address_may_forward_in_the_same_transaction(benches: Any) -> None:
    legs = (leg("d", LegKind.DEPOSIT, ("seized",), "exch", ETH, 500, 50),)
    bench = benches([case("c", ROLES, legs)], {("seized", ETH): 1_000})
    bench.block([[fee("seized", 30), ether(0, "seized", "exch", 500), ether(1, "exch", "hot", 500)]])
    assert bench.totals("c", ETH) == (1_000, 0, 470, 500, 30, 0)


def test_legs_in_a_row_and_side_by_side_fit_into_one_transaction(benches: Any) -> None:
    roles = {"s1": Role.SEIZED, "s2": Role.SEIZED, "agency": Role.AGENCY, "exch": Role.EXCHANGE}
    legs = (
        leg("one", LegKind.SECURE, ("s1",), "agency", USD, 300, 0),
        leg("two", LegKind.SECURE, ("s2",), "agency", USD, 200, 0),
        leg("out", LegKind.DEPOSIT, ("agency",), "exch", USD, 500, 0),
    )
    bench = benches([case("c", roles, legs)], {("s1", USD): 300, ("s2", USD): 200})
    bench.block([[token(0, "s1", "agency", 300), token(1, "s2", "agency", 200), token(2, "agency", "exch", 500)]])
    assert bench.totals("c", USD) == (500, 0, 0, 500, 0, 0)
    assert [bench.reason(ref) for ref in ("one", "two")] == ["SHOWN arrived as planned, confirmed"] * 2


def test_a_deposit_is_not_fulfilled_by_a_contracts_own_money(benches: Any) -> None:
    legs = (leg("d", LegKind.DEPOSIT, ("seized",), "exch", ETH, 500, 50),)
    bench = benches([case("c", ROLES, legs)], {("seized", ETH): 1_000})
    bench.block([[ether(0, "seized", "contract", 1), ether(1, "contract", "exch", 500)]])
    assert bench.totals("c", ETH) == (1_000, 0, 999, 1, 0, 0)


def test_judging_a_payment_that_is_unconfirmed_adds_nothing_to_what_was_observed(benches: Any) -> None:
    bench = benches([case("a", {"seized": Role.SEIZED})], {("seized", ETH): 100})
    bench.work.values.standings[account("seized"), ETH.id] = Standing(1, 100, Lane.PROVEN)
    tx = TxFacts(0, Hash(bytes(32)), b"raw", (fee("seized", 1), ether(0, "seized", "stranger", 5)))
    assert judge_pending(bench.work, [tx], 2_000)[0]
    assert bench.work.values.standings[account("seized"), ETH.id].seen.observed == 0
    bench.block([[fee("seized", 1), ether(0, "seized", "stranger", 5)]])
    assert bench.work.values.standings[account("seized"), ETH.id].seen.observed == -6
