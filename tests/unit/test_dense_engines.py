"""Each dense engine gives what the plain reference gives, to the byte of the digest."""

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dense_graphs import ENGINES, assert_same, both, columns_of
from tests.unit.taint_graphs import Graph, declared, graphs
from tracer.taint.boundaries import NO_LIMITS, NOBODY, Limits
from tracer.taint.dense import task
from tracer.taint.dense.columns import LARGEST, Unsupported, product_over
from tracer.taint.dense.engine import trace_dense
from tracer.taint.dense.lent import over
from tracer.taint.rules import Method
from tracer.taint.run import COINBASE, folded, sorted_ends
from tracer.types import Holder, Role

CASES = json.loads((Path(__file__).parent / "data" / "taint_cases.json").read_text(encoding="utf-8"))["coins"]
METHODS = list(Method)
ROLES = {Holder(b"\x52"): Role.AGENCY, Holder(b"\x53"): Role.EXCHANGE, Holder(b"\x54"): Role.REFUND}
HOLDERS = [Holder(b"\x51"), *ROLES, Holder(b"\x6a\x01"), NOBODY]

engines = pytest.mark.parametrize("engine", ENGINES)
methods = pytest.mark.parametrize("method", METHODS)


@engines
@methods
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_reference_case_has_the_digest_of_the_reference(case: dict, method: Method, engine: str) -> None:
    graph = Graph(case["blocks"])
    seized = sorted(graph.rows[name] for name in case["seized"])
    assert_same(*both(graph, method, {row: label for label, row in enumerate(seized)}, engine=engine))


