"""What every chain family must do under the follower, on its real devnet and with tracerd as a process."""

import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.devnet import Devnet, case_file, leg
from harness.families import FAMILIES, busy
from harness.relay import Relay
from harness.scene import Scene
from harness.stored import Stored
from harness.tracerd import Tracerd


@pytest.fixture
def another(net: Devnet, request: pytest.FixtureRequest) -> Iterator[Devnet]:
    """A second chain of the same network, with another history."""
    executable, make = FAMILIES[net.name]
    another = make(request.getfixturevalue(executable))
    another.mine(1)
    yield another
    another.close()


@pytest.fixture
def fresh(net: Devnet, tmp_path: Path) -> Iterator[Scene]:
    """A case on a chain, and a daemon that was not started yet."""
    scene = Scene(tmp_path, [net], legs=[leg(net, "secure", "seized", "authority", "0.5")])
    yield scene
    scene.daemon.kill()


@pytest.fixture
def scene(fresh: Scene, net: Devnet, rng: random.Random) -> Scene:
    """A daemon in step with a chain that already has activity of the watched holders."""
    busy(net, rng, 10)
    fresh.daemon.start()
    fresh.in_step()
    return fresh


def test_catches_up_from_the_birth_of_the_case(net: Devnet, fresh: Scene, rng: random.Random) -> None:
    busy(net, rng, 60)
    assert fresh.daemon.sync() == 0
    fresh.check()
    busy(net, rng, 30)
    assert fresh.daemon.sync() == 0
    fresh.check()
    assert sum(fresh.stored.facts(net.name).values()) > 100


def test_follows_live_block_by_block(scene: Scene, net: Devnet, rng: random.Random) -> None:
    for _ in range(5):
        busy(net, rng, 1)
        scene.in_step()
    scene.check()
    assert scene.daemon.log.count("connected height=") >= 5
    scene.end()


def test_follows_reorgs_of_one_to_five_blocks(scene: Scene, net: Devnet, rng: random.Random) -> None:
    gone: list[int] = []
    for depth in range(1, 6):
        busy(net, rng, 6)
        scene.in_step()
        scene.check()
        height, hits = net.height(), {fact.block for fact in scene.stored.facts(net.name)}
        old = [bytes.fromhex(name) for name in net.hashes(height - depth + 1, height)]
        net.reorg(depth, rng)
        scene.in_step()
        scene.check()
        gone += range(height - depth + 1, height + 1)
        orphaned = scene.stored.rows("SELECT height, hash, header FROM block WHERE NOT canonical ORDER BY id")
        assert [row[0] for row in orphaned] == gone
        assert [row[1] for row in orphaned[-depth:]] == old
        assert {row[1] for row in orphaned[-depth:] if row[2] is not None} >= hits.intersection(old), "evidence is kept"
    scene.end()


@pytest.mark.parametrize("depth", [1, 3])
def test_says_that_a_reorg_voided_what_had_arrived(net: Devnet, fresh: Scene, rng: random.Random, depth: int) -> None:
    subject = ("disposal", "secure", net.asset)
    net.mine(3)
    fresh.daemon.start()
    fresh.in_step()
    assert fresh.stored.verdicts()[subject] == ("NOT_SHOWN", "nothing arrived yet")
    net.mine(depth - 1)
    net.pay("seized", "authority", 50)
    net.mine(1)
    fresh.in_step()
    assert fresh.stored.verdicts()[subject] == ("NOT_SHOWN", "arrived, not yet confirmed")
    net.shrink(depth)
    net.pay("rich", "stranger", 1)
    net.mine(depth + 2)
    fresh.in_step()
    assert fresh.stored.verdicts()[subject] == ("NOT_SHOWN", "voided by reorg: its transaction left the chain")
    assert [rule for rule, *_ in fresh.stored.alerts()][-1] == "REORG-1"
    net.pay("seized", "authority", 50)
    net.mine(12)
    fresh.in_step()
    assert fresh.stored.verdicts()[subject] == ("SHOWN", "arrived as planned, final")
    fresh.check()
    fresh.end()


def test_follows_reorgs_also_when_the_case_is_born_at_the_tip(net: Devnet, rng: random.Random, tmp_path: Path) -> None:
    busy(net, rng, 12)
    born = net.height() + 1
    daemon = Tracerd(tmp_path, [net.table()], [case_file([net], [born], [born])])
    stored = Stored(daemon.store)
    assert daemon.sync() == 0
    for depth in (1, net.final_depth - 2):
        net.reorg(depth, rng, longer=1)
        assert daemon.sync() == 0, daemon.log
        height = net.height()
        assert stored.tip(net.name) == (height, net.hashes(height, height)[0])
    net.pay("rich", "seized", 10)
    net.mine()
    assert daemon.sync() == 0
    assert net.height() in [fact.height for fact in stored.facts(net.name)]
    assert stored.faults() == []


