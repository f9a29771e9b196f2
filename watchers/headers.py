"""How a follower comes by verified headers: from the store, or once from the node; and which branch has more work."""

import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from tracer.errors import BadConfig, BlockRefused, HeadersLost, Inconsistent, NodeMissing
from tracer.proof.headers import KEPT, Context, HeaderChain, first_context, hash_of, lowest_needed, pinned_context
from tracer.store.chains import ChainHandle
from tracer.store.headerchain import load_anchor, save_anchor, stored_headers
from tracer.store.writer import Store
from tracer.types import BlockRef, Hash
from watchers.node import Node, NodeView

log = logging.getLogger(__name__)

TOLD_EVERY = 50_000
NOTHING = Hash(bytes(32))


async def take_up(
    chain: HeaderChain | None, node: Node[Any, Any], store: Store, handle: ChainHandle, tip: BlockRef
) -> None:
    """See that the chain of headers reaches to our tip: from the store; else from the node, verified and noted.

    Raises BlockRefused where the node's headers break the rules, NodeMissing where they do not lead to the tip.
    """
    if chain is None or chain.at(tip.hash) is not None:
        return
    with store.connection.begin():
        _from_store(chain, store, handle)
    if chain.at(tip.hash) is not None:
        return
    context = await _from_node(chain, node, handle, tip)
    with store.connection.begin():
        save_anchor(store.connection, handle.id, context, chain.origin)
    log.info(
        "chain=%s verified headers=%d from=%s to hash=%s",
        handle.caip2,
        context.height,
        chain.origin.replace(" ", "-"),
        context.hash.hex(),
    )


async def stand_at(
    chain: HeaderChain | None, node: Node[Any, Any], store: Store, handle: ChainHandle, block: BlockRef
) -> None:
    """See that a chain of headers reaches to a block of ours, also to one below the first that was followed.

    From the stored headers where they begin below it; else from the node, from the genesis block on: a block below a
    checkpoint is not what the checkpoint vouches for. Raises as `take_up` does.
    """
    if chain is None or chain.at(block.hash) is not None:
        return
    with store.connection.begin():
        anchor = load_anchor(store.connection, handle.id)
        if anchor is not None and anchor[0].height <= block.height:
            chain.begin(anchor[0])
            for header in stored_headers(store.connection, handle.id, anchor[0].height):
                with contextlib.suppress(KeyError):  # of a branch that is not stored down to the anchor
                    chain.extend(header)
                if hash_of(header) == block.hash:
                    break
    if chain.at(block.hash) is not None:
        return
    context = first_context(chain.rules)
    chain.begin(context)
    async with aclosing(node.headers(BlockRef(0, context.hash, NOTHING), block.height)) as headers:
        async for header in headers:
            context = _extend(chain, header, context.height + 1)
    if context.hash != block.hash:
        raise NodeMissing(f"{handle.caip2}: the node's headers do not lead to block {block.hash.hex()}")


async def headers_below(
    chain: HeaderChain, node: Node[Any, Any], store: Store, handle: ChainHandle, low: int, bottom: BlockRef
) -> list[bytes]:
    """The headers from a height up to the parent of our lowest block, verified from the genesis block on.

    From the anchor where that lies below them. Raises as `take_up` does.
    """
    with store.connection.begin():
        anchor = load_anchor(store.connection, handle.id)
    context = anchor[0] if anchor is not None and anchor[0].height < low else first_context(chain.rules)
    chain.begin(context)
    found = []
    async with aclosing(node.headers(BlockRef(context.height, context.hash, NOTHING), bottom.height)) as headers:
        async for header in headers:
            context = _extend(chain, header, context.height + 1)
            if low <= context.height < bottom.height:
                found.append(header)
    if context.hash != bottom.hash:
        raise NodeMissing(f"{handle.caip2}: the node's headers do not lead to block {bottom.hash.hex()}")
    return found


def _from_store(chain: HeaderChain, store: Store, handle: ChainHandle) -> None:
    """Go on from the newest anchor over the stored headers, which are verified again."""
    anchor = load_anchor(store.connection, handle.id)
    if anchor is None or anchor[1] != chain.origin:
        return
    chain.begin(anchor[0])
    for header in stored_headers(store.connection, handle.id, anchor[0].height):
        try:
            chain.extend(header)
        except KeyError:
            continue  # of a branch that is not stored down to the anchor
        except ValueError as error:
            raise Inconsistent(f"{handle.caip2}: the stored header of {hash_of(header).hex()}: {error}") from error


async def _from_node(chain: HeaderChain, node: Node[Any, Any], handle: ChainHandle, tip: BlockRef) -> Context:
    """Fetch and verify the headers from where the chain counts from up to the tip."""
    context = await _begin(chain, node, tip)
    chain.begin(context)
    async with aclosing(node.headers(BlockRef(context.height, context.hash, NOTHING), tip.height)) as headers:
        async for header in headers:
            context = _extend(chain, header, context.height + 1)
            if context.height % TOLD_EVERY == 0:
                log.info("chain=%s verified headers to height=%d of %d", handle.caip2, context.height, tip.height)
    if context.hash != tip.hash:
        raise NodeMissing(f"{handle.caip2}: the node's headers do not lead to block {tip.hash.hex()}")
    return context


async def _begin(chain: HeaderChain, node: Node[Any, Any], tip: BlockRef) -> Context:
    if chain.checkpoint is None:
        return first_context(chain.rules)
    height, block = chain.checkpoint
    if height > tip.height:
        raise BadConfig(
            f"checkpoint: block {height} lies above block {tip.height}, after which following begins",
            "Name a checkpoint at or below it, or none.",
        )
    low = lowest_needed(height)
    headers = [chain.rules.genesis] if low == 0 else []
    below = await node.ref_at(max(0, low - 1))
    if below is None:
        raise NodeMissing(f"the node has no block {low - 1} yet")
    headers += await _all(node.headers(below, height))
    try:
        return pinned_context(chain.rules, height, block, headers)
    except ValueError as error:
        raise BlockRefused(
            f"the checkpoint: {error}", height=height, block=block, evidence=b"".join(headers)
        ) from error


def _extend(chain: HeaderChain, header: bytes, height: int) -> Context:
    try:
        return chain.extend(header)
    except ValueError as error:
        block = hash_of(header)
        line = f"block {height} {block.hex()} is refused: {error}"
        raise BlockRefused(line, height=height, block=block, evidence=header) from error


async def is_lighter(
    chain: HeaderChain | None, node: Node[Any, Any], view: NodeView, fork: BlockRef, tip: BlockRef, rejected: bool
) -> bool:
    """Whether the node is on a branch, from our block `fork` on, that has less work than ours, and does not say why.

    The branch's headers are fetched and verified. False on chains whose headers carry no work, and where our tip is
    rejected: by the node, and vouched for by no other.
    """
    if chain is None or rejected:
        return False
    context, ours = chain.at(fork.hash), chain.at(tip.hash)
    if context is None and tip.height - fork.height >= KEPT:
        return False  # too deep for the headers in memory: then our finality is what is broken
    if context is None or ours is None:
        raise HeadersLost(f"the headers from block {fork.height} to {tip.height} are not in memory")
    async with aclosing(node.headers(fork, view.best.height)) as headers:
        async for header in headers:
            context = _extend(chain, header, context.height + 1)
    if context.hash != view.best.hash:
        raise NodeMissing("the node changed its branch while it was asked")
    return context.work < ours.work


async def _all(headers: AsyncIterator[bytes]) -> list[bytes]:
    return [header async for header in headers]
