"""Proves later what catching up took on the node's word: once following is in step, some blocks at a time."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from tracer.casework import Judged
from tracer.notices import Notice
from tracer.store.chains import ChainHandle
from tracer.store.proving import Legs, add_proofs, stored_parties, unproven
from tracer.store.writer import Store
from tracer.types import BlockFacts, BlockRef, Holder
from watchers.node import Node, Scanner

AT_ONCE = 16
"""Blocks proven in one turn: new ones go on being followed between."""

LOOKED_BACK = 1_000
"""How many blocks that had their proofs are looked at again, because a reorg may have replaced them."""


@dataclass(slots=True)
class ProofsOwed:
    """Reads blocks whole of which only the header was checked.

    rejudge: judges legs by the store, inside a transaction. below: no block up to this height lacks its proofs.
    """

    store: Store
    chain: Callable[[], ChainHandle]
    rejudge: Callable[[Legs], Judged]
    tell: Callable[[Iterable[Notice]], None]
    below: int = -1

    async def pay(self, node: Node[Any, Any], scanner: Scanner[Any, Any], tip: BlockRef) -> bool:
        """Prove some blocks; False if nothing is owed. Raises BlockRefused if one is not what the node told of it."""
        above = min(self.below, tip.height - 1)
        with self.store.connection.begin():
            refs = unproven(self.store.connection, self.chain(), above, AT_ONCE)
            parties = stored_parties(self.store.connection, self.chain(), refs)
        if not refs:
            self.below = max(-1, tip.height - LOOKED_BACK)
            return False
        whole = [read_for(scanner, await node.whole(ref), named) for ref, named in zip(refs, parties, strict=True)]
        judged = add_proofs(self.store, self.chain(), whole, self.rejudge, int(time.time()))
        self.tell(judged.notices if judged else ())
        return True


def read_for(scanner: Scanner[Any, Any], raw: object, holders: Iterable[Holder]) -> BlockFacts:
    """What a block that was read whole says of whom a scanner watches, and of others beside them."""
    also = scanner.another()
    also.watch(holders)
    seen, more = (one.complete(one.scan(raw), None) for one in (scanner, also))
    txs = {tx.position: tx for tx in seen.transactions}
    for tx in more.transactions:
        known = txs.setdefault(tx.position, tx).movements
        there = {(move.kind, move.index) for move in known}
        fresh = tuple(move for move in tx.movements if (move.kind, move.index) not in there)
        txs[tx.position] = replace(txs[tx.position], movements=known + fresh)
    return replace(
        seen, header=seen.header or more.header, transactions=tuple(txs[position] for position in sorted(txs))
    )
