"""Laws that hold for every transaction and every graph, whatever the method."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.taint_graphs import Graph, declared, graphs, trace
from tracer.taint import rules
from tracer.taint.boundaries import EXCHANGE, FEE, NO_LIMITS, TIME, UNSEEN, Limits
from tracer.taint.coins import CoinTrace, Into
from tracer.taint.history import LAST, TooLarge, trace_coins
from tracer.taint.rules import Method, clean, flows, mass, parts_of
from tracer.taint.run import COINBASE, digest
from tracer.types import Holder, Role

CONSERVING = [method for method in Method if method is not Method.POISON]
TILING = [method for method in Method if method.tiles]
amounts = st.integers(min_value=0, max_value=2**256 - 1)
TIP = bytes(32)


@given(st.lists(amounts, min_size=1, max_size=8), st.fractions(min_value=0, max_value=1))
def test_haircut_loses_nothing_and_is_never_a_unit_off_proportion(sinks: list[int], share: Fraction) -> None:
    total = sum(sinks)
    tainted = int(total * share)
    shares = rules.haircut(tainted, sinks)
    assert sum(shares) == tainted
    for sink, part in zip(sinks, shares, strict=True):
        assert 0 <= part <= sink
        if total:
            assert abs(Fraction(part) - Fraction(tainted * sink, total)) < 1


@st.composite
def mixes(draw: st.DrawFn) -> tuple[list[rules.Parts], list[int]]:
    """The parts of some inputs, tiling their amounts, and sinks with the same total."""
    inputs: list[rules.Parts] = []
    for size in draw(st.lists(st.integers(1, 10**12), min_size=1, max_size=5)):
        left, parts = size, []
        for label in draw(st.lists(st.none() | st.integers(0, 4), max_size=5)):
            parts.append((label, draw(st.integers(0, left))))
            left -= parts[-1][1]
        inputs.append(rules.merge_neighbours([*parts, (None, left)]))
    total, sinks = sum(units for parts in inputs for _, units in parts), []
    for _ in range(draw(st.integers(0, 5))):
        sinks.append(draw(st.integers(0, total)))
        total -= sinks[-1]
    return inputs, [*sinks, total]


def as_method(method: Method, inputs: list[rules.Parts]) -> list[rules.Parts]:
    """The same inputs as a method that does not tile knows them."""
    if method.tiles:
        return inputs
    found = []
    for parts in inputs:
        units: Counter[int] = Counter()
        for label, amount in parts:
            if label is not None:
                units[label] += amount
        amount = sum(n for _, n in parts)
        poisoned = method is Method.POISON
        found.append(tuple((label, amount if poisoned else units[label]) for label in sorted(units) if units[label]))
    return found


@pytest.mark.parametrize("method", CONSERVING)
@given(mix=mixes())
def test_every_label_leaves_a_transaction_with_the_units_it_came_with(
    method: Method, mix: tuple[list[rules.Parts], list[int]]
) -> None:
    inputs, sinks = as_method(method, mix[0]), mix[1]
    rows = flows(method, inputs, sinks)
    came, went = Counter(), Counter()
    for source, parts in enumerate(inputs):
        for label, units in parts:
            came[source, label] += units
    for row, sink in zip(rows, sinks, strict=True):
        assert mass(method, parts_of(method, row)) <= sink
        for flow in row:
            assert flow.units > 0
            went[flow.source, flow.label] += flow.units
    assert went == +came
    if method.tiles:
        assert [sum(flow.units for flow in row) for row in rows] == sinks


@given(mix=mixes())
def test_poison_reaches_wherever_another_method_does(mix: tuple[list[rules.Parts], list[int]]) -> None:
    poisoned = flows(Method.POISON, as_method(Method.POISON, mix[0]), mix[1])
    for method in CONSERVING:
        for row, all_labels in zip(flows(method, as_method(method, mix[0]), mix[1]), poisoned, strict=True):
            assert {flow.label for flow in row} - {None} <= {flow.label for flow in all_labels}


@given(mix=mixes())
def test_the_haircut_of_labels_adds_up_to_that_of_their_union(mix: tuple[list[rules.Parts], list[int]]) -> None:
    inputs = as_method(Method.HAIRCUT, mix[0])
    union = [((0, sum(units for _, units in parts)),) if parts else () for parts in inputs]
    apart = [sum(flow.units for flow in row) for row in flows(Method.HAIRCUT, inputs, mix[1])]
    assert apart == [sum(flow.units for flow in row) for row in flows(Method.HAIRCUT, union, mix[1])]


@given(mix=mixes())
def test_fifo_keeps_every_unit_in_order_and_lifo_turns_it_round(mix: tuple[list[rules.Parts], list[int]]) -> None:
    line = [part for parts in mix[0] for part in parts]
    for method, units in ((Method.FIFO, line), (Method.LIFO, line[::-1])):
        rows = flows(method, mix[0], mix[1])
        assert rules.merge_neighbours([(f.label, f.units) for row in rows for f in row]) == rules.merge_neighbours(
            units
        )


@pytest.mark.parametrize("policy", ["sink", "coinbase"])
@pytest.mark.parametrize("method", CONSERVING)
@given(made=graphs())
def test_every_seized_unit_is_live_or_in_a_leaf(method: Method, policy: str, made: tuple[list, list[str]]) -> None:
    graph = Graph(made[0])
    done = trace(graph, method, made[1], declaration=declared(method, fee_policy=policy))
    for label, name in enumerate(made[1]):
        assert sum(end.units for end in done.ends if end.label == label) == done.seeded[label]
        assert policy == COINBASE or done.seeded[label] == graph.coins[graph.rows[name]][1].amount
    for row, traced in done.rows.items():
        if row in graph.coins and method.tiles:
            assert sum(units for _, units in traced.parts) == graph.coins[row][1].amount
        if row in graph.coins:
            assert 0 < mass(method, traced.parts) <= graph.coins[row][1].amount


@given(made=graphs())
def test_poison_covers_every_place_that_another_method_reaches(made: tuple[list, list[str]]) -> None:
    graph = Graph(made[0])
    poisoned = {(end.place.row, end.label) for end in trace(graph, Method.POISON, made[1]).ends}
    for method in CONSERVING:
        assert {(end.place.row, end.label) for end in trace(graph, method, made[1]).ends} <= poisoned


@pytest.mark.parametrize("method", list(Method))
@settings(max_examples=60)
@given(made=graphs(), limits=st.sampled_from([NO_LIMITS, Limits(2, 40, 6)]))
def test_tracing_block_by_block_is_tracing_at_once(
    method: Method, made: tuple[list, list[str]], limits: Limits
) -> None:
    graph = Graph(made[0])
    live: CoinTrace[int] = CoinTrace(method, limits)
    labels = {graph.rows[name]: label for label, name in enumerate(made[1])}
    for height, block in enumerate(made[0]):
        for tx in sorted(graph.transactions[height], key=lambda tx: tx.order):
            ins = [(spent.row, spent.coin, spent.amount) for spent in tx.inputs]
            if live.spends_any(coin for _, coin, _ in ins):
                sinks = [Into(one.row, one.row, one.holder, one.amount) for one in tx.outputs]
                live.advance(ins, [*sinks, Into(tx.fee_row, None, None, tx.fee)], lambda _: None)
            for one in tx.outputs:
                if one.row in labels:
                    live.title(one.row, one.amount, labels[one.row])
        assert block
        now = {row: label for row, label in labels.items() if graph.coins[row][0][0] <= height}
        at_once = trace_coins(declared(method, limits=limits), now, graph, lambda _: None, height)
        held = {(end.place.row, end.offset, end.label): end.units for end in at_once.ends if end.state == "live"}
        assert held == places(method, live)


def places(method: Method, live: CoinTrace[int]) -> dict[tuple[int, int, int], int]:
    found = {}
    for row, traced in live.coins.items():
        offset = 0
        for label, units in traced.parts:
            if label is not None:
                found[row, offset if method.tiles else 0, label] = units
            offset += units
    return found


@given(made=graphs())
def test_the_digest_tells_every_difference_and_nothing_else(made: tuple[list, list[str]]) -> None:
    graph = Graph(made[0])
    run = declared(Method.FIFO)
    done = trace(graph, Method.FIFO, made[1], declaration=run)
    said = digest(run, TIP, done.ends)
    assert said == digest(run, TIP, list(reversed(done.ends)))
    assert said != digest(declared(Method.FIFO, case_ref="U"), TIP, done.ends)
    assert said != digest(run, b"\1" * 32, done.ends)
    if done.ends:
        assert said != digest(run, TIP, done.ends[1:])


PEEL = [
    [{"id": "a", "inputs": [], "outputs": [1_000]}],
    [{"id": "m", "inputs": [], "outputs": [60]}, {"id": "b", "inputs": ["a:0"], "outputs": [950, 40]}],
    [{"id": "n", "inputs": [], "outputs": [50]}, {"id": "c", "inputs": ["b:0"], "outputs": [900]}],
]


def reasons(done: object) -> dict[str, int]:
    found: Counter[str] = Counter()
    for end in done.ends:  # type: ignore[attr-defined]
        found[end.reason] += end.units
    return dict(found)


def test_limits_cut_with_the_amount_that_was_left() -> None:
    run = declared(Method.FIFO, limits=Limits(max_hops=1, min_amount=41, max_live=10))
    done = trace(Graph(PEEL), Method.FIFO, ["a:0"], declaration=run)
    assert reasons(done) == {"budget: amount": 40, FEE: 60, "budget: hops": 900}


def test_a_title_that_came_first_stays_and_a_later_one_gets_the_rest() -> None:
    graph = Graph(
        [
            [{"id": "a", "inputs": [], "outputs": [60]}],
            [{"id": "c", "inputs": [], "outputs": [40]}],
            [{"id": "m", "inputs": [], "outputs": [50]}, {"id": "x", "inputs": ["a:0", "c:0"], "outputs": [100]}],
        ]
    )
    for method in CONSERVING:
        done = trace(graph, method, ["a:0", "x:0"])
        assert done.seeded == {0: 60, 1: 40}
        assert sum(end.units for end in done.ends) == 100


def test_a_trace_stops_at_an_exchange_and_at_a_burn_but_not_within_custody() -> None:
    holders = [Holder(b"exchange"), Holder(b"agency"), Holder(b"\x6a\x01x")]
    roles = {holders[0]: Role.EXCHANGE, holders[1]: Role.AGENCY}
    graph = Graph(
        [
            [{"id": "a", "inputs": [], "outputs": [100]}],
            [
                {"id": "m", "inputs": [], "outputs": [50]},
                {"id": "b", "inputs": ["a:0"], "outputs": [60, 30, 10], "holders": holders},
            ],
        ]
    )
    done = trace(graph, Method.FIFO, ["a:0"], roles=roles)
    assert reasons(done) == {EXCHANGE: 60, "custody": 30, "burn": 10}


def test_what_nobody_watches_from_then_on_is_said_to_be_so() -> None:
    graph = Graph(PEEL)
    graph.unseen = {graph.rows["c:0"]}
    assert reasons(trace(graph, Method.FIFO, ["a:0"]))[UNSEEN] == 900


def test_a_fee_goes_to_the_miner_where_the_run_says_so_and_the_block_is_whole() -> None:
    done = trace(Graph(PEEL), Method.FIFO, ["a:0"], declaration=declared(Method.FIFO, fee_policy=COINBASE))
    assert reasons(done) == {"unspent": 950, "burn: not claimed by the miner": 50}
    assert {(end.place.index, end.place.position, end.units) for end in done.ends if end.place.height == 1} == {
        (0, 0, 10),
        (1, 1, 40),
    }


def test_time_that_is_up_leaves_a_leaf_with_what_was_not_followed() -> None:
    chain = [[{"id": "t0", "inputs": [], "outputs": [1_000]}]]
    for n in range(1, 300):
        chain.append(
            [
                {"id": f"m{n}", "inputs": [], "outputs": [50]},
                {"id": f"t{n}", "inputs": [f"t{n - 1}:0"], "outputs": [1_000]},
            ]
        )
    graph = Graph(chain)
    start = {graph.rows["t0:0"]: 0}
    done = trace_coins(declared(Method.FIFO), start, graph, lambda _: None, 10**6, enough=lambda: True)
    assert reasons(done) == {TIME: 1_000}
    with pytest.raises(TooLarge):
        trace_coins(declared(Method.FIFO), start, graph, lambda _: None, 10**6, at_most=100)


def test_a_clean_coin_has_no_labels() -> None:
    assert [mass(method, clean(method, 5)) for method in Method] == [0] * len(Method)
    assert LAST > 2**32
