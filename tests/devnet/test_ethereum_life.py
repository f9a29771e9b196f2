"""What becomes of payments between a real anvil's mempool and its blocks, as the daemon tells it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address
from ethereum_liar import lying, without
from harness.devnet import leg
from harness.ethereum import CHAIN, ETHER, EthereumNet
from harness.life import WAIT_S, life, states, told, until
from harness.scene import Scene

from tracer.types import AssetId, Holder, Kind
from watchers.ethereum import mempool
from watchers.ethereum.facts import Interest
from watchers.rpc import JsonRpc

GWEI = 10**9


@pytest.fixture
def net(anvil_exe: Path) -> Iterator[EthereumNet]:
    """A chain on which every watched holder has ether and tokens; blocks come when told."""
    net = EthereumNet(anvil_exe)
    yield net
    net.close()


@pytest.fixture
def scene(net: EthereumNet, tmp_path: Path) -> Iterator[Scene]:
    """A daemon in step, with one leg: half an ether from the seized account to the authority."""
    scene = Scene(tmp_path, [net], legs=[leg(net, "secure", "seized", "authority", "0.5")])
    scene.configure(mempool_poll_s=0.05)
    scene.daemon.start()
    scene.in_step(WAIT_S)
    yield scene
    scene.daemon.kill()


def nonce_of(net: EthereumNet, holder: str) -> int:
    return int(net.node.rpc("eth_getTransactionCount", net.accounts[holder], "latest"), 16)


def pay(net: EthereumNet, source: str, target: str, wei: int, gwei: int = 10, nonce: int | None = None) -> str:
    """Hand a payment to the node; returns its id."""
    asked = {"from": net.accounts[source], "to": net.accounts[target], "value": hex(wei), "gas": hex(21_000)}
    asked |= {"maxFeePerGas": hex(gwei * GWEI), "maxPriorityFeePerGas": hex(gwei * GWEI)}
    asked |= {} if nonce is None else {"nonce": hex(nonce)}
    return str(net.node.rpc("eth_sendTransaction", asked))[2:]


def call(net: EthereumNet, source: str, signature: str, *values: object) -> str:
    """Hand a call of the listed token to the node; returns its id."""
    net._call(source, net.token, signature, *values)
    return str(net.node.rpc("eth_sendTransaction", net._waiting.pop()))[2:]


def shared(net: EthereumNet, holder: str, nonce: int) -> str:
    """How an account's nonce is written."""
    return f"nonce {nonce} of {to_checksum_address(net.accounts[holder])}"


def test_a_planned_payment_is_seen_included_confirmed_and_final(scene: Scene, net: EthereumNet) -> None:
    nonce = nonce_of(net, "seized")
    txid = pay(net, "seized", "authority", 5 * 10**17)
    until(scene, txid, "seen")
    [(raw, source, spends)] = scene.stored.rows("SELECT lower(hex(raw)), source, spends FROM pending_tx")
    assert raw == net.node.rpc("eth_getRawTransactionByHash", "0x" + txid)[2:]
    assert (source, spends) == (f"mempool of http://127.0.0.1:{net.port}", shared(net, "seized", nonce))
    pending = scene.stored.rows(
        "SELECT direction, watch_ref, kind, amount, lane FROM v_pending ORDER BY direction, watch_ref, kind"
    )
    assert pending == [
        ("in", "ethereum-authority", "trace", str(5 * 10**17), "REPORTED"),
        ("out", "ethereum-seized", "fee", str(21_000 * 10 * GWEI), "REPORTED"),
        ("out", "ethereum-seized", "trace", str(5 * 10**17), "REPORTED"),
    ]
    net.node.mine()
    until(scene, txid, "seen", "included")
    net.node.mine(3)
    until(scene, txid, "seen", "included", "confirmed")
    net.node.mine(3)
    until(scene, txid, "seen", "included", "confirmed", "final")
    assert told(scene, txid) == []
    scene.in_step(WAIT_S)
    scene.check()
    scene.end()


