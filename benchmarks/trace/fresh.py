"""A whole use in a fresh process: open the store, load the graph, three runs, keep their ends:
`python -m benchmarks.trace.fresh STORE RESULTS`.

The runs have the limits of the product. Ends are kept as pages of JSON rows in a table of RESULTS, committed once.
Prints the seconds since the process began, the high-water mark of its memory, and the digests.
"""

import json
import sqlite3
import sys
import time
from pathlib import Path

import orjson

from benchmarks.trace.child import ALL, CHAIN_ID, TIP, declared, sources_of
from tracer.store.connection import open_reader
from tracer.store.graph_columns import dense_trace, load
from tracer.taint.boundaries import Limits
from tracer.taint.rules import Method

METHODS = (Method.POISON, Method.HAIRCUT, Method.FIFO)
PAGE = 5000


def main() -> int:
    """Do all of it."""
    store, results = Path(sys.argv[1]), sqlite3.connect(sys.argv[2])
    steps = {"imported": since_start()}
    results.execute("CREATE TABLE page (method TEXT, page INTEGER, ends TEXT, PRIMARY KEY (method, page))")
    engine, sources = open_reader(store), sources_of(store)
    digests, ends = {}, 0
    with engine.connect() as connection:
        columns = load(connection, CHAIN_ID, ALL)
        steps["loaded"] = since_start()
        for method in METHODS:
            run = declared(method, Limits(max_live=ALL))
            result = dense_trace(connection, CHAIN_ID, run, sources, {}, ALL, True, columns=columns)
            digests[method.value] = result.digest(TIP).hex()
            for number, page in enumerate(result.pages(PAGE)):
                results.execute(
                    "INSERT INTO page VALUES (?, ?, ?)", (method.value, number, orjson.dumps(page).decode())
                )
                ends += len(page)
            steps[method.value] = since_start()
            engine_used = result.engine
            del result  # with its memory, before the next run
    results.commit()
    steps["kept"] = since_start()
    status = Path("/proc/self/status").read_text()  # rusage would count the process that started this one
    peak = 1024 * int(status.partition("VmHWM:")[2].split()[0])
    cpu = time.process_time()
    print(
        json.dumps({"steps": steps, "cpu": cpu, "peak": peak, "digests": digests, "ends": ends, "engine": engine_used})
    )
    return 0


def since_start() -> float:
    """Seconds since this process began."""
    fields = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()
    ticks = int(fields[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / 100


if __name__ == "__main__":
    sys.exit(main())
