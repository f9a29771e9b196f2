"""What the heuristics read and what they say: shapes of transactions, payments between accounts, links. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

COSPEND, CHANGE, PEEL, COINJOIN, DEPOSIT = "cospend", "change", "peel", "coinjoin", "deposit"
METHODS = (COSPEND, CHANGE, PEEL, COINJOIN, DEPOSIT)

LOW, MEDIUM, HIGH = "low", "medium", "high"
"""Degrees of confidence: an order, not a probability. docs/attribution.md has measured error rates."""


class Coin(NamedTuple):
    """An input or output: who holds it (script pubkey), and how much, in base units."""

    holder: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class TxShape:
    """A whole transaction of coins. txid: in display order; spends: (txid, index) of each input's coin, if known."""

    txid: bytes
    inputs: tuple[Coin, ...]
    outputs: tuple[Coin, ...]
    fee: int
    spends: tuple[tuple[bytes, int], ...] = ()

    @property
    def payable(self) -> tuple[int, ...]:
        """Indexes of the outputs that somebody can spend: not those of value zero, and not data (OP_RETURN)."""
        return tuple(i for i, (holder, amount) in enumerate(self.outputs) if amount and holder[:1] != b"\x6a")


@dataclass(frozen=True, slots=True)
class Payment:
    """Value that one holder passed to another; None: nobody that is known. `at`: its order, such as the height."""

    txid: bytes
    source: bytes | None
    target: bytes | None
    asset: str
    amount: int
    at: int


@dataclass(frozen=True, slots=True)
class Link:
    """What a heuristic says, because of one transaction.

    claim: `one owner` (of all `holders`), `not merged` (they look as if they had one, but many people's coins go
    together this way), `mixed` (a coinjoin: they have many), `deposit address` (the first is one of the second).
    parameters: as they were when it was said. confidence: low, medium, high.
    """

    method: str
    version: str
    claim: str
    txid: bytes
    holders: tuple[bytes, ...]
    parameters: tuple[tuple[str, int | str], ...]
    confidence: str
    reason: str


def script_type(script: bytes) -> str:
    """The kind of a script pubkey: p2pkh, p2sh, p2wpkh, p2wsh, p2tr, else other.

    >>> script_type(bytes.fromhex("0014") + bytes(20)), script_type(b"\\x51")
    ('p2wpkh', 'other')
    """
    match len(script), script[:2]:
        case 22, b"\x00\x14":
            return "p2wpkh"
        case 34, b"\x00\x20":
            return "p2wsh"
        case 34, b"\x51\x20":
            return "p2tr"
        case 25, b"\x76\xa9":
            return "p2pkh"
        case 23, b"\xa9\x14":
            return "p2sh"
    return "other"


def distinct(coins: tuple[Coin, ...]) -> tuple[bytes, ...]:
    """The holders of some coins, each once, in order."""
    return tuple(dict.fromkeys(coin.holder for coin in coins))
