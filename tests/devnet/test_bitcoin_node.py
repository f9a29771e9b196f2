"""What a real bitcoind shows of itself while its chain grows, shrinks, forks, falls behind and restarts."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fixtures.bitcoind import Bitcoind
from tracer.errors import NodeLacks, NodeMissing, NodeUnavailable, WrongNetwork
from tracer.types import BlockRef, Hash
from watchers.bitcoin.node import GENESIS, BitcoinNode
from watchers.node import NodeView


@asynccontextmanager
async def opened(bitcoind: Bitcoind, **options: Any) -> AsyncIterator[BitcoinNode]:
    settings = {"rpc_url": bitcoind.rpc_url, "network": "regtest", "cookie_file": bitcoind.cookie_file}
    node = BitcoinNode(**(settings | options))
    try:
        await node.open()
        yield node
    finally:
        await node.close()


def ref(bitcoind: Bitcoind, height: int) -> BlockRef:
    """The node's own words for its block at a height."""
    header = bitcoind.rpc("getblockheader", bitcoind.rpc("getblockhash", height))
    parent = header.get("previousblockhash", "00" * 32)
    return BlockRef(height, Hash(bytes.fromhex(header["hash"])), Hash(bytes.fromhex(parent)))


@pytest.fixture(params=[None, False], ids=["rest", "rpc"])
def rest(request: pytest.FixtureRequest) -> bool | None:
    return request.param  # type: ignore[no-any-return]


async def test_a_chain_that_grows(bitcoind: Bitcoind, rest: bool | None) -> None:
    bitcoind.mine(12)
    async with opened(bitcoind, rest=rest) as node:
        assert (await node.open()).hex() == GENESIS["regtest"]
        assert await node.ref_at(0) == ref(bitcoind, 0)
        assert await node.ref_at(12) == ref(bitcoind, 12)
        assert await node.ref_at(13) is None
        low, tip = ref(bitcoind, 5), ref(bitcoind, 12)
        assert await node.view(low) == NodeView(tip, low.hash, ref(bitcoind, 6))
        assert await node.view(tip) == NodeView(tip, tip.hash, None)
        bitcoind.mine()
        above = ref(bitcoind, 13)
        assert await node.view(tip) == NodeView(above, tip.hash, above)
        raw = await node.block(above)
        assert raw.data.hex() == bitcoind.rpc("getblock", above.hash.hex(), 0)
        assert await node.lacks(0) == []


async def test_a_replaced_block_at_the_same_height_shows_the_other_hash(bitcoind: Bitcoind) -> None:
    bitcoind.mine(5)
    old = ref(bitcoind, 5)
    async with opened(bitcoind) as node:
        bitcoind.reorg(1, 1)
        new = ref(bitcoind, 5)
        view = await node.view(old)
        assert (view.best, view.hash_at_tip, view.above) == (new, new.hash, None)
        assert (await node.block(old)).ref == old  # still there for evidence


@pytest.mark.parametrize("depth", [1, 3])
async def test_a_chain_that_shrinks_positively_rejects_what_it_lost(bitcoind: Bitcoind, depth: int) -> None:
    bitcoind.mine(10)
    lost = [ref(bitcoind, height) for height in range(10, 10 - depth, -1)]
    async with opened(bitcoind) as node:
        bitcoind.reorg(depth, 0)
        for tip in lost:  # the follower steps down one by one
            assert await node.view(tip) == NodeView(ref(bitcoind, 10 - depth), None, None, tip_invalid=True)
        left = ref(bitcoind, 10 - depth)
        assert await node.view(left) == NodeView(left, left.hash, None)
        bitcoind.mine(depth - 1)
        view = await node.view(lost[0])
        assert (view.hash_at_tip, view.tip_invalid) == (None, True)  # grew differently, still shorter
        bitcoind.reconsider(lost[-1].hash.hex())
        assert (await node.view(lost[0])).tip_invalid is False


async def test_a_node_restarted_from_an_older_copy_is_behind_and_rejects_nothing(
    bitcoind_exe: Path, tmp_path: Path
) -> None:
    (tmp_path / "now").mkdir()
    with Bitcoind(bitcoind_exe, datadir=tmp_path / "now") as bitcoind:
        bitcoind.mine(20)
        bitcoind.stop()
        shutil.copytree(tmp_path / "now", tmp_path / "old")
        bitcoind.start()
        bitcoind.mine(5)
        tip = ref(bitcoind, 25)
        headers = [bitcoind.rpc("getblockheader", ref(bitcoind, n).hash.hex(), False) for n in range(21, 26)]
        async with opened(bitcoind) as node:
            assert (await node.view(tip)).hash_at_tip == tip.hash
            bitcoind.stop()
            with pytest.raises(NodeUnavailable):
                await node.view(tip)
            shutil.rmtree(tmp_path / "now")
            (tmp_path / "old").rename(tmp_path / "now")
            bitcoind.start()  # with another cookie, too
            behind = NodeView(ref(bitcoind, 20), None, None, tip_invalid=False)
            assert await node.view(tip) == behind
            for header in headers:  # peers tell the headers before the blocks
                bitcoind.rpc("submitheader", header)
            assert bitcoind.rpc("getblockheader", tip.hash.hex())["confirmations"] == -1
            assert await node.view(tip) == behind
            assert [lack.what for lack in await node.lacks(0)] == ["5 blocks are not downloaded yet"]
            with pytest.raises(NodeMissing):
                await node.block(tip)


