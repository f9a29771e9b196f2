"""Traces over accounts: lots, fees, balances at first taint, swaps, and laws for random payments."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.taint.accounts import AccountStep, AccountTrace, Payment, labelled
from tracer.taint.boundaries import EXCHANGE, NO_LIMITS, NOBODY, Limits
from tracer.taint.rules import Method
from tracer.tracing import cut_short
from tracer.types import AssetId, Holder, Role

CONSERVING = [method for method in Method if method is not Method.POISON]
ETHER, DOLLAR = AssetId("eip155:1/slip44:60"), AssetId("eip155:1/erc20:0x01")
A, B, C, POOL, MINER = (Holder(bytes([n]) * 20) for n in range(1, 6))


def run_of(method: Method, limits: Limits = NO_LIMITS, **held: int) -> AccountTrace:
    run = AccountTrace(method, limits)
    for name, amount in held.items():
        run.seed(({"a": A, "b": B}[name], ETHER), amount)
    return run


def pay(source: Holder | None, target: Holder | None, amount: int, asset: AssetId = ETHER, row: int = 1) -> Payment:
    return Payment(row, asset, amount, source, target)


def take(run: AccountTrace, *payments: Payment, before: dict | None = None, role_of: object = None) -> object:
    step = run.step([list(payments)], before or {}, role_of or (lambda _: None))  # type: ignore[arg-type]
    run.apply(step)
    return step


def held(run: AccountTrace, holder: Holder, asset: AssetId = ETHER) -> dict[int, int]:
    return labelled(run.accounts[holder, asset]) if (holder, asset) in run.accounts else {}


def test_the_balance_at_first_taint_is_asked_for_and_is_the_oldest_lot() -> None:
    run = run_of(Method.FIFO, a=10)
    asked = run.step([[pay(A, B, 10)]], {}, lambda _: None)
    assert list(asked.unknown) == [(B, ETHER)]
    assert held(run, B) == {}
    take(run, pay(A, B, 10), before={(B, ETHER): 5})
    take(run, pay(B, C, 6), before={(C, ETHER): 0})
    assert held(run, B) == {0: 9}
    assert held(run, C) == {0: 1}


def test_what_the_block_moved_before_counts_towards_the_balance_at_first_taint() -> None:
    run = run_of(Method.FIFO, a=10)
    step = run.step([[pay(MINER, B, 7)], [pay(B, C, 4)], [pay(A, B, 10)]], {(B, ETHER): 5}, lambda _: None)
    run.apply(step)
    assert run.accounts[B, ETHER].balance == 18
    take(run, pay(B, C, 8), before={(C, ETHER): 0})
    assert held(run, B) == {0: 10}


def test_many_small_payments_carry_away_what_one_large_one_would() -> None:
    one, many = (run_of(Method.HAIRCUT, a=300) for _ in range(2))
    for run in (one, many):
        take(run, pay(MINER, A, 700))
    take(one, pay(A, B, 700), before={(B, ETHER): 0})
    for _ in range(700):
        take(many, pay(A, B, 1), before={(B, ETHER): 0})
    assert held(one, B) == held(many, B) == {0: 210}
    assert held(one, A) == held(many, A) == {0: 90}


def test_a_fee_is_a_leaf_of_its_own() -> None:
    run = run_of(Method.FIFO, a=100)
    step = take(run, pay(A, None, 3, row=1), pay(A, B, 50, row=2), before={(B, ETHER): 0})
    assert [(row.row, row.boundary) for row in step.rows] == [(1, "fee"), (2, None)]  # type: ignore[attr-defined]
    assert held(run, A) == {0: 47}


def test_a_trace_stops_at_an_exchange_and_where_tokens_are_burnt() -> None:
    run = run_of(Method.FIFO, a=100)
    role_of = {B: Role.EXCHANGE}.get
    step = take(run, pay(A, B, 60, row=1), pay(A, NOBODY, 40, row=2), role_of=role_of)
    assert [row.boundary for row in step.rows] == [EXCHANGE, "burn"]  # type: ignore[attr-defined]
    assert run.accounts == {}


def test_limits_stop_a_payment_with_its_units() -> None:
    run = run_of(Method.FIFO, Limits(max_hops=1, min_amount=5, max_live=10), a=100)
    step = take(run, pay(A, B, 60, row=1), pay(A, C, 4, row=2), before={(B, ETHER): 0})
    assert step.cut == [(2, "budget: amount", 4)]  # type: ignore[attr-defined]
    step = take(run, pay(B, C, 50, row=3))
    assert step.cut == [(3, "budget: hops", 50)]  # type: ignore[attr-defined]


def test_units_that_were_never_seen_to_come_in_leave_as_clean_ones() -> None:
    for method in CONSERVING:
        run = run_of(method, a=10)
        step = take(run, pay(A, B, 15), before={(B, ETHER): 0})
        assert step.unseen == [(1, 5)]  # type: ignore[attr-defined]
        assert held(run, B) == {0: 10}
        assert run.accounts[B, ETHER].balance == 15


@pytest.mark.parametrize("method", list(Method))
def test_value_goes_on_through_a_swap_in_proportion(method: Method) -> None:
    run = run_of(method, a=100)
    take(run, pay(MINER, A, 100))
    given, got = pay(A, POOL, 200, row=7), pay(POOL, A, 3_000, DOLLAR, row=8)
    step = take(run, got, given, before={(A, DOLLAR): 0})
    swapped = [edge for edge in step.edges if edge.to_id == 8 and edge.label is not None]  # type: ignore[attr-defined]
    assert {edge.from_id for edge in swapped} == {7}
    assert held(run, A, DOLLAR) == {0: 3_000 if method is Method.POISON else 1_500}
    assert [(row.row, row.boundary) for row in step.rows] == [(7, "swap"), (8, None)]  # type: ignore[attr-defined]
    assert held(run, A) == held(run, POOL) == {}


def test_what_a_pool_that_is_followed_pays_keeps_its_labels() -> None:
    run = run_of(Method.FIFO, a=100)
    run.seed((POOL, DOLLAR), 3_000)
    take(run, pay(A, POOL, 100, row=7), pay(POOL, A, 3_000, DOLLAR, row=8), before={(A, DOLLAR): 0, (POOL, ETHER): 0})
    assert held(run, A, DOLLAR) == {1: 3_000}
    assert held(run, POOL) == {0: 100}


@st.composite
def histories(draw: st.DrawFn) -> list[list[list[Payment]]]:
    """Blocks of transactions between five accounts that begin with 1000 and never pay more than they hold."""
    balance = dict.fromkeys((A, B, C, POOL, MINER), 1000)
    row, blocks = 0, []
    for _ in range(draw(st.integers(1, 6))):
        block = []
        for _ in range(draw(st.integers(0, 4))):
            source, target = draw(st.sampled_from(list(balance))), draw(st.sampled_from(list(balance)))
            fee = draw(st.integers(0, min(5, balance[source])))
            amount = draw(st.integers(0, balance[source] - fee))
            row += 2
            block.append([pay(source, None, fee, row=row), pay(source, target, amount, row=row + 1)])
            balance[source] -= fee + amount
            balance[target] += amount
        blocks.append(block)
    return blocks


def follow(
    method: Method, blocks: list[list[list[Payment]]], limits: Limits = NO_LIMITS
) -> tuple[AccountTrace, Counter]:
    run, leaves = run_of(method, limits, a=1_000, b=1_000), Counter()
    balance = Counter(dict.fromkeys((A, B, C, POOL, MINER), 1000))
    for block in blocks:
        step = run.step(block, {(holder, ETHER): units for holder, units in balance.items()}, lambda _: None)
        assert not step.unknown
        assert not step.unseen
        run.apply(step)
        stopped = {row.row for row in step.rows if row.boundary is not None}
        for edge in step.edges:
            if edge.to_id in stopped and edge.label is not None:
                leaves[edge.label] += edge.amount
        for payment in (payment for tx in block for payment in tx):
            balance[payment.source] -= payment.amount
            if payment.target is not None:
                balance[payment.target] += payment.amount
        for (holder, _), holding in run.accounts.items():
            assert holding.balance == balance[holder]
            assert all(0 < units <= balance[holder] for units in labelled(holding).values())
    return run, leaves


@pytest.mark.parametrize("limits", [NO_LIMITS, Limits(1, 20, 3)])
@pytest.mark.parametrize("method", CONSERVING)
@given(blocks=histories())
def test_every_seized_unit_is_held_or_in_a_leaf(method: Method, limits: Limits, blocks: list) -> None:
    run, leaves = follow(method, blocks, limits)
    for holding in run.accounts.values():
        leaves.update(labelled(holding))
    assert leaves == {0: 1_000, 1: 1_000}


@given(blocks=histories())
def test_poison_covers_every_account_that_another_method_reaches(blocks: list) -> None:
    poisoned, _ = follow(Method.POISON, blocks)
    for method in CONSERVING:
        run, _ = follow(method, blocks)
        for key, holding in run.accounts.items():
            assert set(labelled(holding)) <= set(labelled(poisoned.accounts[key]))


@pytest.mark.parametrize("method", list(Method))
@given(blocks=histories())
def test_a_step_says_what_would_change_and_changes_nothing(method: Method, blocks: list) -> None:
    run = run_of(method, a=1_000, b=1_000)
    before = dict(run.accounts)
    for block in blocks:
        once = run.step(block, {}, lambda _: None)
        again = run.step(block, {}, lambda _: None)
        assert (once.edges, once.changed) == (again.edges, again.changed)
    assert run.accounts == before


def test_a_busy_account_is_told_of_once_per_block() -> None:
    cut = [(1, "budget: amount", 5), (2, "budget: amount", 6), (3, "budget: hops", 1)]
    told = list(cut_short(9, Method.HAIRCUT, AccountStep(cut=cut), {1: 11, 2: 12, 3: 13}))
    assert [(notice.tx_id, notice.message) for notice in told] == [
        (None, "following stopped (budget: amount, haircut, 2 payments) with 11 traced units left"),
        (13, "following stopped (budget: hops, haircut) with 1 traced units left"),
    ]


def test_value_of_an_account_that_was_reached_in_the_same_transaction_is_not_lost_in_a_swap() -> None:
    """A gives ether to the pool and gets dollars of it; B's dollars came to the pool in between."""
    run = run_of(Method.FIFO, a=10)
    run.seed((B, DOLLAR), 7)
    known = {(POOL, DOLLAR): 0, (POOL, ETHER): 0, (A, DOLLAR): 0}
    take(
        run,
        pay(A, POOL, 10, row=1),
        pay(B, POOL, 7, DOLLAR, row=2),
        pay(POOL, A, 7, DOLLAR, row=3),
        before=known,
    )
    assert held(run, A, DOLLAR) == {1: 7}


