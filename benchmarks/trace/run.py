"""The command `make bench-trace`: measures tracing over a million transactions, and prints the table.

Every engine runs in a process of its own, one after the other; ratios are of processor time, so that other work on the
machine counts little. No ratio is given unless all engines leave the same units at the same places.
"""

import argparse
import json
import os
import platform
import shlex
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.run import DOCS, machine
from benchmarks.trace import generate, with_c
from benchmarks.trace.store import write

BEGIN, END = "<!-- traced: begin -->", "<!-- traced: end -->"
LIBRARIES = ("custody-tracer", "numba", "numpy", "networkx", "rustworkx")
FRESH_TURNS = 3
Told = dict[str, Any]


class Differs(Exception):
    """Engines came to different results."""


@dataclass(frozen=True, slots=True)
class Row:
    """A measure; more: whether more is better. must, aim: None where there is no target."""

    what: str
    value: float
    unit: str
    more: bool = True
    must: float | None = None
    aim: float | None = None

    def met(self) -> str:
        """What became of the target."""
        if self.must is None or self.aim is None:
            return ""
        reached = [self.value >= goal if self.more else self.value <= goal for goal in (self.aim, self.must)]
        return "aim met" if reached[0] else "must met" if reached[1] else "MISSED"

    def line(self) -> str:
        """The row of the table."""
        sign = ">=" if self.more else "<="
        goals = ["" if goal is None else f"{sign} {shown(goal)}{self.unit}" for goal in (self.must, self.aim)]
        return f"| {self.what} | {shown(self.value)}{self.unit} | {goals[0]} | {goals[1]} | {self.met()} |"


def shown(value: float) -> str:
    """A number with three figures or so."""
    return (
        f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")
    )


