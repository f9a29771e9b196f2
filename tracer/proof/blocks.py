"""Whether a Bitcoin block is the one that its header commits to, and the trees that its proofs come from. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from tracer.proof.bitcoin import MAX_BLOCK_BYTES, check_coinbase, check_witness_root, prove
from tracer.proof.merkle import levels
from tracer.proof.networks import Rules
from tracer.proof.transactions import AMBIGUOUS_BYTES, Transaction, parse

SpanTuple = tuple[int, int, int]
"""First byte, byte after the outputs, byte after the transaction: a `Span` made quickly."""

_NEARLY = (AMBIGUOUS_BYTES - 4, AMBIGUOUS_BYTES - 2)
"""Bytes up to the end of the outputs, without and with marker and flag."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A block whose transactions are those of its header: the levels of its tree, and its coinbase's bytes.

    witness_tree: the levels over the wtxids, empty unless they were asked for.
    """

    tree: Sequence[Sequence[bytes]]
    witness_tree: Sequence[Sequence[bytes]]
    coinbase: bytes

    def proof(self, position: int, segwit: bool) -> bytes:
        """The stored proof of one of its transactions; `segwit`: whether it has a witness."""
        if segwit and position:
            return prove(position, self.tree, self.witness_tree, self.coinbase)
        return prove(position, self.tree)


def txids_of(data: bytes, spans: Iterable[SpanTuple]) -> list[bytes]:
    """The txids of a block's transactions, in wire order."""
    ids = []
    for begin, middle, end in spans:
        bare = data[begin:end]
        if middle != end - 4:
            bare = data[begin : begin + 4] + data[begin + 6 : middle] + data[end - 4 : end]
        ids.append(sha256(sha256(bare).digest()).digest())
    return ids


def wtxids_of(data: bytes, spans: Sequence[SpanTuple], txids: Sequence[bytes]) -> list[bytes]:
    """The ids over whole transactions, the coinbase's taken as zero (BIP 141)."""
    ids = [
        txid if middle == end - 4 else sha256(sha256(data[begin:end]).digest()).digest()
        for (begin, middle, end), txid in zip(spans, txids, strict=True)
    ]
    ids[0] = bytes(32)
    return ids


def check_block(
    rules: Rules, height: int, data: bytes, spans: Sequence[SpanTuple], txids: Sequence[bytes], witnesses: bool
) -> Whole:
    """See that a block of this height is what its header commits to; raises ValueError with the reason.

    data: the block, whose header was checked. spans, txids: where its transactions lie, up to its last byte, and
    their ids. witnesses: check the witness commitment too.
    """
    if len(data) > MAX_BLOCK_BYTES:
        raise ValueError(f"it has {len(data)} bytes, more than a block may weigh")
    tree = levels(txids)
    if tree[-1][0] != data[36:68]:
        raise ValueError("its transactions do not hash to the merkle root of its header")
    coinbase = _first(data, spans)
    check_coinbase(rules, height, coinbase)
    if height >= rules.whole_from:
        _refuse_ambiguous(spans)
    witness_tree: Sequence[Sequence[bytes]] = ()
    if witnesses:
        witness_tree = levels(wtxids_of(data, spans, txids))
        check_witness_root(coinbase, witness_tree[-1][0])
    begin, _, end = spans[0]
    return Whole(tree, witness_tree, data[begin:end])


def _first(data: bytes, spans: Sequence[SpanTuple]) -> Transaction:
    begin, _, end = spans[0]
    return parse(data[begin:end])


def _refuse_ambiguous(spans: Iterable[SpanTuple]) -> None:
    for begin, middle, end in spans:
        if middle - begin in _NEARLY and bare_size((begin, middle, end)) == AMBIGUOUS_BYTES:
            raise ValueError("it has a transaction of 64 bytes, which can be taken for an inner node (BIP 54)")


def bare_size(span: SpanTuple) -> int:
    """The size of a transaction without its witness."""
    begin, middle, end = span
    return middle - begin + 4 if middle == end - 4 else middle - begin + 2
