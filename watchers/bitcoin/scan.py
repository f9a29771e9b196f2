"""What a raw block says about the scripts and coins of interest, and what is still to be asked. Pure."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from bitcoin.core import CTransaction
from bitcoin.core.serialize import SerializationError

from tracer.errors import Inconsistent
from tracer.types import AssetId, BlockFacts, BlockRef, Hash, Holder, Kind, Movement, Outpoint, TxFacts
from tracer.types import outpoint as join
from watchers.node import Coin

HEADER_BYTES = 80
MAX_SATOSHI = 21_000_000 * 10**8


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A block's bytes as they go over the wire, and the place they were fetched for."""

    ref: BlockRef
    data: bytes


@dataclass(frozen=True, slots=True)
class Hit:
    """A transaction of interest, cut out of its block.

    inputs: every coin it spends, None where only the node knows it; empty for a mere credit.
    outputs: (index, coin): every output of a spender, else the watched ones.
    """

    position: int
    txid: Hash
    raw: bytes
    inputs: tuple[tuple[Outpoint, Coin | None], ...]
    outputs: tuple[tuple[int, Coin], ...]

    @property
    def unknown(self) -> tuple[Outpoint, ...]:
        """The spent outpoints whose coin must be asked for."""
        return tuple(point for point, coin in self.inputs if coin is None)


@dataclass(frozen=True, slots=True)
class Draft:
    """A scanned block; complete once the unknown outpoints of its hits are answered (outpoint -> Coin)."""

    ref: BlockRef
    time: int
    header: bytes | None
    hits: tuple[Hit, ...]


class BitcoinScanner:
    """Holds the watched scripts and coins of one chain; see `watchers.node.Scanner`."""

    def __init__(self, asset: AssetId) -> None:
        self._asset = asset
        self._scripts: set[bytes] = set()
        self._coins: dict[Outpoint, Coin] = {}

    def watch(self, holders: Iterable[Holder]) -> None:
        """Be interested in credits of these script pubkeys from now on."""
        self._scripts.update(holders)

    def remember(self, coins: Mapping[Outpoint, Coin]) -> None:
        """Be interested in the spending of these coins."""
        self._coins.update(coins)

    def forget(self, points: Iterable[Outpoint]) -> None:
        """Stop being interested in these coins."""
        for point in points:
            self._coins.pop(point, None)

    def forget_all(self) -> None:
        """Forget every coin; watched scripts stay."""
        self._coins.clear()

    def scan(self, raw: RawBlock) -> Draft:
        """Find the hits of a block; raises Inconsistent if its bytes are not the block that was asked for."""
        header = _checked_header(raw)
        fresh: dict[Outpoint, Coin] = {}  # created in this block and of interest to its later transactions
        seen: dict[Outpoint, Coin] = {}  # created by any hit of this block: answers that need no question
        spent: set[Outpoint] = set()
        hits = []
        try:
            for position, begin, end, spends in walk(raw.data, self._scripts, self._coins, fresh):
                hit = self._cut(raw.data[begin:end], position, spends, seen, spent)
                hits.append(hit)
                fresh.update((join(hit.txid, index), coin) for index, coin in hit.outputs)
        except (IndexError, SerializationError, ValueError) as error:
            raise Inconsistent(f"block {raw.ref.hash.hex()}: the bytes are not a block: {error}") from error
        time = int.from_bytes(header[68:72], "little")
        return Draft(raw.ref, time, header if hits else None, tuple(hits))

    def complete(self, draft: Draft, answers: object) -> BlockFacts:
        """Turn a draft and the node's coins (outpoint -> Coin, or None) into facts; raises Inconsistent."""
        told: Mapping[Outpoint, Coin] = answers if isinstance(answers, Mapping) else {}
        transactions = tuple(
            TxFacts(hit.position, hit.txid, hit.raw, tuple(self._movements(hit, told))) for hit in draft.hits
        )
        return BlockFacts(draft.ref, draft.time, draft.header, transactions)

    def _cut(self, raw: bytes, position: int, spends: bool, seen: dict[Outpoint, Coin], spent: set[Outpoint]) -> Hit:
        """Parse one hit; adds its outputs to `seen` and what it spends to `spent`."""
        parsed = CTransaction.deserialize(raw)  # type: ignore[no-untyped-call]
        txid = Hash(parsed.GetTxid()[::-1])
        inputs = []
        if spends:
            for source in parsed.vin:
                point = Outpoint(source.prevout.hash + source.prevout.n.to_bytes(4, "little"))
                if point in spent:
                    raise ValueError(f"{txid.hex()} spends a coin that was spent before in the block")
                spent.add(point)
                inputs.append((point, self._coins.get(point) or seen.get(point)))
        outputs = []
        for index, target in enumerate(parsed.vout):
            if not 0 <= target.nValue <= MAX_SATOSHI:
                raise ValueError(f"{txid.hex()} has an output of {target.nValue} satoshi")
            coin = Coin(Holder(bytes(target.scriptPubKey)), target.nValue)
            seen[join(txid, index)] = coin
            if spends or coin.holder in self._scripts:
                outputs.append((index, coin))
        return Hit(position, txid, raw, tuple(inputs), tuple(outputs))

    def _movements(self, hit: Hit, told: Mapping[Outpoint, Coin]) -> Iterator[Movement]:
        fee = 0
        for index, (point, known) in enumerate(hit.inputs):
            answer = told.get(point)
            coin = known or answer
            if coin is None or (known is not None and answer not in (known, None)):
                raise Inconsistent(f"input {index} of {hit.txid.hex()}: the node's answer does not fit")
            fee += coin.amount
            yield Movement(Kind.IN, index, self._asset, coin.amount, coin.holder, None, point)
        for index, coin in hit.outputs:
            fee -= coin.amount
            yield Movement(Kind.OUT, index, self._asset, coin.amount, None, coin.holder)
        if hit.inputs:
            if fee < 0:
                raise Inconsistent(f"{hit.txid.hex()} pays {-fee} satoshi more than it spends")
            yield Movement(Kind.FEE, 0, self._asset, fee, None, None)


