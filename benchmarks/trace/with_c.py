"""Haircut with many labels in C, compiled with `cc -O2`: the loop of `loop.c`."""

import ctypes
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trace.graph import Ends
from tracer.taint.dense.columns import Columns, sums

SOURCE = Path(__file__).with_name("loop.c")


def available() -> bool:
    """Whether there is a compiler."""
    return shutil.which("cc") is not None


def compiled() -> Any:
    """The loop, compiled for this process."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "loop.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True)
        return ctypes.CDLL(str(library))


def trace(loop: Any, columns: Columns, sources: Sequence[int]) -> tuple[Ends, float]:
    """Trace the sources to the end of the chain; returns also the seconds, with what the loop needs made ready."""
    c, labels = columns, len(sources)
    began = time.perf_counter()
    total = sums(c.in_amount, c.in_start)
    source = np.full(c.outputs, -1, np.int32)
    source[list(sources)] = np.arange(labels)
    start, count = np.zeros(c.outputs, np.int32), np.zeros(c.outputs, np.int32)
    fees = np.zeros(labels, np.int64)
    rooms = [np.zeros(labels, np.int64), np.zeros(labels, np.int64), np.zeros(labels, np.int32)]
    room = 10 * c.outputs
    label, units = np.empty(room, np.int32), np.empty(room, np.int64)
    loop.haircut.restype = ctypes.c_int64
    lent = [c.in_start, c.out_start, c.in_coin, c.out_amount, total, source, labels, start, count, label, units, room]
    used = loop.haircut(ctypes.c_int64(c.transactions), *(given(one) for one in [*lent, *rooms, fees]))
    seconds = time.perf_counter() - began
    if used < 0:
        raise RuntimeError("the loop in C had too little room")
    ends: Ends = {-1: {n: int(units) for n, units in enumerate(fees.tolist()) if units}}
    left = np.flatnonzero(count)
    for coin, begin, size in zip(left.tolist(), start[left].tolist(), count[left].tolist(), strict=True):
        parts = slice(begin, begin + size)
        ends[coin] = dict(zip(label[parts].tolist(), units[parts].tolist(), strict=True))
    return ends, seconds


def given(one: Any) -> Any:
    """An argument as C takes it."""
    return ctypes.c_int64(one) if isinstance(one, int) else ctypes.c_void_p(one.ctypes.data)
