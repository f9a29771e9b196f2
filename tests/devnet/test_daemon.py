"""What operators see of the daemon: alerts, the lock, the socket, the status of each node."""

import json
import random
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.bitcoin import BitcoinNet
from harness.devnet import case_file, leg
from harness.ethereum import EthereumNet
from harness.relay import Relay
from harness.scene import Scene
from harness.stored import Stored
from harness.tracerd import Tracerd

COLLECT = """#!/bin/sh
exec cat >"{folder}/alert-$$.json"
"""


@pytest.fixture
def net(bitcoind_exe: Path) -> Iterator[BitcoinNet]:
    net = BitcoinNet(bitcoind_exe)
    yield net
    net.close()


@pytest.fixture
def other(anvil_exe: Path) -> Iterator[EthereumNet]:
    net = EthereumNet(anvil_exe)
    yield net
    net.close()


@pytest.fixture
def scene(net: BitcoinNet, tmp_path: Path) -> Iterator[Scene]:
    """A case with one leg, and a daemon that hands its alerts to a command."""
    command = tmp_path / "collect"
    command.write_text(COLLECT.format(folder=tmp_path))
    command.chmod(0o700)
    legs = [leg(net, "secure", "seized", "authority", "0.5")]
    scene = Scene(tmp_path, [net], legs=legs, daemon=f'alert_command = "{command}"')
    yield scene
    scene.daemon.kill()


def told(folder: Path) -> list[dict[str, str]]:
    """What the alert command was given, so far as it is written whole."""
    texts = [path.read_text() for path in folder.glob("alert-*.json")]
    return [json.loads(text) for text in texts if text]


def test_an_alert_is_a_row_a_line_and_a_call_of_the_command(scene: Scene, net: BitcoinNet, tmp_path: Path) -> None:
    scene.daemon.start()
    scene.in_step()
    net.pay("seized", "stranger", 40)
    net.mine()
    scene.in_step()
    scene.daemon.until(lambda: len(told(tmp_path)) == 3, "the command got all alerts")
    rows = [row for row in scene.stored.alerts() if row[0] == "LEG-1"]
    leak = next(row for row in rows if row[2].startswith("0.40000000 BTC left custody"))
    assert [row[1] for row in rows] == ["CRITICAL", "CRITICAL"], "the leak, and the fee that went with it"
    for rule, severity, message in rows:
        [line] = [line for line in scene.daemon.log.splitlines() if message in line]
        assert f"ALERT rule={rule} severity={severity} chain=bitcoin" in line
        assert {"rule": rule, "severity": severity, "chain": "bitcoin", "message": message} in told(tmp_path)
    assert leak[2].endswith(": leak")
    scene.end()


def test_an_alert_command_that_fails_stops_nothing(net: BitcoinNet, tmp_path: Path) -> None:
    for command, words in (("/nonexistent/pager", "cannot be started"), ("/bin/false", "ended with exit code 1")):
        scene = Scene(tmp_path / words[:6].strip(), [net], daemon=f'alert_command = "{command}"')
        net.pay("seized", "stranger", 10)
        net.mine()
        assert scene.daemon.sync() == 0
        assert words in scene.daemon.log
        scene.check()


def test_a_reorg_of_a_leg_is_told_once(scene: Scene, net: BitcoinNet) -> None:
    net.pay("seized", "authority", 50)
    net.mine()
    scene.daemon.start()
    scene.in_step()
    net.shrink(1)
    net.mine(2)
    scene.in_step()
    alerts = scene.stored.alerts()
    [(severity, message)] = [row[1:] for row in alerts if row[0] == "REORG-1"]
    assert severity == "HIGH" and message.startswith("leg secure: its transaction left the chain")
    scene.end()


