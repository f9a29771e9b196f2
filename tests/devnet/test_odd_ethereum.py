"""Transfers that are not what they seem, each on a real node under a live daemon, against the node's own balances."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from harness.devnet import HELD
from harness.ethereum import ETHER, EthereumNet
from harness.scene import Scene

from fixtures.contracts import artifact

TOKENS = {"Token": 3, "FeeToken": 0, "SoftToken": 0, "SilentToken": 1, "RebasingToken": 1}
"""The listed tokens and the storage slot of their balances; the rebasing one keeps shares there."""

MINTED = 10**9
SALT = b"deposit".rjust(32, b"\0")
LEG = """[[leg]]
id = "fee-deposit"
kind = "DEPOSIT"
asset = "ethereum:FeeToken"
from = ["ethereum-agency"]
to = "ethereum-exchange"
amount = "0.01"
max_fee = "0.01"
"""
CHAIN = "eip155:31337"


class OddNet(EthereumNet):
    """A devnet with every odd contract on it."""

    def __init__(self, executable: Path) -> None:
        super().__init__(executable)
        self.at = {name: self._deploy(name) for name in TOKENS if name != "Token"}
        self.at["Token"] = self._deploy("Token", ("string", "string"), ("Second", "USDY"))
        for name in ("Forwarder", "Reverter", "Factory", "Nft", "Depositor"):
            self.at[name] = self._deploy(name)
        self.accounts["exchange"] = self.deposit_address()
        for name in TOKENS:
            for holder in (*HELD, "rich"):
                self.call("rich", self.at[name], "mint(address,uint256)", self.accounts[holder], MINTED)
        self.mine(6)

    def deposit_address(self) -> str:
        """Where the deposit contract will be, by EIP-1014: nothing is there yet."""
        code = keccak(bytes.fromhex(artifact("Deposit")["bytecode"][2:]))
        return "0x" + keccak(b"\xff" + bytes.fromhex(self.at["Depositor"][2:]) + SALT + code)[12:].hex()

    def table(self, *, port: int | None = None, **settings: object) -> str:
        listed = "".join(
            f'[[chain.ethereum.token]]\nsymbol = "{name}"\ncontract = "{self.at[name]}"\ndecimals = 6\n'
            f"balance_slot = {slot}\n"
            for name, slot in TOKENS.items()
        )
        return super().table(port=port, checkpoint_every=1, **settings) + listed

    def asset(self, name: str) -> str:
        return f"{CHAIN}/erc20:{self.at[name]}"

    def call(self, source: str, to: str, signature: str, *values: object, value: int = 0) -> None:
        self._call(source, to, signature, *values, value=value)

    def send(self, source: str, to: str, value: int) -> None:
        self._send(source, to, value=value)

    def make(self, name: str, types: Sequence[str] = (), values: Sequence[object] = (), value: int = 0) -> str:
        """Deploy in a block of its own, with value."""
        data = artifact(name)["bytecode"] + encode(list(types), list(values)).hex()
        request = {"from": self.accounts["rich"], "data": data, "value": hex(value)}
        sent = self.node.rpc("eth_sendTransaction", request)
        self.node.mine()
        return str(self.node.receipt(sent)["contractAddress"]).lower()

    def balance(self, asset: str, address: str, height: int) -> int:
        if asset == ETHER:
            return int(self.node.rpc("eth_getBalance", address, hex(height)), 16)
        data = "0x70a08231" + address[2:].rjust(64, "0")
        return int(self.node.rpc("eth_call", {"to": asset.rpartition(":")[2], "data": data}, hex(height)), 16)

    def changed(self, asset: str, holder: str, height: int) -> int:
        """What a block did to a balance, by the node's own answers."""
        address = self.accounts[holder]
        return self.balance(asset, address, height) - self.balance(asset, address, height - 1)

    def receipts(self, height: int) -> list[Any]:
        found: list[Any] = self.node.rpc("eth_getBlockReceipts", hex(height))
        return found


