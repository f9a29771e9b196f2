"""Where following begins, and what accounts hold where cases open: what a follower asks once."""

from collections.abc import Mapping
from typing import Any

from tracer.casework import Casework
from tracer.chain import anchor_height
from tracer.errors import NodeMissing
from tracer.store import load
from tracer.store.chains import ChainHandle
from tracer.store.writer import Store
from tracer.types import AssetId, AssetKind, BlockRef, Hash, Holder
from tracer.value import Want
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


async def opening_balances(
    node: Node[Any, Any],
    store: Store,
    chain: ChainHandle,
    config: ChainConfig,
    casework: Casework,
    ref: BlockRef,
    where: str = "",
) -> Mapping[tuple[int, Holder, AssetId], int]:
    """On account chains, ask what the holders of cases whose seizure height this is hold after the block.

    where: which rows of `watch w` count, in SQL; those that are published if it is empty.
    """
    found: dict[tuple[int, Holder, AssetId], int] = {}
    for case_id in casework.opening_at(ref.height) if not casework.utxo else ():
        with store.connection.begin():
            holders = load.held_holders(store, chain, case_id, where)
        assets = [a for a in config.assets if a.kind in (AssetKind.NATIVE, AssetKind.LISTED)]
        wants = [Want(holder, asset.id) for holder in holders for asset in assets]
        told = await node.balances(ref, wants)
        if len(told.found) < len(wants):
            raise NodeMissing(f"no balances at block {ref.height}: the node has no state there")
        found.update({(case_id, holder, asset): answer.amount for (holder, asset), answer in told.found.items()})
    return found
