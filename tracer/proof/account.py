"""What `eth_getProof` (EIP-1186) shows of an account under a state root: balance, nonce, code, storage. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracer.proof import rlp
from tracer.proof.keccak import keccak
from tracer.proof.trie import EMPTY_ROOT, BadProof, look_up

EMPTY_CODE = keccak(b"")
"""Code hash of an account without code."""

_ZERO = bytes(32)


@dataclass(frozen=True, slots=True)
class Account:
    """The state of an account; balance in wei. One that does not exist has all of it empty."""

    nonce: int = 0
    balance: int = 0
    storage_root: bytes = EMPTY_ROOT
    code_hash: bytes = EMPTY_CODE
    exists: bool = True


@dataclass(frozen=True, slots=True)
class ProvenAccount:
    """An account, some of its storage by slot (32 bytes), and the nodes that prove both under a state root."""

    account: Account
    slots: Mapping[bytes, int]
    account_nodes: tuple[bytes, ...]
    slot_nodes: Mapping[bytes, tuple[bytes, ...]]


def prove_account(state_root: bytes, address: bytes, nodes: Sequence[bytes]) -> Account:
    """Read an account out of its path under a state root; raises BadProof.

    A path that shows that the address has no account gives an empty one.
    """
    value = look_up(state_root, keccak(address), nodes)
    if value is None:
        return Account(exists=False)
    try:
        nonce, balance, storage_root, code_hash = rlp.fields(value)
        return Account(
            rlp.as_number(nonce, 64),
            rlp.as_number(balance),
            rlp.as_bytes(storage_root, 32),
            rlp.as_bytes(code_hash, 32),
        )
    except ValueError as error:
        raise BadProof(f"the account is out of shape: {error}") from error


def prove_slot(storage_root: bytes, slot: bytes, nodes: Sequence[bytes]) -> int:
    """Read a storage slot (32 bytes) out of its path under an account's storage root; 0 if absent. Raises BadProof."""
    if len(slot) != 32:
        raise BadProof(f"a storage slot has 32 bytes, not {len(slot)}")
    value = look_up(storage_root, keccak(slot), nodes)
    if value is None:
        return 0
    try:
        found = rlp.as_number(rlp.decode(value))
    except rlp.BadRlp as error:
        raise BadProof(f"the value of a slot is out of shape: {error}") from error
    if not found:
        raise BadProof("a slot that holds 0 and is in the trie")
    return found


def read_proof(state_root: bytes, address: bytes, slots: Sequence[bytes], answer: Mapping[str, Any]) -> ProvenAccount:
    """Verify the answer to `eth_getProof(address, slots, block)` of the block with this state root.

    slots: 32 bytes each. What the answer states in clear must agree with what its nodes prove. Raises BadProof.
    """
    try:
        if _bytes(answer["address"]) != address:
            raise BadProof("the proof is of another account")
        nodes = tuple(map(_bytes, answer["accountProof"]))
        account = prove_account(state_root, address, nodes)
        _hold_against(account, answer)
        told = answer["storageProof"]
        if [_slot(item["key"]) for item in told] != list(slots):
            raise BadProof("the proof is of other storage slots")
        found: dict[bytes, int] = {}
        paths: dict[bytes, tuple[bytes, ...]] = {}
        for slot, item in zip(slots, told, strict=True):
            paths[slot] = tuple(map(_bytes, item["proof"]))
            found[slot] = prove_slot(account.storage_root, slot, paths[slot])
            if int(item["value"], 16) != found[slot]:
                raise BadProof(f"slot 0x{slot.hex()} holds another value than is stated")
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise BadProof(f"the proof is out of shape: {error!r}") from error
    except BadProof:
        raise
    except ValueError as error:
        raise BadProof(f"the proof is out of shape: {error}") from error
    return ProvenAccount(account, found, nodes, paths)


def _hold_against(account: Account, answer: Mapping[str, Any]) -> None:
    """See that what the answer states is what its nodes prove; of no account some nodes state zeros for hashes."""
    stated = (int(answer["nonce"], 16), int(answer["balance"], 16))
    roots = (_bytes(answer["storageHash"]), _bytes(answer["codeHash"]))
    if stated != (account.nonce, account.balance):
        raise BadProof("nonce or balance is not the one that is proven")
    if roots != (account.storage_root, account.code_hash) and (account.exists or roots[1] != _ZERO):
        raise BadProof("storage root or code hash is not the one that is proven")


def _bytes(text: str) -> bytes:
    if text[:2] != "0x":
        raise ValueError(f"{text!r:.40} is not hex")
    return bytes.fromhex(text[2:])


def _slot(text: str) -> bytes:
    """Read a storage key; some nodes write it as a number without leading zeros."""
    return int(text, 16).to_bytes(32, "big")
