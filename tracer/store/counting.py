"""SQL conditions on which rows count, for writers and readers alike. Pure."""

from tracer.types import HELD_ROLES

HELD = ", ".join(f"'{role.value}'" for role in sorted(HELD_ROLES, key=lambda role: role.value))
"""The roles of watches in custody, as SQL lists them."""


def published(alias: str) -> str:
    """The SQL condition that a row of `watch`, `seizure` or `leg` counts: it is not late, or its past has been read."""
    return (
        f"({alias}.late_id IS NULL OR EXISTS (SELECT 1 FROM backfill late WHERE late.id = {alias}.late_id"
        " AND late.published_height IS NOT NULL))"
    )
