"""The tables of what can be worked out again from other rows, and is kept only because that takes time."""

from collections.abc import Iterable

from sqlalchemy import Connection, text
from sqlmodel import Field, SQLModel


class GraphBlockRow(SQLModel, table=True):
    """A block's coins and transactions as columns, little-endian (see `tracer.store.graph_columns`).

    It says nothing that the block's movements do not, and may be deleted at any time.
    """

    __tablename__ = "graph_block"
    block_id: int = Field(primary_key=True, foreign_key="block.id")
    chain_id: int = Field(foreign_key="chain.id")
    version: int
    transactions: int
    inputs: int
    outputs: int
    sha256: bytes
    tx_columns: bytes
    in_columns: bytes
    out_columns: bytes


def forget(connection: Connection, blocks: Iterable[int]) -> None:
    """Delete the columns of some blocks, whose movements changed; they are made again when they are needed."""
    keys = [{"b": block_id} for block_id in blocks]
    if keys:
        connection.execute(text("DELETE FROM graph_block WHERE block_id = :b"), keys)


def forget_chain(connection: Connection, chain_id: int) -> None:
    """Delete all columns of a chain."""
    connection.execute(text("DELETE FROM graph_block WHERE chain_id = :c"), {"c": chain_id})