def child(module: str, *args: object) -> Told:
    """Run a module in a fresh process, and read what it tells."""
    command = [sys.executable, "-m", f"benchmarks.trace.{module}", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{module} {args} ended with {done.returncode}: {done.stderr[-2000:]}")
    told: Told = json.loads(done.stdout)
    return told


def engines(store: Path, skip: set[str], say: generate.Say) -> dict[str, Told]:
    """What every engine came to; raises Differs."""
    names = ["compiled", "numpy", "python_dicts", "with_rustworkx", "with_networkx"]
    names += ["with_c"] if with_c.available() else []
    found: dict[str, Told] = {}
    for name in names:
        if name not in skip:
            found[name] = child("child", name, store)
            seconds, before = found[name]["seconds"], found[name]["before"]
            say(f"{name}: {seconds:.3f} s" + (f", {before:.1f} s before it" if before else ""))
    if len({told["digest"] for told in found.values()}) != 1 or any(told["lost"] for told in found.values()):
        raise Differs(f"ends differ: { {name: (told['digest'][:12], told['lost']) for name, told in found.items()} }")
    if found["compiled"]["digests"] != found["numpy"]["digests"]:
        raise Differs("the digests of the runs differ between the two dense engines")
    return found


def fresh(store: Path, folder: Path, say: generate.Say) -> Told:
    """The quickest of some fresh processes; raises Differs."""
    turns = []
    for turn in range(FRESH_TURNS):
        began = time.perf_counter()
        told = child("fresh", store, folder / f"results-{turn}.db")
        turns.append(told | {"wall": time.perf_counter() - began})
        took = f"{turns[-1]['wall']:.2f} s, {told['cpu']:.2f} s of the processor"
        say(f"fresh process: {took}, {told['peak'] / 1e6:.0f} MB")
    if len({json.dumps(told["digests"]) for told in turns}) != 1:
        raise Differs("the digests of fresh processes differ")
    return min(turns, key=lambda told: float(told["wall"]))


def rows(found: dict[str, Told], new: Told, sparse: Told, live: Told, back: Told) -> list[Row]:
    """The table."""
    took = {name: told["seconds"] for name, told in found.items()}
    all_in = {name: told["seconds"] + told["before"] for name, told in found.items()}
    best = took["compiled"]
    made = [
        Row("haircut, compiled, against Python dictionaries", took["python_dicts"] / best, "x", must=25, aim=100),
        Row("haircut, numpy, against Python dictionaries", took["python_dicts"] / took["numpy"], "x", must=6, aim=10),
    ]
    for name, must, aim in (("rustworkx", 50, 200), ("networkx", 250, 1000)):
        if f"with_{name}" in found:
            ratio = all_in[f"with_{name}"] / best
            made.append(Row(f"haircut, compiled, against {name} with its build", ratio, "x", must=must, aim=aim))
    if "with_c" in found:
        made.append(Row("haircut, compiled, over the loop in C -O2", best / took["with_c"], "x", False, 3, 1.3))
    slowest = max(sparse.values(), key=lambda told: float(told["seconds"]))
    return [
        *made,
        Row("fresh process, three methods, ends kept", new["wall"], " s", False, 2, 1),
        Row("its processor time", new["cpu"], " s", False),
        Row("its peak memory", new["peak"] / 1e6, " MB", False, 400, 300),
        Row("block of 500 transactions: traces advance, written, committed", 1000 * live["wall"], " ms", False, 40, 15),
        Row("the whole of that block, facts included", 1000 * live["whole"], " ms", False),
        Row(f"small trace, {slowest['transactions']} transactions", 1000 * slowest["seconds"], " ms", False, 150, 30),
        Row(f"origins of a deposit, median of {back['deposits']}", 1000 * back["seconds"], " ms", False, 10, 2),
        Row("origins of a deposit, slowest tenth", 1000 * back["tenth"], " ms", False),
        Row("units lost, all engines", sum(abs(told["lost"]) for told in found.values()), "", False, 0, 0),
    ]


def report(table: list[Row], found: dict[str, Told], new: Told, command: str, load: float) -> list[str]:
    """The table with what it was measured on."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    told = found["compiled"]
    seconds = [f"{name} {one['seconds']:.3f}" for name, one in found.items()]
    built = [f"{name} {one['before']:.1f}" for name, one in found.items() if one["before"]]
    steps = [f"{name} {at:.2f}" for name, at in new["steps"].items()]
    return [
        f"Command: `{command}`",
        "",
        f"Machine: {machine()}; other work on it when this began: load {load:.1f}",
        "",
        f"Versions: Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {libraries}",
        "",
        f"{told['transactions']:,} transactions, {told['outputs']:,} outputs, 10 sources; haircut without limits"
        f" carries traced value through {told['traced']:,} transactions and leaves it in {told['left']:,} outputs.",
        "",
        "| measure | measured | must | aim | |",
        "| --- | ---: | ---: | ---: | --- |",
        *(row.line() for row in table),
        "",
        f"Haircut, seconds of the processor: {', '.join(seconds)}; to build their graphs: {', '.join(built)}.",
        "",
        f"Fresh process, seconds since its start: {', '.join(steps)}; {new['ends']:,} ends.",
    ]


def write_docs(lines: list[str]) -> None:
    """Replace the measured part of the page."""
    head, begin, rest = DOCS.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{DOCS} has no part between {BEGIN} and {END}")
    DOCS.write_text(f"{head}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{tail}")


def main() -> int:
    """Measure; 0 if all engines came to the same, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trace.run", description=__doc__)
    parser.add_argument("--store", type=Path, help="a store of benchmarks.trace.generate; else one is made and removed")
    parser.add_argument("--blocks", type=int, default=generate.BLOCKS)
    parser.add_argument("--per-block", type=int, default=generate.PER_BLOCK)
    parser.add_argument(
        "--skip", action="append", default=[], help="an engine to leave out (with_networkx takes minutes)"
    )
    parser.add_argument("--write-docs", action="store_true", help=f"put the table into docs/{DOCS.name}")
    given = parser.parse_args()
    began, load = time.monotonic(), os.getloadavg()[0]

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {line}", file=sys.stderr)

    with tempfile.TemporaryDirectory(prefix="custody-tracer-bench-") as directory:
        folder = Path(directory)
        store = given.store or folder / "million.db"
        if given.store is None:
            write(generate.make(blocks=given.blocks, per_block=given.per_block), store, say)
        try:
            found = engines(store, set(given.skip), say)
            new = fresh(store, folder, say)
            sparse, live, back = child("sparse", store), child("live_block"), child("origins", store)
            if any(not told["same"] for told in sparse.values()):
                raise Differs("the small trace has another digest by the dense engine")
        except Differs as error:
            print(f"bench: {error}\nNo ratio is given.", file=sys.stderr)
            return 1
    command = shlex.join(["python", "-m", "benchmarks.trace.run", *sys.argv[1:]])
    lines = report(rows(found, new, sparse, live, back), found, new, command, load)
    print("\n".join(lines))
    if given.write_docs:
        write_docs(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
