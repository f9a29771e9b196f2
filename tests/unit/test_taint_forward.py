"""Following a run forward from any place: sums are exact whatever the start, the method and the limits."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.taint_graphs import Graph, graphs, trace
from tracer.taint.accounts import AccountTrace, Payment
from tracer.taint.boundaries import AMOUNT, HOPS, NO_LIMITS
from tracer.taint.forward import ALL_THE_WAY, Bounds, Forward, Move
from tracer.taint.history import Result
from tracer.taint.rules import Method
from tracer.taint.ways import distances, shortest
from tracer.types import AssetId, Holder

CONSERVING = [method for method in Method if method is not Method.POISON]
ETHER = AssetId("eip155:1/slip44:60")
HOLDERS = [Holder(bytes([n]) * 20) for n in range(1, 5)]


def moves_of(graph: Graph, done: Result) -> list[Move]:
    coin_of = {spent.row: spent.coin for txs in graph.transactions.values() for tx in txs for spent in tx.inputs}
    return [
        Move(
            edge.to_id,
            edge.seq,
            edge.from_id,
            edge.label,
            edge.amount,
            1,
            coin_of[edge.from_id],
            edge.to_id if edge.to_id in graph.coins else None,
            done.rows[edge.to_id].hop,
            done.rows[edge.to_id].boundary,
        )
        for edge in done.edges
        if edge.label is not None
    ]


def forward(graph: Graph, done: Result, names: list[str], start: int, bounds: Bounds = ALL_THE_WAY) -> Forward:
    seeds = {graph.rows[name]: [(label, 1, done.seeded[label])] for label, name in enumerate(names)}
    spots = frozenset({start} & set(seeds))
    return Forward(
        frozenset({start}), spots, moves_of(graph, done), seeds, bounds=bounds, over=frozenset(graph.spenders)
    )


@pytest.mark.parametrize("method", CONSERVING)
@given(made=graphs(), hops=st.none() | st.integers(0, 3), least=st.sampled_from([0, 0, 50]))
def test_from_any_coin_all_units_are_live_or_in_leaves(
    method: Method, made: tuple[list, list[str]], hops: int | None, least: int
) -> None:
    graph = Graph(made[0])
    done = trace(graph, method, made[1])
    for start in graph.coins:
        found = forward(graph, done, made[1], start, Bounds(hops, least))
        assert found.fault is None
        held = sum(units for _, units in done.rows[start].parts if _ is not None) if start in done.rows else 0
        if start in found.inside or held:
            assert sum(s.begun for s in found.sums) >= held
        if hops is None and not least:
            assert {end.reason for end in found.ends if end.state == "leaf"} <= {"fee"}
        else:
            assert {end.reason for end in found.ends if end.state == "leaf"} <= {"fee", HOPS, AMOUNT}


@given(made=graphs())
def test_from_all_sources_it_ends_where_the_run_says(made: tuple[list, list[str]]) -> None:
    graph = Graph(made[0])
    done = trace(graph, Method.FIFO, made[1])
    seeds = {graph.rows[name]: [(label, 1, done.seeded[label])] for label, name in enumerate(made[1])}
    found = Forward(frozenset(), frozenset(seeds), moves_of(graph, done), seeds, over=frozenset(graph.spenders))
    said, told = Counter(), Counter()
    for end in done.ends:
        said[end.place.row, end.label] += end.units
    for stop in found.ends:
        told[stop.row or stop.spot, stop.label] += stop.units
    assert +said == +told


def test_a_lost_edge_is_found() -> None:
    graph = Graph(
        [
            [{"id": "a", "inputs": [], "outputs": [100]}],
            [{"id": "m", "inputs": [], "outputs": [1]}, {"id": "b", "inputs": ["a:0"], "outputs": [60, 40]}],
        ]
    )
    done = trace(graph, Method.FIFO, ["a:0"])
    done.edges = [edge for edge in done.edges if edge.amount != 40]
    assert forward(graph, done, ["a:0"], graph.rows["a:0"]).fault == "label 0: 100 units went in, 60 came out"


@st.composite
def ledgers(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    balance, made = [1_000] * 4, []
    for _ in range(draw(st.integers(0, 20))):
        source, target = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        amount = draw(st.integers(0, balance[source]))
        balance[source] -= amount
        balance[target] += amount
        made.append((source, target, amount))
    return made


@pytest.mark.parametrize("method", CONSERVING)
@given(made=ledgers(), chosen=st.integers(0, 19), hops=st.none() | st.integers(0, 3))
def test_from_any_payment_accounts_hold_what_the_run_says(
    method: Method, made: list[tuple[int, int, int]], chosen: int, hops: int | None
) -> None:
    run = AccountTrace(method, NO_LIMITS)
    balance = dict.fromkeys(HOLDERS, 1_000)
    for holder in HOLDERS[:2]:
        run.seed((holder, ETHER), 1_000)
    moves: list[Move] = []
    for row, (source, target, amount) in enumerate(made, 1):
        before = {(holder, ETHER): units for holder, units in balance.items()}
        step = run.step([[Payment(row, ETHER, amount, HOLDERS[source], HOLDERS[target])]], before, lambda _: None)
        run.apply(step)
        balance[HOLDERS[source]] -= amount
        balance[HOLDERS[target]] += amount
        moves += [
            Move(e.to_id, e.seq, e.from_id, e.label, e.amount, 1, (source, 1), (target, 1), 1, None)
            for e in step.edges
            if e.label is not None
        ]
    seeds = {(n, 1): [(n, 1, 1_000)] for n in range(2)}
    found = Forward(frozenset({chosen}), frozenset(), moves, seeds, bounds=Bounds(hops))
    assert found.fault is None
    for spot in found.inside:
        held = run.accounts.get((HOLDERS[spot[0]], ETHER))
        said = Counter()
        for label, units, _ in held.labelled() if held is not None else ():
            said[label] += units
        assert said == +Counter({label: units for (label, _), (units, _, _) in found.held[spot].items()})


def test_the_shortest_ways_come_first_and_end_at_the_first_target() -> None:
    graph = {"a": "bcd", "b": "t", "c": "dt", "d": "t", "t": "u", "u": ""}
    before: dict[str, list[str]] = {}
    for node, after in graph.items():
        for other in after:
            before.setdefault(other, []).append(node)
    far = distances("tu", lambda node: before.get(node, ()))
    assert far == {"t": 0, "u": 0, "b": 1, "c": 1, "d": 1, "a": 2}
    found = list(shortest("a", "tu", graph.__getitem__, far))
    assert found[:3] == [("a", "b", "t"), ("a", "c", "t"), ("a", "d", "t")] and found[3:] == [("a", "c", "d", "t")]


def test_of_very_many_ways_the_first_ones_come_at_once() -> None:
    """A ladder with three rungs at each of 200 steps has more ways than could ever be listed."""

    def after(node: tuple[int, int]) -> list[tuple[int, int]]:
        return [(node[0] + 1, rung) for rung in range(3)] if node[0] < 200 else []

    far = distances([(200, 0)], lambda node: [(node[0] - 1, rung) for rung in range(3)] if node[0] else [])
    ways = shortest([(0, 0)], {(200, 0)}, after, far)
    assert [len(next(ways)) for _ in range(5)] == [201] * 5
