"""Builds a dense chain on a real anvil: transfers of ether and of a token, some through a contract.

All is fixed: genesis time, block times, senders, nonces, and an order by falling gas prices. One transaction in a
hundred concerns the case: deposits at watched exchange accounts, and seized ether and tokens that go to the authority
by a leg, by a leg in two parts, or to strangers.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address

from benchmarks.story import AUTHORITIES, PlannedLeg, Played, Size, decimal
from fixtures.anvil import Anvil
from fixtures.contracts import artifact

GENESIS_TIME = 1_700_000_000
SPACING_S = 12
EPOCH = 4
STRANGERS = 1000
"""Few, because the node keeps a whole copy of its state for every block."""

FINAL_BLOCKS = 2 * EPOCH
LARGE_TXS = 200
FUNDED_AT_ONCE = 200
HIGHEST_PRICE = 3_000_000_000
GAS = {"ether": 21_000, "token": 70_000, "forward": 70_000, "deploy": 3_000_000}
ETHER = 10**18
PAID_WEI, PAID_UNITS = 10**15, 250_000
SEIZED_WEI, SEIZED_UNITS = ETHER, 5_000_000
LEG_WEI, PART_WEI = 9 * 10**17, 4 * 10**17

Tx = dict[str, Any]
Calls = list[tuple[str, list[Any]]]


def dense_node() -> Anvil:
    """A node that mines only when told to."""
    return Anvil(slots_in_an_epoch=EPOCH, no_mining=True, timestamp=GENESIS_TIME)


def holders(size: Size) -> dict[str, list[str]]:
    """Derive the watched accounts by role."""
    counts = {"seized": size.seized, "authority": AUTHORITIES, "exchange": size.exchanges}
    found = {role: [account(size.seed, role, n) for n in range(count)] for role, count in counts.items()}
    for number in range(debited(size)):
        found["seized"][number] = str(key_of(size.seed, number).address).lower()
    return found


def debited(size: Size) -> int:
    """How many seized accounts are debited; each of them sends and so has a key."""
    debits = sum(size.debits_in(block) for block in range(size.blocks + size.live))
    return sum(turn % 5 != 2 for turn in range(debits)) + 1


def account(*names: object) -> str:
    """Derive an account that nobody holds the key of."""
    return "0x" + sha256("/".join(map(str, names)).encode()).hexdigest()[:40]


def key_of(seed: str, number: int) -> LocalAccount:
    """Derive the key of a seized account that will be debited."""
    signer: LocalAccount = Account.from_key(sha256(f"{seed}/key/{number}".encode()).digest())
    return signer


@dataclass(frozen=True, slots=True)
class Built:
    """The chain as it was built.

    token: the contract. live: the calls that hand in each live block's transactions. large: height of a block of
    `LARGE_TXS` transactions that concern nobody.
    """

    played: Played
    token: str
    live: list[Calls]
    large: int


def build(node: Anvil, size: Size, accounts: dict[str, list[str]], progress: Callable[[int], None]) -> Built:
    """Build the chain."""
    node.rpc("anvil_setBlockTimestampInterval", SPACING_S)
    play = _Play(node, size, accounts)
    play.set_up()
    seizure = node.height()
    for number in range(size.blocks):
        play.mine(play.block(number))
        progress(number + 1)
    play.mine([play.to_stranger(place) for place in range(LARGE_TXS)])
    large = node.height()
    for _ in range(FINAL_BLOCKS):
        play.mine([])
    fulfilled, live = play.fulfilled, list[Calls]()
    for number in range(size.blocks, size.blocks + size.live):
        live.append(play.calls(play.block(number)))
    last = seizure + size.blocks
    played = Played("ethereum", seizure + 1, last, seizure, tuple(play.legs), fulfilled, play.fulfilled)
    return Built(played, play.token, live, large)


class _Play:
    """The state of the story: every sender's next nonce, and what is still to happen to seized value."""

    def __init__(self, node: Anvil, size: Size, accounts: dict[str, list[str]]) -> None:
        self.node, self.size, self.accounts = node, size, accounts
        self.senders = node.accounts
        self.random = random.Random(size.seed)
        keys = (key_of(size.seed, number) for number in range(debited(size)))
        self.keys: dict[str, LocalAccount] = {str(key.address).lower(): key for key in keys}
        self.nonces: dict[str, int] = defaultdict(int)
        self.token = self.forwarder = ""
        self.legs: list[PlannedLeg] = []
        self.fulfilled = self.debits = self.seized = self.credits = 0

    def set_up(self) -> None:
        """Deploy the contracts, and give the seized accounts what they hold."""
        names = encode(["string", "string"], ["Bench Dollar", "BUSD"]).hex()
        first = self.senders[0]
        codes = [artifact("Token")["bytecode"] + names, artifact("Forwarder")["bytecode"]]
        deployed = self.mine([{"from": first, "data": code, "kind": "deploy"} for code in codes])
        self.token, self.forwarder = (str(self.node.receipt(tx)["contractAddress"]).lower() for tx in deployed)
        self.mine(
            [self.call(first, "mint(address,uint256)", ["address", "uint256"], [s, 10**15]) for s in self.senders]
        )
        seized = self.accounts["seized"]
        payers = [self.senders[n % len(self.senders)] for n in range(len(seized))]
        pairs = list(zip(payers, seized, strict=True))
        for start in range(0, len(pairs), FUNDED_AT_ONCE):
            part = pairs[start : start + FUNDED_AT_ONCE]
            self.mine([self.ether(payer, holder, SEIZED_WEI) for payer, holder in part])
            self.mine([self.tokens(payer, holder, SEIZED_UNITS) for payer, holder in part])

    def mine(self, txs: list[Tx]) -> list[str]:
        """Mine a block of exactly these transactions, in this order; returns their hashes."""
        sent = self.node.batch(self.calls(txs))
        self.node.rpc("anvil_mine", "0x1")
        return [str(tx) for tx in sent]

    def calls(self, txs: list[Tx]) -> Calls:
        """How the next transactions are handed in."""
        requests: Calls = []
        for place, tx in enumerate(txs):
            sender, kind = tx["from"], tx.pop("kind")
            tx |= {"nonce": hex(self.nonces[sender]), "gas": hex(GAS[kind]), "gasPrice": hex(HIGHEST_PRICE - place)}
            self.nonces[sender] += 1
            if sender in self.keys:  # a node's impersonation makes hashes that belong to no bytes
                tx |= {"to": to_checksum_address(tx["to"]), "chainId": self.node.chain_id}
                signed = self.keys[sender].sign_transaction({key: tx[key] for key in tx if key != "from"})
                requests.append(("eth_sendRawTransaction", ["0x" + signed.raw_transaction.hex()]))
            else:
                requests.append(("eth_sendTransaction", [tx]))
        return requests

    def ether(self, sender: str, to: str, wei: int) -> Tx:
        """Pay ether."""
        return {"from": sender, "to": to, "value": hex(wei), "kind": "ether"}

    def call(self, sender: str, signature: str, types: list[str], arguments: list[Any]) -> Tx:
        """Call the token."""
        data = "0x" + (function_signature_to_4byte_selector(signature) + encode(types, arguments)).hex()
        return {"from": sender, "to": self.token, "data": data, "kind": "token"}

    def tokens(self, sender: str, to: str, units: int) -> Tx:
        """Pay tokens."""
        return self.call(sender, "transfer(address,uint256)", ["address", "uint256"], [to, units])

    def forward(self, sender: str, to: str, wei: int) -> Tx:
        """Pay ether through a contract."""
        data = "0x" + (function_signature_to_4byte_selector("forward(address)") + encode(["address"], [to])).hex()
        return {"from": sender, "to": self.forwarder, "value": hex(wei), "data": data, "kind": "forward"}

    def block(self, number: int) -> list[Tx]:
        """The transactions of one dense block."""
        places = set(self.random.sample(range(self.size.txs), self.size.hits_in(number)))
        debits = iter(range(self.size.debits_in(number)))
        txs: list[Tx] = []
        for place in range(self.size.txs):
            sender = self.senders[place % len(self.senders)]
            if place not in places:
                txs.append(self.to_stranger(place))
            elif next(debits, None) is not None:
                txs.append(self.debit())
            else:
                self.credits += 1
                txs.append(self.pay(sender, self.random.choice(self.accounts["exchange"]), 4 * self.credits))
        return txs

    def to_stranger(self, place: int) -> Tx:
        """Pay somebody whom nobody watches."""
        stranger = account(self.size.seed, "stranger", self.random.randrange(STRANGERS))
        return self.pay(self.senders[place % len(self.senders)], stranger, place)

    def pay(self, sender: str, to: str, turn: int) -> Tx:
        """Pay somebody: half in ether, four in ten in tokens, one in ten through a contract."""
        turn %= 10
        if turn == 0:
            return self.forward(sender, to, PAID_WEI)
        return self.ether(sender, to, PAID_WEI) if turn % 2 else self.tokens(sender, to, PAID_UNITS)

    def debit(self) -> Tx:
        """Take seized value: ether or tokens of a leg, a leg of ether in two parts, or a leak."""
        turn, self.debits = self.debits % 5, self.debits + 1
        number = self.seized
        holder, to = self.accounts["seized"][number], self.accounts["authority"][number % AUTHORITIES]
        self.seized += turn != 2  # of a leg in two parts the rest comes with the next debit
        self.fulfilled += turn in (0, 1, 3)
        match turn:
            case 0:
                self.plan(number, "ethereum:ETH", decimal(LEG_WEI, 18))
                return self.ether(holder, to, LEG_WEI)
            case 1:
                self.plan(number, "ethereum:BUSD", decimal(SEIZED_UNITS, 6))
                return self.tokens(holder, to, SEIZED_UNITS)
            case 2:
                self.plan(number, "ethereum:ETH", decimal(LEG_WEI, 18))
                return self.ether(holder, to, PART_WEI)
            case 3:
                return self.ether(holder, to, LEG_WEI - PART_WEI)
            case _:
                return self.ether(holder, account(self.size.seed, "leak", self.debits), LEG_WEI)

    def plan(self, number: int, asset: str, amount: str) -> None:
        """Declare a leg of a seized holder, by number."""
        self.legs.append(PlannedLeg(number, number % AUTHORITIES, asset, amount, "0.01"))


def lists(accounts: dict[str, list[str]]) -> Iterator[tuple[str, list[str]]]:
    """The watched accounts by role, as a case's list files want them."""
    yield from accounts.items()
