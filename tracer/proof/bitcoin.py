"""What ties Bitcoin transactions to a header: merkle root, coinbase, witness commitment, and the proof of one. Pure.

Sources: BIP 34 (height in the coinbase), BIP 141 (witness commitment), CVE-2012-2459 (mutated trees), BIP 54 (64-byte
transactions).

A stored proof is: 1 byte version (1), 1 byte height of the tree, the steps of the txid's merkle branch, as many as the
tree is high; for a transaction with a witness also those of its wtxid's branch, those of the coinbase's own branch, and
the coinbase in full, which carries the commitment. Hashes are in wire order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tracer.proof.headers import HEADER_BYTES, hash_of
from tracer.proof.merkle import branch, climb
from tracer.proof.networks import Rules
from tracer.proof.transactions import AMBIGUOUS_BYTES, NOWHERE, Transaction, hash256, parse, stripped
from tracer.types import Hash

VERSION = 1
COMMITMENT = b"\x6a\x24\xaa\x21\xa9\xed"
MAX_BLOCK_BYTES = 4_000_000
"""A block weighs at most 4,000,000, and a byte at least 1 (BIP 141)."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What links one transaction to its header; see the module. coinbase: empty where there is no witness to show."""

    steps: tuple[bytes, ...]
    witness_steps: tuple[bytes, ...] = ()
    coinbase_steps: tuple[bytes, ...] = ()
    coinbase: bytes = b""


def check_coinbase(rules: Rules, height: int, coinbase: Transaction) -> None:
    """See that a block's first transaction is a coinbase of this height; raises ValueError."""
    if [point for point, _ in coinbase.inputs] != [NOWHERE]:
        raise ValueError("its first transaction is no coinbase")
    if height >= rules.height_from and not coinbase.inputs[0][1].startswith(height_push(height)):
        raise ValueError(f"its coinbase does not name height {height} (BIP 34)")


def height_push(height: int) -> bytes:
    """How a script pushes a block's height: the shortest way (BIP 34).

    >>> height_push(16).hex(), height_push(17).hex(), height_push(128).hex(), height_push(227931).hex()
    ('60', '0111', '028000', '035b7a03')
    """
    if not height:
        return b"\x00"
    if height <= 16:
        return bytes((0x50 + height,))
    number = height.to_bytes(height.bit_length() // 8 + 1, "little")
    return bytes((len(number),)) + number


def check_witness_root(coinbase: Transaction, root: bytes) -> None:
    """See that a coinbase commits to the root over the wtxids (BIP 141); raises ValueError."""
    found = [script[6:38] for _, script in coinbase.outputs if script.startswith(COMMITMENT) and len(script) >= 38]
    if not found:
        raise ValueError("it has witnesses and its coinbase commits to none (BIP 141)")
    if len(coinbase.witnesses) != 1 or [len(item) for item in coinbase.witnesses[0]] != [32]:
        raise ValueError("its coinbase has no reserved value of 32 bytes (BIP 141)")
    if hash256(root + coinbase.witnesses[0][0]) != found[-1]:
        raise ValueError("its witnesses are not those that the coinbase commits to (BIP 141)")


def prove(
    position: int,
    tree: Sequence[Sequence[bytes]],
    witness_tree: Sequence[Sequence[bytes]] = (),
    coinbase_steps: Sequence[bytes] = (),
    coinbase: bytes = b"",
) -> bytes:
    """Write the proof of one transaction from the levels of its block's trees.

    witness_tree, coinbase and its branch: given for a transaction with a witness that is not the coinbase itself.
    """
    steps = branch(tree, position)
    if witness_tree:
        steps += [*branch(witness_tree, position), *coinbase_steps]
    return b"".join([bytes((VERSION, len(tree) - 1)), *steps, coinbase])


def read_proof(data: bytes, witness: bool) -> Proof:
    """Read a proof; `witness`: of a transaction that has one. Raises ValueError if it is not one."""
    if len(data) < 2 or data[0] != VERSION:
        raise ValueError("its proof is of a version unknown here")
    height, branches = data[1], 3 if witness else 1
    end = 2 + 32 * height * branches
    rest = data[end:]
    if len(data) < end or bool(rest) != witness:
        raise ValueError(f"its proof of {len(data)} bytes does not fit a tree of height {height}")
    steps = [data[at : at + 32] for at in range(2, end, 32)]
    own, witnesses, coinbases = (tuple(steps[height * n : height * (n + 1)]) for n in range(3))
    return Proof(own, witnesses, coinbases, rest)


def check(header: bytes, block: Hash, txid: Hash, position: int, raw: bytes, proof: bytes) -> None:
    """See that a header hashes to a block's hash and commits to a transaction's every byte; raises ValueError.

    Every byte: of a coinbase without the rest of its witness stack, which no rule commits to.
    """
    if len(header) != HEADER_BYTES or hash_of(header) != block:
        raise ValueError("the header is not the block's")
    transaction = parse(raw)
    bare = stripped(raw, transaction.span)
    if len(bare) == AMBIGUOUS_BYTES:
        raise ValueError("a transaction of 64 bytes can be taken for an inner node of the tree")
    leaf = hash256(bare)
    if leaf[::-1] != txid:
        raise ValueError("the bytes do not hash to the txid")
    is_coinbase = position == 0
    found = read_proof(proof, transaction.span.segwit and not is_coinbase)
    if is_coinbase != (transaction.inputs[0][0] == NOWHERE):
        raise ValueError("only the first transaction of a block is a coinbase")
    root = header[36:68]
    if climb(leaf, position, found.steps) != root:
        raise ValueError("the merkle branch does not lead to the header's root")
    if not transaction.span.segwit:
        return
    if is_coinbase:
        return
    coinbase = parse(found.coinbase)
    first = hash256(stripped(found.coinbase, coinbase.span))
    if coinbase.inputs[0][0] != NOWHERE or climb(first, 0, found.coinbase_steps) != root:
        raise ValueError("the coinbase of the proof is not the block's")
    check_witness_root(coinbase, climb(hash256(raw), position, found.witness_steps))
