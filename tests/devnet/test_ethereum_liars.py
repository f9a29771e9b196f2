"""What a liar in front of a real node cannot make us believe: each lie is refused, or labelled by its anchor."""

import asyncio
import copy
import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from ethereum_liar import Answer, Lie, lying
from harness.devnet import case_file
from harness.ethereum import EthereumNet
from harness.ethereum_blocks import CONTRACT, SEIZED, Sent, made
from harness.tracerd import Tracerd

from fixtures.anvil import Anvil
from fixtures.contracts import artifact
from tracer.errors import BlockRefused, Inconsistent
from tracer.types import Asset, AssetId, AssetKind, BlockFacts, BlockRef, ChainId, Checked, Hash, Holder, Lane
from watchers.ethereum.node import EthereumNode
from watchers.ethereum.scan import EthereumScanner

CHAIN = ChainId("eip155:31337")
ETHER = Asset(AssetId(f"{CHAIN}/slip44:60"), "ETH", 18, AssetKind.NATIVE)


class Played(NamedTuple):
    """A block of eight transactions on a real node: the second account, which is watched, pays ether and tokens."""

    anvil: Anvil
    height: int
    watched: Holder
    stranger: Holder


@pytest.fixture(scope="module")
def played(anvil_exe: Path) -> Iterator[Played]:
    with Anvil(anvil_exe, order="fifo") as anvil:
        first, second, third = anvil.accounts[:3]
        code = artifact("Token")["bytecode"] + encode(["string", "string"], ["Dollar", "USD"]).hex()
        token = anvil.transact({"from": first, "data": code})["contractAddress"]
        anvil.transact({"from": first, "to": token, "data": call("mint", second, 10**9)})
        anvil.rpc("evm_setAutomine", False)
        for turn in range(4):
            common = {"gas": hex(100_000), "gasPrice": hex(2 * 10**9 - turn)}
            anvil.rpc("eth_sendTransaction", {"from": first, "to": third, "value": hex(turn + 1), **common})
            paid = (
                {"to": third, "value": hex(turn + 5)} if turn % 2 else {"to": token, "data": call("transfer", third, 7)}
            )
            anvil.rpc("eth_sendTransaction", {"from": second, **paid, **common})
        anvil.mine()
        yield Played(anvil, anvil.height(), Holder(bytes.fromhex(second[2:])), Holder(bytes.fromhex(third[2:])))


def call(function: str, to: str, amount: int) -> str:
    data = function_signature_to_4byte_selector(f"{function}(address,uint256)")
    return "0x" + (data + encode(["address", "uint256"], [to, amount])).hex()


async def read(played: Played, lie: Lie, verify: str, live: bool) -> BlockFacts:
    """Read the block through a liar, as a live one or while catching up."""
    scanner = EthereumScanner(CHAIN, ETHER)
    scanner.watch([played.watched])
    async with lying(played.anvil.rpc_url, lie) as url:
        node = EthereumNode(rpc_url=url, chain_id=31337, verify=verify, concerns=scanner.concerns)  # type: ignore[arg-type]
        try:
            await node.open()
            before = await node.ref_at(played.height - 1)
            assert before is not None
            (real,) = played.anvil.hashes(played.height, played.height)
            ref = BlockRef(played.height, Hash(bytes.fromhex(real[2:])), before.hash)
            if live:
                return scanner.scan(await node.block(ref))
            ((_, raw),) = [pair async for pair in node.blocks(before, played.height)]
            facts = scanner.scan(raw)
            if verify == "hits" and facts.transactions:  # taken on the node's word until it is proven
                assert {move.lane for tx in facts.transactions for move in tx.movements} == {Lane.REPORTED}
                return scanner.scan(await node.whole(ref))
            return facts
        finally:
            await node.close()


Change = Callable[[str, Any], Any]
"""(what the answer is, answer) -> another answer. The block's parts: `block`, `receipts`, `logs`, `traces`."""

PARTS = {
    **{"eth_getBlockByHash": "block", "eth_getBlockByNumber": "block", "eth_getBlockReceipts": "receipts"},
    **{"eth_getLogs": "logs", "trace_block": "traces"},
}


def changing(height: int, change: Change) -> Lie:
    """Apply a change to all parts of one block, so that they agree with each other."""

    def lie(method: str, _params: Sequence[Any], answer: Answer) -> Answer:
        part, told = PARTS.get(method), copy.deepcopy(answer.get("result"))
        if part is None or not told:
            return answer
        number = told["number"] if part == "block" else told[0]["blockNumber"]
        if number not in (hex(height), height):
            return answer
        return {**answer, "result": change(part, told)}

    return lie


