"""Reads raw blocks with compiled steps, to what the plain walk gives; needs the extra `fast`."""

import asyncio
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracer.proof.blocks import Laid, Tree
from tracer.proof.headers import HEADER_BYTES
from tracer.proof.merkle import MUTATED, Joined
from tracer.proof.transactions import compact_size
from tracer.types import Outpoint
from watchers.bitcoin import kernels
from watchers.bitcoin.reading import Reading, read
from watchers.bitcoin.sha import HAS_INSTRUCTIONS
from watchers.bitcoin.walk import Spans

HOW = "compiled, SHA-256 by the processor's instructions" if HAS_INSTRUCTIONS else "compiled"
AT_ONCE = 50_000
SMALLEST_TX = 10
THREADS = 3
STALE, STALE_AT_LEAST = 4, 10_000
"""All coins are put in anew when so many times as many as are of interest, and so many more, are there."""


class Fingerprints:
    """A set of byte strings that keeps 128 bits of each, by a key that nobody else knows."""

    def __init__(self, seed: int) -> None:
        self.seed = np.uint64(seed)
        self._count = 0
        self.table = np.zeros(2 << 10, np.uint64)

    def update(self, members: Iterable[bytes]) -> None:
        """Add byte strings."""
        part: list[bytes] = []
        for member in members:
            part.append(member)
            if len(part) == AT_ONCE:
                self._add(part)
                part = []
        if part:
            self._add(part)

    def _add(self, part: list[bytes]) -> None:
        size = len(self.table)
        while self._count + len(part) > size // 4:
            size *= 2
        if size > len(self.table):
            larger = np.zeros(size, np.uint64)
            kernels.move(self.table, larger)
            self.table = larger
        ends = np.cumsum([len(member) for member in part], dtype=np.int64)
        joined = b"".join(part)
        self._count += int(kernels.insert(np.frombuffer(joined or b"\0", np.uint8), ends, self.table, self.seed))

    def intersection(self, members: Iterable[bytes]) -> set[bytes]:
        """Those of some byte strings that are in it."""
        return {member for member in members if member in self}

    def clear(self) -> None:
        """Take everything out."""
        self._count = 0
        self.table = np.zeros(2 << 10, np.uint64)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, member: object) -> bool:
        assert isinstance(member, bytes)
        data = np.frombuffer(member or b"\0", np.uint8)
        return bool(kernels.holds(data, 0, len(member), self.table, self.seed))


@dataclass(frozen=True, slots=True)
class CompiledReading:
    """See `watchers.bitcoin.reading.Reading`; made with the watched scripts, asked for candidates with the coins."""

    laid: Laid
    data: Any
    spans: Any
    nodes: Any
    marks: Any
    coins: Fingerprints

    def candidates(self, coins: Mapping[Outpoint, object], fresh: Collection[Outpoint]) -> Iterator[int]:
        """See `watchers.bitcoin.reading.Reading`."""
        made = np.zeros(1 << 16, np.bool_)
        found = kernels.chase(self.data, self.spans, self.nodes, self.marks, made, self.coins.table, self.coins.seed)
        return iter(np.flatnonzero(self.marks).tolist() if found else ())


class CompiledReader:
    """Reads blocks by compiled steps, ahead of their turn in threads; what those refuse is read in plain Python."""

    def __init__(self) -> None:
        seed = secrets.randbits(64)
        self.scripts, self._coins = Fingerprints(seed), Fingerprints(seed)
        self._threads: ThreadPoolExecutor | None = None

    def remember(self, new: Iterable[Outpoint], coins: Collection[Outpoint]) -> None:
        """See `watchers.bitcoin.reading.Reader`; no single coin is taken out, all are put in anew now and then."""
        if len(self._coins) > STALE * len(coins) + STALE_AT_LEAST:
            self._coins.clear()
            self._coins.update(coins)
        self._coins.update(new)

    def read(self, data: bytes) -> Reading:
        """See `watchers.bitcoin.reading.Reader`."""
        return self._read(data, witnesses=False) or read(data, self.scripts)

    async def ahead(self, data: bytes) -> CompiledReading | None:
        """See `watchers.bitcoin.reading.Reader`."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, "lays blocks out")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, data, True)

    def close(self) -> None:
        """See `watchers.bitcoin.reading.Reader`."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def _read(self, block: bytes, witnesses: bool) -> CompiledReading | None:
        """Lay a block out; None where its bytes are not as they must be. witnesses: work that tree out too."""
        try:
            total, place = compact_size(block, HEADER_BYTES)
        except IndexError:
            return None
        if not 0 < total <= len(block) // SMALLEST_TX:
            return None
        data = np.frombuffer(block, np.uint8)
        spans, marks = np.empty((total, 3), np.int64), np.zeros(total, np.uint8)
        nodes, others = np.empty((2, 32 * (2 * total + 64)), np.uint8)
        room = np.empty(len(block) + 200, np.uint8)
        scripts = self.scripts
        told = kernels.read(data, place, spans, marks, nodes, others, room, scripts.table, scripts.seed, witnesses)
        if told < 0:
            return None

        def witness_tree() -> Tree:
            if not told & kernels.WITNESSES:
                kernels.wtxids(data, spans, nodes, others, room)
                if kernels.grow(others, total) < 0:
                    raise ValueError(MUTATED)
            return _tree(others, total)

        laid = Laid(Spans(spans.ravel()), _tree(nodes, total), bool(told & kernels.AMBIGUOUS), witness_tree)
        return CompiledReading(laid, data, spans, nodes, marks, self._coins)


def _tree(nodes: Any, total: int) -> list[Joined]:
    """The levels of a tree that was grown above its leaves."""
    flat = nodes.tobytes()
    levels, begin, count = [Joined(flat, 0, total)], 0, total
    while count > 1:
        begin, count = begin + count + count % 2, (count + 1) // 2
        levels.append(Joined(flat, begin, count))
    return levels
