"""Goes back from deposits in the large store by FIFO: `python -m benchmarks.trace.origins STORE`.

The deposits are a hundred of the last coins of the chain, evenly apart. Prints the middle, the slowest tenth, and the
slowest of their seconds (each the best of three turns, the store being open and warm, with a reader that remembers
nothing), and how many transactions the middle one has behind it, twelve hops deep.
"""

import json
import statistics
import sys
import time
from pathlib import Path

from benchmarks.trace.child import CHAIN_ID
from tracer.store.connection import open_reader
from tracer.store.making import Node, making_of
from tracer.taint.backward import origins

LAST, APART, TURNS, HOPS = 4000, 40, 3, 12
OUTPUTS = f"SELECT id, amount FROM movement WHERE kind = 1 AND amount > 0 ORDER BY id DESC LIMIT {LAST}"


def main() -> int:
    """Go back from each, and take the time."""
    took: list[float] = []
    behind: list[int] = []
    with open_reader(Path(sys.argv[1])).connect() as connection:
        for row, amount in connection.exec_driver_sql(OUTPUTS).all()[::APART]:
            deposit: Node = int(row)
            best = float("inf")
            for _ in range(TURNS):
                began = time.perf_counter()
                making = making_of(connection, CHAIN_ID, True)
                found = origins(deposit, int(amount), making.parents, step_of=making.step_of, hops=HOPS)
                best = min(best, time.perf_counter() - began)
            assert sum(one.units for one in found) == int(amount), "the ranges tile the deposit"
            took.append(best)
            behind.append(len({making.step_of(node) for one in found for node in one.path}))
    took.sort()
    told = {"seconds": statistics.median(took), "tenth": took[len(took) * 9 // 10], "slowest": took[-1]}
    print(json.dumps(told | {"transactions": statistics.median(behind), "deposits": len(took)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
