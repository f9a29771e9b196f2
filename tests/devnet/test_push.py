"""Push as a wake-up: a daemon that would look once an hour follows at once, whatever happens to the connection."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from harness.bitcoin import BitcoinNet
from harness.devnet import Devnet
from harness.families import busy
from harness.scene import Scene

from fixtures.process import free_port

HOUR_S = 3600
PATIENCE_S = 60.0


@pytest.fixture
def rng() -> random.Random:
    return random.Random(20260105)


@pytest.fixture
def scene(net: Devnet, tmp_path: Path) -> Iterator[Scene]:
    """A daemon that looks at its node once an hour, and hears what it announces."""
    scene = Scene(tmp_path, [net])
    scene.configure(poll_s=HOUR_S, **net.push)
    scene.daemon.start()
    scene.in_step(PATIENCE_S)
    yield scene
    scene.daemon.kill()


def test_blocks_are_followed_without_a_look_of_our_own(scene: Scene, net: Devnet, rng: random.Random) -> None:
    for _ in range(4):
        busy(net, rng, 1)
        scene.in_step(PATIENCE_S)
    busy(net, rng, 12)
    scene.in_step(PATIENCE_S)
    scene.check()
    scene.end()


def test_a_reorg_is_followed(scene: Scene, net: Devnet, rng: random.Random) -> None:
    busy(net, rng, 3)
    scene.in_step(PATIENCE_S)
    net.reorg(2, rng)
    scene.in_step(PATIENCE_S)
    scene.check()
    scene.end()


def test_a_node_that_was_frozen_is_heard_again(scene: Scene, net: Devnet, rng: random.Random) -> None:
    net.pause()
    scene.daemon.until(lambda: "state=lost" in scene.daemon.log or net.name == "bitcoin", "it is noticed", PATIENCE_S)
    net.resume()
    busy(net, rng, 2)
    scene.in_step(PATIENCE_S)
    scene.check()
    scene.end()


def test_a_node_that_restarts_is_heard_again(scene: Scene, net: Devnet, rng: random.Random) -> None:
    net.stop()
    net.start()
    for _ in range(200):  # the subscription comes back when it does: every block is another chance
        busy(net, rng, 1)
        try:
            scene.in_step(0.5)
            break
        except AssertionError:
            continue
    scene.in_step(PATIENCE_S)
    scene.check()
    scene.end()


def test_without_anybody_who_announces_polling_goes_on(net: Devnet, tmp_path: Path, rng: random.Random) -> None:
    scene = Scene(tmp_path, [net])
    nobody = free_port()
    push = {"zmq": [f"tcp://127.0.0.1:{nobody}"]} if "zmq" in net.push else {"ws_url": f"ws://127.0.0.1:{nobody}"}
    scene.configure(**push)
    scene.daemon.start()
    scene.in_step(PATIENCE_S)
    busy(net, rng, 2)
    scene.in_step(PATIENCE_S)
    scene.check()
    checked = scene.daemon.call("check")
    assert checked.returncode == 2 and f"FAIL {net.name}: announces blocks: " in checked.stdout
    scene.end()


def test_a_pushed_block_is_checked_and_a_forged_one_is_no_loss(tmp_path: Path, bitcoind_exe: Path) -> None:
    net = BitcoinNet(bitcoind_exe)
    scene = Scene(tmp_path, [net])
    url = f"tcp://127.0.0.1:{free_port()}"
    with zmq.Context() as context, context.socket(zmq.PUB) as forger:
        forger.bind(url)
        scene.configure(poll_s=HOUR_S, zmq=[url])
        scene.daemon.start()
        scene.in_step(PATIENCE_S)
        for forge in (forged, cut, honest):
            net.pay("seized", "authority", 1)
            net.mine()
            raw = bytes.fromhex(net.node.rpc("getblock", net.hashes(net.height(), net.height())[0], 0))
            scene.daemon.until(lambda: heard(scene, net, forger, forge(raw)), "the daemon looks", PATIENCE_S)  # noqa: B023
            scene.check()
    assert scene.daemon.log.count("sent what is not used") == 2
    assert {rule for rule, *_ in scene.stored.alerts()} == {"LEG-1", "KEY-1"}, "nothing is held against the node"
    scene.end()
    net.close()


def heard(scene: Scene, net: BitcoinNet, forger: zmq.Socket[bytes], raw: bytes) -> bool:
    """Publish a block again and again, since a subscriber may come late; says whether the daemon is in step."""
    if not scene.stands(net):
        forger.send_multipart([b"rawblock", raw, bytes(4)])
    return scene.stands(net)


def forged(raw: bytes) -> bytes:
    """The block with one amount changed: what it says is well-formed, and false."""
    place = raw.rindex(net_amount := (10**6).to_bytes(8, "little"))
    return raw[:place] + (10**6 + 1).to_bytes(8, "little") + raw[place + len(net_amount) :]


def cut(raw: bytes) -> bytes:
    """The block without its end."""
    return raw[:-10]


def honest(raw: bytes) -> bytes:
    """The block as it is."""
    return raw


def test_check_says_that_push_works(scene: Scene, net: Devnet) -> None:
    checked = scene.daemon.call("check")
    assert checked.returncode == 0, checked.stdout
    [where] = [str(value[0] if isinstance(value, list) else value) for value in net.push.values()]
    assert f"ok   {net.name}: announces blocks: {where}" in checked.stdout
