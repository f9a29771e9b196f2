"""Writes a made-up chain as a store: every row and index that following it whole would have left, and its columns."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from benchmarks.trace.generate import Chain, name
from tracer.store.connection import open_writer
from tracer.store.graph_columns import build
from tracer.store.rows import insert_many
from tracer.store.tables import AssetRow, Block, HolderRow, MovementRow, Tx
from tracer.store.tables import Chain as ChainTable
from tracer.types import Kind

CHAIN_ID = 1
BEGIN, SPACING = 1_700_000_000, 600
PLACEHOLDER = b"raw"
Say = Callable[[str], object]

MOVEMENT = "id block_id kind tx_id idx asset_id amount source_id target_id spends_id spent_txid spent_idx lane"


def write(chain: Chain, path: Path, say: Say) -> None:
    """Write a new store, and the sources' rows beside it as `FILE.sources`."""
    if path.exists():
        raise FileExistsError(f"{path} is there already")
    engine = open_writer(path)
    set_pragmas(engine, ("journal_mode = OFF", "synchronous = OFF", "foreign_keys = OFF", "cache_size = -200000"))
    with engine.connect() as connection:
        with connection.begin():
            indexes = drop_indexes(connection)
            rows = write_rows(connection, chain)
            say(f"{rows[1]} movements written")
            for sql in indexes:
                connection.exec_driver_sql(sql)
        say("indexes made")
        done = build(connection, CHAIN_ID, len(chain.heights))
        say(f"columns of {done} blocks made from the movements")
        with connection.begin():
            connection.exec_driver_sql("ANALYZE")
    set_pragmas(engine, ("journal_mode = WAL", "synchronous = FULL"))
    engine.dispose()
    path.with_name(path.name + ".sources").write_text("".join(f"{rows[0][coin]}\n" for coin in chain.sources))


def set_pragmas(engine: Engine, pragmas: Iterable[str]) -> None:
    """Set what can be set only outside a transaction, on the one connection that there is."""
    raw = engine.raw_connection()
    try:
        for pragma in pragmas:
            assert raw.driver_connection is not None
            raw.driver_connection.execute(f"PRAGMA {pragma}")
    finally:
        raw.close()


def drop_indexes(connection: Connection) -> list[str]:
    """Take the large tables' indexes away; returns how to make them again."""
    rows = connection.execute(
        text(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            " AND tbl_name IN ('movement', 'tx', 'holder')"
        )
    ).all()
    for index, _ in rows:
        connection.exec_driver_sql(f'DROP INDEX "{index}"')
    return [str(sql) for _, sql in rows]


def write_rows(connection: Connection, chain: Chain) -> tuple[list[int], int]:
    """Chain, asset, holders, blocks, transactions, movements; returns the rows of all outputs, and the last row."""
    insert_many(
        connection,
        ChainTable,
        "id caip2 name family genesis",
        [(CHAIN_ID, "bip122:0", "bitcoin", "bitcoin", name("block", 0))],
    )
    insert_many(
        connection,
        AssetRow,
        "id chain_id caip19 symbol decimals kind",
        [(1, CHAIN_ID, "bip122:0/slip44:0", "BTC", 8, "native")],
    )
    insert_many(
        connection,
        HolderRow,
        "id chain_id key address",
        (
            (owner + 1, CHAIN_ID, b"\x00\x14" + name("holder", owner)[:20], None)
            for owner in range(max(chain.owners) + 1)
        ),
    )
    heights = range(max(chain.heights) + 1)
    insert_many(
        connection,
        Block,
        "id chain_id height hash parent time header canonical checked",
        (
            (
                height + 1,
                CHAIN_ID,
                height,
                name("block", height),
                name("block", height - 1),
                BEGIN + SPACING * height,
                None,
                True,
                2,
            )
            for height in heights
        ),
    )
    out_rows: list[int] = []
    last = 0
    batch: list[tuple[object, ...]] = []
    txs: list[tuple[object, ...]] = []
    for tx, rows in enumerate(movements(chain, out_rows)):
        txs.append((tx + 1, chain.heights[tx] + 1, chain.positions[tx], name("tx", tx), PLACEHOLDER, None))
        batch += rows
        if len(txs) == 5000 or tx + 1 == len(chain.heights):
            insert_many(connection, Tx, "id block_id position txid raw proof", txs)
            insert_many(connection, MovementRow, MOVEMENT, batch)
            last = len(batch) + last
            txs, batch = [], []
    return out_rows, last


def movements(chain: Chain, out_rows: list[int]) -> Iterator[list[tuple[object, ...]]]:
    """The movements of one transaction after the other; adds the rows of outputs to `out_rows` as they come."""
    row = at = made = 0
    for tx, (height, spends, makes) in enumerate(zip(chain.heights, chain.inputs, chain.outputs, strict=True)):
        rows: list[tuple[object, ...]] = []
        left = 0
        fixed = (tx + 1,)
        for index in range(spends):
            coin, amount = chain.coins[at], chain.in_amounts[at]
            at, row, left = at + 1, row + 1, left + amount
            source, spent = (chain.owners[coin] + 1, out_rows[coin]) if coin >= 0 else (1, None)
            unknown = (None, None) if coin >= 0 else (name("before", at), 0)
            rows.append((row, height + 1, int(Kind.IN), *fixed, index, 1, amount, source, None, spent, *unknown, 0))
        for index in range(makes):
            amount = chain.amounts[made]
            row, left = row + 1, left - amount
            out_rows.append(row)
            target = chain.owners[made] + 1
            rows.append((row, height + 1, int(Kind.OUT), *fixed, index, 1, amount, None, target, None, None, None, 0))
            made += 1
        if spends:
            row += 1
            rows.append((row, height + 1, int(Kind.FEE), *fixed, 0, 1, left, None, None, None, None, None, 0))
        yield rows
