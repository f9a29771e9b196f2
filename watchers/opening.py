"""Where following begins: what a follower asks once."""

from typing import Any

from tracer.chain import anchor_height
from tracer.errors import NodeMissing
from tracer.types import BlockRef, Hash
from watchers.family import ChainConfig
from watchers.node import Node


async def anchor_before(node: Node[Any, Any], first: int, genesis: Hash, config: ChainConfig) -> BlockRef:
    """Choose the block to begin after; raises NodeMissing while the node has not come to `first`."""
    view = await node.view(BlockRef(0, genesis, Hash(bytes(32))))
    if view.best.height < first - 1:
        raise NodeMissing(f"{config.name}: the node has no block {first - 1} yet, where the imported cases begin")
    anchor = await node.ref_at(anchor_height(first, view.best.height, config.policy, view.tags))
    if anchor is None:
        raise NodeMissing(f"{config.name}: the node's chain got shorter while it was asked")
    return anchor
