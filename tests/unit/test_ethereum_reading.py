"""What the reader of blocks makes of answers that no sound node gives: always an error of ours, never another."""

import copy
import json
import random
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from tracer.errors import Inconsistent, NodeUnavailable, TracerError
from tracer.types import BlockRef, Hash
from watchers.ethereum.header import ref_of
from watchers.ethereum.reading import BlockReader, Tracing, Verify
from watchers.rpc import RpcError

BLOCKS = [
    told
    for told in json.loads((Path(__file__).parent / "data" / "ethereum_blocks.json").read_text())
    if all(tx["type"] != "0x3" for tx in told["block"]["transactions"])  # the node's root of those is not EIP-4844's
]
JUNK = (None, 1, True, "x", "0x", [], {}, [None], [1], [{}], {"hash": 1}, {"hash": "0x" + "00" * 32}, RpcError(1, "no"))

Question = tuple[str, Sequence[Any]]
Answer = Callable[[str, Any], Any]


class Told:
    """A node of one block, with whatever `change` makes of its answers."""

    def __init__(self, told: Any, change: Answer = lambda _, answer: answer) -> None:
        self.told, self.change = told, change

    async def batch(self, questions: Sequence[Question]) -> list[Any]:
        return [self.change(method, copy.deepcopy(self.answer(method, params))) for method, params in questions]

    def answer(self, method: str, params: Sequence[Any]) -> Any:
        block, receipts = self.told["block"], self.told["receipts"]
        match method:
            case "eth_getBlockByHash" | "eth_getBlockByNumber":
                return block if params[1] else block | {"transactions": [tx["hash"] for tx in block["transactions"]]}
            case "trace_block":
                return self.told["traces"]
            case "eth_getBlockReceipts":
                return receipts
            case "eth_getTransactionReceipt":
                return next(one for one in receipts if one["transactionHash"] == params[0])
            case "eth_getLogs":
                return [log for one in receipts for log in one["logs"]]
        return RpcError(-32601, f"no {method}")


def reader(node: Told, verify: Verify) -> BlockReader:
    made = BlockReader(node, in_flight=1, verify=verify, concerns=lambda _: None, traces=True)  # type: ignore[arg-type]
    made.tracing = Tracing.BLOCK
    return made


async def read(node: Told, verify: Verify, live: bool) -> list[Any]:
    ref = ref_of(node.told["block"])
    if live:
        return [await reader(node, verify).block(ref)]
    before = BlockRef(ref.height - 1, ref.parent, Hash(bytes(32)))
    async with aclosing(reader(node, verify).blocks(before, ref.height)) as blocks:
        return [raw async for _, raw in blocks]


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("verify", ["all", "hits"])
async def test_a_sound_answer_is_read(verify: Verify, live: bool) -> None:
    for told in BLOCKS:
        (raw,) = await read(Told(told), verify, live)
        assert (raw.proven is not None) is (verify == "all")


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("verify", ["all", "hits"])
async def test_junk_in_place_of_an_answer_or_a_field_is_an_error_of_ours(
    verify: Verify, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchers.ethereum.reading._PAUSES_S", (0, 0))
    rng = random.Random(f"{verify} {live}")
    refused = 0
    for turn in range(400):
        told, junk = rng.choice(BLOCKS), rng.choice(JUNK)
        methods = ("eth_getBlockByHash", "eth_getBlockByNumber", "trace_block", "eth_getBlockReceipts", "eth_getLogs")
        where, deep = rng.choice(methods), turn % 2

        def change(method: str, answer: Any, where: str = where, junk: Any = junk, deep: int = deep) -> Any:
            if method != where:
                return answer
            if not deep or not answer or isinstance(junk, RpcError):
                return junk
            part = answer if isinstance(answer, dict) else rng.choice(answer)
            part[rng.choice(list(part))] = junk
            return answer

        try:
            await read(Told(told, change), verify, live)
        except TracerError:
            refused += 1
    assert refused > 60


@pytest.mark.parametrize("live", [True, False])
async def test_traces_that_stay_away_are_no_false_block(live: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchers.ethereum.reading._PAUSES_S", (0, 0))
    other = BLOCKS[1]["traces"]
    for missing in (None, [], other):
        node = Told(BLOCKS[0], lambda method, answer, missing=missing: missing if method == "trace_block" else answer)
        with pytest.raises(NodeUnavailable, match="missing or of another block"):
            await read(node, "all", live)


async def test_traces_that_come_late_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchers.ethereum.reading._PAUSES_S", (0, 0, 0))
    asked = []

    def late(method: str, answer: Any) -> Any:
        asked.append(method)
        return None if method == "trace_block" and asked.count(method) < 3 else answer

    (raw,) = await read(Told(BLOCKS[0], late), "all", True)
    assert raw.traces and asked.count("trace_block") == 3


async def test_a_block_without_a_list_of_transactions_is_inconsistent() -> None:
    def bare(method: str, answer: Any) -> Any:
        return {**answer, "transactions": None} if method.startswith("eth_getBlockBy") else answer

    for live in (True, False):
        with pytest.raises(Inconsistent):
            await read(Told(BLOCKS[0], bare), "hits", live)
