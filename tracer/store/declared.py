"""The tables of what cases declare: imported once, never changed.

`late_id` names the back-fill that reads the past of a row which came too late for it (see `tracer.store.backfills`).
"""

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field, SQLModel

from tracer.store.columns import units


class CaseRow(SQLModel, table=True):
    """A case; `source_sha256` is of the file that declared it first."""

    __tablename__ = "cases"
    id: int | None = Field(default=None, primary_key=True)
    ref: str = Field(unique=True)
    title: str
    preset: str
    source_sha256: bytes
    preset_id: int | None = None


class CaseImportRow(SQLModel, table=True):
    """An import of a case file: the first declares the case, later ones add to it."""

    __tablename__ = "case_import"
    __table_args__ = (Index("uq_case_import_case_id_source_sha256", "case_id", "source_sha256", unique=True),)
    id: int | None = Field(default=None, primary_key=True)
    case_id: int = Field(foreign_key="cases.id")
    imported_at: int = Field(sa_type=BigInteger)
    source_sha256: bytes


class SeizureRow(SQLModel, table=True):
    """The height B0 per case and chain after which seized balances are counted."""

    __tablename__ = "seizure"
    case_id: int = Field(primary_key=True, foreign_key="cases.id")
    chain_id: int = Field(primary_key=True, foreign_key="chain.id")
    height: int = Field(sa_type=BigInteger)
    late_id: int | None = None


class InstitutionRow(SQLModel, table=True):
    """A body that plays a part in a case."""

    __tablename__ = "institution"
    __table_args__ = (Index("uq_institution_case_id_ref", "case_id", "ref", unique=True),)
    id: int | None = Field(default=None, primary_key=True)
    case_id: int = Field(foreign_key="cases.id")
    ref: str
    name: str
    part: str
    aliases: str = Field(default="[]", sa_column_kwargs={"server_default": "[]"})


class DocumentRow(SQLModel, table=True):
    """A filed document, by hash."""

    __tablename__ = "document"
    __table_args__ = (Index("uq_document_case_id_ref", "case_id", "ref", unique=True),)
    id: int | None = Field(default=None, primary_key=True)
    case_id: int = Field(foreign_key="cases.id")
    ref: str
    title: str
    sha256: bytes
    record_id: int | None = None


class WatchRow(SQLModel, table=True):
    """Interest of a case in a holder; `outpoints` (36 bytes each, joined) restricts what counts as seized."""

    __tablename__ = "watch"
    __table_args__ = (
        Index("uq_watch_case_id_ref", "case_id", "ref", unique=True),
        Index("ix_watch_holder_id", "holder_id"),
        Index("ix_watch_named", "case_id", sqlite_where=text("outpoints IS NOT NULL")),
    )
    id: int = Field(primary_key=True)
    case_id: int = Field(foreign_key="cases.id")
    holder_id: int = Field(foreign_key="holder.id")
    ref: str
    role: str
    institution_id: int | None = Field(default=None, foreign_key="institution.id")
    birth: int = Field(sa_type=BigInteger)
    outpoints: bytes | None = None
    late_id: int | None = None
    storage: str | None = None


class AttestationRow(SQLModel, table=True):
    """An institution's filed statement that a watched address is its own."""

    __tablename__ = "attestation"
    id: int | None = Field(default=None, primary_key=True)
    watch_id: int = Field(foreign_key="watch.id", index=True)
    institution_id: int = Field(foreign_key="institution.id")
    document_id: int = Field(foreign_key="document.id")
    valid_from: int = Field(sa_type=BigInteger)
    valid_to: int | None = Field(default=None, sa_type=BigInteger)
    record_id: int | None = None


class LegRow(SQLModel, table=True):
    """A planned transfer."""

    __tablename__ = "leg"
    __table_args__ = (Index("uq_leg_case_id_ref", "case_id", "ref", unique=True),)
    id: int = Field(primary_key=True)
    case_id: int = Field(foreign_key="cases.id")
    ref: str
    kind: str
    asset_id: int = Field(foreign_key="asset.id")
    target_id: int = Field(foreign_key="watch.id")
    amount: int = Field(sa_column=units())
    tolerance: int = Field(sa_column=units())
    max_fee: int = Field(sa_column=units())
    not_before: int | None = Field(default=None, sa_type=BigInteger)
    deadline: int | None = Field(default=None, sa_type=BigInteger)
    late_id: int | None = None
    needs_test: bool = Field(default=False, sa_column_kwargs={"server_default": "0"})
    record_id: int | None = None


class LegSourceRow(SQLModel, table=True):
    """A watch that a leg may debit."""

    __tablename__ = "leg_source"
    leg_id: int = Field(primary_key=True, foreign_key="leg.id")
    watch_id: int = Field(primary_key=True, foreign_key="watch.id")