def test_follows_a_block_that_was_replaced_at_the_same_height(scene: Scene, net: Devnet, rng: random.Random) -> None:
    busy(net, rng, 2)
    scene.in_step()
    height, old = net.height(), net.hashes(net.height(), net.height())
    net.reorg(1, rng, longer=0)
    assert (net.height(), net.hashes(height, height) == old) == (height, False)
    scene.in_step()
    scene.check()
    scene.end()


def test_follows_a_chain_that_got_shorter_and_then_grew_differently(
    scene: Scene, net: Devnet, rng: random.Random
) -> None:
    busy(net, rng, 3)
    scene.in_step()
    scene.check()
    net.shrink(3)
    scene.daemon.until(
        lambda: (scene.stored.status(net.name) or ("", 0))[1] == net.height(), "the shorter chain was seen"
    )
    busy(net, rng, 5)
    scene.in_step()
    scene.check()
    scene.end()


def test_keeps_its_blocks_while_a_node_that_fell_behind_comes_back(
    scene: Scene, net: Devnet, rng: random.Random
) -> None:
    old = net.save()
    busy(net, rng, 9)
    scene.in_step()
    new = net.save()
    scene.in_step()
    net.restore(old)
    before = scene.stored.evidence()
    scene.state(net, "behind")
    assert scene.stored.evidence() == before
    net.restore(new)
    busy(net, rng, 2)
    scene.in_step()
    scene.check()
    assert scene.stored.rows("SELECT count(*) FROM block WHERE NOT canonical") == [(0,)]
    assert "disconnected" not in scene.daemon.log
    scene.end()


def test_takes_an_orphaned_branch_back_when_the_node_returns_to_it(
    scene: Scene, net: Devnet, rng: random.Random
) -> None:
    base = net.save()
    busy(net, rng, 3)
    scene.in_step()
    first = net.save()
    # Not by `reorg`: what an anvil saves after one proves nothing under its blocks once it is restored.
    net.restore(base)
    net.pay("rich", "stranger", 7)
    busy(net, rng, 3)  # of equal weight: to a branch that weighs less nobody returns
    scene.in_step()
    scene.check()
    second = net.save()
    for saved in (first, second, first):
        net.restore(saved)
        scene.in_step()
        scene.check()
    busy(net, rng, 3)
    scene.in_step()
    scene.check()
    scene.end()


def test_halts_and_changes_nothing_when_a_final_block_is_replaced(
    scene: Scene, net: Devnet, rng: random.Random
) -> None:
    busy(net, rng, 3)
    scene.in_step()
    net.pause()
    before = scene.stored.evidence()
    net.resume()
    net.reorg(net.final_depth, rng)
    assert scene.daemon.wait() == 3
    assert scene.stored.evidence() == before
    assert [rule for rule, severity, _ in scene.stored.alerts() if severity == "CRITICAL"][-1] == "CHAIN-1"
    assert scene.daemon.sync() == 3, "it stays halted"
    assert scene.stored.evidence() == before


def test_survives_a_restart_of_the_node(scene: Scene, net: Devnet, rng: random.Random) -> None:
    net.stop()
    net.start()
    busy(net, rng, 3)
    scene.in_step()
    scene.check()
    scene.end()


@pytest.mark.parametrize("how", ["ended", "frozen"])
def test_waits_for_a_node_that_is_away_for_a_while(net: Devnet, fresh: Scene, rng: random.Random, how: str) -> None:
    fresh.configure(deadline_s=0.3)
    busy(net, rng, 6)
    fresh.daemon.start()
    fresh.in_step()
    (net.stop if how == "ended" else net.pause)()
    fresh.state(net, "unreachable")
    (net.start if how == "ended" else net.resume)()
    net.reorg(2, rng, longer=4)
    fresh.in_step()
    fresh.check()
    fresh.end()


def test_starts_before_the_node_does(net: Devnet, fresh: Scene, rng: random.Random) -> None:
    busy(net, rng, 6)
    net.stop()
    fresh.daemon.start()
    fresh.state(net, "unreachable")
    net.start()
    fresh.in_step()
    fresh.check()
    fresh.end()