@dataclass
class Play:
    """The net, the daemon, and what the store says of one block."""

    net: OddNet
    scene: Scene

    def mine(self) -> int:
        """Make a block of what waits, let the daemon come in step; returns its height."""
        self.net.mine()
        self.scene.in_step(60)
        return self.net.height()

    def moves(self, height: int) -> list[tuple[Any, ...]]:
        """Kind, class, amount, source, target and lane of the stored movements of a block, in order."""
        rows = self.scene.stored.rows(
            "SELECT kind, asset_class, amount, lower(source), lower(target), lane FROM v_movement"
            " WHERE chain = 'ethereum' AND height = ? ORDER BY tx_position, movement_id",
            height,
        )
        names = {address: name for name, address in self.net.accounts.items()}
        return [(k, c, int(n), names.get(s, s), names.get(t, t), lane) for k, c, n, s, t, lane in rows]

    def check(self, height: int, holder: str, asset: str) -> tuple[int, int, str, str]:
        """Observed, unobserved, lane and what it confirms."""
        [found] = self.scene.stored.rows(
            "SELECT observed, unobserved, lane, confirms FROM v_balance_check WHERE height = ? AND lower(address) = ?"
            " AND asset = ?",
            *(height, self.net.accounts[holder], asset),
        )
        return int(found[0]), int(found[1]), found[2], found[3]

    def alerts(self, height: int) -> list[tuple[str, str]]:
        """Rule and severity of what was told of a block."""
        return self.scene.stored.rows(
            "SELECT rule, severity FROM v_alert WHERE chain = 'ethereum' AND height = ? ORDER BY alert_id", height
        )

    def ledger(self, height: int, asset: str) -> dict[str, int]:
        """What a block did to each term of the equation; zeros left out."""
        terms = ("seized", "credits", "held", "delivered", "fees", "unexplained")
        rows = self.scene.stored.rows(
            f"SELECT height, {', '.join(terms)} FROM v_ledger WHERE asset = ? AND height <= ? ORDER BY height DESC",
            *(asset, height),
        )
        if not rows or rows[0][0] != height:
            return {}
        now, before = (dict(zip(terms, map(int, row[1:]), strict=True)) for row in rows[:2])
        return {term: now[term] - before[term] for term in terms if now[term] != before[term]}

    def verdict(self, asset: str) -> tuple[str, str]:
        """The verdict on conservation that stands."""
        return self.scene.stored.verdicts()["disposal", None, asset]

    def agrees(self, height: int, asset: str, *holders: str) -> None:
        """Balances are what the node says, and observed + unobserved is the change it says."""
        for holder in holders:
            observed, unobserved, _, _ = self.check(height, holder, asset)
            assert observed + unobserved == self.net.changed(asset, holder, height), holder


@pytest.fixture(scope="module")
def play(anvil_exe: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    net = OddNet(anvil_exe)
    scene = Scene(tmp_path_factory.mktemp("odd"), [net], legs=[LEG])
    scene.daemon.start()
    try:
        scene.in_step(60)
        yield Play(net, scene)
    finally:
        scene.daemon.kill()
        net.close()


def fee_of(play: Play, height: int) -> int:
    [receipt] = play.net.receipts(height)
    return int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)


def test_an_honest_listed_token_is_proven_by_event_and_balance(play: Play) -> None:
    net, token = play.net, play.net.asset("Token")
    net.call("agency", net.at["Token"], "transfer(address,uint256)", net.accounts["exchange"], 700)
    height = play.mine()
    fee = fee_of(play, height)
    assert play.moves(height) == [
        ("fee", "native", fee, "agency", None, "PROVEN"),
        ("log", "listed", 700, "agency", "exchange", "PROVEN"),
    ]
    assert play.check(height, "agency", token) == (-700, 0, "PROVEN", "all")
    assert play.check(height, "exchange", token) == (700, 0, "PROVEN", "all")
    assert play.check(height, "agency", ETHER) == (-fee, 0, "PROVEN", "all")
    assert play.ledger(height, token) == {"held": -700, "unexplained": 700}  # no leg asked for it
    assert play.alerts(height) == [("LEG-1", "CRITICAL"), ("LEG-1", "CRITICAL")]
    play.agrees(height, token, "agency", "exchange")


def test_a_fee_token_brings_less_than_its_event_says(play: Play) -> None:
    net, token = play.net, play.net.asset("FeeToken")
    net.call("rich", net.at["FeeToken"], "transfer(address,uint256)", net.accounts["agency"], 10_000)
    height = play.mine()
    assert net.changed(token, "agency", height) == 9_900
    assert play.moves(height) == [("log", "listed", 10_000, "rich", "agency", "REPORTED")]
    assert play.check(height, "agency", token) == (10_000, -100, "PROVEN", "")
    assert play.ledger(height, token) == {"credits": 10_000, "held": 10_000}
    assert sorted(play.alerts(height)) == [("LEG-2", "INFO"), ("VALUE-1", "CRITICAL")]
    assert play.verdict(token)[0] == "CONTRADICTED"
    play.agrees(height, token, "agency")


