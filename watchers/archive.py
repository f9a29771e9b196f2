"""The seam of history on UTXO chains: how transactions of any age are found, and read from their blocks."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from tracer.proof.headers import HeaderChain
from tracer.types import BlockFacts, BlockRef, Hash, Outpoint


@dataclass(frozen=True, slots=True)
class Located:
    """A transaction as a node has it: its bytes, which hash to its id, and the block that it names; None: no block.

    Nothing but the bytes is checked yet.
    """

    txid: Hash
    raw: bytes
    block: Hash | None


class Archive(Protocol):
    """Finds transactions of any age. Every method raises `NodeUnavailable`, `NodeMissing` or `Inconsistent`."""

    @property
    def headers(self) -> HeaderChain:
        """A chain of headers of the network, which stands on nothing yet."""

    def parents(self, raw: bytes) -> tuple[Outpoint, ...]:
        """The coins that a transaction spends, in order; empty: it is a coinbase. Raises ValueError."""

    def outputs(self, raw: bytes) -> int:
        """How many outputs a transaction has; raises ValueError."""

    async def check_index(self) -> None:
        """See that transactions can be found by their id alone; raises NodeLacks, or NodeMissing while that grows."""

    async def find(self, txids: Sequence[Hash]) -> list[Located | None]:
        """Find transactions by their ids, in order; None for one that the node does not have."""

    async def height_of(self, block: Hash) -> int | None:
        """The height that a node gives for a block; None if it does not have it."""

    async def in_block(self, ref: BlockRef, txids: Collection[Hash]) -> list[Located]:
        """Find those of some transactions that are in one block."""

    async def take(self, ref: BlockRef, txids: Collection[Hash]) -> BlockFacts:
        """Fetch a block by hash, verify all of it, and tell the movements of some of its transactions, each with proof.

        Its header is one of our chain. Raises BlockRefused.
        """

    async def take_all(self, ref: BlockRef) -> BlockFacts:
        """Fetch a block as `take` does, and tell the movements of all its transactions."""
