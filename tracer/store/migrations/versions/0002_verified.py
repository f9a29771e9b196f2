"""What was checked of blocks and movements, and the proofs of transactions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("block", sa.Column("checked", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("tx", sa.Column("proof", sa.LargeBinary(), nullable=True))
    op.add_column("movement", sa.Column("lane", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("policy", sa.Column("tiers", sa.String(), nullable=False, server_default="[]"))
    op.add_column("follower", sa.Column("peak_height", sa.BigInteger(), nullable=False, server_default="-1"))
