"""Makes up a chain of a million transactions, from a seed, and writes it as a real store: `python -m
benchmarks.trace.generate FILE`.

Wallets spend mostly recent coins and pay strangers or one of a few hubs, which pay many and gather what they got. A
part of the money comes from before the first block, by inputs whose coins are not stored. Raw transactions are short
placeholders: no engine reads them.
"""

import argparse
import math
import sys
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random

BLOCKS, PER_BLOCK = 500, 2000
FIRST_COINS = 20_000
HUBS = 40
OLDEST = 400_000
"""How far back a wallet looks for its coins, in coins."""


@dataclass(slots=True)
class Chain:
    """A chain in flat arrays: per transaction, input (-1: a coin from before) and output."""

    heights: "array[int]" = field(default_factory=lambda: array("i"))
    positions: "array[int]" = field(default_factory=lambda: array("i"))
    inputs: "array[int]" = field(default_factory=lambda: array("i"))
    outputs: "array[int]" = field(default_factory=lambda: array("i"))
    coins: "array[int]" = field(default_factory=lambda: array("i"))
    in_amounts: "array[int]" = field(default_factory=lambda: array("q"))
    owners: "array[int]" = field(default_factory=lambda: array("i"))
    amounts: "array[int]" = field(default_factory=lambda: array("q"))
    sources: list[int] = field(default_factory=list)


Say = Callable[[str], object]


class Economy:
    """Makes transactions one after the other."""

    def __init__(self, seed: str, blocks: int, per_block: int, sources: int) -> None:
        self.random = Random(seed)
        self.chain = Chain()
        self.spent = bytearray()
        self.wallets: dict[int, list[int]] = {}
        self.people = HUBS
        self.blocks, self.per_block = blocks, per_block
        self.seized_in = sorted(self.random.sample(range(1, max(blocks // 10, sources) + 1), sources))

    def run(self) -> Chain:
        """Make all blocks."""
        for height in range(self.blocks):
            self._coinbase(height)
            for position in range(1, self.per_block):
                if position == 1 and height in self.seized_in:
                    self._theft(height, position)
                else:
                    self._transaction(height, position)
        return self.chain

    def _theft(self, height: int, position: int) -> None:
        """Let a large coin from before appear at a thief, and name it a source."""
        amount = self.random.randrange(20_000_000_000, 300_000_000_000)
        self.chain.sources.append(len(self.chain.amounts))
        self._note(height, position, [(-1, amount + 5000)], [(self._new(), amount)])

    def _note(self, height: int, position: int, spent: list[tuple[int, int]], made: list[tuple[int, int]]) -> None:
        chain = self.chain
        chain.heights.append(height)
        chain.positions.append(position)
        chain.inputs.append(len(spent))
        chain.outputs.append(len(made))
        for coin, amount in spent:
            chain.coins.append(coin)
            chain.in_amounts.append(amount)
            if coin >= 0:
                self.spent[coin] = 1
        for owner, amount in made:
            self.wallets.setdefault(owner, []).append(len(chain.amounts))
            chain.owners.append(owner)
            chain.amounts.append(amount)
            self.spent.append(0)

    def _coinbase(self, height: int) -> None:
        miner = self.random.randrange(HUBS)
        made = [(miner, 312_500_000 + self.random.randrange(20_000_000))]
        if not height:
            made += [(self._new(), self._amount()) for _ in range(FIRST_COINS)]
        self._note(height, 0, [], made)

    def _new(self) -> int:
        self.people += 1
        return self.people

    def _amount(self) -> int:
        """An amount as they occur: from dust to hundreds of bitcoin."""
        return max(1000, min(10**11, round(math.exp(self.random.gauss(15.5, 2.2)))))

    def _payee(self) -> int:
        chance = self.random.random()
        if chance < 0.12:
            return self.random.randrange(HUBS)
        return self._new() if chance < 0.25 else self.random.randint(HUBS, self.people)

    def _transaction(self, height: int, position: int) -> None:
        random, amounts = self.random, self.chain.amounts
        first = self._pick() if random.random() > 0.03 else None
        if first is None:
            spent, payer = [(-1, self._amount())], self._new()
        else:
            payer = self.chain.owners[first]
            chance = random.random()
            more = (
                random.randint(20, 200) if chance < 0.03 else random.choice((1, 1, 1, 2, 3, 5)) if chance < 0.6 else 0
            )
            spent = [(coin, amounts[coin]) for coin in [first, *self._others(payer, first, more)]]
        left = sum(amount for _, amount in spent)
        count = self._how_many(len(spent), left)
        rate = random.choice((2, 3, 5, 8, 12, 20, 35))
        left -= min(left // 2, rate * (11 + 68 * len(spent) + 31 * count))
        made = []
        for number in range(count - 1):
            part = int(left * random.random() ** 2) if count <= 3 else left // (2 * (count - number))
            part = min(max(part, 546), left - 546)
            made.append((self._payee(), part))
            left -= part
        made.append((payer if count > 1 or len(spent) > 5 else self._payee(), left))
        random.shuffle(made)
        self._note(height, position, spent, made)

    def _how_many(self, spent: int, left: int) -> int:
        """How many outputs a transaction has: one gathers or sweeps, most pay one and keep the change."""
        random = self.random
        chance = random.random()
        if spent > 10 or left < 3000:
            return 1
        if chance < 0.1:
            return 1
        if chance < 0.9:
            return 2
        if chance < 0.995:
            return random.randint(3, 4)
        return random.randint(10, 90) if left > 200_000 else 2

    def _pick(self) -> int | None:
        """An unspent coin: mostly a recent one."""
        random, count = self.random, len(self.chain.amounts)
        for _ in range(40):
            back = random.expovariate(1 / 9000) if random.random() < 0.75 else random.random() * min(count, OLDEST)
            coin = count - 1 - int(back)
            if coin >= 0 and not self.spent[coin] and self.chain.amounts[coin] > 1000:
                return coin
        return None

    def _others(self, owner: int, first: int, most: int) -> list[int]:
        """Further coins of a wallet."""
        if not most:
            return []
        mine = [coin for coin in self.wallets[owner] if not self.spent[coin] and coin != first]
        self.wallets[owner] = [*mine, first]
        return mine[:most]


def make(seed: str = "1", blocks: int = BLOCKS, per_block: int = PER_BLOCK, sources: int = 10) -> Chain:
    """Make up a chain."""
    return Economy(seed, blocks, per_block, sources).run()


def main() -> int:
    """Write a store."""
    from benchmarks.trace.store import write

    parser = argparse.ArgumentParser(prog="python -m benchmarks.trace.generate", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument("--per-block", type=int, default=PER_BLOCK)
    given = parser.parse_args()
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {line}", file=sys.stderr)

    write(make(given.seed, given.blocks, given.per_block), given.file, say)
    return 0


def name(kind: str, number: int) -> bytes:
    """A made-up hash."""
    return sha256(f"{kind} {number}".encode()).digest()


if __name__ == "__main__":
    sys.exit(main())
