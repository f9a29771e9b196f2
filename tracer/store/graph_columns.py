"""Keeps the coin graph of a UTXO chain as columns, block by block: derived from movements, hashed, deletable.

A block's columns are true as long as its movements are: a reorg changes nothing. Whoever adds movements to a block
that is stored (a back-fill does) calls `tracer.store.derived.forget`. A transaction whose IN rows are stored is stored
whole; outputs stored without them are coins that appear.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from typing import Any

import numpy as np
from sqlalchemy import Connection, text

from tracer.errors import OperatorError
from tracer.taint.dense.columns import Array, Columns, Int64s, Unsupported, check, starts_of
from tracer.taint.dense.engine import DenseResult, trace_dense
from tracer.taint.rules import Label
from tracer.taint.run import Declaration
from tracer.types import Kind, Role

VERSION = 1
AT_ONCE = 50_000
"""Movements that are read, and committed as columns, at a time."""

TX = np.dtype([("position", "<i4"), ("inputs", "<i4"), ("outputs", "<i4"), ("fee_row", "<i8")])
IN = np.dtype([("coin_row", "<i8"), ("amount", "<i8")])
OUT = np.dtype([("row", "<i8"), ("index", "<i4"), ("holder", "<i4"), ("amount", "<i8")])
"""What a block has per transaction, input (0: its coin is not stored) and output; kept column by column."""

Progress = Callable[[int, int], object]
"""Told how many blocks are done, of how many."""


class GraphDamaged(OperatorError):
    """The columns of a block are not those that were stored, or do not fit its neighbours'."""

    fix = "Rebuild the coin graph: delete the rows of `graph_block` (nothing else is lost); they are made again."


class GraphIncomplete(OperatorError):
    """Blocks have no columns yet."""

    fix = "Build the coin graph first: a run that is computed by the daemon does."


@dataclass(frozen=True, slots=True)
class BlockColumns:
    """The columns of one block, as bytes."""

    block_id: int
    transactions: int
    inputs: int
    outputs: int
    tx_columns: bytes
    in_columns: bytes
    out_columns: bytes

    @property
    def sha256(self) -> bytes:
        """What they are held against when they are loaded."""
        state = sha256(b"%d %d %d %d %d\n" % (VERSION, self.block_id, self.transactions, self.inputs, self.outputs))
        for part in (self.tx_columns, self.in_columns, self.out_columns):
            state.update(part)
        return state.digest()


def missing(connection: Connection, chain_id: int, upto: int) -> list[int]:
    """The canonical blocks up to a height that have no columns of this version, lowest first."""
    rows = connection.execute(
        text(
            "SELECT b.id FROM block b WHERE b.chain_id = :c AND b.canonical AND b.height <= :h AND NOT EXISTS"
            " (SELECT 1 FROM graph_block g WHERE g.block_id = b.id AND g.version = :v) ORDER BY b.height"
        ),
        {"c": chain_id, "h": upto, "v": VERSION},
    )
    return [int(row[0]) for row in rows]


def build(connection: Connection, chain_id: int, upto: int, progress: Progress | None = None) -> int:
    """Make the columns that are missing, in bounded commits of their own; returns of how many blocks.

    connection: one that writes, outside a transaction.
    """
    with connection.begin():
        wanted = missing(connection, chain_id, upto)
    done = 0
    while done < len(wanted):
        with connection.begin():
            done += build_some(connection, chain_id, wanted[done:])
        if progress is not None:
            progress(done, len(wanted))
    return done


def build_some(connection: Connection, chain_id: int, blocks: Sequence[int], at_most: int = AT_ONCE) -> int:
    """Make the columns of some blocks, from the first on, until enough movements are read; returns of how many."""
    from tracer.store.derived import GraphBlockRow, forget  # who only reads does not wait for the models of all tables
    from tracer.store.rows import insert_many

    made: list[BlockColumns] = []
    movements = 0
    for block_id in blocks:
        if movements >= at_most:
            break
        made.append(columns_of(connection, block_id))
        movements += made[-1].inputs + made[-1].outputs
    forget(connection, [one.block_id for one in made])
    insert_many(
        connection,
        GraphBlockRow,
        "block_id chain_id version transactions inputs outputs sha256 tx_columns in_columns out_columns",
        (
            (
                one.block_id,
                chain_id,
                VERSION,
                one.transactions,
                one.inputs,
                one.outputs,
                one.sha256,
                one.tx_columns,
                one.in_columns,
                one.out_columns,
            )
            for one in made
        ),
    )
    return len(made)