def test_a_deposit_of_a_fee_token_is_not_shown_though_its_event_says_the_whole_amount(play: Play) -> None:
    net, token = play.net, play.net.asset("FeeToken")
    net.call("agency", net.at["FeeToken"], "transfer(address,uint256)", net.accounts["exchange"], 10_000)
    height = play.mine()
    assert net.changed(token, "exchange", height) == 9_900
    assert play.check(height, "agency", token) == (-10_000, 0, "PROVEN", "all")
    assert play.check(height, "exchange", token) == (10_000, -100, "PROVEN", "")
    assert play.ledger(height, token) == {"held": -10_000, "delivered": 10_000}
    assert play.alerts(height) == [("VALUE-1", "HIGH")]
    said = "arrived, but the receiver's balance changed by another amount"
    assert play.scene.stored.verdicts()["disposal", "fee-deposit", token] == ("NOT_SHOWN", said)
    play.agrees(height, token, "agency", "exchange")


def test_a_deposit_address_is_paid_before_its_contract_exists(play: Play) -> None:
    net, exchange = play.net, play.net.accounts["exchange"]
    assert net.node.rpc("eth_getCode", exchange, "latest") == "0x"
    before = net.balance(ETHER, exchange, net.height())
    net.send("agency", exchange, 50)
    paid = play.mine()
    assert play.moves(paid)[-1] == ("trace", "native", 50, "agency", "exchange", "PROVEN")
    assert play.check(paid, "exchange", ETHER) == (50, 0, "PROVEN", "all")
    net.call("stranger", net.at["Depositor"], "deploy(bytes32)", SALT)
    made = play.mine()
    assert net.node.rpc("eth_getCode", exchange, "latest") != "0x"
    assert play.moves(made) == [] and play.alerts(made) == []
    net.call("stranger", exchange, "sweep(address)", net.accounts["stranger2"])
    swept = play.mine()
    assert play.moves(swept) == [("trace", "native", before + 50, "exchange", "stranger2", "REPORTED")]
    assert play.alerts(swept) == [], "what the exchange does with it is not a debit of the case"


def test_a_fake_token_that_names_a_watched_address_moves_nothing(play: Play) -> None:
    net = play.net
    net.call("stranger", net.fake, "announce(address,address,uint256)", net.accounts["rich"], net.accounts["agency"], 5)
    height = play.mine()
    assert play.moves(height) == [("log", "unlisted", 5, "rich", "agency", "REPORTED")]
    assert play.ledger(height, f"{CHAIN}/erc20:{net.fake}") == {}
    assert play.alerts(height) == [("LEG-3", "HIGH")]


def test_a_soft_failure_has_status_one_and_moves_nothing(play: Play) -> None:
    net, token = play.net, play.net.asset("SoftToken")
    net.call("agency", net.at["SoftToken"], "transfer(address,uint256)", net.accounts["exchange"], 10**15)
    height = play.mine()
    assert [receipt["status"] for receipt in net.receipts(height)] == ["0x1"]
    assert play.moves(height) == [("fee", "native", fee_of(play, height), "agency", None, "PROVEN")]
    assert play.check(height, "agency", token) == (0, 0, "PROVEN", "")
    assert play.ledger(height, token) == {}
    assert ("VALUE-1", "CRITICAL") not in play.alerts(height)


def test_a_token_that_returns_nothing_moves_like_any_other(play: Play) -> None:
    net, token = play.net, play.net.asset("SilentToken")
    net.call("rich", net.at["SilentToken"], "transfer(address,uint256)", net.accounts["authority"], 33)
    height = play.mine()
    assert play.moves(height) == [("log", "listed", 33, "rich", "authority", "PROVEN")]
    assert play.check(height, "authority", token) == (33, 0, "PROVEN", "all")
    assert play.ledger(height, token) == {"credits": 33, "held": 33}
    assert play.alerts(height) == [("LEG-2", "INFO")]
    assert play.verdict(token) == ("SHOWN", "every base unit is explained")


def test_a_token_that_takes_without_an_event_is_a_loss_that_nobody_saw(play: Play) -> None:
    net, token = play.net, play.net.asset("SoftToken")
    net.call("stranger", net.at["SoftToken"], "seize(address,uint256)", net.accounts["seized"], 44)
    height = play.mine()
    assert play.moves(height) == []
    assert play.check(height, "seized", token) == (0, -44, "PROVEN", "")
    assert play.alerts(height) == [("VALUE-1", "CRITICAL")]
    assert play.verdict(token)[0] == "CONTRADICTED"
    play.agrees(height, token, "seized")


