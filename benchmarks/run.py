"""The command `make bench`: measures both chains in one run and prints the table, or says why it will not."""

import argparse
import os
import platform
import re
import shlex
import signal
import sqlite3
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks import measure, table, targets
from benchmarks.daemon import RunFailed
from benchmarks.story import Size
from fixtures.process import NodeFailed

DOCS = Path(__file__).parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
VARIANTS = {"bitcoin": measure.BITCOIN, "ethereum": measure.ETHEREUM}
SEIZED = {"bitcoin": 1000, "ethereum": 200}
"""Seized holders. On Ethereum the node is asked for each one's balances at the seizure height, which takes its time."""

QUICK = {"bitcoin": (150, 300), "ethereum": (700, 20), "watched": 20_000, "repeats": 1, "live": 40}
LIBRARIES = ("custody-tracer", "bitcoinrpc", "httpx", "web3", "aiohttp", "orjson")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--only", choices=["bitcoin", "ethereum"], help="measure one chain only")
    parser.add_argument("--bitcoin", default=(600, 1500), metavar="BLOCKSxTXS", type=_shape, help="[600x1500]")
    parser.add_argument("--ethereum", default=(1000, 100), metavar="BLOCKSxTXS", type=_shape, help="[1000x100]")
    parser.add_argument("--watched", default=1_000_000, type=int, help="watched holders per chain [1000000]")
    parser.add_argument("--repeats", default=3, type=int, help="turns of naive loop and daemon [3]")
    parser.add_argument("--live", default=200, type=int, help="blocks that each variant follows live [200]")
    parser.add_argument("--quick", action="store_true", help="a small run: all is done, no figure means much")
    parser.add_argument("--seed", default="1", help="what all scripts, accounts and amounts follow from [1]")
    parser.add_argument("--write-docs", action="store_true", help=f"put the table into docs/{DOCS.name}")
    given = parser.parse_args()
    if given.quick:
        for name, value in QUICK.items():
            setattr(given, name, value)
    return given


def _shape(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected BLOCKSxTXS such as 600x1500, got {text!r}")
    return int(found[1]), int(found[2])


def main() -> int:
    """Measure; 0 if daemon and naive loop found the same, 1 if not or if a process failed."""
    given, began = arguments(), time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {line}", file=sys.stderr)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nodes and files are removed
    results = []
    try:
        with tempfile.TemporaryDirectory(prefix="custody-tracer-bench-") as directory:
            for chain, work in (("bitcoin", measure.bitcoin), ("ethereum", measure.ethereum)):
                if given.only in (None, chain):
                    blocks, txs = getattr(given, chain)
                    live = given.live * len(VARIANTS[chain])
                    size = Size(blocks, txs, given.watched, given.seed, SEIZED[chain], live)
                    results.append(work(size, given.repeats, Path(directory) / chain, say))
        lines = report(results, time.monotonic() - began)
    except (measure.HitsDiffer, RunFailed, NodeFailed) as error:
        print(f"bench: {error}\nNo ratio is given.", file=sys.stderr)
        return 1
    print("\n".join(lines))
    if given.write_docs:
        write_docs(lines)
    return 0


def report(results: list[measure.Result], seconds: float) -> list[str]:
    """The table, what it was measured on and with, and the targets that were missed."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    nodes = ", ".join(result.node_version for result in results)
    turns = len(results[0].naive)
    return [
        f"Command: `{shlex.join(['python', '-m', 'benchmarks.run', *sys.argv[1:]])}` ({seconds:.0f} s)",
        f"Machine: {machine()}",
        f"Versions: Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {nodes}, {libraries}",
        f"Seed: {results[0].size.seed}. Ratios are of medians of {turns} turns.",
        "",
        *targets.table(results),
        "",
        *targets.summary(results),
        "",
        f"What the daemon did, median of {turns} turns (least-greatest):",
        "",
        *table.daemon(results),
        "",
        "What it is compared with:",
        "",
        *table.baselines(results),
    ]


def machine() -> str:
    """Name the processor, the cores this process may use, and the memory."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.is_file() else None
    model = found[1] if found else platform.machine()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{len(os.sched_getaffinity(0))} cores ({model}), {memory:.0f} GiB"


def write_docs(lines: list[str]) -> None:
    """Replace the measured part of the page."""
    head, begin, rest = DOCS.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{DOCS} has no part between {BEGIN} and {END}")
    spaced = [f"{line}\n" if line.startswith(("Command", "Machine", "Versions")) else line for line in lines]
    DOCS.write_text(f"{head}{BEGIN}\n\n" + "\n".join(spaced) + f"\n\n{END}{tail}")


if __name__ == "__main__":
    sys.exit(main())
