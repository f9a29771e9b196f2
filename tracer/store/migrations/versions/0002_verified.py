"""What was checked of blocks and movements, and the proofs of transactions."""

import sqlalchemy as sa
from alembic import op

from tracer.store.columns import Amount

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("block", sa.Column("checked", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("tx", sa.Column("proof", sa.LargeBinary(), nullable=True))
    op.add_column("movement", sa.Column("lane", sa.Integer(), nullable=False, server_default="1"))
    add_header_anchor()
    op.execute("UPDATE coverage SET checked = 'reported'")
    op.add_column("policy", sa.Column("tiers", sa.String(), nullable=False, server_default="[]"))
    op.add_column("follower", sa.Column("peak_height", sa.BigInteger(), nullable=False, server_default="-1"))
    for table in ("watch", "seizure", "leg"):
        op.add_column(table, sa.Column("late_id", sa.Integer(), nullable=True))
    op.add_column("trace_run", sa.Column("superseded_by", sa.Integer(), nullable=True))
    op.drop_index("uq_trace_run_case_id_chain_id_method", "trace_run")
    op.create_index(
        "uq_trace_run_case_id_chain_id_method",
        "trace_run",
        ["case_id", "chain_id", "method"],
        unique=True,
        sqlite_where=sa.text("superseded_by IS NULL"),
    )
    make_backfills()
    op.create_table(
        "pending_tx",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("txid", sa.LargeBinary(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("spends", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_pending_tx_chain_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_tx")),
    )
    op.create_index("uq_pending_tx_txid_chain_id", "pending_tx", ["txid", "chain_id"], unique=True)
    op.create_table(
        "pending_move",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pending_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=True),
        sa.Column("target_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["pending_id"], ["pending_tx.id"], name=op.f("fk_pending_move_pending_id")),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_pending_move_asset_id")),
        sa.ForeignKeyConstraint(["source_id"], ["holder.id"], name=op.f("fk_pending_move_source_id")),
        sa.ForeignKeyConstraint(["target_id"], ["holder.id"], name=op.f("fk_pending_move_target_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_move")),
    )
    op.create_index("uq_pending_move_identity", "pending_move", ["pending_id", "kind", "idx"], unique=True)
    op.create_index("ix_pending_move_source_id", "pending_move", ["source_id"], unique=False)
    op.create_index("ix_pending_move_target_id", "pending_move", ["target_id"], unique=False)
    op.create_table(
        "transfer_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("tx_id", sa.Integer(), nullable=True),
        sa.Column("pending_id", sa.Integer(), nullable=True),
        sa.Column("block_id", sa.Integer(), nullable=True),
        sa.Column("policy_id", sa.Integer(), nullable=True),
        sa.Column("other", sa.LargeBinary(), nullable=True),
        sa.Column("shared", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_transfer_event_chain_id")),
        sa.ForeignKeyConstraint(["tx_id"], ["tx.id"], name=op.f("fk_transfer_event_tx_id")),
        sa.ForeignKeyConstraint(["pending_id"], ["pending_tx.id"], name=op.f("fk_transfer_event_pending_id")),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_transfer_event_block_id")),
        sa.ForeignKeyConstraint(["policy_id"], ["policy.id"], name=op.f("fk_transfer_event_policy_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer_event")),
    )
    for name, columns, where in (
        ("tx_id", ["tx_id"], "tx_id IS NOT NULL"),
        ("pending_id", ["pending_id"], "pending_id IS NOT NULL"),
        ("loose", ["chain_id", "state"], "state IN (0, 7)"),
    ):
        op.create_index(f"ix_transfer_event_{name}", "transfer_event", columns, sqlite_where=sa.text(where))
    op.execute("ALTER TABLE alert ADD COLUMN pending_id INTEGER REFERENCES pending_tx (id)")
    op.create_index("ix_alert_pending_id", "alert", ["pending_id"], sqlite_where=sa.text("pending_id IS NOT NULL"))
    op.create_table(
        "token_text",
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("shown", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_token_text_asset_id")),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_token_text_block_id")),
        sa.PrimaryKeyConstraint("asset_id", "what", name=op.f("pk_token_text")),
    )
    add_vouching()
    add_balance_check()
    add_span_closing()


def add_vouching() -> None:
    """Who vouches for block hashes, what was refused, and how that was settled."""
    op.create_table(
        "source",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_source_chain_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
    )
    op.create_index("uq_source_chain_id_name", "source", ["chain_id", "name"], unique=True)
    op.create_table(
        "agreement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("agree", sa.Integer(), nullable=False),
        sa.Column("nodes", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_agreement_chain_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement")),
    )
    op.create_index("ix_agreement_chain_id", "agreement", ["chain_id"])
    op.create_table(
        "vouch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_vouch_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vouch")),
    )
    op.create_index("ix_vouch_source_id", "vouch", ["source_id"])
    op.create_table(
        "source_disagreement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("ours", sa.LargeBinary(), nullable=False),
        sa.Column("theirs", sa.LargeBinary(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_source_disagreement_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_disagreement")),
    )
    op.create_index(
        "ix_source_disagreement_source_id",
        "source_disagreement",
        ["source_id"],
        sqlite_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "refused_block",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_refused_block_chain_id")),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_refused_block_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_block")),
    )
    op.create_index("ix_refused_block_chain_id", "refused_block", ["chain_id"])
    add_settlements()


def add_settlements() -> None:
    """Broken finality, and how it and refused blocks were settled."""
    op.create_table(
        "finality_violation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("fork_height", sa.BigInteger(), nullable=True),
        sa.Column("ours", sa.LargeBinary(), nullable=False),
        sa.Column("theirs", sa.LargeBinary(), nullable=False),
        sa.Column("final_height", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_finality_violation_chain_id")),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_finality_violation_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finality_violation")),
    )
    op.create_index("ix_finality_violation_chain_id", "finality_violation", ["chain_id"])
    op.create_table(
        "settlement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("refused_id", sa.Integer(), nullable=True),
        sa.Column("violation_id", sa.Integer(), nullable=True),
        sa.Column("how", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["refused_id"], ["refused_block.id"], name=op.f("fk_settlement_refused_id")),
        sa.ForeignKeyConstraint(["violation_id"], ["finality_violation.id"], name=op.f("fk_settlement_violation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement")),
    )
    op.create_index(
        "ix_settlement_refused_id", "settlement", ["refused_id"], sqlite_where=sa.text("refused_id IS NOT NULL")
    )
    op.create_index(
        "ix_settlement_violation_id", "settlement", ["violation_id"], sqlite_where=sa.text("violation_id IS NOT NULL")
    )


def add_header_anchor() -> None:
    """Where verified headers begin."""
    op.create_table(
        "header_anchor",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column(
            "chain_id", sa.Integer(), sa.ForeignKey("chain.id", name="fk_header_anchor_chain_id"), nullable=False
        ),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("work", Amount(), nullable=False),
        sa.Column("bits", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.String(), nullable=False),
        sa.Column("first_time", sa.BigInteger(), nullable=False),
        sa.Column("first_bits", sa.BigInteger(), nullable=False),
        sa.Column("usual_bits", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_header_anchor_chain_id", "header_anchor", ["chain_id"])


def add_balance_check() -> None:
    op.create_table(
        "balance_check",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("balance", Amount(), nullable=False),
        sa.Column("before", Amount(), nullable=False),
        sa.Column("observed", Amount(), nullable=False),
        sa.Column("unobserved", Amount(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=True),
        sa.Column("nonce_before", sa.BigInteger(), nullable=True),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("confirms", sa.String(), nullable=False),
        sa.Column("later", sa.Boolean(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_balance_check_asset_id")),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_balance_check_block_id")),
        sa.ForeignKeyConstraint(["holder_id"], ["holder.id"], name=op.f("fk_balance_check_holder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_balance_check")),
    )
    op.create_index("ix_balance_check_block_id", "balance_check", ["block_id"], unique=False)
    columns = ["holder_id", "asset_id", "block_id"]
    op.create_index("uq_balance_check_holder_id_asset_id_block_id", "balance_check", columns, unique=True)


def add_span_closing() -> None:
    op.create_table(
        "span_closing",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("from_height", sa.BigInteger(), nullable=False),
        sa.Column("to_height", sa.BigInteger(), nullable=False),
        sa.Column("blocks", sa.Integer(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_span_closing_asset_id")),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_span_closing_block_id")),
        sa.ForeignKeyConstraint(["holder_id"], ["holder.id"], name=op.f("fk_span_closing_holder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_span_closing")),
    )
    columns = ["holder_id", "asset_id", "block_id"]
    op.create_index("uq_span_closing_holder_id_asset_id_block_id", "span_closing", columns, unique=True)


def make_backfills() -> None:
    """Make the tables of late watches."""
    op.create_table(
        "backfill",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("from_height", sa.BigInteger(), nullable=False),
        sa.Column("done_height", sa.BigInteger(), nullable=False),
        sa.Column("done_hash", sa.LargeBinary(), nullable=True),
        sa.Column("join_height", sa.BigInteger(), nullable=True),
        sa.Column("published_at", sa.BigInteger(), nullable=True),
        sa.Column("published_height", sa.BigInteger(), nullable=True),
        sa.Column("published_hash", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_backfill_case_id")),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_backfill_chain_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backfill")),
    )
    op.create_index("ix_backfill_chain_id", "backfill", ["chain_id", "published_height"], unique=False)
    op.create_table(
        "unfilled",
        sa.Column("backfill_id", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["backfill_id"], ["backfill.id"], name=op.f("fk_unfilled_backfill_id")),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_unfilled_block_id")),
        sa.PrimaryKeyConstraint("backfill_id", "block_id", name=op.f("pk_unfilled")),
    )
    op.create_table(
        "superseded",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("backfill_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["backfill_id"], ["backfill.id"], name=op.f("fk_superseded_backfill_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_superseded")),
    )
    op.create_index("ix_superseded_backfill_id", "superseded", ["backfill_id", "kind"], unique=False)
