"""Deposit addresses: holders that pass nearly all they receive to one known address of an exchange. Pure.

After F. Victor, "Address clustering heuristics for Ethereum" (2020), where it is by far the most effective one. The
parameters are ours. Whoever empties an own address into an exchange's labelled address looks the same.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from tracer.attribution.nouns import DEPOSIT, LOW, MEDIUM, Link, Payment, TxShape

VERSION = "1"
SHARE = 90
"""Percent of what came in that must have gone on, of each asset."""

WITHIN = 3_200
"""Blocks at most from the first payment in to the last one out."""


@dataclass(slots=True)
class _Flow:
    """What went through a holder, of one asset."""

    came: int = 0
    went: int = 0
    targets: dict[bytes | None, bytes] = field(default_factory=dict)  # whom it paid, and the last transaction
    sources: set[bytes | None] = field(default_factory=set)
    heights: list[int] = field(default_factory=list)


def deposit(
    payments: Iterable[Payment], known: Collection[bytes], share: int = SHARE, within: int = WITHIN
) -> tuple[Link, ...]:
    """Link holders with the one exchange address among `known` to which they pass at least `share` percent.

    A holder that ever paid anybody else of that asset, or was paid by `known` of it, is none.
    """
    flows: dict[tuple[bytes, str], _Flow] = {}
    for pay in payments:
        if pay.target is not None and pay.target not in known:
            flow = flows.setdefault((pay.target, pay.asset), _Flow())
            flow.came += pay.amount
            flow.sources.add(pay.source)
            flow.heights.append(pay.at)
        if pay.source is not None and pay.source not in known:
            flow = flows.setdefault((pay.source, pay.asset), _Flow())
            flow.went += pay.amount
            flow.targets[pay.target] = pay.txid
            flow.heights.append(pay.at)
    return tuple(_links(flows, known, share, within))


def _links(flows: dict[tuple[bytes, str], _Flow], known: Collection[bytes], share: int, within: int) -> Iterator[Link]:
    parameters: tuple[tuple[str, int | str], ...] = (("share_percent", share), ("within_blocks", within))
    for (holder, asset), flow in flows.items():
        if len(flow.targets) != 1 or not flow.came or flow.sources & set(known):
            continue
        [(target, txid)] = flow.targets.items()
        if target is None or target not in known or flow.went * 100 < flow.came * share:
            continue
        if max(flow.heights) - min(flow.heights) > within:
            continue
        times = len(flow.heights)
        confidence = MEDIUM if times > 2 else LOW
        said = f"it passed on {flow.went} of {flow.came} base units of {asset}, in {times} payments in all"
        yield Link(DEPOSIT, VERSION, "deposit address", txid, (holder, target), parameters, confidence, said)


def payments_of(txs: Iterable[tuple[TxShape, int]], known: Collection[bytes], asset: str) -> Iterator[Payment]:
    """Read transactions of coins (each with its height) as payments, for chains of coins.

    Whoever has an input pays all of it: to a holder in `known` if nobody else is paid, else to nobody that is known.
    """
    for tx, at in txs:
        paid = {tx.outputs[i].holder for i in tx.payable}
        target = next(iter(paid)) if len(paid) == 1 and paid <= set(known) else None
        for holder, amount in tx.inputs:
            yield Payment(tx.txid, holder, target, asset, amount, at)
        for i in tx.payable:
            yield Payment(tx.txid, None, tx.outputs[i].holder, asset, tx.outputs[i].amount, at)
