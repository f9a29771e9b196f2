"""Lets the daemon follow a live chain, block by block, and takes down what an observer sees of each."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from benchmarks.daemon import RunFailed, running
from benchmarks.observer import Seen

GAP_S = 0.1
"""Between a commit and the next block, so that no block finds the daemon still at the one before."""

Make = tuple[Callable[[], object], Callable[[], object]]
"""How the next block is made: what the node is given before, and what makes the block."""


@dataclass(frozen=True, slots=True)
class Latency:
    """What live blocks took, in milliseconds, in the order of the blocks.

    push: from the announcement, as it reached the observer, to the commit, as a reader of the store saw it.
    handed: from handing the block (or the order to mine it) to the node to the same commit.
    unsure: how long before the look that showed the commit the last one was that did not.
    peak_rss: of the daemon, in bytes.
    """

    push: tuple[float, ...]
    handed: tuple[float, ...]
    unsure: tuple[float, ...]
    peak_rss: int


def quantile(values: tuple[float, ...], share: float) -> float:
    """The smallest value that `share` of all values do not exceed."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def follow(config: Path, store: Path, height: int, order: dict[str, Any], blocks: Sequence[Make]) -> Latency:
    """Run `tracerd run`, let it come to the node's tip at `height`, and make blocks one after another.

    order: what the observer hears (`kind`, `url`).
    """
    handed, seen = list[int](), list[Seen]()
    with running(config, store, height) as peak_rss:
        with _observer({**order, "store": str(store), "count": len(blocks)}) as lines:
            for prepare, make in blocks:
                prepare()
                time.sleep(GAP_S)
                handed.append(time.monotonic_ns())
                make()
                seen.append(Seen(**json.loads(next(lines))))
        peak = peak_rss()
    return Latency(
        tuple((one.committed_ns - one.heard_ns) / 1e6 for one in seen),
        tuple((one.committed_ns - began) / 1e6 for one, began in zip(seen, handed, strict=True)),
        tuple(one.unsure_ns / 1e6 for one in seen),
        peak,
    )


@contextmanager
def _observer(order: dict[str, Any]) -> Iterator[Iterator[str]]:
    """Start the observer and give the lines that it writes; raises RunFailed where one is missing."""
    command = [sys.executable, "-m", "benchmarks.observer"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(json.dumps(order))
            child.stdin.close()
            lines = _lines(child)
            next(lines)
            yield lines
        finally:
            child.kill()


def _lines(child: "subprocess.Popen[str]") -> Iterator[str]:
    assert child.stdout is not None
    yield from child.stdout
    raise RunFailed(f"the observer ended with {child.wait()} before it had seen all blocks")
