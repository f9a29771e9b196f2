"""The tables of labels that were imported: appended, never changed, but for the mark of what replaced a pack."""

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel


class LabelPackRow(SQLModel, table=True):
    """A file of labels; `kind`: tagpack, ofac.

    sha256: of its bytes. snapshot: of the canonical listing of its labels as they were imported. superseded_by: the
    later pack of the same kind, title and creator; its labels are no longer in force.
    """

    __tablename__ = "label_pack"
    __table_args__ = (Index("uq_label_pack_sha256", "sha256", unique=True),)
    id: int | None = Field(default=None, primary_key=True)
    sha256: bytes
    kind: str
    title: str
    creator: str
    imported_at: int = Field(sa_type=BigInteger)
    snapshot: bytes
    superseded_by: int | None = Field(default=None, foreign_key="label_pack.id")


class LabelRow(SQLModel, table=True):
    """What a pack says of an address; see `tracer.attribution.labels.Label`.

    chain_id, holder_key: what the address means on a chain that is followed; null where it means nothing.
    """

    __tablename__ = "label"
    __table_args__ = (
        Index("ix_label_pack_id", "pack_id"),
        Index("ix_label_holder_key", "holder_key"),
        Index("ix_label_address", "address"),
    )
    id: int | None = Field(default=None, primary_key=True)
    pack_id: int = Field(foreign_key="label_pack.id")
    chain_id: int | None = Field(default=None, foreign_key="chain.id")
    holder_key: bytes | None = None
    address: str
    currency: str
    label: str
    category: str
    abuse: str
    confidence: str
    lastmod: str
    source: str
    extra: str
