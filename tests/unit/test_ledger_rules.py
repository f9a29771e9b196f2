"""The independent ledger's own rules, held against figures worked out by hand."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.ledger.accounts import Accounts, relevant
from fixtures.ledger.check import listed, same
from fixtures.ledger.coins import Coins
from fixtures.ledger.nouns import (
    AccountTx,
    Block,
    Fact,
    Input,
    Leg,
    Limits,
    Plan,
    Split,
    Terms,
    UtxoTx,
    Watch,
)
from fixtures.ledger.tracing import FIFO, HAIRCUT, Edge, fifo, haircut
from fixtures.ledger.tree import Walked, walk

SEIZED, AGENCY, EXCHANGE, THIEF, FENCE, STRANGER = "5e", "a6", "e8", "d1", "fe", "57"
WATCHES = (Watch("c", SEIZED, "seized"), Watch("c", AGENCY, "agency"), Watch("c", EXCHANGE, "exchange"))
FUND, LEAK, MIX = "f0" * 32, "1e" * 32, "3c" * 32

STORY = [
    UtxoTx("b1", 1, FUND, (), ((SEIZED, 100), (STRANGER, 50))),
    UtxoTx("b2", 2, LEAK, (Input(f"{FUND}:0", SEIZED, 100),), ((THIEF, 40), (AGENCY, 55))),
    UtxoTx(
        "b3",
        3,
        MIX,
        (Input(f"{LEAK}:0", THIEF, 40), Input(f"{FUND}:1", STRANGER, 50)),
        ((FENCE, 60), (EXCHANGE, 25)),
    ),
]


def plan(seizure: int = 1, **settings: object) -> Plan:
    return Plan("sat", WATCHES, {"c": seizure}, **{"limits": Limits(min_amount=0), **settings})  # type: ignore[arg-type]


def chain(*txs: UtxoTx | AccountTx) -> list[Block]:
    """One block per transaction, in a row."""
    return [Block(tx.block, f"b{tx.height - 1}", tx.height, (tx,)) for tx in txs]


def played(*txs: UtxoTx, plan: Plan) -> tuple[Walked, Coins]:
    return walk(chain(*txs), 1, Coins(plan), txs[-1].block)


def facts(done: Walked) -> list[Fact]:
    return [fact for some in done.facts.values() for fact in some]


def test_units_leave_in_the_order_in_which_they_came() -> None:
    cuts = fifo([[(0, 40)], [(None, 50)]], [60, 25, 5])
    assert cuts == [[(0, 0, 40), (1, None, 20)], [(1, None, 25)], [(1, None, 5)]]


def test_neighbouring_units_of_one_coin_are_one_piece() -> None:
    assert fifo([[(0, 3), (0, 4)], [(0, 5)]], [12]) == [[(0, 0, 7), (1, 0, 5)]]


def test_an_empty_output_takes_nothing() -> None:
    assert fifo([[(0, 3)]], [0, 3]) == [[], [(0, 0, 3)]]
    assert haircut([{0: 3}], [0, 3]) == [[], [(0, 0, 3)]]


def test_shares_follow_the_sizes_and_rounding_loses_nothing() -> None:
    assert haircut([{0: 40}, {}], [60, 25, 5]) == [[(0, 0, 26)], [(0, 0, 11)], [(0, 0, 3)]]  # 26.6, 11.1, 2.2
    assert haircut([{0: 1}], [1, 1, 1]) == [[], [], [(0, 0, 1)]]


def test_each_share_is_split_over_what_labels_have_left() -> None:
    # 4 traced units over two outputs of 2: the first takes floor(2*3/4)=1 of label 0 and 1 of label 1.
    assert haircut([{0: 3}, {1: 1}], [2, 2]) == [[(0, 0, 1), (1, 1, 1)], [(0, 0, 2)]]


AMOUNTS = st.lists(st.integers(0, 10**12), min_size=1, max_size=6)


@given(AMOUNTS, AMOUNTS, st.integers(0, 10**12))
def test_no_unit_is_lost_or_made(inputs: list[int], outputs: list[int], fee: int) -> None:
    gap = sum(outputs) + fee - sum(inputs)
    inputs, fee = ([*inputs, gap], fee) if gap >= 0 else (inputs, fee - gap)
    sinks = [*outputs, fee]
    cuts = fifo([[(number, amount)] for number, amount in enumerate(inputs)], sinks)
    assert [sum(units for _, _, units in cut) for cut in cuts] == sinks
    shares = haircut([{number: amount} for number, amount in enumerate(inputs)], sinks)
    assert [sum(units for _, _, units in share) for share in shares] == sinks
    for number, amount in enumerate(inputs):
        assert sum(units for cut in cuts for source, _, units in cut if source == number) == amount
        assert sum(units for share in shares for source, _, units in share if source == number) == amount


def test_a_leaked_coin_is_followed_through_a_mix() -> None:
    _, end = played(*STORY, plan=plan())
    trace = end.traces["c"]
    assert trace.labels == {f"{FUND}:0": 0}
    first = {
        (LEAK, "out", 0): (1, None),
        (LEAK, "out", 1): (0, None),
        (LEAK, "fee", 0): (1, "fee"),
        (MIX, "out", 0): (2, None),
    }
    shares = first | {(MIX, "out", 1): (0, "exchange deposit"), (MIX, "fee", 0): (2, "fee")}
    assert trace.stops == {(FIFO, place): end for place, end in first.items()} | {
        (HAIRCUT, place): end for place, end in shares.items()
    }
    assert {method: coins[f"{MIX}:0"].units for method, coins in trace.live.items()} == {FIFO: 40, HAIRCUT: 26}
    assert [edge for edge in trace.edges if edge.txid == MIX and edge.method == FIFO] == [
        Edge(FIFO, MIX, "out", 0, 0, 0, 0, 40),
        Edge(FIFO, MIX, "out", 0, 1, 1, None, 20),
    ]


@pytest.mark.parametrize(
    ("limits", "end"),
    [
        (Limits(max_hops=1, min_amount=0), "budget: hops"),
        (Limits(min_amount=41), "budget: amount"),
        (Limits(min_amount=0, max_live=0), "budget: live coins"),
    ],
)
def test_a_trace_that_runs_out_of_its_budget_ends(limits: Limits, end: str) -> None:
    _, state = played(*STORY, plan=plan(limits=limits))
    stops = state.traces["c"].stops
    assert end in {why for _, why in stops.values()}
    assert f"{MIX}:0" not in state.coins


def test_a_coin_whose_traced_share_rounds_to_nothing_is_followed_no_more() -> None:
    """FIFO gives the thief's 1 unit to the first output, haircut to the fee: the second output carries nothing."""
    thin = UtxoTx(
        "b3", 3, MIX, (Input(f"{LEAK}:0", THIEF, 1), Input(f"{FUND}:1", STRANGER, 50)), ((FENCE, 1), ("aa", 3))
    )
    leak = UtxoTx("b2", 2, LEAK, (Input(f"{FUND}:0", SEIZED, 100),), ((THIEF, 1), (AGENCY, 99)))
    after = UtxoTx("b4", 4, "aa" * 32, (Input(f"{MIX}:1", "aa", 3),), (("bb", 3),))
    done, end = played(STORY[0], leak, thin, after, plan=plan())
    assert f"{MIX}:0" in end.coins and f"{MIX}:1" not in end.coins
    assert done.facts["b4"] == []


