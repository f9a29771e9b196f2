"""Runs one engine over the stored chain, in a process of its own: `python -m benchmarks.trace.child WHAT STORE`.

Prints one JSON object: processor seconds of the trace (the best of some turns) and of what goes before it, the digest
of all ends, and how many units are in none.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trace.graph import Ends, Plain, digest, plain
from tracer.store.connection import open_reader
from tracer.store.graph_columns import load
from tracer.taint.boundaries import NO_LIMITS, Limits
from tracer.taint.dense.columns import Columns
from tracer.taint.dense.engine import DenseResult, trace_dense
from tracer.taint.rules import Method
from tracer.taint.run import Declaration
from tracer.types import Kind

CHAIN_ID = 1
TIP = bytes(31) + b"\x01"
TURNS = 7
ALL = 1 << 30


def declared(method: Method, limits: Limits = NO_LIMITS) -> Declaration:
    """A run of the bench."""
    return Declaration("bench", "bip122:0", method, (), limits)


def sources_of(store: Path) -> dict[int, int]:
    """The rows of the sources, with their labels."""
    lines = store.with_name(store.name + ".sources").read_text().split()
    return {int(row): label for label, row in enumerate(lines)}


def stored(store: Path) -> Columns:
    """The stored graph."""
    engine = open_reader(store)
    with engine.connect() as connection:
        return load(connection, CHAIN_ID, ALL)


def ends_of(result: DenseResult) -> Ends:
    """The ends of a dense run, as the other engines give theirs."""
    found: Ends = {-1: {}}
    ordinal = {int(row): place for place, row in enumerate(result.columns.out_row.tolist())}
    for ends in result.ends():
        names = ("kind", "row", "label", "units")
        for kind, row, label, units in zip(*(ends[name].tolist() for name in names), strict=True):
            at = found.setdefault(ordinal[row] if kind == Kind.OUT else -1, {})
            at[label] = at.get(label, 0) + units
    return found


def best(turns: int, work: Callable[[], Any]) -> tuple[Any, float]:
    """What some work gives, and the least processor seconds that it took."""
    least = float("inf")
    for _ in range(turns):
        began = time.process_time()
        given = work()
        least = min(least, time.process_time() - began)
    return given, least


def dense(store: Path, engine: str) -> dict[str, Any]:
    """Haircut by the dense engine, warm."""
    columns, sources = stored(store), sources_of(store)

    def work() -> DenseResult:
        return trace_dense(declared(Method.HAIRCUT), sources, columns, {}, (), ALL, engine=engine)

    work()
    result, seconds = best(TURNS, work)
    digests = {
        method.value: trace_dense(declared(method), sources, columns, {}, (), ALL, engine=engine).digest(TIP).hex()
        for method in (Method.POISON, Method.HAIRCUT, Method.FIFO)
    }
    lists = plain(columns, [])  # only for the size
    size = {"transactions": len(columns.heights), "outputs": columns.outputs, "spending": len(lists.total)}
    told = {"traced": result.transactions, "left": int(np.count_nonzero(result.outcome.state)), **size}
    return answer(columns, sources, ends_of(result), seconds, 0.0) | {"digests": digests, **told}


def in_c(store: Path) -> dict[str, Any]:
    """Haircut by the loop in C."""
    from benchmarks.trace import with_c

    columns, sources = stored(store), sources_of(store)
    loop, ordinals = with_c.compiled(), ordinals_of(columns, sources)
    turns = [with_c.trace(loop, columns, ordinals) for _ in range(TURNS)]
    return answer(columns, sources, turns[0][0], min(seconds for _, seconds in turns), 0.0)


def lists(store: Path, what: str) -> dict[str, Any]:
    """Haircut by plain dictionaries, or over the graph of a library, which is built first."""
    columns, sources = stored(store), sources_of(store)
    graph = plain(columns, ordinals_of(columns, sources))
    build, trace = library(what)
    made, built = best(1, lambda: build(graph))
    ends, seconds = best(2 if what == "python_dicts" else 1, lambda: trace(made, graph))
    return answer(columns, sources, ends, seconds, built)


def library(what: str) -> tuple[Callable[[Plain], Any], Callable[[Any, Plain], Ends]]:
    """How a library builds its graph, and traces over it."""
    if what == "with_networkx":
        from benchmarks.trace import with_networkx

        return with_networkx.build, with_networkx.trace
    if what == "with_rustworkx":
        from benchmarks.trace import with_rustworkx

        return with_rustworkx.build, with_rustworkx.trace
    from benchmarks.trace import python_dicts

    return lambda _: None, lambda _, graph: python_dicts.trace(graph)


def ordinals_of(columns: Columns, sources: dict[int, int]) -> list[int]:
    """The ordinals of the sources' coins, in label order."""
    place = {int(row): at for at, row in enumerate(columns.out_row.tolist()) if row in sources}
    return [place[row] for row in sources]


def answer(columns: Columns, sources: dict[int, int], ends: Ends, seconds: float, before: float) -> dict[str, Any]:
    """What is told of a run; lost: units that were seeded, and are in no end."""
    seeded = sum(int(columns.out_amount[at]) for at in ordinals_of(columns, sources))
    lost = seeded - sum(units for at in ends.values() for units in at.values())
    return {"seconds": seconds, "before": before, "digest": digest(ends), "lost": lost}


def main() -> int:
    """Run what is asked for."""
    what, store = sys.argv[1], Path(sys.argv[2])
    match what:
        case "numpy" | "compiled":
            found = dense(store, what)
        case "with_c":
            found = in_c(store)
        case _:
            found = lists(store, what)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
