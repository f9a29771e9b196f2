"""Asks tokens that nobody listed what they call themselves: once each, some at a time, when following is in step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tracer.store.chains import ChainHandle
from tracer.store.tokentexts import note_texts, unasked
from tracer.store.writer import Store
from tracer.types import BlockRef
from watchers.node import Node

AT_ONCE = 20
"""Tokens in one turn: whoever sends a thousand of them to a watched account holds nothing up."""


@dataclass(slots=True)
class TextsOwed:
    """The tokens of one chain that were not asked yet."""

    store: Store
    chain: Callable[[], ChainHandle]

    async def pay(self, node: Node[Any, Any], tip: BlockRef) -> bool:
        """Ask some tokens; False if none is left."""
        with self.store.connection.begin():
            assets = unasked(self.store.connection, self.chain(), AT_ONCE)
        texts = await node.token_texts(tip, assets) if assets else []
        if not texts:
            return False
        with self.store.connection.begin():
            note_texts(self.store.connection, self.chain(), texts)
        return True
