"""Imports the ancestors of a transaction: they are found first, then taken, oldest first, from verified blocks."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator

from tracer.errors import BlockRefused, Inconsistent
from tracer.proof.headers import hash_of, parent_of
from tracer.store.history import Unmade, note_whole, put_block, put_headers, unmade
from tracer.types import BlockFacts, BlockRef, Hash
from tracer.units import format_units
from watchers.ancestors import ELSEWHERE, TOO_DEEP, Search, named_block
from watchers.archive import Archive
from watchers.headers import headers_below
from watchers.history import Place, Request, counted

HEADERS_AT_ONCE = 2_000
LOOKED_AT, TOLD_EVERY = 20, 1_000
BATCH_TXS = 100
BATCH_S = 1.0
"""What is written in one commit, so that the follower never waits for long."""

LEFT_CHAIN = "its block left the chain meanwhile: import again"


class CoinHistory:
    """One import on a UTXO chain; see `watchers.history.Import`."""

    def __init__(self, place: Place, archive: Archive, request: Request) -> None:
        self._place, self._archive, self._request = place, archive, request
        self._search: Search
        self._blocks = self._txs = self._movements = self._headers = 0
        self._unmade: list[Unmade] = []

    async def steps(self) -> AsyncGenerator[str, None]:
        """See `Import`; raises Inconsistent for a block that does not stand up."""
        assert self._request.named is not None, "an import of coins names a transaction"
        self._place.tip()
        await self._place.open()
        block = None
        if self._request.block:
            block = await named_block(self._place, self._archive, self._request.block)
        else:
            await self._archive.check_index()
        self._search = Search(self._place, self._archive, self._request.depth, self._request.most, block)
        try:
            async for line in self._search.run(*self._request.named):
                yield line
            async for line in self._reach_down():
                yield line
            async for line in self._take():
                yield line
            async for line in self._look_back():
                yield line
        except BlockRefused as error:
            raise Inconsistent(str(error)) from error
        except BaseException:
            self._place.store.rolled_back()
            raise

    async def _reach_down(self) -> AsyncGenerator[str, None]:
        """Let our chain reach down to the lowest block that is wanted, by its headers."""
        plan, bottom = self._search.plan, self._search.bottom
        if not plan.below:
            return
        low = min(height for height, _ in plan.below)
        yield f"verifying headers up to block {bottom.height}, where following began"
        place = self._place
        found = await headers_below(self._archive.headers, place.node, place.store, place.handle, low, bottom)
        for (height, block), txids in sorted(plan.below.items()):
            header = found[height - low]
            if hash_of(header) != block:
                plan.missing |= dict.fromkeys(txids, ELSEWHERE)
            else:
                plan.wanted[BlockRef(height, block, parent_of(header))] = txids
        lowest = min((ref.height for ref in plan.wanted), default=bottom.height)
        found = found[lowest - low :]
        for end in range(len(found), 0, -HEADERS_AT_ONCE):
            begin = max(0, end - HEADERS_AT_ONCE)
            rows = [
                (height, hash_of(header), parent_of(header), int.from_bytes(header[68:72], "little"), header)
                for height, header in enumerate(found[begin:end], lowest + begin)
            ]
            async with place.hold():
                put_headers(place.store, place.handle, rows[::-1])
            self._headers += len(rows)
            yield f"stored {self._headers} of {len(found)} headers below block {bottom.height}"

    async def _take(self) -> AsyncGenerator[str, None]:
        """Take the wanted transactions from their blocks, lowest first: so a coin comes before its spending."""
        wanted = sorted(self._search.plan.wanted.items(), key=lambda item: item[0].height)
        pending: list[BlockFacts] = []
        held, began = 0, time.monotonic()
        for done, (ref, txids) in enumerate(wanted, 1):
            facts = await self._archive.take(ref, txids)
            absent = txids - {tx.txid for tx in facts.transactions}
            if absent:
                named = ", ".join(sorted(txid.hex() for txid in absent))
                raise Inconsistent(f"block {ref.height} {ref.hash.hex()} does not hold what the node says: {named}")
            pending.append(facts)
            held += len(facts.transactions)
            if held >= BATCH_TXS or time.monotonic() - began > BATCH_S or done == len(wanted):
                await self._write(pending)
                pending, held, began = [], 0, time.monotonic()
                yield f"took {counted(self._txs, 'transaction')} from {done} of {counted(len(wanted), 'block')}"

    async def _write(self, blocks: list[BlockFacts]) -> None:
        """Store what verified blocks say, in one transaction."""
        place, connection = self._place, self._place.store.connection
        async with place.hold():
            with connection.begin():
                puts = [(facts, put_block(place.store, place.handle, facts)) for facts in blocks]
                for facts, put in puts:
                    if put is not None:
                        note_whole(connection, place.handle, facts.ref.hash)
        for facts, put in puts:
            if put is None:
                self._search.plan.missing |= {tx.txid: LEFT_CHAIN for tx in facts.transactions}
                continue
            self._blocks += 1
            self._txs += len(facts.transactions)
            self._movements += put.movements

    async def _look_back(self) -> AsyncGenerator[str, None]:
        """See which coins are missing now, some transactions at a time, so that nobody waits for long."""
        place, reached = self._place, self._search.plan.reached
        for start in range(0, len(reached), LOOKED_AT):
            await asyncio.sleep(0)
            with place.store.connection.begin():
                self._unmade += unmade(place.store.connection, place.handle, reached[start : start + LOOKED_AT])
            if start % TOLD_EVERY == 0:
                yield f"looking through {len(reached)} transactions for what is missing, from number {start + 1} on"

    def result(self) -> list[str]:
        """See `Import`."""
        plan = self._search.plan
        lines = list(self._missing())
        below = f"; the chain reaches down by {counted(self._headers, 'header')}" if self._headers else ""
        generations = f"{counted(plan.generations, 'generation')}, coinbases reached: {plan.coinbases}"
        lines.append(
            f"{self._place.name}: fetched {counted(self._txs, 'transaction')} from {counted(self._blocks, 'block')},"
            f" {counted(self._movements, 'movement')} new; stored before: {plan.stored}; {generations}{below}"
        )
        return lines

    def _missing(self) -> Iterator[str]:
        """Say what is missing, with its amount, by reason."""
        plan, place = self._search.plan, self._place
        counts, amounts = Counter[str](), Counter[str]()
        txids: dict[str, set[Hash]] = {}
        for coin in self._unmade:
            why = self._why(coin)
            counts[why] += 1
            amounts[why] += coin.amount
            txids.setdefault(why, set()).add(coin.txid)
        itself = Counter(plan.missing[txid] for txid in plan.reached if txid in plan.missing)
        for why, count in sorted(itself.items()):
            yield f"missing: what {counted(count, 'transaction')} moved, whose bytes alone were looked at: {why}"
        native = place.config.native
        for why in sorted(counts):
            amount = format_units(amounts[why], native.decimals)
            yield (
                f"missing: {counted(counts[why], 'coin')} of {counted(len(txids[why]), 'transaction')},"
                f" {amount} {native.symbol}: {why}"
            )

    def _why(self, coin: Unmade) -> str:
        return self._search.plan.missing.get(coin.txid, TOO_DEEP)
