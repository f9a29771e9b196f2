"""How blocks are read from an Ethereum node: what is asked for each, and how the parts become one verified block.

Headers come first; all else is then asked by block hash, which a node that has left the block answers with an error,
never with an empty list. Traces can be asked by number only: they are taken if they carry the block's hash, and an
empty list only for a block without transactions. Nothing leaves this module that was not held against its header.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Literal

from tracer.errors import Inconsistent, NodeLacks, NodeMissing, NodeUnavailable, TracerError
from tracer.proof.ethereum import ProvenBlock, prove_block, prove_header
from tracer.proof.trie import BadProof
from tracer.types import BlockRef, Checked, Hash
from watchers.ethereum.ask import Question, by_hash, by_number, end_all, hex_of, is_missing
from watchers.ethereum.frames import OUT_OF_SHAPE, Frame, from_call_tracer, from_transactions
from watchers.ethereum.header import listing, ref_of, refused
from watchers.ethereum.logs import TRANSFER
from watchers.ethereum.raw import Part, RawBlock
from watchers.ethereum.rebuild import rebuilt
from watchers.ethereum.told import told_block
from watchers.rpc import JsonRpc, RpcError

Json = dict[str, Any]

Verify = Literal["all", "hits"]

HEADERS_PER_REQUEST = 64
WHOLE_PER_REQUEST = 16
TRANSACTIONS_PER_REQUEST = 400
"""Blocks share a request until they hold this many transactions: that bounds memory, whatever the chain."""

TRACE_REMEDY = 'Use a node with the trace or debug API, or write `traces = "off"` to go without internal transfers.'

HEADERS_KEPT = 1_000
_PAUSES_S = (0, 0.05, 0.3)
_LONGEST_PAUSE = 256
"""After receipts that could not be rebuilt, those of the next blocks are asked for: 1, then 2, 4 ... up to so many."""

_CALL_TRACER = {"tracer": "callTracer"}


class Tracing(Enum):
    """Where frames come from."""

    BLOCK = "trace_block"
    CALLS = "debug_traceBlockByHash"
    TOP_ONLY = "eth_getBlockByHash"


@dataclass(slots=True)
class _Wanted:
    """A block to be fetched whole, with what is there of it already."""

    ref: BlockRef
    checked: Checked
    block: Json | None = None
    traces: Sequence[Frame] | None = None


@dataclass(slots=True)
class _Read:
    """Blocks in order; `ends` if the node left the next one, `error` if that one cannot be taken."""

    blocks: list[RawBlock] = field(default_factory=list)
    ends: bool = False
    error: TracerError | None = None


_Found = RawBlock | RpcError | NodeMissing | None


class BlockReader:
    """Reads blocks over one transport.

    tracing: None until it is known what the node offers. verify: "all" fetches and proves every block whole; "hits"
    proves the header, and takes the node's word for the transactions that `concerns` names, until `whole` proves them.
    watching: how many accounts `concerns` looks for now.
    """

    def __init__(
        self,
        rpc: JsonRpc,
        *,
        in_flight: int,
        verify: Verify,
        concerns: Callable[[RawBlock], Part | None],
        traces: bool,
        watching: Callable[[], int] = lambda: 0,
    ) -> None:
        self._rpc = rpc
        self._in_flight = in_flight
        self._verify = verify
        self._concerns, self._watching = concerns, watching
        self._pause, self._pause_left = 1, 0
        self.tracing: Tracing | None = None if traces else Tracing.TOP_ONLY
        self.headers: dict[Hash, bytes] = {}
        """The newest headers that hash to their block's hash, as RLP, so that they need not be asked for again."""

    async def find_tracing(self, genesis: BlockRef) -> None:
        """Find out which traces the node offers, if any are wanted."""
        if self.tracing is Tracing.TOP_ONLY:
            return
        self.tracing = None
        if not await is_missing(self._rpc, ("trace_block", ["0x0"])):
            self.tracing = Tracing.BLOCK
        elif not await is_missing(self._rpc, ("debug_traceBlockByHash", [hex_of(genesis.hash), _CALL_TRACER])):
            self.tracing = Tracing.CALLS

    def trace_question(self, ref: BlockRef) -> Question:
        """How frames are asked for; raises NodeLacks if the node has none."""
        match self.tracing:
            case Tracing.BLOCK:
                return "trace_block", [hex(ref.height)]
            case Tracing.CALLS:
                return "debug_traceBlockByHash", [hex_of(ref.hash), _CALL_TRACER]
            case Tracing.TOP_ONLY:
                return _whole(ref)
            case None:
                raise NodeLacks("the node offers neither trace_block nor debug_traceBlockByHash", TRACE_REMEDY)

    async def block(self, ref: BlockRef, block: Json | None = None) -> RawBlock:
        """Fetch a block by hash, verified as the policy says; raises as `whole` does.

        block: with its whole transactions, if it is there already; then it is proven whole, whatever the policy.
        """
        if self._verify == "hits" and block is None:
            (header,) = await self._rpc.batch([by_hash(ref.hash)])
            if isinstance(header, dict) and listing(header) == ref:
                read = await self._read([header])
                if read.error is not None:
                    raise read.error
                if read.blocks:
                    return read.blocks[0]
        return await self.whole(ref, block)

    async def whole(self, ref: BlockRef, block: Json | None = None) -> RawBlock:
        """Fetch and prove a block by hash.

        Raises NodeMissing if the node has left it, BlockRefused if it is false, NodeUnavailable if the node keeps
        answering nothing, or traces of another block: those are asked by number, and it may be between two blocks.
        """
        for pause_s in _PAUSES_S:
            await asyncio.sleep(pause_s)
            (found,) = await self._fetch([_Wanted(ref, Checked.WHOLE, block)])
            if isinstance(found, RawBlock):
                return found
            if isinstance(found, NodeMissing):
                raise found
            await self._still_has(ref)
            if found is not None:
                raise NodeUnavailable(f"the node cannot answer for block {ref.height}: {found}")
        raise NodeUnavailable(f"the node's traces or receipts of block {ref.height} are missing or of another block")

    async def blocks(self, after: BlockRef, upto: int) -> AsyncGenerator[tuple[BlockRef, RawBlock], None]:
        """Stream blocks as `Node.blocks` does, with `in_flight` requests ahead.

        A caller that stops before the end closes the stream (`contextlib.aclosing`), which ends the requests.
        """
        shares = self._header_shares(after, upto)
        pending = deque[asyncio.Task[_Read]]()
        more = True
        try:
            while True:
                while more and len(pending) < self._in_flight:
                    share = await anext(shares, None)
                    if share is None:
                        more = False
                    else:
                        pending.append(asyncio.create_task(self._read(share)))
                if not pending:
                    return
                found = await pending.popleft()
                for raw in found.blocks:
                    yield ref_of(raw.header), raw
                if found.error is not None:
                    raise found.error
                if found.ends:
                    return
        finally:
            await shares.aclose()
            await end_all(pending)

    async def _read(self, headers: list[Json]) -> _Read:
        """Read the blocks of some headers, in two requests at most if all goes well."""
        if self._verify == "all":
            wanted = [_Wanted(ref_of(header), Checked.WHOLE, header) for header in headers]
            return await self._finish(list[RawBlock | _Wanted](wanted))
        refs = [ref_of(header) for header in headers]
        questions = [ask for ref in refs for ask in (_transfers(ref), self.trace_question(ref))]
        answers = iter(await self._rpc.batch(questions))
        found: list[RawBlock | _Wanted] = []
        parts: dict[int, tuple[int, ...]] = {}
        error = None
        for header, ref, logs, traced in zip(headers, refs, answers, answers, strict=True):
            try:
                raw = self._light(ref, header, logs, traced)
                if raw is None:
                    found.append(_Wanted(ref, Checked.HEADER))
                    continue
                part = self._concerns(raw)
                if part is not None and part.loose:
                    found.append(_Wanted(ref, Checked.HEADER, None, raw.traces))
                    continue
                if part is not None:
                    parts[len(found)] = part.positions
                found.append(raw)
            except TracerError as caught:
                error = caught
                break
        await self._tell(found, parts)
        read = await self._finish(found)
        if read.error is None and not read.ends:
            read.error = error
        return read

    async def _tell(self, found: list[RawBlock | _Wanted], parts: dict[int, tuple[int, ...]]) -> None:
        """Add the bytes and receipts of transactions of interest; a block that lacks one is wanted whole instead."""
        blocks = {place: block for place in parts if isinstance(block := found[place], RawBlock)}
        hashes = [(place, at, blocks[place].header["transactions"][at]) for place, ats in parts.items() for at in ats]
        methods = ("eth_getRawTransactionByHash", "eth_getTransactionReceipt")
        answers = iter(await self._rpc.batch([(method, [tx]) for _, _, tx in hashes for method in methods]))
        raws: dict[int, dict[int, Any]] = {place: {} for place in parts}
        receipts: dict[int, dict[int, Any]] = {place: {} for place in parts}
        for (place, at, _), raw, receipt in zip(hashes, answers, answers, strict=True):
            raws[place][at], receipts[place][at] = raw, receipt
        for place, block in blocks.items():
            try:
                data = {at: bytes.fromhex(raw[2:]) for at, raw in raws[place].items()}
                found[place] = replace(block, told=told_block(block.header, data, receipts[place]))
            except (BadProof, Inconsistent, *OUT_OF_SHAPE):
                found[place] = _Wanted(ref_of(block.header), Checked.WHOLE)

    async def _finish(self, parts: list[RawBlock | _Wanted]) -> _Read:
        """Fetch what is wanted whole, and put all in order up to the first block that cannot be had."""
        whole = [part for part in parts if isinstance(part, _Wanted)]
        done = _Read()
        try:
            found = iter(await self._fetch(whole) if whole else ())
        except TracerError:  # one of many: find out which
            found = iter([None] * len(whole))
        for part in parts:
            raw: _Found = part if isinstance(part, RawBlock) else next(found)
            try:
                if not isinstance(raw, RawBlock):
                    assert isinstance(part, _Wanted)
                    raw = await self.whole(part.ref)
            except NodeMissing:
                done.ends = True
                return done
            except TracerError as error:
                done.error = error
                return done
            done.blocks.append(raw)
        return done

    def _light(self, ref: BlockRef, header: Json, logs: Any, traced: Any) -> RawBlock | None:
        """Join what belongs to a header, and verify that alone; None if the answers are missing or of another block."""
        if isinstance(logs, RpcError) or not isinstance(logs, list):
            return None
        frames = self._frames(ref, header["hash"], traced, bool(header["transactions"]))
        if frames is None:
            return None
        try:
            self._remember(ref.hash, prove_header(header))
        except BadProof as error:
            raise refused(ref, error, header) from error
        by, size = self._concerns, self._watching()
        return RawBlock(header, logs, frames, self.tracing is not Tracing.TOP_ONLY, by=by, size=size)

    async def _fetch(self, wanted: Sequence[_Wanted]) -> list[_Found]:
        """Fetch blocks whole and prove them; in place of one that is not to be had, what the node says, or None.

        Raises BlockRefused or Inconsistent for one that is false.
        """
        rebuilds = self._rebuilds(len(wanted))
        answers = iter(await self._rpc.batch([ask for want in wanted for ask in self._asks(want, rebuilds)]))
        found: list[_Found] = []
        for want in wanted:
            block = want.block if want.block is not None else next(answers)
            traced: Any = want.traces
            if traced is None:
                traced = block if self.tracing is Tracing.TOP_ONLY else next(answers)
            evidence = next(answers)
            failed = next((one for one in (block, traced, evidence) if isinstance(one, RpcError)), None)
            if failed is not None:
                found.append(failed)
            elif block is None:
                found.append(NodeMissing(f"the node has no block 0x{want.ref.hash.hex()}"))
            else:
                found.append(await self._join(want, block, evidence, traced, rebuilds))
        return found

    def _rebuilds(self, count: int) -> bool:
        """Whether to try without asking for receipts this time."""
        if self.tracing is not Tracing.BLOCK:
            return False
        self._pause_left = max(0, self._pause_left - count)
        return not self._pause_left

    def _asks(self, want: _Wanted, rebuilds: bool) -> Iterator[Question]:
        if want.block is None:
            yield _whole(want.ref)
        if want.traces is None and self.tracing is not Tracing.TOP_ONLY:
            yield self.trace_question(want.ref)
        yield ("eth_getLogs", [{"blockHash": hex_of(want.ref.hash)}]) if rebuilds else _receipts(want.ref)

    async def _join(self, want: _Wanted, block: Json, evidence: Any, traced: Any, rebuilds: bool) -> _Found:
        ref = want.ref
        if not isinstance(block, dict) or ref_of(block) != ref:
            raise Inconsistent(f"asked for block 0x{ref.hash.hex()}, the node gave another")
        try:
            frames = want.traces
            if frames is None:
                frames = self._frames(ref, block["hash"], traced, bool(block["transactions"]))
            if frames is None:
                return None
            proven = _try_rebuilt(block, evidence, frames) if rebuilds else None
            if proven is None:
                if rebuilds:
                    self._pause_left, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
                    (evidence,) = await self._rpc.batch([_receipts(ref)])
                if not isinstance(evidence, list):
                    return evidence if isinstance(evidence, RpcError) else None
                proven = prove_block(block, evidence)
            elif block["transactions"]:
                self._pause = 1
        except BadProof as error:
            raise refused(ref, error, block, evidence) from error
        except OUT_OF_SHAPE as error:
            raise Inconsistent(f"block {ref.height}: the node's answer is out of shape: {error!r}") from error
        self._remember(ref.hash, proven.encoded)
        return RawBlock(block, (), frames, self.tracing is not Tracing.TOP_ONLY, proven, want.checked)

    def _frames(self, ref: BlockRef, block: str, traced: Any, called: bool) -> Sequence[Frame] | None:
        """Bring the tracer's answer into one shape; None if it is missing or of another block."""
        if isinstance(traced, RpcError) or traced is None:
            return None
        try:
            if self.tracing is Tracing.CALLS:
                traced = from_call_tracer(traced, block)
            elif self.tracing is Tracing.TOP_ONLY:
                traced = from_transactions(traced["transactions"], block)
        except OUT_OF_SHAPE as error:
            raise Inconsistent(f"block {ref.height}: the node's traces are out of shape: {error!r}") from error
        if not isinstance(traced, list) or not all(isinstance(frame, dict) for frame in traced[:1]):
            return None
        if traced and traced[0].get("blockHash") != block:
            return None
        has_calls = bool(traced) and traced[0].get("type") != "reward"  # an empty block may have rewards
        return traced if has_calls is called else None

    def _remember(self, block: Hash, header: bytes) -> None:
        self.headers[block] = header
        if len(self.headers) > HEADERS_KEPT:
            del self.headers[next(iter(self.headers))]

    async def _still_has(self, ref: BlockRef) -> None:
        """Raise NodeMissing unless the block is on the node's active chain now."""
        (answer,) = await self._rpc.batch([by_number(ref.height)])
        if not isinstance(answer, dict) or ref_of(answer) != ref:
            raise NodeMissing(f"the node left block {ref.height} 0x{ref.hash.hex()} while it was asked for it")

    async def _header_shares(self, after: BlockRef, upto: int) -> AsyncGenerator[list[Json], None]:
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
        """Ask for headers, under policy `all` together with their transactions."""
        whole = self._verify == "all"
        last = min(upto, first + (WHOLE_PER_REQUEST if whole else HEADERS_PER_REQUEST) - 1)
        if first > last:
            return None
        questions = [("eth_getBlockByNumber", [hex(height), whole]) for height in range(first, last + 1)]
        return asyncio.create_task(self._rpc.batch(questions))


