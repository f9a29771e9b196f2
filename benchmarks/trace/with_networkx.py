"""Haircut with many labels over a networkx graph: coins and transactions as nodes, in topological order."""

import networkx as nx

from benchmarks.trace.graph import Ends, Plain
from benchmarks.trace.python_dicts import spread


def build(graph: Plain) -> "nx.DiGraph[tuple[str, int]]":
    """The graph: an edge from each coin to the transaction that spends it, and from that to each coin it makes."""
    made: nx.DiGraph[tuple[str, int]] = nx.DiGraph()
    for tx, (inputs, outputs, total) in enumerate(zip(graph.inputs, graph.outputs, graph.total, strict=True)):
        made.add_node(("tx", tx), total=total)
        made.add_edges_from((("coin", coin), ("tx", tx)) for coin in inputs if coin >= 0)
        made.add_edges_from((("tx", tx), ("coin", coin)) for coin in outputs)
    return made


def trace(made: "nx.DiGraph[tuple[str, int]]", graph: Plain) -> Ends:
    """Trace the sources to the end of the chain."""
    amounts = graph.amounts
    source = {coin: label for label, coin in enumerate(graph.sources)}
    held: Ends = {}
    fees: dict[int, int] = {}
    for kind, number in nx.topological_sort(made):
        if kind == "coin":
            if number in source:
                row = held.setdefault(number, {})
                row[source[number]] = amounts[number] - sum(row.values())
            continue
        units: dict[int, int] = {}
        for _, coin in made.pred["tx", number]:
            for label, n in held.pop(coin, {}).items():
                units[label] = units.get(label, 0) + n
        if not units:
            continue
        outputs = [coin for _, coin in made.succ["tx", number]]
        total: int = made.nodes["tx", number]["total"]
        sinks = [amounts[out] for out in outputs]
        rows = spread(units, [*sinks, total - sum(sinks)], total)
        held.update({out: row for out, row in zip(outputs, rows, strict=False) if row})
        for label, n in rows[-1].items():
            fees[label] = fees.get(label, 0) + n
    held[-1] = fees
    return held
