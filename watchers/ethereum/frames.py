"""What the call frames of a transaction say about value: which of them moved some. Pure.

A frame is one entry of `trace_block` (the Parity shape). Frames of nodes that only have geth's callTracer, or
no tracer at all, are brought into the same shape, so that everything behind knows one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracer.errors import Inconsistent, NodeUnavailable
from tracer.proof.transaction import created

Frame = Mapping[str, Any]

OUT_OF_SHAPE = (KeyError, TypeError, ValueError, IndexError, AttributeError)
"""What reading an answer raises that lacks a field, or has another type of value there."""

_MOVES_NOTHING = frozenset({"delegatecall", "staticcall", "callcode"})
"""A delegate call shows its parent's value, a callcode pays the caller itself."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Value that a frame moved; addresses as the node wrote them.

    index: the frame's order in its transaction.
    """

    index: int
    source: str
    target: str
    amount: int


def flows(frames: Sequence[Frame]) -> Iterator[Flow]:
    """Yield what the frames of one transaction really moved, in order.

    A frame with an error moved nothing and neither did any frame below it, even if those carry no error of
    their own. A self-destruct in favour of the destroyed contract itself pays nobody and is left out.
    """
    dead: dict[tuple[int, ...], bool] = {}
    for index, frame in enumerate(frames):
        place = tuple(frame["traceAddress"])
        above = dead.get(place[:-1]) if place else False
        if above is None or place in dead:
            raise Inconsistent(f"transaction {frame['transactionHash']} has a frame {list(place)} without its parent")
        dead[place] = above or bool(frame.get("error"))
        if not dead[place]:
            flow = _flow(index, frame)
            if flow is not None and flow.amount:
                yield flow


def _flow(index: int, frame: Frame) -> Flow | None:
    action = frame["action"]
    match frame["type"]:
        case "call":
            if action["callType"] in _MOVES_NOTHING:
                return None
            return Flow(index, action["from"], action["to"], int(action["value"], 16))
        case "create":
            return Flow(index, action["from"], frame["result"]["address"], int(action["value"], 16))
        case "suicide":
            if action["address"] == action["refundAddress"]:
                return None
            return Flow(index, action["address"], action["refundAddress"], int(action["balance"], 16))
        case other:
            raise Inconsistent(f"transaction {frame['transactionHash']} has a frame of unknown type {other!r}")


def from_call_tracer(results: Sequence[Mapping[str, Any]], block_hash: str) -> list[Frame]:
    """Bring the answer of `debug_traceBlockByHash` with the callTracer into the Parity shape.

    Raises NodeUnavailable if the node gave up on a transaction, as geth does after some seconds.
    """
    frames: list[Frame] = []
    for position, result in enumerate(results):
        if result.get("result") is None:
            why = result.get("error") or "it gives no reason"
            raise NodeUnavailable(
                f"the node could not trace transaction {result.get('txHash')}: {why}",
                "Nothing to do if it passes; if it stays, use a node with trace_block.",
            )
        stack: list[tuple[list[int], Mapping[str, Any]]] = [([], result["result"])]
        while stack:
            place, call = stack.pop()
            frame = _parity(call)
            frame["traceAddress"] = place
            frame["blockHash"] = block_hash
            frame["transactionHash"] = result["txHash"]
            frame["transactionPosition"] = position
            frames.append(frame)
            below = [([*place, order], child) for order, child in enumerate(call.get("calls") or ())]
            stack.extend(reversed(below))
    return frames


def _parity(call: Mapping[str, Any]) -> dict[str, Any]:
    kind, value = call["type"], call.get("value") or "0x0"
    frame: dict[str, Any]
    match kind:
        case "CREATE" | "CREATE2":
            frame = {"type": "create", "action": {"from": call["from"], "value": value}}
            frame["result"] = {"address": call.get("to")}
        case "SELFDESTRUCT":
            action = {"address": call["from"], "refundAddress": call["to"], "balance": value}
            frame = {"type": "suicide", "action": action}
        case "CALL" | "CALLCODE" | "DELEGATECALL" | "STATICCALL":
            action = {"from": call["from"], "to": call["to"], "value": value, "callType": kind.lower()}
            frame = {"type": "call", "action": action}
        case _:
            raise Inconsistent(f"the node's tracer names a frame of unknown type {kind!r}")
    if call.get("error"):
        frame["error"] = call["error"]
    return frame


def from_transactions(transactions: Sequence[Mapping[str, Any]], block_hash: str) -> list[Frame]:
    """Make the top frames of a block from its transactions, for a node without any tracer.

    Whether they succeeded is not known here; internal calls are not seen.
    """
    frames: list[Frame] = []
    for position, sent in enumerate(transactions):
        frame: dict[str, Any] = {
            "type": "call" if sent["to"] else "create",
            "action": {"from": sent["from"], "to": sent["to"], "value": sent["value"], "callType": "call"},
            "traceAddress": [],
            "blockHash": block_hash,
            "transactionHash": sent["hash"],
            "transactionPosition": position,
        }
        if not sent["to"]:
            frame["result"] = {"address": "0x" + created(bytes.fromhex(sent["from"][2:]), int(sent["nonce"], 16)).hex()}
        frames.append(frame)
    return frames
