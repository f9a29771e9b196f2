"""Which transactions of a block may concern watched accounts, by frames and logs. Pure.

This is the hot loop of catching up: it looks at everything once, and decides nothing that is looked at again later.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tracer.errors import Inconsistent
from watchers.ethereum.frames import Frame
from watchers.ethereum.logs import TRANSFER, words

Log = Mapping[str, Any]


def touched_by_frames(
    block: str, hashes: Sequence[str], traces: Sequence[Frame], watched: Collection[int]
) -> tuple[list[int], set[int]]:
    """Walk all frames once: where each transaction's frames begin, and which transactions may be hits.

    May be: errors and call types are looked at later, for these few only. The list has one more entry, the end of
    the last transaction's frames. Raises Inconsistent if frames and transactions do not belong together.
    """
    starts: list[int] = []
    touched: set[int] = set()
    position, end = -1, end_of_calls(traces)
    for at, frame in enumerate(traces[:end]):
        if frame["blockHash"] != block:
            raise Inconsistent(f"block {block}: a trace of block {frame['blockHash']}")
        action = frame["action"]
        if not frame["traceAddress"]:
            position += 1
            starts.append(at)
            if frame["transactionHash"] != hashes[position]:
                raise Inconsistent(f"block {block}: traces of {frame['transactionHash']} out of place")
        elif action.get("value") == "0x0":
            continue
        if frame["transactionPosition"] != position:
            raise Inconsistent(f"block {block}: a frame of transaction {position} is out of place")
        kind = frame["type"]
        if kind == "call":
            source, target = action["from"], action["to"]
        elif kind == "create":
            source, target = action["from"], (frame.get("result") or action).get("address") or "0x0"
        else:
            source, target = action["address"], action["refundAddress"]
        if int(source, 16) in watched or int(target, 16) in watched:
            touched.add(position)
    if len(starts) != len(hashes):
        raise Inconsistent(f"block {block}: {len(hashes)} transactions, traces of {len(starts)}")
    starts.append(end)
    return starts, touched


def end_of_calls(traces: Sequence[Frame]) -> int:
    """Where the rewards of a block begin, those of its miner and uncles: they belong to no transaction."""
    end = len(traces)
    while end and traces[end - 1]["type"] == "reward":
        end -= 1
    return end


def rewards(block: str, traces: Sequence[Frame], watched: Collection[int]) -> list[Frame]:
    """The rewards to watched accounts; raises Inconsistent if one is of another block."""
    frames = traces[end_of_calls(traces) :]
    for frame in frames:
        if frame["blockHash"] != block:
            raise Inconsistent(f"block {block}: a reward of block {frame['blockHash']}")
    return [frame for frame in frames if int(frame["action"]["author"], 16) in watched]


def names_watched(log: Log, watched: Collection[int]) -> bool:
    """Whether a log with the Transfer signature names a watched account, in whatever shape."""
    topics = log["topics"]
    if len(topics) in (3, 4):
        return int(topics[1], 16) in watched or int(topics[2], 16) in watched
    return any(word in watched for word in words(log))


def touched_by_logs(block: str, hashes: Sequence[str], logs: Sequence[Log], watched: Collection[int]) -> set[int]:
    """The transactions whose Transfer logs name a watched account; raises Inconsistent for logs out of place."""
    touched: set[int] = set()
    for log in logs:
        if log["blockHash"] != block or log.get("removed"):
            raise Inconsistent(f"block {block}: a log that is removed, or of block {log['blockHash']}")
        if log["topics"][:1] == [TRANSFER] and names_watched(log, watched):
            position = int(log["transactionIndex"], 16)
            if log["transactionHash"] != hashes[position]:
                raise Inconsistent(f"block {block}: a log of {log['transactionHash']} is out of place")
            touched.add(position)
    return touched