def columns_of(connection: Connection, block_id: int) -> BlockColumns:
    """Work out a block's columns from its movements."""
    rows = connection.execute(
        text(
            "SELECT t.position, m.kind, m.idx, m.id, m.amount, m.target_id, m.spends_id FROM movement m"
            " JOIN tx t ON t.id = m.tx_id WHERE m.block_id = :b AND m.kind IN (0, 1, 2)"
            " ORDER BY t.position, m.kind, m.idx"
        ),
        {"b": block_id},
    ).all()
    txs: list[tuple[int, int, int, int]] = []
    ins: list[tuple[int, int]] = []
    outs: list[tuple[int, int, int, int]] = []
    for position, moves in groupby(rows, key=lambda row: int(row[0])):
        before, fee_row, left = (len(ins), len(outs)), 0, 0
        for _, kind, index, row, amount, target, coin in moves:
            units = int(amount)
            if kind == Kind.IN:
                ins.append((int(coin or 0), units))
                left += units
            elif kind == Kind.OUT:
                outs.append((int(row), int(index), int(target), units))
                left -= units
            else:
                fee_row, left = int(row), left - units
        spent, made = len(ins) - before[0], len(outs) - before[1]
        if spent and left:
            raise GraphDamaged(f"the transaction at position {position} of block {block_id} is not stored whole")
        txs.append((position, spent, made, fee_row))
    parts = (packed(txs, TX), packed(ins, IN), packed(outs, OUT))
    return BlockColumns(block_id, len(txs), len(ins), len(outs), *parts)


def packed(rows: Sequence[tuple[int, ...]], kind: "np.dtype[Any]") -> bytes:
    """Rows as bytes, column after column."""
    names = kind.names or ()
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    try:
        return b"".join(np.array(one, kind[name]).tobytes() for name, one in zip(names, columns, strict=True))
    except OverflowError as error:
        raise Unsupported("an amount, index or holder's number is too large for the dense engine") from error


def load(connection: Connection, chain_id: int, upto: int) -> Columns:
    """The coin graph of the canonical chain up to a height; raises GraphIncomplete, GraphDamaged, Unsupported."""
    gaps = missing(connection, chain_id, upto)
    if gaps:
        raise GraphIncomplete(f"{len(gaps)} blocks have no columns, the first of them is block {gaps[0]}")
    keys = {"c": chain_id, "h": upto}
    where = (
        " FROM block b JOIN graph_block g ON g.block_id = b.id WHERE b.chain_id = :c AND b.canonical AND b.height <= :h"
    )
    sizes = text("SELECT coalesce(sum(transactions), 0), coalesce(sum(inputs), 0), coalesce(sum(outputs), 0)" + where)
    wanted = [int(size) for size in connection.execute(sizes, keys).one()]
    txs, ins, outs = (empty(size, kind) for size, kind in zip(wanted, (TX, IN, OUT), strict=True))
    heights = np.zeros(wanted[0], np.int32)
    at = [0, 0, 0]
    for height, block, digest in _blocks(connection, where, keys):
        if block.sha256 != digest:
            raise GraphDamaged(f"the columns of block {block.block_id} at height {height} are damaged")
        heights[at[0] : at[0] + block.transactions] = height
        parts = ((block.tx_columns, txs, TX), (block.in_columns, ins, IN), (block.out_columns, outs, OUT))
        counts = (block.transactions, block.inputs, block.outputs)
        for number, ((data, into, kind), count) in enumerate(zip(parts, counts, strict=True)):
            unpack(data, into, kind, at[number], count, block.block_id)
            at[number] += count
    return _joined(heights, txs, ins, outs)