def test_a_rebase_changes_what_everybody_holds_without_any_movement(play: Play) -> None:
    net, token = play.net, play.net.asset("RebasingToken")
    assert play.check(play.mine(), "agency", token) == (0, 0, "PROVEN", "")  # shares and balances are equal yet
    net.call("stranger", net.at["RebasingToken"], "rebase(uint256)", 150)
    height = play.mine()
    assert net.changed(token, "agency", height) == MINTED // 2
    assert play.moves(height) == []
    assert play.check(height, "agency", token) == (0, MINTED // 2, "REPORTED", "")  # the slot holds shares
    assert play.alerts(height) == [("VALUE-1", "HIGH")] * len(HELD)
    assert play.verdict(token) == ("NOT_SHOWN", "balances changed by what was not observed")
    said = play.scene.stored.rows("SELECT reason, counted FROM v_unobserved WHERE reason LIKE 'token 0x%'")
    assert said == [
        (f"token {net.at['RebasingToken']}: balances are not what its `balance_slot` holds; taken as reported", 0)
    ]


def test_a_transfer_of_nothing_is_an_attempt_at_poisoning(play: Play) -> None:
    net, token = play.net, play.net.asset("Token")
    parties = net.accounts["seized"], net.accounts["stranger"]
    net.call("stranger", net.at["Token"], "transferFrom(address,address,uint256)", *parties, 0)
    height = play.mine()
    assert play.moves(height) == [("log", "listed", 0, "seized", "stranger", "PROVEN")]
    assert play.check(height, "seized", token) == (0, 0, "PROVEN", "all")
    assert play.ledger(height, token) == {}
    assert play.alerts(height) == [("LEG-3", "HIGH")]


def test_a_call_under_a_reverted_frame_moves_nothing(play: Play) -> None:
    net = play.net
    net.call("rich", net.at["Reverter"], "swallow(address)", net.accounts["agency"], value=4)
    height = play.mine()
    assert [receipt["status"] for receipt in net.receipts(height)] == ["0x1"]
    assert play.moves(height) == []
    assert play.check(height, "agency", ETHER) == (0, 0, "PROVEN", "")
    assert play.ledger(height, ETHER) == {} and play.alerts(height) == []


def test_an_internal_transfer_is_reported_and_confirmed_by_balance(play: Play) -> None:
    net = play.net
    net.call("rich", net.at["Forwarder"], "forward(address)", net.accounts["agency"], value=9)
    height = play.mine()
    assert play.moves(height)[-1] == ("trace", "native", 9, net.at["Forwarder"], "agency", "REPORTED")
    assert play.check(height, "agency", ETHER) == (9, 0, "PROVEN", "internal")
    assert play.ledger(height, ETHER) == {"credits": 9, "held": 9}
    play.agrees(height, ETHER, "agency")


def test_a_self_destruct_pays_without_call_or_log(play: Play) -> None:
    net = play.net
    bomb = net.make("SelfDestructor", value=6)
    play.scene.in_step(60)
    net.call("stranger", bomb, "destroy(address)", net.accounts["seized"])
    height = play.mine()
    assert net.receipts(height)[0]["logs"] == []
    assert play.moves(height) == [("trace", "native", 6, bomb, "seized", "REPORTED")]
    assert play.check(height, "seized", ETHER) == (6, 0, "PROVEN", "internal")
    assert play.ledger(height, ETHER) == {"credits": 6, "held": 6}
    assert play.alerts(height) == [("LEG-2", "INFO")]


def test_a_collectible_is_not_an_amount(play: Play) -> None:
    net = play.net
    net.call("rich", net.at["Nft"], "mint(address,uint256)", net.accounts["agency"], 10**40)
    height = play.mine()
    assert play.moves(height) == [("log", "nft", 1, "0x" + "00" * 20, "agency", "REPORTED")]
    assert play.ledger(height, f"{CHAIN}/erc721:{net.at['Nft']}/{10**40}") == {}
    assert play.alerts(height) == [("LEG-3", "HIGH")]


def test_one_holder_many_times_in_one_transaction(play: Play) -> None:
    net = play.net
    paid = [net.accounts[name] for name in ("agency", "stranger", "agency", "stranger2", "agency")]
    net.call("agency", net.at["Forwarder"], "split(address[],uint256[])", paid, [1, 2, 3, 4, 5], value=15)
    height = play.mine()
    fee = fee_of(play, height)
    moved = [move for move in play.moves(height) if move[0] == "trace"]
    assert [(amount, target) for _, _, amount, _, target, _ in moved] == [
        *((15, net.at["Forwarder"]), (1, "agency"), (3, "agency"), (5, "agency"))
    ], "what goes to strangers is of no interest: nothing traced reached the contract"
    assert play.check(height, "agency", ETHER) == (9 - 15 - fee, 0, "PROVEN", "internal")
    assert play.ledger(height, ETHER) == {"held": -6 - fee, "unexplained": 6 + fee}
    play.agrees(height, ETHER, "agency")


def test_priority_fees_to_a_watched_account_are_observed(play: Play) -> None:
    net = play.net
    net.node.rpc("anvil_setCoinbase", net.accounts["authority"])
    net.send("rich", net.accounts["stranger"], 1)
    height = play.mine()
    net.node.rpc("anvil_setCoinbase", "0x" + "00" * 20)
    earned = net.changed(ETHER, "authority", height)
    assert earned > 0
    assert play.moves(height) == [("reward", "native", earned, None, "authority", "PROVEN")]
    assert play.check(height, "authority", ETHER) == (earned, 0, "PROVEN", "all")
    assert play.ledger(height, ETHER) == {"credits": earned, "held": earned}


def test_ether_that_no_transaction_carries_is_a_credit_that_nobody_saw(play: Play) -> None:
    """As a withdrawal that the node does not tell of would be."""
    net = play.net
    held = net.balance(ETHER, net.accounts["loot"], net.height())
    net.node.rpc("anvil_setBalance", net.accounts["loot"], hex(held + 77))
    height = play.mine()
    assert play.moves(height) == []
    assert play.check(height, "loot", ETHER) == (0, 77, "PROVEN", "")
    assert play.alerts(height) == [("VALUE-1", "HIGH")]


def test_ether_that_is_gone_without_a_transaction_is_a_loss_that_nobody_saw(play: Play) -> None:
    net = play.net
    held = net.balance(ETHER, net.accounts["loot"], net.height())
    net.node.rpc("anvil_setBalance", net.accounts["loot"], hex(held - 1000))
    height = play.mine()
    assert play.check(height, "loot", ETHER) == (0, -1000, "PROVEN", "")
    assert play.alerts(height) == [("VALUE-1", "CRITICAL")]
    assert play.verdict(ETHER)[0] == "CONTRADICTED"


def test_a_restart_knows_what_was_observed_and_what_was_not(play: Play) -> None:
    """Standings and drift are a function of the rows: after a restart a quiet block is quiet, the loss stays told."""
    play.scene.end()
    play.scene.daemon.start()
    play.scene.in_step(60)
    height = play.mine()
    assert play.alerts(height) == []
    for holder in HELD:
        assert play.check(height, holder, ETHER)[:2] == (0, 0)
    assert play.verdict(ETHER)[0] == "CONTRADICTED"
    assert play.scene.stored.faults() == []


def test_what_a_token_calls_itself_is_cleaned_cut_and_asked_once(play: Play) -> None:
    net, loud = play.net, "US\u202eDT\u200b\x1b[31m" + "!" * 300
    at, parties = net.make("LoudToken", ["bytes"], [loud.encode()]), (net.accounts["rich"], net.accounts["agency"])
    asset = f"{CHAIN}/erc20:{at}"
    for amount in (5, 6):
        net.call("stranger", at, "announce(address,address,uint256)", *parties, amount)
        play.mine()
    said = "SELECT what, shown, size, sha256, height FROM v_token_text WHERE asset = ? ORDER BY what"
    play.scene.daemon.until(lambda: play.scene.stored.rows(said, asset), "the token was asked")
    name, symbol = play.scene.stored.rows(said, asset)
    assert name[:4] == ("name", "", None, None), "a megabyte of markup costs more gas than it is given"
    answer = net.node.rpc("eth_call", {"to": at, "data": "0x95d89b41"}, hex(symbol[4]))
    assert symbol[:2] == ("symbol", "USDT[31m!!!!!!!…")
    assert symbol[2:4] == (len(answer) // 2 - 1, sha256(bytes.fromhex(answer[2:])).hexdigest())
    shown = play.scene.stored.rows("SELECT DISTINCT calls_itself FROM v_movement WHERE asset = ?", asset)
    assert shown == [("USDT[31m!!!!!!!…",)]