def test_a_spend_is_stored_whole_and_a_mere_credit_alone() -> None:
    done, _ = played(*STORY, plan=plan())
    assert done.facts["b1"] == [Fact("b1", FUND, "out", 0, "sat", 100, None, SEIZED)]
    assert [fact.kind for fact in done.facts["b3"]] == ["in", "in", "out", "out", "fee"]
    assert [fact.amount for fact in facts(done) if fact.kind == "fee"] == [5, 5]


def test_coins_that_come_after_the_seizure_carry_no_label() -> None:
    late = UtxoTx("b4", 4, "aa" * 32, (), ((SEIZED, 7),))
    assert played(*STORY, late, plan=plan())[1].traces["c"].labels == {f"{FUND}:0": 0}
    assert played(*STORY, late, plan=plan(4))[1].traces["c"].labels == {f"{'aa' * 32}:0": 0}


def test_of_named_coins_only_those_are_seized() -> None:
    more = UtxoTx("b2", 2, "aa" * 32, (), ((SEIZED, 7),))
    named = (Watch("c", SEIZED, "seized", coins=frozenset({f"{'aa' * 32}:0"})),)
    _, end = played(STORY[0], more, plan=Plan("sat", named, {"c": 2}))
    assert end.traces["c"].labels == {f"{'aa' * 32}:0": 0}
    assert end.books.terms == {}, "what others pay to such an address cannot be told apart"


def test_before_its_birth_a_holder_is_nobodys() -> None:
    watches = (Watch("c", SEIZED, "seized", birth=2), *WATCHES[1:])
    done, _ = played(*STORY, plan=Plan("sat", watches, {"c": 1}))
    assert [fact.target for fact in facts(done)] == [AGENCY, EXCHANGE]
    ever, _ = walk(chain(*STORY), 1, Coins(Plan("sat", watches, {"c": 1}), by_birth=False), "b3")
    assert len(facts(ever)) > 2