@pytest.mark.parametrize("in_flight", [1, 4])
async def test_blocks_stream_in_order(bitcoind: Bitcoind, rest: bool | None, in_flight: int) -> None:
    bitcoind.mine(30)
    async with opened(bitcoind, rest=rest, in_flight=in_flight) as node:
        found = [(at, raw.ref, raw.data.hex()) async for at, raw in node.blocks(ref(bitcoind, 3), 28)]
        wanted = [ref(bitcoind, height) for height in range(4, 29)]
        assert found == [(at, at, bitcoind.rpc("getblock", at.hash.hex(), 0)) for at in wanted]
        assert [at.height async for at, _ in node.blocks(ref(bitcoind, 28), 99)] == [29, 30]
        assert [at async for at, _ in node.blocks(ref(bitcoind, 30), 30)] == []


async def test_headers_are_fetched_in_portions(
    bitcoind: Bitcoind, rest: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchers.bitcoin.node.HEADERS_PER_REQUEST", 4)
    bitcoind.mine(13)
    async with opened(bitcoind, rest=rest) as node:
        assert [at.height async for at, _ in node.blocks(ref(bitcoind, 0), 50)] == list(range(1, 14))


async def test_a_stream_ends_where_the_chain_no_longer_links(
    bitcoind: Bitcoind, rest: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchers.bitcoin.node.HEADERS_PER_REQUEST", 4)
    bitcoind.mine(20)
    gone = ref(bitcoind, 20)
    async with opened(bitcoind, rest=rest) as node:
        heights = []
        async for at, _ in node.blocks(ref(bitcoind, 2), 20):
            if at.height == 3:
                bitcoind.reorg(18, 19)
            heights.append(at.height)
        assert heights == list(range(3, 3 + len(heights)))
        assert len(heights) < 18
        assert [at async for at, _ in node.blocks(gone, 30)] == []


async def test_a_stream_left_early_leaves_no_request_behind(bitcoind: Bitcoind) -> None:
    bitcoind.mine(20)
    async with opened(bitcoind) as node:
        before = asyncio.all_tasks()
        async with aclosing(node.blocks(ref(bitcoind, 0), 20)) as stream:
            async for at, _ in stream:
                if at.height == 5:
                    break
        assert asyncio.all_tasks() == before
        assert (await node.view(ref(bitcoind, 20))).above is None


async def test_the_wrong_network_is_named(bitcoind: Bitcoind) -> None:
    with pytest.raises(WrongNetwork, match="is on network regtest, not main"):
        async with opened(bitcoind, network="main"):
            pass


async def test_a_restarted_node_is_asked_on_with_its_new_cookie(bitcoind: Bitcoind) -> None:
    bitcoind.mine(3)
    async with opened(bitcoind) as node:
        first = bitcoind.cookie_file.read_text()
        bitcoind.restart()
        assert bitcoind.cookie_file.read_text() != first
        assert (await node.view(ref(bitcoind, 3))).best == ref(bitcoind, 3)


async def test_a_node_that_comes_back_without_rest_is_asked_by_rpc(bitcoind: Bitcoind) -> None:
    bitcoind.mine(3)
    first, tip = ref(bitcoind, 0), ref(bitcoind, 3)
    async with opened(bitcoind) as one, opened(bitcoind) as two, opened(bitcoind, rest=True) as strict:
        bitcoind._extra = ("-rest=0",)
        bitcoind.restart()
        assert [at.height async for at, _ in one.blocks(first, 3)] == [1, 2, 3]
        assert (await two.block(tip)).ref == tip
        assert (one.rest, two.rest) == (False, False)
        with pytest.raises(NodeMissing):
            await strict.block(tip)


async def test_a_frozen_node_is_given_up_after_the_deadline(bitcoind: Bitcoind) -> None:
    bitcoind.mine(3)
    tip = ref(bitcoind, 3)
    async with opened(bitcoind, deadline_s=0.5) as node:
        bitcoind.pause()
        try:
            with pytest.raises(NodeUnavailable, match=r"within 0\.5 s"):
                await node.view(tip)
        finally:
            bitcoind.resume()
        assert (await node.view(tip)).best == tip


@pytest.fixture
def plain_bitcoind(bitcoind_exe: Path) -> Iterator[Bitcoind]:
    """A node without REST, pruned as far as it may be."""
    arguments = ("-rest=0", "-txindex=0", "-prune=1", "-fastprune")
    with Bitcoind(bitcoind_exe, extra_args=arguments) as node:
        yield node


async def test_a_pruned_node_without_rest_says_what_it_lacks(plain_bitcoind: Bitcoind) -> None:
    plain_bitcoind.mine(800)
    async with opened(plain_bitcoind) as node:
        assert (node.rest, node.undo) == (False, False)
        assert await node.lacks(0) == []
        low = ref(plain_bitcoind, 1)
        assert (await node.block(low)).ref == low
        plain_bitcoind.rpc("pruneblockchain", 500)
        [lack] = await node.lacks(1)
        assert "pruned and height 1 is needed" in lack.what
        assert "-prune" in lack.remedy
        assert await node.lacks(700) == []
        with pytest.raises(NodeMissing):
            await node.block(low)
    with pytest.raises(NodeLacks, match="does not serve REST"):
        async with opened(plain_bitcoind, rest=True):
            pass
