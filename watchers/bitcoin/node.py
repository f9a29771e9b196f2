"""One bitcoind: asks it for blocks, its view of our tip, and the coins that transactions spent."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from tracer.errors import BadConfig, Inconsistent, NodeLacks, NodeMissing, NodeUnavailable, WrongNetwork
from tracer.proof.headers import HEADER_BYTES, hash_of, parent_of
from tracer.proof.networks import NETWORKS
from tracer.tokentext import TokenText
from tracer.types import AssetId, BlockRef, Hash, Outpoint
from tracer.value import Want
from watchers.bitcoin.answers import bytes_in, hash_in
from watchers.bitcoin.named import OUT_OF_RANGE, NamedCalls, meaning
from watchers.bitcoin.push import ZmqPush
from watchers.bitcoin.scan import Draft, RawBlock
from watchers.bitcoin.spent import from_json, from_undo
from watchers.node import Coin, Lack, NodeView, Told
from watchers.rpc import JsonRpc, RpcError

GENESIS = {name: rules.genesis_hash.hex() for name, rules in NETWORKS.items()}
"""The hash of each network's first block, in display order."""
HEADERS_PER_REQUEST = 1000
VIEW_TRIES = 5
JUST_ARRIVING = 2
"""Blocks whose header may be known before the block on a node that is in step."""
OLDEST_VERSION = 250_000