def test_a_theft_by_a_higher_fee_at_the_same_nonce_alarms_before_its_block(scene: Scene, net: EthereumNet) -> None:
    nonce = nonce_of(net, "seized")
    planned = pay(net, "seized", "authority", 5 * 10**17, nonce=nonce)
    until(scene, planned, "seen")
    assert told(scene, planned) == []
    theft = pay(net, "seized", "stranger", 3 * 10**17, gwei=50, nonce=nonce)
    until(scene, planned, "seen", "replaced")
    assert life(scene, planned)[-1][2:] == (theft, shared(net, "seized", nonce))
    until(scene, theft, "seen")
    (rule, message), (key, of_key) = told(scene, theft)
    assert rule == "LEG-1" and message.startswith("unconfirmed: ") and "0.3" in message
    assert key == "KEY-1" and of_key.startswith("unconfirmed: seized address")
    assert scene.stored.rows("SELECT unexplained FROM v_conservation WHERE symbol = 'ETH'") == [("0",)]
    net.node.mine()
    until(scene, theft, "seen", "included")
    assert [rule for rule, _ in told(scene, theft)].count("LEG-1") > 1, "the ordinary alarm follows with the block"
    assert states(scene, planned) == ["seen", "replaced"]
    scene.in_step(WAIT_S)
    scene.check()
    scene.end()


def test_token_payments_are_read_from_their_call_data(scene: Scene, net: EthereumNet) -> None:
    leak = call(net, "agency", "transfer(address,uint256)", net.accounts["stranger"], 1_500_000)
    grab = call(
        net, "stranger", "transferFrom(address,address,uint256)", net.accounts["seized"], net.accounts["stranger"], 7
    )
    for txid, rules in ((leak, ["LEG-1"]), (grab, ["LEG-1", "KEY-1"])):
        until(scene, txid, "seen")
        assert [rule for rule, _ in told(scene, txid)] == rules
    [(_, message)] = told(scene, leak)
    assert "1.500000 USDX left custody" in message
    rows = scene.stored.rows("SELECT txid, watch_ref, amount FROM v_pending WHERE kind = 'log' AND direction = 'out'")
    assert sorted(rows) == sorted([(leak, "ethereum-agency", "1500000"), (grab, "ethereum-seized", "7")])
    net.node.mine()
    until(scene, leak, "seen", "included")
    until(scene, grab, "seen", "included")  # nobody allowed it: it failed, and moved nothing
    assert scene.stored.rows("SELECT count(*) FROM tx WHERE lower(hex(txid)) = ?", grab) == [(0,)]
    scene.in_step(WAIT_S)
    scene.check()
    scene.end()


def test_a_payment_that_the_node_drops_is_dropped_and_may_come_back(scene: Scene, net: EthereumNet) -> None:
    payment = pay(net, "seized", "authority", 10**17)
    raw = net.node.rpc("eth_getRawTransactionByHash", "0x" + payment)
    until(scene, payment, "seen")
    net.node.rpc("anvil_dropTransaction", "0x" + payment)
    until(scene, payment, "seen", "dropped")
    net.node.rpc("eth_sendRawTransaction", raw)
    until(scene, payment, "seen", "dropped", "seen")
    net.node.mine()
    until(scene, payment, "seen", "dropped", "seen", "included")
    scene.in_step(WAIT_S)
    scene.end()


