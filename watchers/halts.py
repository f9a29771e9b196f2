"""Why a chain stands still: blocks that were refused, and finality that was broken; kept in the store over restarts."""

import asyncio
import logging
import time

from tracer.errors import Alarm, BlockRefused, FinalityBroken, NodeMissing, StillHalted
from tracer.notices import Notice
from tracer.store import load, vouching
from tracer.store.chains import ChainHandle
from tracer.store.vouching import Refusal, Violation
from tracer.store.writer import Store
from tracer.types import BlockRef
from tracer.vouching import Differs
from watchers.family import ChainConfig
from watchers.sources import Sources
from watchers.standing import Outcome, Standing

log = logging.getLogger(__name__)


class Halts:
    """Keeps what stops a chain, says so, and lets it go on when another source or an operator has settled it."""

    def __init__(
        self, config: ChainConfig, store: Store, handle: ChainHandle, sources: Sources, standing: Standing
    ) -> None:
        self._config, self._store, self._handle = config, store, handle
        self._sources, self._standing = sources, standing
        self._open: list[Refusal] = []
        self.settled = asyncio.Event()
        """Set when an operator has settled something."""

    def look_up(self) -> None:
        """Take from the store what is not settled, and choose the source that feeds; raises StillHalted if none may."""
        with self._store.connection.begin():
            refusals = vouching.refusals(self._store.connection, self._handle.id)
            violation = vouching.newest_violation(self._store.connection, self._handle.id)
        self._open = [one for one in refusals if not one.settled]
        if violation is not None and not violation.settled:
            raise StillHalted(
                about_violation(self._config.name, violation), how_to_follow(self._config.name, violation)
            )
        if not self._sources.choose(refusals):
            raise StillHalted(self._words(), how_to_retry(self._open))

    def _words(self) -> str:
        last = self._open[-1]
        return f"{self._config.name}: block {last.height} of source {last.source} was refused: {last.reason}"

    def waiting(self) -> Outcome | None:
        """How the chain stands while no other source has come to the height of a refused block; None if none waits."""
        if not self._open:
            return None
        return Outcome("halted", f"{self._words()}; source {self._sources.feed.name} has no block of that height yet")

    def refuse(self, error: BlockRefused) -> Outcome | None:
        """Keep a refused block and alarm; returns how following ends, or None where another source may go on."""
        connection, source = self._store.connection, self._sources.feed
        reason = str(error)
        with connection.begin():
            place = (error.height, error.block)
            new = vouching.refuse(connection, self._handle, source.id, place, reason, error.evidence, int(time.time()))
        if new:
            words = f"{self._config.name}: block {error.height} {error.block.hex()} of source {source.name}: {reason}"
            self._standing.alert(Notice("VERIFY-1", "CRITICAL", words))
        try:
            self.look_up()
        except StillHalted as halted:
            return self.end(halted)
        return None

    def connected(self, before: int, tip: BlockRef) -> None:
        """Settle what was refused at heights that were connected just now: another source had blocks that stood up."""
        done = [one for one in self._open if before < one.height <= tip.height]
        if not done:
            return
        name = self._sources.feed.name
        with self._store.connection.begin():
            for one in done:
                vouching.settle_refusal(
                    self._store.connection,
                    one.id,
                    vouching.OTHER_SOURCE,
                    name,
                    f"its blocks up to {tip.height} {tip.hash.hex()} stood up",
                    int(time.time()),
                )
        self._open = [one for one in self._open if one not in done]
        log.warning("chain=%s refused blocks settled by source %s", self._config.name, name)

    async def shared(self, final: int, best: BlockRef) -> BlockRef | None:
        """Our highest block, below the final one, that the feeding node's chain has too; None if nothing stored is."""
        low, shown, _ = await self._sources.fork(self._sources.feed, min(final, best.height))
        if shown is None:
            return None
        with self._store.connection.begin():
            return load.canonical_ref(self._store, self._handle, low)

    async def finality_broken(self, final: int, best: BlockRef) -> FinalityBroken:
        """Note where the feeding node's chain leaves ours, at or below the final block; returns that alarm.

        Raises NodeMissing if it does not after all.
        """
        source = self._sources.feed
        low, _, found = await self._sources.fork(source, min(final, best.height))
        with self._store.connection.begin():
            start = load.start_height(self._store, self._handle)
            if found is None and best.height <= final:  # it rejects our blocks and has nothing in their place
                ours = load.canonical_hash(self._store, self._handle, low + 1)
                found = None if ours is None else Differs(low + 1, ours, best.hash)
            if found is None:
                raise NodeMissing(f"{self._config.name}: the node returned to our final block while it was asked")
            fork = low if low >= start else None
            vouching.note_violation(self._store.connection, self._handle, source.id, fork, found, int(time.time()))
            violation = vouching.newest_violation(self._store.connection, self._handle.id)
        assert violation is not None
        raise FinalityBroken(about_violation(self._config.name, violation), how_to_follow(self._config.name, violation))

    def end(self, error: Alarm) -> Outcome:
        """Note, and tell once, that the chain halts."""
        outcome = Outcome("halted", error.line())
        if not isinstance(error, StillHalted):
            return self._standing.end("CHAIN-1", outcome)
        self._standing.note(None, outcome)
        log.critical("chain=%s state=halted %s", self._config.name, error.line())
        return outcome


def about_violation(chain: str, found: Violation) -> str:
    """Say in one line what was broken."""
    where = "nothing that is stored" if found.fork_height is None else f"block {found.fork_height}"
    return (
        f"{chain}: source {found.source} shows another chain than the one that is final here up to"
        f" {found.final_height}: it shares {where}, then has {found.theirs.hex()} instead of {found.ours.hex()}"
    )


def how_to_follow(chain: str, found: Violation) -> str:
    """Say what an operator can do about a broken finality."""
    if found.fork_height is None:
        return "Nothing was changed. Compare the node with a second one; to follow it after all, begin a new store."
    return (
        "Nothing was changed. Compare the node with a second one; to follow it after all:"
        f" tracerd settle finality {chain} --to {found.theirs.hex()} --by NAME --reason TEXT"
        f"; to stay with our blocks, once the node is repaired: the same with --to {found.ours.hex()}"
    )


def how_to_retry(refusals: list[Refusal]) -> str:
    """Say what an operator can do about refused blocks."""
    numbers = ", ".join(str(one.id) for one in refusals)
    return (
        "Compare the node with a second one, or configure a [[chain.NAME.source]]; once it is repaired:"
        f" tracerd settle refusal {numbers} --by NAME --reason TEXT"
    )
