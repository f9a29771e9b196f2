"""How a chain's mempool is watched beside its follower: what is seen there, and what becomes of it, is stored.

A mempool that cannot be watched stops nobody: it is told of once, and asked again.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence

from tracer.casework import Casework
from tracer.errors import TracerError
from tracer.life import Dropped, Life, Observation, State
from tracer.notices import Notice
from tracer.pending import Kept, Observed, Sighting, any_stuck, observe_pool
from tracer.store import liferows
from tracer.types import Hash, Holder
from watchers.follow import RETRY_S, Follower
from watchers.pool import Gone, Pool

log = logging.getLogger(__name__)

SOON_S = 0.05
"""Pause before a mempool is looked at again that the store was not in step with."""


REST = 4
"""How much longer than a look the pause behind it is at least (but no longer than `mempool_poll_s`).

A large mempool announces changes all the time.
"""


class PoolWatcher:
    """Watches one mempool; writes through the follower's store, between the follower's turns."""

    def __init__(self, follower: Follower, pool: Pool) -> None:
        self._follower, self._pool = follower, pool
        self._poll_s = follower.config.mempool_poll_s
        self._interest: object = None
        self._custody: tuple[Holder, ...] = ()
        self._held: frozenset[Hash] = frozenset()
        self._held_at = Hash(b"")
        self._failing = False

    async def close(self) -> None:
        """Release connections. Idempotent."""
        await self._pool.close()

    async def run(self) -> None:
        """Watch for ever."""
        failures = 0
        while True:
            began = time.monotonic()
            pause = self._poll_s
            try:
                pause = self._poll_s if await self._round() else min(SOON_S, self._poll_s)
                failures, self._failing = 0, False
            except TracerError as error:
                self._fail(error.line())
            except Exception as error:
                log.exception("chain=%s the mempool watcher failed", self._follower.config.name)
                self._fail(f"{type(error).__name__}: {error}")
            if self._failing:
                pause = RETRY_S[min(failures, len(RETRY_S) - 1)]
                failures += 1
            await asyncio.sleep(min(REST * (time.monotonic() - began), self._poll_s))
            await self._follower.wake.mempool.sleep(pause)

    def _fail(self, reason: str) -> None:
        """Tell once that unconfirmed transactions are not seen now."""
        if self._failing:
            return
        self._failing = True
        self._follower.standing.alert(Notice("DATA-2", "WARN", f"unconfirmed transactions cannot be watched: {reason}"))

    async def _round(self) -> bool:
        """Look once, and store what has changed; returns whether the store was in step with the node meanwhile."""
        follower = self._follower
        async with follower.at_rest() as casework:
            if casework is None:
                return follower.tip is None  # nothing is followed here
            if casework.interest_of is not self._interest:
                self._interest = casework.interest_of  # the watches were loaded anew: there may be more of them
                self._pool.forget()
                with follower.store.connection.begin():
                    accounts = () if follower.utxo else liferows.custody(follower.store.connection, follower.handle)
                self._custody = tuple(accounts)
        look = await self._pool.look(lambda: None if follower.tip is None else follower.tip.hash, self._custody)
        if look is None:
            return False
        async with follower.at_rest() as casework:
            if casework is None or follower.tip is None or follower.tip.hash != look.best:
                return False
            gone = [self._gone(life) for life in casework.lives.loose() if life.txid not in look.held]
        fates = await self._pool.fates(look.best, gone) if gone else {}
        async with follower.at_rest() as casework:
            if casework is None or follower.tip is None or follower.tip.hash != look.best:
                return False
            lives = casework.lives.open
            fresh = (one for txid, one in look.held.items() if txid not in lives or lives[txid].state is State.ORPHANED)
            new = [one for one in fresh if any(map(casework.interest_of, one.facts.parties))]
            if new or fates or any_stuck(casework):
                self._store(casework, new, look.held, fates)
            self._held, self._held_at = frozenset(look.held), look.best
        return True

    def _store(
        self,
        casework: Casework,
        new: Sequence[Sighting],
        held: Mapping[Hash, Sighting],
        fates: Mapping[Hash, Observation | None],
    ) -> None:
        follower, now = self._follower, int(time.time())

        def observe(kept: Kept) -> Observed:
            said = {txid: fate or Dropped(kept.tip) for txid, fate in fates.items()}
            return observe_pool(casework, held, [one.txid for one in new], said, kept, now)

        observed = follower.store.note_pending(follower.handle, new, observe, now)
        for change in observed.changes:
            log.info(
                "chain=%s pending_id=%s state=%s", follower.config.name, change.pending_id, change.event.state.name
            )
        follower.standing.tell(notice for _, notice in observed.notices)

    def _gone(self, life: Life) -> Gone:
        """Collect what is known of a transaction that the mempool does not hold."""
        store, handle = self._follower.store, self._follower.handle
        with store.connection.begin():
            since = liferows.known_height(store.connection, handle, life)
            if life.txid in self._held:  # as of a block: by its height alone a reorg would hide the rival's block
                since = max(since, liferows.height_of(store.connection, handle, self._held_at))
            raw = liferows.bytes_of(store.connection, life)
            return Gone(life.txid, raw, liferows.blocks_above(store.connection, handle, since))


@contextlib.asynccontextmanager
async def watching(watcher: PoolWatcher | None) -> AsyncIterator[None]:
    """Let a mempool be watched while the context lasts; None: there is none to watch."""
    if watcher is None:
        yield
        return
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watcher.run())
        try:
            yield
        finally:
            task.cancel()
            await watcher.close()
