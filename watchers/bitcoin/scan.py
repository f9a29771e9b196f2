"""What a raw block says about the scripts and coins of interest, and what is still to be asked. Pure."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from tracer.errors import BlockRefused, HeadersLost, Inconsistent
from tracer.proof.blocks import Laid, SpanTuple, Whole, bare_size, check_block
from tracer.proof.headers import HEADER_BYTES, HeaderChain, hash_of, parent_of
from tracer.proof.transactions import (
    AMBIGUOUS_BYTES,
    MAX_SATOSHI,
    NOWHERE,
    Transaction,
    hash256,
    parse,
    stripped,
)
from tracer.types import AssetId, BlockFacts, BlockRef, Checked, Hash, Holder, Kind, Lane, Movement, Outpoint, TxFacts
from tracer.types import outpoint as join
from watchers.bitcoin.reading import MakeReader, PlainReader, Reader, Reading
from watchers.node import Coin


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A block's bytes as they go over the wire, and the place they were fetched for.

    reading: the block laid out ahead of its turn; None: the scan does it. undo: the coins that it spends, as its node
    wrote them, if they were fetched with it.
    """

    ref: BlockRef
    data: bytes
    reading: Reading | None = field(default=None, compare=False, repr=False)
    undo: bytes | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Hit:
    """A transaction of interest, cut out of its block.

    inputs: every coin it spends, None where only the node knows it; empty for a mere credit.
    outputs: (index, coin): every output of a spender, else the watched ones.
    proof: links the bytes to the header; None where nothing can (a transaction of 64 bytes in an old block).
    """

    position: int
    txid: Hash
    raw: bytes
    inputs: tuple[tuple[Outpoint, Coin | None], ...]
    outputs: tuple[tuple[int, Coin], ...]
    proof: bytes | None = None

    @property
    def unknown(self) -> tuple[Outpoint, ...]:
        """The spent outpoints whose coin must be asked for."""
        return tuple(point for point, coin in self.inputs if coin is None)


@dataclass(frozen=True, slots=True)
class Draft:
    """A scanned block; complete once the unknown outpoints of its hits are answered (outpoint -> Coin).

    undo: see `RawBlock`.
    """

    ref: BlockRef
    time: int
    header: bytes
    hits: tuple[Hit, ...]
    undo: bytes | None = field(default=None, compare=False, repr=False)


