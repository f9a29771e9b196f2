"""Which transactions have the shape of a coinjoin, so that their inputs are of many people. Pure.

Published shapes: M. Möser and R. Böhme, "Join me on a market for anonymity" (2016), for JoinMarket; R. Stütz et al.,
"Adoption and actual privacy of decentralized CoinJoin implementations in Bitcoin" (2022, arXiv 2109.10229) and
H. Schnoering and M. Vazirgiannis, "Heuristics for detecting CoinJoin transactions" (2023, arXiv 2311.12491) for all;
Samourai's "Surge Cycles" (2023) for Whirlpool with up to eight; the standard denominations of WabiSabi clients.
A shape is not a proof: anybody can build a transaction that has it.
"""

from collections import Counter
from collections.abc import Sequence

from tracer.attribution.nouns import COINJOIN, HIGH, LOW, MEDIUM, Coin, Link, TxShape, distinct, script_type

VERSION = "1"
WHIRLPOOL_POOLS = (100_000, 1_000_000, 5_000_000, 50_000_000)
WHIRLPOOL_SIZES = (5, 8)
WHIRLPOOL_MOST_ABOVE = 110_000
"""Satoshi: what a new entrant brings above the pool's amount, for the miner."""

WASABI1_BASE, WASABI1_SPREAD, WASABI1_LEAST = 10_000_000, 2_000_000, 10
WASABI2_LEAST_INPUTS, WASABI2_SHARE = 50, 80
JOINMARKET_LEAST = 3
DUST = 2_730
WITNESS = ("p2wpkh", "p2tr")
MOST_TRIES = 5_000


def coinjoin(tx: TxShape) -> Link | None:
    """Say whether a transaction has the shape of a coinjoin, and of which kind: the strictest shape that fits."""
    for shape in (_whirlpool, _wasabi2, _wasabi1, _joinmarket):
        found = shape(tx)
        if found is not None:
            kind, parameters, confidence, reason = found
            return Link(
                COINJOIN,
                VERSION,
                "mixed",
                tx.txid,
                distinct(tx.inputs),
                (("shape", kind), *parameters),
                confidence,
                reason,
            )
    return None


Found = tuple[str, tuple[tuple[str, int | str], ...], str, str]


def _whirlpool(tx: TxShape) -> Found | None:
    """As many inputs as outputs, all outputs worth the pool's amount, all holders different."""
    size, (least, most) = len(tx.outputs), WHIRLPOOL_SIZES
    if not least <= size <= most or len(tx.inputs) != size or len({coin.amount for coin in tx.outputs}) != 1:
        return None
    pool = tx.outputs[0].amount
    if pool not in WHIRLPOOL_POOLS or len({coin.holder for coin in (*tx.inputs, *tx.outputs)}) != 2 * size:
        return None
    if not all(pool <= coin.amount <= pool + WHIRLPOOL_MOST_ABOVE for coin in tx.inputs):
        return None
    parameters = (("pool", pool), ("most_above", WHIRLPOOL_MOST_ABOVE))
    return "whirlpool", parameters, HIGH, f"{size} inputs and {size} outputs of the pool amount {pool}"


def _wasabi2(tx: TxShape) -> Found | None:
    """Many inputs; both sides in descending order, of single-key witness types; mostly standard denominations."""
    if len(tx.inputs) < WASABI2_LEAST_INPUTS or not all(map(_witness, (*tx.inputs, *tx.outputs))):
        return None
    for side in (tx.inputs, tx.outputs):
        amounts = [coin.amount for coin in side]
        if amounts != sorted(amounts, reverse=True):
            return None
    standard = sum(coin.amount in DENOMINATIONS for coin in tx.outputs)
    if standard * 100 <= len(tx.outputs) * WASABI2_SHARE:
        return None
    parameters = (("least_inputs", WASABI2_LEAST_INPUTS), ("standard_percent", WASABI2_SHARE))
    said = f"{len(tx.inputs)} inputs, {standard} of {len(tx.outputs)} outputs are standard denominations, in order"
    return "wasabi2", parameters, HIGH, said


