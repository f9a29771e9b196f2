"""Sees from outside how long a block takes from its announcement to the store.

Run as a process of its own: reads its order as JSON from stdin, says `ready`, then writes one line of JSON per block.
It hears the node by a subscription of its own and reads the store by a connection of its own, both with the clock that
all processes of the machine share (CLOCK_MONOTONIC), so that nothing that the daemon says of itself is needed.
"""

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import aiohttp
import zmq

PAUSE_S = 0.0001
"""Between two looks at the store."""

LONGEST_S = 60.0
HEADER_BYTES = 80
TIP = "SELECT b.hash FROM follower f JOIN block b ON b.id = f.tip_id"


@dataclass(frozen=True, slots=True)
class Seen:
    """One block: when its announcement was here whole, when the store had it as its tip, in nanoseconds.

    unsure_ns: between the last look that did not show it and the one that did.
    """

    block: str
    heard_ns: int
    committed_ns: int
    unsure_ns: int


class Missed(Exception):
    """The store did not get to an announced block."""


@contextmanager
def reading(store: str) -> Iterator[sqlite3.Connection]:
    """Open the store as any reader does."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, isolation_level=None)) as connection:
        yield connection


def wait_for(reader: sqlite3.Connection, block: bytes, heard_ns: int) -> Seen:
    """Look at the store until its tip is this block."""
    before = heard_ns
    while True:
        tip = reader.execute(TIP).fetchone()
        now = time.monotonic_ns()
        if tip is not None and tip[0] == block:
            return Seen(block.hex(), heard_ns, now, now - before)
        if now - heard_ns > LONGEST_S * 1e9:
            raise Missed(f"block {block.hex()} was announced and not committed within {LONGEST_S:.0f} s")
        before = now
        time.sleep(PAUSE_S)


def tell(line: object) -> None:
    """Write a line that is read at once."""
    print(json.dumps(line), flush=True)


def zmq_blocks(url: str, store: str, count: int) -> None:
    """Hear `rawblock`."""
    context = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.SUBSCRIBE, b"rawblock")
    socket.setsockopt(zmq.RCVTIMEO, int(LONGEST_S * 1000))
    monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    socket.connect(url)
    monitor.recv_multipart()
    try:
        with reading(store) as reader:
            tell("ready")
            for _ in range(count):
                _, raw, _ = socket.recv_multipart()
                heard_ns = time.monotonic_ns()
                block = sha256(sha256(raw[:HEADER_BYTES]).digest()).digest()[::-1]
                tell(asdict(wait_for(reader, block, heard_ns)))
    finally:
        context.destroy(linger=0)


async def new_heads(url: str, store: str, count: int) -> None:
    """Hear `newHeads`."""
    question = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.send_json(question)
        await socket.receive_json(timeout=LONGEST_S)
        with reading(store) as reader:
            tell("ready")
            for _ in range(count):
                text = await socket.receive_str(timeout=LONGEST_S)
                heard_ns = time.monotonic_ns()
                block = bytes.fromhex(json.loads(text)["params"]["result"]["hash"][2:])
                tell(asdict(wait_for(reader, block, heard_ns)))


def main(order: dict[str, Any]) -> None:
    """Watch `count` blocks."""
    if order["kind"] == "zmq":
        zmq_blocks(order["url"], order["store"], order["count"])
    else:
        asyncio.run(new_heads(order["url"], order["store"], order["count"]))


if __name__ == "__main__":
    main(json.load(sys.stdin))
