"""Bells: what rings while nobody sleeps is not lost, and what rings twice is looked at once."""

import asyncio

import pytest

from watchers.bitcoin.push import not_published
from watchers.bitcoin.push import ring as ring_bitcoin
from watchers.ethereum.pending import Pending
from watchers.ethereum.push import WebsocketPush
from watchers.wake import Bell, Wake, again_and_again, is_loopback, listening

HASH = bytes(32)
LONG_S, SHORT_S = 60.0, 0.001


async def test_a_bell_ends_a_sleep_and_is_silent_afterwards() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    assert await bell.sleep(LONG_S)
    assert not await bell.sleep(SHORT_S)
    sleeper = asyncio.create_task(bell.sleep(LONG_S))
    await asyncio.sleep(0)
    bell.ring()
    assert await sleeper


async def rung(wake: Wake) -> tuple[bool, bool]:
    return await wake.blocks.sleep(SHORT_S), await wake.mempool.sleep(SHORT_S)


@pytest.mark.parametrize(
    ("topic", "body", "rings"),
    [
        (b"hashblock", HASH, (True, True)),
        (b"rawblock", bytes(100), (True, True)),
        (b"sequence", HASH + b"C", (True, True)),
        (b"sequence", HASH + b"D", (True, True)),
        (b"sequence", HASH + b"A" + bytes(8), (False, True)),
        (b"sequence", HASH + b"R" + bytes(8), (False, True)),
        (b"sequence", b"", (False, True)),  # out of shape: it wakes, and nothing else
    ],
)
async def test_bitcoind_rings_for_blocks_and_for_the_mempool(
    topic: bytes, body: bytes, rings: tuple[bool, bool]
) -> None:
    wake = Wake()
    ring_bitcoin(wake, topic, body)
    assert await rung(wake) == rings


async def test_an_ethereum_node_rings_for_blocks_and_for_what_is_pending() -> None:
    wake, push = Wake(), WebsocketPush("ws://node", Pending())
    push.hear(wake, '{"method":"eth_subscription","params":{"subscription":"0x1","result":{}}}', "0x1")
    assert await rung(wake) == (True, True)
    for pending in ('"0xab"', "{}", '{"hash":"0xab"}'):
        push.hear(wake, f'{{"method":"eth_subscription","params":{{"subscription":"0x2","result":{pending}}}}}', "0x1")
        assert await rung(wake) == (False, True)
    push.hear(wake, '{"method":"eth_subscription","params":[]}', "0x1")
    assert await rung(wake) == (False, False)


def test_what_a_node_does_not_publish_where_we_listen_is_named() -> None:
    ours = ["tcp://127.0.0.1:1000"]
    blocks, sequence = ("hashblock or rawblock", "hashblock"), ("sequence", "sequence")
    told = [{"type": "pubrawblock", "address": "tcp://*:1000"}, {"type": "pubsequence", "address": "tcp://*:1000"}]
    assert not_published(ours, told) == []
    assert not_published(ours, told[1:]) == [blocks]
    assert not_published(ours, told[:1]) == [sequence]
    assert not_published(["tcp://127.0.0.1:1001"], told) == [blocks, sequence]
    assert not_published([*ours, "tcp://127.0.0.1:1001"], [{**told[0], "address": "tcp://0.0.0.0:1001"}, told[1]]) == []


async def test_a_connection_that_breaks_is_made_again_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    tries, enough = 0, asyncio.Event()

    async def hear() -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            enough.set()
            await asyncio.Event().wait()
        raise ConnectionError("gone")

    task = asyncio.create_task(again_and_again("ws://node", hear, (OSError,)))
    async with asyncio.timeout(LONG_S):
        await enough.wait()
    task.cancel()
    assert [record.getMessage() for record in caplog.records] == ["push=ws://node state=lost gone; polling goes on"]


async def test_a_fault_of_our_own_in_a_listener_is_not_hushed_up() -> None:
    async def listen(_: Wake) -> None:
        raise AssertionError("a fault")

    with pytest.raises(ExceptionGroup, match="unhandled errors"):
        async with listening([listen], Wake()):
            await asyncio.sleep(LONG_S)


def test_loopback_is_told_from_the_network() -> None:
    here = ("tcp://127.0.0.1:1", "tcp://localhost:1", "tcp://[::1]:1", "tcp://127.9.9.9:1")
    there = ("tcp://10.0.0.1:1", "tcp://node.example:1", "tcp://0.0.0.0:1")
    assert [is_loopback(url) for url in (*here, *there)] == [True] * 4 + [False] * 3
