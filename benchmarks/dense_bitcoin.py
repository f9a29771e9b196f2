"""Builds a dense regtest chain on a real bitcoind, block by block in Python, the same at every run.

Lanes of coins pay strangers; one transaction in a hundred concerns the case: deposits at watched exchange scripts, and
seized coins that go to the authority by a leg, by a leg in two parts, or to strangers who split and deposit them.
"""

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from benchmarks.bitcoin_blocks import Coin, Tx, block, coinbase, output, script_of, tag_of, transaction
from benchmarks.story import AUTHORITIES, PlannedLeg, Played, Size, decimal
from fixtures.bitcoind import Bitcoind

GENESIS = bytes.fromhex("0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206")[::-1]
FIRST_TIME = 1_700_000_000
SPACING_S = 600
MATURITY = 101
FINAL_BLOCKS = 6
REWARD = 50 * 10**8
PAID, FEE = 3_000, 300
SEIZED_COIN, FIRST_PART, HELPER_COIN = 100_000, 40_000, 5_000


@dataclass(slots=True)
class _Chain:
    node: Bitcoind
    height: int = 0
    tip: bytes = GENESIS
    reward: Coin = field(default_factory=lambda: Coin(b"", b"", 0))

    def add(self, txs: list[Tx]) -> None:
        """Mine a block of exactly these transactions."""
        self.node.submit_block(self.make(txs))

    def make(self, txs: list[Tx]) -> str:
        """Put the next block together, in hex; the node does not get it."""
        self.height += 1
        tag = tag_of("reward", self.height)
        amount = REWARD >> (self.height // 150)
        first = coinbase(self.height, amount, script_of(tag), [tx.wtxid for tx in txs])
        raw, self.tip = block(self.tip, FIRST_TIME + self.height * SPACING_S, [first, *txs])
        if self.height == 1:
            self.reward = first.coin(0, tag, amount)
        return raw.hex()


def holders(size: Size) -> dict[str, list[bytes]]:
    """Derive the tags of the watched holders by role."""
    counts = {"seized": size.seized, "authority": AUTHORITIES, "exchange": size.exchanges}
    return {role: [tag_of(size.seed, role, n) for n in range(count)] for role, count in counts.items()}


def build(
    node: Bitcoind, size: Size, tags: dict[str, list[bytes]], progress: Callable[[int], None]
) -> tuple[Played, list[str]]:
    """Build the chain; returns what was played on it and is played by the live blocks, and those, in hex."""
    chain = _Chain(node)
    for _ in range(MATURITY):
        chain.add([])
    play = _Play(size, tags)
    chain.add([play.fund(chain.reward)])
    seizure = chain.height
    for number in range(size.blocks):
        chain.add(play.block(number))
        progress(number + 1)
    for _ in range(FINAL_BLOCKS):
        chain.add([])
    fulfilled, live = play.fulfilled, list[str]()
    for number in range(size.blocks, size.blocks + size.live):
        live.append(chain.make(play.block(number)))
        progress(number + 1)
    last = seizure + size.blocks
    return Played("bitcoin", seizure + 1, last, seizure, tuple(play.legs), fulfilled, play.fulfilled), live


class _Play:
    """The state of the story: the lanes' newest coins, and what is still to happen to seized coins."""

    def __init__(self, size: Size, tags: dict[str, list[bytes]]) -> None:
        self.size = size
        self.scripts = {role: [script_of(t) for t in tags[role]] for role in ("seized", "authority")}
        self.tags = tags
        self.random = random.Random(size.seed)
        self.lanes: list[Coin] = []
        self.lane_scripts: list[bytes] = []
        self.seized: deque[tuple[int, Coin]] = deque()
        self.helpers: deque[Coin] = deque()
        self.parts: deque[tuple[int, int, Coin]] = deque()
        self.leaked: deque[Coin] = deque()
        self.split: deque[Coin] = deque()
        self.legs: list[PlannedLeg] = []
        self.fulfilled = 0
        self.debits = 0

    def fund(self, reward: Coin) -> Tx:
        """Split the first reward into the lanes, the seized coins, and helpers that pay along with them."""
        seed, lanes, debits = self.size.seed, self.size.txs, self.size.seized
        lane = (reward.amount - debits * (SEIZED_COIN + HELPER_COIN)) // lanes - 100
        blocks = self.size.blocks + self.size.live
        if lane < blocks * (PAID + FEE) + 1000:
            raise ValueError(f"{blocks} blocks of {lanes} transactions need more than one reward")
        lane_tags = [tag_of(seed, "lane", n) for n in range(lanes)]
        helper_tags = [tag_of(seed, "helper", n) for n in range(debits)]
        self.lane_scripts = [script_of(tag) for tag in lane_tags]
        plan = [(lane, tag, script) for tag, script in zip(lane_tags, self.lane_scripts, strict=True)]
        plan += [(SEIZED_COIN, t, s) for t, s in zip(self.tags["seized"], self.scripts["seized"], strict=True)]
        plan += [(HELPER_COIN, tag, script_of(tag)) for tag in helper_tags]
        tx = transaction([reward], [output(amount, script) for amount, _, script in plan])
        coins = [tx.coin(index, tag, amount) for index, (amount, tag, _) in enumerate(plan)]
        self.lanes = coins[:lanes]
        self.seized.extend(enumerate(coins[lanes : lanes + debits]))
        self.helpers.extend(coins[lanes + debits :])
        return tx

    def block(self, number: int) -> list[Tx]:
        """The transactions of one dense block."""
        leaked, split = list(self.leaked), list(self.split)
        self.leaked.clear()
        self.split.clear()
        special = [self.debit() for _ in range(self.size.debits_in(number))]
        special += [self.hop(coin) for coin in leaked] + [self.deposit(coin) for coin in split]
        places = set(self.random.sample(range(self.size.txs), self.size.hits_in(number)))
        hits, lane = iter(special), 0
        txs: list[Tx] = []
        for place in range(self.size.txs):
            if place not in places:
                payee = b"\x00\x20" + sha256(b"%d/%d/%s" % (number, place, self.size.seed.encode())).digest()
                txs.append(self.pay(lane, payee))
                lane += 1
            elif (tx := next(hits, None)) is not None:
                txs.append(tx)
            else:
                txs.append(self.pay(lane, script_of(self.random.choice(self.tags["exchange"]))))
                lane += 1
        return txs + list(hits)

    def pay(self, lane: int, payee: bytes) -> Tx:
        """Let a lane pay somebody, and go on with its change."""
        coin = self.lanes[lane]
        rest = coin.amount - PAID - FEE
        tx = transaction([coin], [output(PAID, payee), output(rest, self.lane_scripts[lane])])
        self.lanes[lane] = tx.coin(1, coin.tag, rest)
        return tx

    def debit(self) -> Tx:
        """Take seized value: all of a leg, a part of a leg, the rest of it, or a leak; every other with a helper."""
        turn, self.debits = self.debits % 4, self.debits + 1
        authority = self.debits % AUTHORITIES
        script = self.scripts["authority"][authority]
        if turn == 3 and self.parts:
            seized, authority, coin = self.parts.popleft()
            self.fulfilled += 1
            return self.spend(coin, [output(coin.amount - FEE, self.scripts["authority"][authority])])
        seized, coin = self.seized.popleft()
        if turn == 2:
            tag = tag_of(self.size.seed, "stranger", self.debits)
            tx = self.spend(coin, [output(SEIZED_COIN - FEE, script_of(tag))])
            self.leaked.append(tx.coin(0, tag, SEIZED_COIN - FEE))
            return tx
        if turn == 1:
            rest = SEIZED_COIN - FIRST_PART - FEE
            tx = self.spend(coin, [output(FIRST_PART, script), output(rest, self.scripts["seized"][seized])])
            self.parts.append((seized, authority, tx.coin(1, coin.tag, rest)))
            self.plan(seized, authority, FIRST_PART + rest - FEE)
            return tx
        self.plan(seized, authority, SEIZED_COIN - FEE)
        self.fulfilled += 1
        return self.spend(coin, [output(SEIZED_COIN - FEE, script)])

    def spend(self, coin: Coin, outputs: list[bytes]) -> Tx:
        """Spend a seized coin, every other time together with a helper's, which is left as fee."""
        coins = [coin, self.helpers.popleft()] if self.debits % 2 and self.helpers else [coin]
        return transaction(coins, outputs)

    def plan(self, seized: int, authority: int, amount: int) -> None:
        """Declare a leg."""
        fee = decimal(2 * (FEE + HELPER_COIN), 8)
        self.legs.append(PlannedLeg(seized, authority, "bitcoin:BTC", decimal(amount, 8), fee))

    def hop(self, coin: Coin) -> Tx:
        """Let a stranger split what leaked."""
        tags = [tag_of(coin.point.hex(), n) for n in range(2)]
        half = (coin.amount - FEE) // 2
        tx = transaction([coin], [output(half, script_of(tag)) for tag in tags])
        self.split.append(tx.coin(0, tags[0], half))
        return tx

    def deposit(self, coin: Coin) -> Tx:
        """Let a stranger deposit it at an exchange."""
        return transaction([coin], [output(coin.amount - FEE, script_of(self.random.choice(self.tags["exchange"])))])


def lists(tags: dict[str, list[bytes]]) -> Iterator[tuple[str, list[str]]]:
    """The watched scripts by role, in hex, as a case's list files want them."""
    for role, members in tags.items():
        yield role, [script_of(tag).hex() for tag in members]