def test_each_branch_is_walked_in_the_state_that_its_own_ancestors_left() -> None:
    rival = UtxoTx("r2", 2, MIX, (Input(f"{FUND}:0", SEIZED, 100),), ((AGENCY, 100),))
    blocks = [*chain(*STORY), Block("r2", "b1", 2, (rival,)), Block("x9", "unknown", 9, ())]
    done, end = walk(blocks, 1, Coins(plan()), "b3")
    assert [fact.amount for fact in done.facts["r2"]] == [100, 100, 0]
    assert [fact.kind for fact in done.facts["b2"]] == ["in", "out", "out", "fee"]
    assert done.standing["r2"].balances[AGENCY, "sat"] == 100
    assert done.standing["b3"].balances[AGENCY, "sat"] == 55 == end.balances[AGENCY, "sat"]
    assert "x9" not in done.facts


DEPOSIT = Leg("d", "DEPOSIT", "sat", frozenset({AGENCY}), EXCHANGE, 50, 3, False)


def test_an_account_says_what_was_delivered_and_what_is_unexplained() -> None:
    pay = UtxoTx("b3", 3, MIX, (Input(f"{LEAK}:1", AGENCY, 55),), ((EXCHANGE, 50),))
    done, _ = played(STORY[0], STORY[1], pay, plan=plan(legs={"c": (DEPOSIT,)}))
    assert done.standing["b2"].terms["c", "sat"] == Terms(100, 0, 55, 45, Split(0, 0, 0, 45))
    assert done.standing["b3"].terms["c", "sat"] == Terms(100, 0, 0, 100, Split(0, 50, 3, 47))
    timed = Leg("d", "DEPOSIT", "sat", frozenset({AGENCY}), EXCHANGE, 50, 3, True)
    done, _ = played(STORY[0], STORY[1], pay, plan=plan(legs={"c": (timed,)}))
    assert done.standing["b3"].terms["c", "sat"] == Terms(100, 0, 0, 100, None)


def test_what_an_exchange_gives_back_is_a_refund_up_to_what_is_wanted() -> None:
    refund = Leg("r", "REFUND", "sat", frozenset(), AGENCY, 30, 0, False)
    back = UtxoTx("b2", 2, MIX, (Input(f"{FUND}:1", STRANGER, 50),), ((AGENCY, 50),))
    done, _ = played(STORY[0], back, plan=plan(legs={"c": (refund,)}))
    assert done.standing["b2"].terms["c", "sat"] == Terms(100, 50, 150, 0, Split(20, -30, 0, 0))


def paid(height: int, *moves: tuple[str, str, int, str | None, str | None]) -> AccountTx:
    block, txid = f"b{height}", f"{height:064x}"
    made = tuple(Fact(block, txid, kind, n, a, units, s, t) for n, (kind, a, units, s, t) in enumerate(moves))
    return AccountTx(block, height, txid, made)


def test_of_a_token_only_what_names_a_watched_account_is_stored() -> None:
    tx = paid(2, ("fee", "wei", 9, "x", None), ("log", "usd", 5, "x", SEIZED), ("log", "fake", 5, "x", "y"))
    assert [fact.asset for fact in relevant(tx, frozenset({SEIZED}))] == ["usd"]
    assert relevant(tx, frozenset({"z"})) == []
    assert [fact.kind for fact in relevant(tx, frozenset({"x"}))] == ["fee", "log", "log"]


def test_an_account_begins_with_the_balances_at_the_seizure() -> None:
    legs = {"c": (Leg("d", "DEPOSIT", "wei", frozenset({AGENCY}), EXCHANGE, 50, 3, False),)}
    what = Plan("wei", WATCHES, {"c": 1}, frozenset({"usd"}), legs)
    opening = {"b1": {(SEIZED, "wei"): 100, (AGENCY, "wei"): 60, (SEIZED, "usd"): 7}}
    txs = [
        paid(1, ("trace", "wei", 40, "x", SEIZED)),
        paid(2, ("fee", "wei", 5, AGENCY, None), ("trace", "wei", 50, AGENCY, EXCHANGE)),
        paid(3, ("log", "usd", 3, SEIZED, "x"), ("log", "junk", 3, SEIZED, "x")),
    ]
    done, _ = walk(chain(*txs), 1, Accounts(what, opening), "b3")
    assert done.standing["b3"].terms == {
        ("c", "wei"): Terms(100, 60, 105, 55, Split(60, 50, 3, 2)),
        ("c", "usd"): Terms(7, 0, 4, 3, Split(0, 0, 0, 3)),
    }


def test_a_comparison_names_every_difference() -> None:
    assert same("n", {1: "a", 2: "b"}, {1: "a", 3: "c"}).differences == (
        "3: stored nothing, true is c",
        "2: stored b, true is nothing",
    )
    few, more = Counter("ab"), Counter("abc")
    assert listed("n", few, more).differences == ("not stored: c",)
    assert listed("n", more, few).differences == ("stored, but not true or too often: c",)
    assert listed("n", more, few, more).differences == ()
    assert listed("n", Counter("aab"), few, more).differences == ("stored, but not true or too often: a",)