def random_graph(seed: int, blocks: int = 12, txs: int = 25, top: int = 10**9) -> tuple[Graph, dict[int, int]]:
    """Blocks of spends, also within a block, with zero amounts, wide transactions, fees and unknown coins."""
    random = Random(seed)
    made: list[list[dict]] = []
    coins: dict[str, int] = {}
    seized: list[str] = []
    number = 0
    for height in range(blocks):
        block = [{"id": f"r{height}", "inputs": [], "outputs": [random.randint(0, top), random.randint(1, top)]}]
        for _ in range(txs):
            names = list(coins)[-60:] if random.random() < 0.8 else list(coins)
            spend = random.sample(names, min(len(names), random.choice((1, 1, 1, 2, 2, 3, 9))))
            if not spend:
                break
            number += 1
            left = sum(coins.pop(name) for name in spend)
            outputs = []
            for _ in range(random.choice((1, 1, 2, 2, 2, 2, 3, 5, 30)) if random.random() < 0.95 else 0):
                outputs.append(
                    random.choice(
                        (random.randint(0, left), random.randint(0, left // 3), left // 4, left // 4, left // 9)
                    )
                )
                outputs[-1] *= random.random() < 0.9
                left -= outputs[-1]
            if random.random() < 0.8 and outputs:
                outputs[-1] += left
            tx = {"id": f"t{number}", "inputs": spend, "outputs": outputs}
            tx["holders"] = [random.choice(HOLDERS) if random.random() < 0.04 else HOLDERS[0] for _ in outputs]
            block.append(tx)
            coins.update({f"t{number}:{n}": value for n, value in enumerate(outputs)})
        coins.update({f"r{height}:{n}": value for n, value in enumerate(block[0]["outputs"])})
        made.append(block)
        names = [f"{tx['id']}:{n}" for tx in block for n, _ in enumerate(tx["outputs"])]
        seized += random.sample(names, min(len(names), random.choice((0, 1, 2, 3))))
    graph = Graph(made)
    labels = random.sample(range(3 * len(seized)), len(seized))
    graph.unseen = set(random.sample(sorted(graph.coins), len(graph.coins) // 4))
    return graph, {graph.rows[name]: label for name, label in zip(seized, labels, strict=True)}


LIMITS = (NO_LIMITS, Limits(3, 0, 1 << 30), Limits(1 << 30, 300, 1 << 30), Limits(2, 900, 100_000))


@engines
@methods
@pytest.mark.parametrize("seed", range(8))
def test_random_history_has_the_digest_of_the_reference(seed: int, method: Method, engine: str) -> None:
    graph, sources = random_graph(seed)
    limits = LIMITS[seed % len(LIMITS)]
    plain, dense = both(graph, method, sources, engine=engine, limits=limits, roles=ROLES)
    assert_same(plain, dense)
    assert plain.transactions > 10
    rows = [row for page in dense.pages(7) for row in page]
    ends = sorted_ends(folded(plain.ends))
    assert [(r[0], r[1], r[2], r[3], r[5], r[6], r[7], r[8], r[9]) for r in rows] == [
        (
            *(getattr(e.place, n) for n in ("height", "position", "kind", "index")),
            e.offset,
            e.label,
            e.units,
            e.state,
            e.reason,
        )
        for e in ends
    ]
    assert [row[4] for row in rows] == [end.place.row for end in ends]


@engines
@methods
def test_history_is_followed_up_to_a_height_only(method: Method, engine: str) -> None:
    graph, sources = random_graph(99)
    early = {row: label for row, label in sources.items() if graph.coins[row][0][0] <= 7}
    assert_same(*both(graph, method, early, engine=engine, upto=7, roles=ROLES))
    with pytest.raises(Unsupported, match="above the height"):
        both(graph, method, sources, engine=engine, upto=7)


@settings(max_examples=60, deadline=None)
@given(made=graphs(most=40), method=st.sampled_from(METHODS), engine=st.sampled_from(ENGINES), data=st.data())
def test_any_history_has_the_digest_of_the_reference(
    made: tuple[list[list[dict]], list[str]], method: Method, engine: str, data: st.DataObject
) -> None:
    blocks, seized = made
    graph = Graph(blocks)
    nested = data.draw(st.lists(st.sampled_from(sorted(graph.rows)), max_size=4)) if graph.rows else []
    rows = list(dict.fromkeys(graph.rows[name] for name in [*seized, *nested]))
    limits = Limits(data.draw(st.integers(0, 5)), data.draw(st.integers(0, 400)), 1 << 30)
    limits = data.draw(st.sampled_from((NO_LIMITS, limits)))
    assert_same(*both(graph, method, {row: n for n, row in enumerate(rows)}, engine=engine, limits=limits))


@engines
@methods
@pytest.mark.parametrize("labels", [63, 64, 65, 150])
def test_many_labels_have_the_digest_of_the_reference(labels: int, method: Method, engine: str) -> None:
    graph, _ = random_graph(5, blocks=10, txs=40)
    chosen = Random(labels).sample(sorted(graph.coins), labels)
    assert_same(*both(graph, method, {row: n for n, row in enumerate(chosen)}, engine=engine))


@engines
@methods
def test_the_largest_amounts_have_the_digest_of_the_reference(method: Method, engine: str) -> None:
    most = LARGEST
    blocks = [
        [{"id": "r0", "inputs": [], "outputs": [most - 5, 3, 2]}],
        [
            {"id": "r1", "inputs": [], "outputs": [most]},
            spend("a", ["r0:0", "r0:1", "r0:2"], [most // 3, most - most // 3 - 1]),
        ],
        [
            {"id": "r2", "inputs": [], "outputs": [1]},
            spend("b", ["a:1", "a:0"], [1, most // 2, most // 7]),
            spend("c", ["r1:0"], [most - 1, 1]),
        ],
        [spend("d", ["b:1", "b:2"], [5, most // 2 - 7]), spend("e", ["c:0", "c:1"], [most])],
    ]
    graph = Graph(blocks)
    sources = {graph.rows[name]: n for n, name in enumerate(("r0:1", "r0:0", "a:0", "r1:0", "c:1"))}
    assert_same(*both(graph, method, sources, engine=engine))


def spend(name: str, inputs: list[str], outputs: list[int]) -> dict:
    return {"id": name, "inputs": inputs, "outputs": outputs}


@engines
def test_limit_of_live_coins_gives_the_reference_or_is_refused(engine: str) -> None:
    refused = same = 0
    for method in METHODS:
        graph, sources = random_graph(3)
        for most in (0, 1, 5, 40, 10_000):
            try:
                found = both(graph, method, sources, engine=engine, limits=Limits(1 << 30, 0, most), roles=ROLES)
            except Unsupported:
                refused += 1
                continue
            assert_same(*found)
            same += 1
    assert same >= len(METHODS)
    assert not (engine == "compiled" and refused)


@engines
@methods
def test_every_label_adds_up(method: Method, engine: str) -> None:
    graph, sources = random_graph(11)
    plain, dense = both(graph, method, sources, engine=engine)
    totals = dense.totals()
    live: Counter[int] = Counter()
    for end in plain.ends:
        live[end.label] += end.units if end.state == "live" else 0
    assert {label: one.live for label, one in totals.items()} == {label: live[label] for label in totals}
    if method is not Method.POISON:
        assert all(one.seeded == one.live + one.boundaries + one.fees for one in totals.values())


def test_what_an_engine_cannot_do_is_refused() -> None:
    graph, sources = random_graph(1)
    columns, _ = columns_of(graph)
    for declaration in (declared(Method.FIFO, fee_policy=COINBASE), declared(Method.FIFO, stop_at=("coinjoin",))):
        with pytest.raises(Unsupported, match="fees go on"):
            trace_dense(declaration, sources, columns, {}, (), 10)
    with pytest.raises(Unsupported, match="one label"):
        trace_dense(declared(Method.FIFO), dict.fromkeys(sources, 1), columns, {}, (), 10**6)
    with pytest.raises(Unsupported, match="not in the graph"):
        trace_dense(declared(Method.FIFO), {10**9: 1}, columns, {}, (), 10**6)
    with pytest.raises(Unsupported, match="above"):
        columns_of(Graph([[{"id": "r", "inputs": [], "outputs": [LARGEST + 1]}]]))


@engines
def test_poison_with_too_many_labels_for_the_memory_is_refused(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, sources = random_graph(1)
    monkeypatch.setattr(task, "MOST_BYTES", 8 * len(graph.coins) - 1)
    with pytest.raises(Unsupported, match="memory"):
        both(graph, Method.POISON, sources, engine=engine)


amounts = st.one_of(st.integers(0, LARGEST), st.integers(LARGEST - 9, LARGEST), st.integers(0, 9))


@settings(max_examples=500)
@given(a=amounts, b=amounts, total=amounts)
def test_product_over_a_total_is_exact(a: int, b: int, total: int) -> None:
    b, total = min(b, total), max(b, total, 1)
    assert Fraction(a * b, total) <= LARGEST
    found = product_over(np.array([a]), np.array([b]), np.array([total]))
    assert found.tolist() == [a * b // total]


@settings(max_examples=500, deadline=None)
@given(a=amounts, b=amounts, total=amounts)
def test_product_over_a_total_is_exact_in_compiled_loops(a: int, b: int, total: int) -> None:
    b, total = min(b, total), max(b, total, 1)
    assert int(over(np.int64(a), np.int64(b), np.int64(total), 1.0 / float(total))) == a * b // total
