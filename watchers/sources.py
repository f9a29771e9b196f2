"""All nodes of one chain: the one that feeds the follower, and the others, asked which hashes they show."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tracer.errors import (
    Alarm,
    BlockRefused,
    Inconsistent,
    NodeMissing,
    OperatorError,
    Retryable,
    TracerError,
    WrongNetwork,
)
from tracer.notices import Notice
from tracer.store import load, vouching
from tracer.store.chains import ChainHandle
from tracer.store.vouching import Refusal
from tracer.store.writer import Store
from tracer.types import BlockRef, Hash
from tracer.vouching import Differs, agreed_height, judge_look
from watchers.family import PRIMARY, ChainConfig, place_of
from watchers.node import Node, Push

log = logging.getLogger(__name__)

SLOWER = 5
"""A source that does not answer is asked less often, by this factor at most."""


@dataclass(slots=True)
class Source:
    """One node: what it is called, where it is, and what it was last found to say.

    height: of the newest of our blocks that it vouches for. before: what the last look found different.
    missing_since: since when it does not answer or lags behind us; told: there was an alert about that.
    """

    name: str
    place: str
    node: Node[Any, Any]
    id: int = 0
    opened: bool = False
    height: int = -1
    before: Differs | None = None
    missing_since: float | None = None
    told: bool = False
    failures: int = 0


def named(config: ChainConfig, nodes: Sequence[Node[Any, Any]]) -> list[Source]:
    """Name the nodes of a chain: that of its own table, then its sources."""
    names = [(PRIMARY, config.rpc_url), *((source.name, source.rpc_url) for source in config.source)]
    return [Source(name, place_of(url), node) for (name, url), node in zip(names, nodes, strict=True)]


class Sources:
    """Owns a chain's nodes. The first that has not been set aside feeds the follower; the others vouch, or do not."""

    def __init__(
        self,
        config: ChainConfig,
        nodes: Sequence[Source],
        store: Store,
        handle: ChainHandle,
        alert: Callable[[Notice], None],
    ) -> None:
        self.all = list(nodes)
        self.feed = self.all[0]
        self.refused: OperatorError | None = None
        self._config, self._store, self._handle, self._alert = config, store, handle, alert
        self._genesis: Hash | None = None
        self._pins = dict(config.pinned)
        with store.connection.begin():
            places = [(source.name, source.place) for source in self.all]
            pins, agree = list(config.pinned), config.agreeing
            ids = vouching.register_sources(store.connection, handle, places, pins, agree, int(time.time()))
            for source in self.all:
                source.id = ids[source.name]

    @property
    def several(self) -> bool:
        """Whether there is anybody beside the feeding node."""
        return len(self.all) > 1

    @property
    def pushes(self) -> list[Push[Any]]:
        """What announces blocks: that of every node, since any of them may feed."""
        return [source.node.push for source in self.all if source.node.push is not None]

    async def close(self) -> None:
        """Close every node."""
        for source in self.all:
            await source.node.close()

    # The feeding node.

    def choose(self, refusals: Sequence[Refusal]) -> bool:
        """Let the best source feed; False if every one has refused blocks that nobody settled.

        One whose blocks were refused is set aside until an operator says that it was repaired; it may help out where
        all others are no better.
        """
        barred = {one.source for one in refusals if not one.settled}
        aside = {one.source for one in refusals if not one.retried}
        fit = [source for source in self.all if source.name not in barred]
        if not fit:
            return False
        best = next((source for source in fit if source.name not in aside), fit[0])
        if best is not self.feed:
            log.warning("chain=%s feed=%s instead of %s", self._config.name, best.name, self.feed.name)
        self.feed = best
        return True

    async def open(self, source: Source) -> Hash:
        """Connect to a source if that was not done; raises WrongNetwork if it begins with another block."""
        if not source.opened:
            genesis = await source.node.open()
            if self._genesis not in (None, genesis):
                raise WrongNetwork(f"source {source.name} begins with block {genesis.hex()}, another one than the rest")
            self._genesis, source.opened = genesis, True
        assert self._genesis is not None
        return self._genesis

    # Pinned hashes.

    def hold_pin(self, ref: BlockRef) -> None:
        """See that a block is not another one than the operator pinned at its height; raises BlockRefused."""
        pinned = self._pins.get(ref.height)
        if pinned not in (None, ref.hash):
            raise BlockRefused(
                f"{self._config.name}: block {ref.hash.hex()} is at height {ref.height}, where the operator"
                f" pinned {pinned.hex() if pinned else ''}",
                height=ref.height,
                block=ref.hash,
            )

    def hold_pins_of_store(self) -> None:
        """See, inside a transaction, that no stored block contradicts a pinned hash; raises Inconsistent."""
        for height, pinned in self._pins.items():
            ours = load.canonical_hash(self._store, self._handle, height)
            if ours not in (None, pinned):
                raise Inconsistent(
                    f"{self._config.name}: the store has block {ours.hex() if ours else ''} at height {height},"
                    f" where the operator pinned {pinned.hex()}",
                    "Correct `pins`, or begin a new store with a node that has the pinned block.",
                )

    # Vouching.

    def vouched(self, tip: int) -> int | None:
        """The highest height, up to our tip, for which enough sources vouch; None where one is enough."""
        if self._config.agreeing == 1:
            return None
        heights = [min(source.height, tip) for source in self.all]
        pinned = max((height for height in self._pins if height <= tip), default=-1)
        return max(pinned, agreed_height(heights, self._config.agreeing))

    def others_vouch(self, height: int) -> bool:
        """Whether a node beside the one that feeds shows our block at a height: then one rejection does not decide."""
        return any(source.height >= height for source in self.all if source is not self.feed)

    def feed_shows(self, height: int) -> None:
        """The feeding node shows our block at a height, and with it all below."""
        self.feed.height = max(self.feed.height, height)

    def rolled_back(self, height: int) -> None:
        """Our block at a height has left the chain: nobody vouches for one of ours at or above it now."""
        for source in self.all:
            source.height = min(source.height, height - 1)

    def reload(self) -> None:
        """Take from the store, inside a transaction, how far each source vouches for the blocks that stand now."""
        for source in self.all:
            source.height = vouching.vouched_height(self._store.connection, source.id)

    @contextlib.asynccontextmanager
    async def asked(self, once: bool) -> AsyncIterator[None]:
        """Ask the further sources again and again while the context lasts; `once`: only when `look_once` is called."""
        if once or not self.several:
            yield
            return
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._keep_asking(source)) for source in self.all]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    async def look_once(self) -> None:
        """Ask every further source once, or twice where the first look finds a difference."""
        for source in self.all:
            if source is not self.feed and await self.look(source) and source.before is not None:
                await self.look(source)

    async def _keep_asking(self, source: Source) -> None:
        while self.refused is None:
            if source is not self.feed:
                await self.look(source)
            await asyncio.sleep(self._config.poll_s * min(1 + source.failures, SLOWER))

    async def look(self, source: Source) -> bool:
        """Ask a source once which of our blocks it has, and note that; False if it did not answer."""
        try:
            tip = await self._look(source)
            source.failures = 0
            lag = f"has no block {tip} yet" if tip is not None and source.height < tip and not source.before else ""
        except WrongNetwork as error:
            self.refused = error
            return False
        except TracerError as error:  # a node beside the one that feeds stops nobody
            source.failures += 1
            lag = f"does not answer: {error}"
            log.debug("chain=%s source=%s %s", self._config.name, source.name, error.line())
        self._note_lag(source, lag)
        return not source.failures

    async def _look(self, source: Source) -> int | None:
        """Compare a source's blocks with ours; returns our height then, None if we have none."""
        await self.open(source)
        with self._store.connection.begin():
            cursor = load.cursor(self._store, self._handle)
        if cursor is None:
            return None
        tip, marks = cursor
        view = await source.node.view(tip)
        top = min(tip.height, view.best.height)
        shown: Hash | None
        if view.hash_at_tip == tip.hash:
            agreed, shown, found = tip.height, tip.hash, None
        else:
            agreed, shown, found = await self.fork(source, top)
        if found is not None and await self._feed_shows(found.height, found.theirs):
            return None  # both have left our block: the follower is about to
        self._note(source, (agreed, shown), found, marks.confirmed)
        return tip.height

    async def _feed_shows(self, height: int, block: Hash) -> bool:
        """Whether the feeding node has this block itself; a node that cannot be asked does not show it."""
        try:
            shown = await self.feed.node.ref_at(height)
        except (Retryable, Alarm):
            return False
        return shown is not None and shown.hash == block

    async def fork(self, source: Source, top: int) -> tuple[int, Hash | None, Differs | None]:
        """Find the last block up to `top` that a source has too, and where it first differs, if it does.

        Its hash is None where that is the one before all that are stored.

        Blocks name their parents, so that the heights where both agree end where they first differ.
        """
        with self._store.connection.begin():
            low = load.start_height(self._store, self._handle) - 1
        high, differs = top + 1, None
        shared: Hash | None = None
        probe = top  # a source that only lags agrees there
        while low + 1 < high:
            theirs = await source.node.ref_at(probe)
            with self._store.connection.begin():
                ours = load.canonical_hash(self._store, self._handle, probe)
            if theirs is None or ours is None:
                raise NodeMissing(f"source {source.name} or this chain got shorter while they were compared")
            if theirs.hash == ours:
                low, shared = probe, ours
            else:
                high, differs = probe, Differs(probe, ours, theirs.hash)
            probe = (low + high) // 2
        return low, shared, differs

    def _note(self, source: Source, shared: tuple[int, Hash | None], found: Differs | None, settled: int) -> None:
        """Store what a look found: how far the source vouches, and whether a disagreement begins or ends."""
        now = int(time.time())
        connection = self._store.connection
        agreed, shown = shared
        with connection.begin():
            ours = load.canonical_hash(self._store, self._handle, agreed)
            beside = None if found is None else load.canonical_hash(self._store, self._handle, found.height)
            if (shown is not None and shown != ours) or (found is not None and beside != found.ours):
                raise NodeMissing(f"this chain changed while it was compared with source {source.name}")
            stored = vouching.open_disagreement(connection, source.id)
            turn = judge_look(stored, source.before, found, settled)
            if shown is not None and (agreed > source.height or found is not None):
                self._vouch(source, agreed, shown, now)
                self._vouch_for_feed(now)
            if turn.ends:
                vouching.end_disagreement(connection, source.id, now)
            if turn.begins is not None:
                vouching.begin_disagreement(connection, source.id, turn.begins, now)
        source.before = found
        source.height = agreed if found is not None else max(source.height, agreed)
        if turn.begins is not None:
            self._tell(source, turn.begins)
        elif turn.ends:
            self._alert(Notice("RECON-2", "INFO", f"{self._config.name}: source {source.name} has our blocks again"))

    def _vouch(self, source: Source, height: int, shown: Hash, now: int) -> None:
        if vouching.newest_vouch(self._store.connection, source.id) != (height, shown):
            vouching.note_vouch(self._store.connection, source.id, height, shown, now)

    def _vouch_for_feed(self, now: int) -> None:
        """Note how much of our chain the feeding node was seen to show."""
        cursor = load.cursor(self._store, self._handle)
        height = -1 if cursor is None else min(self.feed.height, cursor[0].height)
        shown = load.canonical_hash(self._store, self._handle, height) if height >= 0 else None
        if shown is not None:
            self._vouch(self.feed, height, shown, now)

    def _tell(self, source: Source, found: Differs) -> None:
        words = (
            f"{self._config.name}: source {source.name} has block {found.theirs.hex()} at height {found.height},"
            f" where {self.feed.name} has {found.ours.hex()}"
        )
        self._alert(Notice("RECON-2", "HIGH", words))

    def _note_lag(self, source: Source, lag: str) -> None:
        """Tell once, after the deadline, that a source does not vouch although nothing differs."""
        if not lag:
            source.missing_since, source.told = None, False
            return
        source.missing_since = source.missing_since or time.monotonic()
        if not source.told and time.monotonic() - source.missing_since >= self._config.behind_alert_s:
            source.told = True
            words = f"{self._config.name}: source {source.name} {lag}; what it has to vouch for is not final meanwhile"
            self._alert(Notice("SRC-1", "WARN", words))
