"""How transactions and blocks without signatures are put into bytes for regtest. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

REGTEST_BITS = bytes.fromhex("ffff7f20")
REGTEST_TARGET = 0x7FFFFF << (8 * 29)
DUMMIES = b"\x03\x47" + b"\x30" * 71 + b"\x21" + b"\x02" * 33
"""Three witness items begin with what looks like a signature and a key; the script drops both."""


@dataclass(frozen=True, slots=True)
class Coin:
    """An output that anybody can spend who knows the tag of its script."""

    point: bytes
    tag: bytes
    amount: int


def tag_of(*names: object) -> bytes:
    """Derive 20 bytes that name a holder."""
    return sha256("/".join(map(str, names)).encode()).digest()[:20]


def witness_script(tag: bytes) -> bytes:
    """``<tag> OP_DROP OP_2DROP OP_1``: leaves true alone on the stack, as segwit demands."""
    return b"\x14" + tag + b"\x75\x6d\x51"


def script_of(tag: bytes) -> bytes:
    """The P2WSH script pubkey of a tag."""
    return b"\x00\x20" + sha256(witness_script(tag)).digest()


def hash256(data: bytes) -> bytes:
    """Hash twice; the result is in wire order."""
    return sha256(sha256(data).digest()).digest()


def size(number: int) -> bytes:
    """Write a CompactSize."""
    if number < 0xFD:
        return bytes((number,))
    return b"\xfd" + number.to_bytes(2, "little") if number < 0x10000 else b"\xfe" + number.to_bytes(4, "little")


def output(amount: int, script: bytes) -> bytes:
    """Write one output."""
    return amount.to_bytes(8, "little") + size(len(script)) + script


@dataclass(frozen=True, slots=True)
class Tx:
    """A finished transaction; ids in wire order."""

    raw: bytes
    txid: bytes
    wtxid: bytes

    def coin(self, index: int, tag: bytes, amount: int) -> Coin:
        """Name one of its outputs."""
        return Coin(self.txid + index.to_bytes(4, "little"), tag, amount)


def transaction(coins: Sequence[Coin], outputs: Sequence[bytes]) -> Tx:
    """Spend coins into outputs."""
    sources = b"".join(coin.point + b"\x00\xfd\xff\xff\xff" for coin in coins)
    body = size(len(coins)) + sources + size(len(outputs)) + b"".join(outputs)
    witness = b"".join(DUMMIES + b"\x18" + witness_script(coin.tag) for coin in coins)
    whole = b"\x02\x00\x00\x00\x00\x01" + body + witness + bytes(4)
    return Tx(whole, hash256(b"\x02\x00\x00\x00" + body + bytes(4)), hash256(whole))


def coinbase(height: int, amount: int, script: bytes, wtxids: Sequence[bytes]) -> Tx:
    """Pay the reward to one script, with the height (BIP34) and the witness commitment (BIP141)."""
    number = height.to_bytes((height.bit_length() + 8) // 8, "little")
    push = bytes((0x50 + height,)) if height <= 16 else size(len(number)) + number
    commitment = hash256(merkle_root([bytes(32), *wtxids]) + bytes(32))
    outputs = [output(amount, script), output(0, b"\x6a\x24\xaa\x21\xa9\xed" + commitment)]
    source = bytes(32) + b"\xff\xff\xff\xff" + size(len(push) + 1) + push + b"\x00" + b"\xff\xff\xff\xff"
    body = b"\x01" + source + size(len(outputs)) + b"".join(outputs)
    whole = b"\x02\x00\x00\x00\x00\x01" + body + b"\x01\x20" + bytes(32) + bytes(4)
    return Tx(whole, hash256(b"\x02\x00\x00\x00" + body + bytes(4)), hash256(whole))


def merkle_root(ids: Sequence[bytes]) -> bytes:
    """Hash a list of ids up to their root."""
    level = list(ids)
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        level = [hash256(left + right) for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def block(parent: bytes, time: int, txs: Sequence[Tx]) -> tuple[bytes, bytes]:
    """Put a block together, coinbase first, and find its nonce; returns (bytes, hash in wire order)."""
    fixed = b"\x00\x00\x00\x20" + parent + merkle_root([tx.txid for tx in txs])
    fixed += time.to_bytes(4, "little") + REGTEST_BITS
    nonce = 0
    while True:
        header = fixed + nonce.to_bytes(4, "little")
        found = hash256(header)
        if int.from_bytes(found, "little") <= REGTEST_TARGET:
            return header + size(len(txs)) + b"".join(tx.raw for tx in txs), found
        nonce += 1
