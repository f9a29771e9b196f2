"""The tables of oversight: presets, what people filed, where cases stood, and what became of alerts."""

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel


class PresetRow(SQLModel, table=True):
    """A preset as its file was when a case was imported under it, by content."""

    __tablename__ = "preset"
    id: int | None = Field(default=None, primary_key=True)
    name: str
    sha256: bytes = Field(unique=True)
    text: str


class RecordRow(SQLModel, table=True):
    """What somebody filed about a case; never changed, at most superseded by a later one.

    tip_id: the newest block of the case's chains that the store had met then; null: one was not followed. body:
    canonical JSON.
    previous: the digest of the case's record before; digest: over all columns of this one and
    previous, so that nothing can be altered, taken out or put between unnoticed (see `tracer.store.filed`).
    """

    __tablename__ = "record"
    __table_args__ = (
        Index("uq_record_case_id_kind_ref", "case_id", "kind", "ref", unique=True),
        Index("ix_record_supersedes_id", "supersedes_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    case_id: int = Field(foreign_key="cases.id")
    kind: str
    ref: str
    supersedes_id: int | None = Field(default=None, foreign_key="record.id")
    actor: str
    second: str | None = None
    at: int = Field(sa_type=BigInteger)
    recorded_at: int = Field(sa_type=BigInteger)
    tip_id: int | None = None
    document: bytes | None = None
    lane: str
    body: str
    previous: bytes
    digest: bytes


class AssessmentRow(SQLModel, table=True):
    """Where a case stood from a moment on: a row whenever that changed, the last one counts.

    chain_id, block_id: the tip that changed it; null where a record did. at: wall clock; clock: the case's own. rank:
    place of the stage in its preset, from 0. sides, gates, clocks: JSON.
    """

    __tablename__ = "assessment"
    __table_args__ = (Index("ix_assessment_case_id_id", "case_id", "id"),)
    id: int | None = Field(default=None, primary_key=True)
    case_id: int = Field(foreign_key="cases.id")
    preset_id: int = Field(foreign_key="preset.id")
    chain_id: int | None = Field(default=None, foreign_key="chain.id")
    block_id: int | None = Field(default=None, foreign_key="block.id")
    at: int = Field(sa_type=BigInteger)
    clock: int = Field(sa_type=BigInteger)
    stage: str
    rank: int
    sides: str
    gates: str
    clocks: str


class AlertEventRow(SQLModel, table=True):
    """What became of an alert: acknowledged or closed by somebody, resolved or reopened by the facts."""

    __tablename__ = "alert_event"
    __table_args__ = (Index("ix_alert_event_alert_id", "alert_id"),)
    id: int | None = Field(default=None, primary_key=True)
    alert_id: int = Field(foreign_key="alert.id")
    at: int = Field(sa_type=BigInteger)
    what: str
    actor: str
    reason: str
    block_id: int | None = Field(default=None, foreign_key="block.id")
