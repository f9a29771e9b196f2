"""Whether a Bitcoin block is the one that its header commits to, and the trees that its proofs come from. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from tracer.proof.bitcoin import MAX_BLOCK_BYTES, check_coinbase, check_witness_root, prove
from tracer.proof.merkle import branch, levels
from tracer.proof.networks import Rules
from tracer.proof.transactions import AMBIGUOUS_BYTES, parse

SpanTuple = tuple[int, int, int]
"""First byte, byte after the outputs, byte after the transaction: a `Span` made quickly."""

_NEARLY = (AMBIGUOUS_BYTES - 4, AMBIGUOUS_BYTES - 2)
"""Bytes up to the end of the outputs, without and with marker and flag."""


Tree = Sequence[Sequence[bytes]]
"""The levels of a merkle tree, the ids first and the root last."""


@dataclass(frozen=True, slots=True)
class Laid:
    """A block laid out: where its transactions lie, up to its last byte, and the tree over their txids.

    ambiguous: whether one of them has 64 bytes without its witness. witness_tree: works out the tree over the wtxids.
    """

    spans: Sequence[SpanTuple]
    tree: Tree
    ambiguous: bool
    witness_tree: Callable[[], Tree]


@dataclass(frozen=True, slots=True)
class Whole:
    """A block whose transactions are those of its header: the levels of its trees, and its coinbase with its branch.

    witness_tree: empty unless it was asked for.
    """

    tree: Tree
    witness_tree: Tree
    coinbase: bytes
    coinbase_steps: Sequence[bytes]

    def proof(self, position: int, segwit: bool) -> bytes:
        """The stored proof of one of its transactions; `segwit`: whether it has a witness."""
        if segwit and position:
            return prove(position, self.tree, self.witness_tree, self.coinbase_steps, self.coinbase)
        return prove(position, self.tree)


def lay(data: bytes, spans: Sequence[SpanTuple]) -> Laid:
    """Lay a block out whose transactions were found; raises ValueError for a mutated tree."""
    txids = txids_of(data, spans)
    ambiguous = any(
        middle - begin in _NEARLY and bare_size((begin, middle, end)) == AMBIGUOUS_BYTES for begin, middle, end in spans
    )
    return Laid(spans, levels(txids), ambiguous, lambda: levels(wtxids_of(data, spans, txids)))


def txids_of(data: bytes, spans: Iterable[SpanTuple]) -> list[bytes]:
    """The txids of a block's transactions, in wire order."""
    ids = []
    for begin, middle, end in spans:  # `stripped` and `hash256` written out: this runs for every transaction
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


def check_block(rules: Rules, height: int, data: bytes, laid: Laid, witnesses: bool) -> Whole:
    """See that a block of this height is what its header commits to; raises ValueError with the reason.

    data: the block, whose header was checked. witnesses: check the witness commitment too.
    """
    if len(data) > MAX_BLOCK_BYTES:
        raise ValueError(f"it has {len(data)} bytes, more than a block may weigh")
    if laid.tree[-1][0] != data[36:68]:
        raise ValueError("its transactions do not hash to the merkle root of its header")
    begin, _, end = laid.spans[0]
    coinbase = parse(data[begin:end])
    check_coinbase(rules, height, coinbase)
    if laid.ambiguous and height >= rules.whole_from:
        raise ValueError("it has a transaction of 64 bytes, which can be taken for an inner node (BIP 54)")
    witness_tree: Tree = ()
    if witnesses:
        witness_tree = laid.witness_tree()
        check_witness_root(coinbase, witness_tree[-1][0])
    return Whole(laid.tree, witness_tree, data[begin:end], branch(laid.tree, 0))


def bare_size(span: SpanTuple) -> int:
    """The size of a transaction without its witness."""
    begin, middle, end = span
    return middle - begin + 4 if middle == end - 4 else middle - begin + 2
