"""Blocks that came before a node failed are followed, whatever the scanner does ahead."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from tracer.errors import Inconsistent, NodeUnavailable, TracerError
from tracer.types import BlockRef, Hash
from watchers import arrival


def ref(height: int) -> BlockRef:
    return BlockRef(height, Hash(height.to_bytes(32, "big")), Hash((height - 1).to_bytes(32, "big")))


START = BlockRef(0, Hash(bytes(32)), Hash(bytes(32)))


class Failing:
    """A node that gives some blocks and then fails."""

    def __init__(self, count: int, error: Exception) -> None:
        self.count, self.error, self.closed = count, error, False

    async def blocks(self, after: BlockRef, upto: int) -> AsyncGenerator[tuple[BlockRef, str], None]:
        try:
            for height in range(after.height + 1, after.height + 1 + self.count):
                yield ref(height), f"raw {height}"
            raise self.error
        finally:
            self.closed = True


class Slow:
    """A scanner whose work ahead takes its time."""

    async def ahead(self, raw: str) -> str:
        await asyncio.sleep(0.001)
        return raw + ", laid out"


async def taken(node: Failing) -> tuple[list[int], TracerError | None]:
    seen: list[int] = []
    made: Any = node
    scanner: Any = Slow()
    try:
        async with aclosing(arrival.stream(made, scanner, START, 99)) as blocks:
            async for at, raw in blocks:
                assert raw == f"raw {at.height}, laid out"
                seen.append(at.height)
    except TracerError as error:
        return seen, error
    return seen, None


@pytest.mark.parametrize("count", [0, 1, arrival.AHEAD, arrival.AHEAD + 1, 20])
@pytest.mark.parametrize("error", [Inconsistent("bad"), NodeUnavailable("away")])
async def test_all_blocks_come_before_the_failure_that_follows_them(count: int, error: TracerError) -> None:
    node = Failing(count, error)
    assert await taken(node) == (list(range(1, count + 1)), error)
    assert node.closed


async def test_a_caller_that_stops_ends_the_requests() -> None:
    node = Failing(50, NodeUnavailable("away"))
    made: Any = node
    scanner: Any = Slow()
    async with aclosing(arrival.stream(made, scanner, START, 99)) as blocks:
        async for at, _ in blocks:
            if at.height == 3:
                break
    assert node.closed
