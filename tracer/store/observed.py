"""The tables of what was observed of transfers: unconfirmed transactions, and every change in a transfer's life."""

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field, SQLModel

from tracer.store.columns import units


class PendingTxRow(SQLModel, table=True):
    """An unconfirmed transaction of interest as a node's mempool held it, kept once, with who said so first.

    `spends` says in words what no other transaction can spend beside it: outpoints, or an account's nonce.
    """

    __tablename__ = "pending_tx"
    __table_args__ = (Index("uq_pending_tx_txid_chain_id", "txid", "chain_id", unique=True),)
    id: int | None = Field(default=None, primary_key=True)
    chain_id: int = Field(foreign_key="chain.id")
    txid: bytes
    raw: bytes
    first_seen: int = Field(sa_type=BigInteger)
    source: str
    spends: str


class PendingMoveRow(SQLModel, table=True):
    """What an unconfirmed transaction would move: an intention as a mempool reports it, never a fact."""

    __tablename__ = "pending_move"
    __table_args__ = (Index("uq_pending_move_identity", "pending_id", "kind", "idx", unique=True),)
    id: int | None = Field(default=None, primary_key=True)
    pending_id: int = Field(foreign_key="pending_tx.id")
    kind: int
    idx: int
    asset_id: int = Field(foreign_key="asset.id")
    amount: int = Field(sa_column=units())
    source_id: int | None = Field(default=None, foreign_key="holder.id", index=True)
    target_id: int | None = Field(default=None, foreign_key="holder.id", index=True)


class TransferEventRow(SQLModel, table=True):
    """A change in the life of a transfer (`tracer.life.State`), with its evidence; rows are only ever appended.

    `at` is the daemon's wall clock and never steps back from one row to the next.
    """

    __tablename__ = "transfer_event"
    __table_args__ = (
        Index("ix_transfer_event_tx_id", "tx_id", sqlite_where=text("tx_id IS NOT NULL")),
        Index("ix_transfer_event_pending_id", "pending_id", sqlite_where=text("pending_id IS NOT NULL")),
        Index("ix_transfer_event_loose", "chain_id", "state", sqlite_where=text("state IN (0, 7)")),
    )
    id: int | None = Field(default=None, primary_key=True)
    chain_id: int = Field(foreign_key="chain.id")
    at: int = Field(sa_type=BigInteger)
    state: int
    tx_id: int | None = Field(default=None, foreign_key="tx.id")
    pending_id: int | None = Field(default=None, foreign_key="pending_tx.id")
    block_id: int | None = Field(default=None, foreign_key="block.id")
    policy_id: int | None = Field(default=None, foreign_key="policy.id")
    other: bytes | None = None
    shared: str | None = None
