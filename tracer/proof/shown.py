"""A stored movement that is called PROVEN, and whether a transaction's proven bytes show it, on each family. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracer.proof.ethereum import ProvenTransaction
from tracer.proof.transaction import created
from tracer.proof.transactions import Transaction
from tracer.types import Kind, Outpoint

TRANSFER = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
"""keccak256 of `Transfer(address,address,uint256)`."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A stored movement that is called PROVEN.

    source, target: who is debited and credited. spends: the coin of an input. fits: whether the input is stored as
    worth what the output that made its coin is stored as, of the same holder; True for other kinds.
    """

    kind: Kind
    index: int
    amount: int
    source: bytes | None
    target: bytes | None
    spends: Outpoint | None = None
    fits: bool = True


def differs_from_coins(transaction: Transaction, moves: Sequence[Shown]) -> str | None:
    """Hold movements against a Bitcoin transaction's bytes; returns what differs, None if nothing."""
    for move in moves:
        if move.kind is Kind.OUT:
            made = transaction.outputs[move.index] if move.index < len(transaction.outputs) else None
            if made != (move.amount, move.target):
                return _differs(move)
        elif move.kind is Kind.IN:
            spent = transaction.inputs[move.index][0] if move.index < len(transaction.inputs) else None
            if spent != move.spends or not move.fits:
                return _differs(move)
    return None


def differs_from_account(proven: ProvenTransaction, moves: Sequence[Shown]) -> str | None:
    """Hold movements against an Ethereum transaction and its receipt; returns what differs, None if nothing.

    Calls inside the transaction are in neither: nothing is said of them here.
    """
    sent = proven.transaction
    to = sent.to if sent.to is not None else created(proven.sender, sent.nonce)
    paid = proven.gas_used * sent.price_paid(proven.header.base_fee)
    for move in moves:
        parties = (move.source, move.target, move.amount)
        match move.kind:
            case Kind.TRACE if move.index == 0:
                fits = parties == (proven.sender, to, sent.value) and proven.receipt.succeeded is True
            case Kind.FEE:
                fits = parties == (proven.sender, None, paid) and not sent.blobs
            case Kind.LOG:
                fits = parties in _transfers(proven)
            case _:
                fits = True
        if not fits:
            return _differs(move)
    return None


def _transfers(proven: ProvenTransaction) -> set[tuple[bytes, bytes, int]]:
    """The Transfer logs of a receipt; one of a collectible is one piece."""
    return {
        (log.topics[1][12:], log.topics[2][12:], 1 if len(log.topics) == 4 else int.from_bytes(log.data, "big"))
        for log in proven.receipt.logs
        if len(log.topics) in (3, 4) and log.topics[0] == TRANSFER
    }


def _differs(move: Shown) -> str:
    return f"its bytes do not show {move.kind.name.lower()} {move.index} as it is stored"
