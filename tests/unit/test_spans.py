"""Coverage as spans: blocks that were checked alike join, a reorg takes back what it took away, gaps show nothing."""

import sqlite3
from itertools import pairwise
from pathlib import Path

import pytest
from disposal import BTC_CHAIN, open_store, play_bitcoin, plays
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine
from store_builder import Play, block_hash

from tracer.report.balances import closed_spans
from tracer.report.spans import span_fault
from tracer.store.reader import snapshot
from tracer.store.spans import ALL, cut_spans, extend_spans, open_span
from tracer.store.writer import Store
from tracer.types import Checked, Hash

READ = "SELECT from_height, to_height, checked FROM v_coverage WHERE watch_set = 'all' ORDER BY from_height"


def span(first: int, last: int, checked: str = "whole") -> dict[str, object]:
    return {"from_height": first, "to_height": last, "checked": checked}


@pytest.mark.parametrize(
    ("spans", "begin", "fault"),
    [
        ([span(1, 50)], 1, None),
        ([span(1, 50)], 0, None),  # the genesis block moves nothing
        ([span(1, 50, "reported"), span(51, 60)], 1, None),
        ([span(10, 50)], 7, "blocks 7 to 9 were not scanned"),
        ([span(1, 20), span(31, 50)], 5, "blocks 21 to 30 were not scanned"),
        ([span(1, 20), span(31, 50)], 31, None),
        (
            [span(1, 20, "header"), span(21, 30), span(31, 40, "header")],
            25,
            "blocks 31 to 40 were read with `hits`: they cannot show that nothing else moved",
        ),
        ([span(1, 20, "header"), span(21, 30)], 21, None),
        ([span(5, 4, "reported")], 5, None),  # nothing was read yet, and nothing is missing
    ],
)
def test_a_gap_or_a_span_read_with_hits_shows_nothing(
    spans: list[dict[str, object]], begin: int, fault: str | None
) -> None:
    assert span_fault(spans, begin) == fault


def test_a_span_read_with_hits_counts_once_proofs_close_it() -> None:
    assert span_fault([span(1, 20, "header"), span(21, 30)], 1, {(1, 20)}) is None


def test_a_chain_has_one_span_per_kind_of_check(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        bitcoin, _ = plays(writer)
        play_bitcoin(bitcoin, 106, leak=False)
        assert spans(writer, bitcoin) == [(101, 106, "reported")]
        bitcoin.mine(checked=Checked.WHOLE)
        bitcoin.mine(checked=Checked.WHOLE)
        assert spans(writer, bitcoin) == [(101, 106, "reported"), (107, 108, "whole")]
        bitcoin.disconnect()
        assert spans(writer, bitcoin) == [(101, 106, "reported"), (107, 107, "whole")]
        bitcoin.disconnect()
        bitcoin.disconnect()
        assert spans(writer, bitcoin) == [(101, 105, "reported")]
    with sqlite3.connect(path) as store:
        row = store.execute("SELECT covered_from, covered_to, covered_hash, checked FROM v_chain LIMIT 1").fetchone()
    store.close()
    assert row == (101, 105, block_hash(f"{BTC_CHAIN} 105").hex(), "reported")


def spans(store: Store, play: Play) -> list[tuple[int, int, str]]:
    with store.connection.begin():
        return [(int(f), int(t), str(k)) for f, t, k in store.connection.exec_driver_sql(READ)]


@given(st.lists(st.one_of(st.sampled_from(Checked), st.integers(1, 6)), max_size=40))
def test_spans_say_of_every_height_how_its_block_was_checked(moves: list[Checked | int]) -> None:
    """A list of checks, one per height, is the model; a whole number takes as many blocks away."""
    connection = Database()
    model: list[Checked] = []
    for move in moves:
        if isinstance(move, Checked):
            model.append(move)
            connection.extend(len(model), move)
        else:
            model = model[: max(0, len(model) - move)]
            connection.cut(len(model))
        assert connection.heights() == [checked.name.lower() for checked in model]
    connection.close()


class Database:
    """Coverage rows alone, in memory."""

    def __init__(self) -> None:
        self.engine = create_engine("sqlite://")
        self.link = self.engine.connect()
        self.link.exec_driver_sql(
            "CREATE TABLE coverage (id INTEGER PRIMARY KEY, chain_id, watch_set, from_height, to_height, end_hash,"
            " checked)"
        )
        open_span(self.link, 1, ALL, 0, Hash(b"0"))

    def extend(self, height: int, checked: Checked) -> None:
        extend_spans(self.link, 1, ALL, [(height, Hash(b"%d" % height), checked)])

    def cut(self, height: int) -> None:
        cut_spans(self.link, 1, height, Hash(b"%d" % height))

    def heights(self) -> list[str]:
        found: list[str] = []
        rows = self.link.exec_driver_sql(
            "SELECT from_height, to_height, end_hash, checked FROM coverage ORDER BY 1"
        ).all()
        for first, last, end, checked in rows:
            assert first == len(found) + 1 and end == b"%d" % last
            found += [checked] * (last - first + 1)
        assert len(rows) <= 1 + len([1 for a, b in pairwise(rows) if a[3] != b[3]])
        return found

    def close(self) -> None:
        self.link.close()
        self.engine.dispose()


def test_a_span_of_which_no_case_proved_anything_is_not_closed(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        plays(store)
    with snapshot(tmp_path / "store.db") as reader:
        assert closed_spans(reader, [], [span(5, 9, "header")]) == set()
