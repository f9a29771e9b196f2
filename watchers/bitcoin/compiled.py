"""Reads raw blocks with compiled steps, to what the plain walk gives; needs the extra `fast`."""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tracer.proof.blocks import Laid, SpanTuple
from tracer.proof.headers import HEADER_BYTES
from tracer.proof.transactions import compact_size
from watchers.bitcoin import kernels
from watchers.bitcoin.sha import HAS_INSTRUCTIONS

HOW = "compiled, SHA-256 by the processor's instructions" if HAS_INSTRUCTIONS else "compiled"
AT_ONCE = 50_000
ROOM_BYTES = 4_000_200
SMALLEST_TX = 10


class Fingerprints:
    """A set of byte strings that keeps 128 bits of each, by a key that nobody else knows."""

    def __init__(self, seed: int) -> None:
        self._seed = np.uint64(seed)
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
        self._count += int(kernels.insert(np.frombuffer(joined or b"\0", np.uint8), ends, self.table, self._seed))

    def clear(self) -> None:
        """Take everything out."""
        self._count = 0
        self.table = np.zeros(2 << 10, np.uint64)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, member: object) -> bool:
        assert isinstance(member, bytes)
        data = np.frombuffer(member or b"\0", np.uint8)
        return bool(kernels.holds(data, 0, len(member), self.table, self._seed))


class Spans(Sequence[SpanTuple]):
    """Where transactions lie, as a sequence over an array."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, position: Any) -> Any:
        begin, middle, end = self._rows[position].tolist()
        return begin, middle, end


class Level(Sequence[bytes]):
    """A level of a merkle tree, as a sequence over the bytes of all levels."""

    def __init__(self, nodes: bytes, begin: int, count: int) -> None:
        self._nodes, self._begin, self._count = nodes, begin, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        place = 32 * (self._begin + at)
        return self._nodes[place : place + 32]


class Compiled:
    """The compiled steps with what they need: fingerprints of what is of interest, and room to work in."""

    def __init__(self) -> None:
        self._seed = secrets.randbits(64)
        self.scripts = Fingerprints(self._seed)
        self.coins = Fingerprints(self._seed)
        self._room = np.empty(ROOM_BYTES, np.uint8)

    def read(self, block: bytes) -> tuple[Laid, Iterator[int]] | None:
        """Lay a block out, and name the transactions that may be of interest; None where the plain way must say why."""
        if len(block) > ROOM_BYTES - 200:
            return None
        try:
            total, place = compact_size(block, HEADER_BYTES)
        except IndexError:
            return None
        if not 0 < total <= len(block) // SMALLEST_TX:
            return None
        data = np.frombuffer(block, np.uint8)
        spans = np.empty((total, 3), np.int64)
        marks = np.zeros(total, np.uint8)
        seed = np.uint64(self._seed)
        ambiguous = kernels.lay(data, place, spans, marks, self.scripts.table, self.coins.table, seed)
        if ambiguous < 0:
            return None
        nodes = np.empty(32 * (2 * total + 64), np.uint8)
        kernels.txids(data, spans, nodes, self._room)
        if marks.any():
            kernels.chase(data, spans, nodes, marks, np.zeros(1 << 16, np.bool_))
        tree = _tree(nodes, total)
        if tree is None:
            return None

        def witness_tree() -> Sequence[Sequence[bytes]]:
            others = np.empty_like(nodes)
            kernels.wtxids(data, spans, nodes, others, self._room)
            found = _tree(others, total)
            if found is None:
                raise ValueError("its merkle tree is mutated: it repeats transactions (CVE-2012-2459)")
            return found

        return Laid(Spans(spans), tree, bool(ambiguous), witness_tree), iter(np.flatnonzero(marks).tolist())


def _tree(nodes: Any, total: int) -> list[Level] | None:
    """The levels above leaves; None for a mutated tree."""
    top = kernels.grow(nodes, total)
    if top < 0:
        return None
    flat = nodes[: 32 * (top + 1)].tobytes()
    levels, begin, count = [], 0, total
    while True:
        levels.append(Level(flat, begin, count))
        if count == 1:
            return levels
        begin, count = begin + count + count % 2, (count + 1) // 2
