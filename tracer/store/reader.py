"""Reads the views inside one read transaction, so that everything one command shows belongs to one moment."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from tracer.errors import StoreUnusable
from tracer.store.connection import open_reader, sqlite_path

Row = dict[str, Any]

NOT_FOR_PEOPLE = frozenset(
    {
        "txid_bytes",
        "amount_key",
        "traced_key",
        "block_id",
        "holder_id",
        "source_id",
        "target_id",
        "spends_id",
        "policy_id",
    }
)
"""Columns that help queries along, and say nothing to a reader."""

UNREADABLE = frozenset({"BUSY", "CANTOPEN", "CORRUPT", "IOERR", "LOCKED", "NOTADB"})
"""SQLite's names for what is wrong with a file, not with a query."""

AT_ONCE = 500
"""Values in one `IN` list; SQLite before 3.32 takes 999."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A store at one moment."""

    connection: Connection

    def rows(self, sql: str, **values: object) -> list[Row]:
        """The rows of a query, without the columns that only help queries along."""
        found = self.connection.execute(text(sql), values).mappings()
        return [{key: value for key, value in row.items() if key not in NOT_FOR_PEOPLE} for row in found]

    def raw(self, sql: str, **values: object) -> Iterator[tuple[Any, ...]]:
        """Stream the rows of a query as tuples."""
        for row in self.connection.execute(text(sql), values):
            yield tuple(row)

    def among(self, sql: str, numbers: Sequence[int], **values: object) -> list[Row]:
        """The rows of a query whose `{numbers}` stands for a list of row numbers."""
        found: list[Row] = []
        for start in range(0, len(numbers), AT_ONCE):
            part = ", ".join(str(int(number)) for number in numbers[start : start + AT_ONCE])
            found += self.rows(sql.replace("{numbers}", part), **values)
        return found


def store_path(given: str) -> Path:
    """The store's file, from a path or a URL."""
    return sqlite_path(given) if "://" in given else Path(given)


@contextmanager
def snapshot(path: Path) -> Iterator[Reader]:
    """Open a store read-only, as it is now; raises StoreUnusable."""
    engine = open_reader(path)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield Reader(connection)
            connection.rollback()
    except DatabaseError as error:
        name = getattr(error.orig, "sqlite_errorname", "")
        if name.removeprefix("SQLITE_").partition("_")[0] not in UNREADABLE:
            raise
        raise StoreUnusable(f"{path} cannot be read: {error.orig}") from error
    finally:
        engine.dispose()
