"""Fetches header, Transfer logs and traces of a span of blocks and throws them away.

Run as a process of its own: reads its order as JSON from stdin, writes what it took as JSON to stdout. The requests are
those of the daemon: headers many at a time; then logs by hash and traces by number for about 400 transactions in one
request, four requests at a time. Of the answers only the headers are read, for their hashes.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import orjson

from benchmarks.cpu import cpu_s

IN_FLIGHT = 4
HEADERS_PER_REQUEST, TRANSACTIONS_PER_REQUEST = 64, 400
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

Header = dict[str, Any]


async def run(order: dict[str, Any]) -> dict[str, Any]:
    """Fetch the blocks from `first` to `last`."""
    url, node = order["url"], order["node"]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as session:
        await ask(session, url, [("eth_chainId", [])])  # connected before the clock starts
        node_cpu, cpu, began = cpu_s(node), time.process_time(), time.perf_counter()
        shares, size = asyncio.Queue[list[Header] | None](2 * IN_FLIGHT), 0

        async def headers() -> None:
            for start in range(order["first"], order["last"] + 1, HEADERS_PER_REQUEST):
                numbers = range(start, min(start + HEADERS_PER_REQUEST, order["last"] + 1))
                body = await ask(session, url, [("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
                answers = sorted(orjson.loads(body), key=lambda answer: int(answer["id"]))
                for share in split([answer["result"] for answer in answers]):
                    await shares.put(share)
            for _ in range(IN_FLIGHT):
                await shares.put(None)

        async def worker() -> int:
            read = 0
            while (share := await shares.get()) is not None:
                read += len(await ask(session, url, [question for header in share for question in about(header)]))
            return read

        _, *sizes = await asyncio.gather(headers(), *(worker() for _ in range(IN_FLIGHT)))
        seconds = time.perf_counter() - began
        size = sum(size for size in sizes if size is not None)
    return {
        "seconds": seconds,
        "cpu_s": time.process_time() - cpu,
        "node_cpu_s": cpu_s(node) - node_cpu,
        "blocks": order["last"] + 1 - order["first"],
        "bytes": size,
    }


def split(headers: list[Header]) -> Iterator[list[Header]]:
    """Put headers into shares of about `TRANSACTIONS_PER_REQUEST` transactions."""
    share, size = list[Header](), 0
    for header in headers:
        if share and size + len(header["transactions"]) > TRANSACTIONS_PER_REQUEST:
            yield share
            share, size = [], 0
        share.append(header)
        size += len(header["transactions"])
    if share:
        yield share


def about(header: Header) -> list[tuple[str, list[Any]]]:
    """The questions for one block."""
    return [
        ("eth_getLogs", [{"blockHash": header["hash"], "topics": [TRANSFER]}]),
        ("trace_block", [header["number"]]),
    ]


async def ask(session: aiohttp.ClientSession, url: str, questions: list[tuple[str, list[Any]]]) -> bytes:
    """Send a batch and read the answer whole."""
    calls = [
        {"jsonrpc": "2.0", "id": place, "method": method, "params": params}
        for place, (method, params) in enumerate(questions)
    ]
    async with session.post(url, data=orjson.dumps(calls), headers={"Content-Type": "application/json"}) as response:
        response.raise_for_status()
        return await response.read()


if __name__ == "__main__":
    json.dump(asyncio.run(run(json.load(sys.stdin))), sys.stdout)
