"""Tracing rules: published reference cases, and laws that must hold for every transaction and graph."""

import doctest
import json
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.taint import following, frontier, rules
from tracer.taint.following import FIFO, HAIRCUT, Trace, advance, seed_coin
from tracer.taint.frontier import Limits, Traced, merge_neighbours
from tracer.types import Hash, Holder, Outpoint, Role, outpoint

CASES = json.loads((Path(__file__).parent / "data" / "taint_cases.json").read_text(encoding="utf-8"))
FAR = Limits(max_hops=10**6, min_amount=0, max_live=10**6)


@dataclass
class Graph:
    """Transactions by name, traced in the order given."""

    amounts: dict[str, int]
    trace: Trace
    fees: dict[str, Counter[int]]
    fee_units: int = 0

    @classmethod
    def of(cls, transactions: list[dict], seized: list[str]) -> "Graph":
        graph = cls({}, Trace(FAR), {FIFO: Counter(), HAIRCUT: Counter()})
        rows = iter(range(1, 10**6))
        for tx in transactions:
            inputs = [(next(rows), point(name), graph.amounts[name]) for name in tx["inputs"]]
            outputs = [(next(rows), point(f"{tx['id']}:{n}"), Holder(b"\x51"), v) for n, v in enumerate(tx["outputs"])]
            if any(place in graph.trace.coins for _, place, _ in inputs):
                fee_row = next(rows)
                done = advance(graph.trace, inputs, outputs, fee_row, lambda _: None)
                for edge in done.edges:
                    if edge.to_id == fee_row and edge.label is not None:
                        graph.fees[edge.method][edge.label] += edge.amount
            for n, value in enumerate(tx["outputs"]):
                name = f"{tx['id']}:{n}"
                graph.amounts[name] = value
                if name in seized:
                    seed_coin(graph.trace, point(name), value)
        return graph

    def traced(self, name: str) -> Traced | None:
        return self.trace.coins.get(point(name))


def point(name: str) -> Outpoint:
    tx, _, index = name.rpartition(":")
    return outpoint(Hash(tx.encode().rjust(32, b"\0")), int(index))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_reference_case_gives_the_published_figures(case: dict) -> None:
    names: list[str] = list(dict.fromkeys(case["seized"].values()))
    labels = [
        case["seized"][f"{tx['id']}:{n}"]
        for tx in case["transactions"]
        for n in range(len(tx["outputs"]))
        if f"{tx['id']}:{n}" in case["seized"]
    ]
    graph = Graph.of(case["transactions"], list(case["seized"]))
    haircut, fifo = {}, {}
    for name in graph.amounts:
        traced = graph.traced(name)
        if traced and traced.haircut:
            spread = Counter()
            for label, units in traced.haircut.items():
                spread[labels[label]] += units
            haircut[name] = dict(spread)
        if traced and any(label is not None for label, _ in traced.fifo):
            fifo[name] = [
                [length, None if label is None else labels[label]] for label, length in merge_neighbours(traced.fifo)
            ]
    assert names
    assert haircut == case["haircut"]["unspent"]
    assert fifo == case["fifo"]["unspent"]
    for method in (HAIRCUT, FIFO):
        by_name = Counter()
        for label, units in graph.fees[method].items():
            by_name[labels[label]] += units
        assert dict(by_name) == case[method]["fee"]


def test_examples_in_docstrings_hold() -> None:
    for module in (rules, frontier, following):
        assert doctest.testmod(module).failed == 0


amounts = st.integers(min_value=0, max_value=2**256 - 1)
positive = st.integers(min_value=1, max_value=10**12)


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
def mixes(draw: st.DrawFn) -> tuple[list[dict[int, int]], list[int], list[int]]:
    """Tainted units by label per input, each input's amount, and sinks with the same total."""
    sizes = draw(st.lists(positive, min_size=1, max_size=5))
    inputs = []
    for size in sizes:
        labels = draw(st.lists(st.integers(0, 4), unique=True, max_size=4))
        left, taint = size, {}
        for label in labels:
            taint[label] = draw(st.integers(0, left))
            left -= taint[label]
        inputs.append(taint)
    total, sinks = sum(sizes), []
    for _ in range(draw(st.integers(0, 5))):
        sinks.append(draw(st.integers(0, total)))
        total -= sinks[-1]
    return inputs, sizes, [*sinks, total]


@given(mixes())
def test_haircut_shares_are_exact_in_rows_and_columns(mix: tuple[list[dict[int, int]], list[int], list[int]]) -> None:
    inputs, _, sinks = mix
    rows = rules.haircut_shares(inputs, sinks)
    tainted = sum(sum(taint.values()) for taint in inputs)
    assert [sum(share.amount for share in row) for row in rows] == list(rules.haircut(tainted, sinks))
    columns = Counter({(s.source, s.label): 0 for row in rows for s in row})
    for row in rows:
        for share in row:
            assert share.amount > 0
            columns[share.source, share.label] += share.amount
    assert columns == Counter(
        {(n, label): units for n, taint in enumerate(inputs) for label, units in taint.items() if units}
    )


