"""Ethereum transactions of types 0 to 4: their bytes, from JSON and read back, and who signed them. Pure.

Type 0 is what the Yellow Paper describes, with EIP-155; 1 is EIP-2930, 2 EIP-1559, 3 EIP-4844, 4 EIP-7702; the
envelope is EIP-2718. A type beyond these cannot be verified.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from coincurve import PublicKey

from tracer.proof import rlp
from tracer.proof.header import CannotVerify
from tracer.proof.json_fields import address, number, target, text, topic, wide
from tracer.proof.keccak import keccak
from tracer.proof.trie import BadProof

RECOVERED = 8_192
"""Senders remembered: a transaction that was seen before its block need not be recovered twice."""


class Signed(NamedTuple):
    """A transaction's bytes, the bytes that were signed, and the signature."""

    raw: bytes
    unsigned: bytes
    parity: int
    r: int
    s: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a transaction orders; amounts and prices in wei. to: None creates a contract.

    price: of legacy transactions; tip and cap for the others are `priority` and `price`. blobs: how many it carries.
    """

    type: int
    nonce: int
    gas_limit: int
    to: bytes | None
    value: int
    price: int
    priority: int
    blobs: int
    signed: Signed

    def price_paid(self, base_fee: int) -> int:
        """The price of a unit of gas in a block with this base fee (EIP-1559)."""
        return min(self.price, base_fee + self.priority)


def _access(entries: Sequence[Mapping[str, Any]]) -> bytes:
    written = [
        rlp.wrap(address(entry["address"]) + rlp.wrap(b"".join([topic(key) for key in entry["storageKeys"]])))
        for entry in entries
    ]
    return rlp.wrap(b"".join(written))


def _hashes(hashes: Sequence[str]) -> bytes:
    return rlp.wrap(b"".join([topic(hash_) for hash_ in hashes]))


def _authorizations(entries: Sequence[Mapping[str, Any]]) -> bytes:
    names = (
        ("chainId", number),
        ("address", address),
        ("nonce", number),
        ("yParity", number),
        ("r", wide),
        ("s", wide),
    )
    return rlp.wrap(b"".join([rlp.wrap(b"".join([write(entry[name]) for name, write in names])) for entry in entries]))


_Fields = tuple[tuple[str, Callable[[Any], bytes]], ...]

_END: _Fields = (("gas", number), ("to", target), ("value", number), ("input", text))
_FEES: _Fields = (("maxPriorityFeePerGas", number), ("maxFeePerGas", number))
_ID: _Fields = (("chainId", number), ("nonce", number))
_MARKET: _Fields = (*_ID, *_FEES, *_END, ("accessList", _access))
_FIELDS: Mapping[str, tuple[int, _Fields]] = {
    "0x0": (0, (("nonce", number), ("gasPrice", number), *_END)),
    "0x1": (1, (*_ID, ("gasPrice", number), *_END, ("accessList", _access))),
    "0x2": (2, _MARKET),
    "0x3": (3, (*_MARKET, ("maxFeePerBlobGas", number), ("blobVersionedHashes", _hashes))),
    "0x4": (4, (*_MARKET, ("authorizationList", _authorizations))),
}


def encode_transaction(told: Mapping[str, Any]) -> Signed:
    """Encode the JSON of a transaction; raises CannotVerify for an unknown type, BadProof for one out of shape.

    Nothing is compared: that the bytes are right is shown by their hash and the block's root alone.
    """
    known = _FIELDS.get(told.get("type", "0x0"))
    if known is None:
        raise CannotVerify(f"cannot verify: a transaction of type {told.get('type')!r:.20}, which is unknown here")
    try:
        kind, names = known
        body = b"".join([write(told[name]) for name, write in names])
        r, s = told["r"], told["s"]
        v = told["v"] if kind == 0 else told.get("yParity", told.get("v"))
        whole = rlp.wrap(body + number(v) + wide(r) + wide(s))
        if kind:
            mark = bytes((kind,))
            return Signed(mark + whole, mark + rlp.wrap(body), int(v, 16), int(r, 16), int(s, 16))
        return _legacy(whole, body, int(v, 16), int(r, 16), int(s, 16))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadProof(f"a transaction is out of shape: {error!r}") from error


def _legacy(whole: bytes, body: bytes, v: int, r: int, s: int) -> Signed:
    """Say what was signed: with the chain id since EIP-155, without it before."""
    if v in (27, 28):
        return Signed(whole, rlp.wrap(body), v - 27, r, s)
    if v < 35:
        raise BadProof(f"a signature with v = {v}")
    return Signed(whole, rlp.wrap(body + rlp.number((v - 35) // 2) + b"\x80\x80"), (v - 35) % 2, r, s)


@lru_cache(maxsize=RECOVERED)
def sender(signed: Signed) -> bytes:
    """Recover the account that signed (20 bytes); raises BadProof if the signature is of nobody."""
    try:
        signature = signed.r.to_bytes(32, "big") + signed.s.to_bytes(32, "big") + bytes((signed.parity,))
        public = PublicKey.from_signature_and_message(signature, keccak(signed.unsigned), hasher=None)
    except Exception as error:
        raise BadProof(f"a signature of nobody: {error}") from error
    return keccak(public.format(compressed=False)[1:])[12:]


def read_transaction(raw: bytes) -> Transaction:
    """Read a transaction from its bytes; raises CannotVerify for an unknown type, BadProof for one out of shape."""
    try:
        if raw[:1] >= b"\xc0":
            return _read_legacy(raw)
        kind = raw[0] if raw else -1
        if kind not in (1, 2, 3, 4):
            raise CannotVerify(f"cannot verify: a transaction of type {kind}, which is unknown here")
        return _read_typed(kind, raw)
    except rlp.BadRlp as error:
        raise BadProof(f"a transaction is out of shape: {error}") from error


def _read_legacy(raw: bytes) -> Transaction:
    items = rlp.fields(raw)
    if len(items) != 9:
        raise BadProof(f"a transaction with {len(items)} fields")
    nonce, price, gas, to, value, data, v, r, s = items
    body = b"".join([rlp.encode(item) for item in (nonce, price, gas, to, value, data)])
    wei = rlp.as_number(price)
    signed = _legacy(raw, body, rlp.as_number(v), rlp.as_number(r), rlp.as_number(s))
    return Transaction(0, rlp.as_number(nonce), rlp.as_number(gas), _to(to), rlp.as_number(value), wei, wei, 0, signed)


def _read_typed(kind: int, raw: bytes) -> Transaction:
    items = rlp.fields(raw[1:])
    if len(items) != len(_FIELDS[hex(kind)][1]) + 3:
        raise BadProof(f"a transaction of type {kind} with {len(items)} fields")
    *body, parity, r, s = items
    unsigned = raw[:1] + rlp.encode(body)
    signed = Signed(raw, unsigned, rlp.as_number(parity, 8), rlp.as_number(r), rlp.as_number(s))
    if kind == 1:
        _, nonce, price, gas, to, value, _data, _list = body
        tip = price
    else:
        _, nonce, tip, price, gas, to, value = body[:7]
    blobs = len(rlp.as_list(body[10])) if kind == 3 else 0
    return Transaction(
        *(kind, rlp.as_number(nonce), rlp.as_number(gas), _to(to), rlp.as_number(value)),
        *(rlp.as_number(price), rlp.as_number(tip), blobs, signed),
    )


def _to(item: rlp.Item) -> bytes | None:
    return None if item == b"" else rlp.as_bytes(item, 20)


def created(creator: bytes, nonce: int) -> bytes:
    """The address of the contract that an account creates with a transaction of this nonce."""
    return keccak(rlp.wrap(rlp.text(creator) + rlp.number(nonce)))[12:]
