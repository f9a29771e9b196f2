"""Plans which ancestors of a transaction are missing: generation by generation, from the store, else from the node.

Nothing is believed here but bytes that hash to a transaction's id; that it stands in a block of our chain is seen when
the block is read.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from tracer.store import load
from tracer.store.history import StoredTx, canonical_block, stored_tx
from tracer.store.past import lowest
from tracer.types import BlockRef, Hash
from watchers.archive import Archive, Located
from watchers.history import CannotImport, Place

TOO_DEEP = "beyond the limit of generations"
TOO_MANY = "beyond the limit of transactions"
UNKNOWN = "the node does not have it"
WAITING = "it is in no block yet"
ELSEWHERE = "its block is not on the chain that is followed here"
UNINDEXED = "it is not in the named block, and the node's index was not asked"

LOOKED_AT = 20
"""Transactions looked up in the store before others have their turn."""


@dataclass(slots=True)
class Plan:
    """What was found of the ancestors.

    wanted: transactions to be taken, by block; below: those of blocks below our lowest one, by height and hash, as the
    node says. reached: all transactions, in the order they were met. missing: ids of ancestors, and why.
    """

    wanted: dict[BlockRef, set[Hash]] = field(default_factory=dict)
    below: dict[tuple[int, Hash], set[Hash]] = field(default_factory=dict)
    reached: list[Hash] = field(default_factory=list)
    missing: dict[Hash, str] = field(default_factory=dict)
    stored: int = 0
    coinbases: int = 0
    count: int = 0
    generations: int = 0


class Search:
    """Looks for the ancestors of one transaction; `depth`: generations, 0 for all; `most`: to be taken at most."""

    def __init__(self, place: Place, archive: Archive, depth: int, most: int, block: BlockRef | None) -> None:
        self._place, self._archive = place, archive
        self._depth, self._most, self._block = depth, most, block
        self._heights: dict[Hash, BlockRef | tuple[int, Hash] | None] = {}
        self.plan = Plan()
        with place.store.connection.begin():
            self.bottom = lowest(place.store.connection, place.handle)

    async def run(self, root: Hash, index: int | None) -> AsyncGenerator[str, None]:
        """Fill the plan, a line for each generation; raises CannotImport if there is no such transaction or output."""
        plan = self.plan
        level: list[Hash] = [root]
        seen: set[Hash] = {root}
        while level:
            found = await self._level(level)
            if not plan.generations:
                self._check_root(root, index, found)
            above: list[Hash] = []
            for _, raw in found:
                points = self._archive.parents(raw)
                plan.coinbases += not points
                for parent in (Hash(point[31::-1]) for point in points):
                    if parent not in seen:
                        seen.add(parent)
                        above.append(parent)
            if plan.generations == self._depth > 0:
                plan.missing |= {txid: TOO_DEEP for txid, stored in self._stored(above) if stored is None}
                return
            plan.generations += bool(above)
            level = above
            if level:
                yield f"generation {plan.generations}: {len(level)} transactions; {plan.count} to be fetched so far"

    def _check_root(self, root: Hash, index: int | None, found: Sequence[tuple[Hash, bytes]]) -> None:
        if not found:
            why = self.plan.missing.get(root, UNKNOWN)
            raise CannotImport(f"transaction {root.hex()} cannot be imported: {why}")
        outputs = self._archive.outputs(found[0][1])
        if index is not None and index >= outputs:
            raise CannotImport(f"transaction {root.hex()} has no output {index}, it has {outputs}")

    def _stored(self, txids: Sequence[Hash]) -> list[tuple[Hash, StoredTx | None]]:
        """What is stored of some transactions."""
        connection, chain = self._place.store.connection, self._place.handle
        with connection.begin():
            return [(txid, stored_tx(connection, chain, txid, self._archive.outputs)) for txid in txids]

    async def _level(self, txids: Sequence[Hash]) -> list[tuple[Hash, bytes]]:
        """Find the transactions of one generation; returns those that there are, with their bytes."""
        plan, bytes_of, asked = self.plan, dict[Hash, bytes](), list[Hash]()
        for start in range(0, len(txids), LOOKED_AT):
            await asyncio.sleep(0)  # others may have their turn
            for txid, stored in self._stored(txids[start : start + LOOKED_AT]):
                if stored is None:
                    asked.append(txid)
                    continue
                bytes_of[txid] = stored.raw
                plan.stored += stored.whole
                if not stored.whole and self._room(txid):
                    plan.wanted.setdefault(stored.ref, set()).add(txid)
        room = max(0, self._most - plan.count)
        plan.missing |= dict.fromkeys(asked[room:], TOO_MANY)
        for txid, located in zip(asked[:room], await self._find(asked[:room]), strict=True):
            why = await self._want(txid, located)
            if why is not None:
                plan.missing[txid] = why
            elif located is not None:
                bytes_of[txid] = located.raw
        found = [(txid, bytes_of[txid]) for txid in txids if txid in bytes_of]
        plan.reached += [txid for txid, _ in found]
        return found

    def _room(self, txid: Hash) -> bool:
        if self.plan.count >= self._most:
            self.plan.missing[txid] = TOO_MANY
            return False
        self.plan.count += 1
        return True

    async def _find(self, txids: Sequence[Hash]) -> Sequence[Located | None]:
        if self._block is None:
            return await self._archive.find(txids)
        there = {one.txid: one for one in await self._archive.in_block(self._block, txids)} if txids else {}
        return [there.get(txid) for txid in txids]

    async def _want(self, txid: Hash, located: Located | None) -> str | None:
        """Note where a transaction is to be taken from; returns why not, if it cannot be."""
        if located is None:
            return UNKNOWN if self._block is None else UNINDEXED
        if located.block is None:
            return WAITING
        if located.block not in self._heights:
            self._heights[located.block] = await self._where(located.block)
        where = self._heights[located.block]
        if where is None:
            return ELSEWHERE
        if isinstance(where, BlockRef):
            self.plan.wanted.setdefault(where, set()).add(txid)
        else:
            self.plan.below.setdefault(where, set()).add(txid)
        self.plan.count += 1
        return None

    async def _where(self, block: Hash) -> BlockRef | tuple[int, Hash] | None:
        """The place of a block on our chain, or below it by the node's word; None if it is neither."""
        with self._place.store.connection.begin():
            ours = canonical_block(self._place.store.connection, self._place.handle, block)
        if ours is not None:
            return ours
        height = await self._archive.height_of(block)
        return (height, block) if height is not None and 0 < height < self.bottom.height else None


async def named_block(place: Place, archive: Archive, said: str) -> BlockRef:
    """The block that an operator names by hash or height; raises CannotImport."""
    found: BlockRef | None = None
    if len(said) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in said):
        block = Hash(bytes.fromhex(said))
        with place.store.connection.begin():
            found = canonical_block(place.store.connection, place.handle, block)
        height = await archive.height_of(block) if found is None else None
        found = await place.node.ref_at(height) if height is not None else found
        if found is not None and found.hash != block:
            found = None
    elif said.isascii() and said.isdigit() and len(said) < 10:
        found = await place.node.ref_at(int(said))
        if found is not None:
            with place.store.connection.begin():
                ours = load.canonical_hash(place.store, place.handle, found.height)
            found = found if ours in (None, found.hash) else None
    else:
        raise CannotImport(f"--block {said!r} is neither a block's hash (64 hex digits) nor its height")
    if found is None:
        raise CannotImport(f"block {said} is not on the chain that is followed here")
    return found
