"""What a chain of headers is held to: work against a rival branch, a checkpoint, and the difficulty of its network."""

import json
import random
from pathlib import Path

import pytest
from harness.bitcoin import BitcoinNet
from harness.devnet import leg
from harness.relay import Relay
from harness.scene import Scene
from test_odd_reorgs import grow_apart, join, split

from fixtures.bitcoind import Bitcoind
from tracer.proof.networks import NETWORKS


def scene_of(bitcoin: BitcoinNet, rng: random.Random, folder: Path) -> Scene:
    scene = Scene(folder, [bitcoin], legs=[leg(bitcoin, "secure", "seized", "authority", "0.5")])
    bitcoin.grow(6, rng)
    return scene


def tip_of(node: Bitcoind) -> tuple[int, str]:
    return int(node.rpc("getblockcount")), str(node.rpc("getbestblockhash"))


@pytest.mark.parametrize("ours_blocks", [3, 12])
def test_a_branch_with_less_work_is_not_followed_until_it_has_more(
    ours_blocks: int, bitcoin: BitcoinNet, bitcoind_exe: Path, rng: random.Random, tmp_path: Path
) -> None:
    """Also where it parts below our final block: then it is broken finality once it has more."""
    with Bitcoind(bitcoind_exe, listen=True) as peer:
        scene = scene_of(bitcoin, rng, tmp_path)
        join(bitcoin, peer)
        split(bitcoin, peer)
        grow_apart(bitcoin, peer, ours_blocks, 2, rng)
        scene.daemon.start()
        scene.in_step()
        ours = scene.stored.tip(bitcoin.name)
        scene.end()
        scene.configure(port=peer.rpc_port, cookie_file=str(peer.cookie_file))
        assert scene.daemon.sync() == 4, scene.daemon.log
        scene.daemon.start()
        scene.state(bitcoin, "weaker branch")
        assert scene.stored.tip(bitcoin.name) == ours
        assert scene.stored.rows("SELECT count(*) FROM block WHERE NOT canonical") == [(0,)]
        for _ in range(ours_blocks - 1):
            peer.generate_block(bitcoin.key("exchange"))
        if ours_blocks > bitcoin.final_depth:
            assert scene.daemon.wait(40.0) == 3 and scene.stored.tip(bitcoin.name) == ours
            [(theirs,)] = scene.stored.rows("SELECT our_hash FROM v_finality_violation")
            keep = ("settle", "finality", "bitcoin", "--to", theirs, "--by", "op", "--reason", "wrong node", "--yes")
            assert scene.daemon.call(*keep).returncode == 0
            scene.configure()
            assert scene.daemon.sync() == 0, scene.daemon.log
            assert scene.stored.tip(bitcoin.name) == ours
            return
        scene.daemon.until(lambda: scene.stored.tip(bitcoin.name) == tip_of(peer), "the heavier branch is followed")
        assert scene.stored.rows("SELECT count(*) FROM block WHERE NOT canonical") == [(3,)]
        scene.end()


def test_headers_count_from_a_checkpoint_and_every_answer_says_so(
    bitcoin: BitcoinNet, rng: random.Random, tmp_path: Path
) -> None:
    scene = scene_of(bitcoin, rng, tmp_path)
    height = 100
    [block] = bitcoin.hashes(height, height)
    scene.configure(checkpoint=f"{height}:{block}")
    scene.daemon.start()
    scene.in_step()
    scene.check()
    assert scene.stored.rows("SELECT anchor FROM v_chain") == [(f"header-chain from checkpoint {height}",)]
    bitcoin.reorg(3, rng)
    scene.in_step()
    scene.check()
    scene.end()


def test_a_checkpoint_that_is_another_block_stops_the_chain_before_anything_is_stored(
    bitcoin: BitcoinNet, rng: random.Random, tmp_path: Path
) -> None:
    scene = scene_of(bitcoin, rng, tmp_path)
    [block] = bitcoin.hashes(99, 99)
    scene.configure(checkpoint=f"100:{block}")
    assert scene.daemon.sync() == 3, scene.daemon.log
    assert "is not the checkpoint" in scene.daemon.log
    assert scene.stored.rows("SELECT count(*) FROM movement") == [(0,)]
    [(height, reason)] = scene.stored.rows("SELECT height, reason FROM v_refused_block")
    assert height == 100 and "checkpoint" in reason


def as_main(_path: str, asked: bytes, told: bytes) -> bytes:
    """Give regtest's chain out as `main`: its first block is the true one."""
    regtest, main = (NETWORKS[name].genesis_hash.hex() for name in ("regtest", "main"))
    question = json.loads(asked)
    if isinstance(question, dict) and question["method"] == "getblockheader" and question["params"][0] == main:
        return json.dumps({"result": NETWORKS["main"].genesis.hex(), "error": None, "id": question["id"]}).encode()
    return told.replace(regtest.encode(), main.encode())


def test_easy_blocks_are_not_taken_for_those_of_a_network_with_difficulty(
    bitcoin: BitcoinNet, rng: random.Random, tmp_path: Path
) -> None:
    bitcoin.node.mine(2_030 - bitcoin.height(), bitcoin.scripts["stranger"])
    scene = Scene(tmp_path, [bitcoin], births=[bitcoin.height() + 1])
    bitcoin.grow(6, rng)
    [block] = bitcoin.hashes(2_020, 2_020)
    with Relay(bitcoin.port, lie=as_main) as relay:
        scene.configure(port=relay.port, network="main", rest="off")
        assert scene.daemon.sync() == 4, scene.daemon.log
        assert "headers do not lead to" in scene.daemon.log
        scene.daemon.store.unlink()
        scene.configure(port=relay.port, network="main", rest="off", checkpoint=f"2020:{block}")
        assert scene.daemon.sync() == 3, "even an operator who pins an easy block is not misled"
        assert "does not meet a target of the network" in scene.daemon.log, scene.daemon.log
    assert scene.stored.rows("SELECT count(*) FROM movement") == [(0,)]


def test_one_node_that_rejects_our_tip_does_not_move_us_while_another_shows_it(
    bitcoin: BitcoinNet, rng: random.Random, tmp_path: Path
) -> None:
    scene = scene_of(bitcoin, rng, tmp_path)
    twin = bitcoin.twin()
    try:
        twin.take_over(bitcoin)
        scene.configure(sources=[twin.source("second")])
        scene.daemon.start()
        scene.in_step()
        ours = scene.stored.tip(bitcoin.name)
        shown = "SELECT vouched_height FROM v_source WHERE source = 'second'"
        scene.daemon.until(lambda: scene.stored.rows(shown) == [(bitcoin.height(),)], "the second node shows our tip")
        bitcoin.node.reorg(3, 1)
        scene.state(bitcoin, "weaker branch")
        assert scene.stored.tip(bitcoin.name) == ours
        twin.stop()
        bitcoin.node.mine(3)
        scene.in_step()
        assert scene.stored.rows("SELECT count(*) FROM block WHERE NOT canonical") == [(3,)]
        scene.end()
    finally:
        twin.close()
