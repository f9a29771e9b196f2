"""Several nodes of one chain: who vouches for a hash, what happens when one does not, and how a halt is settled."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.bitcoin import BitcoinNet
from harness.devnet import Devnet, leg
from harness.ethereum import EthereumNet
from harness.relay import Relay
from harness.scene import Scene

LONG_S = 60.0
WHO = ("--by", "A. Operator", "--reason", "a second node agrees")


@pytest.fixture
def twin(net: Devnet) -> Iterator[Devnet]:
    """A second node with the same chain so far."""
    twin = net.twin()
    yield twin
    twin.close()


@pytest.fixture
def rng() -> random.Random:
    """The same activity at each run."""
    return random.Random(20250606)


@pytest.fixture
def scene(net: Devnet, tmp_path: Path) -> Iterator[Scene]:
    """A case on a chain, and a daemon that was not started yet."""
    scene = Scene(tmp_path, [net], legs=[leg(net, "secure", "seized", "authority", "0.5")])
    yield scene
    scene.daemon.kill()


def final(scene: Scene, net: Devnet) -> int:
    [(height,)] = scene.stored.rows("SELECT final_height FROM v_chain WHERE chain = ?", net.name)
    return int(height)


def alerts(scene: Scene, rule: str) -> list[tuple[str, str]]:
    return [(severity, message) for name, severity, message in scene.stored.alerts() if name == rule]


def verdict(scene: Scene, net: Devnet) -> tuple[str, str]:
    return scene.stored.verdicts()["disposal", "secure", net.asset]


def disagreements(scene: Scene) -> list[tuple[object, ...]]:
    sql = "SELECT source, height, our_hash, their_hash, ended_at IS NOT NULL FROM v_disagreement ORDER BY 1, 2"
    return scene.stored.rows(sql)


def begin(scene: Scene, net: Devnet, twin: Devnet) -> None:
    """Follow a chain that both nodes have."""
    scene.configure(sources=[twin.source("second")])
    scene.daemon.start()
    scene.in_step(LONG_S)


def answer(scene: Scene) -> dict[str, object]:
    """What `tracer legs` says."""
    tracer = Path(sys.executable).with_name("tracer")
    done = subprocess.run(
        [tracer, "--store", scene.daemon.store, "legs", "--json"], capture_output=True, text=True, check=False
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_fact_becomes_final_only_where_both_nodes_have_its_block(net: Devnet, twin: Devnet, scene: Scene) -> None:
    begin(scene, net, twin)
    known = net.height()
    net.pay("seized", "authority", 50)
    net.mine(net.final_depth + 4)
    scene.in_step(LONG_S)
    assert verdict(scene, net) == ("SHOWN", "arrived as planned, confirmed")
    assert final(scene, net) <= known
    twin.take_over(net)
    scene.daemon.until(lambda: verdict(scene, net)[1] == "arrived as planned, final", "final", LONG_S)
    sql = "SELECT count(*) FROM v_source WHERE vouched_height = ?"
    scene.daemon.until(lambda: scene.stored.rows(sql, net.height()) == [(2,)], "both vouch for the tip", LONG_S)
    [chain] = answer(scene)["as_of"]  # type: ignore[misc]
    assert chain["anchor"].startswith("2 of 2 nodes")  # type: ignore[index]
    assert chain["anchor_height"] == net.height()  # type: ignore[index]
    assert disagreements(scene) == [] and alerts(scene, "RECON-2") == []
    scene.check()
    scene.end()


def test_a_node_that_is_away_does_not_vouch_for_the_branch_that_came_after(
    net: Devnet, twin: Devnet, scene: Scene, rng: random.Random
) -> None:
    twin.take_over(net)
    begin(scene, net, twin)
    height = net.height()
    shown = "SELECT vouched_height FROM v_source WHERE source = 'second'"
    scene.daemon.until(lambda: scene.stored.rows(shown) == [(height,)], "the second node shows our tip")
    twin.stop()
    net.reorg(3, rng)
    net.mine(net.final_depth + 4)
    scene.in_step(LONG_S)
    assert final(scene, net) == height - 3, "it never showed what lies above"


def test_one_of_two_nodes_is_enough_where_the_operator_says_so(net: Devnet, twin: Devnet, scene: Scene) -> None:
    scene.configure(sources=[twin.source("second")], agree=1)
    net.mine(net.final_depth + 4)
    twin.stop()
    scene.daemon.start()
    scene.in_step(LONG_S)
    assert final(scene, net) > net.height() - net.final_depth - 1
    [chain] = answer(scene)["as_of"]  # type: ignore[misc]
    assert "nodes" not in chain["anchor"]  # type: ignore[index]
    scene.end()


def test_nodes_that_part_are_a_stored_event_and_nothing_above_the_fork_becomes_final(
    net: Devnet, twin: Devnet, scene: Scene
) -> None:
    begin(scene, net, twin)
    sql = "SELECT 1 FROM v_source WHERE source = 'second' AND vouched_height = ?"
    scene.daemon.until(lambda: scene.stored.rows(sql, net.height()), "vouched", LONG_S)
    fork = net.height() - 2  # it has vouched for the two blocks above
    twin.shrink(2)
    twin.pay("rich", "stranger", 7)  # empty blocks of two anvils may be the same
    twin.mine(net.final_depth + 3)
    scene.daemon.until(lambda: disagreements(scene), "the disagreement is stored", LONG_S)
    net.mine(net.final_depth + 4)
    scene.in_step(LONG_S)
    [(ours,), (theirs,)] = [one.hashes(fork + 1, fork + 1) for one in (net, twin)]
    assert disagreements(scene) == [("second", fork + 1, ours, theirs, 0)]
    [check] = [check for check in answer(scene)["checks"] if check["rule"] == "ANCHOR"]  # type: ignore[attr-defined]
    assert check["verdict"] == "NOT_SHOWN" and f"another block at height {fork + 1}" in check["reason"]
    [(severity, message)] = alerts(scene, "RECON-2")
    assert severity == "HIGH" and theirs in message and ours in message
    assert final(scene, net) <= fork
    twin.take_over(net)
    scene.daemon.until(lambda: disagreements(scene)[0][-1], "it is over", LONG_S)
    scene.daemon.until(lambda: final(scene, net) > fork, "final again", LONG_S)
    assert [severity for severity, _ in alerts(scene, "RECON-2")] == ["HIGH", "INFO"]
    scene.check()
    scene.end()


def test_nodes_that_reorganise_together_do_not_disagree(net: Devnet, scene: Scene, rng: random.Random) -> None:
    scene.configure(sources=[net.source("second"), net.source("third")], agree=2)
    scene.daemon.start()
    scene.in_step(LONG_S)
    for depth in (1, 3, net.final_depth - 1):
        net.mine(net.final_depth)
        scene.in_step(LONG_S)
        net.reorg(depth, rng)
        scene.in_step(LONG_S)
        scene.check()
    scene.daemon.until(lambda: final(scene, net) > net.height() - net.final_depth - 1, "final", LONG_S)
    assert [row for row in alerts(scene, "RECON-2") if row[0] == "HIGH"] == []
    scene.end()


def test_a_source_that_is_away_only_holds_finality_back(net: Devnet, twin: Devnet, scene: Scene) -> None:
    scene.configure(sources=[twin.source("second")], behind_alert_s=0.5)
    scene.daemon.start()
    scene.in_step(LONG_S)
    twin.stop()
    known = net.height()
    net.mine(net.final_depth + 4)
    scene.in_step(LONG_S)
    scene.daemon.until(lambda: alerts(scene, "SRC-1"), "an alert", LONG_S)
    assert final(scene, net) <= known
    twin.start()
    scene.daemon.until(lambda: alerts(scene, "SRC-1"), "an alert", LONG_S)
    twin.take_over(net)
    scene.daemon.until(lambda: final(scene, net) > known, "final again", LONG_S)
    assert {severity for severity, _ in alerts(scene, "SRC-1")} == {"WARN"}
    assert alerts(scene, "RECON-2") == []
    scene.end()


def test_catching_up_once_asks_the_sources_too(net: Devnet, twin: Devnet, scene: Scene) -> None:
    fork = net.height()
    net.mine(net.final_depth + 4)
    twin.pay("rich", "stranger", 7)
    twin.mine(3)
    scene.configure(sources=[twin.source("second")])
    assert scene.daemon.sync() == 0, scene.daemon.log
    assert [row[:2] for row in disagreements(scene)] == [("second", fork + 1)]
    assert final(scene, net) <= fork
    twin.take_over(net)
    assert scene.daemon.sync() == 0
    assert [row[-1] for row in disagreements(scene)] == [1]
    assert final(scene, net) > fork
    scene.check()


def test_two_bitcoinds_that_are_parted_and_find_each_other_again(bitcoind_exe: Path, tmp_path: Path) -> None:
    net = BitcoinNet(bitcoind_exe)
    twin = net.twin()
    try:
        scene = Scene(tmp_path, [net])
        scene.configure(sources=[twin.source("second")])
        net.node.rpc("addnode", twin.node.p2p_address, "onetry")
        net.mine(1)
        scene.daemon.start()
        scene.daemon.until(lambda: twin.height() == net.height(), "connected", LONG_S)
        scene.in_step(LONG_S)
        fork = net.height()
        net.node.rpc("setnetworkactive", False)
        scene.daemon.until(lambda: not twin.node.rpc("getconnectioncount"), "parted", LONG_S)
        net.mine(2)
        twin.mine(4)
        scene.in_step(LONG_S)
        scene.daemon.until(lambda: disagreements(scene), "they disagree", LONG_S)
        net.node.rpc("setnetworkactive", True)
        net.node.rpc("addnode", twin.node.p2p_address, "onetry")
        scene.daemon.until(lambda: net.height() == fork + 4, "they found each other", LONG_S)
        scene.in_step(LONG_S)
        scene.daemon.until(lambda: all(row[-1] for row in disagreements(scene)), "they agree", LONG_S)
        assert scene.stored.rows("SELECT count(*) FROM block WHERE NOT canonical") == [(2,)]
        scene.check()
        scene.end()
    finally:
        twin.close()
        net.close()


def test_a_block_that_fails_stops_the_chain_until_the_node_is_repaired(net: Devnet, scene: Scene) -> None:
    with Relay(net.port) as relay:
        scene.configure(port=relay.port)
        assert scene.daemon.sync() == 0
        net.pay("seized", "authority", 50)
        net.mine(1)
        [block] = net.hashes(net.height(), net.height())
        relay.lie = net.spoils(block)
        before = scene.stored.evidence()
        assert scene.daemon.sync() == 3
        assert scene.stored.evidence() == before
        [(number, height, refused, settled)] = scene.stored.rows(
            "SELECT refused_id, height, block_hash, settled FROM v_refused_block"
        )
        assert (height, refused, settled) == (net.height(), block, 0)
        assert [severity for severity, _ in alerts(scene, "VERIFY-1")] == ["CRITICAL"]
        asked = relay.requests
        for command in ("sync", "run"):
            scene.daemon.start(command)
            assert scene.daemon.wait(LONG_S) == 3
            assert f"tracerd settle refusal {number}" in scene.daemon.log
        assert relay.requests == asked, "it does not even ask the node"
        assert len(alerts(scene, "VERIFY-1")) == 1

        done = scene.daemon.call("settle", "refusal", str(number), *WHO)
        assert done.returncode == 0, done.stderr
        assert scene.daemon.sync() == 3, "the node still lies"
        assert len(alerts(scene, "VERIFY-1")) == 2
        relay.lie = None
        assert scene.daemon.sync() == 3, "and the second refusal is not settled"
        assert scene.daemon.call("settle", "refusal", str(number + 1), *WHO).returncode == 0
        assert scene.daemon.sync() == 0, scene.daemon.log
    scene.check()
    assert scene.stored.rows("SELECT refused_id, how, actor, reason FROM v_settlement ORDER BY 1") == [
        (number, "retry", WHO[1], WHO[3]),
        (number + 1, "retry", WHO[1], WHO[3]),
    ]


def test_another_source_helps_out_where_a_block_fails(net: Devnet, scene: Scene, rng: random.Random) -> None:
    with Relay(net.port) as relay:
        scene.configure(port=relay.port, sources=[net.source("second")])
        scene.daemon.start()
        scene.in_step(LONG_S)
        relay.delay_s = 0.4  # the node's blocks come late, so that the lie about the new one is there in time
        net.pay("seized", "authority", 50)
        net.mine(1)
        [block] = net.hashes(net.height(), net.height())
        relay.lie = net.spoils(block)
        relay.delay_s = 0.0
        scene.in_step(LONG_S)
        assert scene.stored.rows("SELECT source, block_hash, settled FROM v_refused_block") == [("primary", block, 1)]
        assert scene.stored.rows("SELECT how, actor FROM v_settlement") == [("other source", "second")]
        scene.end()
        asked = relay.requests
        net.act(rng)
        net.mine(1)
        assert scene.daemon.sync() == 0, scene.daemon.log
        assert "feed=second instead of primary" in scene.daemon.log
        scene.check()
        assert relay.requests > asked, "it is still asked for hashes"
        assert final(scene, net) >= 0
        [(number,)] = scene.stored.rows("SELECT refused_id FROM v_refused_block")
        assert scene.daemon.call("settle", "refusal", str(number), *WHO).returncode == 0
        relay.lie = None
        net.mine(1)
        assert scene.daemon.sync() == 0
        assert "instead of primary" not in scene.daemon.log
    scene.check()


def test_a_chain_waits_for_another_source_to_have_the_block(net: Devnet, twin: Devnet, scene: Scene) -> None:
    with Relay(net.port) as relay:
        scene.configure(port=relay.port, sources=[twin.source("second")])
        assert scene.daemon.sync() == 0
        net.pay("seized", "authority", 50)
        net.mine(1)
        [block] = net.hashes(net.height(), net.height())
        relay.lie = net.spoils(block)
        assert scene.daemon.sync() == 3, scene.daemon.log
        scene.daemon.start()
        scene.state(net, "halted", LONG_S)
        twin.take_over(net)
        scene.in_step(LONG_S)
        assert scene.stored.rows("SELECT how, actor FROM v_settlement") == [("other source", "second")]
        scene.check()
        scene.end()


def test_an_operator_may_follow_a_node_past_broken_finality(net: Devnet, scene: Scene, rng: random.Random) -> None:
    net.pay("seized", "authority", 50)
    net.mine(net.final_depth + 2)
    scene.daemon.start()
    scene.in_step(LONG_S)
    assert verdict(scene, net) == ("SHOWN", "arrived as planned, final")
    fork = net.height() - net.final_depth - 2
    [ours] = net.hashes(fork + 1, fork + 1)
    scene.end()
    before = scene.stored.evidence()
    net.reorg(net.final_depth + 2, rng)
    assert scene.daemon.sync() == 3
    assert scene.stored.evidence() == before
    [theirs] = net.hashes(fork + 1, fork + 1)
    assert scene.daemon.sync() == 3, "it stays halted"
    assert f"tracerd settle finality {net.name} --to {theirs}" in scene.daemon.log
    assert len(alerts(scene, "CHAIN-1")) == 1
    settle = ("settle", "finality", net.name)
    for arguments, said in [
        (("--to", "22" * 32, *WHO), f"is neither our block {ours} nor {theirs}"),
        (("--to", theirs, "--by", "", "--reason", "x"), "--by is empty"),
        (("--to", theirs, "--reason", "x"), "Missing option '--by'"),
    ]:
        bad = scene.daemon.call(*settle, *arguments)
        assert bad.returncode == 2 and said in bad.stderr, bad
    plan = scene.daemon.call(*settle, "--to", theirs, *WHO)
    assert (plan.returncode, plan.stdout.splitlines()[-1]) == (2, "Nothing was written. Give --yes to do it.")
    assert f"block {fork + 1} is {ours} here and {theirs} at source primary" in plan.stdout
    assert "verdict given anew: disposal secure, now SHOWN (arrived as planned, final)" in plan.stdout
    assert scene.stored.evidence() == before and scene.daemon.sync() == 3
    done = scene.daemon.call(*settle, "--to", theirs, *WHO, "--yes")
    assert done.returncode == 0, done.stderr
    assert "was settled already" in scene.daemon.call(*settle, "--to", theirs, *WHO, "--yes").stderr
    assert scene.daemon.sync() == 0, scene.daemon.log
    scene.check()
    assert verdict(scene, net)[1] != "arrived as planned, final"
    old = scene.stored.rows("SELECT count(*) FROM v_verdict_all WHERE leg_ref = 'secure' AND reason LIKE '%, final'")
    assert old == [(1,)], "what was said then stays"
    assert scene.stored.rows("SELECT how, actor FROM v_settlement") == [("follow", WHO[1])]
    states = scene.stored.rows("SELECT DISTINCT state FROM v_transfer_event WHERE state = 'finality-violated'")
    assert states == [("finality-violated",)]


def test_a_halt_is_settled_through_the_daemon_that_still_follows_another_chain(
    bitcoind_exe: Path, anvil_exe: Path, tmp_path: Path, rng: random.Random
) -> None:
    nets: list[Devnet] = [BitcoinNet(bitcoind_exe), EthereumNet(anvil_exe)]
    scene = Scene(tmp_path, nets)
    try:
        scene.daemon.start()
        scene.in_step(LONG_S)
        for net in nets:
            net.mine(net.final_depth)
        scene.in_step(LONG_S)
        halted, other = nets
        halted.reorg(halted.final_depth + 1, rng)
        scene.state(halted, "halted", LONG_S)
        other.mine(2)
        scene.daemon.until(lambda: scene.stands(other), "the other chain goes on", LONG_S)
        [(theirs,)] = scene.stored.rows("SELECT their_hash FROM v_finality_violation")
        done = scene.daemon.call("settle", "finality", halted.name, "--to", theirs, *WHO, "--yes")
        assert done.returncode == 0, done.stderr
        scene.in_step(LONG_S)
        scene.check()
        scene.end()
    finally:
        scene.daemon.kill()
        for net in nets:
            net.close()


def test_a_node_that_was_reset_is_behind_and_nothing_changes(net: Devnet, scene: Scene) -> None:
    net.mine(net.final_depth + 3)
    scene.daemon.start()
    scene.in_step(LONG_S)
    before = scene.stored.evidence()
    net.wipe()
    scene.state(net, "behind", LONG_S)
    assert scene.stored.evidence() == before
    scene.end()


def test_a_pinned_hash_is_an_anchor_and_another_block_in_its_place_is_refused(anvil_exe: Path, tmp_path: Path) -> None:
    net = EthereumNet(anvil_exe)
    try:
        scene = Scene(tmp_path, [net])
        net.mine(3)
        height = net.height()
        [block] = net.hashes(height, height)
        scene.configure(table=net.table().replace("[[", f'pins = ["{height}:0x{block}"]\n[[', 1))
        assert scene.daemon.sync() == 0
        net.mine(2)
        assert scene.daemon.sync() == 0
        [anchor] = scene.stored.rows("SELECT anchor, anchor_height FROM v_chain")
        assert anchor == ("pinned", height)
        scene.configure(table=net.table().replace("[[", f'pins = ["{height + 3}:0x{block}"]\n[[', 1))
        net.mine(1)
        assert scene.daemon.sync() == 3
        [(refused, reason)] = scene.stored.rows("SELECT height, reason FROM v_refused_block")
        assert refused == height + 3 and "the operator pinned" in reason
        assert scene.stored.tip("ethereum") == (height + 2, net.hashes(height + 2, height + 2)[0])
    finally:
        net.close()
