"""A small trace in the large store, by the reference: `python -m benchmarks.trace.sparse STORE`.

The source is the first coin, from nine tenths of the chain on, that taints a few hundred transactions under poison.
Prints the seconds of the runs, the store being open, and how many transactions each traced.
"""

import json
import sys
import time
from pathlib import Path

from benchmarks.trace.child import ALL, CHAIN_ID, TIP, declared, stored
from tracer.store.connection import open_reader
from tracer.store.graph import StoredCoins
from tracer.taint.dense.columns import Columns
from tracer.taint.dense.engine import trace_dense
from tracer.taint.history import trace_coins
from tracer.taint.rules import Method
from tracer.taint.run import digest

FEWEST, MOST = 300, 500
METHODS = (Method.POISON, Method.HAIRCUT, Method.FIFO)
TRIES = 400


def pick(columns: Columns) -> int:
    """The row of the source."""
    first = columns.outputs * 9 // 10
    for coin in range(first, columns.outputs, max(1, (columns.outputs - first) // TRIES)):
        row = int(columns.out_row[coin])
        traced = trace_dense(declared(Method.POISON), {row: 0}, columns, {}, (), ALL).transactions
        if FEWEST <= traced <= MOST:
            return row
    raise SystemExit("no coin of the chain taints so few transactions, and so many")


def main() -> int:
    """Trace it by each method; the best of three turns, each over a connection of its own."""
    store = Path(sys.argv[1])
    columns = stored(store)
    row = pick(columns)
    found = {}
    for method in METHODS:
        run, seconds = declared(method), float("inf")
        for _ in range(3):
            engine = open_reader(store)
            with engine.connect() as connection:
                began = time.perf_counter()
                plain = trace_coins(
                    run, {row: 0}, StoredCoins(connection, CHAIN_ID, 1, ((0, ALL),), ALL), lambda _: None, ALL
                )
                seconds = min(seconds, time.perf_counter() - began)
            engine.dispose()
        same = trace_dense(run, {row: 0}, columns, {}, (), ALL).digest(TIP) == digest(run, TIP, plain.ends)
        found[method.value] = {"seconds": seconds, "transactions": plain.transactions, "same": same}
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
