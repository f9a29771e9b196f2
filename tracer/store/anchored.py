"""The table of the blocks up to which a chain's headers were verified."""

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel

from tracer.store.columns import units


class HeaderAnchorRow(SQLModel, table=True):
    """A block up to which all headers were fetched and verified once, from the genesis block or a checkpoint on.

    origin: which of the two. work: hashes expected for the chain from there to here. The others are the block's
    `tracer.proof.headers.Context`, from which verification goes on over the stored headers above.
    """

    __tablename__ = "header_anchor"
    __table_args__ = (Index("ix_header_anchor_chain_id", "chain_id"),)
    id: int | None = Field(default=None, primary_key=True)
    chain_id: int = Field(foreign_key="chain.id")
    height: int = Field(sa_type=BigInteger)
    hash: bytes
    origin: str
    work: int = Field(sa_column=units())
    bits: int = Field(sa_type=BigInteger)
    times: str
    first_time: int = Field(sa_type=BigInteger)
    first_bits: int = Field(sa_type=BigInteger)
    usual_bits: int = Field(sa_type=BigInteger)
