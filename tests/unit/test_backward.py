"""Going back from a deposit: ranges tile it, and are the inverse of the forward run, on any graph of coins."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.taint_graphs import Graph, graphs, trace
from tracer.taint.accounts import AccountTrace, Payment
from tracer.taint.backward import Credits, Line, Origin, origins
from tracer.taint.boundaries import NO_LIMITS
from tracer.taint.rules import Method
from tracer.types import AssetId, Holder

ETHER = AssetId("eip155:1/slip44:60")
FEES = -1


class Back:
    """A graph of coins seen from its end: fees are nodes of their own, the last output of their transaction."""

    def __init__(self, graph: Graph) -> None:
        self.made: dict[int, tuple[Line[int], int]] = {}
        self.maker: dict[int, object] = {}
        for block in graph.transactions.values():
            for tx in block:
                if not tx.inputs:
                    continue
                line = Line.of([(spent.coin, 0, spent.amount) for spent in tx.inputs])
                at = 0
                for row, amount in [*((one.row, one.amount) for one in tx.outputs), (tx.fee_row, tx.fee)]:
                    self.made[row], self.maker[row] = (line, at), tx.order
                    at += amount

    def parents(self, node: int, start: int, end: int) -> list[tuple[int, int, int]]:
        if node not in self.made:
            return []
        line, at = self.made[node]
        return line.part(at + start, at + end)

    def origins(self, node: int, amount: int, ends: set[int] = frozenset(), hops: int | None = None) -> list[Origin]:
        return origins(node, amount, self.parents, ends_at=ends.__contains__, step_of=self.maker.get, hops=hops)


@given(made=graphs(), hops=st.none() | st.integers(0, 3))
def test_the_ranges_tile_the_deposit_and_each_lies_within_its_coin(made: tuple[list, list], hops: int | None) -> None:
    graph = Graph(made[0])
    back = Back(graph)
    for row, (_, coin) in graph.coins.items():
        found = back.origins(row, coin.amount, hops=hops)
        assert [part.start for part in found] + [coin.amount] == [0, *(part.end for part in found)]
        for part in found:
            assert part.begin >= 0 and part.begin + part.units <= graph.coins[part.node][1].amount
            assert part.path[0] == row and part.path[-1] == part.node
            assert hops is None or len(part.path) <= hops + 1
            assert part.cut == (part.node in back.made)


@given(made=graphs())
def test_going_back_is_the_inverse_of_going_forward(made: tuple[list, list]) -> None:
    """Every live coin and fee has, range by range, the labels that the forward run gave it."""
    graph = Graph(made[0])
    seized = {graph.rows[name]: label for label, name in enumerate(made[1])}
    back, done = Back(graph), trace(graph, Method.FIFO, made[1])
    ends: dict[int, list[tuple[int, int, int]]] = {}
    for end in done.ends:
        ends.setdefault(end.place.row, []).append((end.offset, end.offset + end.units, end.label))
    amounts = {row: coin.amount for row, (_, coin) in graph.coins.items() if row not in graph.spenders}
    amounts |= {tx.fee_row: tx.fee for block in graph.transactions.values() for tx in block if tx.inputs}
    for row, amount in amounts.items():
        found: list[tuple[int, int, int]] = []
        for part in back.origins(row, amount, set(seized)):
            label = seized.get(part.node)
            if label is None:
                continue
            if found and found[-1][1:] == (part.start, label):
                found[-1] = found[-1][0], part.end, label
            else:
                found.append((part.start, part.end, label))
        assert found == sorted(ends.get(row, []))


@given(made=graphs())
def test_the_units_of_a_source_are_found_once_each_over_all_ends(made: tuple[list, list]) -> None:
    graph = Graph(made[0])
    back = Back(graph)
    places: Counter[tuple[int, int]] = Counter()
    amounts = {row: coin.amount for row, (_, coin) in graph.coins.items() if row not in graph.spenders}
    amounts |= {tx.fee_row: tx.fee for block in graph.transactions.values() for tx in block if tx.inputs}
    for row, amount in amounts.items():
        for part in back.origins(row, amount):
            places.update((part.node, part.begin + step) for step in (0, part.units - 1))
            assert part.node not in back.made
    sources = {row for row in graph.coins if row not in back.made}
    assert sum(amounts.values()) == sum(graph.coins[row][1].amount for row in sources)
    assert all(count <= 2 for count in places.values())


def test_neighbours_that_came_the_same_way_are_one_range() -> None:
    blocks = [
        [{"id": "a", "inputs": [], "outputs": [100]}],
        [{"id": "m", "inputs": [], "outputs": [1]}, {"id": "b", "inputs": ["a:0"], "outputs": [30, 70]}],
        [{"id": "n", "inputs": [], "outputs": [1]}, {"id": "c", "inputs": ["b:0", "b:1"], "outputs": [90]}],
    ]
    graph = Graph(blocks)
    [part] = Back(graph).origins(graph.rows["c:0"], 90)
    assert (part.start, part.end, part.node, part.begin) == (0, 90, graph.rows["a:0"], 0)
    assert [graph.names[node] for node in part.path] == ["c:0", "b:0", "a:0"]
    turned = Graph([*blocks[:2], [blocks[2][0], {**blocks[2][1], "inputs": ["b:1", "b:0"]}]])
    found = Back(turned).origins(turned.rows["c:0"], 90)
    assert [(part.units, part.begin) for part in found] == [(70, 30), (20, 0)]


def test_a_limit_of_hops_cuts_the_way_and_loses_no_unit() -> None:
    chain = [[{"id": "t0", "inputs": [], "outputs": [1_000]}]]
    for n in range(1, 9):
        chain.append([{"id": f"m{n}", "inputs": [], "outputs": [1]}])
        chain[-1].append({"id": f"t{n}", "inputs": [f"t{n - 1}:0"], "outputs": [1_000 - n]})
    graph = Graph(chain)
    [part] = Back(graph).origins(graph.rows["t8:0"], 992, hops=3)
    assert (graph.names[part.node], part.cut, part.units, len(part.path)) == ("t5:0", True, 992, 4)


def test_a_coin_without_value_has_no_origins() -> None:
    assert origins(1, 0, lambda *_: []) == []


HOLDERS = [Holder(bytes([n]) * 20) for n in range(1, 5)]


@st.composite
def payments(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """(from, to, amount) between four accounts that begin with 1000 each and never pay more than they hold."""
    balance = [1_000] * 4
    made = []
    for _ in range(draw(st.integers(0, 25))):
        source, target = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        amount = draw(st.integers(0, balance[source]))
        balance[source] -= amount
        balance[target] += amount
        made.append((source, target, amount))
    return made


@given(made=payments())
def test_on_accounts_too_the_ranges_have_the_labels_of_the_forward_run(made: list[tuple[int, int, int]]) -> None:
    forward = AccountTrace(Method.FIFO, NO_LIMITS)
    for holder in HOLDERS:
        forward.seed((holder, ETHER), 1_000)
    books = [Credits(unknown=-9) for _ in HOLDERS]
    for place, book in enumerate(books):
        book.credit(-1 - place, 1_000)
    payer: dict[int, int] = {}
    for row, (source, target, amount) in enumerate(made, 1):
        step = forward.step([[Payment(row, ETHER, amount, HOLDERS[source], HOLDERS[target])]], {}, lambda _: None)
        forward.apply(step)
        books[source].debit(row, amount)
        books[target].credit(row, amount)
        payer[row] = source

        def parents(node: int, start: int, end: int) -> list[tuple[int, int, int]]:
            return books[payer[node]].paid[node].part(start, end) if node > 0 else []

        found = origins(row, amount, parents)
        came: list[tuple[int, int]] = []
        for part in found:
            label = -1 - part.node
            if came and came[-1][0] == label:
                came[-1] = label, came[-1][1] + part.units
            else:
                came.append((label, part.units))
        went: list[tuple[int, int]] = []
        for edge in step.edges:
            if went and went[-1][0] == edge.label:
                went[-1] = went[-1][0], went[-1][1] + edge.amount
            else:
                went.append((edge.label, edge.amount))
        assert came == went


def test_units_that_were_not_seen_to_come_in_are_said_to_be_unknown() -> None:
    book: Credits[str] = Credits(unknown="?")
    book.credit("a", 5)
    book.debit("x", 8)
    assert book.paid["x"].part(0, 8) == [("a", 0, 5), ("?", 0, 3)]
    book.credit("b", 4)
    book.debit("y", 1)
    assert book.held() == [("b", 1, 3)]


@pytest.mark.parametrize(
    ("start", "end", "parts"), [(0, 0, []), (3, 5, [("b", 5, 7)]), (2, 4, [("a", 2, 3), ("b", 5, 6)])]
)
def test_a_part_of_a_line_names_its_pieces(start: int, end: int, parts: list[tuple[str, int, int]]) -> None:
    assert Line.of([("a", 0, 3), ("z", 0, 0), ("b", 5, 2)]).part(start, end) == parts
