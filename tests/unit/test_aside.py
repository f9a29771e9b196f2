"""The process that lays blocks out says what plain Python says here, and nothing is lost when it ends."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator

import pytest
from test_bitcoin_mutations import BTC, OTHER, WATCHED, block_of, chain, flipped, hops

from tracer.types import Outpoint
from watchers.bitcoin.aside import Aside, pack, unpack
from watchers.bitcoin.reading import PlainReader
from watchers.bitcoin.scan import BitcoinScanner, RawBlock
from watchers.node import Coin


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Aside]:
    """One that is closed while its loop runs."""
    aside = Aside()
    try:
        yield aside
    finally:
        aside.close()
        await asyncio.sleep(0)


def scanner(aside: Aside | None) -> BitcoinScanner:
    made = BitcoinScanner(BTC, chain(), lambda: PlainReader(aside))
    made.watch([WATCHED])
    return made


def blocks() -> list[RawBlock]:
    return [block_of(hops(random.Random(size), size)) for size in (0, 1, 5, 40, 253, 300)]


async def test_many_blocks_at_once_give_the_same_drafts_in_order() -> None:
    async with opened() as aside:
        there = scanner(aside)
        read = await asyncio.gather(*(there.ahead(raw) for raw in blocks() * 3))
    assert all(raw.reading is not None for raw in read)
    assert [there.scan(raw) for raw in read] == [scanner(None).scan(raw) for raw in blocks() * 3]


async def test_coins_count_that_became_of_interest_after_a_block_was_laid_out() -> None:
    source = hops(random.Random(40), 40)[20].vin[0].prevout
    point = Outpoint(source.hash + source.n.to_bytes(4, "little"))
    async with opened() as aside:
        there = scanner(aside)
        laid = await there.ahead(blocks()[3])
    before = [hit.position for hit in there.scan(laid).hits]
    there.remember({point: Coin(OTHER, 10**9)})
    assert {hit.position for hit in there.scan(laid).hits} - set(before) >= {20}


def test_malformed_bytes_are_left_to_whoever_says_what_is_wrong() -> None:
    rng = random.Random(5)
    malformed = 0
    for raw in blocks():
        assert unpack(raw.data, pack(raw.data))[0].tree[-1][0] == raw.data[36:68]
        for _ in range(20):
            changed = raw.data[:80] + flipped(rng, raw.data[80:])
            try:
                read = PlainReader().read(changed)
            except (IndexError, ValueError):
                assert pack(changed) == b""
                malformed += 1
            else:
                assert [list(level) for level in unpack(changed, pack(changed))[0].tree] == read.laid.tree
    assert malformed


async def test_a_process_that_is_killed_is_done_without(caplog: pytest.LogCaptureFixture) -> None:
    async with opened() as aside:
        there = scanner(aside)
        first = await there.ahead(blocks()[2])
        assert aside.pid is not None
        os.kill(aside.pid, signal.SIGKILL)
        others = [await there.ahead(raw) for raw in blocks()[3:]]
        assert [raw.reading for raw in others] == [None] * len(others)
        assert aside.pid is None
    assert [there.scan(raw) for raw in (first, *others)] == [scanner(None).scan(raw) for raw in blocks()[2:]]
    assert "ended" in caplog.text


async def test_it_ends_when_nobody_asks_any_more_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchers.bitcoin.aside.IDLE_S", 0.1)
    async with opened() as aside:
        await aside.read(blocks()[3].data)
        first = aside.pid
        assert first is not None
        async with asyncio.timeout(10):
            while aside.pid is not None:  # noqa: ASYNC110 - it has no event to wait for
                await asyncio.sleep(0.02)
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)
        assert await aside.read(blocks()[3].data) is not None
        assert aside.pid not in (None, first)


async def test_a_cancelled_question_leaves_no_answer_behind_for_the_next() -> None:
    large, small = blocks()[5], blocks()[2]
    async with opened() as aside:
        await aside.read(small.data)
        task = asyncio.create_task(aside.read(large.data))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        found = await aside.read(small.data)
    assert found is not None and found[0].tree[-1][0] == small.data[36:68]
