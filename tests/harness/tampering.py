"""Changes rows behind the store's back, as whoever owns the file can."""

import sqlite3
from contextlib import closing
from pathlib import Path


def tamper(path: Path, sql: str) -> None:
    """Change what the store's triggers keep; it must change something."""
    with closing(sqlite3.connect(path)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        assert connection.execute(sql).rowcount > 0, "the tampering must change something"
        connection.commit()
