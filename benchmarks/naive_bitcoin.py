"""The naive Bitcoin loop: bitcoinrpc, one keep-alive connection, `getblock HASH 2`, sets of scripts and coins.

Run as a process of its own: reads its order as JSON from stdin, writes what it found as JSON to stdout. It stores
nothing, judges nothing and traces nothing; it only remembers which coins to look for.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from bitcoinrpc import BitcoinRPC

from benchmarks.cpu import cpu_s

Hit = tuple[str, str, str, int, int]
"""(block hash, txid, kind, index, amount in satoshi)"""


@dataclass(slots=True)
class Loop:
    """What is looked for, and what was found. coins: (txid, output) -> (amount, whether it is followed)."""

    seized: set[str]
    ends: set[str]
    watched: set[str]
    coins: dict[tuple[str, int], tuple[int, bool]]
    hits: list[Hit] = field(default_factory=list)
    txs: int = 0

    async def block(self, rpc: BitcoinRPC, block: Any) -> None:
        """Look at every transaction of a block."""
        self.txs += len(block["tx"])
        for tx in block["tx"]:
            txid = tx["txid"]
            spent = [self.coins.get((vin["txid"], vin["vout"])) for vin in tx["vin"] if "txid" in vin]
            if any(coin is not None for coin in spent):
                await self.debit(rpc, block["hash"], tx)
                continue
            for vout in tx["vout"]:
                script = vout["scriptPubKey"]["hex"]
                if script in self.watched:
                    amount = satoshi(vout["value"])
                    self.hits.append((block["hash"], txid, "OUT", vout["n"], amount))
                    self.coins[txid, vout["n"]] = (amount, script in self.seized)

    async def debit(self, rpc: BitcoinRPC, block: str, tx: Any) -> None:
        """Write down a whole transaction that spends a coin of interest, and follow seized value out of it."""
        txid, fee, followed = tx["txid"], 0, False
        known = [self.coins.pop((vin["txid"], vin["vout"]), None) for vin in tx["vin"]]
        told: Any = None
        if None in known:
            told = await rpc.acall("getrawtransaction", [txid, 2, block])
        for index, coin in enumerate(known):
            amount = coin[0] if coin else satoshi(told["vin"][index]["prevout"]["value"])
            followed = followed or bool(coin and coin[1])
            fee += amount
            self.hits.append((block, txid, "IN", index, amount))
        for vout in tx["vout"]:
            script, amount = vout["scriptPubKey"]["hex"], satoshi(vout["value"])
            fee -= amount
            self.hits.append((block, txid, "OUT", vout["n"], amount))
            goes_on = followed and script not in self.ends
            if goes_on or script in self.watched:
                self.coins[txid, vout["n"]] = (amount, goes_on)
        self.hits.append((block, txid, "FEE", 0, fee))


def satoshi(value: float) -> int:
    """Convert what bitcoinrpc gives for an amount."""
    return round(value * 1e8)


def prepare(order: dict[str, Any]) -> tuple[Loop, tuple[str, str]]:
    """Read the watched scripts, the coins known so far, and the login."""
    lists = {role: set(Path(file).read_text().split()) for role, file in order["lists"].items()}
    coins = {(txid, index): (amount, followed) for txid, index, amount, followed in order["coins"]}
    user, _, password = Path(order["cookie"]).read_text().partition(":")
    return Loop(lists["seized"], lists["exchange"], set().union(*lists.values()), coins), (user, password)


async def run(order: dict[str, Any], loop: Loop, login: tuple[str, str]) -> dict[str, Any]:
    """Walk `blocks` blocks from `first` on."""
    node = order["node"]
    limits = httpx.Limits(max_connections=1)
    async with BitcoinRPC.from_config(order["url"], login, limits=limits) as rpc:
        at = order["first"]
        await rpc.getblockcount()  # connected before the clock starts
        node_cpu, cpu, began = cpu_s(node), time.process_time(), time.perf_counter()
        for _ in range(order["blocks"]):
            block: Any = await rpc.acall("getblock", [at, 2])
            await loop.block(rpc, block)
            at = block.get("nextblockhash")
        seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "cpu_s": time.process_time() - cpu,
        "node_cpu_s": cpu_s(node) - node_cpu,
        "blocks": order["blocks"],
        "txs": loop.txs,
        "hits": loop.hits,
        "next": at,
        "coins": [(*key, *coin) for key, coin in loop.coins.items()],
    }


if __name__ == "__main__":
    given = json.load(sys.stdin)
    json.dump(asyncio.run(run(given, *prepare(given))), sys.stdout)
