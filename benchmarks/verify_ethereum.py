"""Takes the processor time that it costs to hold one Ethereum block against all roots of its header.

Run as a process of its own: reads its order as JSON from stdin, writes what it took as JSON to stdout. The block and
its receipts are fetched and parsed before the clock starts; what is timed is `tracer.proof.ethereum.prove_block`, which
the daemon calls for every block under `verify = "all"`.
"""

import json
import sys
import time
from statistics import median
from typing import Any
from urllib.request import Request, urlopen

REPEATS = 51
COMPILED = "sha3"
"""The module of the compiled extra that hashes; without it a library hashes that every installation has."""


def ask(url: str, method: str, *params: object) -> Any:
    """Ask the node one question."""
    question = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    with urlopen(Request(url, question, {"Content-Type": "application/json"})) as answer:
        return json.load(answer)["result"]


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Verify the block at `height` again and again; `compiled` says whether the extra may be used."""
    if not order["compiled"]:
        sys.modules[COMPILED] = None  # type: ignore[assignment]  # as if it were not installed
    from tracer.proof.ethereum import prove_block

    block = ask(order["url"], "eth_getBlockByNumber", hex(order["height"]), True)
    receipts = ask(order["url"], "eth_getBlockReceipts", block["hash"])
    took = list[float]()
    for _ in range(REPEATS):
        began = time.process_time()
        proven = prove_block(block, receipts)
        took.append(time.process_time() - began)
    began = time.process_time()
    for position in range(len(receipts)):
        proven.sender(position)
    senders_s = time.process_time() - began
    compiled = sys.modules.get(COMPILED) is not None
    return {"transactions": len(receipts), "cpu_s": median(took), "senders_s": senders_s, "compiled": compiled}


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