def walk(  # noqa: PLR0912, PLR0915 - the hot loop: calls would cost more than they tidy
    raw: bytes, scripts: Container[bytes], coins: Container[bytes], fresh: Container[bytes]
) -> Iterator[tuple[int, int, int, bool]]:
    """Step over a block's transactions and yield the hits: (position, first byte, byte after, spends a coin).

    Nothing is decoded but lengths. `fresh` may grow between two hits. Raises IndexError or ValueError if the
    bytes do not end with the last transaction: a slice past the end is short, the step is noticed there.
    """
    place = HEADER_BYTES
    total = raw[place]
    place += 1
    if total >= 0xFD:
        total, place = _long(raw, total, place)
    for position in range(total):
        begin = place
        spends = credits = False
        count = raw[place + 4]
        place += 5
        segwit = not count  # BIP-144: no inputs is the marker
        if segwit:
            if raw[place] != 1:
                raise ValueError(f"transaction {position} has no inputs")
            count = raw[place + 1]
            place += 2
        if count >= 0xFD:
            count, place = _long(raw, count, place)
        witnesses = count
        while count:
            count -= 1
            point = raw[place : place + 36]
            if point in coins or point in fresh:
                spends = True
            length = raw[place + 36]
            if length < 0xFD:
                place += length + 41
            else:
                length, place = _long(raw, length, place + 37)
                place += length + 4
        count = raw[place]
        place += 1
        if count >= 0xFD:
            count, place = _long(raw, count, place)
        while count:
            count -= 1
            length = raw[place + 8]
            place += 9
            if length >= 0xFD:
                length, place = _long(raw, length, place)
            end = place + length
            if raw[place:end] in scripts:
                credits = True
            place = end
        if segwit:
            place = _after_witnesses(raw, place, witnesses)
        place += 4
        if spends or credits:
            yield position, begin, place, spends
    if place != len(raw):
        raise ValueError(f"{len(raw)} bytes hold {total} transactions of {place} bytes")


def _after_witnesses(raw: bytes, place: int, witnesses: int) -> int:
    """Step over the witness stacks of `witnesses` inputs."""
    while witnesses:
        witnesses -= 1
        items = raw[place]
        place += 1
        if items >= 0xFD:
            items, place = _long(raw, items, place)
        while items:
            items -= 1
            length = raw[place]
            place += 1
            if length >= 0xFD:
                length, place = _long(raw, length, place)
            place += length
    return place


def _long(raw: bytes, first: int, place: int) -> tuple[int, int]:
    """Read the rest of a CompactSize of 0xfd or more; returns the number and the byte after it."""
    after = place + (1 << (first - 0xFC))
    if after > len(raw):
        raise IndexError("cut short")
    return int.from_bytes(raw[place:after], "little"), after


def compact_size(raw: bytes, place: int) -> tuple[int, int]:
    """Read a CompactSize; returns the number and the byte after it. Raises IndexError at the end of `raw`."""
    first = raw[place]
    return _long(raw, first, place + 1) if first >= 0xFD else (first, place + 1)


def _checked_header(raw: RawBlock) -> bytes:
    header = raw.data[:HEADER_BYTES]
    if len(header) < HEADER_BYTES or sha256(sha256(header).digest()).digest() != raw.ref.hash[::-1]:
        raise Inconsistent(f"block {raw.ref.hash.hex()}: the node sent another block's header")
    if header[4:36] != raw.ref.parent[::-1]:
        raise Inconsistent(f"block {raw.ref.hash.hex()} does not stand on {raw.ref.parent.hex()}")
    return header
