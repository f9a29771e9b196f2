"""Which holders one transaction spends together, and the clusters that follow. Pure.

Common-input ownership: S. Nakamoto, "Bitcoin" (2008), section 10; F. Reid and M. Harrigan (2011); its limits:
H. Kalodner et al., "BlockSci" (2020), where clusters that swallow services are called supercluster collapse.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from tracer.attribution.nouns import COSPEND, LOW, MEDIUM, Link, TxShape, distinct

VERSION = "1"
MOST_HOLDERS = 100
"""From so many input holders on, a transaction rather sweeps up the coins of a service's customers."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Holders that seem to have one owner, and the transactions that say so."""

    holders: tuple[bytes, ...]
    txids: tuple[bytes, ...]


def cospend(
    tx: TxShape, mixed: bool, custodial: Collection[bytes] = frozenset(), most_holders: int = MOST_HOLDERS
) -> Link | None:
    """Link the input holders of a transaction; None if there are fewer than two, or it is `mixed` (a coinjoin).

    custodial: holders that are known to belong to a service. Where a transaction pays nobody else, or has
    `most_holders` or more, its inputs are of many customers as likely as not: that is said, and merges nothing.
    """
    holders = distinct(tx.inputs)
    if mixed or len(holders) < 2:
        return None
    parameters: tuple[tuple[str, int | str], ...] = (("most_holders", most_holders),)
    paid = {coin.holder for coin in tx.outputs}
    if len(holders) >= most_holders or (paid and paid <= set(custodial)):
        why = f"{len(holders)} holders spend together"
        why += ", as where a service gathers its customers' deposits"
        if paid <= set(custodial):
            why += "; only holders labelled as a service are paid"
        return Link(COSPEND, VERSION, "not merged", tx.txid, holders, parameters, LOW, why)
    sure = MEDIUM if len(tx.payable) <= 2 else LOW  # several people who pay together seldom pay one alone
    said = f"{len(holders)} holders are spent together"
    return Link(COSPEND, VERSION, "one owner", tx.txid, holders, parameters, sure, said)


def clusters(links: Iterable[Link]) -> tuple[Cluster, ...]:
    """Merge the holders of all links that claim one owner; a cluster per group, in order of its first link."""
    said = [link for link in links if link.claim == "one owner"]
    root = union(link.holders for link in said)
    holders: dict[bytes, dict[bytes, None]] = {}
    txids: dict[bytes, dict[bytes, None]] = {}
    for link in said:
        top = root(link.holders[0])
        holders.setdefault(top, {}).update(dict.fromkeys(link.holders))
        txids.setdefault(top, {})[link.txid] = None
    return tuple(Cluster(tuple(holders[top]), tuple(txids[top])) for top in holders)


def union(groups: Iterable[tuple[bytes, ...]]) -> Callable[[bytes], bytes]:
    """Join groups that share a member; returns what names the group of a member (union-find, halving paths)."""
    parent: dict[bytes, bytes] = {}

    def top(one: bytes) -> bytes:
        while parent.setdefault(one, one) != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    for first, *others in groups:
        for other in others:
            parent[top(other)] = top(first)
    return top
