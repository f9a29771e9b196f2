"""Reorgs of every depth on both chains, live and while the daemon was down, below the limit and at it.

Each test is two cases, one per chain: a daemon follows both. `final` is a number of confirmations, so that a reorg as
deep as it replaces a block that is final, and one that is a block less deep does not.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.bitcoin import BitcoinNet
from harness.devnet import Devnet
from harness.ethereum import EthereumNet
from harness.scene import Scene

from tracer.command import exit_code
from watchers.cli import group

DEPTHS = [*range(1, 11), 25, 50, 100, 144, 200]
LONGER = 1
"""Blocks by which a chain is longer after a reorg."""

WAIT_S = 120.0


class Ground:
    """Both chains, which go on growing from test to test, and the store that follows them now."""

    def __init__(self, folder: Path, nets: list[Devnet]) -> None:
        self.nets, self.rng = nets, random.Random(144)
        self._folder, self._stores = folder, 0

    def begin(self) -> Scene:
        """A new store, that follows from here on what the holders have by now."""
        self._stores += 1
        scene = Scene(self._folder / str(self._stores), self.nets, births=[net.height() for net in self.nets])
        self.grow(3)
        return scene

    def grow(self, blocks: int) -> None:
        for net in self.nets:
            net.grow(blocks, self.rng)

    def reorg(self, depth: int) -> None:
        for net in self.nets:
            net.reorg(depth, self.rng, longer=LONGER, quiet=True)

    def last(self, blocks: int) -> dict[str, set[str]]:
        """Hashes of the last blocks of each chain."""
        return {net.name: set(net.hashes(net.height() - blocks + 1, net.height())) for net in self.nets}


@pytest.fixture(scope="module")
def ground(bitcoind_exe: Path, anvil_exe: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Both chains."""
    nets: list[Devnet] = [BitcoinNet(bitcoind_exe), EthereumNet(anvil_exe)]
    yield Ground(tmp_path_factory.mktemp("r"), nets)
    for net in nets:
        net.close()


@pytest.fixture(scope="module")
def kept(ground: Ground) -> Scene:
    """A store that follows everything that happens, by one daemon after the other."""
    return ground.begin()


@pytest.fixture
def scene(kept: Scene) -> Iterator[Scene]:
    """The same; whatever daemon runs on it ends with the test."""
    yield kept
    kept.daemon.kill()


@pytest.fixture
def once(ground: Ground) -> Iterator[Scene]:
    """A store of this test alone: once halted, it is done."""
    scene = ground.begin()
    yield scene
    scene.daemon.kill()


def orphaned(scene: Scene) -> dict[str, set[str]]:
    """Hashes of the stored blocks that are on no chain."""
    sql = "SELECT lower(hex(b.hash)) FROM block b JOIN chain c ON c.id = b.chain_id WHERE c.name = ? AND NOT canonical"
    return {net.name: {one for (one,) in scene.stored.rows(sql, net.name)} for net in scene.nets}


def limit(scene: Scene, final: int) -> None:
    """Let a block be final from so many confirmations on."""
    scene.configure(confirmed=1, final=final, mempool="off")  # sightings are rows too


def halted(scene: Scene) -> list[str]:
    """The chains whose halt was alarmed."""
    return sorted(message.partition(":")[0] for rule, _, message in scene.stored.alerts() if rule == "CHAIN-1")


@pytest.mark.parametrize("depth", DEPTHS)
def test_follows_a_reorg_below_the_limit_while_it_runs(ground: Ground, scene: Scene, depth: int) -> None:
    limit(scene, depth + 1)
    ground.grow(depth)
    scene.daemon.start()
    scene.in_step(WAIT_S)
    left, before = ground.last(depth), orphaned(scene)
    ground.reorg(depth)
    scene.in_step(WAIT_S)
    scene.check()
    assert {name: gone - before[name] for name, gone in orphaned(scene).items()} == left
    scene.end()


@pytest.mark.parametrize("depth", DEPTHS)
def test_follows_a_reorg_below_the_limit_that_came_while_it_was_down(ground: Ground, scene: Scene, depth: int) -> None:
    limit(scene, depth + 1)
    ground.grow(depth)
    assert scene.daemon.sync() == 0
    left, before = ground.last(depth), orphaned(scene)
    ground.reorg(depth)
    assert scene.daemon.sync() == 0
    scene.check()
    assert {name: gone - before[name] for name, gone in orphaned(scene).items()} == left
    assert scene.daemon.log.count("disconnected") == len(scene.nets), "all blocks leave at once"


def go_on(scene: Scene, depth: int) -> None:
    """Let an operator settle the halts in favour of the nodes; afterwards the store follows them, on record."""
    told = scene.stored.rows("SELECT chain, their_hash, fork_height FROM v_finality_violation ORDER BY chain")
    assert [(name, fork) for name, _, fork in told] == [(n.name, n.height() - LONGER - depth) for n in scene.nets]
    for name, theirs, _ in told:
        said = ["--to", theirs, "--by", "A. Operator", "--reason", "a second node agrees", "--yes"]
        settle = ["-c", str(scene.daemon.config), "settle", "finality", name, *said]
        assert exit_code(group, "tracerd", settle) == 0
    assert scene.daemon.sync() == 0, scene.daemon.log
    scene.check()
    sql = "SELECT chain, actor FROM v_settlement ORDER BY chain"
    assert scene.stored.rows(sql) == [(net.name, "A. Operator") for net in scene.nets]


@pytest.mark.parametrize("depth", DEPTHS)
def test_halts_at_the_limit_and_changes_nothing_while_it_runs(ground: Ground, once: Scene, depth: int) -> None:
    limit(once, depth)
    ground.grow(depth)
    once.daemon.start()
    once.in_step(WAIT_S)
    before, left = once.stored.evidence(), ground.last(depth)
    ground.reorg(depth)
    assert once.daemon.wait(WAIT_S) == 3
    assert once.stored.evidence() == before
    assert halted(once) == ["bitcoin", "ethereum"]
    go_on(once, depth)
    assert orphaned(once) == left


@pytest.mark.parametrize("depth", DEPTHS)
def test_halts_past_the_limit_and_changes_nothing_after_it_was_down(ground: Ground, once: Scene, depth: int) -> None:
    limit(once, (depth + 1) // 2)
    ground.grow(depth)
    assert once.daemon.sync() == 0
    before, left = once.stored.evidence(), ground.last(depth)
    ground.reorg(depth)
    assert once.daemon.sync() == 3
    assert once.stored.evidence() == before
    assert halted(once) == ["bitcoin", "ethereum"]
    go_on(once, depth)
    assert orphaned(once) == left
