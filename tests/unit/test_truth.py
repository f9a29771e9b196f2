"""The ground truth's own rules, held against figures worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.truth import FIFO, HAIRCUT, Account, Edge, Fact, Input, UtxoTx, fifo, frontier, haircut, walk
from tracer.types import Kind, Role

SEIZED, AGENCY, EXCHANGE, THIEF, FENCE, STRANGER = "5e", "a6", "e8", "d1", "fe", "57"
ROLES = {SEIZED: Role.SEIZED, AGENCY: Role.AGENCY, EXCHANGE: Role.EXCHANGE}
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
    done = walk(STORY, ROLES, 1, "sat")
    assert done.labels == {f"{FUND}:0": 0}
    assert done.stops == {
        (LEAK, Kind.OUT, 0): (1, None),
        (LEAK, Kind.OUT, 1): (0, None),
        (LEAK, Kind.FEE, 0): (1, "fee"),
        (MIX, Kind.OUT, 0): (2, None),
        (MIX, Kind.OUT, 1): (0, "exchange deposit"),
        (MIX, Kind.FEE, 0): (2, "fee"),
    }
    assert {point: taint.units for point, taint in frontier(done, ROLES).items()} == {
        f"{MIX}:0": {FIFO: 40, HAIRCUT: 26}
    }
    assert [edge for edge in done.edges if edge.txid == MIX and edge.method == FIFO] == [
        Edge(FIFO, MIX, Kind.OUT, 0, 0, 0, 0, 40),
        Edge(FIFO, MIX, Kind.OUT, 0, 1, 1, None, 20),
    ]


def test_a_spend_is_stored_whole_and_a_mere_credit_alone() -> None:
    facts = walk(STORY, ROLES, 1, "sat").facts
    assert facts[:1] == [Fact("b1", FUND, Kind.OUT, 0, "sat", 100, None, SEIZED)]
    assert [fact.kind for fact in facts if fact.txid == MIX] == [Kind.IN, Kind.IN, Kind.OUT, Kind.OUT, Kind.FEE]
    assert [fact.amount for fact in facts if fact.kind is Kind.FEE] == [5, 5]


def test_coins_that_come_after_the_seizure_carry_no_label() -> None:
    late = UtxoTx("b4", 4, "aa" * 32, (), ((SEIZED, 7),))
    assert walk([*STORY, late], ROLES, 1, "sat").labels == {f"{FUND}:0": 0}
    assert walk([*STORY, late], ROLES, 4, "sat").labels == {f"{'aa' * 32}:0": 0}


@pytest.mark.parametrize(("unexplained", "difference"), [(45, 0), (40, 5)])
def test_an_account_that_does_not_close_says_by_how_much(unexplained: int, difference: int) -> None:
    assert Account(100, 0, 55, 0, 0, unexplained).difference == difference
