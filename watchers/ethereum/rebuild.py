"""Receipts worked out from logs and traces, because some nodes take long to give them. Pure.

Nothing here is believed: the receipts root decides whether the guess was right. It is wrong where a transaction got a
refund of gas that the tracer does not tell, or failed in a way that it does not price; then the node is asked.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from watchers.ethereum.frames import Frame
from watchers.ethereum.touching import end_of_calls

Json = Mapping[str, Any]

_FLOOR_BASE, _FLOOR_ZERO, _FLOOR_OTHER = 21_000, 10, 40
"""The least that a transaction costs, and what each zero and other byte of its data adds to that (EIP-7623)."""


def rebuilt(block: Json, logs: Sequence[Json], traces: Sequence[Frame]) -> list[Json] | None:
    """Guess the receipts of a block from all its logs and its frames; None if the gas does not even add up.

    Raises KeyError, TypeError, ValueError or IndexError for answers out of shape.
    """
    transactions = block["transactions"]
    by_position: list[list[Json]] = [[] for _ in transactions]
    for log in logs:
        by_position[int(log["transactionIndex"], 16)].append(log)
    tops = [frame for frame in traces[: end_of_calls(traces)] if not frame["traceAddress"]]
    if len(tops) != len(transactions):
        return None
    floors = block.get("requestsHash") is not None
    receipts: list[Json] = []
    total = 0
    for sent, top, own in zip(transactions, tops, by_position, strict=True):
        limit = int(sent["gas"], 16)
        result = top.get("result")
        spent = int(result["gasUsed"], 16) if result else int(top["action"]["gas"], 16)
        used = limit - int(top["action"]["gas"], 16) + spent
        total += max(used, _floor(sent["input"])) if floors else used
        receipts.append(
            {
                "type": sent.get("type", "0x0"),
                "status": "0x0" if top.get("error") else "0x1",
                "cumulativeGasUsed": hex(total),
                "logs": own,
            }
        )
    return receipts if total == int(block["gasUsed"], 16) else None


def _floor(data: str) -> int:
    if len(data) == 2:
        return _FLOOR_BASE
    sent = bytes.fromhex(data[2:])
    zeros = sent.count(0)
    return _FLOOR_BASE + _FLOOR_ZERO * zeros + _FLOOR_OTHER * (len(sent) - zeros)