class BitcoinScanner:
    """Holds the watched scripts and coins of one chain, and its headers; see `watchers.node.Scanner`.

    make_reader: makes what reads blocks; asked once, when there is something to watch or to read.
    """

    def __init__(self, asset: AssetId, headers: HeaderChain, make_reader: MakeReader = PlainReader) -> None:
        self._asset = asset
        self.headers = headers
        self._make_reader = make_reader
        self._made: Reader | None = None
        self._coins: dict[Outpoint, Coin] = {}

    @property
    def _reader(self) -> Reader:
        if self._made is None:
            self._made = self._make_reader()
            self._made.remember(self._coins, self._coins)
        return self._made

    def another(self) -> Self:
        """A scanner for the same chain that watches nothing yet."""
        return type(self)(self._asset, HeaderChain(self.headers.rules, self.headers.checkpoint), self._make_reader)

    def close(self) -> None:
        """Let go of what reads blocks ahead."""
        if self._made is not None:
            self._made.close()

    def watch(self, holders: Iterable[Holder]) -> bool:
        """Be interested in credits of these script pubkeys from now on; any of them may be new."""
        self._reader.scripts.update(holders)
        return True

    def remember(self, coins: Mapping[Outpoint, Coin]) -> None:
        """Be interested in the spending of these coins."""
        self._coins.update(coins)
        if self._made is not None:
            self._made.remember(coins, self._coins)

    def forget(self, points: Iterable[Outpoint]) -> None:
        """Stop being interested in these coins."""
        for point in points:
            self._coins.pop(point, None)

    def forget_all(self) -> None:
        """Forget every coin; watched scripts stay."""
        self._coins.clear()

    @property
    def coins(self) -> Mapping[Outpoint, Coin]:
        """The coins of interest."""
        return self._coins

    def watches(self, holder: Holder) -> bool:
        """Whether a script pubkey is watched."""
        return self._made is not None and holder in self._made.scripts

    async def ahead(self, raw: RawBlock) -> RawBlock:
        """Lay a block out before it is its turn, where another core can do it."""
        return replace(raw, reading=await self._reader.ahead(raw.data))

    def scan(self, raw: RawBlock) -> Draft:
        """Verify a block whole and find its hits.

        Raises BlockRefused for a block that its own header or the chain's rules contradict, Inconsistent if it is
        not the block that was asked for, HeadersLost if the headers below it are not at hand.
        """
        header = _checked_header(raw)
        self._stand(raw.ref, header)
        return self._verified(raw, header, self._hits)

    def cut(self, raw: RawBlock, wanted: Collection[Hash] | None) -> Draft:
        """Verify a block whole, whose header is of our chain already, and take out transactions by id (None: all).

        Every movement of theirs, whoever it names; raises as `scan` does, and leaves what is of interest as it is.
        """
        reversed_ids = None if wanted is None else {bytes(txid[::-1]) for txid in wanted}

        def named(block: RawBlock) -> tuple[list[Hit], Laid]:
            laid = (block.reading or self._reader.read(block.data)).laid
            seen: dict[Outpoint, Coin] = {}
            spent: set[Outpoint] = set()
            hits = []
            for position in range(len(laid.spans)):
                if reversed_ids is None or bytes(laid.tree[0][position]) in reversed_ids:
                    begin, _, end = laid.spans[position]
                    bytes_of = block.data[begin:end]
                    cut = self._cut(bytes_of, parse(bytes_of), position, position > 0, seen, spent, everything=True)
                    hits.append(cut)
            return hits, laid

        return self._verified(raw, _checked_header(raw), named)

    def _verified(self, raw: RawBlock, header: bytes, find: Callable[[RawBlock], tuple[list[Hit], Laid]]) -> Draft:
        """Find a block's hits and see that all of it is what its header commits to."""
        try:
            hits, laid = find(raw)
            witnesses = any(_has_witness(laid.spans[hit.position]) for hit in hits if hit.position)
            whole = check_block(self.headers.rules, raw.ref.height, raw.data, laid, witnesses)
        except (IndexError, ValueError) as error:
            reason = str(error) if isinstance(error, ValueError) else "its bytes end too early"
            raise _refused(raw.ref, reason, raw.data) from error
        proven = tuple(_with_proof(hit, laid.spans[hit.position], whole) for hit in hits)
        return Draft(raw.ref, int.from_bytes(header[68:72], "little"), header, proven, raw.undo)

    def _stand(self, ref: BlockRef, header: bytes) -> None:
        """Verify the header against those below it."""
        try:
            context = self.headers.extend(header)
        except KeyError as error:
            raise HeadersLost(f"the headers below block {ref.hash.hex()} are not in memory") from error
        except ValueError as error:
            raise _refused(ref, str(error), header) from error
        if context.height != ref.height:
            raise Inconsistent(f"block {ref.hash.hex()} is at height {context.height}, not {ref.height}")

    def _hits(self, block: RawBlock) -> tuple[list[Hit], Laid]:
        """Go through a block; returns its hits, and where all its transactions lie."""
        data, scripts = block.data, self._reader.scripts
        fresh: dict[Outpoint, Coin] = {}  # created in this block and of interest to its later transactions
        seen: dict[Outpoint, Coin] = {}  # created by any hit of this block: answers that need no question
        spent: set[Outpoint] = set()
        hits: list[Hit] = []
        reading = block.reading or self._reader.read(data)
        spans = reading.laid.spans
        for position in reading.candidates(self._coins, fresh):
            begin, _, end = spans[position]
            raw = data[begin:end]
            parsed = parse(raw)
            spends = any(point in self._coins or point in fresh for point, _ in parsed.inputs)
            if not spends and not any(script in scripts for _, script in parsed.outputs):
                continue  # a reader may name some transactions too many
            hit = self._cut(raw, parsed, position, spends, seen, spent)
            hits.append(hit)
            fresh.update((join(hit.txid, index), coin) for index, coin in hit.outputs)
        return hits, reading.laid

    def complete(self, draft: Draft, answers: object) -> BlockFacts:
        """Turn a draft and the node's coins (outpoint -> Coin, or None) into facts; raises Inconsistent."""
        told: Mapping[Outpoint, Coin] = answers if isinstance(answers, Mapping) else {}
        transactions = tuple(
            TxFacts(hit.position, hit.txid, hit.raw, tuple(self._movements(hit, told)), hit.proof) for hit in draft.hits
        )
        return BlockFacts(draft.ref, draft.time, draft.header, transactions, checked=Checked.WHOLE)

    def _cut(
        self,
        raw: bytes,
        parsed: Transaction,
        position: int,
        spends: bool,
        seen: dict[Outpoint, Coin],
        spent: set[Outpoint],
        *,
        everything: bool = False,
    ) -> Hit:
        """Make a hit of a transaction; adds its outputs to `seen` and what it spends to `spent`.

        everything: with all its outputs, also those of a mere credit.
        """
        scripts = self._reader.scripts
        txid = Hash(hash256(stripped(raw, parsed.span))[::-1])
        inputs = tuple(self._spent(parsed, txid, seen, spent)) if spends else ()
        outputs = []
        for index, (amount, script) in enumerate(parsed.outputs):
            if amount > MAX_SATOSHI:
                raise ValueError(f"{txid.hex()} has an output of {amount} satoshi")
            coin = Coin(Holder(script), amount)
            seen[join(txid, index)] = coin
            if spends or everything or script in scripts:
                outputs.append((index, coin))
        return Hit(position, txid, raw, inputs, tuple(outputs))

    def _spent(
        self, parsed: Transaction, txid: Hash, seen: Mapping[Outpoint, Coin], spent: set[Outpoint]
    ) -> Iterator[tuple[Outpoint, Coin | None]]:
        for source, _ in parsed.inputs:
            point = Outpoint(source)
            if point in spent:
                raise ValueError(f"{txid.hex()} spends a coin that was spent before in the block")
            if point == NOWHERE:
                raise ValueError(f"{txid.hex()} spends nothing and a coin")
            spent.add(point)
            yield point, self._coins.get(point) or seen.get(point)

    def _movements(self, hit: Hit, told: Mapping[Outpoint, Coin]) -> Iterator[Movement]:
        """The movements of a hit. What an input was worth is proven where the coin is one of ours."""
        fee = 0
        shown = Lane.REPORTED if hit.proof is None else Lane.PROVEN
        weakest = shown
        for index, (point, known) in enumerate(hit.inputs):
            answer = told.get(point)
            coin = known or answer
            if coin is None or (known is not None and answer not in (known, None)):
                raise Inconsistent(f"input {index} of {hit.txid.hex()}: the node's answer does not fit")
            fee += coin.amount
            lane = Lane.REPORTED if known is None else shown
            weakest = max(weakest, lane)
            yield Movement(Kind.IN, index, self._asset, coin.amount, coin.holder, None, point, lane)
        for index, coin in hit.outputs:
            fee -= coin.amount
            yield Movement(Kind.OUT, index, self._asset, coin.amount, None, coin.holder, lane=shown)
        if hit.inputs:
            if fee < 0:
                raise Inconsistent(f"{hit.txid.hex()} pays {-fee} satoshi more than it spends")
            yield Movement(Kind.FEE, 0, self._asset, fee, None, None, lane=weakest)


def _has_witness(span: SpanTuple) -> bool:
    _, middle, end = span
    return middle != end - 4


def _with_proof(hit: Hit, span: SpanTuple, whole: Whole) -> Hit:
    if bare_size(span) == AMBIGUOUS_BYTES:
        return hit
    return replace(hit, proof=whole.proof(hit.position, _has_witness(span)))


def _refused(ref: BlockRef, reason: str, evidence: bytes) -> BlockRefused:
    line = f"block {ref.height} {ref.hash.hex()} is refused: {reason}"
    return BlockRefused(line, height=ref.height, block=ref.hash, evidence=evidence)


def _checked_header(raw: RawBlock) -> bytes:
    header = raw.data[:HEADER_BYTES]
    if len(header) < HEADER_BYTES or hash_of(header) != raw.ref.hash:
        raise Inconsistent(f"block {raw.ref.hash.hex()}: the node sent another block's header")
    if parent_of(header) != raw.ref.parent:
        raise Inconsistent(f"block {raw.ref.hash.hex()} does not stand on {raw.ref.parent.hex()}")
    return header
