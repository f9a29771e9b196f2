"""How a node tells which coins a transaction spent, in either of its two formats. Pure."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tracer.errors import Inconsistent, NodeMissing
from tracer.proof.transactions import compact_size
from tracer.types import Holder, Outpoint, parse_outpoint
from watchers.bitcoin.scan import Hit
from watchers.node import Coin

SATOSHI = Decimal(10**8)


def from_undo(data: bytes, hits: Iterable[Hit]) -> dict[Outpoint, Coin]:
    """Read `/rest/spenttxouts/HASH.bin`: per transaction of the block the coins it spent, in input order.

    Format: CompactSize transactions; each CompactSize coins (0 for the coinbase); each 8 bytes little-endian
    satoshi, CompactSize script length, script. Raises Inconsistent if it does not fit the hits.
    """
    coins: dict[Outpoint, Coin] = {}
    wanted = {hit.position: hit for hit in hits if hit.inputs}
    try:
        total, place = compact_size(data, 0)
        for position in range(total):
            count, place = data[place], place + 1  # calls would cost more than they tidy: this runs for every coin
            if count >= 0xFD:
                count, place = compact_size(data, place - 1)
            hit = wanted.pop(position, None)
            if hit is not None and len(hit.inputs) != count:
                raise Inconsistent(f"the node lists {count} coins spent by {hit.txid.hex()}")
            for index in range(count):
                length, start = data[place + 8], place + 9
                if length >= 0xFD:
                    length, start = compact_size(data, place + 8)
                if hit is not None:
                    script = Holder(data[start : start + length])
                    coins[hit.inputs[index][0]] = Coin(script, int.from_bytes(data[place : place + 8], "little"))
                place = start + length
    except IndexError as error:
        raise Inconsistent("the node's list of spent coins is cut short") from error
    if wanted or place != len(data):
        raise Inconsistent("the node's list of spent coins is of another block")
    return coins


def from_json(transaction: Any, hit: Hit) -> dict[Outpoint, Coin]:
    """Read `getrawtransaction TXID 2 BLOCKHASH`, its numbers parsed as Decimal, into the coins it spent.

    Raises NodeMissing if the node has no undo data for the block, Inconsistent if it is not this transaction.
    """
    try:
        sources = transaction["vin"]
        points = [parse_outpoint(f"{source['txid']}:{source['vout']}") for source in sources]
        if points != [point for point, _ in hit.inputs]:
            raise Inconsistent(f"the node lists other inputs for {hit.txid.hex()}")
        if any("prevout" not in source for source in sources):
            raise NodeMissing(f"the node has no undo data for {hit.txid.hex()}")
        return {
            point: Coin(
                Holder(bytes.fromhex(source["prevout"]["scriptPubKey"]["hex"])),
                satoshi(source["prevout"]["value"]),
            )
            for point, source in zip(points, sources, strict=True)
        }
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Inconsistent(f"the node describes {hit.txid.hex()} in a shape unknown here") from error


def satoshi(value: object) -> int:
    """Convert an amount in BTC exactly; refuses floats, and fractions of a satoshi, with ValueError.

    >>> satoshi(Decimal("20999999.97690000"))
    2099999997690000
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"{value!r} is not an exact amount")
    scaled = Decimal(value) * SATOSHI
    amount = int(scaled)
    if amount != scaled or not 0 <= amount <= 21_000_000 * 10**8:
        raise ValueError(f"{value} BTC is not a whole number of satoshi")
    return amount
