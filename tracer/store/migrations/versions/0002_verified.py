"""What was checked of blocks and movements, and the proofs of transactions."""

from typing import Any

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
    add_runs()
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
    add_graph_blocks()


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


FIXED = (
    "case_id, chain_id, method, fee_policy, engine, variant, rounding, limits, stop_at, labels_sha256, rules, live,"
    " whole, oldest, since, sources_sha256"
)


def add_runs() -> None:
    """Let a run say all that was chosen before it, and keep what others than the live ones come to."""
    op.drop_index("uq_trace_run_case_id_chain_id_method", "trace_run")
    for column in run_columns():
        op.add_column("trace_run", column)
    op.create_index(
        "uq_trace_run_case_id_chain_id_method",
        "trace_run",
        ["case_id", "chain_id", "method"],
        unique=True,
        sqlite_where=sa.text("superseded_by IS NULL AND live"),
    )
    by_run()
    label_accounts()
    make_results()
    make_lots()
    if op.get_bind().dialect.name == "sqlite":
        stop = "BEGIN SELECT RAISE(ABORT, 'a trace run is not altered once it is registered'); END"
        op.execute(f"CREATE TRIGGER trace_run_fixed BEFORE UPDATE OF {FIXED}, registered_at ON trace_run {stop}")
        op.execute(f"CREATE TRIGGER trace_run_kept BEFORE DELETE ON trace_run {stop}")
        again = "WHEN EXISTS (SELECT 1 FROM trace_run o WHERE o.id = NEW.id)"  # REPLACE would delete without a trigger
        op.execute(f"CREATE TRIGGER trace_run_once BEFORE INSERT ON trace_run {again} {stop}")
        late = "NOT OLD.live OR OLD.superseded_by IS NOT NULL OR NOT EXISTS (SELECT 1 FROM backfill f"
        once = f"WHEN {late} WHERE f.id = NEW.superseded_by)"
        op.execute(f"CREATE TRIGGER trace_run_superseded BEFORE UPDATE OF superseded_by ON trace_run {once} {stop}")
        for table in ("trace_source", "trace_result", "trace_page"):
            op.execute(f"CREATE TRIGGER {table}_fixed BEFORE UPDATE ON {table} {stop}")
            op.execute(f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} {stop}")


