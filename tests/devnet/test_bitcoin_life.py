"""What becomes of payments between a real bitcoind's mempool and its blocks, as the daemon tells it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.bitcoin import BitcoinNet, Coin
from harness.devnet import leg
from harness.life import WAIT_S, life, states, told, until
from harness.relay import Relay
from harness.scene import Scene

FEE = 10_000


@pytest.fixture
def net(bitcoind_exe: Path) -> Iterator[BitcoinNet]:
    """A regtest chain on which every watched holder has coins."""
    net = BitcoinNet(bitcoind_exe, ["-persistmempool=0"])
    yield net
    net.close()


@pytest.fixture
def scene(net: BitcoinNet, tmp_path: Path) -> Iterator[Scene]:
    """A daemon in step, with one leg: 1 BTC less the fee from the seized address to the authority."""
    scene = Scene(tmp_path, [net], legs=[leg(net, "secure", "seized", "authority", "1.5")])
    scene.configure(mempool_poll_s=0.05)
    scene.daemon.start()
    scene.in_step(WAIT_S)
    yield scene
    scene.daemon.kill()


def coin(net: BitcoinNet, holder: str, place: int = 0) -> Coin:
    return net.coins(holder)[place]


def test_a_planned_payment_is_seen_included_confirmed_and_final(scene: Scene, net: BitcoinNet) -> None:
    spent = coin(net, "seized")
    txid = net.broadcast([spent], [("authority", 150_000_000), ("seized", spent.amount - 150_000_000 - FEE)])
    until(scene, txid, "seen")
    [raw] = scene.stored.rows("SELECT lower(hex(raw)), source, spends FROM pending_tx")
    assert raw[0] == net.node.rpc("getrawtransaction", txid)
    assert raw[1:] == (f"mempool of http://127.0.0.1:{net.port}", f"{spent.txid}:{spent.index}")
    pending = scene.stored.rows(
        "SELECT direction, watch_ref, kind, amount, lane FROM v_pending ORDER BY direction, watch_ref, kind, amount"
    )
    assert pending == [
        ("in", "bitcoin-authority", "out", "150000000", "REPORTED"),
        ("in", "bitcoin-seized", "out", str(spent.amount - 150_000_000 - FEE), "REPORTED"),
        ("out", "bitcoin-seized", "in", str(spent.amount), "REPORTED"),
    ]
    assert told(scene, txid) == []
    at = net.height() + 1
    net.node.mine()
    until(scene, txid, "seen", "included")
    net.node.mine()
    until(scene, txid, "seen", "included", "confirmed")
    net.node.mine(4)
    until(scene, txid, "seen", "included", "confirmed", "final")
    assert [row[1] for row in life(scene, txid)] == [at - 1, at, at, at]
    assert scene.stored.rows("SELECT * FROM v_pending") == []
    named = scene.stored.rows(
        "SELECT p.confirmed, p.final FROM v_transfer_event e JOIN v_policy p ON p.policy_id = e.policy_id"
        " WHERE e.txid = ? AND e.state = 'final'",
        txid,
    )
    assert named == [("2", "6")]
    assert told(scene, txid) == []
    scene.in_step(WAIT_S)
    scene.check()
    scene.end()


def test_a_theft_alarms_before_its_block_and_its_replacement_that_pays_somebody_else_too(
    scene: Scene, net: BitcoinNet
) -> None:
    spent = coin(net, "seized")
    planned = net.broadcast([spent], [("authority", 150_000_000), ("seized", spent.amount - 150_000_000 - FEE)])
    until(scene, planned, "seen")
    theft = net.broadcast([spent], [("stranger", spent.amount - 10 * FEE)])
    until(scene, planned, "seen", "replaced")
    assert life(scene, planned)[-1][2:] == (theft, f"{spent.txid}:{spent.index}")
    until(scene, theft, "seen")
    (rule, message), (key, _) = told(scene, theft)
    assert key == "KEY-1" and rule == "LEG-1" and message.startswith("unconfirmed: 1.99900000 BTC left custody to"), (
        message
    )
    assert ("LEG-1", "CRITICAL", message) in scene.stored.alerts()
    assert scene.stored.rows("SELECT unexplained FROM v_conservation") == [("0",)], "the books do not change"
    net.node.mine()
    until(scene, theft, "seen", "included")
    of_block = ["LEG-1", "LEG-1", "KEY-1"]
    assert [rule for rule, _ in told(scene, theft)] == ["LEG-1", "KEY-1", *of_block], "of the block: amount, and fee"
    assert states(scene, planned) == ["seen", "replaced"]
    scene.check()
    scene.end()


def test_a_payment_and_the_one_that_spends_it_are_mined_in_one_block(scene: Scene, net: BitcoinNet) -> None:
    spent = coin(net, "seized")
    parent = net.broadcast([spent], [("authority", 150_000_000), ("seized", spent.amount - 150_000_000 - 200)])
    child = net.broadcast([Coin(parent, 0, 150_000_000, "authority")], [("stranger", 150_000_000 - 5 * FEE)])
    until(scene, parent, "seen")
    until(scene, child, "seen")
    assert told(scene, parent) == []
    assert [rule for rule, _ in told(scene, child)] == ["LEG-1"]
    net.node.mine()
    for txid in (parent, child):
        until(scene, txid, "seen", "included")
    scene.check()
    scene.end()


def test_a_payment_is_conflicted_by_a_block_that_spends_its_coin_otherwise(scene: Scene, net: BitcoinNet) -> None:
    spent = coin(net, "rich")
    payment = net.broadcast([spent], [("agency", spent.amount - FEE)])
    until(scene, payment, "seen")
    raw, rival = net.sign([spent], [("stranger", spent.amount - FEE)])
    net.node.generate_block(txs=[raw])
    until(scene, payment, "seen", "conflicted")
    assert life(scene, payment)[-1] == ("conflicted", net.height(), rival, f"{spent.txid}:{spent.index}")
    assert scene.stored.rows("SELECT count(*) FROM tx WHERE lower(hex(txid)) = ?", rival) == [(0,)], "nobody's interest"
    scene.check()
    scene.end()


def test_a_payment_that_the_node_forgets_is_dropped_and_may_come_back(scene: Scene, net: BitcoinNet) -> None:
    spent = coin(net, "rich")
    payment = net.broadcast([spent], [("agency", spent.amount - FEE)])
    until(scene, payment, "seen")
    net.stop()
    net.start()
    until(scene, payment, "seen", "dropped")
    assert net.broadcast([spent], [("agency", spent.amount - FEE)]) == payment
    until(scene, payment, "seen", "dropped", "seen")
    assert scene.stored.rows("SELECT count(*) FROM pending_tx") == [(1,)], "its bytes are kept once"
    net.node.mine()
    until(scene, payment, "seen", "dropped", "seen", "included")
    scene.check()
    scene.end()


def test_a_reorg_orphans_a_payment_which_is_seen_again_or_double_spent(scene: Scene, net: BitcoinNet) -> None:
    first, second = net.coins("rich")[:2]
    payment = net.broadcast([first], [("agency", first.amount - FEE)])
    doomed = net.broadcast([second], [("agency", second.amount - FEE)])
    for txid in (payment, doomed):
        until(scene, txid, "seen")
    net.node.mine()
    for txid in (payment, doomed):
        until(scene, txid, "seen", "included")
    raw, rival = net.sign([second], [("stranger", second.amount - FEE)])
    net.node.reorg(1, txs=[[raw]])
    until(scene, payment, "seen", "included", "orphaned", "seen")
    until(scene, doomed, "seen", "included", "orphaned", "conflicted")
    assert life(scene, doomed)[-1][2] == rival
    net.node.mine()
    until(scene, payment, "seen", "included", "orphaned", "seen", "included")
    scene.in_step(WAIT_S)
    scene.check()
    scene.end()


def mined(net: BitcoinNet, _payment: str, _spent: Coin) -> None:
    net.node.mine()


def replaced(net: BitcoinNet, _payment: str, spent: Coin) -> None:
    net.broadcast([spent], [("stranger", spent.amount - 10 * FEE)])


def replaced_and_mined(net: BitcoinNet, payment: str, spent: Coin) -> None:
    replaced(net, payment, spent)
    net.node.mine(3)


def forgotten(net: BitcoinNet, _payment: str, _spent: Coin) -> None:
    net.stop()
    net.start()


@pytest.mark.parametrize(
    ("meanwhile", "state"),
    [(mined, "included"), (replaced, "replaced"), (replaced_and_mined, "conflicted"), (forgotten, "dropped")],
)
def test_what_happens_while_the_daemon_is_down_is_observed_afterwards(
    scene: Scene, net: BitcoinNet, meanwhile: Callable[[BitcoinNet, str, Coin], None], state: str
) -> None:
    spent = coin(net, "rich")
    payment = net.broadcast([spent], [("agency", spent.amount - FEE)])
    until(scene, payment, "seen")
    scene.end()
    meanwhile(net, payment, spent)
    before = states(scene, payment)
    scene.daemon.start()
    until(scene, payment, "seen", state)
    assert before == ["seen"]
    [(begun,)] = scene.stored.rows("SELECT max(started_at) FROM v_daemon_run")
    [seen, late] = scene.stored.rows("SELECT at FROM v_transfer_event WHERE txid = ? ORDER BY event_id", payment)
    assert seen[0] <= begun <= late[0], "observed when the daemon ran again, not when it happened"
    scene.in_step(WAIT_S)
    scene.check()
    scene.end()


def no_mempool(_path: str, asked: bytes, told: bytes) -> bytes:
    """Refuse to list the mempool, as a node does whose operator allows other methods only."""
    if b"getrawmempool" not in asked:
        return told
    answers = json.loads(told, parse_float=str)
    [number] = [one["id"] for one in json.loads(asked) if one["method"] == "getrawmempool"]
    error = {"code": -32601, "message": "Method not found"}
    return json.dumps(
        [{"jsonrpc": "2.0", "id": number, "error": error} if one["id"] == number else one for one in answers]
    ).encode()


def test_a_mempool_that_cannot_be_watched_stops_no_block_and_is_told_of_once(net: BitcoinNet, tmp_path: Path) -> None:
    scene = Scene(tmp_path, [net])
    with Relay(net.port, lie=no_mempool) as relay:
        scene.configure(mempool_poll_s=0.05, port=relay.port)
        scene.daemon.start()

        def failures() -> list[str]:
            return [message for rule, _, message in scene.stored.alerts() if rule == "DATA-2"]

        try:
            scene.daemon.until(failures, "the mempool fails", WAIT_S)
            spent = coin(net, "rich")
            payment = net.broadcast([spent], [("agency", spent.amount - FEE)])
            net.node.mine(3)
            scene.in_step(WAIT_S)
            assert "unconfirmed transactions cannot be watched" in failures()[0] and len(failures()) == 1
            assert states(scene, payment) == ["included", "confirmed"], "blocks are followed all the same"
            relay.lie = None
            spent = coin(net, "rich", 1)
            later = net.broadcast([spent], [("agency", spent.amount - FEE)])
            until(scene, later, "seen")
            assert len(failures()) == 1
            scene.check()
            scene.end()
        finally:
            scene.daemon.kill()


def test_a_rival_that_a_reorg_brings_into_the_block_of_our_tip_is_a_conflict(scene: Scene, net: BitcoinNet) -> None:
    """The payment was seen at that height before: by the height alone the block would not be searched."""
    spent = coin(net, "seized")
    rival, rival_id = net.sign([spent], [("stranger", spent.amount - 2 * FEE)])
    txid = net.broadcast([spent], [("authority", spent.amount - FEE)])
    until(scene, txid, "seen")
    net.node.reorg(1, 1, [[rival]])
    scene.daemon.until(lambda: len(states(scene, txid)) == 2, f"the fate of {txid}", WAIT_S)
    assert life(scene, txid)[-1][:3] == ("conflicted", net.height(), rival_id)


def test_a_payment_that_is_seen_again_comes_back_with_its_own_block(scene: Scene, net: BitcoinNet) -> None:
    spent = coin(net, "seized")
    txid = net.broadcast([spent], [("authority", spent.amount - FEE)])
    until(scene, txid, "seen")
    net.node.mine()
    until(scene, txid, "seen", "included")
    [held] = net.hashes(net.height(), net.height())
    net.node.reorg(1, 2)
    scene.daemon.until(lambda: states(scene, txid)[-2:] == ["orphaned", "seen"], f"{txid} is seen again", WAIT_S)
    net.node.reconsider(held)
    net.node.rpc("invalidateblock", net.node.rpc("getblockhash", net.height() - 1))
    while net.node.rpc("getbestblockhash") != held:
        net.node.rpc("preciousblock", held)
    scene.daemon.until(lambda: states(scene, txid)[-1] == "included", f"{txid} is back", WAIT_S)
    [(block,)] = scene.stored.rows(
        "SELECT block_hash FROM v_transfer_event WHERE txid = ? ORDER BY event_id DESC LIMIT 1", txid
    )
    assert block == held
