"""A back-fill step by step on real nodes: reorgs above and below its progress, restarts, branches that come back."""

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from harness.devnet import Devnet
from harness.families import busy
from test_late import Late, first_case, second_case

from tracer.store.writer import Store
from watchers import backfill
from watchers.alerts import Alerts
from watchers.casefile import load_case
from watchers.config import Config, load_config
from watchers.daemon import import_into, make_follower
from watchers.follow import Follower


class Steps(Late):
    """The same store, written by a follower of this process, one turn at a time."""

    def __init__(self, net: Devnet, folder: Path, early: Sequence[str]) -> None:
        super().__init__(net, folder, early)
        self.config: Config = load_config(self.daemon.config, {}, [])
        self.store = Store(self.daemon.store)
        self._written = 0
        self.follower: Follower
        self.open()
        for text in early:
            self.imported(text)

    def open(self) -> None:
        """Begin with an empty memory, as after a kill."""
        self.store.__enter__()
        [chain] = self.config.chain.values()
        self.follower = make_follower(chain, self.store, Alerts(""))

    async def close(self) -> None:
        await self.follower.node.close()
        self.store.__exit__(None, None, None)

    async def restart(self) -> None:
        """Lose everything that was not committed."""
        await self.close()
        self.open()

    def imported(self, text: str) -> None:
        self._written += 1
        file = self.daemon.write_case(f"stepped-{self._written}.toml", text)
        assert import_into(self.store, load_case(file, self.config), [self.follower])

    async def import_now(self, text: str) -> None:
        """Import a case between two turns."""
        self.cases.append(text)
        async with self.follower.paused():
            self.imported(text)

    async def turn(self) -> bool:
        """One turn; whether the follower is in step and nothing is left to be read."""
        outcome = await self.follower._turn_once(False)
        return outcome is not None and outcome.state == "in step"

    async def turns(self, enough: Callable[[], bool]) -> None:
        """Turns until something is so."""
        for _ in range(3000):
            if enough():
                return
            await self.turn()
        raise AssertionError("not within 3000 turns")

    async def settle(self) -> None:
        """Turns until nothing is left to do."""
        for _ in range(3000):
            if await self.turn():
                return
        raise AssertionError("not settled within 3000 turns")

    @property
    def done(self) -> int:
        """How far the newest back-fill has come."""
        return int(self.stored.rows("SELECT done_height FROM backfill ORDER BY id DESC LIMIT 1")[0][0])

    @property
    def states(self) -> list[str]:
        return [state for (state,) in self.stored.rows("SELECT state FROM v_backfill ORDER BY backfill_id")]


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns of a few blocks."""
    monkeypatch.setattr(backfill, "BATCH_BLOCKS", 7)


def test_a_reorg_above_and_one_below_what_was_read(net: Devnet, rng: random.Random, tmp_path: Path) -> None:
    birth, seizure = net.first, net.height()
    busy(net, rng, 40)

    async def play() -> None:
        steps = Steps(net, tmp_path, [first_case(net, birth, seizure)])
        await steps.settle()
        await steps.import_now(second_case(net, birth, seizure + 10))
        await steps.turns(lambda: steps.done > seizure)
        net.reorg(net.final_depth - 1, rng)
        await steps.turns(lambda: steps.done >= net.height() - 2)
        assert steps.states == ["reading"]
        before = steps.done
        net.reorg(net.final_depth - 1, rng)
        while steps.stored.tip(net.name) != (net.height(), net.hashes(net.height(), net.height())[0]):
            await steps.turn()
        await steps.settle()
        assert steps.states == ["published"] and before > net.height() - net.final_depth
        busy(net, rng, 4)
        net.reorg(3, rng)
        await steps.settle()
        await steps.close()
        steps.check()

    asyncio.run(play())


def test_a_branch_from_before_the_import_comes_back(net: Devnet, rng: random.Random, tmp_path: Path) -> None:
    birth, seizure = net.first, net.height()
    busy(net, rng, 30)

    async def play() -> None:
        steps = Steps(net, tmp_path, [first_case(net, birth, seizure)])
        await steps.settle()
        saved = net.save()
        net.reorg(3, rng, longer=1)
        await steps.settle()
        await steps.import_now(second_case(net, birth, seizure + 10))
        await steps.settle()
        assert steps.states == ["published"]
        net.restore(saved)  # the blocks that were stored without the second case's watches
        busy(net, rng, 3)
        for _ in range(200):
            if await steps.turn() and steps.stands():
                break
        assert steps.states == ["continued", "published"]
        await steps.close()
        steps.check()

    asyncio.run(play())


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_on_the_way_the_end_is_the_same(net: Devnet, seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    birth, seizure = net.first, net.height()
    busy(net, chance, 25)

    async def play() -> None:
        steps = Steps(net, tmp_path, [first_case(net, birth, seizure)])
        await steps.settle()
        later = [second_case(net, birth, seizure + 10)]
        for number in range(60):
            what = chance.random()
            if what < 0.12:
                net.reorg(chance.randint(1, net.final_depth - 2), chance, longer=chance.randint(0, 2))
            elif what < 0.3:
                busy(net, chance, chance.randint(1, 2))
            elif what < 0.38:
                await steps.restart()
            elif later and number > 6:
                await steps.import_now(later.pop())
            await steps.turn()
        await steps.settle()
        await steps.close()
        steps.check()

    asyncio.run(play())
