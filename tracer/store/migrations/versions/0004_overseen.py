"""Presets, records, where cases stand, and what becomes of alerts."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "preset",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_preset")),
        sa.UniqueConstraint("sha256", name=op.f("uq_preset_sha256")),
    )
    add_records()
    op.add_column("cases", sa.Column("preset_id", sa.Integer(), nullable=True))
    op.add_column("institution", sa.Column("aliases", sa.String(), nullable=False, server_default="[]"))
    op.add_column("watch", sa.Column("storage", sa.String(), nullable=True))
    op.add_column("leg", sa.Column("needs_test", sa.Boolean(), nullable=False, server_default="0"))
    for table in ("leg", "attestation", "document"):
        op.add_column(table, sa.Column("record_id", sa.Integer(), nullable=True))
    op.add_column("verdict", sa.Column("rule", sa.String(), nullable=False, server_default=""))
    op.add_column("verdict", sa.Column("rule_version", sa.Integer(), nullable=False, server_default="1"))
    op.execute("UPDATE verdict SET rule = CASE WHEN leg_id IS NULL THEN 'RECON-1' ELSE 'LEG-5' END")
    op.create_index(
        "ix_balance_check_unobserved", "balance_check", ["holder_id"], sqlite_where=sa.text("unobserved != '0'")
    )
    add_assessments()
    widen_alerts()
    if op.get_bind().dialect.name == "sqlite":
        for table in ("attestation", "document"):
            keep(table)
        planned = (
            "case_id, ref, kind, asset_id, target_id, amount, tolerance, max_fee, not_before, deadline, needs_test"
        )
        keep("leg", of=f" OF id, {planned}, record_id")  # which back-fill reads its past may change
        keep("watch", of=" OF id, case_id, holder_id, ref, role, institution_id, birth, outpoints, storage")
        keep("seizure", of=" OF case_id, chain_id, height", key="o.case_id = NEW.case_id AND o.chain_id = NEW.chain_id")
        for table in ("cases", "verdict", "alert", "institution"):
            keep(table)
        keep("leg_source", key="o.leg_id = NEW.leg_id AND o.watch_id = NEW.watch_id")


def add_records() -> None:
    """What people file; nothing of it can be changed or taken back."""
    op.create_table(
        "record",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("supersedes_id", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("second", sa.String(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("tip_id", sa.Integer(), nullable=True),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_record_case_id")),
        sa.ForeignKeyConstraint(["supersedes_id"], ["record.id"], name=op.f("fk_record_supersedes_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record")),
    )
    op.create_index("uq_record_case_id_kind_ref", "record", ["case_id", "kind", "ref"], unique=True)
    op.create_index("ix_record_supersedes_id", "record", ["supersedes_id"])


def add_assessments() -> None:
    """Where cases stood, and what became of alerts."""
    op.create_table(
        "assessment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("preset_id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=True),
        sa.Column("block_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("clock", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("sides", "gates", "clocks")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_assessment_case_id")),
        sa.ForeignKeyConstraint(["preset_id"], ["preset.id"], name=op.f("fk_assessment_preset_id")),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_assessment_chain_id")),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_assessment_block_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
    )
    op.create_index("ix_assessment_case_id_id", "assessment", ["case_id", "id"])
    op.create_table(
        "alert_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name=op.f("fk_alert_event_alert_id")),
        sa.ForeignKeyConstraint(["block_id"], ["block.id"], name=op.f("fk_alert_event_block_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_event")),
    )
    op.create_index("ix_alert_event_alert_id", "alert_event", ["alert_id"])
    if op.get_bind().dialect.name == "sqlite":
        keep("record", "o.case_id = NEW.case_id AND o.kind = NEW.kind AND o.ref = NEW.ref")
        keep("preset", "o.sha256 = NEW.sha256")
        keep("alert_event")
        keep("assessment")


def keep(table: str, same: str = "0", of: str = "", key: str = "o.id = NEW.id") -> None:
    """Refuse UPDATE, DELETE and REPLACE of a table's rows.

    key: what makes a new row the same; same: what else does. of: the columns that stay, all if it is empty.
    """
    stop = f"BEGIN SELECT RAISE(ABORT, '{table} rows are never changed'); END"
    op.execute(f"CREATE TRIGGER {table}_fixed BEFORE UPDATE{of} ON {table} {stop}")
    op.execute(f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} {stop}")
    again = f"WHEN EXISTS (SELECT 1 FROM {table} o WHERE {key} OR {same})"  # REPLACE would delete without a trigger
    op.execute(f"CREATE TRIGGER {table}_once BEFORE INSERT ON {table} {again} {stop}")


def widen_alerts() -> None:
    """Alerts of no single chain, and what rules over a case's facts say."""
    with op.batch_alter_table("alert") as batch:
        batch.alter_column("chain_id", existing_type=sa.Integer(), nullable=True)
        batch.add_column(sa.Column("subject", sa.String(), nullable=True))
        batch.add_column(sa.Column("refs", sa.String(), nullable=False, server_default="[]"))
        batch.add_column(sa.Column("lane", sa.String(), nullable=True))
        batch.add_column(sa.Column("shown", sa.Boolean(), nullable=False, server_default="1"))
        batch.add_column(sa.Column("rule_version", sa.Integer(), nullable=False, server_default="1"))
        batch.add_column(sa.Column("preset_id", sa.Integer(), nullable=True))
        batch.create_foreign_key(op.f("fk_alert_preset_id"), "preset", ["preset_id"], ["id"])
    op.create_index("ix_alert_case_id", "alert", ["case_id"], sqlite_where=sa.text("case_id IS NOT NULL"))
