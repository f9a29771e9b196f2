"""tracerd is killed (SIGKILL) fifty times at random moments while it catches up and follows reorgs on both chains.

Nothing may be missing, double or wrong afterwards: against the nodes' own answers, and against a fresh store that saw
the final chains only once.
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness.bitcoin import BitcoinNet
from harness.devnet import Devnet, case_file, leg
from harness.ethereum import EthereumNet
from harness.scene import Scene
from harness.stored import Stored
from harness.tracerd import Tracerd

KILLS = int(os.environ.get("TRACER_KILLS", "50"))
SEED = int(os.environ.get("TRACER_KILL_SEED") or random.SystemRandom().randrange(2**32))
HANGS_S = 60.0
"""When a restart counts as hung: what it takes is printed, and depends on the machine."""
FIRST_BLOCKS = 300
MOST_BLOCKS = 2_000


class Player(threading.Thread):
    """Makes blocks and reorgs on one net, without pause until it is told to rest."""

    def __init__(self, net: Devnet, seed: int) -> None:
        super().__init__(name=f"player-{net.name}", daemon=True)
        self.net, self.rng = net, random.Random(seed)
        self.reorgs = self.detours = 0
        self.failed: BaseException | None = None
        self._ended, self._turn = threading.Event(), threading.Lock()

    def run(self) -> None:
        try:
            while not self._ended.is_set():
                with self._turn:
                    self.play()
                time.sleep(self.rng.uniform(0.02, 0.3) if self._young else 1.0)
        except BaseException as error:  # noqa: BLE001 - told to the test, which fails with it
            self.failed = error

    @property
    def _young(self) -> bool:
        """Whether the chain may grow fast: anvil forgets old states, which the ledger asks for, after thousands."""
        return self.net.height() < MOST_BLOCKS

    def play(self) -> None:
        """One block; sometimes many at once, a reorg, or a detour to a branch that is left again."""
        chance = self.rng.random()
        if chance < 0.25:
            self.net.reorg(self.rng.randint(1, 5), self.rng)
            self.reorgs += 1
        elif chance < 0.35:
            self.net.detour(self.rng.randint(2, 5), self.rng, self.rng.uniform(0.05, 0.3))
            self.detours += 1
        for _ in range(self.rng.randint(5, 40) if chance > 0.9 and self._young else 1):
            self.net.act(self.rng)
            self.net.mine()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Nothing happens on the net meanwhile."""
        with self._turn:
            yield

    def end(self) -> None:
        self._ended.set()
        self.join()
        if self.failed is not None:
            raise self.failed


@pytest.fixture
def nets(bitcoind_exe: Path, anvil_exe: Path) -> Iterator[list[Devnet]]:
    """Both chains."""
    nets: list[Devnet] = [BitcoinNet(bitcoind_exe), EthereumNet(anvil_exe)]
    yield nets
    for net in nets:
        net.close()


def legs(nets: list[Devnet]) -> list[str]:
    """Planned transfers that random payments serve in part, in full, or exceed."""
    return [
        leg(net, f"{net.name}-{number}", source, target, amount, kind=kind)
        for net in nets
        for number, (source, target, amount, kind) in enumerate(
            [
                ("seized", "authority", "0.02", "SECURE"),
                ("loot", "authority", "3", "SECURE"),
                ("authority", "agency", "0.05", "TRANSFER"),
                ("agency", "exchange", "0.5", "DEPOSIT"),
                (None, "seized", "0.2", "REFUND"),
            ]
        )
    ]


def progress(stored: Stored) -> dict[str, object]:
    """Per chain the newest block row and the cursor, which only a connected or disconnected block moves."""
    return {
        str(name): rest
        for name, *rest in stored.rows(
            "SELECT c.name, f.tip_id, (SELECT max(b.id) FROM block b WHERE b.chain_id = c.id) FROM chain c"
            " LEFT JOIN follower f ON f.chain_id = c.id"
        )
    }


@pytest.mark.timeout(600)
def test_fifty_kills_leave_no_fact_missing_double_or_wrong(nets: list[Devnet], tmp_path: Path) -> None:
    print(f"seed {SEED} (TRACER_KILL_SEED={SEED} plays it again), {KILLS} kills")
    rng = random.Random(SEED)
    scene = Scene(tmp_path / "killed", nets, legs=legs(nets))
    births = [net.height() + 40 for net in nets]
    scene.cases.append(case_file(nets, births, [births[0] + 20, births[1] + 20], ref="second", legs=legs(nets)))
    scene.configure()
    players = [Player(net, rng.randrange(2**32)) for net in nets]
    for player in players:
        for _ in range(FIRST_BLOCKS):
            player.net.act(player.rng)
            player.net.mine()
        player.start()
    waits: list[float] = []
    try:
        for number in range(KILLS):
            kill(scene, players, rng, number, waits)
        began = time.monotonic()
        scene.daemon.start()
        for player in players:
            player.end()
        scene.in_step(HANGS_S)
        waits.append(time.monotonic() - began)
        scene.check()
        scene.end()
    finally:
        scene.daemon.kill()
    assert scene.stored.faults() == []
    fresh = Tracerd(tmp_path / "fresh", [net.table() for net in nets], scene.cases)
    assert fresh.sync() == 0
    killed, once = scene.stored.derived(), Stored(fresh.store).derived()
    for name in once:
        assert killed[name] - once[name] == Counter(), f"{name}: not in a store that was made in one go"
        assert once[name] - killed[name] == Counter(), f"{name}: only in a store that was made in one go"
    orphaned = scene.stored.rows("SELECT count(*) FROM block WHERE NOT canonical")[0][0]
    facts = sum(sum(scene.stored.facts(net.name, orphaned=True).values()) for net in nets)
    reorgs, detours = (sum(getattr(player, what) for player in players) for what in ("reorgs", "detours"))
    print(
        f"{len(waits)} restarts measured, slowest {max(waits):.2f} s, mean {sum(waits) / len(waits):.2f} s;"
        f" {reorgs} reorgs, {detours} detours, {orphaned} orphaned blocks kept, {facts} facts"
    )
    assert orphaned > 0 and reorgs > 0


def kill(scene: Scene, players: list[Player], rng: random.Random, number: int, waits: list[float]) -> None:
    """Start the daemon and kill it at a random moment: while it starts, catches up, follows or undoes blocks."""
    before = progress(scene.stored)
    scene.daemon.start()
    if number % 4 == 0:  # blind: any moment of start and catch-up
        time.sleep(rng.uniform(0.0, 1.6))
    else:
        sentence = f"progress on both chains after kill {number}"
        waits.append(scene.daemon.until(lambda: moved(before, scene, players), sentence, HANGS_S))
        time.sleep(rng.uniform(0.0, 0.4))
    assert scene.daemon.running, scene.daemon.log[-3000:]
    scene.daemon.kill()
    for player in players:
        if rng.random() < 0.5:  # much happens while the daemon is away
            with player.resting():
                player.play()
    if number % 10 == 9:
        assert scene.stored.faults() == []


def moved(before: dict[str, object], scene: Scene, players: list[Player]) -> bool:
    """Whether every chain's cursor moved; fails with a player that failed."""
    for player in players:
        if player.failed is not None:
            raise player.failed
    after = progress(scene.stored)
    return bool(after) and all(rest != before.get(name) for name, rest in after.items())
