"""The questions that an Ethereum node is asked, and their bounded batches."""

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from typing import Any

from tracer.errors import Inconsistent, NodeUnavailable
from tracer.types import BlockRef, Hash
from watchers.ethereum.header import ref_of
from watchers.rpc import JsonRpc, RpcError

Question = tuple[str, Sequence[object]]

QUESTIONS_PER_REQUEST = 200


def by_number(height: int) -> Question:
    """Ask for the header of the active-chain block at a height."""
    return "eth_getBlockByNumber", [hex(height), False]


def by_hash(block: Hash) -> Question:
    """Ask for the header of a block, active or not."""
    return "eth_getBlockByHash", [hex_of(block), False]


def at_block(block: Hash) -> dict[str, str]:
    """Name the state after a block, by its hash (EIP-1898)."""
    return {"blockHash": hex_of(block)}


def hex_of(hash_: Hash) -> str:
    """Write a hash as JSON-RPC wants it."""
    return "0x" + hash_.hex()


def number_of(answer: object) -> int:
    """Read a JSON-RPC quantity; raises NodeUnavailable if it is none."""
    try:
        return int(str(answer), 16)
    except ValueError as error:
        raise NodeUnavailable(f"the node answers {answer!r:.80} for a number") from error


def header_at(answer: Any, height: int) -> BlockRef | None:
    """Read the answer to `by_number`: None if there is no such block; Inconsistent if it is another."""
    if answer is None:
        return None
    if not isinstance(answer, dict):
        raise NodeUnavailable(f"the node cannot answer for block {height}: {answer!r:.80}")
    ref = ref_of(answer)
    if ref.height != height:
        raise Inconsistent(f"asked for block {height}, the node gave block {ref.height}")
    return ref


async def ask_many(rpc: JsonRpc, questions: Sequence[Question], at_once: int) -> list[Any]:
    """Ask any number of questions in as many requests as it takes, `at_once` of them at a time.

    Answers come in the order of the questions; a failure is an RpcError in place.
    """
    found: list[Any] = []
    pending = deque[asyncio.Task[list[Any]]]()
    try:
        for start in range(0, len(questions), QUESTIONS_PER_REQUEST):
            if len(pending) >= at_once:
                found += await pending.popleft()
            part = questions[start : start + QUESTIONS_PER_REQUEST]
            pending.append(asyncio.create_task(rpc.batch(part)))
        while pending:
            found += await pending.popleft()
    finally:
        await end_all(pending)
    return found


async def end_all(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel requests that nobody waits for any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def is_missing(rpc: JsonRpc, question: Question) -> bool:
    """Whether the node does not know a method at all (any other error means that it does)."""
    (answer,) = await rpc.batch([question])
    return isinstance(answer, RpcError) and answer.code in NO_METHOD


NO_METHOD = frozenset({-32601, -32004})
"""Method not found, method not supported (EIP-1474)."""
