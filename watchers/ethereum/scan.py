"""Which blocks concern the watched accounts, and the scanner that the follower holds. Pure.

Observed: ether by top-level and internal calls, creations and self-destructs that really executed; every ERC-20 and
ERC-721 `Transfer` log that names a watched account; fees that a watched account pays; priority fees, block rewards
and withdrawals to one. Not observed in this version: ERC-1155.
"""

from collections.abc import Iterable, Mapping
from typing import Self

from tracer.errors import Inconsistent
from tracer.proof.trie import BadProof
from tracer.types import Asset, BlockFacts, ChainId, Checked, Holder, Outpoint
from watchers.ethereum.facts import Interest, told_facts, whole_facts
from watchers.ethereum.frames import OUT_OF_SHAPE
from watchers.ethereum.header import EMPTY_TRIE, ref_of, refused
from watchers.ethereum.raw import Part, RawBlock, Unread
from watchers.ethereum.touching import rewards, touched_by_frames, touched_by_logs
from watchers.node import Coin


class EthereumScanner:
    """Holds the watched accounts of one chain and finds what blocks say about them.

    The accounts are kept as integers: 82 MB for a million, and hex becomes one without slicing.
    """

    def __init__(self, chain: ChainId, native: Asset, tokens: Iterable[Asset] = ()) -> None:
        self.headers = None
        self._native, self._tokens = native, tuple(tokens)
        self.interest = Interest(chain, native.id, frozenset(token.id for token in self._tokens), set())

    def watch(self, holders: Iterable[Holder]) -> bool:
        """Be interested in these accounts from now on; returns whether one is new.

        A block that was read before that is looked at anew. Raises ValueError if an account is not 20 bytes.
        """
        before = self.watching()
        for holder in holders:
            if len(holder) != 20:
                raise ValueError(f"{holder.hex()} is not an account of 20 bytes")
            self.interest.watched.add(int.from_bytes(holder, "big"))
        return self.watching() > before

    def watching(self) -> int:
        """How many accounts are watched: none is ever given up, so that this tells one state from another."""
        return len(self.interest.watched)

    def remember(self, coins: Mapping[Outpoint, Coin]) -> None:
        """Accounts have no coins to remember."""

    def forget(self, points: Iterable[Outpoint]) -> None:
        """Accounts have no coins to forget."""

    def forget_all(self) -> None:
        """Accounts have no coins to forget."""

    def another(self) -> Self:
        """A scanner for the same chain that watches no account yet."""
        return type(self)(self.interest.chain, self._native, self._tokens)

    def close(self) -> None:
        """Hold nothing open."""

    async def ahead(self, raw: RawBlock) -> RawBlock:
        """Leave a block to the scan: its node verified it."""
        return raw

    def concerns(self, raw: RawBlock) -> Part | None:
        """What part watched accounts have in a block, by what its node tells; None if they have none.

        Raises Inconsistent if its parts do not belong together.
        """
        header, watched = raw.header, self.interest.watched
        block, hashes = header["hash"], header["transactions"]
        try:
            if (header["transactionsRoot"] == EMPTY_TRIE) is bool(hashes):
                raise Inconsistent(f"block {block}: the transactions root and the list of transactions disagree")
            _, touched = touched_by_frames(block, hashes, raw.traces, watched)
            touched |= touched_by_logs(block, hashes, raw.logs, watched)
            loose = bool(
                (int(header["miner"], 16) in watched and int(header["gasUsed"], 16))
                or any(int(paid["address"], 16) in watched for paid in header.get("withdrawals") or ())
                or rewards(block, raw.traces, watched)
            )
        except OUT_OF_SHAPE as error:
            raise Inconsistent(f"block {block}: the node's answer is out of shape: {error!r}") from error
        return Part(tuple(sorted(touched)), loose) if touched or loose else None

    def scan(self, raw: RawBlock) -> BlockFacts | Unread:
        """Find what a block says; raises Inconsistent or BlockRefused if its parts do not belong together.

        A block that is neither proven nor told of was found to concern nobody (`concerns`), if by this scanner.
        """
        ref = ref_of(raw.header)
        mine = raw.by in (None, self.concerns)
        if raw.proven is None and not self._covered(raw):
            return Unread(ref)
        if raw.proven is None and (raw.told is None or not mine):
            unseen = ("internal transfers unobserved",) if raw.header["transactions"] and not raw.internal else ()
            time = int(raw.header["timestamp"], 16)
            return BlockFacts(ref, time, None, (), skipped=unseen, checked=Checked.HEADER)
        try:
            if raw.proven is not None:
                return whole_facts(self.interest, ref, raw, raw.proven)
            assert raw.told is not None
            return told_facts(self.interest, ref, raw, raw.told)
        except BadProof as error:
            raise refused(ref, error, raw.header, raw.proven.receipts if raw.proven else ()) from error
        except OUT_OF_SHAPE as error:
            raise Inconsistent(f"block {ref.height}: the node's answer is out of shape: {error!r}") from error

    def _covered(self, raw: RawBlock) -> bool:
        """Whether what was told of a block is all that concerns this scanner's accounts as they are now."""
        if raw.by is None or (raw.by == self.concerns and raw.size == self.watching()):
            return True
        part = self.concerns(raw)
        if part is None:
            return True
        told = frozenset(raw.told.transactions) if raw.told is not None and raw.by == self.concerns else frozenset()
        return not part.loose and told.issuperset(part.positions)

    def complete(self, draft: BlockFacts | Unread, answers: object) -> BlockFacts:
        """Return the draft, or what the block says that had to be read for it."""
        if isinstance(draft, Unread):
            if not isinstance(answers, RawBlock):
                raise TypeError("the block was to be read, and nobody did")
            draft = self.scan(answers)
        assert isinstance(draft, BlockFacts), "a block that is read whole leaves nothing open"
        return draft
