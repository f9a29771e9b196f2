"""The first tables and views."""

from alembic import op

from tracer.store.tables import METADATA
from tracer.store.views import view_statements

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    METADATA.create_all(op.get_bind())
    for statement in view_statements():
        op.execute(statement)
