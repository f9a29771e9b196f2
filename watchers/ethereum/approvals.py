"""Which spenders accounts ever approved, by the events of listed tokens, asked in bounded spans of blocks."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tracer.errors import Inconsistent, NodeUnavailable
from tracer.proof.keccak import keccak
from tracer.types import Holder
from watchers.ethereum.ask import Question, number_of
from watchers.rpc import RpcError

APPROVAL = "0x" + keccak(b"Approval(address,address,uint256)").hex()

SPAN = 10_000
"""Blocks in one question at first; halved where the node refuses."""

OWNERS_AT_ONCE = 50

Ask = Callable[[Sequence[Question]], Awaitable[list[Any]]]
Pair = tuple[str, Holder, bytes]
"""A token's contract (lower case), an owner, a spender."""


@dataclass(slots=True)
class Approvals:
    """What the events say.

    newest: height and transaction of the newest approval per pair. missing: spans that the node refused.
    """

    newest: dict[Pair, tuple[int, str]] = field(default_factory=dict)
    missing: list[tuple[int, int]] = field(default_factory=list)


async def approvals(
    ask: Ask, contracts: Sequence[str], births: Mapping[Holder, int], last: int, at_once: int
) -> Approvals:
    """Find the approvals of accounts from each one's birth height to `last`, both included.

    Raises NodeUnavailable or Inconsistent. A token that grants allowances without an event is not found so.
    """
    found = Approvals()
    if not contracts:
        return found
    owners = sorted(births, key=lambda owner: births[owner])
    for start in range(0, len(owners), OWNERS_AT_ONCE):
        part = owners[start : start + OWNERS_AT_ONCE]
        first = births[part[0]]
        spans = deque((low, min(low + SPAN - 1, last)) for low in range(first, last + 1, SPAN))
        while spans:
            now = [spans.popleft() for _ in range(min(at_once, len(spans)))]
            answers = await asyncio.gather(*(ask([_question(contracts, part, *span)]) for span in now))
            for span, (answer,) in zip(now, answers, strict=True):
                if isinstance(answer, RpcError):
                    spans.extendleft(reversed(_halves(*span)))
                    if span[0] == span[1]:
                        found.missing.append(span)
                else:
                    _read(answer, span, set(contracts), set(part), found)
    return found


def _question(contracts: Sequence[str], owners: Sequence[Holder], first: int, last: int) -> Question:
    topics = [APPROVAL, ["0x" + owner.hex().rjust(64, "0") for owner in owners]]
    return "eth_getLogs", [
        {"address": list(contracts), "topics": topics, "fromBlock": hex(first), "toBlock": hex(last)}
    ]


def _halves(first: int, last: int) -> list[tuple[int, int]]:
    if first == last:
        return []
    middle = (first + last) // 2
    return [(first, middle), (middle + 1, last)]


def _read(answer: Any, span: tuple[int, int], contracts: set[str], owners: set[Holder], found: Approvals) -> None:
    if not isinstance(answer, list):
        raise NodeUnavailable(f"the node answers {answer!r:.80} for logs")
    for log in answer:
        contract, topics, height = str(log["address"]).lower(), log["topics"], number_of(log["blockNumber"])
        if len(topics) == 4 and topics[0] == APPROVAL:
            continue  # an NFT's approval names a token, not an amount
        owner = Holder(bytes.fromhex(topics[1][-40:])) if len(topics) == 3 else Holder(b"")
        if contract not in contracts or owner not in owners or not span[0] <= height <= span[1]:
            raise Inconsistent("the node gave a log that was not asked for")
        pair = contract, owner, bytes.fromhex(topics[2][-40:])
        seen = height, str(log["transactionHash"])
        found.newest[pair] = max(seen, found.newest.get(pair, seen), key=lambda one: one[0])
