"""The tables of balances that were asked: what they show beside movements, and which spans of blocks they close."""

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field, SQLModel

from tracer.store.columns import units


class BalanceCheckRow(SQLModel, table=True):
    """A balance after a block, held against the one after block `since` and what was observed between.

    balance = before + observed + unobserved, exactly. `since` is null where there was nothing to compare with: at the
    first check of a held holder, when its case opens. `proof` is as `tracer.proof.balances` packs it; `sent` counts the
    transactions that the holder was seen to send. confirms: all | internal | empty, see `tracer.value.Confirms`. later:
    it was asked when the block stood already as the tip, not while it was connected.
    """

    __tablename__ = "balance_check"
    __table_args__ = (
        Index("uq_balance_check_holder_id_asset_id_block_id", "holder_id", "asset_id", "block_id", unique=True),
        Index("ix_balance_check_block_id", "block_id"),
        Index("ix_balance_check_unobserved", "holder_id", sqlite_where=text("unobserved != '0'")),
    )
    id: int | None = Field(default=None, primary_key=True)
    block_id: int = Field(foreign_key="block.id")
    holder_id: int = Field(foreign_key="holder.id")
    asset_id: int = Field(foreign_key="asset.id")
    since: int | None = Field(default=None, sa_type=BigInteger)
    balance: int = Field(sa_column=units())
    before: int = Field(sa_column=units())
    observed: int = Field(sa_column=units())
    unobserved: int = Field(sa_column=units())
    nonce: int | None = Field(default=None, sa_type=BigInteger)
    nonce_before: int | None = Field(default=None, sa_type=BigInteger)
    sent: int
    lane: int
    confirms: str
    later: bool
    proof: bytes | None = None


class SpanClosingRow(SQLModel, table=True):
    """Whether a check of a held balance closes blocks of which only the header and the hits were verified.

    Closed: proofs at both ends show that nothing moved but what was observed, for this holder and asset. `reason` says
    why not. True as long as `block_id`, the end of the span, is canonical.
    """

    __tablename__ = "span_closing"
    __table_args__ = (
        Index("uq_span_closing_holder_id_asset_id_block_id", "holder_id", "asset_id", "block_id", unique=True),
    )
    id: int | None = Field(default=None, primary_key=True)
    block_id: int = Field(foreign_key="block.id")
    holder_id: int = Field(foreign_key="holder.id")
    asset_id: int = Field(foreign_key="asset.id")
    from_height: int = Field(sa_type=BigInteger)
    to_height: int = Field(sa_type=BigInteger)
    blocks: int
    closed: bool
    reason: str