def test_a_reorg_orphans_a_payment_which_is_seen_again_or_double_spent(scene: Scene, net: EthereumNet) -> None:
    nonce = nonce_of(net, "agency")
    payment, doomed = pay(net, "seized", "authority", 10**17), pay(net, "agency", "exchange", 10**17)
    raw = net.node.rpc("eth_getRawTransactionByHash", "0x" + payment)
    net.node.mine()
    for txid in (payment, doomed):
        scene.daemon.until(lambda txid=txid: states(scene, txid)[-1:] == ["included"], f"{txid} included", WAIT_S)
    rival = {"from": net.accounts["agency"], "to": net.accounts["stranger"], "value": "0x7", "nonce": hex(nonce)}
    net.node.reorg(1, [(rival | {"gas": hex(21_000)}, 0)])
    scene.daemon.until(lambda: states(scene, payment)[-1:] == ["orphaned"], "orphaned", WAIT_S)
    scene.daemon.until(lambda: states(scene, doomed)[-2:] == ["orphaned", "conflicted"], "conflicted", WAIT_S)
    assert life(scene, doomed)[-1][3] == shared(net, "agency", nonce)
    net.node.rpc("eth_sendRawTransaction", raw)
    scene.daemon.until(lambda: states(scene, payment)[-2:] == ["orphaned", "seen"], "seen again", WAIT_S)
    net.node.mine()
    scene.daemon.until(lambda: states(scene, payment)[-2:] == ["seen", "included"], "included again", WAIT_S)
    scene.in_step(WAIT_S)
    scene.check()
    scene.end()


def mined(net: EthereumNet, _payment: str, _nonce: int) -> None:
    net.node.mine()


def replaced(net: EthereumNet, _payment: str, nonce: int) -> None:
    pay(net, "seized", "stranger", 1, gwei=50, nonce=nonce)


def replaced_and_mined(net: EthereumNet, payment: str, nonce: int) -> None:
    net.node.mine(3) if nonce < 0 else None
    replaced(net, payment, nonce)
    net.node.mine(9)


def dropped(net: EthereumNet, payment: str, _nonce: int) -> None:
    net.node.rpc("anvil_dropTransaction", "0x" + payment)


@pytest.mark.parametrize(
    ("meanwhile", "state"),
    [(mined, "included"), (replaced, "replaced"), (replaced_and_mined, "conflicted"), (dropped, "dropped")],
)
def test_what_happens_while_the_daemon_is_down_is_observed_afterwards(
    scene: Scene, net: EthereumNet, meanwhile: Callable[[EthereumNet, str, int], None], state: str
) -> None:
    nonce = nonce_of(net, "seized")
    payment = pay(net, "seized", "authority", 5 * 10**17)
    until(scene, payment, "seen")
    scene.end()
    meanwhile(net, payment, nonce)
    scene.daemon.start()
    until(scene, payment, "seen", state)
    [(begun,)] = scene.stored.rows("SELECT max(started_at) FROM v_daemon_run")
    [seen, late] = scene.stored.rows("SELECT at FROM v_transfer_event WHERE txid = ? ORDER BY event_id", payment)
    assert seen[0] <= begun <= late[0], "observed when the daemon ran again, not when it happened"
    scene.in_step(WAIT_S)
    scene.check()
    scene.end()


@pytest.mark.parametrize(("missing", "most"), [((), 5_000), ((), 0), (("txpool_status",), 5_000)])
async def test_a_mempool_that_cannot_be_listed_is_read_from_the_pending_block(
    net: EthereumNet, monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...], most: int
) -> None:
    monkeypatch.setattr(mempool, "MOST_LISTED", most)
    txid = pay(net, "seized", "stranger", 5)
    watched = {int.from_bytes(net.key("seized"), "big")}
    interest = Interest(CHAIN, AssetId(ETHER), frozenset(), watched)  # type: ignore[arg-type]
    best = bytes.fromhex(net.hashes(net.height(), net.height())[0])
    async with lying(net.node.rpc_url, without(*missing)) as url:
        pool = mempool.EthereumPool(JsonRpc(url), interest, 2, "here")
        look = await pool.look(lambda: best, [Holder(net.key("seized"))])  # type: ignore[arg-type, return-value]
        assert look is not None
        [sighting] = look.held.values()
        await pool.close()
    assert sighting.txid.hex() == txid
    assert [(m.kind, m.amount) for m in sighting.moves] == [(Kind.FEE, 21_000 * 10 * GWEI), (Kind.TRACE, 5)]