def run_columns() -> "tuple[sa.Column[Any], ...]":
    """What a run says of itself beyond its method."""
    return (
        sa.Column("superseded_by", sa.Integer(), nullable=True),
        sa.Column("variant", sa.String(), nullable=False, server_default=""),
        sa.Column("rounding", sa.String(), nullable=False, server_default="telescoping floors"),
        sa.Column("limits", sa.String(), nullable=False, server_default="{}"),
        sa.Column("stop_at", sa.String(), nullable=False, server_default="[]"),
        sa.Column("labels_sha256", sa.String(), nullable=False, server_default=""),
        sa.Column("sources_sha256", sa.LargeBinary(), nullable=True),
        sa.Column("rules", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("live", sa.Boolean(), nullable=False, server_default="1"),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("whole", sa.String(), nullable=False, server_default="[]"),
        sa.Column("oldest", sa.BigInteger(), nullable=True),
        sa.Column("registered_at", sa.BigInteger(), nullable=False, server_default="0"),
    )


def by_run() -> None:
    """Let every run say for itself how far it reached; until now those of a case shared that."""
    op.rename_table("trace_coin", "trace_coin_of_case")
    op.create_table(
        "trace_coin",
        sa.Column("movement_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("hop", sa.Integer(), nullable=False),
        sa.Column("boundary", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["trace_run.id"], name=op.f("fk_trace_coin_run_id")),
        sa.ForeignKeyConstraint(["movement_id"], ["movement.id"], name=op.f("fk_trace_coin_movement_id")),
        sa.PrimaryKeyConstraint("movement_id", "run_id", name=op.f("pk_trace_coin")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO trace_coin (run_id, movement_id, hop, boundary) SELECT DISTINCT r.id, c.movement_id, c.hop,"
        " c.boundary FROM trace_coin_of_case c JOIN trace_run r ON r.case_id = c.case_id JOIN trace_edge e"
        " ON e.run_id = r.id AND e.to_id = c.movement_id"
    )
    op.drop_table("trace_coin_of_case")
    op.rename_table("trace_edge", "trace_edge_by_number")
    for index in ("uq_trace_edge_to_id_run_id_seq", "ix_trace_edge_from_id"):
        op.drop_index(index, "trace_edge_by_number")
    op.create_table(
        "trace_edge",
        sa.Column("to_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("from_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=True),
        sa.Column("amount", Amount(), nullable=False),
        sa.ForeignKeyConstraint(["from_id"], ["movement.id"], name=op.f("fk_trace_edge_from_id")),
        sa.ForeignKeyConstraint(["run_id"], ["trace_run.id"], name=op.f("fk_trace_edge_run_id")),
        sa.ForeignKeyConstraint(["to_id"], ["movement.id"], name=op.f("fk_trace_edge_to_id")),
        sa.PrimaryKeyConstraint("to_id", "run_id", "seq", name=op.f("pk_trace_edge")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_trace_edge_from_id", "trace_edge", ["from_id"], unique=False)
    op.execute(
        "INSERT INTO trace_edge (to_id, run_id, seq, from_id, ordinal, amount)"
        " SELECT to_id, run_id, seq, from_id, ordinal, amount FROM trace_edge_by_number"
    )
    op.drop_table("trace_edge_by_number")


def label_accounts() -> None:
    """Let a label be an account's balance too."""
    op.rename_table("trace_label", "trace_label_of_coin")
    for index in ("uq_trace_label_case_id_movement_id_block_id", "ix_trace_label_case_id_ordinal"):
        op.drop_index(index, "trace_label_of_coin")
    op.create_table(
        "trace_label",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("movement_id", sa.Integer(), nullable=True),
        sa.Column("holder_id", sa.Integer(), nullable=True),
        sa.Column("asset_id", sa.Integer(), nullable=True),
        sa.Column("amount", Amount(), nullable=True),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_trace_label_block_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_trace_label_case_id")),
        sa.ForeignKeyConstraint(["movement_id"], ["movement.id"], name=op.f("fk_trace_label_movement_id")),
        sa.ForeignKeyConstraint(["holder_id"], ["holder.id"], name=op.f("fk_trace_label_holder_id")),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_trace_label_asset_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trace_label")),
    )
    op.create_index("ix_trace_label_case_id_ordinal", "trace_label", ["case_id", "ordinal"], unique=False)
    unique = "uq_trace_label_case_id_movement_id_block_id"
    op.create_index(unique, "trace_label", ["case_id", "movement_id", "block_id"], unique=True)
    op.execute(
        "INSERT INTO trace_label (id, case_id, block_id, ordinal, movement_id)"
        " SELECT id, case_id, block_id, ordinal, movement_id FROM trace_label_of_coin"
    )
    op.drop_table("trace_label_of_coin")


def make_results() -> None:
    """Make the tables of runs that are not live."""
    op.create_table(
        "trace_source",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("movement_id", sa.Integer(), nullable=True),
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["trace_run.id"], name=op.f("fk_trace_source_run_id")),
        sa.ForeignKeyConstraint(["movement_id"], ["movement.id"], name=op.f("fk_trace_source_movement_id")),
        sa.ForeignKeyConstraint(["holder_id"], ["holder.id"], name=op.f("fk_trace_source_holder_id")),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_trace_source_asset_id")),
        sa.PrimaryKeyConstraint("run_id", "ordinal", name=op.f("pk_trace_source")),
    )
    op.create_table(
        "trace_result",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("tip_id", sa.Integer(), nullable=False),
        sa.Column("computed_at", sa.BigInteger(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("transactions", sa.Integer(), nullable=False),
        sa.Column("ends", sa.Integer(), nullable=False),
        sa.Column("seeded", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["trace_run.id"], name=op.f("fk_trace_result_run_id")),
        sa.ForeignKeyConstraint(["tip_id"], ["block.id"], name=op.f("fk_trace_result_tip_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trace_result")),
    )
    op.create_table(
        "trace_page",
        sa.Column("result_id", sa.Integer(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("ends", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["result_id"], ["trace_result.id"], name=op.f("fk_trace_page_result_id")),
        sa.PrimaryKeyConstraint("result_id", "page", name=op.f("pk_trace_page")),
    )


def make_lots() -> None:
    """Make the tables of traces over accounts."""
    op.create_table(
        "trace_lots",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["trace_run.id"], name=op.f("fk_trace_lots_run_id")),
        sa.ForeignKeyConstraint(["holder_id"], ["holder.id"], name=op.f("fk_trace_lots_holder_id")),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_trace_lots_asset_id")),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_trace_lots_block_id")),
        sa.PrimaryKeyConstraint("run_id", "holder_id", "asset_id", "block_id", name=op.f("pk_trace_lots")),
    )
    op.create_table(
        "account_opening",
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.Column("balance", Amount(), nullable=False),
        sa.ForeignKeyConstraint(["holder_id"], ["holder.id"], name=op.f("fk_account_opening_holder_id")),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_account_opening_asset_id")),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_account_opening_block_id")),
        sa.PrimaryKeyConstraint("holder_id", "asset_id", "block_id", name=op.f("pk_account_opening")),
    )


def add_graph_blocks() -> None:
    """The blocks of coin graphs as columns: derived, and deletable."""
    op.create_table(
        "graph_block",
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("transactions", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.Integer(), nullable=False),
        sa.Column("outputs", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("tx_columns", sa.LargeBinary(), nullable=False),
        sa.Column("in_columns", sa.LargeBinary(), nullable=False),
        sa.Column("out_columns", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_graph_block_block_id")),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_graph_block_chain_id")),
        sa.PrimaryKeyConstraint("block_id", name=op.f("pk_graph_block")),
    )
