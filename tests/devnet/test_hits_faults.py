"""What catching up on hits alone does when proofs come late: a sound node is not accused, and the right block is."""

import asyncio
from pathlib import Path
from typing import Any

from ethereum_liar import lying
from harness.ethereum import EthereumNet
from harness.stored import Stored
from harness.tracerd import Tracerd
from test_late import first_case, second_case

UNPROVEN = "SELECT count(*) FROM tx WHERE proof IS NULL"


async def test_watches_that_are_born_later_do_not_contradict_blocks_whose_proofs_are_owed(
    ethereum: EthereumNet, tmp_path: Path
) -> None:
    seizure = ethereum.height()
    for _ in range(6):
        ethereum.pay("seized", "authority", 1)
        ethereum.pay("rich", "exchange", 1)
        ethereum.mine()
    busy = [True]

    def refuse_whole(method: str, params: Any, answer: Any) -> Any:
        if busy[0] and method == "eth_getBlockByHash" and params[1] is True:
            return {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32000, "message": "busy"}}
        return answer

    async with lying(ethereum.node.rpc_url, refuse_whole) as url:
        table = ethereum.table(port=int(url.rpartition(":")[2]), verify="hits")
        daemon = Tracerd(tmp_path, [table], [first_case(ethereum, ethereum.first, seizure)])
        daemon.start()
        stored = Stored(daemon.store)

        def owed() -> int:
            return int((stored.rows(UNPROVEN) or [(0,)])[0][0])

        await asyncio.to_thread(daemon.until, lambda: owed() >= 6, "caught up without proofs")
        born = ethereum.height() + 5
        case = daemon.write_case("second.toml", second_case(ethereum, born, born))
        done = await asyncio.to_thread(daemon.call, "case", "import", str(case))
        assert done.returncode == 0 and stored.rows("SELECT count(*) FROM backfill") == [(0,)], done.stderr
        busy[0] = False
        await asyncio.to_thread(daemon.until, lambda: owed() == 0, "all proofs are paid")
        assert stored.rows("SELECT count(*) FROM v_refused_block") == [(0,)]
        assert daemon.stop() == 0


async def test_the_block_that_is_refused_is_the_false_one_and_those_below_are_followed(
    ethereum: EthereumNet, tmp_path: Path
) -> None:
    for _ in range(10):
        ethereum._call("rich", ethereum.token, "transfer(address,uint256)", ethereum.accounts["seized"], 7)
        ethereum.mine()
    bad = ethereum.height() - 6
    [false] = ethereum.hashes(bad, bad)

    def remove(method: str, _params: Any, answer: Any) -> Any:
        if method == "eth_getLogs" and answer.get("result") and answer["result"][0]["blockNumber"] == hex(bad):
            answer["result"][0]["removed"] = True
        return answer

    async with lying(ethereum.node.rpc_url, remove) as url:
        table = ethereum.table(port=int(url.rpartition(":")[2]), verify="hits")
        daemon = Tracerd(tmp_path, [table], [first_case(ethereum, bad - 3, bad - 3)])
        daemon.start("sync")
        assert await asyncio.to_thread(daemon.wait, 40.0) == 3, daemon.log
    stored = Stored(daemon.store)
    tip = stored.tip("ethereum")
    assert tip is not None and tip[0] == bad - 1, "all blocks below it are followed"
    [(height, block)] = stored.rows("SELECT height, block_hash FROM v_refused_block")
    assert (height, block) in ((bad, false), (bad, None)), "no true block is named"
