"""How a block becomes facts: it is scanned, and what it leaves open is answered; one that was pushed is tried first."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

from tracer.errors import Alarm, TracerError
from tracer.types import BlockFacts, BlockRef
from watchers.node import Node, Scanner

log = logging.getLogger(__name__)

AHEAD = 4
"""Blocks that the scanner may work on before it is their turn."""

TURNS = 2
"""How often the event loop gets round for each block, so that what is read and sent ahead need not wait."""


async def newest(node: Node[Any, Any], scanner: Scanner[Any, Any], ref: BlockRef) -> tuple[object, BlockFacts]:
    """Read the block above our tip: as it was pushed if that stands up like any other, else as the node gives it.

    Returns the block as it came, too: it may have to be scanned again.
    """
    raw = None if node.push is None else node.push.pushed(ref)
    if raw is not None:
        try:
            return raw, await read(node, scanner, raw)
        except Alarm as error:  # a publisher needs no login: it is not held against the node
            log.warning("push=%s sent what is not used: %s", ref.hash.hex(), error)
    raw = await node.block(ref)
    return raw, await read(node, scanner, raw)


async def stream(
    node: Node[Any, Any], scanner: Scanner[Any, Any], after: BlockRef, upto: int
) -> AsyncGenerator[tuple[BlockRef, Any], None]:
    """Stream blocks as `Node.blocks` does, while the scanner works ahead on some of them.

    A caller that stops before the end closes the stream (`contextlib.aclosing`), which ends the requests.
    """
    coming: deque[tuple[BlockRef, asyncio.Task[Any]]] = deque()
    failed: TracerError | None = None
    try:
        async with contextlib.aclosing(node.blocks(after, upto)) as blocks:
            try:
                async for ref, raw in blocks:
                    coming.append((ref, asyncio.create_task(scanner.ahead(raw))))
                    if len(coming) > AHEAD:
                        for _ in range(TURNS):
                            await asyncio.sleep(0)
                        first, task = coming.popleft()
                        yield first, await task
            except TracerError as error:  # about the block after those that came
                failed = error
        while coming:
            first, task = coming.popleft()
            yield first, await task
        if failed is not None:
            raise failed
    finally:
        for _, task in coming:
            task.cancel()
        await asyncio.gather(*(task for _, task in coming), return_exceptions=True)


async def read(node: Node[Any, Any], scanner: Scanner[Any, Any], raw: object) -> BlockFacts:
    """Scan a block, and let the node answer what it leaves open."""
    draft = scanner.scan(raw)
    return scanner.complete(draft, await node.answer(draft))
