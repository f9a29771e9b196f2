"""Peel chains: a coin that is paid out of again and again, the rest going on each time. Pure.

After S. Meiklejohn et al., "A fistful of Bitcoins" (2013), and H. Kalodner et al., "BlockSci" (2020): one input, two
outputs, and the same again in the transaction that spends the rest.
"""

from collections.abc import Collection, Iterable

from tracer.attribution.nouns import HIGH, LOW, MEDIUM, PEEL, Link, TxShape, distinct, script_type

VERSION = "1"
LEAST_STEPS = 3


def peel(txs: Iterable[TxShape], mixed: Collection[bytes] = (), least: int = LEAST_STEPS) -> tuple[Link, ...]:
    """Link the payer and the rest of every step of chains of `least` steps or more, in order.

    The rest is the larger output, of the script type that pays; the next step spends it alone. mixed: of coinjoins.
    """
    steps = {tx.txid: tx for tx in txs if _is_step(tx) and tx.txid not in mixed}
    after = {tx.spends[0]: tx for tx in steps.values()}
    follow = {after[(txid, rest(tx))].txid for txid, tx in steps.items() if (txid, rest(tx)) in after}
    links: list[Link] = []
    for txid, tx in steps.items():
        if txid in follow:
            continue  # it is reached from where its chain begins
        chain = [tx]
        while (chain[-1].txid, rest(chain[-1])) in after:
            chain.append(after[(chain[-1].txid, rest(chain[-1]))])
        if len(chain) >= least:
            links += [_link(one, place, len(chain), least) for place, one in enumerate(chain, 1)]
    return tuple(links)


def rest(tx: TxShape) -> int:
    """The index of the larger of two outputs."""
    first, second = tx.payable
    return first if tx.outputs[first].amount > tx.outputs[second].amount else second


def _is_step(tx: TxShape) -> bool:
    if len(tx.inputs) != 1 or len(tx.spends) != 1 or len(tx.payable) != 2:
        return False
    first, second = (tx.outputs[i].amount for i in tx.payable)
    return first != second and script_type(tx.outputs[rest(tx)].holder) == script_type(tx.inputs[0].holder)


def _link(tx: TxShape, place: int, steps: int, least: int) -> Link:
    index = rest(tx)
    holders = tuple(dict.fromkeys((*distinct(tx.inputs), tx.outputs[index].holder)))
    confidence = LOW if steps < least + 2 else MEDIUM if steps < 4 * least else HIGH
    parameters: tuple[tuple[str, int | str], ...] = (("output", index), ("least_steps", least))
    said = f"step {place} of {steps}: the larger output, of the same script type, goes on"
    return Link(PEEL, VERSION, "one owner", tx.txid, holders, parameters, confidence, said)
