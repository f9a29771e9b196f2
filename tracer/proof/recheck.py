"""Whether stored bytes still show a stored transaction and its movements, for every chain family. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tracer.proof import bitcoin
from tracer.proof.transactions import parse
from tracer.types import Hash, Kind, Outpoint


@dataclass(frozen=True, slots=True)
class Shown:
    """A stored movement that is called PROVEN.

    holder: who is credited or debited. spends: the coin of an input. fits: whether the input is stored as worth what
    the output that made its coin is stored as, of the same holder; True for other kinds.
    """

    kind: Kind
    index: int
    amount: int
    holder: bytes | None
    spends: Outpoint | None = None
    fits: bool = True


Check = Callable[[bytes, Hash, Hash, int, bytes, bytes], None]
"""(header, block hash, txid, position, raw, proof); raises ValueError with the reason."""

_CHECKS: dict[str, Check] = {"bitcoin": bitcoin.check}


def recheck(
    family: str, header: bytes, block_hash: bytes, txid: bytes, position: int, raw: bytes, proof: bytes
) -> str | None:
    """Work a transaction's proof out anew; returns what is wrong with it, None if it holds."""
    check = _CHECKS.get(family)
    if check is None:
        return f"proofs of {family} cannot be read"
    try:
        check(header, Hash(block_hash), Hash(txid), position, raw, proof)
    except ValueError as error:
        return str(error)
    return None


def contradicted(family: str, raw: bytes, moves: Sequence[Shown]) -> str | None:
    """Hold movements that are called PROVEN against the transaction's bytes; returns what differs, None if nothing."""
    if family != "bitcoin":
        return None
    transaction = parse(raw)
    for move in moves:
        where = f"{move.kind.name.lower()} {move.index}"
        if move.kind is Kind.OUT:
            made = transaction.outputs[move.index] if move.index < len(transaction.outputs) else None
            if made != (move.amount, move.holder):
                return f"its bytes do not show {where} as it is stored"
        elif move.kind is Kind.IN:
            spent = transaction.inputs[move.index][0] if move.index < len(transaction.inputs) else None
            if spent != move.spends or not move.fits:
                return f"its bytes do not show {where} as it is stored"
    return None
