"""The store file: migrations against the models, one owner, exact amounts, and readers that cannot write."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from disposal import open_store, plays
from sqlalchemy import create_engine, insert, select
from sqlalchemy.exc import OperationalError
from store_builder import WALL

from tracer.errors import StoreLocked, StoreUnusable
from tracer.store import connection
from tracer.store.rows import insert_many
from tracer.store.tables import METADATA, EntryRow, LedgerRow
from tracer.store.writer import Store


def shape(path: Path) -> dict[str, object]:
    """Columns, keys and indexes of every table, as SQLite itself tells them."""
    with sqlite3.connect(path) as db:
        tables = [
            name
            for (name,) in db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'alembic_version' ORDER BY name"
            )
        ]
        found = {}
        for table in tables:
            indexes = db.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name = ? AND type = 'index'", (table,))
            found[table] = (
                db.execute(f"PRAGMA table_info({table})").fetchall(),
                sorted(row[2:5] for row in db.execute(f"PRAGMA foreign_key_list({table})")),
                sorted((name, " ".join((sql or "").split())) for name, sql in indexes),
            )
    return found


def test_the_migrations_make_what_the_models_say(tmp_path: Path) -> None:
    with Store(tmp_path / "migrated.db"):
        pass
    engine = create_engine(f"sqlite:///{tmp_path / 'models.db'}")
    METADATA.create_all(engine)
    engine.dispose()
    assert shape(tmp_path / "migrated.db") == shape(tmp_path / "models.db")


def test_the_newest_migration_is_the_one_that_the_program_expects() -> None:
    versions = sorted(path.name.split("_")[0] for path in (connection.MIGRATIONS / "versions").glob("[0-9]*.py"))
    assert versions[-1] == connection.HEAD


def test_a_second_owner_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store(path):
        script = (
            f"from pathlib import Path\nfrom tracer.store.writer import Store\nwith Store(Path({str(path)!r})): pass"
        )
        other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert other.returncode == 1
        assert "StoreLocked" in other.stderr
        assert "is in use by tracerd with process id" in other.stderr
        with pytest.raises(StoreLocked), Store(path):
            pass
    with Store(path):
        pass


def test_amounts_up_to_2_to_the_256_come_back_exactly(tmp_path: Path) -> None:
    most = 2**256 - 1
    with Store(tmp_path / "store.db") as store:
        columns = "case_id asset_id block_id seized credits held delivered fees unexplained"
        with store.connection.begin():
            store.connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            insert_many(store.connection, LedgerRow, columns, [(1, 1, 1, most, 0, -most, 2**63, 10**18, 1)])
            table = METADATA.tables["ledger"]
            row = store.connection.execute(select(table)).one()
            assert row[3:] == (most, 0, -most, 2**63, 10**18, 1)
            store.connection.execute(
                insert(table).values(
                    case_id=2,
                    asset_id=1,
                    block_id=1,
                    seized=most,
                    credits=0,
                    held=most,
                    delivered=0,
                    fees=0,
                    unexplained=0,
                )
            )
            raw = store.connection.exec_driver_sql("SELECT typeof(seized), seized FROM ledger WHERE case_id = 2").one()
            assert tuple(raw) == ("text", str(most))
            store.connection.exec_driver_sql("DELETE FROM ledger")


def test_a_row_that_refers_to_nothing_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path / "store.db") as store:
        columns = "case_id block_id asset_id place reason amount"
        with pytest.raises(Exception, match="FOREIGN KEY"), store.connection.begin():
            insert_many(store.connection, EntryRow, columns, [(1, 1, 1, "fee", "x", 1)])


@pytest.mark.parametrize("after_a_status", [False, True])
def test_the_writer_keeps_every_commit(tmp_path: Path, after_a_status: bool) -> None:
    with open_store(tmp_path / "store.db") as store:
        if after_a_status:  # which alone does not wait for the disk
            store.set_status(plays(store)[0].handle, None, "idle", "", 1)
        with store.connection.begin():
            settings = {
                name: store.connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_reader_cannot_write_and_needs_a_store_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "odd ?#name.db"
    with pytest.raises(StoreUnusable, match="there is no store"):
        connection.open_reader(path)
    with Store(path):
        pass
    reader = connection.open_reader(path)
    with reader.connect() as link, pytest.raises(OperationalError, match="readonly"):
        link.exec_driver_sql("CREATE TABLE x (y)")
    reader.dispose()
    (tmp_path / "text.db").write_text("not a database, though long enough to look at" * 50)
    with pytest.raises(StoreUnusable):
        connection.open_reader(tmp_path / "text.db")
    with pytest.raises(StoreUnusable), Store(tmp_path / "text.db"):
        pass


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE precious (x)")
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match="not ours"), Store(path):
        pass
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("precious",)]
    assert before == path.read_bytes()


def test_what_could_not_be_observed_is_noted_once_with_one_alert(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as store:
        bitcoin, ethereum = plays(store)
        assert store.note_unobserved(ethereum.handle, 52, "internal transfers unobserved", WALL)
    with open_store(path) as store:  # a restart forgets nothing
        bitcoin, ethereum = plays(store)
        assert not store.note_unobserved(ethereum.handle, 60, "internal transfers unobserved", WALL)
        assert store.note_unobserved(bitcoin.handle, 101, "internal transfers unobserved", WALL)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT chain_id, from_height, reason FROM unobserved ORDER BY id").fetchall() == [
            (2, 52, "internal transfers unobserved"),
            (1, 101, "internal transfers unobserved"),
        ]
        assert db.execute("SELECT chain_id, rule, severity, message, case_id FROM alert ORDER BY id").fetchall() == [
            (2, "DATA-1", "WARN", "from height 52: internal transfers unobserved", None),
            (1, "DATA-1", "WARN", "from height 101: internal transfers unobserved", None),
        ]


def test_asking_whom_an_address_looks_like_leaves_no_transaction_open(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        bitcoin, _ = plays(store)
        bitcoin.start(100)
        bitcoin.casework.alike(1)
        bitcoin.mine()  # begins one of its own
