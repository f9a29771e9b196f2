"""What a state root proves about balances: an account's, and a token's in its contract's storage. Pure.

Accounts and storage are secure Merkle Patricia tries (Yellow Paper, sections 4.1 and appendix D; `eth_getProof` is
EIP-1186). Where a mapping keeps the value of a key is told by the compilers' documents: Solidity hashes key, then
slot ("Layout of State Variables in Storage"), Vyper slot, then key.
"""

from dataclasses import dataclass
from typing import Literal

from tracer.proof import rlp
from tracer.proof.account import prove_account, prove_slot
from tracer.proof.header import read_header
from tracer.proof.keccak import keccak
from tracer.proof.trie import BadProof

Order = Literal["solidity", "vyper"]


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a token keeps its mapping from holder to balance: the mapping's slot, and which key is hashed first."""

    number: int
    order: Order = "solidity"

    def of(self, holder: bytes) -> bytes:
        """The 32-byte storage key of a holder's balance.

        >>> Slot(0).of(bytes(20)).hex()
        'ad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5'
        """
        words = holder.rjust(32, b"\0"), self.number.to_bytes(32, "big")
        return keccak(b"".join(words if self.order == "solidity" else words[::-1]))


@dataclass(frozen=True, slots=True)
class Path:
    """The nodes that prove a balance: of the account; for a token of its contract, then of the holder's slot in it."""

    account: tuple[bytes, ...]
    slot: Slot | None = None
    storage: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Proven:
    """A balance that a path proves; nonce: of the account itself, None for a token."""

    amount: int
    nonce: int | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is stored with a checked balance: its path, and that of the balance before, with the parent's header."""

    now: Path
    parent_header: bytes = b""
    before: Path | None = None


def balance_at(root: bytes, account: bytes, holder: bytes, path: Path) -> Proven:
    """Follow a path from a state root; raises BadProof.

    account: the holder itself, or the token's contract. An account or slot that is proven absent holds 0.
    """
    found = prove_account(root, account, path.account)
    if path.slot is not None:
        return Proven(prove_slot(found.storage_root, path.slot.of(holder), path.storage), None)
    if account != holder:
        raise BadProof("a token's balance needs its slot")
    return Proven(found.balance, found.nonce)


def pack(evidence: Evidence) -> bytes:
    """Write evidence for the store."""
    before = [] if evidence.before is None else [evidence.parent_header, _items(evidence.before)]
    return rlp.encode([_items(evidence.now), before])


def unpack(data: bytes) -> Evidence:
    """Read evidence; raises BadProof."""
    try:
        now, before = rlp.fields(data)
        parts = rlp.as_list(before)
        if not parts:
            return Evidence(_path(now))
        return Evidence(_path(now), rlp.as_bytes(parts[0]), _path(parts[1]))
    except (rlp.BadRlp, ValueError, IndexError) as error:
        raise BadProof(f"evidence out of shape: {error}") from error


def shown(data: bytes, header: bytes, account: bytes, holder: bytes) -> tuple[Proven, Proven | None]:
    """What stored evidence shows under a header: the balance after its block and, if there, after the parent.

    The header's own hash is for the caller to check; the parent's is checked against it here. Raises BadProof.
    """
    evidence = unpack(data)
    block = read_header(header)
    now = balance_at(block.state_root, account, holder, evidence.now)
    if evidence.before is None:
        return now, None
    if keccak(evidence.parent_header) != block.parent:
        raise BadProof("the header before is not the parent's")
    before = read_header(evidence.parent_header)
    return now, balance_at(before.state_root, account, holder, evidence.before)


def _items(path: Path) -> rlp.Item:
    where: list[rlp.Item] = []
    if path.slot is not None:
        number = path.slot.number
        where = [number.to_bytes((number.bit_length() + 7) // 8, "big"), path.slot.order.encode()]
    return [list(path.account), where, list(path.storage)]


def _path(item: rlp.Item) -> Path:
    account, where, storage = rlp.as_list(item)
    slot = None
    if parts := rlp.as_list(where):
        order = rlp.as_bytes(parts[1])
        slot = Slot(rlp.as_number(parts[0]), "vyper" if order == b"vyper" else "solidity")
    nodes = (tuple(rlp.as_bytes(node) for node in rlp.as_list(part)) for part in (account, storage))
    account_nodes, storage_nodes = nodes
    return Path(account_nodes, slot, storage_nodes)
