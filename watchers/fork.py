"""Finds where a node's chain and ours part, and what of a stored branch the node has come back to."""

from collections.abc import Callable, Container
from typing import Any

from tracer.chain import Seen
from tracer.errors import FinalityBroken, NodeMissing
from tracer.store import load
from tracer.store.chains import ChainHandle
from tracer.store.writer import Store
from tracer.types import BlockRef, Hash
from watchers.node import Node, NodeView

AnyNode = Node[Any, Any]


def seen(store: Store, chain: ChainHandle, view: NodeView, tip: BlockRef) -> Seen:
    """Put a node's view beside what we hold at its best block's height."""
    ours = None
    if view.best.height < tip.height:
        with store.connection.begin():
            ours = load.canonical_hash(store, chain, view.best.height)
    return Seen(view.best, ours, view.hash_at_tip, view.above, view.tip_invalid)


async def fork_point(
    node: AnyNode, view: NodeView, ours: Callable[[int], BlockRef], final: int, tip: int, name: str
) -> BlockRef:
    """Find our highest block that the node's chain contains; raises FinalityBroken if that lies below our final one.

    ours: our canonical block at a height from `final` to `tip`, whose block the node does not have.
    A chain that contains a block contains all below it, so halving the span finds the fork in a few questions. If the
    node switches meanwhile, too many blocks may be taken off: none of them is final, and they come back.
    """
    low, high = ours(final), tip
    if not await _contains(node, view, low, name):
        raise FinalityBroken(
            f"{name}: the node's chain does not contain block {low.hash.hex()}, which is final here at height {final}"
        )
    while high - low.height > 1:
        middle = ours((low.height + high) // 2)
        if await _contains(node, view, middle, name):
            low = middle
        else:
            high = middle.height
    return low


async def _contains(node: AnyNode, view: NodeView, block: BlockRef, name: str) -> bool:
    """Whether the node's chain has a block of ours; raises NodeMissing if it is shorter than a moment ago."""
    if view.best.height < block.height:
        return False
    theirs = await node.ref_at(block.height)
    if theirs is None:
        raise NodeMissing(f"{name}: the node's chain got shorter while it was asked")
    return theirs.hash == block.hash


async def stored_run(node: AnyNode, first: BlockRef, upto: int, stored: Container[Hash], limit: int) -> list[BlockRef]:
    """Collect blocks of the node's chain from `first` on that are stored already, up to the first that is not."""
    refs = [first]
    while len(refs) < limit and refs[-1].height < upto:
        above = await node.ref_at(refs[-1].height + 1)
        if above is None or above.hash not in stored or above.parent != refs[-1].hash:
            break
        refs.append(above)
    return refs
