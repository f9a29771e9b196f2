"""Runs the real daemon as an operator does, and watches its store and its process from outside."""

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cpu import cpu_s, peak_rss

TRACERD = Path(sys.executable).with_name("tracerd")
POLL_S = 0.01
LONGEST_S = 900.0
TIP = "SELECT height FROM block WHERE id = (SELECT tip_id FROM follower)"
IN_STEP = "SELECT 1 FROM follower_status WHERE state = 'in step' AND node_height = ? AND contacted_at >= ?"


class RunFailed(Exception):
    """The daemon did not do what was asked; carries the end of its log."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen when the cursor had moved: seconds since the start, height, processor seconds so far."""

    at_s: float
    height: int
    cpu_s: float
    node_cpu_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """One `tracerd sync`. Rates count from the first commit among the dense blocks to the last commit.

    cold_start_s: from the start of the process to the first commit. peak_rss: VmHWM in bytes.
    """

    samples: tuple[Sample, ...]
    peak_rss: int
    whole_s: float

    @property
    def cold_start_s(self) -> float:
        """Seconds to the first commit."""
        return self.samples[0].at_s

    def between(self, first: int) -> tuple[Sample, Sample]:
        """The last sample below a height, or the first of all; and the last of all."""
        below = [sample for sample in self.samples if sample.height < first]
        start = below[-1] if below else self.samples[0]
        if start is self.samples[-1]:
            raise RunFailed("all blocks came with one commit: the chain is too short to be timed")
        return start, self.samples[-1]


def write_config(folder: Path, chain: str, name: str) -> Path:
    """Write a configuration whose one chain table is given."""
    path = folder / f"{name}.toml"
    path.write_text(f'[store]\nurl = "sqlite:///bench.db"\n\n{chain}')
    return path


def import_case(config: Path, case: Path) -> float:
    """Import a case into the store of a configuration; returns the seconds it took."""
    began = time.perf_counter()
    done = subprocess.run([TRACERD, "-c", config, "case", "import", case], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunFailed(f"case import ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - began


def copy_store(config: Path, name: str) -> Path:
    """Copy the store that has the imported case, for one run."""
    copy = config.with_name(f"{name}.db")
    shutil.copyfile(config.with_name("bench.db"), copy)
    return copy


def sync(config: Path, store: Path, node: int, upto: int) -> Run:
    """Let the daemon catch up to height `upto` on this store, which has no follower yet."""
    log = store.with_suffix(".log")
    with log.open("wb") as output:
        began = time.perf_counter()
        child = subprocess.Popen([TRACERD, "-c", config, "--store", store, "sync"], stderr=output, stdout=output)
        try:
            samples, peak = _watch(child, store, node, began)
            code = child.wait()
        finally:
            child.kill()
            child.wait()
    whole = time.perf_counter() - began
    if code or not samples or samples[-1].height < upto:
        raise RunFailed(f"tracerd sync ended with {code}:\n{log.read_text(errors='replace')[-2000:]}")
    return Run(tuple(samples), peak, whole)


@contextmanager
def running(config: Path, store: Path, height: int) -> Iterator[Callable[[], int]]:
    """Follow with `tracerd run` while the context lasts; it begins when the daemon says that it is in step at `height`.

    Gives a function that tells the daemon's peak memory so far, in bytes.
    """
    log = store.with_suffix(".log")
    with log.open("wb") as output:
        child = subprocess.Popen([TRACERD, "-c", config, "--store", store, "run"], stderr=output, stdout=output)
        try:
            _wait_for(child, store, height, log)
            try:
                yield lambda: peak_rss(child.pid)
            except RunFailed as error:
                raise RunFailed(f"{error}; its log ends:\n{log.read_text(errors='replace')[-2000:]}") from error
            child.terminate()
            code = child.wait(LONGEST_S)
        finally:
            child.kill()
            child.wait()
    if code:
        raise RunFailed(f"tracerd run ended with {code}:\n{log.read_text(errors='replace')[-2000:]}")


def _wait_for(child: "subprocess.Popen[bytes]", store: Path, height: int, log: Path) -> None:
    began, started_at = time.perf_counter(), int(time.time())
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as reader:
        while reader.execute(IN_STEP, (height, started_at)).fetchone() is None:
            if child.poll() is not None or time.perf_counter() - began > LONGEST_S:
                raise RunFailed(f"tracerd run did not come to {height}:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(POLL_S)


def _watch(child: "subprocess.Popen[bytes]", store: Path, node: int, began: float) -> tuple[list[Sample], int]:
    samples, peak = list[Sample](), 0
    reader = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        height: int | None = None
        while child.poll() is None:
            if time.perf_counter() - began > LONGEST_S:
                raise RunFailed(f"the daemon was not in step after {LONGEST_S:.0f} s")
            try:
                row = reader.execute(TIP).fetchone()
                now = time.perf_counter()
                peak = max(peak, peak_rss(child.pid))
                if row is not None and height is None:
                    height = row[0]  # the anchor: nothing was scanned yet
                if row is not None and row[0] != height:
                    height = row[0]
                    samples.append(Sample(now - began, height, cpu_s(child.pid), cpu_s(node)))
            except (FileNotFoundError, ProcessLookupError):
                break  # it ended between two questions
            time.sleep(POLL_S)
    finally:
        reader.close()
    return samples, peak


KINDS = ("IN", "OUT", "FEE", "TRACE", "LOG", "WITHDRAWAL", "REWARD")


def stored_hits(store: Path) -> set[tuple[str, str, str, int, int]]:
    """Every movement in a store: (block hash, txid, kind, index, amount)."""
    reader = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        rows = reader.execute(
            "SELECT lower(hex(b.hash)), lower(hex(t.txid)), m.kind, m.idx, m.amount FROM movement m"
            " JOIN block b ON b.id = m.block_id JOIN tx t ON t.id = m.tx_id WHERE b.canonical"
        ).fetchall()
        if len(rows) != reader.execute("SELECT count(*) FROM movement").fetchone()[0]:
            raise RunFailed("the store has movements of no transaction or of orphaned blocks")
    finally:
        reader.close()
    hits = {(block, txid, KINDS[kind], index, int(amount)) for block, txid, kind, index, amount in rows}
    if len(hits) != len(rows):
        raise RunFailed("the store has a movement twice")
    return hits


def legs_shown(store: Path) -> int:
    """How many legs of a store were judged SHOWN last."""
    reader = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        newest = "SELECT max(id) FROM verdict WHERE leg_id IS NOT NULL GROUP BY case_id, leg_id"
        sql = f"SELECT count(*) FROM verdict WHERE verdict = 'SHOWN' AND id IN ({newest})"
        return int(reader.execute(sql).fetchone()[0])
    finally:
        reader.close()
