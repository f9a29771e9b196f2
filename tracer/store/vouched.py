"""The tables of who vouches for block hashes, what was refused, and how that was settled: appended, never changed."""

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field, SQLModel


class SourceRow(SQLModel, table=True):
    """Somebody who may vouch for a block hash: a node, or the operator who pinned it (`kind`: node, pin).

    place: scheme, host and port; `active`: it is in the configuration that the daemon last ran with.
    """

    __tablename__ = "source"
    __table_args__ = (Index("uq_source_chain_id_name", "chain_id", "name", unique=True),)
    id: int | None = Field(default=None, primary_key=True)
    chain_id: int = Field(foreign_key="chain.id")
    name: str
    kind: str
    place: str
    active: bool


class AgreementRow(SQLModel, table=True):
    """How many of how many nodes must show a hash before it is final, from a start of the daemon on."""

    __tablename__ = "agreement"
    __table_args__ = (Index("ix_agreement_chain_id", "chain_id"),)
    id: int | None = Field(default=None, primary_key=True)
    chain_id: int = Field(foreign_key="chain.id")
    agree: int
    nodes: int
    since: int = Field(sa_type=BigInteger)


class VouchRow(SQLModel, table=True):
    """A source showed this hash at this height, and with it all its ancestors."""

    __tablename__ = "vouch"
    __table_args__ = (Index("ix_vouch_source_id", "source_id"),)
    id: int | None = Field(default=None, primary_key=True)
    source_id: int = Field(foreign_key="source.id")
    height: int = Field(sa_type=BigInteger)
    hash: bytes
    at: int = Field(sa_type=BigInteger)


class SourceDisagreementRow(SQLModel, table=True):
    """A source showed another block than ours; `height` is the first at which they differ.

    ended_at: when that was over (they agree again, or differ elsewhere); the one value that is filled in later.
    """

    __tablename__ = "source_disagreement"
    __table_args__ = (Index("ix_source_disagreement_source_id", "source_id", sqlite_where=text("ended_at IS NULL")),)
    id: int | None = Field(default=None, primary_key=True)
    source_id: int = Field(foreign_key="source.id")
    height: int = Field(sa_type=BigInteger)
    ours: bytes
    theirs: bytes
    seen_at: int = Field(sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)


class RefusedBlockRow(SQLModel, table=True):
    """A block that did not stand up to verification: kept with the reason and the bytes that show it, not followed.

    hash: empty where the node did not come so far as to name one.
    """

    __tablename__ = "refused_block"
    __table_args__ = (Index("ix_refused_block_chain_id", "chain_id"),)
    id: int | None = Field(default=None, primary_key=True)
    chain_id: int = Field(foreign_key="chain.id")
    source_id: int = Field(foreign_key="source.id")
    height: int = Field(sa_type=BigInteger)
    hash: bytes
    reason: str
    evidence: bytes
    at: int = Field(sa_type=BigInteger)


class FinalityViolationRow(SQLModel, table=True):
    """A source showed another block where ours is final; the chain halted.

    fork_height: the last height at which both have the same block, null if there is none here. ours, theirs: the
    first blocks that differ. final_height: what was final then.
    """

    __tablename__ = "finality_violation"
    __table_args__ = (Index("ix_finality_violation_chain_id", "chain_id"),)
    id: int | None = Field(default=None, primary_key=True)
    chain_id: int = Field(foreign_key="chain.id")
    source_id: int = Field(foreign_key="source.id")
    fork_height: int | None = Field(default=None, sa_type=BigInteger)
    ours: bytes
    theirs: bytes
    final_height: int = Field(sa_type=BigInteger)
    at: int = Field(sa_type=BigInteger)


class SettlementRow(SQLModel, table=True):
    """How a refused block or a broken finality was settled, by whom, and why.

    how: `other source` (a block of that height from another source stood up), `retry` (the node was repaired),
    `follow` (the final mark was lowered to the fork). actor: a person, or the source's name.
    """

    __tablename__ = "settlement"
    __table_args__ = (
        Index("ix_settlement_refused_id", "refused_id", sqlite_where=text("refused_id IS NOT NULL")),
        Index("ix_settlement_violation_id", "violation_id", sqlite_where=text("violation_id IS NOT NULL")),
    )
    id: int | None = Field(default=None, primary_key=True)
    refused_id: int | None = Field(default=None, foreign_key="refused_block.id")
    violation_id: int | None = Field(default=None, foreign_key="finality_violation.id")
    how: str
    actor: str
    reason: str
    at: int = Field(sa_type=BigInteger)
