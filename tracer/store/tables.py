"""The store's tables: what is kept, under which identity; analysts read the views over them, never these.

Blocks, transactions and holders have integer surrogates behind unique natural keys; no row is ever deleted. A row that
belongs to a block is true as long as that block is canonical: a reorg flips `block.canonical` and nothing else.
"""

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from tracer.store import (
    anchored,
    attributed,
    backfills,
    checked,
    declared,
    derived,
    observed,
    overseen,
    traced,
    vouched,
)
from tracer.store.columns import METADATA, Amount, units

__all__ = [
    "METADATA",
    "Amount",
    "anchored",
    "attributed",
    "backfills",
    "checked",
    "declared",
    "derived",
    "observed",
    "overseen",
    "traced",
    "vouched",
]


class Chain(SQLModel, table=True):
    """A chain that is followed; `genesis` is what the node showed at first contact."""

    __tablename__ = "chain"
    id: int | None = Field(default=None, primary_key=True)
    caip2: str = Field(unique=True)
    name: str = Field(unique=True)
    family: str
    genesis: bytes


class AssetRow(SQLModel, table=True):
    """An asset; `kind` is native, listed, unlisted or nft."""

    __tablename__ = "asset"
    id: int | None = Field(default=None, primary_key=True)
    chain_id: int = Field(foreign_key="chain.id")
    caip19: str = Field(unique=True)
    symbol: str
    decimals: int
    kind: str


class TokenTextRow(SQLModel, table=True):
    """What a token that is not listed called itself when it was asked; see `tracer.tokentext.TokenText`."""

    __tablename__ = "token_text"
    asset_id: int = Field(primary_key=True, foreign_key="asset.id")
    what: str = Field(primary_key=True)
    shown: str
    size: int | None = None
    digest: bytes | None = None
    block_id: int = Field(foreign_key="block.id")


class Block(SQLModel, table=True):
    """A block that was connected; `header`: see `tracer.types.BlockFacts`."""

    __tablename__ = "block"
    __table_args__ = (
        Index("uq_block_chain_id_hash", "chain_id", "hash", unique=True),
        Index("ix_block_chain_id_height", "chain_id", "height"),
    )
    id: int = Field(primary_key=True)
    chain_id: int = Field(foreign_key="chain.id")
    height: int = Field(sa_type=BigInteger)
    hash: bytes
    parent: bytes
    time: int = Field(sa_type=BigInteger)
    header: bytes | None = None
    canonical: bool = True
    checked: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class Tx(SQLModel, table=True):
    """A transaction with hits, as raw bytes; `proof` links them to the block's header (see `tracer.proof`)."""

    __tablename__ = "tx"
    __table_args__ = (
        Index("uq_tx_block_id_position", "block_id", "position", unique=True),
        Index("ix_tx_txid", "txid"),
    )
    id: int = Field(primary_key=True)
    block_id: int = Field(foreign_key="block.id")
    position: int
    txid: bytes
    raw: bytes
    proof: bytes | None = None


class HolderRow(SQLModel, table=True):
    """Who owns value: a script pubkey or a 20-byte account; `address` is its text, null where it has none."""

    __tablename__ = "holder"
    __table_args__ = (Index("uq_holder_chain_id_key", "chain_id", "key", unique=True),)
    id: int = Field(primary_key=True)
    chain_id: int = Field(foreign_key="chain.id")
    key: bytes
    address: str | None = None


class MovementRow(SQLModel, table=True):
    """A fact: value that moved. An IN row names the OUT row it spends, or a coin that is not stored by its outpoint."""

    __tablename__ = "movement"
    __table_args__ = (
        Index("uq_movement_identity", "block_id", "kind", text("coalesce(tx_id, 0)"), "idx", unique=True),
        Index("ix_movement_source_id", "source_id", sqlite_where=text("source_id IS NOT NULL")),
        Index("ix_movement_target_id", "target_id", sqlite_where=text("target_id IS NOT NULL")),
        Index("ix_movement_spends_id", "spends_id", sqlite_where=text("spends_id IS NOT NULL")),
    )
    id: int = Field(primary_key=True)
    block_id: int = Field(foreign_key="block.id")
    kind: int
    tx_id: int | None = Field(default=None, foreign_key="tx.id")
    idx: int
    asset_id: int = Field(foreign_key="asset.id")
    amount: int = Field(sa_column=units())
    source_id: int | None = Field(default=None, foreign_key="holder.id")
    target_id: int | None = Field(default=None, foreign_key="holder.id")
    spends_id: int | None = Field(default=None, foreign_key="movement.id")
    spent_txid: bytes | None = None
    spent_idx: int | None = Field(default=None, sa_type=BigInteger)
    lane: int = Field(default=1, sa_column_kwargs={"server_default": "1"})


