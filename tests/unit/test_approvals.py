"""Approval events are asked in spans that a node takes, and only events that were asked for are read."""

from collections.abc import Sequence
from typing import Any

import pytest

from tracer.errors import Inconsistent, NodeUnavailable
from tracer.types import Holder
from watchers.ethereum import approvals as module
from watchers.ethereum.approvals import APPROVAL, Approvals, approvals
from watchers.ethereum.ask import Question
from watchers.rpc import RpcError

TOKEN = "0x" + "dd" * 20
OWNER, OTHER, SPENDER = Holder(b"\x0a" * 20), Holder(b"\x0b" * 20), b"\x0c" * 20


def log(height: int, owner: bytes = OWNER, tx: str = "0x01", **more: Any) -> dict[str, Any]:
    topics = [APPROVAL, "0x" + owner.hex().rjust(64, "0"), "0x" + SPENDER.hex().rjust(64, "0")]
    return {"address": TOKEN, "topics": topics, "blockNumber": hex(height), "transactionHash": tx, **more}


class Node:
    """Has logs, and refuses spans that are too wide, or that touch some block."""

    def __init__(self, logs: Sequence[dict[str, Any]] = (), widest: int = 10**9, bad: int | None = None) -> None:
        self.logs, self.widest, self.bad = logs, widest, bad
        self.spans: list[tuple[int, int]] = []
        self.owners: list[list[str]] = []

    async def ask(self, questions: Sequence[Question]) -> list[Any]:
        [(method, [asked])] = questions
        assert method == "eth_getLogs"
        assert isinstance(asked, dict)
        first, last = int(asked["fromBlock"], 16), int(asked["toBlock"], 16)
        if last - first + 1 > self.widest or (self.bad is not None and first <= self.bad <= last):
            return [RpcError(-32005, "query returned more than 10000 results")]
        self.spans.append((first, last))
        self.owners.append(asked["topics"][1])
        return [[one for one in self.logs if first <= int(one["blockNumber"], 16) <= last]]


async def found(node: Node, births: dict[Holder, int], last: int) -> Approvals:
    return await approvals(node.ask, [TOKEN], births, last, 2)


async def test_every_block_is_asked_once_in_bounded_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPAN", 4)
    node = Node([log(3), log(10, tx="0x02"), log(6, tx="0x03")])
    answer = await found(node, {OWNER: 3}, 12)
    assert sorted(node.spans) == [(3, 6), (7, 10), (11, 12)]
    assert answer.newest == {(TOKEN, OWNER, SPENDER): (10, "0x02")}
    assert answer.missing == []


async def test_a_span_that_is_refused_is_halved_until_it_is_taken() -> None:
    node = Node([log(2), log(99)], widest=7)
    answer = await found(node, {OWNER: 0}, 99)
    blocks = [block for first, last in node.spans for block in range(first, last + 1)]
    assert sorted(blocks) == list(range(100))
    assert answer.newest[TOKEN, OWNER, SPENDER][0] == 99


async def test_a_block_that_is_refused_alone_is_named_and_the_others_are_read() -> None:
    answer = await found(Node([log(5), log(8)], bad=7), {OWNER: 0}, 20)
    assert answer.missing == [(7, 7)]
    assert answer.newest[TOKEN, OWNER, SPENDER][0] == 8


async def test_many_owners_are_asked_in_portions_each_from_its_first_birth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OWNERS_AT_ONCE", 1)
    node = Node([])
    await found(node, {OTHER: 9, OWNER: 2}, 12)
    assert node.spans == [(2, 12), (9, 12)]
    assert [len(owners) for owners in node.owners] == [1, 1]


@pytest.mark.parametrize(
    "strange",
    [log(5, OTHER), log(5, address="0x" + "ee" * 20), log(5, topics=[APPROVAL]), log(50)],
)
async def test_logs_that_were_not_asked_for_are_an_alarm(strange: dict[str, Any]) -> None:
    class Liar(Node):
        async def ask(self, questions: Sequence[Question]) -> list[Any]:
            return [[strange]]

    with pytest.raises(Inconsistent):
        await found(Liar(), {OWNER: 0}, 10)


async def test_an_nfts_approval_is_left_out() -> None:
    topics = [*log(5)["topics"], "0x" + "00" * 32]
    assert (await found(Node([log(5, topics=topics)]), {OWNER: 0}, 10)).newest == {}


async def test_an_answer_that_is_no_list_is_refused() -> None:
    class Odd(Node):
        async def ask(self, questions: Sequence[Question]) -> list[Any]:
            return ["0x"]

    with pytest.raises(NodeUnavailable):
        await found(Odd(), {OWNER: 0}, 10)
