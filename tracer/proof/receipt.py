"""Receipts: their bytes, from JSON and read back, and the bloom filter of their logs (Yellow Paper, 4.4.1). Pure.

Since Byzantium a receipt tells whether the transaction succeeded (EIP-658), before that the state root after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tracer.proof import rlp
from tracer.proof.header import CannotVerify
from tracer.proof.json_fields import address, digest, number, text, topic
from tracer.proof.keccak import keccak
from tracer.proof.trie import BadProof

_TYPES = {"0x0": b"", "0x1": b"\1", "0x2": b"\2", "0x3": b"\3", "0x4": b"\4"}
_OUTCOMES = {"0x1": b"\1", "0x0": b"\x80"}
_QUIET = rlp.text(bytes(256)) + b"\xc0"
"""The end of a receipt without logs: an empty bloom filter and an empty list."""


@dataclass(frozen=True, slots=True)
class Log:
    """What a contract announced."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction. succeeded: None before Byzantium. cumulative_gas: of the block up to it."""

    type: int
    succeeded: bool | None
    cumulative_gas: int
    logs: tuple[Log, ...]


def encode_receipt(told: Mapping[str, Any]) -> tuple[bytes, int]:
    """Encode the JSON of a receipt; returns its bytes and the bits of its bloom filter.

    Raises CannotVerify for an unknown type, BadProof for one out of shape. The filter is worked out from the logs.
    """
    mark = _TYPES.get(told.get("type", "0x0"))
    if mark is None:
        raise CannotVerify(f"cannot verify: a receipt of type {told.get('type')!r:.20}, which is unknown here")
    try:
        status = told.get("status")
        outcome = digest(told["root"]) if status is None else _OUTCOMES[status]
        start, logs = outcome + number(told["cumulativeGasUsed"]), told["logs"]
        if not logs:
            return mark + rlp.wrap(start + _QUIET), 0
        bits, written = 0, []
        for log in logs:
            contract, topics = log["address"], log["topics"]
            bits |= _bits(contract)
            for entry in topics:
                bits |= _bits(entry)
            body = address(contract) + rlp.wrap(b"".join([topic(entry) for entry in topics])) + text(log["data"])
            written.append(rlp.wrap(body))
        bloom = b"\xb9\1\0" + bits.to_bytes(256, "big")
        return mark + rlp.wrap(start + bloom + rlp.wrap(b"".join(written))), bits
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadProof(f"a receipt is out of shape: {error!r}") from error


@lru_cache(maxsize=1 << 14)
def _bits(entry: str) -> int:
    return bloom_bits(bytes.fromhex(entry[2:]))


def bloom_bits(entry: bytes) -> int:
    """The three bits that an address or topic sets."""
    hashed = keccak(entry)
    return (
        1 << (int.from_bytes(hashed[:2], "big") & 2047)
        | 1 << (int.from_bytes(hashed[2:4], "big") & 2047)
        | 1 << (int.from_bytes(hashed[4:6], "big") & 2047)
    )


def read_receipt(raw: bytes) -> Receipt:
    """Read a receipt from its bytes; raises CannotVerify for an unknown type, BadProof for one out of shape."""
    kind = 0 if raw[:1] >= b"\xc0" else raw[0] if raw else -1
    if kind not in range(5):
        raise CannotVerify(f"cannot verify: a receipt of type {kind}, which is unknown here")
    try:
        items = rlp.fields(raw[1:] if kind else raw)
        if len(items) != 4:
            raise BadProof(f"a receipt with {len(items)} fields")
        outcome = rlp.as_bytes(items[0])
        if outcome not in (b"", b"\1") and len(outcome) != 32:
            raise BadProof("a receipt that tells neither success nor failure nor a state root")
        logs = tuple(map(_read_log, rlp.as_list(items[3])))
        if bloom_of(logs) != int.from_bytes(rlp.as_bytes(items[2], 256), "big"):
            raise BadProof("a receipt whose bloom filter is not that of its logs")
    except rlp.BadRlp as error:
        raise BadProof(f"a receipt is out of shape: {error}") from error
    return Receipt(kind, None if len(outcome) == 32 else outcome == b"\1", rlp.as_number(items[1], 64), logs)


def _read_log(item: rlp.Item) -> Log:
    parts = rlp.as_list(item)
    if len(parts) != 3:
        raise BadProof(f"a log with {len(parts)} fields")
    topics = tuple(rlp.as_bytes(entry, 32) for entry in rlp.as_list(parts[1]))
    return Log(rlp.as_bytes(parts[0], 20), topics, rlp.as_bytes(parts[2]))


def bloom_of(logs: Sequence[Log]) -> int:
    """The bits of the bloom filter of some logs."""
    bits = 0
    for log in logs:
        for entry in (log.address, *log.topics):
            bits |= bloom_bits(entry)
    return bits
