"""The analysts' contract: documented views, kept as SQL text in views.sql."""

from pathlib import Path

SOURCE = Path(__file__).with_name("views.sql")


def view_statements() -> list[str]:
    """The CREATE VIEW statements, in order of dependence."""
    return [statement.strip() for statement in SOURCE.read_text(encoding="utf-8").split(";\n") if statement.strip()]
