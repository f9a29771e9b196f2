"""One Ethereum node as the follower sees it: its network, its view of our tip, blocks, balances, and what it lacks."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, Literal

from tracer.errors import NodeMissing, NodeUnavailable, WrongNetwork
from tracer.proof.balances import Slot
from tracer.proof.control.ethereum import ContractSaid
from tracer.tokentext import TokenText
from tracer.types import Asset, AssetId, BlockFacts, BlockRef, Hash, Holder
from tracer.value import Want
from watchers.ethereum.ask import (
    Question,
    ask_many,
    at_block,
    by_number,
    header_at,
    hex_of,
    number_of,
)
from watchers.ethereum.balances import Balances
from watchers.ethereum.contract_signature import contract_signature
from watchers.ethereum.header import ref_of
from watchers.ethereum.pending import Pending
from watchers.ethereum.push import WebsocketPush
from watchers.ethereum.raw import Part, RawBlock, Unread
from watchers.ethereum.reading import TRACE_REMEDY, BlockReader, Verify
from watchers.ethereum.texts import token_texts
from watchers.node import Lack, NodeView, Told
from watchers.rpc import JsonRpc, RpcError

_TRIES = 3
_NOBODY = "0x" + "00" * 20


class EthereumNode:
    """One node of one EVM chain.

    genesis: block 0 must have this hash if given. traces: "auto" takes what the node offers and refuses to
    deliver blocks without any; "off" takes top-level calls only, and every block says that internal
    transfers are unobserved. verify: "all", or "hits": then `concerns` says which streamed blocks are verified whole,
    looking for as many accounts as `watching` says.
    """

    def __init__(
        self,
        *,
        rpc_url: str,
        chain_id: int,
        genesis: Hash | None = None,
        tokens: Sequence[Asset] = (),
        slots: Mapping[AssetId, Slot] | None = None,
        deadline_s: float = 30.0,
        in_flight: int = 4,
        traces: Literal["auto", "off"] = "auto",
        verify: Verify = "all",
        concerns: Callable[[RawBlock], Part | None] = lambda _: Part((), True),
        watching: Callable[[], int] = lambda: 0,
        ws_url: str | None = None,
    ) -> None:
        self._rpc = JsonRpc(rpc_url, deadline_s=deadline_s, max_in_flight=in_flight)
        self._pending = Pending()
        self.push = WebsocketPush(ws_url, self._pending) if ws_url else None
        self._above: dict[str, Any] | None = None
        self._chain_id = chain_id
        self._genesis = genesis
        self._tokens = tuple(tokens)
        self._slots = dict(slots or {})
        self._in_flight = in_flight
        self._reader = BlockReader(
            self._rpc,
            in_flight=in_flight,
            verify=verify,
            concerns=concerns,
            traces=traces == "auto",
            watching=watching,
        )
        self._balances = Balances(self._rpc, self._slots, in_flight, self._reader.headers)

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
        await self._reader.find_tracing(ref)
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
            self._above = above if isinstance(above, dict) else None
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
        """Fetch a block by hash, verified as the policy says.

        Raises NodeMissing if the node has left it, BlockRefused if it is false.
        """
        header = self._above if self._above is not None and self._above["hash"] == hex_of(ref.hash) else None
        return await self._reader.block(ref, None if header is None else self._pending.filled(header))

    async def whole(self, ref: BlockRef) -> RawBlock:
        """Fetch a block by hash and prove all of it, whatever the policy; raises as `block` does."""
        return await self._reader.whole(ref)

    def blocks(self, after: BlockRef, upto: int) -> AsyncGenerator[tuple[BlockRef, RawBlock], None]:
        """Stream active-chain blocks after `after` up to `upto`, in order, each verified as the policy says.

        Ends early, without error, when the node's chain no longer links to what was streamed. A caller that
        stops before the end closes the stream (`contextlib.aclosing`), which ends the requests.
        """
        return self._reader.blocks(after, upto)

    async def headers(self, after: BlockRef, upto: int) -> AsyncGenerator[bytes, None]:
        """Give none: a header here shows no work, so a chain of them proves nothing by itself."""
        nothing: tuple[bytes, ...] = ()
        for header in nothing:
            yield header

    async def answer(self, draft: BlockFacts | Unread) -> RawBlock | None:
        """Read a block whole for a scanner whom it concerns; else blocks come with all that a scan needs."""
        return await self._reader.whole(draft.ref) if isinstance(draft, Unread) else None

    async def balances(self, ref: BlockRef, wants: Sequence[Want]) -> Told:
        """Balances after a block, by its hash; raises NodeMissing if the node has left the block.

        Of ether and ERC-20 tokens; raises ValueError for an NFT. A token without code at that block has no balances:
        0. One that does not answer `balanceOf` with one word is Inconsistent, a proof that does not stand BlockRefused.
        """
        told = await self._balances.told(ref, wants)
        if len(told.found) < len(wants):
            await self._still_has(ref)
        return told

    async def token_texts(self, ref: BlockRef, assets: Sequence[AssetId]) -> list[TokenText]:
        """What tokens call themselves after a block; raises NodeMissing if the node has left it."""
        texts = await token_texts(self._rpc, self._in_flight, ref, assets)
        await self._still_has(ref)  # else a refusal would be taken for a token's silence
        return texts

    async def contract_signature(self, ref: BlockRef, account: Holder, call: bytes) -> ContractSaid:
        """What a contract answers to `isValidSignature` after a block; raises NodeMissing if the node has left it."""
        said = await contract_signature(self._rpc, ref, account, call)
        await self._still_has(ref)
        return said

    async def ask(self, questions: Sequence[Question]) -> list[Any]:
        """Ask any questions, in bounded batches; a failed one is an RpcError in place."""
        return await ask_many(self._rpc, questions, self._in_flight)

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
        if self._reader.tracing is None:
            lacks.append(Lack("traces (neither trace_block nor debug_traceBlockByHash)", TRACE_REMEDY))
        if self._tokens:
            tokens = await asyncio.to_thread(_tokens)
            lacks += await tokens.unfit(self._rpc, self._tokens)
            lacks += await tokens.unfit_slots(self._rpc, self._tokens, self._slots)
        return lacks

    async def _lacks_at(self, ref: BlockRef) -> list[Lack]:
        questions: list[Question] = [
            ("eth_getBalance", [_NOBODY, at_block(ref.hash)]),
            ("eth_getBlockReceipts", [hex_of(ref.hash)]),
            ("eth_getLogs", [{"blockHash": hex_of(ref.hash)}]),
            *([self._reader.trace_question(ref)] if self._reader.tracing else ()),
        ]
        state, *rest = await self._rpc.batch(questions)
        lacks: list[Lack] = []
        if isinstance(state, RpcError):
            what = f"balances at block {ref.height} ({state.message})"
            lacks.append(Lack(what, "Use an archive node, or one whose state reaches back to this height."))
        for answer, what in zip(rest, ("receipts (eth_getBlockReceipts)", "logs", "traces"), strict=False):
            if isinstance(answer, RpcError):
                lacks.append(Lack(f"{what} of block {ref.height} ({answer.message})", "Use an archive node."))
        return lacks

    async def _still_has(self, ref: BlockRef) -> None:
        """Raise NodeMissing unless the block is on the node's active chain now."""
        there = await self.ref_at(ref.height)
        if there is None or there.hash != ref.hash:
            raise NodeMissing(f"the node left block {ref.height} 0x{ref.hash.hex()} while it was asked for it")


def _tokens() -> ModuleType:
    """Import what needs web3, which takes a second; for a thread."""
    from watchers.ethereum import tokens

    return tokens
