"""Transactions that were announced before their block, so that a block need not be asked for with all of them. Pure.

Handing out a block with whole transactions costs some nodes far more than its header, logs and traces: anvil recovers
every signer anew. Nothing here is believed: a transaction is kept if its bytes have its hash and its signature its
sender, and the block's root decides in the end, as for a block that was asked for.
"""

from typing import Any

from tracer.proof.keccak import keccak
from tracer.proof.transaction import encode_transaction, sender
from tracer.proof.trie import BadProof

Json = dict[str, Any]

KEPT = 5_000


class Pending:
    """The newest announced transactions, by hash."""

    def __init__(self) -> None:
        self._known: dict[str, Json] = {}

    def take(self, told: Json) -> None:
        """Keep a transaction as the node announced it, unless it is not what it says; its sender is recovered now."""
        try:
            signed = encode_transaction(told)
            stands = keccak(signed.raw).hex() == told["hash"][2:] and sender(signed).hex() == told["from"][2:].lower()
        except (BadProof, KeyError, TypeError, AttributeError):
            return
        if stands:
            self._known[told["hash"]] = told
            if len(self._known) > KEPT:
                del self._known[next(iter(self._known))]

    def filled(self, header: Json) -> Json | None:
        """Put the transactions into a block that names only their hashes; None if one of them was not announced."""
        try:
            return {**header, "transactions": [self._known[name] for name in header["transactions"]]}
        except (KeyError, TypeError):
            return None
