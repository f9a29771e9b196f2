"""What catching up on hits alone does when proofs come late: a sound node is not accused, and the right block is."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ethereum_liar import lying
from harness.ethereum import EthereumNet
from harness.stored import Stored
from harness.tracerd import Tracerd
from test_late import first_case, second_case

UNPROVEN = "SELECT count(*) FROM tx WHERE proof IS NULL"


@pytest.fixture
def net(anvil_exe: Path) -> Iterator[EthereumNet]:
    """An Ethereum devnet."""
    net = EthereumNet(anvil_exe)
    yield net
    net.close()


async def test_watches_that_are_born_later_do_not_contradict_blocks_whose_proofs_are_owed(
    net: EthereumNet, tmp_path: Path
) -> None:
    seizure = net.height()
    for _ in range(6):
        net.pay("seized", "authority", 1)
        net.pay("rich", "exchange", 1)
        net.mine()
    busy = [True]

    def refuse_whole(method: str, params: Any, answer: Any) -> Any:
        if busy[0] and method == "eth_getBlockByHash" and params[1] is True:
            return {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32000, "message": "busy"}}
        return answer

    async with lying(net.node.rpc_url, refuse_whole) as url:
        table = net.table(port=int(url.rpartition(":")[2]), verify="hits")
        daemon = Tracerd(tmp_path, [table], [first_case(net, net.first, seizure)])
        daemon.start()
        stored = Stored(daemon.store)

        def owed() -> int:
            return int((stored.rows(UNPROVEN) or [(0,)])[0][0])

        await asyncio.to_thread(daemon.until, lambda: owed() >= 6, "caught up without proofs")
        born = net.height() + 5
        case = daemon.write_case("second.toml", second_case(net, born, born))
        done = await asyncio.to_thread(daemon.call, "case", "import", str(case))
        assert done.returncode == 0 and stored.rows("SELECT count(*) FROM backfill") == [(0,)], done.stderr
        busy[0] = False
        await asyncio.to_thread(daemon.until, lambda: owed() == 0, "all proofs are paid")
        assert stored.rows("SELECT count(*) FROM v_refused_block") == [(0,)]
        assert daemon.stop() == 0


async def test_the_block_that_is_refused_is_the_false_one_and_those_below_are_followed(
    net: EthereumNet, tmp_path: Path
) -> None:
    for _ in range(10):
        net._call("rich", net.token, "transfer(address,uint256)", net.accounts["seized"], 7)
        net.mine()
    bad = net.height() - 6
    [false] = net.hashes(bad, bad)

    def remove(method: str, _params: Any, answer: Any) -> Any:
        if method == "eth_getLogs" and answer.get("result") and answer["result"][0]["blockNumber"] == hex(bad):
            answer["result"][0]["removed"] = True
        return answer

    async with lying(net.node.rpc_url, remove) as url:
        table = net.table(port=int(url.rpartition(":")[2]), verify="hits")
        daemon = Tracerd(tmp_path, [table], [first_case(net, bad - 3, bad - 3)])
        daemon.start("sync")
        assert await asyncio.to_thread(daemon.wait, 40.0) == 3, daemon.log
    stored = Stored(daemon.store)
    tip = stored.tip("ethereum")
    assert tip is not None and tip[0] == bad - 1, "all blocks below it are followed"
    [(height, block)] = stored.rows("SELECT height, block_hash FROM v_refused_block")
    assert (height, block) in ((bad, false), (bad, None)), "no true block is named"
