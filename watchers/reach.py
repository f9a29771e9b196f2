"""Follows value beyond the watched accounts: what a trace reaches in a block is scanned for, and asked about."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tracer.casework import Casework
from tracer.taint.accounts import Key
from tracer.types import BlockFacts, BlockRef, Hash
from tracer.value import Want
from watchers.node import Node, Scanner

UNKNOWN = "balances unknown where traces came first: the node has no state there; nothing is taken to have been there"


async def reach(
    node: Node[Any, Any], scanner: Scanner[Any, Any], casework: Casework, raw: Any, facts: BlockFacts
) -> tuple[BlockFacts, Mapping[Key, int]]:
    """Scan a block again as long as its traced value reaches accounts that nobody looked for.

    Returns its facts with theirs, and what they held before it; what the node cannot say is missing, and counts as 0.
    Value may go on within the block: A pays B, and B pays C. A scan that looks for one account more shows the next.
    """
    before: dict[Key, int] = {}
    lost: dict[Key, int] = {}
    skipped = facts.skipped
    while True:
        ahead = casework.look_ahead(facts, before | lost)
        grown = bool(ahead.holders) and scanner.watch(ahead.holders)
        if ahead.unknown:
            found = await balances_before(node, facts.ref, ahead.unknown)
            before |= found
            lost |= dict.fromkeys(ahead.unknown - found.keys(), 0)
            skipped = (*skipped, UNKNOWN) if lost and UNKNOWN not in skipped else skipped
        if grown:
            draft = scanner.scan(raw)
            answers = await node.answer(draft)
            facts = scanner.complete(draft, answers)
            raw = raw if answers is None else answers  # it was read whole: that serves for whoever is reached next
            skipped = tuple(dict.fromkeys((*facts.skipped, *skipped)))
        elif not ahead.unknown:
            return replace(facts, skipped=skipped), before


async def balances_before(node: Node[Any, Any], ref: BlockRef, keys: Iterable[Key]) -> dict[Key, int]:
    """What accounts held after a block's parent; those that the node cannot say are missing."""
    parent = BlockRef(ref.height - 1, ref.parent, Hash(bytes(32)))
    told = await node.balances(parent, [Want(holder, asset) for holder, asset in keys])
    return {key: balance.amount for key, balance in told.found.items()}