def test_a_node_that_stays_behind_is_told_once_after_its_deadline(scene: Scene, net: BitcoinNet) -> None:
    scene.configure(behind_alert_s=0.4)
    old = net.save()
    net.mine(3)
    scene.daemon.start()
    scene.in_step()
    net.restore(old)
    scene.state(net, "behind")
    scene.daemon.until(scene.stored.alerts, "an alert")
    time.sleep(1)
    [(rule, severity, message)] = scene.stored.alerts()
    assert (rule, severity) == ("NODE-1", "WARN") and message.endswith("nothing was disconnected")
    net.mine(4)
    scene.in_step()
    scene.end()


def test_what_cannot_be_observed_is_told_once_in_the_life_of_a_store(other: EthereumNet, tmp_path: Path) -> None:
    scene = Scene(tmp_path, [other])
    scene.configure(traces="off")
    told = []
    for _ in range(3):
        other.pay("rich", "seized", 1)
        other.mine()
        assert scene.daemon.sync() == 0
        told.append(scene.daemon.log.count("internal transfers unobserved"))
    assert told == [1, 0, 0]
    assert len([rule for rule, *_ in scene.stored.alerts() if rule == "DATA-1"]) == 1


def test_a_store_is_made_by_the_first_start_and_owned_by_one_process(net: BitcoinNet, tmp_path: Path) -> None:
    daemon = Tracerd(tmp_path, [net.table()], [case_file([net], [net.first], [net.height()])], new=True)
    stored = Stored(daemon.store)
    assert not daemon.store.exists()
    daemon.start()
    daemon.until(lambda: (stored.status("bitcoin") or ("",))[0] == "in step", "in step")
    lock = tmp_path / "store.db.lock"
    assert lock.read_text().strip() == str(daemon.pid)
    daemon.kill()
    assert daemon.sync() == 0, "the lock of a killed daemon holds nobody up"
    assert daemon.call("case", "import", str(tmp_path / "case-0.toml")).stdout.splitlines()[-1] == (
        "was imported before; nothing changed"
    )


def test_the_socket_is_private_and_goes_with_the_daemon(scene: Scene, net: BitcoinNet, tmp_path: Path) -> None:
    socket = tmp_path / "store.db.sock"
    scene.daemon.start()
    scene.daemon.until(socket.exists, "the socket")
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    scene.in_step()
    wrong = scene.daemon.call("case", "import", str(tmp_path / "nowhere.toml"))
    assert wrong.returncode == 2 and "nowhere.toml" in wrong.stderr
    late = net.height() + 1
    text = case_file([net], [late], [late], ref="second")
    first = scene.daemon.call("case", "import", str(scene.daemon.write_case("second.toml", text)))
    again = scene.daemon.call("case", "import", str(tmp_path / "second.toml"))
    assert first.stdout.splitlines()[-1] == "imported"
    assert again.stdout.splitlines()[-1] == "was imported before; nothing changed"
    assert scene.stored.rows("SELECT ref FROM cases ORDER BY id") == [("disposal",), ("second",)]
    scene.end()
    assert not socket.exists()


def test_a_killed_daemons_socket_is_replaced(scene: Scene, tmp_path: Path) -> None:
    socket = tmp_path / "store.db.sock"
    scene.daemon.start()
    scene.in_step()
    scene.daemon.kill()
    assert socket.exists(), "nobody was there to remove it"
    assert scene.daemon.call("case", "import", str(tmp_path / "case-0.toml")).returncode == 0, "imported without it"
    scene.daemon.start()
    scene.in_step()
    scene.end()


def test_stops_cleanly_also_while_it_starts(scene: Scene, tmp_path: Path) -> None:
    for how, code in ((signal.SIGTERM, 0), (signal.SIGINT, 130)):
        scene.daemon.start()
        scene.daemon.until((tmp_path / "store.db.lock").exists, "it has begun to open the store")
        assert scene.daemon.stop(how) == code, scene.daemon.log
        assert "Traceback" not in scene.daemon.log
        (tmp_path / "store.db.lock").unlink()


