"""How an Ethereum node is asked for blocks, answers and balances, so that no answer mixes two branches.

Headers come first; logs are then asked by block hash, which a node that has left the block answers with an
error, never with an empty list. Traces can be asked by number only: they are taken if they carry the
block's hash, and an empty list only for a block without transactions.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from enum import Enum
from types import ModuleType
from typing import Any, Literal

from tracer.errors import Inconsistent, NodeLacks, NodeMissing, NodeUnavailable, WrongNetwork
from tracer.types import Asset, AssetId, AssetKind, BlockRef, Hash, Holder
from watchers.ethereum.ask import (
    Question,
    ask_many,
    at_block,
    by_hash,
    by_number,
    end_all,
    header_at,
    hex_of,
    is_missing,
    number_of,
)
from watchers.ethereum.balances import token_balances
from watchers.ethereum.frames import OUT_OF_SHAPE, Frame, from_call_tracer, from_transactions
from watchers.ethereum.header import ref_of
from watchers.ethereum.logs import TRANSFER
from watchers.ethereum.push import WebsocketPush
from watchers.ethereum.scan import Answers, Draft, RawBlock
from watchers.node import Lack, NodeView
from watchers.rpc import JsonRpc, RpcError

Header = dict[str, Any]

HEADERS_PER_REQUEST = 64
TRANSACTIONS_PER_REQUEST = 200
"""Blocks share a request until they hold this many transactions: that bounds memory, whatever the chain."""

_TRIES = 3
_NOBODY = "0x" + "00" * 20
_CALL_TRACER = {"tracer": "callTracer"}
_TRACE_REMEDY = 'Use a node with the trace or debug API, or write `traces = "off"` to go without internal transfers.'


class Tracing(Enum):
    """Where frames come from."""

    BLOCK = "trace_block"
    CALLS = "debug_traceBlockByHash"
    TOP_ONLY = "eth_getBlockByHash"


class EthereumNode:
    """One node of one EVM chain.

    genesis: block 0 must have this hash if given. traces: "auto" takes what the node offers and refuses to
    deliver blocks without any; "off" takes top-level calls only, and every block says that internal
    transfers are unobserved.
    """

    def __init__(
        self,
        *,
        rpc_url: str,
        chain_id: int,
        genesis: Hash | None = None,
        tokens: Sequence[Asset] = (),
        deadline_s: float = 30.0,
        in_flight: int = 4,
        traces: Literal["auto", "off"] = "auto",
        ws_url: str | None = None,
    ) -> None:
        self._rpc = JsonRpc(rpc_url, deadline_s=deadline_s, max_in_flight=in_flight)
        self.push = WebsocketPush(ws_url) if ws_url else None
        self._chain_id = chain_id
        self._genesis = genesis
        self._tokens = tuple(tokens)
        self._in_flight = in_flight
        self._traces = traces
        self._tracing: Tracing | None = Tracing.TOP_ONLY if traces == "off" else None

    async def open(self) -> Hash:
        """Connect, check the network and return the genesis hash; raises WrongNetwork."""
        await self._rpc.open()
        chain_id, genesis = await self._rpc.batch([("eth_chainId", []), by_number(0)])
        if isinstance(chain_id, RpcError) or not isinstance(genesis, dict):
            raise NodeUnavailable("the node does not tell its chain id and genesis block")
        if number_of(chain_id) != self._chain_id:
            raise WrongNetwork(f"the node is on chain {number_of(chain_id)}, not {self._chain_id}")
        ref = ref_of(genesis)
        if self._genesis is not None and ref.hash != self._genesis:
            raise WrongNetwork(f"the node's genesis block is 0x{ref.hash.hex()}, not 0x{self._genesis.hex()}")
        if self._traces == "auto":
            self._tracing = await self._find_tracing(ref.hash)
        return ref.hash

    async def close(self) -> None:
        """Release connections. Idempotent."""
        await self._rpc.close()

    async def view(self, tip: BlockRef) -> NodeView:
        """Answer for the node's best block and our tip."""
        for _ in range(_TRIES):
            best, safe, finalized, at_tip, above = await self._rpc.batch(
                [
                    *(("eth_getBlockByNumber", [tag, False]) for tag in ("latest", "safe", "finalized")),
                    by_number(tip.height),
                    by_number(tip.height + 1),
                ]
            )
            if not isinstance(best, dict):
                raise NodeUnavailable(f"the node has no newest block ({best})")
            ref, here = ref_of(best), header_at(at_tip, tip.height)
            if here is None and ref.height >= tip.height:
                continue  # it switched between our questions
            return NodeView(
                best=ref,
                hash_at_tip=None if here is None else here.hash,
                above=header_at(above, tip.height + 1),
                safe=ref_of(safe).height if isinstance(safe, dict) else None,
                finalized=ref_of(finalized).height if isinstance(finalized, dict) else None,
            )
        raise NodeUnavailable(f"the node's best block is above {tip.height}, but it has no block {tip.height}")

    async def ref_at(self, height: int) -> BlockRef | None:
        """The active-chain block at a height; None above the tip."""
        (answer,) = await self._rpc.batch([by_number(height)])
        return header_at(answer, height)

    async def block(self, ref: BlockRef) -> RawBlock:
        """Fetch one block by hash; raises NodeMissing if the node has left it."""
        for _ in range(_TRIES):
            header, logs, traced = await self._rpc.batch([by_hash(ref.hash), *self._questions(ref)])
            if header is None:
                raise NodeMissing(f"the node has no block 0x{ref.hash.hex()}")
            if isinstance(header, dict) and ref_of(header) != ref:
                raise Inconsistent(f"asked for block 0x{ref.hash.hex()}, the node gave another")
            for answer in (header, logs, traced):
                if isinstance(answer, RpcError):
                    await self._still_has(ref)
                    raise NodeUnavailable(f"the node cannot answer for block {ref.height}: {answer}")
            raw = self._join(header, logs, traced)
            if raw is not None:
                return raw
            await self._still_has(ref)
        raise Inconsistent(f"the node's traces of block {ref.height} are missing or of another block")

    async def blocks(self, after: BlockRef, upto: int) -> AsyncGenerator[tuple[BlockRef, RawBlock], None]:
        """Stream active-chain blocks after `after` up to `upto`, in order, with `in_flight` requests ahead.

        Ends early, without error, when the node's chain no longer links to what was streamed. A caller that
        stops before the end closes the stream (`contextlib.aclosing`), which ends the requests.
        """
        shares = self._header_shares(after, upto)
        pending = deque[asyncio.Task[tuple[list[RawBlock], bool]]]()
        more = True
        try:
            while True:
                while more and len(pending) < self._in_flight:
                    share = await anext(shares, None)
                    if share is None:
                        more = False
                    else:
                        pending.append(asyncio.create_task(self._raw_blocks(share)))
                if not pending:
                    return
                raws, whole = await pending.popleft()
                for raw in raws:
                    yield ref_of(raw.header), raw
                if not whole:
                    return
        finally:
            await shares.aclose()
            await end_all(pending)

    async def answer(self, draft: Draft) -> Answers | None:
        """Fetch the bytes of every hit and the receipts it wants; None if there are no hits.

        Raises NodeMissing if the node has left the block since.
        """
        if not draft.hits:
            return None
        hashes = ["0x" + hit.txid.hex() for hit in draft.hits]
        wanted = [hit for hit in draft.hits if hit.wants_receipt]
        questions: list[Question] = [("eth_getRawTransactionByHash", [txid]) for txid in hashes]
        questions += [("eth_getTransactionReceipt", ["0x" + hit.txid.hex()]) for hit in wanted]
        found = await ask_many(self._rpc, questions, self._in_flight)
        for (method, _), answer in zip(questions, found, strict=True):
            if answer is None or isinstance(answer, RpcError):
                await self._still_has(draft.ref)
                raise NodeUnavailable(f"{method} fails for block {draft.ref.height}: {answer}")
        receipts = found[len(hashes) :]
        if any(receipt.get("blockHash") != "0x" + draft.ref.hash.hex() for receipt in receipts):
            await self._still_has(draft.ref)
            raise Inconsistent(f"a receipt of block {draft.ref.height} is of another block")
        try:
            raw = [bytes.fromhex(answer[2:]) for answer in found[: len(hashes)]]
        except (TypeError, ValueError) as error:
            raise Inconsistent(f"a raw transaction of block {draft.ref.height} is not hex") from error
        return Answers(
            raw={hit.txid: text for hit, text in zip(draft.hits, raw, strict=True)},
            receipts={hit.txid: receipt for hit, receipt in zip(wanted, receipts, strict=True)},
        )

    async def balances(
        self, ref: BlockRef, holders: Sequence[Holder], assets: Sequence[Asset]
    ) -> dict[tuple[Holder, AssetId], int]:
        """Balances after a block, by its hash; raises NodeMissing if the state is gone.

        assets: ether and ERC-20 tokens; raises ValueError for an NFT. A token without code at that block
        has no balances: 0. One that does not answer `balanceOf` with one word is Inconsistent.
        """
        found: dict[tuple[Holder, AssetId], int] = {}
        for asset in assets:
            if asset.kind is AssetKind.NATIVE:
                amounts = await self._ether(ref, holders)
            else:
                amounts = await token_balances(self._rpc, ref, asset, holders, self._in_flight)
            found.update(((holder, asset.id), amount) for holder, amount in amounts.items())
        return found

    async def lacks(self, oldest: int) -> list[Lack]:
        """What this node lacks to answer for blocks, state and traces from height `oldest` on."""
        lacks: list[Lack] = []
        height = max(oldest, 1)  # nothing happens in a genesis block
        best, found = await self._rpc.batch([("eth_blockNumber", []), by_number(height)])
        ref = header_at(found, height)
        if ref is None and number_of(best) >= height:
            lacks.append(Lack(f"block {height}", "Use a node that keeps all blocks from this height on."))
        elif ref is None and oldest > 0:
            lacks.append(Lack(f"block {height}: it ends at {number_of(best)}", "Let the node synchronise first."))
        if ref is not None:
            lacks += await self._lacks_at(ref)
        if self._tracing is None:
            lacks.append(Lack("traces (neither trace_block nor debug_traceBlockByHash)", _TRACE_REMEDY))
        if self._tokens:
            tokens = await asyncio.to_thread(_tokens)
            lacks += await tokens.unfit(self._rpc, self._tokens)
        return lacks

    async def _lacks_at(self, ref: BlockRef) -> list[Lack]:
        questions: list[Question] = [
            ("eth_getBalance", [_NOBODY, at_block(ref.hash)]),
            ("eth_getRawTransactionByHash", [hex_of(ref.hash)]),
            *(self._questions(ref) if self._tracing else ()),
        ]
        state, raw, *rest = await self._rpc.batch(questions)
        lacks: list[Lack] = []
        if isinstance(state, RpcError):
            what = f"balances at block {ref.height} ({state.message})"
            lacks.append(Lack(what, "Use an archive node, or one whose state reaches back to this height."))
        if isinstance(raw, RpcError):
            lacks.append(Lack(f"eth_getRawTransactionByHash ({raw.message})", "Use a node that offers this method."))
        for answer, what in zip(rest, ("logs", "traces"), strict=False):
            if isinstance(answer, RpcError):
                lacks.append(Lack(f"{what} of block {ref.height} ({answer.message})", "Use an archive node."))
        return lacks

    async def _ether(self, ref: BlockRef, holders: Sequence[Holder]) -> dict[Holder, int]:
        questions = [("eth_getBalance", ["0x" + holder.hex(), at_block(ref.hash)]) for holder in holders]
        answers = await ask_many(self._rpc, questions, self._in_flight)
        for answer in answers:
            if isinstance(answer, RpcError):
                raise NodeMissing(f"no balances at block {ref.height}: {answer}")
        return {holder: number_of(answer) for holder, answer in zip(holders, answers, strict=True)}

    async def _find_tracing(self, genesis: Hash) -> Tracing | None:
        if not await is_missing(self._rpc, ("trace_block", ["0x0"])):
            return Tracing.BLOCK
        if not await is_missing(self._rpc, ("debug_traceBlockByHash", [hex_of(genesis), _CALL_TRACER])):
            return Tracing.CALLS
        return None

    def _questions(self, ref: BlockRef) -> list[Question]:
        """What is asked about a block beside its header: logs and frames."""
        logs: Question = ("eth_getLogs", [{"blockHash": hex_of(ref.hash), "topics": [TRANSFER]}])
        match self._tracing:
            case Tracing.BLOCK:
                return [logs, ("trace_block", [hex(ref.height)])]
            case Tracing.CALLS:
                return [logs, ("debug_traceBlockByHash", [hex_of(ref.hash), _CALL_TRACER])]
            case Tracing.TOP_ONLY:
                return [logs, ("eth_getBlockByHash", [hex_of(ref.hash), True])]
            case None:
                raise NodeLacks("the node offers neither trace_block nor debug_traceBlockByHash", _TRACE_REMEDY)

    def _join(self, header: Header, logs: Any, traced: Any) -> RawBlock | None:
        """Put a block together; None if the frames are missing or of another block."""
        block, hashes = header["hash"], header["transactions"]
        if traced is not None and self._tracing is not Tracing.BLOCK:
            try:
                traced = self._frames(traced, block)
            except OUT_OF_SHAPE as error:
                raise Inconsistent(f"block {block}: the node's traces are out of shape: {error!r}") from error
        if not isinstance(logs, list) or not isinstance(traced, list):
            return None
        if traced and traced[0].get("blockHash") != block:
            return None
        called = bool(traced) and traced[0].get("type") != "reward"  # an empty block may have rewards
        if called is not bool(hashes):
            return None
        return RawBlock(header, logs, traced, self._tracing is not Tracing.TOP_ONLY)

    def _frames(self, traced: Any, block: str) -> list[Frame]:
        if self._tracing is Tracing.CALLS:
            return from_call_tracer(traced, block)
        return from_transactions(traced["transactions"], block)

    async def _still_has(self, ref: BlockRef) -> None:
        """Raise NodeMissing unless the block is on the node's active chain now."""
        if await self.ref_at(ref.height) != ref:
            raise NodeMissing(f"the node left block {ref.height} 0x{ref.hash.hex()} while it was asked for it")

    async def _header_shares(self, after: BlockRef, upto: int) -> AsyncGenerator[list[Header], None]:
        """Yield the headers after `after`, linked, in shares of one request each; ask one span ahead."""
        tip = after
        span = self._ask_headers(tip.height + 1, upto)
        try:
            while span is not None:
                headers, whole = _linked(tip, await span)
                span = None
                if headers:
                    tip = ref_of(headers[-1])
                if whole:
                    span = self._ask_headers(tip.height + 1, upto)
                for share in _shares(headers):
                    yield share
        finally:
            await end_all([] if span is None else [span])

    def _ask_headers(self, first: int, upto: int) -> asyncio.Task[list[Any]] | None:
        last = min(upto, first + HEADERS_PER_REQUEST - 1)
        if first > last:
            return None
        return asyncio.create_task(self._rpc.batch([by_number(height) for height in range(first, last + 1)]))

    async def _raw_blocks(self, headers: list[Header]) -> tuple[list[RawBlock], bool]:
        """Fetch what belongs to some headers in one request; False if it ends where the node left them."""
        refs = [ref_of(header) for header in headers]
        answers = iter(await self._rpc.batch([ask for ref in refs for ask in self._questions(ref)]))
        blocks: list[RawBlock] = []
        for header, ref, logs, traced in zip(headers, refs, answers, answers, strict=True):
            raw = None
            if not isinstance(logs, RpcError) and not isinstance(traced, RpcError):
                raw = self._join(header, logs, traced)
            try:
                blocks.append(raw or await self.block(ref))
            except NodeMissing:
                return blocks, False
        return blocks, True


def _linked(tip: BlockRef, answers: Sequence[Any]) -> tuple[list[Header], bool]:
    """Keep the headers up to the first that does not continue the chain; say whether all were kept."""
    headers: list[Header] = []
    for answer in answers:
        if not isinstance(answer, dict):
            return headers, False
        ref = ref_of(answer)
        if (ref.height, ref.parent) != (tip.height + 1, tip.hash):
            return headers, False
        headers.append(answer)
        tip = ref
    return headers, True


def _shares(headers: Sequence[Header]) -> Iterator[list[Header]]:
    """Split headers into runs of about `TRANSACTIONS_PER_REQUEST` transactions, at least one block each."""
    share: list[Header] = []
    size = 0
    for header in headers:
        if share and size + len(header["transactions"]) > TRANSACTIONS_PER_REQUEST:
            yield share
            share, size = [], 0
        share.append(header)
        size += len(header["transactions"])
    if share:
        yield share


def _tokens() -> ModuleType:
    """Import what needs web3, which takes a second; for a thread."""
    from watchers.ethereum import tokens

    return tokens
