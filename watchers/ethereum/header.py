"""What a block header says of its place in the chain, and its bytes (RLP, forks up to Prague). Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eth_utils.crypto import keccak
from rlp.codec import encode

from tracer.errors import Inconsistent
from tracer.types import BlockRef, Hash

rlp: Callable[[Sequence[bytes]], bytes] = encode
"""Encode a flat list of byte strings; the library has no types."""

EMPTY_TRIE = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
"""Root of a trie without entries: a block whose `transactionsRoot` is this has no transactions."""

_BYTES = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"),
    *("extraData", "mixHash", "nonce", "withdrawalsRoot", "parentBeaconBlockRoot", "requestsHash"),
)
_ORDER = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"),
    *("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce"),
    "baseFeePerGas",  # EIP-1559
    "withdrawalsRoot",  # EIP-4895
    *("blobGasUsed", "excessBlobGas"),  # EIP-4844
    "parentBeaconBlockRoot",  # EIP-4788
    "requestsHash",  # EIP-7685
)
_REQUIRED = _ORDER[:15]


def header_rlp(header: Mapping[str, Any]) -> bytes | None:
    """Encode the JSON of a header; None if the result does not hash to the header's own `hash`.

    None means a fork with fields unknown here, or a header that was tampered with: no bytes are better than
    bytes that prove nothing.
    """
    names = [name for name in _ORDER if name in _REQUIRED or header.get(name) is not None]
    try:
        encoded = rlp([_field(name, header[name]) for name in names])
    except (KeyError, TypeError, ValueError):
        return None
    return encoded if keccak(encoded).hex() == header["hash"][2:] else None


def _field(name: str, value: str) -> bytes:
    if name in _BYTES:
        return bytes.fromhex(value[2:])
    return rlp_number(int(value, 16))


def rlp_number(number: int) -> bytes:
    """Write a number as RLP wants it: big-endian, without leading zeros, nothing for 0."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def ref_of(header: Mapping[str, Any]) -> BlockRef:
    """Name the block that the JSON of a header describes; raises Inconsistent if it is not one."""
    try:
        block, parent = bytes.fromhex(header["hash"][2:]), bytes.fromhex(header["parentHash"][2:])
        ref = BlockRef(int(header["number"], 16), Hash(block), Hash(parent))
    except (KeyError, TypeError, ValueError) as error:
        raise Inconsistent("the node calls something a block that has no number, hash or parent") from error
    if len(block) != 32 or len(parent) != 32:
        raise Inconsistent(f"block {ref.height} has a hash that is not 32 bytes")
    return ref
