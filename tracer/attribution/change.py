"""Which output of a transaction is its change: what goes back to whoever pays. Pure.

Signs after S. Meiklejohn et al., "A fistful of Bitcoins" (2013), and M. Möser and A. Narayanan, "Resurrecting address
clustering in Bitcoin" (2022): address reuse, script type, and the shape of the amounts. The sign that an address is
fresh needs the whole chain, which a store of custody facts does not have.
"""

from tracer.attribution.nouns import CHANGE, HIGH, LOW, MEDIUM, Link, TxShape, distinct, script_type

VERSION = "1"
ROUNDER = 3
"""A payment counts as round if it ends in so many more zeros than the change."""


def change(tx: TxShape, mixed: bool, rounder: int = ROUNDER) -> Link | None:
    """Link the input holders with the change; None unless all signs that speak name one and the same output.

    mixed: it is a coinjoin, where everybody has change. An output back to an input's holder decides alone.
    """
    outputs = tx.payable
    if mixed or len(outputs) < 2 or not tx.inputs:
        return None
    owners = {coin.holder for coin in tx.inputs}
    back = [i for i in outputs if tx.outputs[i].holder in owners]
    if back:
        if len(back) > 1:
            return None
        return _link(tx, back[0], rounder, HIGH, "it goes back to a holder that pays")
    signs = {"script type": _same_type(tx), "roundness": _odd_one(tx, rounder), "size": _smallest(tx)}
    said = {sign: place for sign, place in signs.items() if place is not None}
    if len(set(said.values())) != 1:
        return None
    place = next(iter(said.values()))
    return _link(tx, place, rounder, MEDIUM if len(said) > 1 else LOW, f"only it fits by {' and '.join(said)}")


def _link(tx: TxShape, place: int, rounder: int, confidence: str, why: str) -> Link:
    holders = tuple(dict.fromkeys((*distinct(tx.inputs), tx.outputs[place].holder)))
    parameters: tuple[tuple[str, int | str], ...] = (("output", place), ("rounder", rounder))
    return Link(CHANGE, VERSION, "one owner", tx.txid, holders, parameters, confidence, f"output {place}: {why}")


def _only(places: list[int]) -> int | None:
    return places[0] if len(places) == 1 else None


def _same_type(tx: TxShape) -> int | None:
    """The one output of the type that all inputs have."""
    kinds = {script_type(coin.holder) for coin in tx.inputs}
    if len(kinds) != 1:
        return None
    return _only([i for i in tx.payable if script_type(tx.outputs[i].holder) in kinds])


def _odd_one(tx: TxShape, rounder: int) -> int | None:
    """The one output that is not round, where all others end in `rounder` more zeros."""
    zeros = {i: _zeros(tx.outputs[i].amount) for i in tx.payable}
    least = min(zeros.values())
    place = _only([i for i in zeros if zeros[i] == least])
    others = [zeros[i] for i in zeros if i != place]
    return place if place is not None and min(others) >= least + rounder else None


def _smallest(tx: TxShape) -> int | None:
    """The one output that is smaller than every input: for a larger one an input could have been left out."""
    if len(tx.inputs) < 2:
        return None
    least = min(coin.amount for coin in tx.inputs)
    return _only([i for i in tx.payable if tx.outputs[i].amount < least])


def _zeros(amount: int) -> int:
    text = str(amount)
    return len(text) - len(text.rstrip("0"))