def drop_log(part: str, told: Any) -> Any:
    if part == "logs":
        return told[1:]
    if part == "receipts":
        next(receipt for receipt in told if receipt["logs"])["logs"].pop()
    return told


def change_amount_of_log(part: str, told: Any) -> Any:
    for holder in [told] if part == "logs" else [one["logs"] for one in told] if part == "receipts" else []:
        for log in holder:
            log["data"] = "0x" + hex(8)[2:].rjust(64, "0")
    return told


def change_value(part: str, told: Any) -> Any:
    if part == "block" and isinstance(told["transactions"][0], dict):
        told["transactions"][3]["value"] = hex(10**18)
    if part == "traces":
        told[3]["action"]["value"] = hex(10**18)
    return told


def change_status(part: str, told: Any) -> Any:
    if part == "receipts":
        told[3]["status"] = "0x0"
    if part == "traces":
        next(frame for frame in told if frame["transactionPosition"] == 3)["error"] = "Reverted"
    return told


def drop_transaction(part: str, told: Any) -> Any:
    if part == "block":
        told["transactions"].pop()
    if part == "receipts":
        told.pop()
    if part in ("logs", "traces"):
        place = {"logs": "transactionIndex", "traces": "transactionPosition"}[part]
        told = [item for item in told if item[place] not in (7, "0x7")]
    return told


def reorder_receipts(part: str, told: Any) -> Any:
    if part == "receipts":
        told[0], told[1] = told[1], told[0]
    if part == "logs":
        for log in told:
            log["transactionIndex"] = hex(int(log["transactionIndex"], 16) ^ 1)
    return told


def field_of_header(name: str, value: str) -> Change:
    def change(part: str, told: Any) -> Any:
        return {**told, name: value} if part == "block" else told

    return change


def add_withdrawal(part: str, told: Any) -> Any:
    if part == "block":
        told["withdrawals"] = [{"index": "0x0", "validatorIndex": "0x0", "address": "0x" + "11" * 20, "amount": "0x1"}]
    return told


LIES: dict[str, tuple[Change, str]] = {
    "a log dropped": (drop_log, "receipts do not have the root"),
    "a log's amount": (change_amount_of_log, "receipts do not have the root"),
    "a transaction's value": (change_value, "bytes of another hash"),
    "a status": (change_status, "receipts do not have the root"),
    "a transaction dropped": (drop_transaction, "transactions do not have the root"),
    "receipts reordered": (reorder_receipts, "receipts do not have the root|gas does not add up"),
    "a withdrawal added": (add_withdrawal, "withdrawals do not have the root"),
    "the header's time": (field_of_header("timestamp", "0x1"), "does not hash to the block's hash"),
    "the header's state": (field_of_header("stateRoot", "0x" + "11" * 32), "does not hash to the block's hash"),
    "a field of a fork unknown here": (field_of_header("slotNumber", "0x1"), "cannot verify.*slotNumber"),
}
WAYS = [("all", True), ("all", False), ("hits", False)]


@pytest.mark.parametrize(("verify", "live"), WAYS)
@pytest.mark.parametrize("name", LIES)
async def test_a_lie_about_a_block_is_refused(played: Played, name: str, verify: str, live: bool) -> None:
    change, reason = LIES[name]
    lie = changing(played.height, change)
    if (name, verify) == ("a transaction dropped", "hits"):
        wanted = {"block", "receipts"}  # what is fetched only when the block is wanted whole
        lie = changing(
            played.height,
            lambda part, told: change(part, told) if part in wanted and not _hashes(part, told) else told,
        )
    if verify == "hits":  # what is told first may contradict itself before anything is proven
        with pytest.raises((BlockRefused, Inconsistent)):
            await read(played, lie, verify, live)
        return
    with pytest.raises(BlockRefused, match=reason) as refused:
        await read(played, lie, verify, live)
    assert refused.value.height == played.height and refused.value.evidence
    assert "0x" + refused.value.block.hex() in played.anvil.hashes(played.height, played.height)


def _hashes(part: str, told: Any) -> bool:
    return part == "block" and isinstance(told["transactions"][0], str)


@pytest.mark.parametrize(("verify", "live"), WAYS)
async def test_a_debit_that_is_put_on_another_account_is_refused(played: Played, verify: str, live: bool) -> None:
    def put_off(part: str, told: Any) -> Any:
        sent = told if part == "traces" else told["transactions"] if part == "block" and not _hashes(part, told) else []
        for one in sent:
            named = one["action"] if part == "traces" else one
            if named["from"] == "0x" + played.watched.hex():
                named["from"] = "0x" + "77" * 20
        return told

    with pytest.raises(BlockRefused, match=r"not signed by the sender|name another sender"):
        await read(played, changing(played.height, put_off), verify, live)