def _try_rebuilt(block: Json, logs: Any, frames: Sequence[Frame]) -> ProvenBlock | None:
    """Prove a block with receipts made from its logs and traces; None if they are not the right ones."""
    try:
        receipts = rebuilt(block, logs, frames)
        return None if receipts is None else prove_block(block, receipts)
    except (BadProof, *OUT_OF_SHAPE):
        return None


def _whole(ref: BlockRef) -> Question:
    return "eth_getBlockByHash", [hex_of(ref.hash), True]


def _transfers(ref: BlockRef) -> Question:
    return "eth_getLogs", [{"blockHash": hex_of(ref.hash), "topics": [TRANSFER]}]


def _receipts(ref: BlockRef) -> Question:
    return "eth_getBlockReceipts", [hex_of(ref.hash)]


def _linked(tip: BlockRef, answers: Sequence[Any]) -> tuple[list[Json], bool]:
    """Keep the headers up to the first that does not continue the chain; say whether all were kept."""
    headers: list[Json] = []
    for answer in answers:
        if not isinstance(answer, dict):
            return headers, False
        ref = listing(answer)
        if (ref.height, ref.parent) != (tip.height + 1, tip.hash):
            return headers, False
        headers.append(answer)
        tip = ref
    return headers, True


def _shares(headers: Sequence[Json]) -> Iterator[list[Json]]:
    """Split headers into runs of about `TRANSACTIONS_PER_REQUEST` transactions, at least one block each."""
    share: list[Json] = []
    size = 0
    for header in headers:
        if share and size + len(header["transactions"]) > TRANSACTIONS_PER_REQUEST:
            yield share
            share, size = [], 0
        share.append(header)
        size += len(header["transactions"])
    if share:
        yield share
