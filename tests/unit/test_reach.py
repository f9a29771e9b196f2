"""How a block is read until all that its value reaches is looked for, with what those accounts held before it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tracer.taint.accounts import Key
from tracer.tracing import Ahead
from tracer.types import AssetId, BlockFacts, BlockRef, Hash, Holder, Lane
from tracer.value import Balance, Want
from watchers.node import Told
from watchers.reach import UNKNOWN, reach

ETHER = AssetId("eip155:1/slip44:60")
REF = BlockRef(7, Hash(b"7" * 32), Hash(b"6" * 32))
A, B, C = (Holder(bytes([n]) * 20) for n in (1, 2, 3))


@dataclass
class Chain:
    """A block in which value of A reaches B, and is seen to reach C once B is looked for; stands in for all parts."""

    state: Mapping[Holder, int]
    watched: set[Holder] = field(default_factory=lambda: {A})
    asked: list[tuple[BlockRef, list[Holder]]] = field(default_factory=list)
    whole: list[object] = field(default_factory=list)

    def look_ahead(self, facts: BlockFacts, before: Mapping[Key, int]) -> Ahead:
        reached = {B} | ({C} if B in self.watched else set())
        unknown = {(one, ETHER) for one in reached} - before.keys()
        return Ahead(frozenset(reached), frozenset(unknown))

    def watch(self, holders: Iterable[Holder]) -> bool:
        before = len(self.watched)
        self.watched |= set(holders)
        return len(self.watched) > before

    def scan(self, raw: object) -> object:
        return raw

    async def answer(self, draft: object) -> object | None:
        self.whole += ["whole"] if draft == "told" else []
        return "whole" if draft == "told" else None

    def complete(self, draft: object, answers: object) -> BlockFacts:
        return BlockFacts(REF, 0, None, ())

    async def balances(self, ref: BlockRef, wants: Sequence[Want]) -> Told:
        self.asked.append((ref, [want.holder for want in wants]))
        return Told(
            {(w.holder, w.asset): Balance(self.state[w.holder], Lane.REPORTED) for w in wants if w.holder in self.state}
        )


async def reached(chain: Any) -> tuple[BlockFacts, Mapping[Key, int]]:
    return await reach(chain, chain, chain, "told", BlockFacts(REF, 0, None, ()))


async def test_a_block_is_read_again_until_it_shows_nobody_new() -> None:
    chain = Chain({B: 5, C: 6})
    facts, before = await reached(chain)
    assert chain.watched == {A, B, C}
    assert before == {(B, ETHER): 5, (C, ETHER): 6}
    assert [(ref.height, ref.hash, holders) for ref, holders in chain.asked] == [
        (6, REF.parent, [B]),
        (6, REF.parent, [C]),
    ]
    assert chain.whole == ["whole"], "what was read whole for one serves for the next"
    assert facts.skipped == ()


async def test_a_balance_that_the_node_cannot_say_is_not_made_up() -> None:
    facts, before = await reached(Chain({C: 6}))
    assert before == {(C, ETHER): 6}
    assert facts.skipped == (UNKNOWN,)