class EntryRow(SQLModel, table=True):
    """A posting of the conservation ledger: where a case's value came from, or went, in one transaction.

    place: seized | credit | internal | change | delivered | refund | fee | unexplained; `reason` tells more. On UTXO
    chains a coin counts as held by the case exactly if a posting that keeps value names its OUT row.
    """

    __tablename__ = "entry"
    __table_args__ = (
        Index("ix_entry_case_id_block_id", "case_id", "block_id"),
        Index("ix_entry_leg_id", "leg_id", sqlite_where=text("leg_id IS NOT NULL")),
    )
    id: int | None = Field(default=None, primary_key=True)
    case_id: int = Field(foreign_key="cases.id")
    block_id: int = Field(foreign_key="block.id")
    tx_id: int | None = Field(default=None, foreign_key="tx.id")
    movement_id: int | None = Field(default=None, foreign_key="movement.id")
    holder_id: int | None = Field(default=None, foreign_key="holder.id")
    asset_id: int = Field(foreign_key="asset.id")
    leg_id: int | None = Field(default=None, foreign_key="leg.id")
    place: str
    reason: str
    amount: int = Field(sa_column=units())


class HeldRow(SQLModel, table=True):
    """What a case holds at a holder after a block that changed it."""

    __tablename__ = "held"
    case_id: int = Field(primary_key=True, foreign_key="cases.id")
    holder_id: int = Field(primary_key=True, foreign_key="holder.id")
    asset_id: int = Field(primary_key=True, foreign_key="asset.id")
    block_id: int = Field(primary_key=True, foreign_key="block.id")
    amount: int = Field(sa_column=units())


class LedgerRow(SQLModel, table=True):
    """The conservation equation of a case and asset after a block that touched it.

    seized + credits == held + delivered + fees + unexplained, exactly.
    """

    __tablename__ = "ledger"
    case_id: int = Field(primary_key=True, foreign_key="cases.id")
    asset_id: int = Field(primary_key=True, foreign_key="asset.id")
    block_id: int = Field(primary_key=True, foreign_key="block.id")
    seized: int = Field(sa_column=units())
    credits: int = Field(sa_column=units())
    held: int = Field(sa_column=units())
    delivered: int = Field(sa_column=units())
    fees: int = Field(sa_column=units())
    unexplained: int = Field(sa_column=units())


class PolicyRow(SQLModel, table=True):
    """A confirmation and finality policy, by content; verdicts keep the one they were given under.

    tiers: what legs of an asset need from an amount on, as canonical JSON (see `tracer.chain.Tier`).
    """

    __tablename__ = "policy"
    id: int | None = Field(default=None, primary_key=True)
    chain_id: int = Field(foreign_key="chain.id")
    confirmed: str
    final: str
    tiers: str = Field(default="[]", sa_column_kwargs={"server_default": "[]"})


class VerdictRow(SQLModel, table=True):
    """What was judged of a subject when `block_id` was the tip; the latest on the canonical chain stands."""

    __tablename__ = "verdict"
    __table_args__ = (
        CheckConstraint("verdict IN ('SHOWN', 'CONTRADICTED', 'NOT_SHOWN')", name="verdict"),
        Index("ix_verdict_subject", "case_id", "leg_id", "asset_id"),
        Index("ix_verdict_block_id", "block_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    case_id: int = Field(foreign_key="cases.id")
    leg_id: int | None = Field(default=None, foreign_key="leg.id")
    asset_id: int = Field(foreign_key="asset.id")
    block_id: int = Field(foreign_key="block.id")
    policy_id: int = Field(foreign_key="policy.id")
    verdict: str
    reason: str
    lane: str
    claims: str
    rule: str = Field(default="", sa_column_kwargs={"server_default": ""})
    rule_version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})


