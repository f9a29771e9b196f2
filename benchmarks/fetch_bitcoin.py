"""Fetches a span of blocks over REST and throws them away: as fast as bitcoind and Python hand them over.

Run as a process of its own: reads its order as JSON from stdin, writes what it took as JSON to stdout. Headers come
in one request, then the blocks, four at a time, each read whole; nothing is looked at.
"""

import asyncio
import json
import sys
import time
from hashlib import sha256
from typing import Any

import aiohttp

from benchmarks.cpu import cpu_s

IN_FLIGHT = 4
HEADER_BYTES = 80
HEADERS_MOST = 2000


async def run(order: dict[str, Any]) -> dict[str, Any]:
    """Fetch `blocks` blocks from the block `first` on."""
    rest, node = f"{order['url']}/rest", order["node"]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as session:
        await fetch(session, f"{rest}/chaininfo.json")  # connected before the clock starts
        node_cpu, cpu, began = cpu_s(node), time.process_time(), time.perf_counter()
        names = await hashes(session, rest, order["first"], order["blocks"])
        asked, size = iter(names), 0

        async def worker() -> int:
            return sum([len(await fetch(session, f"{rest}/block/{name}.bin")) for name in asked])

        size = sum(await asyncio.gather(*(worker() for _ in range(IN_FLIGHT))))
        seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "cpu_s": time.process_time() - cpu,
        "node_cpu_s": cpu_s(node) - node_cpu,
        "blocks": len(names),
        "bytes": size,
    }


async def hashes(session: aiohttp.ClientSession, rest: str, first: str, count: int) -> list[str]:
    """The hashes of `count` blocks from `first` on, worked out from their headers."""
    found: list[str] = []
    while len(found) < count:
        most = min(count - len(found) + 1, HEADERS_MOST)
        raw = await fetch(session, f"{rest}/headers/{found[-1] if found else first}.bin?count={most}")
        heads = [raw[at : at + HEADER_BYTES] for at in range(0, len(raw), HEADER_BYTES)]
        found += [sha256(sha256(head).digest()).digest()[::-1].hex() for head in heads[1 if found else 0 :]]
    return found[:count]


async def fetch(session: aiohttp.ClientSession, url: str) -> bytes:
    """Read an answer whole."""
    async with session.get(url) as response:
        response.raise_for_status()
        return await response.read()


if __name__ == "__main__":
    json.dump(asyncio.run(run(json.load(sys.stdin))), sys.stdout)
