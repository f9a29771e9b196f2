"""What an import of history asks for and where it stands, whatever the family of its chain."""

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import text

from tracer.errors import OperatorError, Retryable, WrongNetwork
from tracer.store import load
from tracer.store.chains import ChainHandle
from tracer.store.writer import Store
from tracer.types import BlockRef, Hash
from watchers.family import ChainConfig
from watchers.node import Node, Scanner

DEPTH, MOST = 3, 10_000
"""Generations of ancestors above the named transaction, and transactions fetched, unless others are asked for."""

Hold = Callable[[], AbstractAsyncContextManager[None]]
"""Holds the follower of the chain between two turns, while something is written."""

_SPAN = re.compile("(0|[1-9][0-9]{0,9})-(0|[1-9][0-9]{0,9})").fullmatch
_TXID = re.compile("([0-9a-fA-F]{64})(?::(0|[1-9][0-9]{0,9}))?").fullmatch


class CannotImport(OperatorError):
    """The history that is asked for cannot be told apart, or is not there."""

    fix = "See `tracerd import-history --help`. Nothing was written."


class NotFollowed(Retryable):
    """A chain has no block yet in the store, or none that its node shows now."""

    fix = "Run `tracerd sync` or `tracerd run` first, with a case that names the chain."


@dataclass(frozen=True, slots=True)
class Request:
    """What an operator wants imported.

    ref: TXID or TXID:INDEX, an account, or a span of blocks as FROM-TO. chain: its name, empty where `ref` tells.
    depth: generations of ancestors, 0: until coinbases. most: transactions at most. block: a hash or height, empty: ask
    the node's index. first: the height from which on an account is read.
    """

    ref: str
    chain: str
    depth: int
    most: int
    block: str
    first: int

    @classmethod
    def read(cls, body: dict[str, Any]) -> "Request":
        """Take a request from the words it was sent in."""
        return cls(
            str(body["ref"]).strip(),
            str(body["chain"]),
            int(body["depth"]),
            int(body["most"]),
            str(body["block"]).strip(),
            int(body["first"]),
        )

    @property
    def span(self) -> tuple[int, int] | None:
        """The blocks that it names, first and last; None if it names something else."""
        found = _SPAN(self.ref)
        return None if found is None else (int(found[1]), int(found[2]))

    @property
    def named(self) -> tuple[Hash, int | None] | None:
        """The transaction, and output, that it names; None if it names an account."""
        found = _TXID(self.ref)
        if found is None:
            return None
        return Hash(bytes.fromhex(found[1])), None if found[2] is None else int(found[2])


@dataclass(frozen=True, slots=True)
class Place:
    """Where history is read from and stored: a chain, with a node and scanner of the import's own."""

    config: ChainConfig
    node: Node[Any, Any]
    scanner: Scanner[Any, Any]
    store: Store
    handle: ChainHandle
    hold: Hold

    @property
    def name(self) -> str:
        """The chain's name."""
        return self.config.name

    def tip(self) -> BlockRef:
        """Our newest block; raises NotFollowed."""
        with self.store.connection.begin():
            cursor = load.cursor(self.store, self.handle)
        if cursor is None:
            raise NotFollowed(f"{self.name} is not followed yet")
        return cursor[0]

    async def open(self) -> None:
        """Connect to the node, which must be of the chain that is stored; raises WrongNetwork."""
        genesis = await self.node.open()
        with self.store.connection.begin():
            stored = self.store.connection.execute(
                text("SELECT genesis FROM chain WHERE id = :c"), {"c": self.handle.id}
            ).scalar_one()
        if stored and bytes(stored) != genesis:
            raise WrongNetwork(f"the store holds {self.name} with another genesis than the node's {genesis.hex()}")


class Import(Protocol):
    """An import under way. Whoever drives it ends it by closing `steps`; what was stored by then stays."""

    def steps(self) -> AsyncGenerator[str, None]:
        """Go on, line by line of progress, to the end."""

    def result(self) -> list[str]:
        """What was stored and what is missing, once the steps have ended; the last line is the sum."""


def counted(count: int, what: str) -> str:
    """Write a number of things.

    >>> counted(1, "block"), counted(2, "block")
    ('1 block', '2 blocks')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"
