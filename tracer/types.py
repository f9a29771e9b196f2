"""The nouns that every other module speaks: chains, blocks, holders, movements. Pure.

Hashes and transaction ids are 32 bytes in *display order* (as explorers and RPC print them). An outpoint is the 36
bytes of Bitcoin's wire format (txid in internal order, output index little-endian). A holder is the bytes that own
value: a script pubkey on UTXO chains, a 20-byte account on account chains; an address is only its text. Amounts are
integers in base units (satoshi, wei, token base units).
"""

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import NewType

ChainId = NewType("ChainId", str)
"""CAIP-2, for example ``bip122:0f9188f13cb7b2c71f2a335e3a4fc328`` or ``eip155:1``."""

AssetId = NewType("AssetId", str)
"""CAIP-19, for example ``eip155:1/slip44:60`` or ``eip155:1/erc20:0xdac1...`` (lower-case contract)."""

Hash = NewType("Hash", bytes)
Outpoint = NewType("Outpoint", bytes)
Holder = NewType("Holder", bytes)


class Kind(IntEnum):
    """What kind of record in a block a movement is; part of its identity."""

    IN = 0
    OUT = 1
    FEE = 2
    TRACE = 3
    LOG = 4
    WITHDRAWAL = 5
    REWARD = 6


class AssetKind(Enum):
    """Who says what an asset is: the chain (native), the operator's allow-list, or nobody."""

    NATIVE = "native"
    LISTED = "listed"
    UNLISTED = "unlisted"
    NFT = "nft"


class Lane(IntEnum):
    """How strongly a claim is supported; a verdict takes the weakest (largest) lane of its claims."""

    PROVEN = 0
    REPORTED = 1
    ATTESTED = 2
    INFERRED = 3


class Checked(IntEnum):
    """How far a block was checked when it was connected.

    REPORTED: as the node told it. HEADER: the header hashes to the block hash and links to its parent (policy `hits`:
    what the block says of the interest is checked too, what it does not say is not). WHOLE: everything in it, against
    all roots of its header.
    """

    REPORTED = 0
    HEADER = 1
    WHOLE = 2


class Role(Enum):
    """What a watched holder is to its case."""

    SEIZED = "seized"
    AUTHORITY = "authority"
    AGENCY = "agency"
    EXCHANGE = "exchange"
    REFUND = "refund"


HELD_ROLES = frozenset({Role.SEIZED, Role.AUTHORITY, Role.AGENCY})
"""Roles whose balances count as still held by the state in the conservation equation."""


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block's place in its chain; the genesis block's parent is 32 zero bytes."""

    height: int
    hash: Hash
    parent: Hash


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset and how people write it; ``decimals`` is the power of ten of one display unit."""

    id: AssetId
    symbol: str
    decimals: int
    kind: AssetKind


@dataclass(frozen=True, slots=True)
class Movement:
    """Value that moved: a fact, identified by (block, kind, transaction position, index).

    IN debits ``source`` by the coin ``spends``; OUT credits ``target``; FEE has no target and, on UTXO chains, no
    source either (its inputs pay it together); TRACE and LOG have both; WITHDRAWAL and REWARD have only a target.
    index: vin or vout index, 0 for a fee, the frame's order within the transaction, the log's index in its *block*,
    the withdrawal's index in its block.
    lane: PROVEN if the stored bytes of its transaction, with their proof, show it under the block's hash.
    """

    kind: Kind
    index: int
    asset: AssetId
    amount: int
    source: Holder | None
    target: Holder | None
    spends: Outpoint | None = None
    lane: Lane = Lane.REPORTED


@dataclass(frozen=True, slots=True)
class TxFacts:
    """A transaction of interest: where it stands, its bytes, and its movements in chain order.

    proof: what links the bytes to the block's header, in the form of `tracer.proof`; None where nothing does.
    """

    position: int
    txid: Hash
    raw: bytes
    movements: tuple[Movement, ...]
    proof: bytes | None = None

    @property
    def parties(self) -> set[Holder]:
        """Whoever its movements name."""
        return {holder for move in self.movements for holder in (move.source, move.target) if holder is not None}


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """All that a block says about the holders and coins of interest.

    header: the raw header: 80 bytes, of every block, on Bitcoin; RLP, of blocks with hits, on Ethereum; else None.
    loose: movements that belong to no transaction (withdrawals, rewards).
    new_assets: assets met here that the store may not know (unlisted tokens, NFTs).
    skipped: what was seen and not read, or could not be observed, and why.
    """

    ref: BlockRef
    time: int
    header: bytes | None
    transactions: tuple[TxFacts, ...]
    loose: tuple[Movement, ...] = ()
    new_assets: tuple[Asset, ...] = ()
    skipped: tuple[str, ...] = ()
    checked: Checked = Checked.REPORTED

    @property
    def parties(self) -> set[Holder]:
        """Whoever its transactions name."""
        return {holder for tx in self.transactions for holder in tx.parties}


def outpoint(txid: Hash, index: int) -> Outpoint:
    """Join a transaction id (display order) and output index into wire bytes.

    >>> outpoint(Hash(bytes(31) + b"\\x01"), 2)[:1].hex()
    '01'
    """
    return Outpoint(txid[::-1] + index.to_bytes(4, "little"))


def outpoint_text(point: Outpoint) -> str:
    """Write an outpoint as ``txid:index``."""
    return f"{point[31::-1].hex()}:{int.from_bytes(point[32:], 'little')}"


def parse_outpoint(text: str) -> Outpoint:
    """Read ``txid:index``; raises ValueError if it is not 64 hex digits, a colon and a 32-bit number."""
    txid, colon, index = text.partition(":")
    if len(txid) != 64 or not colon or not index.isascii() or not index.isdigit() or int(index) >= 2**32:
        raise ValueError(f"{text!r} is not txid:index")
    return outpoint(Hash(bytes.fromhex(txid)), int(index))
