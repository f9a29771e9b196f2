"""Haircut with many labels in plain Python: a dictionary of labels per coin, transactions in chain order."""

from itertools import accumulate

from benchmarks.trace.graph import Ends, Plain


def spread(units: dict[int, int], sinks: list[int], total: int) -> list[dict[int, int]]:
    """Split the labels of a transaction over its sinks: outputs, then the fee."""
    labels = sorted(units)
    left = [units[label] for label in labels]
    tainted, upto, before = sum(left), 0, 0
    rows: list[dict[int, int]] = []
    for sink in sinks:
        upto += sink
        bound = tainted * upto // total
        share, before = bound - before, bound
        row: dict[int, int] = {}
        if share:
            rest, last = sum(left), 0
            for place, reached in enumerate(accumulate(left)):
                here = share * reached // rest
                if here > last:
                    row[labels[place]] = here - last
                    left[place] -= here - last
                last = here
        rows.append(row)
    return rows


def trace(graph: Plain) -> Ends:
    """Trace the sources to the end of the chain; what is in no transaction any more is left in the answer."""
    amounts = graph.amounts
    source = {coin: label for label, coin in enumerate(graph.sources)}
    held: Ends = {}
    fees: dict[int, int] = {}
    made_by_none = set(source) - {out for outs in graph.outputs for out in outs}
    for coin in made_by_none:
        held[coin] = {source[coin]: amounts[coin]}
    for inputs, outputs, total in zip(graph.inputs, graph.outputs, graph.total, strict=True):
        units: dict[int, int] = {}
        for coin in inputs:
            came = held.pop(coin, None)
            if came:
                for label, n in came.items():
                    units[label] = units.get(label, 0) + n
        if units:
            sinks = [amounts[out] for out in outputs]
            rows = spread(units, [*sinks, total - sum(sinks)], total)
            for out, row in zip(outputs, rows, strict=False):
                if row:
                    held[out] = row
            for label, n in rows[-1].items():
                fees[label] = fees.get(label, 0) + n
        for out in outputs:
            if out in source:
                row = held.setdefault(out, {})
                row[source[out]] = amounts[out] - sum(row.values())
    held[-1] = fees
    return held
