"""Odd transfers on a real bitcoind, each classified as what it is: a burn, dust, a taproot script, one holder often."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from coincurve import PublicKey
from harness.bitcoin import BitcoinNet, Coin, witness_script
from harness.scene import Scene

BURN = b"\x6a\x04gone"
LEAF = b"\x08\x07\x06\x05\x04\x03\x02\x01\x00\x82\x77"
INTERNAL = bytes.fromhex("50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0")
"""BIP 341's point without a known key, so that coins can be spent by the script alone."""

FEE = 1_000


def tagged(tag: str, data: bytes) -> bytes:
    """A tagged hash (BIP 340)."""
    begin = sha256(tag.encode()).digest()
    return sha256(begin + begin + data).digest()


def taproot() -> tuple[bytes, bytes]:
    """The script pubkey of an output with one leaf, and the control block that opens it (BIP 341)."""
    leaf = tagged("TapLeaf", b"\xc0" + bytes([len(LEAF)]) + LEAF)
    output = PublicKey(b"\x02" + INTERNAL).add(tagged("TapTweak", INTERNAL + leaf)).format()
    return b"\x51\x20" + output[1:], bytes([0xC0 | output[0] & 1]) + INTERNAL


class OddNet(BitcoinNet):
    """The agency's coins lie under a taproot leaf, and value can be burnt."""

    def __init__(self, executable: Path) -> None:
        super().__init__(executable)
        self.scripts["burn"] = BURN

    @staticmethod
    def _script(holder: str) -> bytes:
        return taproot()[0] if holder == "agency" else BitcoinNet._script(holder)

    def _sign(self, coins: Sequence[Coin], outputs: Sequence[tuple[str, int]]) -> tuple[bytes, str]:
        ins = bytes([len(coins)]) + b"".join(coin.point + b"\x00" + b"\xff" * 4 for coin in coins)
        outs = bytes([len(outputs)]) + b"".join(
            amount.to_bytes(8, "little") + bytes([len(self.scripts[to])]) + self.scripts[to] for to, amount in outputs
        )
        stacks = [[LEAF, taproot()[1]] if coin.holder == "agency" else [witness_script(coin.holder)] for coin in coins]
        witness = b"".join(bytes([len(s)]) + b"".join(bytes([len(item)]) + item for item in s) for s in stacks)
        version, lock = (2).to_bytes(4, "little"), bytes(4)
        txid = sha256(sha256(version + ins + outs + lock).digest()).digest()[::-1].hex()
        return version + b"\x00\x01" + ins + outs + witness + lock, txid

    def spend(self, holder: str, outputs: Sequence[tuple[str, int]]) -> tuple[Coin, int]:
        """Let one coin of a holder pay outputs, and its change, in a block of its own; returns coin and change."""
        coin = self.coins(holder)[0]
        change = coin.amount - FEE - sum(amount for _, amount in outputs)
        self._waiting.append(self.sign([coin], [*outputs, (holder, change)])[0])
        self.mine()
        return coin, change


@pytest.fixture(scope="module")
def scene(bitcoind_exe: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    net = OddNet(bitcoind_exe)
    scene = Scene(tmp_path_factory.mktemp("odd"), [net])
    scene.daemon.start()
    try:
        scene.in_step(60)
        yield scene
    finally:
        scene.daemon.kill()
        net.close()


def played(scene: Scene, holder: str, outputs: Sequence[tuple[str, int]]) -> tuple[OddNet, Coin, int]:
    """Play one transaction and wait for the daemon."""
    net = scene.nets[0]
    assert isinstance(net, OddNet)
    coin, change = net.spend(holder, outputs)
    scene.in_step(60)
    scene.check()
    return net, coin, change


def moves(scene: Scene, net: OddNet) -> list[tuple[str, int, int, str]]:
    """Kind, index, amount and lane of the movements of the newest block."""
    sql = "SELECT kind, idx, amount, lane FROM v_movement WHERE height = ? ORDER BY movement_id"
    return [(kind, idx, int(amount), lane) for kind, idx, amount, lane in scene.stored.rows(sql, net.height())]


def told(scene: Scene, net: OddNet) -> list[tuple[str, str]]:
    """Rule and severity of what was told of the newest block."""
    return scene.stored.rows("SELECT rule, severity FROM v_alert WHERE height = ? ORDER BY alert_id", net.height())


def postings(scene: Scene, net: OddNet) -> list[tuple[str, str, int]]:
    """Place, reason and amount of the postings of the newest block."""
    sql = "SELECT place, reason, amount FROM v_posting WHERE height = ? ORDER BY posting_id"
    return [(place, reason, int(amount)) for place, reason, amount in scene.stored.rows(sql, net.height())]


def test_a_taproot_script_path_moves_coins_like_any_other_and_op_return_burns_them(scene: Scene) -> None:
    net, coin, change = played(scene, "agency", [("burn", 5_000)])
    assert moves(scene, net) == [
        ("in", 0, coin.amount, "PROVEN"),
        ("out", 0, 5_000, "PROVEN"),
        ("out", 1, change, "PROVEN"),
        ("fee", 0, FEE, "PROVEN"),
    ]
    assert sum(n for place, _, n in postings(scene, net) if place == "unexplained") == 5_000 + FEE
    assert told(scene, net) == [("LEG-1", "CRITICAL")] * 2


def test_dust_is_a_credit_that_no_leg_explains_and_no_accusation(scene: Scene) -> None:
    net, _, _ = played(scene, "rich", [("seized", 330)])
    assert moves(scene, net) == [("out", 0, 330, "PROVEN")]
    assert postings(scene, net) == [("credit", "dust", 330)]
    assert told(scene, net) == [("LEG-2", "INFO")]


def test_one_holder_many_times_in_one_transaction_is_counted_every_time(scene: Scene) -> None:
    outputs = [("agency", 7_000), ("stranger", 1_100), ("agency", 7_000), ("exchange", 1_200), ("agency", 7_000)]
    net, coin, change = played(scene, "agency", outputs)
    amounts = [amount for _, amount in outputs]
    assert moves(scene, net) == [
        ("in", 0, coin.amount, "PROVEN"),
        *(("out", index, amount, "PROVEN") for index, amount in enumerate([*amounts, change])),
        ("fee", 0, FEE, "PROVEN"),
    ]
    assert sum(n for place, _, n in postings(scene, net) if place == "unexplained") == 1_100 + 1_200 + FEE
    assert sum(n for place, _, n in postings(scene, net) if place == "change") == 3 * 7_000 + change
