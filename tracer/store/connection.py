"""Opens the store: one locked writing connection for the daemon, read-only connections for everybody else."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.pool import StaticPool

from tracer.errors import StoreLocked, StoreUnusable
from tracer.store.views import view_statements

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0004"
"""The newest migration; a test holds it against the migration folder."""


def sqlite_path(url: str) -> Path:
    """The file behind a store URL; raises StoreUnusable for what is not an SQLite file."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreUnusable(f"{url!r} is not a store URL", "Write it as sqlite:///FILE.") from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise StoreUnusable(f"{url!r} does not name an SQLite file", "Write it as sqlite:///FILE.")
    return Path(parsed.database)


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Hold the store's lock file; raises StoreLocked if another process holds it."""
    lock = path.with_name(path.name + ".lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnusable(
            f"{lock} cannot be opened: {error.strerror}", "Check the folder in the store URL."
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
            raise StoreLocked(f"{path} is in use by tracerd with process id {holder or 'unknown'}") from error
        os.truncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(handle)


def open_writer(path: Path) -> Engine:
    """Open (and create or upgrade) the store with the one connection that writes and checkpoints."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=1,
        max_overflow=0,
        connect_args={"check_same_thread": False, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def configure(connection, _record) -> None:  # type: ignore[no-untyped-def]
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -16000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    try:
        refuse_foreign(path)
        migrate(engine, path)
    except DatabaseError as error:
        engine.dispose()
        raise StoreUnusable(f"{path} is not a usable SQLite database: {error.orig}") from error
    return engine


def migrate(engine: Engine, path: Path) -> None:
    """Bring the tables and views to the newest version; raises StoreUnusable for a store newer than this program."""
    with engine.begin() as connection:
        version = stored_version(connection)
    if version == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            for name in inspect(connection).get_view_names():
                connection.exec_driver_sql(f'DROP VIEW "{name}"')
            command.upgrade(config, "head")
            for statement in view_statements():
                connection.exec_driver_sql(statement)
    except CommandError as error:
        raise StoreUnusable(f"{path} has version {version}, unknown here", "Use the newer program.") from error


def stored_version(connection: Connection) -> str | None:
    """The migration a store is at; None for an empty database."""
    names = inspect(connection).get_table_names()
    if "alembic_version" not in names:
        if names:
            raise StoreUnusable("the database has tables, but not ours", "Name another file in the store URL.")
        return None
    row = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if row is None else str(row)


def reading_engine(path: Path) -> Engine:
    """An engine whose one connection cannot write; the path may have any characters."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True), poolclass=StaticPool)


def refuse_foreign(path: Path) -> None:
    """Raise StoreUnusable, without touching it, for a file that is not a store of ours."""
    if not path.is_file() or not path.stat().st_size:
        return
    engine = reading_engine(path)
    try:
        with engine.connect() as connection:
            stored_version(connection)
    finally:
        engine.dispose()


def open_reader(path: Path) -> Engine:
    """Open an existing store read-only; raises StoreUnusable if it is missing or of another version."""
    if not path.is_file():
        raise StoreUnusable(f"there is no store at {path}")
    engine = reading_engine(path)
    try:
        with engine.connect() as connection:
            version = stored_version(connection)
    except DatabaseError as error:
        raise StoreUnusable(f"{path} cannot be read: {error.orig}") from error
    if version != HEAD:
        raise StoreUnusable(
            f"{path} has version {version}; this program reads {HEAD}",
            "Run `tracerd sync` of this version on it, or use the program that wrote it.",
        )
    return engine
