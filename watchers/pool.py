"""The seam: all that the watcher of unconfirmed transactions asks of a chain family."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tracer.life import Observation
from tracer.pending import Sighting
from tracer.types import Hash, Holder


@dataclass(frozen=True, slots=True)
class Look:
    """What a mempool holds of interest, and the node's best block at that moment."""

    best: Hash
    held: Mapping[Hash, Sighting]


@dataclass(frozen=True, slots=True)
class Gone:
    """A transaction that a mempool held, or a block that left the chain, and that is in neither now.

    blocks: our blocks (row, hash) since it could still be mined, lowest first.
    """

    txid: Hash
    raw: bytes
    blocks: Sequence[tuple[int, Hash]]


class Pool(Protocol):
    """A node's mempool. Every method raises what a node's methods raise."""

    async def close(self) -> None:
        """Release connections. Idempotent."""

    def forget(self) -> None:
        """Read everything anew at the next look: the interest has grown."""

    async def look(self, tip: Callable[[], Hash | None], custody: Sequence[Holder]) -> Look | None:
        """Say what it holds of interest; None if that cannot be told now.

        tip: our newest block; coins of interest are complete only where that is the node's best one.
        custody: the accounts that are asked for alone where the mempool is too large to be listed.
        """

    async def fates(self, best: Hash, gone: Sequence[Gone]) -> Mapping[Hash, Observation | None]:
        """Say what became of transactions; None: nothing spends the same, it was dropped. Others cannot be told yet.

        best: the node's best block, which it must still be when all is answered.
        """