def _blocks(connection: Connection, where: str, keys: Mapping[str, int]) -> Iterator[tuple[int, BlockColumns, bytes]]:
    columns = "g.block_id, g.transactions, g.inputs, g.outputs, g.tx_columns, g.in_columns, g.out_columns"
    sql = text(f"SELECT b.height, g.sha256, {columns}{where} ORDER BY b.height")
    for height, digest, *rest in connection.execute(sql, keys):
        yield int(height), BlockColumns(*rest), bytes(digest)


def empty(size: int, kind: "np.dtype[Any]") -> dict[str, Array]:
    """Room for so many rows, by column."""
    return {name: np.zeros(size, kind[name]) for name in kind.names or ()}


def unpack(data: bytes, into: Mapping[str, Array], kind: "np.dtype[Any]", at: int, count: int, block_id: int) -> None:
    """Put a block's columns in their place."""
    if len(data) != count * kind.itemsize:
        raise GraphDamaged(f"the columns of block {block_id} have another length than they should")
    begin = 0
    for column in into.values():
        column[at : at + count] = np.frombuffer(data, column.dtype, count, begin)
        begin += count * column.dtype.itemsize


def _joined(heights: Array, txs: dict[str, Array], ins: dict[str, Array], outs: dict[str, Array]) -> Columns:
    """The graph of all blocks; takes the columns of the inputs away once they are used."""
    made = Columns(
        heights=heights,
        positions=txs["position"],
        in_start=starts_of(txs["inputs"]),
        out_start=starts_of(txs["outputs"]),
        in_coin=ordinals(ins.pop("coin_row"), outs["row"]),
        in_amount=ins["amount"],
        out_row=outs["row"],
        out_index=outs["index"],
        out_holder=outs["holder"],
        out_amount=outs["amount"],
        fee_row=txs["fee_row"],
    )
    check(made)
    return made


def ordinals(rows: Int64s, out_row: Int64s) -> Array:
    """The ordinals of the outputs with some rows; -1 where there is none."""
    if not out_row.size or not rows.size:
        return np.full(len(rows), -1, np.int32)
    low, high = int(out_row.min()), int(out_row.max())
    if high - low > 8 * len(out_row) + 1_000_000:
        order = np.argsort(out_row)
        place = np.minimum(np.searchsorted(out_row, rows, sorter=order), len(order) - 1)
        found = order[place]
        return np.where(out_row[found] == rows, found, -1).astype(np.int32)
    table = np.full(high - low + 2, -1, np.int32)
    table[out_row - low] = np.arange(len(out_row), dtype=np.int32)
    place = rows - low
    place[place.view(np.uint64) > high - low] = high - low + 1  # below zero wraps to far above
    return table[place]


def nobodies(connection: Connection, chain_id: int) -> list[int]:
    """The numbers of holders that burn what they get."""
    rows = connection.execute(
        text("SELECT id FROM holder WHERE chain_id = :c AND key >= :low AND key < :high"),
        {"c": chain_id, "low": b"\x6a", "high": b"\x6b"},
    )
    return [int(row[0]) for row in rows]


def dense_trace(
    connection: Connection,
    chain_id: int,
    declared: Declaration,
    sources: Mapping[int, Label],
    roles: Mapping[int, Role],
    upto: int,
    whole: bool,
    *,
    seen: set[int] | None = None,
    columns: Columns | None = None,
    engine: str | None = None,
) -> DenseResult:
    """Trace a run over the stored graph of a chain up to a height.

    roles: by the number of the holder. whole: whether the spending of every coin would have been stored; else `seen`
    are the rows of those of which it would. Every stored spending counts: so this is for runs whose blocks, from the
    first source to `upto`, are stored whole. columns: what `load` gave, for one run after another. Raises Unsupported
    where only the reference can compute the run, GraphIncomplete, GraphDamaged.
    """
    graph = load(connection, chain_id, upto) if columns is None else columns
    known = None if whole else seen or set[int]()
    return trace_dense(declared, sources, graph, roles, nobodies(connection, chain_id), upto, seen=known, engine=engine)
