"""What an Ethereum block header holds, fork by fork, as JSON and as the bytes that its hash is made of. Pure.

Known are all fields up to Osaka. A field that is not known here may be part of the hash: such a header cannot be
verified, and is never taken for good.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracer.proof import rlp
from tracer.proof.json_fields import address, digest, number, text
from tracer.proof.keccak import keccak
from tracer.proof.trie import BadProof

_FIRST = (
    *(("parentHash", digest), ("sha3Uncles", digest), ("miner", address), ("stateRoot", digest)),
    *(("transactionsRoot", digest), ("receiptsRoot", digest), ("logsBloom", text), ("difficulty", number)),
    *(("number", number), ("gasLimit", number), ("gasUsed", number), ("timestamp", number)),
    *(("extraData", text), ("mixHash", digest), ("nonce", text)),
)
_LATER = (
    ("baseFeePerGas", number),  # London, EIP-1559
    ("withdrawalsRoot", digest),  # Shanghai, EIP-4895
    *(("blobGasUsed", number), ("excessBlobGas", number)),  # Cancun, EIP-4844
    ("parentBeaconBlockRoot", digest),  # Cancun, EIP-4788
    ("requestsHash", digest),  # Prague, EIP-7685
)
_BESIDE = frozenset({"hash", "size", "totalDifficulty", "transactions", "uncles", "withdrawals"})
"""What JSON-RPC says of a block beside its header."""

_KNOWN = _BESIDE | {name for name, _ in (*_FIRST, *_LATER)}


@dataclass(frozen=True, slots=True)
class Header:
    """What later rules need of a header. Base fee in wei per gas, 0 before London; None: not in that fork."""

    parent: bytes
    miner: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    bloom: bytes
    height: int
    gas_used: int
    time: int
    base_fee: int
    withdrawals_root: bytes | None


class CannotVerify(BadProof):
    """The block has something that is not known here, so that nothing can be said of it."""


def encode_header(header: Mapping[str, Any]) -> bytes:
    """Encode the JSON of a header and see that it hashes to its own `hash`.

    Raises CannotVerify for unknown fields, BadProof for a header that is not what its hash says.
    """
    unknown = header.keys() - _KNOWN
    if unknown:
        raise CannotVerify(
            f"cannot verify: the header has fields unknown here ({', '.join(sorted(map(str, unknown)))})"
        )
    try:
        parts = [write(header[name]) for name, write in _FIRST]
        later: list[tuple[Any, Any]] = [(header.get(name), write) for name, write in _LATER]
        while later and later[-1][0] is None:
            later.pop()
        parts += [write(value) for value, write in later]
        encoded = rlp.wrap(b"".join(parts))
        said = bytes.fromhex(header["hash"][2:])
    except (KeyError, TypeError, ValueError) as error:
        raise BadProof(f"the header is out of shape: {error!r}") from error
    if keccak(encoded) != said:
        raise BadProof("the header does not hash to the block's hash")
    return encoded


def read_header(encoded: bytes) -> Header:
    """Read a header from its bytes; raises CannotVerify if it has more fields than are known, else BadProof."""
    try:
        items = rlp.fields(encoded)
        if len(items) > len(_FIRST) + len(_LATER):
            raise CannotVerify(f"cannot verify: the header has {len(items)} fields, more than are known here")
        later = dict(zip((name for name, _ in _LATER), items[len(_FIRST) :], strict=False))
        withdrawals = later.get("withdrawalsRoot")
        return Header(
            parent=rlp.as_bytes(items[0], 32),
            miner=rlp.as_bytes(items[2], 20),
            state_root=rlp.as_bytes(items[3], 32),
            transactions_root=rlp.as_bytes(items[4], 32),
            receipts_root=rlp.as_bytes(items[5], 32),
            bloom=rlp.as_bytes(items[6], 256),
            height=rlp.as_number(items[8]),
            gas_used=rlp.as_number(items[10]),
            time=rlp.as_number(items[11]),
            base_fee=rlp.as_number(later.get("baseFeePerGas", b"")),
            withdrawals_root=None if withdrawals is None else rlp.as_bytes(withdrawals, 32),
        )
    except (rlp.BadRlp, IndexError) as error:
        raise BadProof(f"the header is out of shape: {error}") from error
