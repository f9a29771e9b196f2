"""`make demo` as a newcomer runs it: what it prints and leaves, and that nothing else stays behind."""

import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from harness.newcomer import ROOT, left_over, short_folder, start, wait_for_nothing

from fixtures import demo

DEMO = [sys.executable, "-m", "fixtures.demo", "--incident"]
LONG_S = 280
END_S = 30.0


@pytest.fixture
def temporary(bitcoind_exe: Path, anvil_exe: Path) -> Iterator[Path]:
    """A temporary folder of the demo's own."""
    with short_folder() as folder:
        yield folder


def test_the_clean_demo_prints_what_is_recorded_and_leaves_its_store(temporary: Path, tmp_path: Path) -> None:
    (tmp_path / "demo.db").write_text("an older demo")
    (tmp_path / "demo.db-wal").write_text("of an older demo")
    process = start(temporary, tmp_path, [*DEMO, "clean"])
    printed, told = process.communicate(timeout=LONG_S)
    assert process.returncode == 0, told
    assert wait_for_nothing(temporary) == []
    assert [path.name for path in tmp_path.iterdir()] == ["demo.db"]
    with closing(sqlite3.connect(f"file:{tmp_path}/demo.db?mode=ro", uri=True)) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert store.execute("SELECT stage FROM v_stage").fetchall() == [("CLOSED",)]
    kept = (ROOT / "docs" / "demo-output.txt").read_text(encoding="utf-8")
    assert printed == kept, "docs/demo-output.txt is stale: run python -m fixtures.demo --incident clean --write-docs"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_demo_leaves_nothing(temporary: Path, tmp_path: Path, number: signal.Signals, code: int) -> None:
    process = start(temporary, tmp_path, [*DEMO, "clean"])
    assert process.stderr is not None
    for line in process.stderr:
        if "09:00" in line:
            break
    assert left_over(temporary), "the demo was to be met at work"
    process.send_signal(number)
    process.communicate(timeout=END_S)
    assert process.returncode == code
    assert wait_for_nothing(temporary) == []
    assert list(tmp_path.iterdir()) == []


def test_a_play_that_ends_otherwise_than_expected_is_an_error(temporary: Path, tmp_path: Path) -> None:
    broken = """
import sys
from fixtures import demo
from fixtures.incidents.beijing import Beijing
from fixtures.incidents.expected import Expected
from fixtures.incidents.plays import clean, plays

def play(stage):
    Beijing(stage).reach("OPENED")
clean.play = play
plays.cache_clear()
sys.exit(demo.main(["--incident", "clean"]))
"""
    process = start(temporary, tmp_path, [sys.executable, "-c", broken])
    printed, told = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "demo: clean: beijing-2026-001: stage: expected CLOSED, got OPENED" in told
    assert "DIFFERENCES FROM WHAT WAS EXPECTED" in printed
    assert wait_for_nothing(temporary) == []


def test_incidents_are_listed_and_an_unknown_one_is_refused_in_one_line(temporary: Path, tmp_path: Path) -> None:
    process = start(temporary, tmp_path, [*DEMO, "list"])
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "clean " in printed
    assert f"{demo.DEFAULT} " in printed
    process = start(temporary, tmp_path, [*DEMO, "nothing-of-this-name"])
    printed, told = process.communicate(timeout=60)
    assert (process.returncode, printed, len(told.strip().splitlines())) == (2, "", 1)
