"""`tracerd statement`: the text that a holder signs to show control of an address."""

import json
import secrets
import time
from typing import Any

import click


@click.command("statement")
@click.argument("case")
@click.argument("watch")
@click.option("--purpose", default="show control of this address", show_default=True, help="What it is for, one line.")
@click.option("--days", type=click.IntRange(1, 30), default=7, show_default=True, help="How long it may be used.")
@click.option("--typed", is_flag=True, help="As EIP-712 typed data (JSON), for wallets that sign that.")
@click.pass_obj
def statement(given: Any, case: str, watch: str, purpose: str, days: int, typed: bool) -> int:
    """Print the statement that the holder of WATCH is to sign, bound to CASE, the newest block, and an expiry.

    File the signed statement with `tracerd record control`. It shows control at that block: not whose the address is.

    \b
    Example:
      tracerd statement HD-2025-01 exchange-btc > statement.txt
    """
    import os

    from tracer.errors import ControlRefused, StoreUnusable
    from tracer.proof.control.ethereum import typed_data
    from tracer.proof.control.message import Statement, write
    from tracer.store.reader import snapshot
    from tracer.types import ChainId, Hash, Holder
    from watchers.config import load_config, store_path

    config = load_config(given.config, os.environ, given.overrides)
    file = store_path(config)
    if not file.is_file():
        raise StoreUnusable(f"there is no store at {file}")
    with snapshot(file) as reader:
        rows = list(
            reader.raw(
                "SELECT k.caip2, h.key, coalesce(h.address, lower(hex(h.key))), t.height, t.hash FROM watch w"
                " JOIN cases c ON c.id = w.case_id JOIN holder h ON h.id = w.holder_id"
                " JOIN chain k ON k.id = h.chain_id"
                " LEFT JOIN follower f ON f.chain_id = k.id LEFT JOIN block t ON t.id = f.tip_id"
                " WHERE c.ref = :case AND w.ref = :watch",
                case=case,
                watch=watch,
            )
        )
    if not rows or rows[0][3] is None:
        raise ControlRefused(
            f"case {case} has no watch {watch!r} on a followed chain",
            "Name a watch of the case file; run `tracerd sync`.",
        )
    caip2, key, address, height, block = rows[0]
    said = Statement(
        case,
        watch,
        ChainId(caip2),
        address,
        Holder(bytes(key)),
        int(height),
        Hash(bytes(block)),
        purpose,
        secrets.token_bytes(16),
        int(time.time()) + days * 86_400,
    )
    click.echo(json.dumps(typed_data(said), indent=2) if typed else write(said), nl=typed)
    return 0
