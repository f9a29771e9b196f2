"""Haircut with many labels over a rustworkx graph: coins and transactions as nodes, in topological order."""

import rustworkx as rx

from benchmarks.trace.graph import Ends, Plain
from benchmarks.trace.python_dicts import spread

Made = rx.PyDiGraph


def build(graph: Plain) -> Made:
    """The graph: coins are nodes by ordinal, transactions come after them; edges from coin to spender, and to coins."""
    coins = len(graph.amounts)
    made: rx.PyDiGraph[int, None] = rx.PyDiGraph()
    made.add_nodes_from(range(coins + len(graph.total)))
    edges: list[tuple[int, int]] = []
    for tx, (inputs, outputs) in enumerate(zip(graph.inputs, graph.outputs, strict=True), coins):
        edges += [(coin, tx) for coin in inputs if coin >= 0]
        edges += [(tx, coin) for coin in outputs]
    made.add_edges_from_no_data(edges)
    return made


def trace(made: Made, graph: Plain) -> Ends:
    """Trace the sources to the end of the chain."""
    amounts, coins = graph.amounts, len(graph.amounts)
    source = {coin: label for label, coin in enumerate(graph.sources)}
    held: Ends = {}
    fees: dict[int, int] = {}
    for node in rx.topological_sort(made):
        if node < coins:
            if node in source:
                row = held.setdefault(node, {})
                row[source[node]] = amounts[node] - sum(row.values())
            continue
        units: dict[int, int] = {}
        for coin in made.predecessor_indices(node):
            for label, n in held.pop(coin, {}).items():
                units[label] = units.get(label, 0) + n
        if not units:
            continue
        outputs = sorted(made.successor_indices(node))
        total = graph.total[node - coins]
        sinks = [amounts[out] for out in outputs]
        rows = spread(units, [*sinks, total - sum(sinks)], total)
        held.update({out: row for out, row in zip(outputs, rows, strict=False) if row})
        for label, n in rows[-1].items():
            fees[label] = fees.get(label, 0) + n
    held[-1] = fees
    return held