class AlertRow(SQLModel, table=True):
    """Something that a person must see; `block_id` is null for faults of a node or the daemon.

    subject: what a rule over a case's facts found it of; null where a block, a mempool or a node set it off. refs: the
    facts that it cites, as JSON.
    """

    __tablename__ = "alert"
    __table_args__ = (
        Index("ix_alert_block_id", "block_id"),
        Index("ix_alert_pending_id", "pending_id", sqlite_where=text("pending_id IS NOT NULL")),
        Index("ix_alert_case_id", "case_id", sqlite_where=text("case_id IS NOT NULL")),
    )
    id: int | None = Field(default=None, primary_key=True)
    at: int = Field(sa_type=BigInteger)
    rule: str
    severity: str
    chain_id: int | None = Field(default=None, foreign_key="chain.id")
    block_id: int | None = Field(default=None, foreign_key="block.id")
    case_id: int | None = Field(default=None, foreign_key="cases.id")
    leg_id: int | None = Field(default=None, foreign_key="leg.id")
    tx_id: int | None = Field(default=None, foreign_key="tx.id")
    message: str
    pending_id: int | None = Field(default=None, foreign_key="pending_tx.id")
    subject: str | None = None
    refs: str = Field(default="[]", sa_column_kwargs={"server_default": "[]"})
    lane: str | None = None
    shown: bool = Field(default=True, sa_column_kwargs={"server_default": "1"})
    rule_version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    preset_id: int | None = Field(default=None, foreign_key="preset.id")


class CoverageRow(SQLModel, table=True):
    """A span of heights that was read for a set of watches, its last block, and how far all of it was checked.

    watch_set: `all` for what is followed live, `late:ID` for what a back-fill read, `history:ADDRESS` for an account
    whose history was imported. checked: reported, header, whole.
    """

    __tablename__ = "coverage"
    id: int | None = Field(default=None, primary_key=True)
    chain_id: int = Field(foreign_key="chain.id")
    watch_set: str
    from_height: int = Field(sa_type=BigInteger)
    to_height: int = Field(sa_type=BigInteger)
    end_hash: bytes
    checked: str


class UnobservedRow(SQLModel, table=True):
    """What could not be observed on a chain, from the first height at which that was noticed; once per reason."""

    __tablename__ = "unobserved"
    __table_args__ = (Index("uq_unobserved_chain_id_reason", "chain_id", "reason", unique=True),)
    id: int | None = Field(default=None, primary_key=True)
    chain_id: int = Field(foreign_key="chain.id")
    from_height: int = Field(sa_type=BigInteger)
    reason: str


class FollowerRow(SQLModel, table=True):
    """Where following stands: the cursor, and the heights at and below which blocks are confirmed and final.

    peak_height: the highest tip there ever was; what a tier of the policy calls final is counted from it.
    """

    __tablename__ = "follower"
    chain_id: int = Field(primary_key=True, foreign_key="chain.id")
    tip_id: int = Field(foreign_key="block.id")
    confirmed_height: int = Field(sa_type=BigInteger)
    final_height: int = Field(sa_type=BigInteger)
    final_id: int | None = Field(default=None, foreign_key="block.id")
    peak_height: int = Field(default=-1, sa_type=BigInteger, sa_column_kwargs={"server_default": "-1"})


class FollowerStatusRow(SQLModel, table=True):
    """What the daemon last saw of a node, and when it last answered; volatile, not evidence."""

    __tablename__ = "follower_status"
    chain_id: int = Field(primary_key=True, foreign_key="chain.id")
    node_height: int | None = Field(default=None, sa_type=BigInteger)
    node_hash: bytes | None = None
    contacted_at: int | None = Field(default=None, sa_type=BigInteger)
    state: str
    message: str


class DaemonRunRow(SQLModel, table=True):
    """A start of the daemon: which program, with which configuration (logins and places of nodes left out)."""

    __tablename__ = "daemon_run"
    id: int | None = Field(default=None, primary_key=True)
    started_at: int = Field(sa_type=BigInteger)
    version: str
    config_sha256: bytes