def test_refuses_a_node_of_another_network(fresh: Scene, net: Devnet) -> None:
    fresh.configure(table=net.wrong_table())
    for command in ("sync", "run"):
        fresh.daemon.start(command)
        assert fresh.daemon.wait() == 2
        assert "Point `rpc_url` at a node of the configured network" in fresh.daemon.log.splitlines()[-1]
    assert fresh.stored.rows("SELECT * FROM block") == []


def test_refuses_to_give_a_stored_chain_another_network(scene: Scene, net: Devnet) -> None:
    assert scene.daemon.stop() == 0
    before = scene.stored.evidence()
    scene.configure(table=net.wrong_table())
    assert scene.daemon.sync() == 2
    assert f"the store holds {net.name} as" in scene.daemon.log.splitlines()[-1]
    assert scene.stored.evidence() == before


def test_changes_nothing_when_the_node_has_another_history(
    scene: Scene, net: Devnet, another: Devnet, rng: random.Random
) -> None:
    busy(net, rng, 5)
    scene.in_step()
    before = scene.stored.evidence()
    assert scene.daemon.stop() == 0
    for blocks in (0, 40):  # shorter than what is stored, and longer
        busy(another, rng, blocks)
        scene.configure(table=another.table())
        assert scene.daemon.sync() in (2, 3), "refused by its genesis block, else halted at the final one"
        assert scene.stored.evidence() == before


def test_refuses_a_second_daemon_on_the_same_store(scene: Scene, net: Devnet, rng: random.Random) -> None:
    for command in ("run", "sync"):
        second = scene.daemon.call(command)
        assert second.returncode == 2
        [line] = second.stderr.splitlines()
        assert f"process id {scene.daemon.pid}" in line and "Stop the other tracerd" in line
    busy(net, rng, 2)
    scene.in_step()
    scene.check()
    scene.end()


def test_imports_a_case_while_it_follows(scene: Scene, net: Devnet, rng: random.Random) -> None:
    late = net.height() + 4
    text = case_file(
        [net], [late], [late + 1], ref="second", legs=[leg(net, "second", None, "agency", "0.1", kind="REFUND")]
    )
    answer = scene.daemon.call("case", "import", str(scene.daemon.write_case("late.toml", text)))
    assert (answer.returncode, answer.stdout.splitlines()[-1]) == (0, "imported"), answer.stderr
    net.mine(6)
    net.pay("rich", "agency", 10)
    net.mine(2)
    scene.in_step()
    scene.check()
    [(seizure,)] = scene.stored.rows("SELECT seizure_height FROM v_case WHERE case_ref = 'disposal'")
    early = case_file([net], [net.first], [seizure], ref="third")
    answer = scene.daemon.call("case", "import", str(scene.daemon.write_case("early.toml", early)))
    assert (answer.returncode, answer.stdout.splitlines()[-1]) == (0, "imported"), answer.stderr
    published = "SELECT state FROM v_backfill WHERE case_ref = 'third'"
    scene.daemon.until(lambda: scene.stored.rows(published) == [("published",)], "published", 60.0)
    scene.check()
    scene.end()
    assert scene.stored.verdicts()["second", "second", net.asset][1].startswith("arrived")


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_stops_when_told_and_goes_on_exactly_there(
    net: Devnet, fresh: Scene, rng: random.Random, how: signal.Signals, code: int
) -> None:
    busy(net, rng, 70)
    fresh.daemon.start()
    fresh.daemon.until(lambda: fresh.stored.tip(net.name), "following has begun")
    assert fresh.daemon.stop(how) == code
    assert "Traceback" not in fresh.daemon.log
    tip = fresh.stored.tip(net.name)
    assert tip is not None
    busy(net, rng, 3)
    fresh.daemon.start()
    fresh.in_step()
    fresh.check()
    assert fresh.daemon.stop(how) == code
    fresh.daemon.start()
    busy(net, rng, 1)
    fresh.in_step()
    assert fresh.daemon.log.count("connected") == 1, "only the new block is connected after a restart in step"
    fresh.check()
    fresh.end()


@pytest.mark.parametrize("in_flight", [1, 4])
def test_asks_for_blocks_ahead_while_it_catches_up(
    net: Devnet, fresh: Scene, rng: random.Random, in_flight: int
) -> None:
    busy(net, rng, 160)
    with Relay(net.port, delay_s=0.02) as relay:
        fresh.configure(port=relay.port, in_flight=in_flight)
        assert fresh.daemon.sync() == 0
    assert relay.most_at_once == 1 if in_flight == 1 else 1 < relay.most_at_once <= in_flight
    fresh.check()
