"""Reads again, for watches that came late, the blocks that were followed without them, beside the live chain."""

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tracer.casework import Casework
from tracer.chain import Marks
from tracer.errors import NodeMissing
from tracer.prepared import Prepared
from tracer.store import load, past, pastrows
from tracer.store.chains import ChainHandle
from tracer.store.rivalrows import StoredRivals
from tracer.store.tracerows import stored_openings
from tracer.store.writer import Store
from tracer.taint.accounts import Key
from tracer.types import AssetId, BlockFacts, BlockRef, Holder
from watchers import arrival
from watchers.checks import Asked, BalanceChecks
from watchers.family import ChainConfig
from watchers.headers import stand_at
from watchers.node import Coin, Node, Scanner
from watchers.reach import reach
from watchers.standing import Standing

log = logging.getLogger(__name__)

BATCH_BLOCKS = 250
BATCH_HITS = 2_000
BATCH_S = 0.3
"""A turn ends at the first of these, so that the live chain does not wait: blocks, stored transactions, seconds."""

Balances = Mapping[tuple[int, Holder, AssetId], int]


class Turn(Enum):
    """What a turn did: there is no late watch, blocks were read, or a case counts now."""

    IDLE = "idle"
    READ = "read"
    PUBLISHED = "published"


@dataclass(slots=True)
class Work:
    """A back-fill under way: its scanner and casework, and what it will publish.

    at: the last block it took in. checks: asks for the balances that the case rests on.
    """

    job_id: int
    at: BlockRef
    scanner: Scanner[Any, Any]
    casework: Casework
    ids: past.KnownIds
    rivals: StoredRivals
    checks: BalanceChecks
    blocks: list[Prepared] = field(default_factory=list)

    def keep(self, done: Prepared) -> None:
        """Keep what a block is to publish; its facts are stored."""
        done.txs, done.loose = [], []
        rows = (
            done.entries,
            done.held,
            done.ledger,
            done.notices,
            done.labels,
            done.edges,
            done.traced,
            done.lots,
            done.transfers,
        )
        if any(rows):
            self.blocks.append(done)