def test_the_status_of_a_node_is_kept_fresh_while_nothing_happens(scene: Scene, net: BitcoinNet) -> None:
    scene.daemon.start()
    scene.in_step()
    first = scene.stored.status("bitcoin")
    assert first is not None and abs(first.contacted_at - time.time()) < 5

    def fresher() -> bool:
        status = scene.stored.status("bitcoin")
        return status is not None and status.contacted_at > first.contacted_at + 3

    scene.daemon.until(fresher, "the status is written anew", 12)
    net.stop()
    scene.state(net, "unreachable")
    gone = scene.stored.status("bitcoin")
    assert gone is not None and gone.node_height is None
    net.start()
    scene.in_step()
    scene.end()


def test_one_chain_goes_on_while_the_other_ones_node_is_away(
    net: BitcoinNet, other: EthereumNet, tmp_path: Path
) -> None:
    rng = random.Random(3)
    scene = Scene(tmp_path, [net, other])
    try:
        other.stop()
        scene.daemon.start()
        scene.state(other, "unreachable")
        for _ in range(3):
            net.act(rng)
            net.mine()
        scene.daemon.until(lambda: scene.stands(net), "bitcoin in step")
        other.start()
        other.act(rng)
        other.mine()
        scene.in_step()
        scene.check()
        net.reorg(net.final_depth, rng)
        scene.state(net, "halted")
        other.act(rng)
        other.mine()
        scene.daemon.until(lambda: scene.stands(other), "ethereum goes on")
        assert scene.daemon.stop() == 0
    finally:
        scene.daemon.kill()


def refusing(net: BitcoinNet, other: EthereumNet, folder: Path, port: int) -> tuple[Tracerd, Stored, Path]:
    """A daemon for both chains, Ethereum at a port, whose login at the Bitcoin node is in a file of the test's."""
    cookie = folder / "cookie"
    cookie.write_text(net.node.cookie_file.read_text())
    case = case_file([net, other], [net.first, other.first], [net.height(), other.height()])
    daemon = Tracerd(folder, [net.table(cookie_file=str(cookie)), other.table(port=port)], [case])
    return daemon, Stored(daemon.store), cookie


def stands(stored: Stored, net: EthereumNet) -> bool:
    """Whether the store's cursor is the node's tip."""
    height = net.height()
    return stored.tip(net.name) == (height, net.hashes(height, height)[0])


def test_one_chain_catches_up_before_the_refusal_of_the_other_is_told(
    net: BitcoinNet, other: EthereumNet, tmp_path: Path
) -> None:
    with Relay(other.port, delay_s=0.2) as relay:
        daemon, stored, cookie = refusing(net, other, tmp_path, relay.port)
        cookie.write_text("nobody:knows")
        assert daemon.sync() == 2
    [line] = [line for line in daemon.log.splitlines() if line.startswith("tracerd: ")]
    assert line == daemon.log.splitlines()[-1] and "refuses the credentials" in line and "cookie_file" in line
    assert stands(stored, other)
    assert stored.rows("SELECT * FROM block b JOIN chain c ON c.id = b.chain_id WHERE c.name = 'bitcoin'") == []


def test_one_chain_goes_on_when_the_node_of_the_other_refuses_us(
    net: BitcoinNet, other: EthereumNet, tmp_path: Path
) -> None:
    daemon, stored, _cookie = refusing(net, other, tmp_path, other.port)
    try:
        daemon.start()
        daemon.until(lambda: stored.tip("bitcoin"), "following has begun")
        net.stop()
        net.start()  # it writes a new cookie, which is not the one the daemon reads
        daemon.until(lambda: (stored.status("bitcoin") or ("",))[0] == "refused", "bitcoin refused")
        daemon.until(lambda: "ALERT rule=CHAIN-2" in daemon.log, "the alert that follows the state is told")
        [(severity, message)] = [row[1:] for row in stored.alerts() if row[0] == "CHAIN-2"]
        assert severity == "CRITICAL" and "refuses the credentials" in message
        assert daemon.log.count("ALERT rule=CHAIN-2 severity=CRITICAL chain=bitcoin") == 1
        other.mine(3)
        daemon.until(lambda: stands(stored, other), "ethereum goes on")
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log
    finally:
        daemon.kill()
