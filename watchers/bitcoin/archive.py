"""Finds old transactions through a bitcoind's index, and takes them out of blocks that are verified whole."""

from collections.abc import Collection, Sequence
from typing import Any

from tracer.errors import Inconsistent, NodeLacks, NodeMissing
from tracer.proof.headers import HeaderChain
from tracer.proof.transactions import NOWHERE, hash256, parse, stripped
from tracer.types import BlockFacts, BlockRef, Hash, Outpoint
from watchers.archive import Located
from watchers.bitcoin.answers import bytes_in, hash_in
from watchers.bitcoin.named import ABSENT
from watchers.bitcoin.node import BitcoinNode
from watchers.bitcoin.scan import BitcoinScanner
from watchers.rpc import RpcError

AT_ONCE = 50
"""Transactions asked for in one request; each may have 100 kB and more."""

NO_INDEX = (
    "Start bitcoind with `-txindex=1` and wait until it has built the index, or name the block of a single"
    " transaction: `--block HASH_OR_HEIGHT`."
)


class BitcoinArchive:
    """See `watchers.archive.Archive`."""

    def __init__(self, node: BitcoinNode, scanner: BitcoinScanner) -> None:
        self._node, self._scanner = node, scanner

    @property
    def headers(self) -> HeaderChain:
        """See `Archive`."""
        return HeaderChain(self._scanner.headers.rules)

    def parents(self, raw: bytes) -> tuple[Outpoint, ...]:
        """See `Archive`."""
        points = tuple(Outpoint(point) for point, _ in parse(raw).inputs)
        return () if NOWHERE in points else points

    def outputs(self, raw: bytes) -> int:
        """See `Archive`."""
        return len(parse(raw).outputs)

    async def check_index(self) -> None:
        """See `Archive`."""
        found = await self._node.ask("getindexinfo", "txindex")
        state = found.get("txindex") if isinstance(found, dict) else None
        if not isinstance(state, dict):
            raise NodeLacks("the node keeps no index of transactions", NO_INDEX)
        if not state.get("synced"):
            height = state.get("best_block_height")
            raise NodeMissing(f"the node's index of transactions is still being built, it is at block {height}")

    async def find(self, txids: Sequence[Hash]) -> list[Located | None]:
        """See `Archive`."""
        found: list[Located | None] = []
        for start in range(0, len(txids), AT_ONCE):
            part = txids[start : start + AT_ONCE]
            answers = await self._node.ask_all([("getrawtransaction", (txid.hex(), 1)) for txid in part])
            found += [self._located(txid, answer) for txid, answer in zip(part, answers, strict=True)]
        return found

    def _located(self, txid: Hash, answer: Any) -> Located | None:
        if isinstance(answer, RpcError) and answer.code in ABSENT:
            return None
        if isinstance(answer, RpcError):
            raise NodeMissing(f"the node does not tell of transaction {txid.hex()}: {answer}")
        if not isinstance(answer, dict):
            raise Inconsistent(f"the node tells of transaction {txid.hex()} in a shape unknown here")
        raw = bytes_in(answer.get("hex"))
        _check_id(txid, raw)
        block = answer.get("blockhash")
        return Located(txid, raw, None if block is None else hash_in(block))

    async def height_of(self, block: Hash) -> int | None:
        """See `Archive`."""
        [answer] = await self._node.ask_all([("getblockheader", (block.hex(), True))])
        if isinstance(answer, RpcError) and answer.code in ABSENT:
            return None
        height = answer.get("height") if isinstance(answer, dict) else None
        if not isinstance(height, int) or isinstance(height, bool):
            raise Inconsistent(f"the node does not tell the height of block {block.hex()}")
        return height

    async def in_block(self, ref: BlockRef, txids: Collection[Hash]) -> list[Located]:
        """See `Archive`."""
        cut = self._scanner.cut(await self._node.whole(ref), frozenset(txids))
        return [Located(hit.txid, hit.raw, ref.hash) for hit in cut.hits]

    async def take(self, ref: BlockRef, txids: Collection[Hash]) -> BlockFacts:
        """See `Archive`."""
        draft = self._scanner.cut(await self._node.whole(ref), frozenset(txids))
        return self._scanner.complete(draft, await self._node.answer(draft))

    async def take_all(self, ref: BlockRef) -> BlockFacts:
        """See `Archive`."""
        draft = self._scanner.cut(await self._node.whole(ref), None)
        return self._scanner.complete(draft, await self._node.answer(draft))


def _check_id(txid: Hash, raw: bytes) -> None:
    try:
        span = parse(raw).span
    except ValueError as error:
        raise Inconsistent(f"the node's bytes of transaction {txid.hex()} are none: {error}") from error
    if hash256(stripped(raw, span))[::-1] != txid:
        raise Inconsistent(f"asked for transaction {txid.hex()}, got another")
