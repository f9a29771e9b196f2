"""The first tables."""

import sqlalchemy as sa
from alembic import op

from tracer.store.tables import Amount

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("preset", sa.String(), nullable=False),
        sa.Column("source_sha256", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("ref", name=op.f("uq_cases_ref")),
    )
    op.create_table(
        "chain",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("caip2", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("genesis", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain")),
        sa.UniqueConstraint("caip2", name=op.f("uq_chain_caip2")),
        sa.UniqueConstraint("name", name=op.f("uq_chain_name")),
    )
    op.create_table(
        "asset",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("caip19", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("decimals", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_asset_chain_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset")),
        sa.UniqueConstraint("caip19", name=op.f("uq_asset_caip19")),
    )
    op.create_table(
        "block",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("parent", sa.LargeBinary(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=True),
        sa.Column("canonical", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_block_chain_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_block")),
    )
    op.create_index("ix_block_chain_id_height", "block", ["chain_id", "height"], unique=False)
    op.create_index("uq_block_chain_id_hash", "block", ["chain_id", "hash"], unique=True)
    op.create_table(
        "coverage",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("watch_set", sa.String(), nullable=False),
        sa.Column("from_height", sa.BigInteger(), nullable=False),
        sa.Column("to_height", sa.BigInteger(), nullable=False),
        sa.Column("end_hash", sa.LargeBinary(), nullable=False),
        sa.Column("checked", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_coverage_chain_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coverage")),
    )
    op.create_table(
        "document",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_document_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
    )
    op.create_index("uq_document_case_id_ref", "document", ["case_id", "ref"], unique=True)
    op.create_table(
        "follower_status",
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("node_height", sa.BigInteger(), nullable=True),
        sa.Column("node_hash", sa.LargeBinary(), nullable=True),
        sa.Column("contacted_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_follower_status_chain_id")),
        sa.PrimaryKeyConstraint("chain_id", name=op.f("pk_follower_status")),
    )
    op.create_table(
        "holder",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_holder_chain_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holder")),
    )
    op.create_index("uq_holder_chain_id_key", "holder", ["chain_id", "key"], unique=True)
    op.create_table(
        "institution",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_institution_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_institution")),
    )
    op.create_index("uq_institution_case_id_ref", "institution", ["case_id", "ref"], unique=True)
    op.create_table(
        "policy",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("confirmed", sa.String(), nullable=False),
        sa.Column("final", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_policy_chain_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy")),
    )
    op.create_table(
        "seizure",
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_seizure_case_id")),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_seizure_chain_id")),
        sa.PrimaryKeyConstraint("case_id", "chain_id", name=op.f("pk_seizure")),
    )
    op.create_table(
        "trace_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("fee_policy", sa.String(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_trace_run_case_id")),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_trace_run_chain_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trace_run")),
    )
    op.create_index("uq_trace_run_case_id_chain_id_method", "trace_run", ["case_id", "chain_id", "method"], unique=True)
    op.create_table(
        "unobserved",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("from_height", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_unobserved_chain_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unobserved")),
    )
    op.create_index("uq_unobserved_chain_id_reason", "unobserved", ["chain_id", "reason"], unique=True)
    op.create_table(
        "follower",
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("tip_id", sa.Integer(), nullable=False),
        sa.Column("confirmed_height", sa.BigInteger(), nullable=False),
        sa.Column("final_height", sa.BigInteger(), nullable=False),
        sa.Column("final_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_follower_chain_id")),
        sa.ForeignKeyConstraint(["final_id"], ["block.id"], name=op.f("fk_follower_final_id")),
        sa.ForeignKeyConstraint(["tip_id"], ["block.id"], name=op.f("fk_follower_tip_id")),
        sa.PrimaryKeyConstraint("chain_id", name=op.f("pk_follower")),
    )
    op.create_table(
        "held",
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_held_asset_id")),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_held_block_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_held_case_id")),
        sa.ForeignKeyConstraint(["holder_id"], ["holder.id"], name=op.f("fk_held_holder_id")),
        sa.PrimaryKeyConstraint("case_id", "holder_id", "asset_id", "block_id", name=op.f("pk_held")),
    )
    op.create_table(
        "ledger",
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.Column("seized", Amount(), nullable=False),
        sa.Column("credits", Amount(), nullable=False),
        sa.Column("held", Amount(), nullable=False),
        sa.Column("delivered", Amount(), nullable=False),
        sa.Column("fees", Amount(), nullable=False),
        sa.Column("unexplained", Amount(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_ledger_asset_id")),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_ledger_block_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_ledger_case_id")),
        sa.PrimaryKeyConstraint("case_id", "asset_id", "block_id", name=op.f("pk_ledger")),
    )
    op.create_table(
        "tx",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("txid", sa.LargeBinary(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_tx_block_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tx")),
    )
    op.create_index("ix_tx_txid", "tx", ["txid"], unique=False)
    op.create_index("uq_tx_block_id_position", "tx", ["block_id", "position"], unique=True)
    op.create_table(
        "watch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("institution_id", sa.Integer(), nullable=True),
        sa.Column("birth", sa.BigInteger(), nullable=False),
        sa.Column("outpoints", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_watch_case_id")),
        sa.ForeignKeyConstraint(["holder_id"], ["holder.id"], name=op.f("fk_watch_holder_id")),
        sa.ForeignKeyConstraint(["institution_id"], ["institution.id"], name=op.f("fk_watch_institution_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch")),
    )
    op.create_index("ix_watch_holder_id", "watch", ["holder_id"], unique=False)
    op.create_index("ix_watch_named", "watch", ["case_id"], unique=False, sqlite_where=sa.text("outpoints IS NOT NULL"))
    op.create_index("uq_watch_case_id_ref", "watch", ["case_id", "ref"], unique=True)
    op.create_table(
        "attestation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("watch_id", sa.Integer(), nullable=False),
        sa.Column("institution_id", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_to", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name=op.f("fk_attestation_document_id")),
        sa.ForeignKeyConstraint(["institution_id"], ["institution.id"], name=op.f("fk_attestation_institution_id")),
        sa.ForeignKeyConstraint(["watch_id"], ["watch.id"], name=op.f("fk_attestation_watch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attestation")),
    )
    op.create_index(op.f("ix_attestation_watch_id"), "attestation", ["watch_id"], unique=False)
    op.create_table(
        "leg",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.Column("tolerance", Amount(), nullable=False),
        sa.Column("max_fee", Amount(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_leg_asset_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_leg_case_id")),
        sa.ForeignKeyConstraint(["target_id"], ["watch.id"], name=op.f("fk_leg_target_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leg")),
    )
    op.create_index("uq_leg_case_id_ref", "leg", ["case_id", "ref"], unique=True)
    op.create_table(
        "movement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("tx_id", sa.Integer(), nullable=True),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=True),
        sa.Column("target_id", sa.Integer(), nullable=True),
        sa.Column("spends_id", sa.Integer(), nullable=True),
        sa.Column("spent_txid", sa.LargeBinary(), nullable=True),
        sa.Column("spent_idx", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_movement_asset_id")),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_movement_block_id")),
        sa.ForeignKeyConstraint(["source_id"], ["holder.id"], name=op.f("fk_movement_source_id")),
        sa.ForeignKeyConstraint(["spends_id"], ["movement.id"], name=op.f("fk_movement_spends_id")),
        sa.ForeignKeyConstraint(["target_id"], ["holder.id"], name=op.f("fk_movement_target_id")),
        sa.ForeignKeyConstraint(["tx_id"], ["tx.id"], name=op.f("fk_movement_tx_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_movement")),
    )
    op.create_index(
        "uq_movement_identity", "movement", ["block_id", "kind", sa.text("coalesce(tx_id, 0)"), "idx"], unique=True
    )
    op.create_index(
        "ix_movement_source_id", "movement", ["source_id"], unique=False, sqlite_where=sa.text("source_id IS NOT NULL")
    )
    op.create_index(
        "ix_movement_spends_id", "movement", ["spends_id"], unique=False, sqlite_where=sa.text("spends_id IS NOT NULL")
    )
    op.create_index(
        "ix_movement_target_id", "movement", ["target_id"], unique=False, sqlite_where=sa.text("target_id IS NOT NULL")
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=True),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("leg_id", sa.Integer(), nullable=True),
        sa.Column("tx_id", sa.Integer(), nullable=True),
        sa.Column("message", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_alert_block_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_alert_case_id")),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_alert_chain_id")),
        sa.ForeignKeyConstraint(["leg_id"], ["leg.id"], name=op.f("fk_alert_leg_id")),
        sa.ForeignKeyConstraint(["tx_id"], ["tx.id"], name=op.f("fk_alert_tx_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    op.create_index("ix_alert_block_id", "alert", ["block_id"], unique=False)
    op.create_table(
        "entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.Column("tx_id", sa.Integer(), nullable=True),
        sa.Column("movement_id", sa.Integer(), nullable=True),
        sa.Column("holder_id", sa.Integer(), nullable=True),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("leg_id", sa.Integer(), nullable=True),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_entry_asset_id")),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_entry_block_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_entry_case_id")),
        sa.ForeignKeyConstraint(["holder_id"], ["holder.id"], name=op.f("fk_entry_holder_id")),
        sa.ForeignKeyConstraint(["leg_id"], ["leg.id"], name=op.f("fk_entry_leg_id")),
        sa.ForeignKeyConstraint(["movement_id"], ["movement.id"], name=op.f("fk_entry_movement_id")),
        sa.ForeignKeyConstraint(["tx_id"], ["tx.id"], name=op.f("fk_entry_tx_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry")),
    )
    op.create_index("ix_entry_case_id_block_id", "entry", ["case_id", "block_id"], unique=False)
    op.create_index("ix_entry_leg_id", "entry", ["leg_id"], unique=False, sqlite_where=sa.text("leg_id IS NOT NULL"))
    op.create_table(
        "leg_source",
        sa.Column("leg_id", sa.Integer(), nullable=False),
        sa.Column("watch_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["leg_id"], ["leg.id"], name=op.f("fk_leg_source_leg_id")),
        sa.ForeignKeyConstraint(["watch_id"], ["watch.id"], name=op.f("fk_leg_source_watch_id")),
        sa.PrimaryKeyConstraint("leg_id", "watch_id", name=op.f("pk_leg_source")),
    )
    op.create_table(
        "trace_coin",
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("movement_id", sa.Integer(), nullable=False),
        sa.Column("hop", sa.Integer(), nullable=False),
        sa.Column("boundary", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_trace_coin_case_id")),
        sa.ForeignKeyConstraint(["movement_id"], ["movement.id"], name=op.f("fk_trace_coin_movement_id")),
        sa.PrimaryKeyConstraint("case_id", "movement_id", name=op.f("pk_trace_coin")),
    )
    op.create_table(
        "trace_edge",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("to_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("from_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=True),
        sa.Column("amount", Amount(), nullable=False),
        sa.ForeignKeyConstraint(["from_id"], ["movement.id"], name=op.f("fk_trace_edge_from_id")),
        sa.ForeignKeyConstraint(["run_id"], ["trace_run.id"], name=op.f("fk_trace_edge_run_id")),
        sa.ForeignKeyConstraint(["to_id"], ["movement.id"], name=op.f("fk_trace_edge_to_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trace_edge")),
    )
    op.create_index("ix_trace_edge_from_id", "trace_edge", ["from_id"], unique=False)
    op.create_index("uq_trace_edge_to_id_run_id_seq", "trace_edge", ["to_id", "run_id", "seq"], unique=True)
    op.create_table(
        "trace_label",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("movement_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_trace_label_block_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_trace_label_case_id")),
        sa.ForeignKeyConstraint(["movement_id"], ["movement.id"], name=op.f("fk_trace_label_movement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trace_label")),
    )
    op.create_index("ix_trace_label_case_id_ordinal", "trace_label", ["case_id", "ordinal"], unique=False)
    op.create_index(
        "uq_trace_label_case_id_movement_id_block_id",
        "trace_label",
        ["case_id", "movement_id", "block_id"],
        unique=True,
    )
    op.create_table(
        "verdict",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("leg_id", sa.Integer(), nullable=True),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.Column("policy_id", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("claims", sa.String(), nullable=False),
        sa.CheckConstraint("verdict IN ('SHOWN', 'CONTRADICTED', 'NOT_SHOWN')", name=op.f("ck_verdict_verdict")),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_verdict_asset_id")),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_verdict_block_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_verdict_case_id")),
        sa.ForeignKeyConstraint(["leg_id"], ["leg.id"], name=op.f("fk_verdict_leg_id")),
        sa.ForeignKeyConstraint(["policy_id"], ["policy.id"], name=op.f("fk_verdict_policy_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdict")),
    )
    op.create_index("ix_verdict_block_id", "verdict", ["block_id"], unique=False)
    op.create_index("ix_verdict_subject", "verdict", ["case_id", "leg_id", "asset_id"], unique=False)
    op.create_table(
        "daemon_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("config_sha256", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daemon_run")),
    )
    op.create_table(
        "case_import",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("imported_at", sa.BigInteger(), nullable=False),
        sa.Column("source_sha256", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_import_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_import")),
    )
    op.create_index("uq_case_import_case_id_source_sha256", "case_import", ["case_id", "source_sha256"], unique=True)
