"""A made-up ledger with owners: who holds what, who made which transaction; knows nothing of the heuristics."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
Coins = Sequence[tuple[str, int]]

TYPES = ("w", "w", "w", "w", "t", "t", "s", "k")
"""Script types as wallets use them: p2wpkh, p2tr, p2sh, p2pkh; more often the more often they stand here."""


@dataclass
class World:
    """What happened, by a seed. holders are written as type and number, such as w17; `a` is an account.

    owner: who benefits from what a holder has: a customer of a service for a deposit address, not the service.
    """

    seed: int
    rng: random.Random = field(init=False)
    txs: list[Row] = field(default_factory=list)
    payments: list[list[Any]] = field(default_factory=list)
    owner: dict[str, int] = field(default_factory=dict)
    known: list[str] = field(default_factory=list)
    deposits: dict[str, str] = field(default_factory=dict)
    people: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def person(self) -> int:
        """Somebody new."""
        self.people += 1
        return self.people

    def holder(self, owner: int, kind: str | None = None) -> str:
        """A new address of somebody."""
        name = f"{kind or self.rng.choice(TYPES)}{len(self.owner)}"
        self.owner[name] = owner
        return name

    def amount(self, least: int = 50_000, most: int = 500_000_000) -> int:
        """An amount of no particular shape, small ones more often."""
        return int(least * (most / least) ** self.rng.random()) | 1

    def fee(self, ins: int, outs: int) -> int:
        """What such a transaction costs."""
        return (11 + 68 * ins + 31 * outs) * self.rng.randint(1, 40)

    def tx(self, case: str, ins: Coins, outs: Coins, **truth: Any) -> int:
        """Note a transaction; returns its number. truth: `mixed`, `change` (an index), `peel`, `spends`, `at`."""
        assert sum(n for _, n in ins) >= sum(n for _, n in outs) and all(n > 0 for _, n in outs), case
        number = len(self.txs) + 1
        ins, outs = [list(coin) for coin in ins], [list(coin) for coin in outs]  # type: ignore[misc]
        self.txs.append({"n": number, "case": case, "in": ins, "out": outs, **truth})
        return number

    def data(self) -> Row:
        """All of it."""
        return {
            "seed": self.seed,
            "txs": self.txs,
            "payments": self.payments,
            "owner": self.owner,
            "known": self.known,
            "deposits": self.deposits,
        }
