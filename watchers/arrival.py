"""How a block becomes facts: it is scanned, and what it leaves open is answered; one that was pushed is tried first."""

import logging
from typing import Any

from tracer.errors import Alarm
from tracer.types import BlockFacts, BlockRef
from watchers.node import Node, Scanner

log = logging.getLogger(__name__)


async def newest(node: Node[Any, Any], scanner: Scanner[Any, Any], ref: BlockRef) -> BlockFacts:
    """Read the block above our tip: as it was pushed if that stands up like any other, else as the node gives it."""
    raw = None if node.push is None else node.push.pushed(ref)
    if raw is not None:
        try:
            return await read(node, scanner, raw)
        except Alarm as error:  # a publisher needs no login: it is not held against the node
            log.warning("push=%s sent what is not used: %s", ref.hash.hex(), error)
    return await read(node, scanner, await node.block(ref))


async def read(node: Node[Any, Any], scanner: Scanner[Any, Any], raw: object) -> BlockFacts:
    """Scan a block, and let the node answer what it leaves open."""
    draft = scanner.scan(raw)
    return scanner.complete(draft, await node.answer(draft))