class Backfill:
    """The late watches of one chain, one case after the other; state in memory is a function of the store's rows."""

    def __init__(
        self,
        config: ChainConfig,
        node: Node[Any, Any],
        scanner: Callable[[], Scanner[Any, Any]],
        store: Store,
        handle: ChainHandle,
        standing: Standing,
        *,
        utxo: bool,
    ) -> None:
        """scanner: makes a new one, interested in nothing."""
        self.config, self.node, self.store, self.handle = config, node, store, handle
        self._scanner, self._standing = scanner, standing
        self.utxo = utxo
        self._work: Work | None = None

    @property
    def pending(self) -> bool:
        """Whether there is a back-fill that is not published."""
        with self.store.connection.begin():
            return past.next_job(self.store.connection, self.handle) is not None

    async def turn(self, tip: BlockRef, marks: Marks, clock: int, give_way: Callable[[], bool]) -> Turn:
        """Read a bounded number of blocks, or publish what stands at the tip.

        marks, clock: of the tip. give_way: whether somebody waits for this turn to end.
        """
        job = self._job()
        if job is None:
            self._work = None
            return Turn.IDLE
        if job.done is None:
            job = await self._begin(job)
        try:
            work = await self._resumed(job)
            if (work.at.height, work.at.hash) == (tip.height, tip.hash):
                self._publish(job, work, marks, clock)
                self._work = None
                return Turn.PUBLISHED
            await self._read(job, work, tip, give_way)
        except BaseException:
            self._work = None  # what it took in may not be in the store
            self.store.rolled_back()
            raise
        return Turn.READ

    def _job(self) -> past.Job | None:
        """The back-fill to go on with, its last block being on our chain."""
        with self.store.connection.begin():
            job = past.next_job(self.store.connection, self.handle)
            if job is None or job.done is None:
                return job
            there = past.on_chain(self.store.connection, self.handle, job.done)
            if there.hash != job.done.hash:
                pastrows.note_done(self.store.connection, job, there)
                log.info(
                    "chain=%s backfill=%d case=%s stepped back from height=%d to height=%d",
                    self.config.name,
                    job.id,
                    job.case_ref,
                    job.done.height,
                    there.height,
                )
            return past.next_job(self.store.connection, self.handle)

    async def _begin(self, job: past.Job) -> past.Job:
        """Choose the block after which to begin: ours, or one below the first that was followed."""
        with self.store.connection.begin():
            bottom = past.lowest(self.store.connection, self.handle)
        height = job.from_height - 1
        if height >= bottom.height:
            with self.store.connection.begin():
                anchor = load.canonical_ref(self.store, self.handle, height)
        else:
            found = await self.node.ref_at(height)
            if found is None:
                raise NodeMissing(f"{self.config.name}: the node's chain got shorter while it was asked")
            anchor = found
        pastrows.begin(self.store, self.handle, job, anchor)
        log.info("chain=%s backfill=%d case=%s began after height=%d", self.config.name, job.id, job.case_ref, height)
        begun = self._job()
        assert begun is not None and begun.done is not None, "it was begun just now"
        return begun

    async def _resumed(self, job: past.Job) -> Work:
        """The work in memory, or the same made again from what is stored."""
        assert job.done is not None, "it was begun"
        work = self._work
        if work is not None and (work.job_id, work.at.hash) == (job.id, job.done.hash):
            return work
        with self.store.connection.begin():
            connection = self.store.connection
            rivals = StoredRivals(connection, self.handle, job.case_id)
            casework, ids = past.fresh_casework(self.store, self.handle, self.utxo, self.config.native, job, rivals)
            checks = BalanceChecks(self.store, self.config.checkpoints, self.utxo, counting=past.counts_for(job, "w"))
            scanner = self._scanner()
            scanner.watch(past.late_holders(self.store, self.handle, job))
            work = Work(job.id, job.done, scanner, casework, ids, rivals, checks)
            seizures = [book.seizure for book in casework.books.values()]
            stored = past.stored_past(
                connection, self.handle, job.from_height, job.done.height, min(seizures, default=None)
            )
        await stand_at(scanner.headers, self.node, self.store, self.handle, job.done)
        for facts, block_id in stored:
            work.keep(self._retake(work, facts, past.Known(block_id)))
        scanner.remember({point: Coin(coin.holder, coin.amount) for point, coin in casework.coins.items()})
        scanner.watch(casework.runs.followed)
        self._work = work
        return work

    async def _take(self, work: Work, raw: object, facts: BlockFacts, known: past.Known) -> Prepared:
        """Let the casework pass over a block, with the balances that it makes interesting."""
        facts, before = await reach(self.node, work.scanner, work.casework, raw, facts)
        asked = await work.checks.at_block(self.node, work.casework, self.handle, facts.ref, facts, live=False)
        self._standing.skip(asked.facts.skipped, facts.ref)
        return self._pass_over(work, asked, known, before)

    def _retake(self, work: Work, facts: BlockFacts, known: past.Known) -> Prepared:
        """Let the casework pass over a block again, with the balances that were asked then."""
        cases = work.casework.opening_at(facts.ref.height) if not self.utxo else []
        with self.store.connection.begin():
            answers = past.stored_answers(self.store.connection, known.block)
            before = stored_openings(self.store.connection, known.block)
            held = {case: load.held_holders(self.store, self.handle, case, work.checks.counting) for case in cases}
        opening = {
            (case, holder, asset): balance.amount
            for case in cases
            for (holder, asset), balance in answers.items()
            if holder in held[case]
        }
        return self._pass_over(work, Asked(facts, answers, opening), known, before)

    def _pass_over(self, work: Work, asked: Asked, known: past.Known, before: Mapping[Key, int]) -> Prepared:
        with self.store.connection.begin():
            if known.stored and (asked.facts.transactions or asked.facts.loose):
                known = past.known_rows(self.store.connection, known.block)
            work.rivals.at(known.block)
            work.ids.known = known
            return work.casework.pass_over(asked.facts, asked.opening, asked.answers, before)

    async def _read(self, job: past.Job, work: Work, tip: BlockRef, give_way: Callable[[], bool]) -> None:
        """Stream blocks and commit their facts; raises NodeMissing if the node does not show our chain now."""
        began, hits = time.monotonic(), 0
        found: list[pastrows.Found] = []
        upto = min(tip.height, work.at.height + BATCH_BLOCKS)
        async with contextlib.aclosing(arrival.stream(self.node, work.scanner, work.at, upto)) as stream:
            async for ref, raw in stream:
                with self.store.connection.begin():
                    known = past.known_block(self.store.connection, self.handle, ref)
                if known is None:
                    break
                facts = await arrival.read(self.node, work.scanner, raw)
                work.ids.new.clear()
                done = await self._take(work, raw, facts, known)
                work.scanner.remember({point: Coin(c.holder, c.amount) for point, c in done.added.items()})
                work.scanner.forget(done.removed)
                found.append(pastrows.Found(done, known, frozenset(work.ids.new)))
                hits += len(done.txs)
                if hits >= BATCH_HITS or time.monotonic() - began > BATCH_S or give_way():
                    break
        if not found:
            raise NodeMissing(f"{self.config.name}: the node does not show the block above {work.at.height} now")
        pastrows.commit_read(self.store, self.handle, job, found)
        for block in found:
            work.keep(block.prepared)
        work.at = found[-1].prepared.facts.ref
        log.info(
            "chain=%s backfill=%d case=%s read blocks=%d to height=%d of=%d",
            self.config.name,
            job.id,
            job.case_ref,
            len(found),
            work.at.height,
            tip.height,
        )

    def _publish(self, job: past.Job, work: Work, marks: Marks, clock: int) -> None:
        """Let the case count, and tell what people did not know of it."""
        with self.store.connection.begin():
            for book in work.casework.books.values():
                book.judged.update(load.load_judged(self.store.connection, self.handle, book.case_id))
        judged = work.casework.judge_all(clock, marks)
        news = pastrows.publish(self.store, self.handle, job, work.blocks, judged, marks, int(time.time()))
        log.info(
            "chain=%s backfill=%d case=%s published height=%d hash=%s",
            self.config.name,
            job.id,
            job.case_ref,
            work.at.height,
            work.at.hash.hex(),
        )
        self._standing.tell(news)
