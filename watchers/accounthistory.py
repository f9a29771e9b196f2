"""Imports what moved to and from an account before anybody watched it, block by block, beside the live chain."""

import contextlib
import time
from collections.abc import AsyncGenerator

from tracer.errors import BlockRefused, Inconsistent, NodeMissing
from tracer.store import load
from tracer.store.history import covered_from, history_set, put_account, unread
from tracer.store.past import lowest
from tracer.store.pastrows import begin_below
from tracer.types import BlockFacts, BlockRef, Checked, Holder
from watchers import arrival, families
from watchers.history import CannotImport, Place, Request, counted

BATCH_BLOCKS = 250
BATCH_HITS = 500
BATCH_S = 0.5
"""A commit happens at the first of these: blocks, transactions, seconds."""


class AccountHistory:
    """One import on an account chain; see `watchers.history.Import`."""

    def __init__(self, place: Place, holder: Holder, request: Request) -> None:
        self._place, self._holder, self._first = place, holder, request.first
        self._address = families.show_holder(place.config, holder)
        self._set = history_set(self._address)
        self._blocks = self._txs = self._movements = 0
        self._spans: list[tuple[int, int]] = []
        self._first_covered: int | None = None
        self._unobserved: dict[str, int] = {}
        self._last = -1

    async def steps(self) -> AsyncGenerator[str, None]:
        """See `Import`; raises Inconsistent for a block that does not stand up."""
        place = self._place
        tip = place.tip()
        await place.open()
        place.scanner.watch([self._holder])
        first = max(1, self._first)  # nothing moves in a genesis block
        with place.store.connection.begin():
            self._first_covered = covered_from(place.store.connection, place.handle, self._holder)
            self._last = tip.height if self._first_covered is None else min(tip.height, self._first_covered - 1)
            self._spans = unread(place.store.connection, place.handle, self._set, first, self._last)
        if first > tip.height:
            raise CannotImport(f"--from {first} is above block {tip.height}, the newest that is followed")
        try:
            for low, high in self._spans:
                async for line in self._span(low, high):
                    yield line
        except BlockRefused as error:
            raise Inconsistent(str(error)) from error
        except BaseException:
            place.store.rolled_back()
            raise

    async def _span(self, low: int, high: int) -> AsyncGenerator[str, None]:
        """Read the blocks from one height to another."""
        done = await self._before(low)
        while done.height < high:
            blocks = await self._read(done, min(high, done.height + BATCH_BLOCKS))
            place = self._place
            async with place.hold():
                put = put_account(place.store, place.handle, self._set, blocks)
            if put is None:
                raise NodeMissing(f"{place.name}: the node does not show our chain above block {done.height} now")
            done = blocks[-1].ref
            self._blocks += len(blocks)
            self._txs += put.txs
            self._movements += put.movements
            for reason in (reason for facts in blocks for reason in facts.skipped):
                self._unobserved[reason] = self._unobserved.get(reason, 0) + 1
            yield f"read {self._address} to block {done.height} of {high}: {counted(self._txs, 'new transaction')}"

    async def _before(self, low: int) -> BlockRef:
        """The block after which a span begins: ours, or one below our lowest, which is stored then."""
        place = self._place
        with place.store.connection.begin():
            bottom = lowest(place.store.connection, place.handle)
            if low - 1 >= bottom.height:
                return load.canonical_ref(place.store, place.handle, low - 1)
        anchor = await place.node.ref_at(low - 1)
        if anchor is None:
            raise NodeMissing(f"{place.name}: the node's chain got shorter while it was asked")
        async with place.hold():
            with place.store.connection.begin():
                begin_below(place.store.connection, place.handle, anchor)
        return anchor

    async def _read(self, after: BlockRef, upto: int) -> list[BlockFacts]:
        """Read some blocks; those that concern the account are proven whole, whatever the policy of the chain."""
        node, scanner = self._place.node, self._place.scanner
        found: list[BlockFacts] = []
        began, hits = time.monotonic(), 0
        async with contextlib.aclosing(arrival.stream(node, scanner, after, upto)) as stream:
            async for ref, raw in stream:
                facts = await arrival.read(node, scanner, raw)
                if facts.checked is not Checked.WHOLE and (facts.transactions or facts.loose):
                    facts = await arrival.read(node, scanner, await node.whole(ref))
                found.append(facts)
                hits += len(facts.transactions)
                if hits >= BATCH_HITS or time.monotonic() - began > BATCH_S:
                    break
        if not found:
            raise NodeMissing(f"{self._place.name}: the node does not show the block above {after.height} now")
        return found

    def result(self) -> list[str]:
        """See `Import`."""
        name = self._place.name
        lines = [
            f"missing: {reason} in {counted(count, 'block')}" for reason, count in sorted(self._unobserved.items())
        ]
        if self._first > 1:
            lines.append(f"missing: blocks below {self._first} were not asked for")
        known = (
            f"known from block {max(1, self._first)} on"
            if self._first_covered is not None or not self._spans
            else f"known from block {max(1, self._first)} to {self._last}; no case watches it from there on"
        )
        lines.append(
            f"{name}: read {counted(self._blocks, 'block')} for {self._address},"
            f" {counted(self._txs, 'transaction')} and {counted(self._movements, 'movement')} new; {known}"
        )
        return lines
