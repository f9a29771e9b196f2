"""Transactions that wait to be broadcast, put together byte by byte from BIP-144, BIP-174 and BIP-370."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

Fields = Mapping[bytes, bytes]


def size(number: int) -> bytes:
    """A CompactSize."""
    return bytes([number]) if number < 0xFD else b"\xfd" + number.to_bytes(2, "little")


def out(script: bytes, amount: int) -> bytes:
    """An output."""
    return amount.to_bytes(8, "little") + size(len(script)) + script


def transaction(
    points: Sequence[bytes], outs: Sequence[tuple[bytes, int]], witnesses: Sequence[Sequence[bytes]] = ()
) -> bytes:
    """A transaction without scriptSigs; with witnesses, if there are any."""
    ins = b"".join(point + b"\x00" + b"\xfd\xff\xff\xff" for point in points)
    stacks = b"".join(size(len(stack)) + b"".join(size(len(item)) + item for item in stack) for stack in witnesses)
    body = size(len(points)) + ins + size(len(outs)) + b"".join(out(script, amount) for script, amount in outs)
    return b"\x02\x00\x00\x00" + (b"\x00\x01" if witnesses else b"") + body + stacks + bytes(4)


def double(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()


def serialized(fields: Fields) -> bytes:
    return b"".join(size(len(k)) + k + size(len(v)) + v for k, v in fields.items()) + b"\x00"


@dataclass
class Psbt:
    """A PSBT to be spoilt at will: its maps."""

    top: dict[bytes, bytes]
    ins: list[dict[bytes, bytes]] = field(default_factory=list)
    outs: list[dict[bytes, bytes]] = field(default_factory=list)

    @property
    def raw(self) -> bytes:
        return b"psbt\xff" + b"".join(serialized(fields) for fields in [self.top, *self.ins, *self.outs])

    @property
    def text(self) -> bytes:
        return base64.b64encode(self.raw)


def psbt(
    points: Sequence[bytes],
    outs: Sequence[tuple[bytes, int]],
    coins: Sequence[tuple[bytes, int] | None] = (),
    version: int = 0,
) -> Psbt:
    """A PSBT that claims by witness_utxo what coins its inputs are; None: it says nothing."""
    claims: list[dict[bytes, bytes]] = [
        {} if coin is None else {b"\x01": out(*coin)} for coin in (coins or [None] * len(points))
    ]
    if version == 0:
        return Psbt({b"\x00": transaction(points, outs)}, claims, [{} for _ in outs])
    top = {b"\x02": b"\x02\x00\x00\x00", b"\x04": size(len(points)), b"\x05": size(len(outs)), b"\xfb": b"\x02\0\0\0"}
    for claim, point in zip(claims, points, strict=True):
        claim |= {b"\x0e": point[:32], b"\x0f": point[32:]}
    return Psbt(top, claims, [{b"\x03": n.to_bytes(8, "little"), b"\x04": script} for script, n in outs])
