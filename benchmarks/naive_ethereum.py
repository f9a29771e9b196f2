"""The naive Ethereum loop: web3, one keep-alive connection, full block, Transfer logs and traces one after another.

Run as a process of its own: reads its order as JSON from stdin, writes what it found as JSON to stdout. It stores
nothing and judges nothing.
"""

import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from hexbytes import HexBytes
from web3 import HTTPProvider, Web3
from web3.types import RPCEndpoint

from benchmarks.cpu import cpu_s

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

Hit = tuple[str, str, str, int, int]
"""(block hash, txid, kind, index, amount in base units)"""


def block_hits(w3: Web3, number: int, watched: set[str]) -> tuple[int, list[Hit]]:
    """Ask for a block in three questions and look at all of it; returns (transactions, hits)."""
    block = w3.eth.get_block(number, full_transactions=True)
    logs = w3.eth.get_logs({"blockHash": block["hash"], "topics": [HexBytes(TRANSFER)]})
    traces = w3.provider.make_request(RPCEndpoint("trace_block"), [hex(number)])["result"]
    here = block["hash"].hex()
    frames: dict[str, list[Any]] = defaultdict(list)
    for frame in traces:
        frames[frame["transactionHash"][2:]].append(frame)
    tokens: dict[str, list[Any]] = defaultdict(list)
    for log in logs:
        tokens[log["transactionHash"].hex()].append(log)
    hits: list[Hit] = []
    for tx in block["transactions"]:
        assert not isinstance(tx, bytes)
        txid = tx["hash"].hex()
        payer = tx["from"].lower()
        moved = list(flows(frames[txid]))
        parties = {party for _, source, target, _ in moved for party in (source, target)}
        named = {party(topic) for log in tokens[txid] for topic in log["topics"][1:3]}
        if payer in watched or not watched.isdisjoint(parties) or not watched.isdisjoint(named):
            hits += [(here, txid, "TRACE", index, amount) for index, _, _, amount in moved]
            if not watched.isdisjoint(named):
                hits += [(here, txid, "LOG", log["logIndex"], int(log["data"].hex(), 16)) for log in tokens[txid]]
            if payer in watched:
                receipt = w3.eth.get_transaction_receipt(tx["hash"])
                hits.append((here, txid, "FEE", 0, receipt["gasUsed"] * receipt["effectiveGasPrice"]))
    return len(block["transactions"]), hits


def flows(frames: list[Any]) -> list[tuple[int, str, str, int]]:
    """The calls of a transaction that moved ether: (order, from, to, wei); the chain has no other kinds."""
    found, failed = [], list[list[int]]()
    for index, frame in enumerate(frames):
        if frame.get("error"):
            failed.append(frame["traceAddress"])
        if frame["type"] != "call" or frame["action"]["callType"] != "call":
            continue
        wei = int(frame["action"]["value"], 16)
        if wei and not any(frame["traceAddress"][: len(place)] == place for place in failed):
            found.append((index, frame["action"]["from"], frame["action"]["to"], wei))
    return found


def party(topic: HexBytes) -> str:
    """Read an address out of a topic."""
    return "0x" + topic.hex()[-40:]


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Walk the blocks from `first` to `last`."""
    watched = {line for file in order["lists"].values() for line in Path(file).read_text().split()}
    w3 = Web3(HTTPProvider(order["url"]))
    node = order["node"]
    txs, hits = 0, list[Hit]()
    w3.eth.get_block_number()  # connected before the clock starts
    node_cpu, cpu, began = cpu_s(node), time.process_time(), time.perf_counter()
    for number in range(order["first"], order["last"] + 1):
        count, found = block_hits(w3, number, watched)
        txs += count
        hits += found
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "cpu_s": time.process_time() - cpu,
        "node_cpu_s": cpu_s(node) - node_cpu,
        "blocks": order["last"] + 1 - order["first"],
        "txs": txs,
        "hits": hits,
    }


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