class BitcoinNode:
    """bitcoind over JSON-RPC, and over REST where it answers; see `watchers.node.Node`.

    rest: None probes for it; True requires it; False never uses it. REST is the same data for less of the node's
    time; it has no authentication, so it belongs on loopback.
    """

    def __init__(
        self,
        *,
        rpc_url: str,
        network: str,
        user: str | None = None,
        password: str | None = None,
        cookie_file: Path | None = None,
        rest: bool | None = None,
        deadline_s: float = 30.0,
        in_flight: int = 4,
        zmq: Sequence[str] = (),
    ) -> None:
        if network not in GENESIS:
            raise BadConfig(f"network {network!r} is none of {', '.join(GENESIS)}")
        self._network = network
        self._rpc = JsonRpc(
            rpc_url,
            user=user,
            password=password,
            cookie_file=cookie_file,
            deadline_s=deadline_s,
            max_in_flight=in_flight,
            exact=True,
        )
        self._named = NamedCalls(self._rpc)
        self.push = ZmqPush(zmq, self._named) if zmq else None
        self._in_flight = in_flight
        self._wanted = rest
        self.rest = self.undo = False
        """Whether blocks and headers, and whether spent coins, come over REST; known once open."""
        self._asked = False

    async def open(self) -> Hash:
        """Connect, check the genesis block, see what REST offers; returns the genesis hash."""
        await self._rpc.open()
        genesis = hash_in(await self.ask("getblockhash", 0))
        if genesis.hex() != GENESIS[self._network]:
            theirs = next((name for name, known in GENESIS.items() if known == genesis.hex()), "an unknown one")
            raise WrongNetwork(f"the node at {self._rpc.origin} is on network {theirs}, not {self._network}")
        await self._probe(genesis)
        return genesis

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        await self._named.aclose()
        await self._rpc.close()

    async def view(self, tip: BlockRef) -> NodeView:
        """Ask in one request for the best block and the blocks at and above our tip.

        Asked again when the best block changed between the first and the last of the questions.
        """
        questions: list[tuple[str, Sequence[object]]] = [
            ("getblockchaininfo", ()),
            ("getblockhash", (tip.height,)),
            ("getblockhash", (tip.height + 1,)),
            ("getbestblockhash", ()),
        ]
        for _ in range(VIEW_TRIES):
            info, at_tip, above, best = await self.ask_all(questions)
            try:
                height, named = int(_present(info)["blocks"]), _present(info)["bestblockhash"]
            except (KeyError, TypeError, ValueError) as error:
                raise NodeUnavailable(f"{self._rpc.origin} tells of its chain in a shape unknown here") from error
            if named != _present(best):
                continue
            if (height >= tip.height, height > tip.height) != (_is_there(at_tip), _is_there(above)):
                continue
            next_up = await self._ref(tip.height + 1, hash_in(above)) if _is_there(above) else None
            known = {ref.hash: ref for ref in (tip, next_up) if ref is not None}
            top = known.get(hash_in(best)) or await self._ref(height, hash_in(best))
            return NodeView(
                best=top,
                hash_at_tip=hash_in(at_tip) if _is_there(at_tip) else None,
                above=next_up,
                tip_invalid=not _stands(at_tip, tip) and await self._rejects(tip),
            )
        raise NodeUnavailable(f"{self._rpc.origin}: the best block changed {VIEW_TRIES} times while asking")

    async def ref_at(self, height: int) -> BlockRef | None:
        """The active-chain block at a height; None above the tip."""
        [found] = await self.ask_all([("getblockhash", (height,))])
        return await self._ref(height, hash_in(found)) if _is_there(found) else None

    async def block(self, ref: BlockRef) -> RawBlock:
        """Fetch one block by hash; orphaned blocks too, as long as the node keeps them."""
        name = ref.hash.hex()
        if self.rest:
            try:
                return RawBlock(ref, await self._rpc.get(f"/rest/block/{name}.bin"))
            except NodeMissing:
                if self._wanted:
                    raise
        data = bytes_in(await self.ask("getblock", name, 0))
        self.rest = False  # it has the block: the node came back without REST, if it was used at all
        return RawBlock(ref, data)

    async def whole(self, ref: BlockRef) -> RawBlock:
        """Fetch one block by hash: each is verified whole."""
        return await self.block(ref)

    async def blocks(self, after: BlockRef, upto: int) -> AsyncGenerator[tuple[BlockRef, RawBlock], None]:
        """Stream the blocks above `after` in order, with `in_flight` requests ahead of the reader."""
        ahead: deque[tuple[BlockRef, asyncio.Task[RawBlock]]] = deque()
        try:
            async with aclosing(self._refs(after, upto)) as refs:
                async for ref in refs:
                    ahead.append((ref, asyncio.create_task(self._full(ref))))
                    if len(ahead) > self._in_flight:
                        first, task = ahead.popleft()
                        yield first, await task
            while ahead:
                first, task = ahead.popleft()
                yield first, await task
        finally:
            for _, task in ahead:
                task.cancel()
            await asyncio.gather(*(task for _, task in ahead), return_exceptions=True)

    async def _full(self, ref: BlockRef) -> RawBlock:
        """Fetch a block, and the coins that it spends where the block before it had to be asked for them."""
        if not (self.rest and self.undo and self._asked):
            return await self.block(ref)
        raw, undo = await asyncio.gather(self.block(ref), self._undo(ref.hash))
        return replace(raw, undo=undo)

    async def _undo(self, block: Hash) -> bytes | None:
        try:
            return await self._rpc.get(f"/rest/spenttxouts/{block.hex()}.bin")
        except NodeMissing:
            self.undo = False  # switched off, or pruned: another question will tell which
            return None

    async def answer(self, draft: Draft) -> dict[Outpoint, Coin] | None:
        """Tell the coins that the draft's hits spend, if any of them is unknown here."""
        asking = [hit for hit in draft.hits if hit.unknown]
        self._asked = bool(asking)
        if not asking:
            return None
        undo = draft.undo or (await self._undo(draft.ref.hash) if self.undo else None)
        if undo is not None:
            return from_undo(undo, asking)
        name = draft.ref.hash.hex()
        answers = await self.ask_all([("getrawtransaction", (h.txid.hex(), 2, name)) for h in asking])
        coins: dict[Outpoint, Coin] = {}
        for hit, transaction in zip(asking, answers, strict=True):
            coins |= from_json(_present(transaction), hit)
        return coins

    async def balances(self, ref: BlockRef, wants: Sequence[Want]) -> Told:
        """Answer nothing: a balance here is the sum of a holder's coins, which the store knows."""
        return Told({})

    async def token_texts(self, ref: BlockRef, assets: Sequence[AssetId]) -> list[TokenText]:
        """Answer nothing: there are no tokens here."""
        return []

    async def lacks(self, oldest: int) -> list[Lack]:
        """What is missing to answer for blocks and spent coins from height `oldest` on."""
        info: Any = await self._named.getblockchaininfo()
        version = (await self._named.getnetworkinfo())["version"]
        found = []
        missing = info["headers"] - info["blocks"]
        if missing > JUST_ARRIVING:
            found.append(Lack(f"{missing} blocks are not downloaded yet", "Wait until the node is in step."))
        if version < OLDEST_VERSION:
            found.append(Lack(f"version {version} cannot tell spent coins", "Use bitcoind 25.0 or newer."))
        first = info.get("pruneheight", 0) if info["pruned"] else 0
        if first > oldest:
            found.append(
                Lack(
                    f"blocks below {first} are pruned and height {oldest} is needed",
                    "Start bitcoind without `-prune` and with `-reindex`, or use a node that kept all blocks.",
                )
            )
        elif oldest <= info["blocks"]:
            found += await self._lacks_block(oldest)
        return found

    async def _lacks_block(self, height: int) -> list[Lack]:
        """Try a block instead of trusting what the node says of itself."""
        try:
            ref = await self.ref_at(height)
            if ref is not None:
                await self.block(ref)
        except NodeMissing as error:
            return [Lack(f"block {height} cannot be read: {error}", "Restart bitcoind with `-reindex`.")]
        return []

    async def _probe(self, genesis: Hash) -> None:
        """See whether REST serves blocks, and (since version 30) the coins that a block spends."""
        self.rest = self.undo = False
        if self._wanted is False:
            return
        try:
            block = await self._rpc.get(f"/rest/block/{genesis.hex()}.bin")
            self.rest = hash_of(block[:HEADER_BYTES]) == genesis
            self.undo = await self._rpc.get(f"/rest/spenttxouts/{genesis.hex()}.bin") == b"\x01\x00"
        except (NodeMissing, NodeUnavailable):  # a proxy may answer anything: then RPC alone has to do
            pass
        if self._wanted and not self.rest:
            raise NodeLacks(
                f"{self._rpc.origin} does not serve REST",
                'Start bitcoind with `-rest`, or set `rest = "auto"`.',
            )

    async def headers(self, after: BlockRef, upto: int) -> AsyncGenerator[bytes, None]:
        """Stream the active chain's headers above `after` up to a height; stops where they no longer link."""
        height, last = after.height, after.hash
        while height < upto:
            count = min(upto - height, HEADERS_PER_REQUEST)
            found = await self._headers(BlockRef(height, last, last), count)
            for header in found:
                if parent_of(header) != last:
                    return
                yield header
                height, last = height + 1, hash_of(header)
            if len(found) < count:
                return

    async def _refs(self, after: BlockRef, upto: int) -> AsyncGenerator[BlockRef, None]:
        """List the active chain's blocks above `after`; stops where they no longer link."""
        height = after.height
        async with aclosing(self.headers(after, upto)) as headers:
            async for header in headers:
                height += 1
                yield BlockRef(height, hash_of(header), parent_of(header))

    async def _headers(self, after: BlockRef, count: int) -> list[bytes]:
        if self.rest:
            try:
                return await self._headers_by_rest(after, count)
            except NodeMissing:  # an unknown block is an empty answer: the node came back without REST
                if self._wanted:
                    raise
                self.rest = False
        return await self._headers_by_rpc(after, count)

    async def _headers_by_rest(self, after: BlockRef, count: int) -> list[bytes]:
        """Raw headers above `after`; none if it is not in the active chain."""
        data = await self._rpc.get(f"/rest/headers/{after.hash.hex()}.bin?count={count + 1}")
        if len(data) % HEADER_BYTES:
            raise NodeUnavailable(f"{self._rpc.origin}: {len(data)} bytes are not headers")
        headers = [data[at : at + HEADER_BYTES] for at in range(0, len(data), HEADER_BYTES)]
        if headers and hash_of(headers[0]) != after.hash:
            raise Inconsistent(f"asked for headers from {after.hash.hex()}, got others")
        return headers[1:]

    async def _headers_by_rpc(self, after: BlockRef, count: int) -> list[bytes]:
        heights = range(after.height + 1, after.height + 1 + count)
        names = await self.ask_all([("getblockhash", (height,)) for height in heights])
        known = [hash_in(name).hex() for name in names if _is_there(name)]
        answers = await self.ask_all([("getblockheader", (name, False)) for name in known])
        return [_header(answer, Hash(bytes.fromhex(name))) for answer, name in zip(answers, known, strict=True)]

    async def _ref(self, height: int, block: Hash) -> BlockRef:
        """Complete a reference with the parent, read from the header and checked by its hash."""
        header = self.push.header(block) if self.push is not None else None
        header = header or _header(await self.ask("getblockheader", block.hex(), False), block)
        return BlockRef(height, block, parent_of(header))

    async def _rejects(self, tip: BlockRef) -> bool:
        """Whether our tip lies on a branch that the node lists as invalid.

        `confirmations = -1` would not do: a node that fell behind says that of every block above its own tip.
        """
        for branch in await self._named.getchaintips():
            fork = branch["height"] - branch["branchlen"]
            if branch["status"] != "invalid" or not fork < tip.height <= branch["height"]:
                continue
            block = hash_in(branch["hash"])
            for height in range(branch["height"], tip.height, -1):
                block = (await self._ref(height, block)).parent
            if block == tip.hash:
                return True
        return False

    async def ask(self, method: str, *params: object) -> Any:
        """Ask one question; raises what an error means."""
        return await self._named.acall(method, list(params))

    async def ask_all(self, questions: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """Ask questions in one request; an answer may be an RpcError."""
        try:
            return await self._rpc.batch(questions)
        except RpcError as error:
            raise meaning(error) from error


def _present(answer: Any) -> Any:
    """Take one answer out of a batch, or raise what its error means."""
    if isinstance(answer, RpcError):
        raise meaning(answer) from answer
    return answer


def _is_there(answer: Any) -> bool:
    """Tell a block hash from 'height out of range'; any other error is raised."""
    if isinstance(answer, RpcError) and answer.code == OUT_OF_RANGE:
        return False
    _present(answer)
    return True


def _stands(at_tip: Any, tip: BlockRef) -> bool:
    """Whether our tip is in the node's active chain."""
    return _is_there(at_tip) and hash_in(at_tip) == tip.hash


def _header(answer: Any, block: Hash) -> bytes:
    header = bytes_in(_present(answer))
    if len(header) != HEADER_BYTES or hash_of(header) != block:
        raise Inconsistent(f"asked for the header of {block.hex()}, got another")
    return header