@pytest.mark.parametrize(("verify", "live"), WAYS)
async def test_a_tracer_that_hides_a_debit_is_refused(played: Played, verify: str, live: bool) -> None:
    def hide(part: str, told: Any) -> Any:
        if part == "traces":
            told[3]["action"]["to"] = "0x" + "77" * 20
        return told

    with pytest.raises(BlockRefused, match="another receiver"):
        await read(played, changing(played.height, hide), verify, live)


@pytest.mark.parametrize(("verify", "live"), WAYS)
async def test_an_invented_inner_call_is_only_reported(played: Played, verify: str, live: bool) -> None:
    """No root covers calls inside a transaction: what a tracer invents there stays what the node said."""

    def invent(part: str, told: Any) -> Any:
        if part != "traces":
            return told
        frame = copy.deepcopy(told[0])
        frame["traceAddress"] = [0]
        frame["action"] |= {"to": "0x" + played.watched.hex(), "value": hex(10**18)}
        return [told[0], frame, *told[1:]]

    facts = await read(played, changing(played.height, invent), verify, live)
    (invented,) = [move for tx in facts.transactions for move in tx.movements if move.amount == 10**18]
    assert invented.lane is Lane.REPORTED


async def test_logs_that_are_left_out_of_the_answer_are_found_in_the_receipts(played: Played) -> None:
    def lie(method: str, _params: Sequence[Any], answer: Answer) -> Answer:
        return {**answer, "result": []} if method == "eth_getLogs" else answer

    honest = await read(played, lambda _method, _params, answer: answer, "all", True)
    assert await read(played, lie, "all", True) == honest
    assert len(honest.transactions) == 4 and honest.checked is Checked.WHOLE


async def test_hits_does_not_see_what_the_node_leaves_out_and_says_so(played: Played) -> None:
    """Without all of a block nobody can tell: that is why such a span does not support `nothing moved`."""

    def leave_out(part: str, told: Any) -> Any:
        if part == "block" and _hashes(part, told):
            told["transactions"] = told["transactions"][:1]
        if part == "traces":
            return told[:1]
        return [] if part == "logs" else told

    facts = await read(played, changing(played.height, leave_out), "hits", False)
    assert facts.transactions == () and facts.checked is Checked.HEADER


# --- blocks that nobody mined


async def test_a_self_made_block_with_all_roots_right_is_labelled_by_its_anchor(
    ethereum: EthereumNet, tmp_path: Path
) -> None:
    """Roots show that facts belong to a hash; that the hash is the chain's, one node alone cannot show."""
    best = ethereum.node.rpc("eth_getBlockByNumber", "latest", False)
    place = {
        "number": hex(ethereum.height() + 1),
        "parentHash": best["hash"],
        "timestamp": hex(int(best["timestamp"], 16) + 1),
    }
    holder = Holder(ethereum.key("seized"))
    block, receipts, traces = made(Sent(SEIZED, holder, 123), Sent(SEIZED, CONTRACT, 1), **place)
    traces = [{**frame, "blockNumber": int(place["number"], 16)} for frame in traces]

    def lie(method: str, params: Sequence[Any], answer: Answer) -> Answer:
        asked = params[0] if params else None
        if asked in (place["number"], block["hash"], "latest") or asked == {"blockHash": block["hash"]}:
            told: Any = block
            if method == "trace_block":
                told = traces
            elif method in ("eth_getBlockReceipts", "eth_getLogs"):
                told = receipts if method == "eth_getBlockReceipts" else []
            elif not params[1]:
                told = {**block, "transactions": [one["hash"] for one in block["transactions"]]}
            return {"jsonrpc": "2.0", "id": answer["id"], "result": told}
        return answer

    async with lying(ethereum.node.rpc_url, lie) as url:
        daemon = Tracerd(tmp_path, [ethereum.table(port=int(url.rpartition(":")[2]))], [played_case(ethereum)])
        daemon.start()
        try:
            async with asyncio.timeout(120):
                while f"height={int(place['number'], 16)}\n" not in daemon.log and block["hash"][2:] not in daemon.log:
                    assert daemon.running, daemon.log
                    await asyncio.sleep(0.05)
        finally:
            log = daemon.log
            daemon.kill()
        assert "refused" not in log
    with closing(sqlite3.connect(daemon.store)) as store:
        (lane, checked), *_ = store.execute(
            "SELECT m.lane, b.checked FROM movement m JOIN block b ON b.id = m.block_id WHERE m.amount = '123'"
        ).fetchall()
        anchors = store.execute("SELECT anchor FROM v_chain").fetchall()
    assert (Lane(lane), Checked(checked)) == (Lane.PROVEN, Checked.WHOLE)
    assert anchors == [("single-node",)]


