"""The story of one disposal: what it prints and leaves, and that nothing else stays behind."""

import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from harness.newcomer import left_over, short_folder, start, wait_for_nothing

from fixtures.bitcoind import Bitcoind
from fixtures.ledger.check import failures
from fixtures.scenarios.compare import compare
from fixtures.scenarios.files import Policies
from fixtures.scenarios.performance import Performance, ethereum_node
from fixtures.scenarios.story import STEPS

ROOT = Path(__file__).parent.parent.parent
STORY = [sys.executable, "-m", "fixtures.story"]
END_S = 30.0


@pytest.fixture
def temporary(bitcoind_exe: Path, anvil_exe: Path) -> Iterator[Path]:
    """A temporary folder of the story's own."""
    with short_folder() as folder:
        yield folder


def test_the_story_ends_as_its_ground_truth_says(temporary: Path, tmp_path: Path) -> None:
    (tmp_path / "story.db").write_text("an older story")
    (tmp_path / "story.db-wal").write_text("of an older story")
    process = start(temporary, tmp_path, STORY)
    printed, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert wait_for_nothing(temporary) == []
    assert [path.name for path in tmp_path.iterdir()] == ["story.db"]
    with closing(sqlite3.connect(f"file:{tmp_path}/story.db?mode=ro", uri=True)) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        leak = store.execute("SELECT unexplained FROM v_conservation WHERE symbol = 'BTC'").fetchone()
    assert leak == ("40010000",)
    assert printed.rstrip().endswith("The story ended as its ground truth says.")
    kept = (ROOT / "docs" / "story-output.txt").read_text(encoding="utf-8")
    assert printed == kept, "docs/story-output.txt is stale: run python -m fixtures.story --write-docs"


@pytest.mark.parametrize(
    ("scene", "number", "code"),
    [
        ("anvil runs", signal.SIGINT, 130),
        ("the BTC deposit is mined again", signal.SIGINT, 130),
        ("test transfers", signal.SIGTERM, 143),
    ],
)
def test_an_interrupted_story_leaves_nothing(
    temporary: Path, tmp_path: Path, scene: str, number: signal.Signals, code: int
) -> None:
    process = start(temporary, tmp_path, STORY)
    assert process.stderr is not None
    for line in process.stderr:
        if scene in line:
            break
    assert left_over(temporary), "the story was to be met at work"
    process.send_signal(number)
    process.communicate(timeout=END_S)
    assert process.returncode == code
    assert wait_for_nothing(temporary) == []
    assert list(tmp_path.iterdir()) == []


def test_a_story_that_ends_otherwise_than_expected_is_an_error(temporary: Path, tmp_path: Path) -> None:
    broken = """
import sys
from fixtures import story
from fixtures.scenarios.disposal import Disposal

note = Disposal.note
def forget(self, txid, *refs, outcome="whole"):
    return note(self, txid, *refs, outcome="nothing" if "secure-eth" in refs else outcome)
Disposal.note = forget
sys.exit(story.main([]))
"""
    process = start(temporary, tmp_path, [sys.executable, "-c", broken])
    printed, told = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "story: legs: planned, arrived, fees, verdict: secure-eth: stored" in told
    assert "DIFFERENCES FROM THE GROUND TRUTH" in printed
    assert wait_for_nothing(temporary) == []


def test_a_daemon_that_comes_late_finds_the_same(bitcoind: Bitcoind, tmp_path: Path) -> None:
    policies = Policies(bitcoin_confirmed=1, bitcoin_final=3, ethereum_confirmed=1, ethereum_final="safe")
    with ethereum_node() as anvil:
        show = Performance(bitcoind, anvil, tmp_path, policies)
        show.prepare()
        show.import_case()
        for step in STEPS:
            step.play(show.case)
        show.sync()
        # Nobody was there to see the branch that lost.
        show.case.told.orphaned.clear()
        del show.case.told.alerts["REORG-1", "deposit-btc-1"]
        truth = show.oracle.ask()
        assert failures(compare(show.store, truth)) == []
