"""Asks tokens that nobody listed what they call themselves: once each, some at a time, when following is in step."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tracer.store.chains import ChainHandle
from tracer.store.tokentexts import note_texts, unasked
from tracer.store.writer import Store
from tracer.types import AssetId, BlockRef
from watchers.node import Node

AT_ONCE = 20
"""Tokens in one turn: whoever sends a thousand of them to a watched account holds nothing up."""


@dataclass(slots=True)
class TextsOwed:
    """The tokens of one chain that were not asked yet."""

    store: Store
    chain: Callable[[], ChainHandle]
    _later: set[AssetId] = field(default_factory=set)
    """Tokens that the node could not ask now; another start tries again."""

    async def pay(self, node: Node[Any, Any], tip: BlockRef) -> bool:
        """Ask some tokens; False if none is left."""
        with self.store.connection.begin():
            found = unasked(self.store.connection, self.chain(), AT_ONCE + len(self._later))
        assets = [asset for asset in found if asset not in self._later]
        texts = await node.token_texts(tip, assets) if assets else []
        self._later.update({*assets} - {one.asset for one in texts})
        if not texts:
            return False
        with self.store.connection.begin():
            note_texts(self.store.connection, self.chain(), texts)
        return True