def _wasabi1(tx: TxShape) -> Found | None:
    """Ten or more equal outputs of about 0.1 BTC, not fewer inputs, and change of several sizes."""
    amount, count = _commonest(tx)
    if count < WASABI1_LEAST or abs(amount - WASABI1_BASE) > WASABI1_SPREAD or len(tx.inputs) < count:
        return None
    if len({coin.amount for coin in tx.outputs}) < 3 or not all(map(_witness, tx.outputs)):
        return None
    if len(distinct(tx.outputs)) != len(tx.outputs):
        return None
    parameters = (("base", WASABI1_BASE), ("spread", WASABI1_SPREAD), ("least_equal", WASABI1_LEAST))
    return "wasabi1", parameters, HIGH, f"{count} equal outputs of {amount}, {len(tx.inputs)} inputs"


def _joinmarket(tx: TxShape) -> Found | None:
    """Equal outputs to n participants, and change to all, or all but one; the inputs can be shared out among them."""
    amount, count = _commonest(tx)
    if count < JOINMARKET_LEAST or amount <= DUST or len(tx.outputs) not in (2 * count - 1, 2 * count):
        return None
    if len(distinct(tx.inputs)) < count or len(distinct(tx.outputs)) != len(tx.outputs):
        return None
    if {coin.holder for coin in tx.inputs} & {coin.holder for coin in tx.outputs}:
        return None
    change = [coin.amount for coin in tx.outputs if coin.amount != amount]
    needs = [amount + rest for rest in (*change, *([0] * (count - len(change))))]
    shared = shares_out(_by_holder(tx.inputs), [need - max(10_000, need // 100) for need in needs])
    if shared is False:
        return None
    parameters = (("least_equal", JOINMARKET_LEAST), ("most_tries", MOST_TRIES))
    said = f"{count} equal outputs of {amount} and {len(change)} others"
    if shared is None:
        return "joinmarket", parameters, LOW, f"{said}; whether the inputs can be shared out was not decided"
    return "joinmarket", parameters, MEDIUM, f"{said}, and the inputs can be shared out among {count}"


def shares_out(funds: Sequence[int], needs: Sequence[int], tries: int = MOST_TRIES) -> bool | None:
    """Can some funds be dealt out so that every need is met? None: not decided within `tries`.

    >>> shares_out([5, 3, 2], [5, 5]), shares_out([8, 1, 1], [5, 5])
    (True, False)
    """
    largest = sorted(funds, reverse=True)
    left = [sum(largest[i:]) for i in range(len(largest) + 1)]

    def deal(place: int, open_: tuple[int, ...]) -> bool | None:
        nonlocal tries
        open_ = tuple(sorted((need for need in open_ if need > 0), reverse=True))
        if not open_ or sum(open_) > left[place]:
            return not open_
        tries -= 1
        if tries < 0 or place > 200:
            return None
        for i, need in enumerate(open_):
            if need not in open_[:i]:
                met = deal(place + 1, (*open_[:i], need - largest[place], *open_[i + 1 :]))
                if met is not False:
                    return met
        return False

    return deal(0, tuple(needs))


def _commonest(tx: TxShape) -> tuple[int, int]:
    """The amount that most outputs have, and how many; the larger amount of two."""
    counts = Counter(coin.amount for coin in tx.outputs)
    amount = max(counts, key=lambda one: (counts[one], one), default=0)
    return amount, counts[amount]


def _by_holder(coins: tuple[Coin, ...]) -> list[int]:
    sums: dict[bytes, int] = {}
    for holder, amount in coins:
        sums[holder] = sums.get(holder, 0) + amount
    return list(sums.values())


def _witness(coin: Coin) -> bool:
    return script_type(coin.holder) in WITNESS


def _denominations(least: int = 5_000, most: int = 134_375_000_000) -> frozenset[int]:
    """The standard denominations: powers of two; of three, and twice that; of ten, and twice and five times that."""
    families = ((2, (1,)), (3, (1, 2)), (10, (1, 2, 5)))
    every = {times * base**power for base, factors in families for times in factors for power in range(38)}
    return frozenset(one for one in every if least <= one <= most)


DENOMINATIONS = _denominations()
