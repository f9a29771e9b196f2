"""The core loop: one follower keeps the store's view of one chain in step with one node."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any

from tracer.casework import Casework, Judged, Prepared
from tracer.chain import (
    NO_MARKS,
    Behind,
    Broken,
    Connect,
    Disconnect,
    Marks,
    Wait,
    advance_marks,
    next_step,
)
from tracer.errors import Alarm, BlockRefused, FinalityBroken, Inconsistent, OperatorError, Retryable
from tracer.notices import Notice
from tracer.store import load
from tracer.store.chains import ChainHandle
from tracer.store.interest import InterestReader
from tracer.store.writer import Served, Store
from tracer.types import BlockFacts, BlockRef, Hash, Holder
from watchers import arrival
from watchers.backfill import Backfill, Turn
from watchers.checks import BalanceChecks
from watchers.family import ChainConfig
from watchers.fork import fork_point, seen, stored_run
from watchers.halts import Halts
from watchers.headers import is_lighter, take_up
from watchers.memory import staying
from watchers.node import Coin, Node, NodeView, Scanner
from watchers.opening import anchor_before
from watchers.proving import ProofsOwed
from watchers.reach import reach
from watchers.sources import Sources, named
from watchers.standing import Outcome, Standing
from watchers.texts import TextsOwed
from watchers.wake import Wake, listening

log = logging.getLogger(__name__)

CATCH_UP_FROM = 3
"""Blocks behind the node from which blocks are streamed and committed together."""

BATCH_BLOCKS = 250
BATCH_HITS = 4_000
BATCH_S = 1.0
"""A catch-up commit happens at the first of these: blocks, stored transactions, seconds."""

RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class Follower:
    """Follows one chain; owns its nodes and scanner, and writes through the shared store.

    node: the one of the sources that feeds it now.
    """

    def __init__(
        self,
        config: ChainConfig,
        nodes: Sequence[Node[Any, Any]],
        scanner: Scanner[Any, Any],
        store: Store,
        *,
        utxo: bool,
        show: Callable[[Holder], str | None],
        tell: Callable[[str, Notice], None],
    ) -> None:
        """nodes: the one of the chain's own table, then one for each of its sources."""
        self.config, self.scanner, self.store = config, scanner, store
        self.utxo = utxo
        self._show = show
        self.handle: ChainHandle = self._register(Hash(b""))
        self.wake = Wake()
        self.standing = Standing(config, store, self.handle, tell)
        self.sources = Sources(config, named(config, nodes), store, self.handle, self.standing.alert)
        self.halts = Halts(config, store, self.handle, self.sources, self.standing)
        self.node = self.sources.feed.node
        self._turn = asyncio.Lock()
        self._give_way = 0
        self._stale = True
        self._genesis: Hash | None = None
        self._casework: Casework
        self._checks = BalanceChecks(store, config.checkpoints, utxo)
        self._proofs = ProofsOwed(store, lambda: self.handle, self._judge_anew, self.standing.tell)
        self._texts = TextsOwed(store, lambda: self.handle)
        self._tip: BlockRef | None = None
        self._offered: BlockRef
        self._marks = NO_MARKS
        self._orphaned: set[Hash] = set()

    @property
    def tip(self) -> BlockRef | None:
        """Our newest block; None before following began. In catch-up it runs ahead of the store."""
        return self._tip

    @contextlib.asynccontextmanager
    async def at_rest(self) -> AsyncIterator[Casework | None]:
        """Hold the follower between two turns, store and memory in step; None while memory is not to be relied on."""
        async with self._turn:
            with self._reloading():
                yield None if self._stale or self._tip is None else self._casework

    def _register(self, genesis: Hash) -> ChainHandle:
        """Note the chain in the store; raises WrongNetwork. An empty genesis is one not seen yet."""
        config = self.config
        return self.store.register_chain(
            config.id, config.name, config.family, genesis, config.policy, config.assets, self._show
        )

    async def run(self, until_tip: bool) -> Outcome:
        """Follow for ever, or until in step with the node; ends `halted` on an Alarm, `refused` on an OperatorError."""
        pushes = () if until_tip else self.sources.pushes
        async with listening([push.listen for push in pushes], self.wake), self.sources.asked(until_tip):
            return await self._follow(until_tip)

    async def _follow(self, until_tip: bool) -> Outcome:
        failures = 0
        while True:
            pause = self.config.poll_s
            try:
                async with self._turn:
                    outcome = await self._turn_once(until_tip)
                failures = 0
            except Retryable as error:
                outcome = Outcome("unreachable", error.line())
                pause = RETRY_S[min(failures, len(RETRY_S) - 1)]
                failures += 1
                self._stale = True
                self.standing.note(None, outcome)
                log.warning("chain=%s state=unreachable %s", self.config.name, error.line())
                if until_tip and failures > len(RETRY_S):
                    return outcome
            except BlockRefused as error:
                self._stale = True
                outcome = self.halts.refuse(error)
                if outcome is not None:
                    return outcome
            except Alarm as error:
                self._stale = True
                return self.halts.end(error)
            except OperatorError as error:
                return self.standing.end("CHAIN-2", Outcome("refused", error.line(), error))
            if outcome is None:
                await asyncio.sleep(0)
                continue
            if until_tip and outcome.state != "unreachable":
                return outcome
            await self.wake.blocks.sleep(pause)

    @contextlib.asynccontextmanager
    async def paused(self, *, reload: bool = True) -> AsyncIterator[None]:
        """Hold the follower between two turns, with nothing uncommitted; by default it reloads what it watches then."""
        self._give_way += 1
        try:
            async with self._turn:
                yield
                self._stale |= reload
        finally:
            self._give_way -= 1

    async def _turn_once(self, until_tip: bool) -> Outcome | None:
        """Do one thing: connect, disconnect, or find that there is nothing to do (then say how we stand)."""
        if self._stale:
            self.halts.look_up()
            self.node = self.sources.feed.node
        genesis = await self.sources.open(self.sources.feed)
        if self._genesis is None:
            self.handle = self._register(genesis)
            self._genesis = genesis
        if self._stale:
            await self._load(self._genesis)
        if self._tip is None:
            idle = Outcome("idle", "no imported case names this chain")
            self.standing.note(None, idle)
            return idle
        view = await self.node.view(self._tip)
        outcome = await self._take_step(self._tip, view)
        if until_tip and outcome is not None and self.sources.several:
            await self.sources.look_once()
            if outcome.state == "in step":
                self._move_marks(view)
        if self.sources.refused is not None:
            raise self.sources.refused
        if outcome is None or outcome.state != "in step":
            return outcome
        done = await self._backfill.turn(self._tip, self._marks, self._casework.clock, lambda: self._give_way > 0)
        if done is Turn.PUBLISHED:
            self._stale, self._proofs.below = True, -1
        if done is not Turn.IDLE or await self._texts.pay(self.node, self._tip):
            return None
        return outcome

    async def _take_step(self, tip: BlockRef, view: NodeView) -> Outcome | None:
        step = next_step(tip, seen(self.store, self.handle, view, tip), self._marks.final)
        if isinstance(step, Connect | Wait):
            self.sources.feed_shows(tip.height)
            self.standing.not_behind()
        match step:
            case Connect(block):
                await self._append(block, view)
                return None
            case Disconnect() | Broken():
                fork = None if isinstance(step, Broken) else await self._fork(tip, view)
                parted = fork or await self.halts.shared(self._marks.final, view.best)
                rejected = view.tip_invalid and not self.sources.others_vouch(tip.height)
                if parted and await is_lighter(self.scanner.headers, self.node, view, parted, tip, rejected):
                    return self.standing.behind(view.best, tip, "weaker branch")
                if fork is None:
                    raise await self.halts.finality_broken(self._marks.final, view.best)
                self._disconnect(tip, fork)
                return None
            case Behind(best):
                return self.standing.behind(best, tip)
            case Wait():
                self._move_marks(view)
                outcome = self.halts.waiting() or Outcome("in step", f"at height {tip.height}")
                if view.best.hash != tip.hash:
                    return None  # the node switched between our questions: ask again
                if await self._check_tip(tip) or await self._proofs.pay(self.node, self.scanner, tip):
                    return None
                self.standing.note(view.best, outcome)
                return outcome

    async def _append(self, block: BlockRef, view: NodeView) -> None:
        """Connect the block above our tip, and more of them where the node is far ahead."""
        assert self._tip is not None
        self._offered, before = block, self._tip.height
        try:
            if block.hash in self._orphaned:
                await self._reconnect(block, view)
            elif view.best.height - self._tip.height > CATCH_UP_FROM:
                self.standing.note(view.best, Outcome("following", ""))
                await self._catch_up(view)
            else:
                await self._connect(block, view)
        except Inconsistent as error:
            height = self._tip.height + 1
            named = self._offered.hash if self._offered.height == height else b""
            raise BlockRefused(str(error), height=height, block=named) from error
        self.halts.connected(before, self._tip)

    async def _fork(self, tip: BlockRef, view: NodeView) -> BlockRef | None:
        """Find where the node's chain leaves ours; None if that is below our final block."""
        try:
            return await fork_point(self.node, view, self._ours, self._marks.final, tip.height, self.config.name)
        except FinalityBroken:
            return None

    def _ours(self, height: int) -> BlockRef:
        """Our own block at a height between the first and the tip."""
        with self.store.connection.begin():
            return load.canonical_ref(self.store, self.handle, height)

    async def _load(self, genesis: Hash) -> None:
        """Take watches and state from the store; begin the chain if a case names it now."""
        with self.store.connection.begin():
            cursor = load.cursor(self.store, self.handle)
            first = load.first_height(self.store, self.handle) if cursor is None else None
        if first is not None:
            anchor = await anchor_before(self.node, first, genesis, self.config)
            await take_up(self.scanner.headers, self.node, self.store, self.handle, anchor)
            self.store.start_chain(self.handle, anchor, 0)
            log.info("chain=%s started after height=%d", self.config.name, anchor.height)
        self._interest_of = InterestReader(self.store.connection, self.handle)
        self.store.oversight.forget()
        with staying(), self.store.connection.begin():
            self._reload()
            self._orphaned = load.orphaned_hashes(self.store, self.handle)
            self.sources.hold_pins_of_store()
            self.sources.reload()
            self.scanner.watch(load.watched_holders(self.store, self.handle))
        if self._tip is not None:
            await take_up(self.scanner.headers, self.node, self.store, self.handle, self._tip)
        parts = (self.config, self.node, self.scanner.another, self.store, self.handle, self.standing)
        self._backfill = Backfill(*parts, utxo=self.utxo)
        self._stale = False
        self._checks.owed = -1 if self._tip is None else self._tip.height

    def _reload(self) -> None:
        """Rebuild all state from canonical rows, inside the caller's transaction."""
        cursor = load.cursor(self.store, self.handle)
        if cursor is not None:
            self._tip, self._marks = cursor
        self._casework = load.load_casework(self.store, self.handle, self.utxo, self.config.native, self._interest_of)
        self.scanner.forget_all()
        self.scanner.remember({point: Coin(coin.holder, coin.amount) for point, coin in self._casework.coins.items()})
        self.scanner.watch(self._casework.runs.followed)

    async def _connect(self, ref: BlockRef, view: NodeView) -> None:
        self._offer(ref)
        raw, facts = await arrival.newest(self.node, self.scanner, ref)
        self._commit([await self._prepare(raw, facts, view, live=True)])
        said = ref.height, ref.hash.hex(), len(facts.transactions)
        log.info("chain=%s connected height=%d hash=%s txs=%d", self.config.name, *said)

    def _offer(self, ref: BlockRef) -> None:
        self._offered = ref
        self.sources.hold_pin(ref)

    async def _catch_up(self, view: NodeView) -> None:
        """Stream blocks and commit many at a time, until a commit is due or the stream ends."""
        assert self._tip is not None
        pending: list[Prepared] = []
        began, hits = time.monotonic(), 0
        try:
            blocks = arrival.stream(self.node, self.scanner, self._tip, view.best.height)
            async with contextlib.aclosing(blocks):
                async for ref, raw in blocks:
                    if ref.hash in self._orphaned or self._give_way:
                        return
                    self._offer(ref)
                    facts = await arrival.read(self.node, self.scanner, raw)
                    pending.append(await self._prepare(raw, facts, view, live=False))
                    hits += len(pending[-1].txs)
                    if len(pending) >= BATCH_BLOCKS or hits >= BATCH_HITS or time.monotonic() - began > BATCH_S:
                        due, pending = pending, []  # a commit that fails is not tried again below
                        self._commit(due)
                        began, hits = time.monotonic(), 0
        finally:
            if pending:
                self._commit(pending)
            self._checks.owed = self._tip.height

    async def _prepare(self, raw: object, facts: BlockFacts, view: NodeView, *, live: bool) -> Prepared:
        """Let the casework advance over a block; the state in memory runs ahead of the store."""
        ref = facts.ref
        facts, before = await reach(self.node, self.scanner, self._casework, raw, facts)
        asked = await self._checks.at_block(self.node, self._casework, self.handle, ref, facts, live)
        self.standing.skip(asked.facts.skipped, ref)
        self.sources.feed_shows(ref.height)
        self._marks = self._advanced(ref.height, view)
        self._interest_of.look_up(facts.parties)
        prepared = self._casework.connect(asked.facts, self._marks, asked.opening, asked.answers, before)
        self.scanner.remember({point: Coin(coin.holder, coin.amount) for point, coin in prepared.added.items()})
        self.scanner.forget(prepared.removed)
        self._tip = ref
        return prepared

    async def _check_tip(self, tip: BlockRef) -> bool:
        """Hold balances after the tip against what was observed; returns whether a part of the checkpoint was due."""
        told = await self._checks.at_tip(self.node, self._casework, self.handle, tip)
        if told is None:
            return False
        self.standing.skip(told.skipped, tip)
        judged = self._casework.check_again(tip.height, self._marks, told.found)
        with self._reloading():
            self.store.note(self.handle, judged, self._marks, tip, int(time.time()), told.header)
        self.standing.tell(judged.notices)
        return True

    def _judge_anew(self, legs: Iterable[tuple[int, int]]) -> Judged:
        """Take all state from the store again, inside the caller's transaction, and judge some legs by it."""
        self._reload()
        return self._casework.judge_again(self._marks, legs)

    def _commit(self, blocks: list[Prepared]) -> None:
        with self._reloading():
            self.store.connect(self.handle, blocks, int(time.time()))
        self.standing.tell(notice for block in blocks for notice in block.notices)
        if len(blocks) > 1:
            log.info(
                "chain=%s connected blocks=%d to height=%d", self.config.name, len(blocks), blocks[-1].facts.ref.height
            )

    def _disconnect(self, tip: BlockRef, fork: BlockRef) -> None:
        """Take all blocks above the fork off the chain; legs that they served are judged again, and told of."""

        def rejudge(served: Served, marks: Marks) -> Judged:
            self._reload()
            judged = self._casework.judge_again(marks, [*served, *self._casework.voided()])
            for (case_id, leg_id), blocks in served.items():
                book = self._casework.books.get(case_id)  # None while its past is being read
                ref = "" if book is None else book.by_id[leg_id].plan.ref
                for block in blocks if book is not None else ():
                    message = f"leg {ref}: its transaction left the chain with block {block.hex()}"
                    judged.notices.append(Notice("REORG-1", "HIGH", message, case_id, leg_id))
            return judged

        with self._reloading():
            judged = self.store.disconnect(self.handle, fork, self.config.policy, rejudge, int(time.time()))
            with self.store.connection.begin():
                self._orphaned = load.orphaned_hashes(self.store, self.handle)
        self.sources.rolled_back(fork.height + 1)
        said = tip.height - fork.height, tip.height, tip.hash.hex(), fork.height
        log.info("chain=%s disconnected blocks=%d height=%d hash=%s to height=%d", self.config.name, *said)
        self.standing.tell(judged.notices)

    async def _reconnect(self, first: BlockRef, view: NodeView) -> None:
        """Put blocks back that were disconnected before: the chain returned to a branch that is stored."""

        def rejudge(served: Served, marks: Marks) -> Judged:
            self._reload()
            return self._casework.judge_again(marks, served)

        refs = await stored_run(self.node, first, view.best.height, self._orphaned, BATCH_BLOCKS)
        for ref in refs:
            self.sources.hold_pin(ref)
        marks = self._advanced(refs[-1].height, view)
        with self._reloading():
            judged = self.store.reconnect(self.handle, refs, marks, rejudge, int(time.time()))
        self._orphaned.difference_update(ref.hash for ref in refs)
        self._stale = self._backfill.pending  # a case may count no more until these blocks are read for it
        last = refs[-1]
        log.info(
            "chain=%s reconnected blocks=%d height=%d hash=%s",
            self.config.name,
            len(refs),
            last.height,
            last.hash.hex(),
        )
        self.standing.tell(judged.notices)

    @contextlib.contextmanager
    def _reloading(self) -> Iterator[None]:
        """If what happens to the store fails, take nothing in memory for granted."""
        try:
            yield
        except BaseException:
            self._stale = True
            self.store.rolled_back()
            raise

    def _advanced(self, height: int, view: NodeView) -> Marks:
        """The marks with our tip at a height."""
        vouched = self.sources.vouched(height)
        return advance_marks(self._marks, height, self.config.policy, view.tags, vouched)

    def _move_marks(self, view: NodeView) -> None:
        """Judge again if the node's tags moved without a new block, or where a new policy asks for it."""
        assert self._tip is not None
        marks = self._advanced(self._tip.height, view)
        if marks != self._marks or self._casework.unjudged:
            judged = self._casework.judge_again(marks, ())
            self.store.note(self.handle, judged, marks, self._tip, int(time.time()))
            self._marks = marks
            self.standing.tell(judged.notices)
