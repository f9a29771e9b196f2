"""Labels that were imported."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    add_labels()


def add_labels() -> None:
    """The packs of labels, and what they say."""
    op.create_table(
        "label_pack",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("creator", sa.String(), nullable=False),
        sa.Column("imported_at", sa.BigInteger(), nullable=False),
        sa.Column("snapshot", sa.LargeBinary(), nullable=False),
        sa.Column("superseded_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["superseded_by"], ["label_pack.id"], name=op.f("fk_label_pack_superseded_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_pack")),
    )
    op.create_index("uq_label_pack_sha256", "label_pack", ["sha256"], unique=True)
    texts = ("address", "currency", "label", "category", "abuse", "confidence", "lastmod", "source", "extra")
    op.create_table(
        "label",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pack_id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.Integer(), nullable=True),
        sa.Column("holder_key", sa.LargeBinary(), nullable=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in texts),
        sa.ForeignKeyConstraint(["pack_id"], ["label_pack.id"], name=op.f("fk_label_pack_id")),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_label_chain_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label")),
    )
    for column in ("pack_id", "holder_key", "address"):
        op.create_index(f"ix_label_{column}", "label", [column])
