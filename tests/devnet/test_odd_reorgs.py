"""Reorgs that come in odd ways: a split network, a node that changes its mind, goes back, or loses everything."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.bitcoin import BitcoinNet
from harness.devnet import Devnet, leg
from harness.ethereum import EthereumNet
from harness.scene import Scene

from fixtures.bitcoind import Bitcoind

HEAL_S = 60.0


@pytest.fixture
def rng() -> random.Random:
    """The same activity at each run."""
    return random.Random(7)


@pytest.fixture
def peer(bitcoind_exe: Path, bitcoin: BitcoinNet) -> Iterator[Bitcoind]:
    """A second bitcoind, in step with the first."""
    with Bitcoind(bitcoind_exe, listen=True) as peer:
        join(bitcoin, peer)
        yield peer


def started(net: Devnet, rng: random.Random, folder: Path) -> Scene:
    """A daemon in step with a net that has activity."""
    scene = Scene(folder, [net], legs=[leg(net, "secure", "seized", "authority", "0.5")])
    net.grow(6, rng)
    scene.daemon.start()
    scene.in_step()
    scene.check()
    return scene


def split(net: BitcoinNet, peer: Bitcoind) -> None:
    """Cut the line between two nodes."""
    for node in (net.node, peer):
        node.rpc("setnetworkactive", False)


def join(net: BitcoinNet, peer: Bitcoind) -> None:
    """Connect two nodes, and wait until both have the same tip."""
    for node in (net.node, peer):
        node.rpc("setnetworkactive", True)
    deadline = time.monotonic() + HEAL_S
    while net.node.rpc("getbestblockhash") != peer.rpc("getbestblockhash"):
        assert time.monotonic() < deadline, "the nodes did not come together"
        if not net.node.rpc("getconnectioncount"):
            net.node.rpc("addnode", peer.p2p_address, "onetry")
        time.sleep(0.1)
    net.look_again()


def grow_apart(net: BitcoinNet, peer: Bitcoind, ours: int, theirs: int, rng: random.Random) -> None:
    """Let both sides of a split mine; the peer pays its rewards to watched holders."""
    net.grow(ours, rng)
    for number in range(theirs):
        peer.generate_block(net.key(("seized", "exchange", "agency")[number % 3]))


def test_follows_the_longer_side_when_a_split_network_heals(
    bitcoin: BitcoinNet, peer: Bitcoind, rng: random.Random, tmp_path: Path
) -> None:
    scene = started(bitcoin, rng, tmp_path)
    join(bitcoin, peer)
    for ours, theirs in ((3, 5), (4, 2), (1, 4)):
        split(bitcoin, peer)
        grow_apart(bitcoin, peer, ours, theirs, rng)
        scene.in_step()
        scene.check()
        join(bitcoin, peer)
        scene.in_step()
        scene.check()
        longer = "their" if theirs > ours else "our"
        assert bitcoin.node.rpc("getblockcount") == peer.rpc("getblockcount"), f"{longer} side won"
    assert scene.stored.rows("SELECT count(*) FROM block WHERE NOT canonical") == [(3 + 1,)]
    scene.end()


def test_follows_a_node_that_cannot_decide_between_two_tips(
    bitcoin: BitcoinNet, rng: random.Random, tmp_path: Path
) -> None:
    scene = started(bitcoin, rng, tmp_path)
    [first] = bitcoin.hashes(bitcoin.height(), bitcoin.height())
    bitcoin.reorg(1, rng, longer=0)
    [second] = bitcoin.hashes(bitcoin.height(), bitcoin.height())
    bitcoin.node.reconsider(first)
    for block in (first, second, first, second, first):
        bitcoin.node.rpc("preciousblock", block)
        bitcoin.look_again()
        assert bitcoin.node.rpc("getbestblockhash") == block
        scene.in_step()
        scene.check()
    assert scene.stored.rows("SELECT count(*) FROM block WHERE NOT canonical") == [(1,)]
    bitcoin.grow(3, rng)
    scene.in_step()
    scene.check()
    scene.end()


def test_waits_where_a_node_goes_back_to_a_snapshot_and_follows_what_it_does_then(
    ethereum: EthereumNet, rng: random.Random, tmp_path: Path
) -> None:
    scene = started(ethereum, rng, tmp_path)
    snapshot = ethereum.node.snapshot()
    ethereum.grow(4, rng)
    scene.in_step()
    scene.check()
    left = set(ethereum.hashes(ethereum.height() - 3, ethereum.height()))
    before = scene.stored.evidence()
    ethereum.node.revert(snapshot)
    scene.state(ethereum, "behind")
    assert scene.stored.evidence() == before, "a shorter chain is no reorg"
    ethereum.pay("rich", "stranger", 1)
    ethereum.grow(6, rng)
    scene.in_step()
    scene.check()
    gone = {one for (one,) in scene.stored.rows("SELECT lower(hex(hash)) FROM block WHERE NOT canonical")}
    assert gone == left
    scene.end()


def test_a_node_that_lost_everything_is_behind_until_it_is_restored(
    net: Devnet, rng: random.Random, tmp_path: Path
) -> None:
    scene = started(net, rng, tmp_path)
    net.grow(net.final_depth, rng)
    scene.in_step()
    saved = net.save()
    scene.in_step()
    before = scene.stored.evidence()
    net.wipe()
    scene.state(net, "behind")
    net.mine(2)
    scene.state(net, "behind")
    assert scene.stored.evidence() == before
    net.restore(saved)
    net.grow(2, rng)
    scene.in_step()
    scene.check()
    assert "disconnected" not in scene.daemon.log
    scene.end()


def test_a_node_that_began_anew_and_outgrew_the_store_is_not_believed(
    net: Devnet, rng: random.Random, tmp_path: Path
) -> None:
    scene = started(net, rng, tmp_path)
    net.grow(net.final_depth, rng)
    scene.in_step()
    before, height = scene.stored.evidence(), net.height()
    net.wipe()
    net.mine(height + 2)
    assert scene.daemon.wait(60) in (2, 3), "refused as another network, else halted at the final block"
    assert scene.stored.evidence() == before
    assert [rule for rule, severity, _ in scene.stored.alerts() if severity == "CRITICAL"]
    assert scene.daemon.sync() in (2, 3), "and so it stays"
    assert scene.stored.evidence() == before