def played_case(ethereum: EthereumNet) -> str:
    return case_file([ethereum], [ethereum.first], [ethereum.height()])


async def test_a_daemon_that_is_lied_to_halts_tells_why_and_stores_nothing_of_the_block(
    ethereum: EthereumNet, tmp_path: Path
) -> None:
    case = played_case(ethereum)
    ethereum.pay("rich", "seized", 5)
    ethereum.mine()
    height = ethereum.height()
    lie = changing(height, field_of_header("slotNumber", "0x1"))
    async with lying(ethereum.node.rpc_url, lie) as url:
        daemon = Tracerd(tmp_path, [ethereum.table(port=int(url.rpartition(":")[2]))], [case])
        daemon.start("sync")
        assert await asyncio.to_thread(daemon.wait, 60.0) == 3
    assert "cannot verify: the header has fields unknown here (slotNumber)" in daemon.log
    with closing(sqlite3.connect(daemon.store)) as store:
        assert store.execute("SELECT max(height) FROM block").fetchone() == (height - 1,)


async def test_what_was_taken_on_the_nodes_word_is_proven_once_following_is_in_step(
    ethereum: EthereumNet, tmp_path: Path
) -> None:
    case = played_case(ethereum)
    rng = random.Random(5)
    for _ in range(12):
        ethereum.act(rng)
        ethereum.pay("rich", "seized", 5)
        ethereum.pay("seized", "authority", 1)
        ethereum.mine()
    daemons = {}
    for verify in ("all", "hits"):
        daemons[verify] = daemon = Tracerd(tmp_path / verify, [ethereum.table(verify=verify)], [case])
        assert await asyncio.to_thread(daemon.sync) == 0, daemon.log
    rows = {
        verify: sorted(
            sqlite3.connect(daemon.store).execute(
                "SELECT t.txid, t.proof, m.kind, m.idx, m.amount, m.lane, b.checked FROM movement m"
                " JOIN tx t ON t.id = m.tx_id JOIN block b ON b.id = t.block_id"
            )
        )
        for verify, daemon in daemons.items()
    }
    assert rows["all"] == rows["hits"] and {Lane(row[5]) for row in rows["hits"]} == {Lane.PROVEN, Lane.REPORTED}
    assert None not in {row[1] for row in rows["hits"]}


async def test_a_node_that_told_of_a_payment_that_is_not_in_the_block_halts_the_chain_when_it_is_proven(
    ethereum: EthereumNet, tmp_path: Path
) -> None:
    case = played_case(ethereum)
    ethereum._call("rich", ethereum.token, "transfer(address,uint256)", ethereum.accounts["seized"], 7)
    ethereum.mine()
    height = ethereum.height()

    def lie(method: str, _params: Sequence[Any], answer: Answer) -> Answer:
        told = copy.deepcopy(answer.get("result"))
        if method == "eth_getTransactionReceipt" and told["blockNumber"] == hex(height):
            return {**answer, "result": change_amount_of_log("logs", told["logs"]) and told}
        return answer

    async with lying(ethereum.node.rpc_url, lie) as url:
        daemon = Tracerd(tmp_path, [ethereum.table(port=int(url.rpartition(":")[2]), verify="hits")], [case])
        daemon.start("sync")
        assert await asyncio.to_thread(daemon.wait, 60.0) == 3
    assert "read whole, it says other than the node told of it" in daemon.log


@pytest.mark.parametrize("others", [(), ("stranger",)])
async def test_a_scanner_for_whom_a_node_did_not_look_misses_nothing(played: Played, others: Sequence[str]) -> None:
    """Sources and back-fills read through nodes that were made for another interest."""
    other, mine = EthereumScanner(CHAIN, ETHER), EthereumScanner(CHAIN, ETHER)
    other.watch([getattr(played, name) for name in others])
    mine.watch([played.watched])
    node = EthereumNode(rpc_url=played.anvil.rpc_url, chain_id=31337, verify="hits", concerns=other.concerns)
    try:
        await node.open()
        before = await node.ref_at(played.height - 1)
        assert before is not None
        async for ref, raw in node.blocks(before, played.height):
            draft = mine.scan(raw)
            facts = mine.complete(draft, await node.answer(draft))
            assert facts == mine.scan(await node.whole(ref)) and len(facts.transactions) == 4
    finally:
        await node.close()