def test_what_only_looks_like_a_swap_is_followed_like_any_payment() -> None:
    """The payee keeps most and refunds the rest; another pays; the payee is the case's own."""
    known = {(POOL, ETHER): 0, (A, DOLLAR): 0, (C, ETHER): 0}
    refund = [pay(A, POOL, 100, row=1), pay(POOL, A, 99, row=2), pay(POOL, A, 1, DOLLAR, row=3)]
    run = run_of(Method.FIFO, a=100)
    take(run, *refund, before=known)
    assert (held(run, A), held(run, POOL), held(run, A, DOLLAR)) == ({0: 99}, {0: 1}, {})
    run = run_of(Method.FIFO, a=100)
    take(run, pay(A, C, 100, row=1), pay(POOL, A, 1, DOLLAR, row=2), before=known)
    assert (held(run, C), held(run, A, DOLLAR)) == ({0: 100}, {})
    run = run_of(Method.FIFO, a=100)
    given = [pay(A, C, 100, row=1), pay(C, A, 1, DOLLAR, row=2)]
    take(run, *given, before=known, role_of={C: Role.AGENCY}.get)
    assert (held(run, C), held(run, A, DOLLAR)) == ({0: 100}, {})


def test_a_credit_of_nothing_leaves_a_haircut_as_it_is() -> None:
    run = run_of(Method.HAIRCUT, a=3)
    take(run, pay(MINER, A, 7))
    for _ in range(7):
        take(run, pay(A, B, 1), before={(B, ETHER): 0})
        take(run, pay(MINER, A, 0))
    assert held(run, B) == {0: 2}


def test_every_swap_is_told() -> None:
    run = run_of(Method.FIFO, a=100)
    step = take(run, pay(A, POOL, 100, row=1), pay(POOL, A, 1, DOLLAR, row=2), before={(A, DOLLAR): 0})
    assert step.swaps == [(1, 2)]  # type: ignore[attr-defined]
