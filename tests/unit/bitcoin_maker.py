"""Makes Bitcoin blocks with python-bitcoinlib, by the rules of regtest, for tests that change them."""

from collections.abc import Sequence

from bitcoin.core import (
    CBlockHeader,
    CMutableTransaction,
    COutPoint,
    CTransaction,
    CTxIn,
    CTxInWitness,
    CTxOut,
    CTxWitness,
    Hash,
)
from bitcoin.core.script import CScript, CScriptWitness
from bitcoin.core.serialize import VarIntSerializer

BITS = 0x207FFFFF
NOWHERE = bytes(32) + b"\xff" * 4
PARENT = bytes(range(32))
HEIGHT = 1000
COMMITMENT = b"\x6a\x24\xaa\x21\xa9\xed"


def transaction(
    spends: Sequence[bytes],
    pays: Sequence[tuple[bytes, int]],
    *,
    signature: bytes = b"\x51",
    witness: Sequence[bytes] | None = None,
) -> CMutableTransaction:
    """Spend 36-byte outpoints into (script, amount) pairs; `witness`: the stack of every input."""
    inputs = [CTxIn(COutPoint(p[:32], int.from_bytes(p[32:], "little")), CScript(signature)) for p in spends]
    made = CMutableTransaction(inputs, [CTxOut(amount, CScript(script)) for script, amount in pays])
    if witness is not None:
        made.wit = CTxWitness([CTxInWitness(CScriptWitness(list(witness))) for _ in inputs])
    return made


def root(ids: Sequence[bytes]) -> bytes:
    """The merkle root, in the plainest way."""
    level = list(ids)
    while len(level) > 1:
        level = level + level[-1:] * (len(level) % 2)
        level = [Hash(level[at] + level[at + 1]) for at in range(0, len(level), 2)]
    return level[0]


def coinbase(height: int, others: Sequence[CMutableTransaction]) -> CMutableTransaction:
    """A coinbase that names its height and commits to the others' witnesses."""
    number = height.to_bytes(2, "little")
    commitment = Hash(root([bytes(32), *(Hash(one.serialize()) for one in others)]) + bytes(32))
    pays = [(b"\x51", 50), (COMMITMENT + commitment, 0)]
    return transaction([NOWHERE], pays, signature=b"\x02" + number + b"\x01x", witness=[bytes(32)])


def header(parent: bytes, txs: Sequence[CTransaction], time: int = 1_700_000_000) -> bytes:
    """A header over these transactions that meets the target."""
    tree = root([one.GetTxid() for one in txs])
    for nonce in range(1000):
        made = CBlockHeader(0x20000000, parent, tree, time, BITS, nonce)
        if made.GetHash()[31] < 0x80:
            return bytes(made.serialize())
    raise AssertionError("not mined")


def body(txs: Sequence[CTransaction]) -> bytes:
    """What follows the header."""
    return bytes(VarIntSerializer.serialize(len(txs))) + b"".join(one.serialize() for one in txs)
