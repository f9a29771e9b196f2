"""The seam: all that the follower asks of a chain family.

A family is one folder that offers a `Node` (I/O) and a `Scanner` (pure) and is named in `watchers.families`.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from tracer.proof.headers import HeaderChain
from tracer.tokentext import TokenText
from tracer.types import AssetId, BlockFacts, BlockRef, Hash, Holder, Outpoint
from tracer.value import Balance, Key, Want
from watchers.wake import Wake

Raw = TypeVar("Raw")
RawGiven = TypeVar("RawGiven", covariant=True)
"""A block as the family's node delivers it, opaque to the follower."""

Draft = TypeVar("Draft")
DraftTaken = TypeVar("DraftTaken", contravariant=True)
"""A scanned block that may still lack answers from the node, opaque to the follower."""


@dataclass(frozen=True, slots=True)
class NodeView:
    """What the node says about itself and our tip, asked together.

    best: the node's best block.
    hash_at_tip: the node's active-chain block hash at our tip's height; None if its chain is shorter.
    above: the node's active-chain block at our tip's height + 1; None if there is none yet.
    tip_invalid: the node positively rejects our tip (Bitcoin: `getchaintips` lists it as invalid).
    safe, finalized: heights of the node's own tags (Ethereum); None on chains without them.
    """

    best: BlockRef
    hash_at_tip: Hash | None
    above: BlockRef | None
    tip_invalid: bool = False
    safe: int | None = None
    finalized: int | None = None

    @property
    def tags(self) -> dict[str, int | None]:
        """The heights that the node gives for its own tags."""
        return {"safe": self.safe, "finalized": self.finalized}


@dataclass(frozen=True, slots=True)
class Coin:
    """An unspent output of interest: who holds it and its amount in satoshi."""

    holder: Holder
    amount: int


@dataclass(frozen=True, slots=True)
class Lack:
    """Something the node cannot do that is needed, and the remedy; what `tracerd check` prints."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Told:
    """Balances after a block; what the node has no state for is missing.

    skipped: what was answered and could not be used as it should, and why. header: the block's, if it is verified.
    """

    found: Mapping[Key, Balance]
    skipped: tuple[str, ...] = ()
    header: bytes | None = None


class Scanner(Protocol, Generic[Raw, Draft]):
    """Pure: finds what a block says about the interest it holds, in chain order.

    The interest is held in memory and changed only by `watch`, `remember` and `forget`; a scan changes nothing.
    """

    @property
    def headers(self) -> HeaderChain | None:
        """The chain of headers that a scanned block must stand in; None where headers prove nothing by themselves."""

    def watch(self, holders: Iterable[Holder]) -> bool:
        """Be interested in these holders from now on; returns whether one of them may be new.

        It may grow while blocks that were read before wait to be scanned: a scan sees to it that they show the new.
        """

    def remember(self, coins: Mapping[Outpoint, Coin]) -> None:
        """Be interested in the spending of these coins (UTXO chains; account families ignore it)."""

    def forget(self, points: Iterable[Outpoint]) -> None:
        """Stop being interested in these coins: spent, or no longer followed. Unknown points are ignored."""

    def forget_all(self) -> None:
        """Forget every remembered coin (watched holders stay)."""

    def another(self) -> Self:
        """A scanner for the same chain that is interested in nothing yet."""

    def close(self) -> None:
        """Let go of what `ahead` made use of. Idempotent."""

    async def ahead(self, raw: Raw) -> Raw:
        """Do what of a scan needs no interest before it is the block's turn, on another core if there is one."""

    def scan(self, raw: Raw) -> Draft:
        """Find the hits of one block. Coins created earlier in the block are visible to later transactions."""

    def complete(self, draft: Draft, answers: object) -> BlockFacts:
        """Turn a draft and the node's answers (None if it had no questions) into facts."""


class Push(Protocol[RawGiven]):
    """What a node announces by itself; it only wakes, and is never believed."""

    @property
    def where(self) -> str:
        """Where the announcements come from, fit to be shown."""

    async def listen(self, wake: Wake) -> None:
        """Ring when the node announces something, for ever: lost connections are made again, without an error."""

    def pushed(self, ref: BlockRef) -> RawGiven | None:
        """Hand out, once, a block that came whole with its announcement: nothing in it is checked yet."""

    async def lacks(self) -> list[Lack]:
        """What is missing for announcements to come; what `tracerd check` prints."""


class Node(Protocol, Generic[RawGiven, DraftTaken]):
    """One node of one network. Every method raises `NodeUnavailable`, `NodeMissing` or `Inconsistent`.

    push: None if none is configured; then the node is looked at every `poll_s` only.
    """

    @property
    def push(self) -> Push[RawGiven] | None:
        """Its announcements."""

    async def open(self) -> Hash:
        """Connect, check the network and return the genesis hash; raises WrongNetwork."""

    async def close(self) -> None:
        """Release connections. Idempotent."""

    async def view(self, tip: BlockRef) -> NodeView:
        """Answer for the node's best block and our tip."""

    async def ref_at(self, height: int) -> BlockRef | None:
        """The active-chain block at a height; None above the tip."""

    async def block(self, ref: BlockRef) -> RawGiven:
        """Fetch one block *by hash*."""

    async def whole(self, ref: BlockRef) -> RawGiven:
        """Fetch one block by hash and verify all of it, also where `block` takes the node's word for some."""

    def blocks(self, after: BlockRef, upto: int) -> AsyncGenerator[tuple[BlockRef, RawGiven], None]:
        """Stream active-chain blocks after `after` up to height `upto`, in order, prefetching a few requests ahead.

        Ends early, without error, when the node's chain no longer links to what was streamed.
        """

    def headers(self, after: BlockRef, upto: int) -> AsyncGenerator[bytes, None]:
        """Stream the raw headers of active-chain blocks above `after`; ends as `blocks` does.

        Asked only where the scanner has a chain of headers.
        """

    async def answer(self, draft: DraftTaken) -> object:
        """Answer the questions of a draft; None if it has none."""

    async def balances(self, ref: BlockRef, wants: Sequence[Want]) -> Told:
        """Balances after a block, by its hash (account chains); raises NodeMissing if the node has left it."""

    async def token_texts(self, ref: BlockRef, assets: Sequence[AssetId]) -> list[TokenText]:
        """What tokens call themselves after a block (account chains)."""

    async def lacks(self, oldest: int) -> list[Lack]:
        """What this node lacks to answer, from height `oldest` on, for all that it is asked."""
