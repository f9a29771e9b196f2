"""The dense engine in compiled loops: lends them arrays and room, and gives titles between their calls."""

from typing import Any

import numpy as np

from tracer.taint.dense.columns import Array, Int64s, Unsupported
from tracer.taint.dense.marks import marked
from tracer.taint.dense.task import (
    FOLLOWED,
    Arena,
    Masks,
    Outcome,
    Parts,
    Task,
    Title,
    Traced,
    tiho_order,
    words_per_set,
)
from tracer.taint.rules import Method

FIRST_ROOM = 1 << 18
PER_OUTPUT = 4
FEES_ROOM = 1 << 12
TILINGS = {Method.FIFO: 0, Method.LIFO: 1, Method.TIHO: 2, Method.SENIORITY: 3, Method.CLEAN_FIRST: 4}
LOOP = {Method.POISON: "poison", Method.HAIRCUT: "haircut"}


def available() -> bool:
    """Whether compiled loops can be had here."""
    try:
        from tracer.taint.dense import native

        native.loops()
    except ImportError:
        return False
    except native.CannotCompile:
        return False
    return True


def run(task: Task) -> Outcome:
    """Work out a task."""
    from tracer.taint.dense import native

    loop = native.loops().by_name[LOOP.get(task.method, "tiling")]
    walk = _Walk(task, loop, {name: place for place, name in enumerate(native.CONTROL)}, native.ARRAYS)
    for upto, title in sorted(((when(task, title), title) for title in task.titles), key=lambda one: one[0]):
        walk.go(upto)
        walk.title(title)
    walk.go(task.upto)
    return walk.outcome()


def when(task: Task, title: Title) -> int:
    """How many transactions come before a coin is there: its own too; all of the block before its coinbase's coins."""
    c = task.columns
    tx = int(np.searchsorted(c.out_start, title.coin, side="right")) - 1
    if c.in_start[tx] == c.in_start[tx + 1] and not c.positions[tx]:
        return int(np.searchsorted(c.heights, c.heights[tx], side="right"))
    return tx + 1


