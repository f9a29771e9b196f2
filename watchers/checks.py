"""Which balances a follower asks for, and when: what a block touches, checkpoints, and the end of a catch-up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from tracer.casework import Casework
from tracer.errors import NodeMissing
from tracer.store import load
from tracer.store.chains import ChainHandle
from tracer.store.writer import Store
from tracer.types import Asset, AssetId, AssetKind, BlockFacts, BlockRef, Holder
from tracer.value import Balance, Key, Want
from watchers.node import Node, Told

AT_ONCE = 2_000
"""Balances of a checkpoint that are asked in one turn: blocks go on being followed between."""

UNCHECKED = "balances unchecked at some blocks: the node has no state there"


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking at a block: its facts with their header, the answers, and what opening books begin with."""

    facts: BlockFacts
    answers: Mapping[Key, Balance] = field(default_factory=lambda: MappingProxyType({}))
    opening: Mapping[tuple[int, Holder, AssetId], int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(slots=True)
class BalanceChecks:
    """Asks a chain's node for the balances that its cases rest on.

    every: blocks between checkpoints, 0: none. owed: a full checkpoint is owed for what was last checked below this
    height; it is paid when following is in step, in parts. counting: which rows of `watch w` count, in SQL; those that
    are published if it is empty.
    """

    store: Store
    every: int
    utxo: bool
    owed: int = -1
    counting: str = ""

    async def at_block(
        self,
        node: Node[Any, Any],
        casework: Casework,
        chain: ChainHandle,
        ref: BlockRef,
        facts: BlockFacts,
        live: bool,
    ) -> Asked:
        """Ask for what a block that is being connected touches, and for what cases hold that open at it.

        At a checkpoint in catch-up, all that was touched since is asked; live, a full one is owed from then on.
        Raises NodeMissing if a case opens here and the node has no state of it.
        """
        checkpoint = bool(self.every) and ref.height % self.every == 0
        opens = casework.opening_at(ref.height)
        if self.utxo or not (facts.transactions or facts.loose or opens or checkpoint):
            return Asked(facts)
        if checkpoint and live:
            self.owed = ref.height
        wants = {(w.holder, w.asset): w for w in self._wants(casework, facts, live, checkpoint)}
        opening = self._opening(casework, chain, opens)
        for _, holder, asset in opening:
            wants[holder, asset] = Want(holder, asset)
        if not wants:
            return Asked(facts)
        told = await node.balances(ref, list(wants.values()))
        if any((holder, asset) not in told.found for _, holder, asset in opening):
            raise NodeMissing(f"no balances at block {ref.height}: the node has no state there")
        skipped = [*facts.skipped, *told.skipped]
        if len(told.found) < len(wants):
            skipped.append(UNCHECKED)
        return Asked(
            replace(facts, header=facts.header or told.header, skipped=tuple(skipped)),
            told.found,
            {(case, holder, asset): told.found[holder, asset].amount for case, holder, asset in opening},
        )

    async def at_tip(self, node: Node[Any, Any], casework: Casework, chain: ChainHandle, tip: BlockRef) -> Told | None:
        """Pay a part of the checkpoint that is owed, at the tip; None if none is owed."""
        if self.utxo or self.owed < 0:
            return None
        holders = self._held(chain, [book.case_id for book in casework.books.values() if book.opened])
        wants = casework.values.due(holders, casework.assets, min(self.owed, tip.height))[:AT_ONCE]
        if not wants:
            self.owed = -1
            return None
        told = await node.balances(tip, wants)
        if len(told.found) < len(wants):
            self.owed = -1  # what cannot be answered now is asked again at the next checkpoint
            return replace(told, skipped=(*told.skipped, UNCHECKED))
        return told

    def _wants(self, casework: Casework, facts: BlockFacts, live: bool, checkpoint: bool) -> Iterable[Want]:
        if checkpoint and not live:
            yield from casework.values.touched()
        yield from casework.values.wanted(facts, casework.assets, casework.open_roles, live)

    def _opening(
        self, casework: Casework, chain: ChainHandle, cases: Iterable[int]
    ) -> list[tuple[int, Holder, AssetId]]:
        """What cases begin with: every asset that counts of every holder in a held role."""
        counting = [a.id for a in casework.assets.values() if counts(a)]
        return [(case, holder, asset) for case in cases for holder in self._held(chain, [case]) for asset in counting]

    def _held(self, chain: ChainHandle, cases: Iterable[int]) -> list[Holder]:
        with self.store.connection.begin():
            return [holder for case in cases for holder in load.held_holders(self.store, chain, case, self.counting)]


def counts(asset: Asset) -> bool:
    """Whether an asset's movements count in ledgers."""
    return asset.kind in (AssetKind.NATIVE, AssetKind.LISTED)
