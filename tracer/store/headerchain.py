"""Where a chain's verified headers begin: what is read and written of it."""

from collections.abc import Iterator

import orjson
from sqlalchemy import Connection, text

from tracer.proof.headers import Context
from tracer.types import Hash


def save_anchor(connection: Connection, chain_id: int, context: Context, origin: str) -> None:
    """Note a block up to which headers were verified."""
    connection.execute(
        text(
            "INSERT INTO header_anchor (chain_id, height, hash, origin, work, bits, times, first_time, first_bits,"
            " usual_bits) VALUES (:c, :height, :hash, :origin, :work, :bits, :times, :first_time, :first_bits, :usual)"
        ),
        {
            "c": chain_id,
            "height": context.height,
            "hash": context.hash,
            "origin": origin,
            "work": str(context.work),
            "bits": context.bits,
            "times": orjson.dumps(context.times).decode(),
            "first_time": context.first_time,
            "first_bits": context.first_bits,
            "usual": context.usual_bits,
        },
    )


def load_anchor(connection: Connection, chain_id: int) -> tuple[Context, str] | None:
    """The newest such block, and its origin; None if there is none."""
    row = connection.execute(
        text(
            "SELECT height, hash, bits, times, first_time, first_bits, usual_bits, work, origin FROM header_anchor"
            " WHERE chain_id = :c ORDER BY id DESC LIMIT 1"
        ),
        {"c": chain_id},
    ).first()
    if row is None:
        return None
    height, block, bits, times, first_time, first_bits, usual, work, origin = row
    times = tuple(orjson.loads(times))
    return Context(height, Hash(bytes(block)), bits, times, first_time, first_bits, usual, int(work)), origin


def stored_headers(connection: Connection, chain_id: int, above: int) -> Iterator[bytes]:
    """The headers of all stored blocks above a height, orphaned ones too, by height."""
    rows = connection.execute(
        text("SELECT header FROM block WHERE chain_id = :c AND height > :h AND header IS NOT NULL ORDER BY height"),
        {"c": chain_id, "h": above},
    )
    return (bytes(header) for (header,) in rows)
