"""Whether stored bytes still show a stored transaction and its movements, for every chain family. Pure."""

from collections.abc import Callable, Sequence

from tracer.proof import bitcoin
from tracer.proof.ethereum import prove_transaction
from tracer.proof.shown import Shown, differs_from_account, differs_from_coins
from tracer.proof.transactions import parse
from tracer.types import Hash

Check = Callable[[bytes, Hash, Hash, int, bytes, bytes, Sequence[Shown]], str | None]
"""(header, block hash, txid, position, raw, proof, movements) -> what differs; or raises ValueError with the reason."""


def recheck(
    family: str,
    header: bytes,
    block_hash: bytes,
    txid: bytes,
    position: int,
    raw: bytes,
    proof: bytes,
    moves: Sequence[Shown] = (),
) -> str | None:
    """Work a transaction's proof out anew, and hold movements that are called PROVEN against what it proves.

    Returns what is wrong, None if all holds.
    """
    check = _CHECKS.get(family)
    if check is None:
        return f"proofs of {family} cannot be read"
    try:
        return check(header, Hash(block_hash), Hash(txid), position, raw, proof, moves)
    except ValueError as error:
        return str(error)


def _bitcoin(
    header: bytes, block: Hash, txid: Hash, position: int, raw: bytes, proof: bytes, moves: Sequence[Shown]
) -> str | None:
    bitcoin.check(header, block, txid, position, raw, proof)
    return differs_from_coins(parse(raw), moves)


def _ethereum(
    header: bytes, block: Hash, txid: Hash, position: int, raw: bytes, proof: bytes, moves: Sequence[Shown]
) -> str | None:
    return differs_from_account(prove_transaction(header, block, txid, position, raw, proof), moves)


_CHECKS: dict[str, Check] = {"bitcoin": _bitcoin, "ethereum": _ethereum}
