"""Runs the heuristics that are switched on over some transactions and payments, and says what they link. Pure."""

from collections.abc import Collection, Iterable, Sequence

from tracer.attribution import change, coinjoin, cospend, deposit, peel
from tracer.attribution.nouns import CHANGE, COINJOIN, COSPEND, DEPOSIT, METHODS, PEEL, Link, Payment, TxShape

VERSIONS = {
    COSPEND: cospend.VERSION,
    CHANGE: change.VERSION,
    PEEL: peel.VERSION,
    COINJOIN: coinjoin.VERSION,
    DEPOSIT: deposit.VERSION,
}


def links_of_coins(
    txs: Sequence[TxShape], custodial: Collection[bytes] = frozenset(), methods: Collection[str] = METHODS
) -> list[Link]:
    """What the methods say of whole transactions, deposits left out. custodial: holders of services.

    Coinjoins are told from the others also where that method is off: without that, the others would be wrong.
    """
    joined = {tx.txid: link for tx in txs if (link := coinjoin.coinjoin(tx)) is not None}
    found: list[Link | None] = []
    for tx in txs:
        if COINJOIN in methods:
            found.append(joined.get(tx.txid))
        if COSPEND in methods:
            found.append(cospend.cospend(tx, tx.txid in joined, custodial))
        if CHANGE in methods:
            found.append(change.change(tx, tx.txid in joined))
    if PEEL in methods:
        found += peel.peel(txs, joined.keys())
    return [link for link in found if link is not None]


def links_of_payments(
    payments: Iterable[Payment], known: Collection[bytes], methods: Collection[str] = METHODS
) -> list[Link]:
    """What the methods say of payments between holders; known: addresses of exchanges."""
    return list(deposit.deposit(payments, known)) if DEPOSIT in methods else []
