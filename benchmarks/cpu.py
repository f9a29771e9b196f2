"""How much processor time and memory a process and its children have used, as Linux counts it."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> Iterator[int]:
    """A process, its children, and theirs."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from family(int(child))


def cpu_s(pid: int) -> float:
    """Seconds of user and system time of all its threads and children so far; raises OSError if it is gone."""
    return sum(_ticks(pid, waited=True) if one == pid else _ticks(one) for one in family(pid)) / TICKS_PER_S


def _ticks(pid: int, *, waited: bool = False) -> int:
    """waited: with the children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15] if waited else fields[11:13]))


def peak_rss(pid: int) -> int:
    """The high-water marks (VmHWM) of its own and its children's memory together, in bytes: no less than they took."""
    marks = (re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{one}/status").read_text()) for one in family(pid))
    return sum(int(mark[1]) * 1024 for mark in marks if mark)
