"""What is kept of traces: runs and what was declared of them, labels, edges, account lots, and results of runs.

A live run is advanced by the daemon, in each block's own commit: its rows belong to blocks, so that a reorg undoes
nothing. Any other run is computed once, at a tip, and its ends are kept as they were then.
"""

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field, SQLModel

from tracer.store.columns import Amount, units

__all__ = ["Amount"]


class TraceRunRow(SQLModel, table=True):
    """A trace of one case on one chain, registered before it is computed; a trigger keeps it as it was.

    limits, stop_at, whole: JSON. sources_sha256: null for a live run, whose sources are the labels that its case gets
    when its book opens. since: the height after which it traces. oldest: the lowest number that a movement
    had then; null: all count. superseded_by: the back-fill after which a live run
    was made anew, because a source turned out to be earlier.
    """

    __tablename__ = "trace_run"
    __table_args__ = (
        Index(
            "uq_trace_run_case_id_chain_id_method",
            "case_id",
            "chain_id",
            "method",
            unique=True,
            sqlite_where=text("superseded_by IS NULL AND live"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    case_id: int = Field(foreign_key="cases.id")
    chain_id: int = Field(foreign_key="chain.id")
    method: str
    fee_policy: str
    engine: str
    superseded_by: int | None = None
    variant: str = Field(default="", sa_column_kwargs={"server_default": ""})
    rounding: str = Field(default="telescoping floors", sa_column_kwargs={"server_default": "telescoping floors"})
    limits: str = Field(default="{}", sa_column_kwargs={"server_default": "{}"})
    stop_at: str = Field(default="[]", sa_column_kwargs={"server_default": "[]"})
    labels_sha256: str = Field(default="", sa_column_kwargs={"server_default": ""})
    sources_sha256: bytes | None = None
    rules: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    live: bool = Field(default=True, sa_column_kwargs={"server_default": "1"})
    since: int | None = Field(default=None, sa_type=BigInteger)
    whole: str = Field(default="[]", sa_column_kwargs={"server_default": "[]"})
    oldest: int | None = Field(default=None, sa_type=BigInteger)
    registered_at: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


class TraceSourceRow(SQLModel, table=True):
    """A source of a run that is not live: a coin (its OUT row), or an account's balance; `ordinal` is its label."""

    __tablename__ = "trace_source"
    run_id: int = Field(primary_key=True, foreign_key="trace_run.id")
    ordinal: int = Field(primary_key=True)
    movement_id: int | None = Field(default=None, foreign_key="movement.id")
    holder_id: int = Field(foreign_key="holder.id")
    asset_id: int = Field(foreign_key="asset.id")
    amount: int = Field(sa_column=units())


class TraceLabelRow(SQLModel, table=True):
    """What live runs of a case begin with: a seized coin, or a seized account's balance; `ordinal` is its label."""

    __tablename__ = "trace_label"
    __table_args__ = (
        Index("uq_trace_label_case_id_movement_id_block_id", "case_id", "movement_id", "block_id", unique=True),
        Index("ix_trace_label_case_id_ordinal", "case_id", "ordinal"),
    )
    id: int | None = Field(default=None, primary_key=True)
    case_id: int = Field(foreign_key="cases.id")
    block_id: int = Field(foreign_key="block.id")
    ordinal: int
    movement_id: int | None = Field(default=None, foreign_key="movement.id")
    holder_id: int | None = Field(default=None, foreign_key="holder.id")
    asset_id: int | None = Field(default=None, foreign_key="asset.id")
    amount: int | None = Field(default=None, sa_type=Amount)


class TraceEdgeRow(SQLModel, table=True):
    """Traced value that went into a coin, a fee or an account; on accounts a movement debits and credits at once.

    `seq` orders the segments of a tiling from the front; a null `ordinal` is clean value (tilings only). Where the two
    movements have different assets, the value went through a swap.
    """

    __tablename__ = "trace_edge"
    __table_args__ = (Index("ix_trace_edge_from_id", "from_id"), {"sqlite_with_rowid": False})
    to_id: int = Field(primary_key=True, foreign_key="movement.id")
    run_id: int = Field(primary_key=True, foreign_key="trace_run.id")
    seq: int = Field(primary_key=True)
    from_id: int = Field(foreign_key="movement.id")
    ordinal: int | None = None
    amount: int = Field(sa_column=units())


class TraceCoinRow(SQLModel, table=True):
    """How far from custody a live run reached with a movement, and why it stops there (null: it is followed)."""

    __tablename__ = "trace_coin"
    __table_args__ = {"sqlite_with_rowid": False}
    movement_id: int = Field(primary_key=True, foreign_key="movement.id")
    run_id: int = Field(primary_key=True, foreign_key="trace_run.id")
    hop: int
    boundary: str | None = None


class TraceLotsRow(SQLModel, table=True):
    """What an account holds of an asset for a live run after a block that changed it; the latest canonical one stands.

    state: JSON, see `tracer.store.lotrows`.
    """

    __tablename__ = "trace_lots"
    run_id: int = Field(primary_key=True, foreign_key="trace_run.id")
    holder_id: int = Field(primary_key=True, foreign_key="holder.id")
    asset_id: int = Field(primary_key=True, foreign_key="asset.id")
    block_id: int = Field(primary_key=True, foreign_key="block.id")
    state: str


class OpeningRow(SQLModel, table=True):
    """What an account held before a block in which a trace reached it first: a node's answer about the parent block."""

    __tablename__ = "account_opening"
    holder_id: int = Field(primary_key=True, foreign_key="holder.id")
    asset_id: int = Field(primary_key=True, foreign_key="asset.id")
    block_id: int = Field(primary_key=True, foreign_key="block.id")
    balance: int = Field(sa_column=units())


class TraceResultRow(SQLModel, table=True):
    """What a run that is not live came to, at a tip, by an engine; `digest`: see `tracer.taint.run`.

    seeded: JSON, units as text by label.
    """

    __tablename__ = "trace_result"
    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="trace_run.id")
    tip_id: int = Field(foreign_key="block.id")
    computed_at: int = Field(sa_type=BigInteger)
    engine: str
    digest: bytes
    transactions: int
    ends: int
    seeded: str


class TracePageRow(SQLModel, table=True):
    """A part of a result's ends, as JSON rows in the digest's order: one BLOB per some thousand of them is quick.

    A row: height, position, kind, index, movement, offset (text), label, units (text), state, reason,
    holder (hex, null: nobody), asset. What an account holds has -1 for position, kind and index.
    """

    __tablename__ = "trace_page"
    result_id: int = Field(primary_key=True, foreign_key="trace_result.id")
    page: int = Field(primary_key=True)
    ends: str
