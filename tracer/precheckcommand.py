"""`tracer precheck`: may this transaction be broadcast for that leg?"""

import time
from typing import BinaryIO

import click

from tracer.asking import answered, as_instant, as_json


@click.command()
@click.argument("case_ref", metavar="CASE")
@click.argument("leg_ref", metavar="LEG")
@click.argument("file", type=click.File("rb"))
@click.option("--at", "now", metavar="TIME", callback=as_instant, help="When it would be broadcast. [default: now]")
@as_json
@click.pass_obj
def precheck(store: str, case_ref: str, leg_ref: str, file: BinaryIO, now: int | None, json_: bool) -> int:
    """Hold a transaction against a planned leg before it is broadcast, field by field.

    FILE (`-`: stdin) has a PSBT (base64, hex or binary), a Bitcoin transaction in hex, or an Ethereum transaction
    in hex or as a wallet's JSON; signed or not. What is not known is NOT_SHOWN, never right. Nothing is broadcast.
    Exit codes: 0 as planned, 3 against the plan, 4 something is not known, 2 unreadable.

    \b
    Examples:
      tracer precheck HD-2025-01 deposit-btc deposit.psbt
      wallet export | tracer precheck HD-2025-01 deposit-usdt - --json
    """
    from tracer.precheck.decode import MOST_BYTES
    from tracer.report import precheck as checking

    given = file.read(MOST_BYTES + 1)
    instant = int(time.time()) if now is None else now
    return answered(store, json_, lambda reader: checking.precheck(reader, case_ref, leg_ref, given, instant))