class _Walk:
    """A task under way; arrays: what the loop is lent, by name."""

    def __init__(self, task: Task, loop: Any, numbers: dict[str, int], names: list[str]) -> None:
        c, labels = task.columns, task.labels
        self.task, self.loop, self.numbers, self.names = task, loop, numbers, names
        poison, tiles = task.method is Method.POISON, task.method.tiles
        words = words_per_set(task) if poison else -(-labels // 64)
        self.arena = Arena.of(
            0 if poison else c.outputs, 0 if poison else max(FIRST_ROOM, PER_OUTPUT * c.outputs), tiles
        )
        self.cells = np.zeros((0 if poison else c.outputs, 4), np.int32)
        self.arena.start, self.arena.count = self.cells[:, 0], self.cells[:, 1]
        self.hops = np.zeros(c.outputs, np.int32) if poison else self.cells[:, 2]
        self.arrays: dict[str, Array] = {
            "heights": c.heights,
            "in_start": c.in_start,
            "out_start": c.out_start,
            "in_coin": c.in_coin,
            "in_amount": c.in_amount,
            "out_amount": c.out_amount,
            "total": task.total,
            "whose": task.whose,
            "order": tiho_order(c) if task.method is Method.TIHO else np.zeros(0, np.int64),
            "state": np.zeros(c.outputs, np.uint8),
            "hops": self.hops if poison else np.zeros(c.outputs, np.int32),
            "cells": self.cells,
            "masks": np.zeros(c.outputs * words if poison else words + 1, np.uint64),
            "fee": np.zeros(labels, np.int64),
            "fee_rows": np.zeros(3 * max(FEES_ROOM, labels), np.int64),
            "sums": np.zeros(labels, np.int64),
            "seen": np.zeros(max(labels, words), np.int64),
            "control": np.zeros(len(numbers), np.int64),
        }
        self.masks = Masks(self.arrays["masks"].reshape(-1, words) if poison else self.arrays["masks"], c.out_amount)
        self.early: list[tuple[int, Parts]] = []
        self.fees: list[Array] = []
        self.seeded = np.zeros(labels, np.int64)
        limits = task.limits
        self.set(HEIGHT=-1, LABELS=labels, HOPS=limits.max_hops, LEAST=limits.min_amount, MOST_LIVE=limits.max_live)
        self.set(
            WORDS=TILINGS[task.method] if tiles else words + (not poison), FEES_ROOM=len(self.arrays["fee_rows"]) // 3
        )
        self.set(TXS=c.transactions, INS=len(c.in_coin), OUTS=c.outputs)

    def set(self, **numbers: int) -> None:
        """Set some of the loop's numbers."""
        for name, number in numbers.items():
            self.arrays["control"][self.numbers[name]] = number

    def get(self, name: str) -> int:
        """One of the loop's numbers."""
        return int(self.arrays["control"][self.numbers[name]])

    def go(self, stop: int) -> None:
        """Work out the transactions up to `stop`."""
        from tracer.taint.dense.native import DONE, ROOM

        self.set(STOP=min(stop, self.task.upto))
        while self.get("NEXT") < self.get("STOP"):
            arena = self.arena
            self.set(USED=arena.used, ROOM_AT=len(arena.rank))
            lent = self.arrays | {
                "offset": arena.offset,
                "ranks": arena.rank,
                "units": arena.units,
            }
            table = np.array([address(lent[name]) for name in self.names], np.int64)
            answer = self.loop(address(table), address(self.arrays["control"]))
            arena.used = self.get("USED")
            if answer == ROOM:
                arena.make_room(self.get("NEEDED"), self.arrays["state"])
            elif answer != DONE:
                self._keep_fees()

    def _keep_fees(self) -> None:
        used = self.get("FEES_USED")
        self.fees.append(self.arrays["fee_rows"][: 3 * used].reshape(used, 3).copy())
        self.set(FEES_USED=0)

    @property
    def traced(self) -> Traced:
        """What the outputs carry."""
        return self.masks if self.task.method is Method.POISON else self.arena

    def title(self, title: Title) -> None:
        """Give a label to a coin that is there now."""
        arrays, coin = self.arrays, title.coin
        state = int(arrays["state"][coin])
        old = self.traced.parts(np.array([coin])) if state else None
        if state > FOLLOWED and old is not None:
            self.early.append((state, old))
            old = None
        given = self._mark(title, old)
        self.seeded[title.rank] = given
        if given:
            arrays["state"][coin] = FOLLOWED
            if old is None:
                self.hops[coin] = 0
                self.set(LIVE=self.get("LIVE") + 1)

    def _mark(self, title: Title, old: Parts | None) -> int:
        amount = int(self.task.columns.out_amount[title.coin])
        if self.task.method is Method.POISON:
            return self.masks.mark(title, amount, old is not None)
        parts, given = marked(self.task.method, old, amount, title.rank)
        if given:
            if self.arena.used + len(parts.rank) > len(self.arena.rank):
                self.arena.make_room(len(parts.rank), self.arrays["state"])
            coins, count = np.array([title.coin]), np.array([len(parts.rank)])
            self.arena.append(coins, count, parts.offset, parts.rank, parts.units)
        return given

    def outcome(self) -> Outcome:
        """The answer."""
        self._keep_fees()
        fee: Int64s = self.arrays["fee"]
        ranks = np.flatnonzero(fee)
        last = np.stack([np.full(len(ranks), self.get("HEIGHT")), ranks, fee[ranks]], axis=1)
        rows = np.concatenate([*self.fees, last])
        return Outcome(
            self.arrays["state"],
            self.traced,
            self.early,
            rows[:, 0],
            rows[:, 1],
            rows[:, 2],
            self.seeded,
            self.get("TRACED"),
        )


def address(array: Array) -> int:
    """Where an array's numbers lie."""
    if not array.flags.c_contiguous:
        raise Unsupported("an array is not in one piece")
    return array.ctypes.data
