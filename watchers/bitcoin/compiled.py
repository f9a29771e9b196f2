"""Reads raw blocks with compiled steps, to what the plain walk gives; needs the extra `fast`."""

import asyncio
import ctypes
import mmap
import secrets
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, compress, count
from operator import length_hint
from typing import Any

from tracer.proof.blocks import Laid, Tree
from tracer.proof.headers import HEADER_BYTES
from tracer.proof.merkle import MUTATED, Joined
from tracer.proof.transactions import compact_size
from tracer.types import Outpoint
from watchers.bitcoin import native
from watchers.bitcoin.native import Steps
from watchers.bitcoin.reading import Reading, read
from watchers.bitcoin.walk import Spans

AT_ONCE = 8_192
SMALLEST_TX = 10
THREADS = 3
STALE, STALE_AT_LEAST = 4, 10_000
"""All coins are put in anew when so many times as many as are of interest, and so many more, are there."""
FEWEST_SLOTS, SLOT_BYTES = 1 << 10, 16


def _at(room: Any) -> Any:
    """The address of a writable buffer, for one call."""
    return ctypes.byref(ctypes.c_char.from_buffer(room))


class Table:
    """The slots of a set: as many as a power of two, of which three in four are used at most.

    parts: what a compiled step is given of it; it is valid as long as the table is there.
    """

    def __init__(self, members: int, seed: int) -> None:
        self.slots = FEWEST_SLOTS
        while self.slots * 3 // 4 < members:
            self.slots *= 2
        self.most = self.slots * 3 // 4
        room = mmap.mmap(-1, self.slots * SLOT_BYTES)  # zeros that take memory only where they are written to
        self._held = ctypes.c_char.from_buffer(room)
        self.parts = ctypes.addressof(self._held), self.slots, seed


class Fingerprints:
    """A set of byte strings that keeps 128 bits of each, by a key that nobody else knows."""

    def __init__(self, steps: Steps, seed: int) -> None:
        self._steps, self._seed = steps, seed
        self._count = 0
        self.table = Table(0, seed)

    def update(self, members: Iterable[bytes]) -> None:
        """Add byte strings. Those that say how many they are find room for all of them at once."""
        self._reserve(length_hint(members))
        part: list[bytes] = []
        for member in members:
            part.append(member)
            if len(part) == AT_ONCE:
                self._add(part)
                part = []
        if part:
            self._add(part)

    def _reserve(self, members: int) -> None:
        if members <= self.table.most:
            return
        old, new = self.table, Table(members, self._seed)
        if self._count:
            self._steps.move(*old.parts[:2], *new.parts[:2])
        self.table = new

    def _add(self, part: list[bytes]) -> None:
        self._reserve(self._count + len(part))
        joined, ends = b"".join(part), array("q", accumulate(map(len, part)))
        self._count += self._steps.insert(joined, len(joined), _at(ends), len(part), *self.table.parts)

    def intersection(self, members: Iterable[bytes]) -> set[bytes]:
        """Those of some byte strings that are in it."""
        return {member for member in members if member in self}

    def clear(self) -> None:
        """Take everything out."""
        self._count = 0
        self.table = Table(0, self._seed)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, member: object) -> bool:
        assert isinstance(member, bytes)
        return bool(self._steps.holds(member, len(member), *self.table.parts))


@dataclass(frozen=True, slots=True)
class CompiledReading:
    """See `watchers.bitcoin.reading.Reading`; made with the watched scripts, asked for candidates with the coins."""

    laid: Laid
    steps: Steps
    rooms: "Rooms"
    watched: Fingerprints

    def candidates(self, coins: Mapping[Outpoint, object], fresh: Collection[Outpoint]) -> Iterator[int]:
        """See `watchers.bitcoin.reading.Reading`."""
        rooms, table = self.rooms, self.watched.table
        made = bytearray(native.MADE_BYTES)
        at = (_at(rooms.nodes), _at(rooms.marks), _at(made))
        found = self.steps.chase(*rooms.block, *rooms.spans, *at, *table.parts)
        return compress(count(), rooms.marks) if found else iter(())


class Rooms:
    """A block, and what the compiled steps write of it."""

    def __init__(self, data: bytes, total: int) -> None:
        """total: how many transactions it says that it has."""
        self.block = data, len(data)
        self.total = total
        self.places = array("q", bytes(24 * total))
        self.marks = bytearray(total)
        self.nodes, self.others = (bytearray(native.tree_bytes(total)) for _ in range(2))

    @property
    def spans(self) -> tuple[Any, int]:
        """Where the transactions lie, and how many they are."""
        return _at(self.places), self.total

    @property
    def desk(self) -> tuple[Any, ...]:
        """Where hashing is done, for one call."""
        sizes = len(self.block[0]) + native.ROOM_BYTES, native.STATE_BYTES, native.BLOCKS_BYTES
        return tuple(_at(bytearray(size)) for size in sizes)

    @property
    def trees(self) -> tuple[Any, Any]:
        """Where the trees grow: over the txids, and over the wtxids."""
        return _at(self.nodes), _at(self.others)


class CompiledReader:
    """Reads blocks by compiled steps, ahead of their turn in threads; what those refuse is read in plain Python."""

    def __init__(self, steps: Steps) -> None:
        self._steps, seed = steps, secrets.randbits(64)
        self.scripts, self._coins = Fingerprints(steps, seed), Fingerprints(steps, seed)
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
        steps, rooms, table = self._steps, Rooms(block, total), self.scripts.table
        hashing = *rooms.trees, *rooms.desk
        told = steps.read(*rooms.block, place, *rooms.spans, _at(rooms.marks), *hashing, *table.parts, int(witnesses))
        if told < 0:
            return None

        def witness_tree() -> Tree:
            worked_out = told & native.WITNESSES
            if not worked_out and steps.witness_tree(*rooms.block, *rooms.spans, *rooms.trees, *rooms.desk) < 0:
                raise ValueError(MUTATED)
            return _tree(rooms.others, total)

        laid = Laid(Spans(rooms.places), _tree(rooms.nodes, total), bool(told & native.AMBIGUOUS), witness_tree)
        return CompiledReading(laid, steps, rooms, self._coins)


def _tree(nodes: bytearray, total: int) -> list[Joined]:
    """The levels of a tree that was grown above its leaves."""
    flat = bytes(nodes)
    levels, begin, count = [Joined(flat, 0, total)], 0, total
    while count > 1:
        begin, count = begin + count + count % 2, (count + 1) // 2
        levels.append(Joined(flat, begin, count))
    return levels