@given(mixes())
def test_splitting_by_input_does_not_change_what_a_label_gets(
    mix: tuple[list[dict[int, int]], list[int], list[int]],
) -> None:
    inputs, _, sinks = mix
    together: dict[int, int] = Counter()
    for taint in inputs:
        together.update(taint)
    fine = [Counter() for _ in sinks]
    for counter, row in zip(fine, rules.haircut_shares(inputs, sinks), strict=True):
        for share in row:
            counter[share.label] += share.amount
    coarse = [{share.label: share.amount for share in row} for row in rules.haircut_shares([together], sinks)]
    assert [dict(counter) for counter in fine] == coarse


@given(mixes())
def test_fifo_keeps_every_unit_in_order(mix: tuple[list[dict[int, int]], list[int], list[int]]) -> None:
    inputs, sizes, sinks = mix
    segments = [[*taint.items(), (None, size - sum(taint.values()))] for taint, size in zip(inputs, sizes, strict=True)]
    rows = rules.fifo_segments(segments, sinks)
    assert [sum(part.length for part in row) for row in rows] == sinks
    flat = merge_neighbours([(part.label, part.length) for row in rows for part in row])
    assert flat == merge_neighbours([(label, units) for part in segments for label, units in part if units])


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[dict], list[str]]:
    """A small graph: coins appear, some are seized, transactions spend what is there."""
    coins: dict[str, int] = {}
    transactions: list[dict] = []
    seized: list[str] = []
    for number in range(draw(st.integers(1, 12))):
        name = f"t{number}"
        spend = draw(st.lists(st.sampled_from(sorted(coins)), unique=True, max_size=3)) if coins else []
        total = sum(coins.pop(coin) for coin in spend) if spend else draw(st.integers(1, 10_000))
        outputs = []
        left = total
        for _ in range(draw(st.integers(1, 3))):
            outputs.append(draw(st.integers(0, left)))
            left -= outputs[-1]
        if not spend:
            outputs = [total]
            if draw(st.booleans()):
                seized.append(f"{name}:0")
        transactions.append({"id": name, "inputs": spend, "outputs": outputs})
        coins.update({f"{name}:{n}": value for n, value in enumerate(outputs)})
    return transactions, seized


@given(graphs())
def test_every_seized_unit_is_live_or_went_into_fees(graph: tuple[list[dict], list[str]]) -> None:
    transactions, seized = graph
    done = Graph.of(transactions, seized)
    order = [name for name in done.amounts if name in seized]
    for label, name in enumerate(order):
        live_haircut = sum(traced.haircut.get(label, 0) for traced in done.trace.coins.values())
        live_fifo = sum(units for traced in done.trace.coins.values() for which, units in traced.fifo if which == label)
        assert live_haircut + done.fees[HAIRCUT][label] == done.amounts[name]
        assert live_fifo + done.fees[FIFO][label] == done.amounts[name]
    for name, amount in done.amounts.items():
        traced = done.traced(name)
        if traced:
            assert sum(units for _, units in traced.fifo) == amount
            assert sum(traced.haircut.values()) <= amount


def test_budgets_cut_with_the_amount_that_was_left() -> None:
    trace = Trace(Limits(max_hops=1, min_amount=100, max_live=10))
    coin = point("a:0")
    seed_coin(trace, coin, 1_000)
    first = advance(
        trace,
        [(1, coin, 1_000)],
        [(2, point("b:0"), Holder(b"x"), 950), (3, point("b:1"), Holder(b"y"), 50)],
        4,
        lambda _: None,
    )
    assert [(row.movement_id, row.boundary) for row in first.rows] == [(2, None), (3, "budget: amount")]
    assert first.cut == ((3, "budget: amount", 50),)
    second = advance(trace, [(5, point("b:0"), 950)], [(6, point("c:0"), Holder(b"x"), 940)], 7, lambda _: None)
    assert [(row.movement_id, row.boundary) for row in second.rows] == [(6, "budget: hops"), (7, "fee")]
    assert trace.coins == {}


def test_trace_stops_at_an_exchange_deposit_and_at_a_burn_but_not_within_custody() -> None:
    trace = Trace(FAR)
    seed_coin(trace, point("a:0"), 100)
    roles = {Holder(b"exchange"): Role.EXCHANGE, Holder(b"agency"): Role.AGENCY}
    done = advance(
        trace,
        [(1, point("a:0"), 100)],
        [
            (2, point("b:0"), Holder(b"exchange"), 60),
            (3, point("b:1"), Holder(b"agency"), 30),
            (4, point("b:2"), Holder(b"\x6a\x01x"), 10),
        ],
        5,
        roles.get,
    )
    assert [(row.boundary, row.hop) for row in done.rows] == [("exchange deposit", 0), (None, 0), ("burn", 1)]
    assert list(trace.coins) == [point("b:1")]
