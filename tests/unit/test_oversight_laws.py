"""What the daemon keeps of overseen cases between blocks is what reading and assessing them anew says."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from disposal import (
    AGENCY,
    AUTHORITY,
    BTC_CHAIN,
    EXCHANGE,
    SEIZED1,
    SEIZED2,
    THIEF,
    declared,
    open_store,
    plays,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_builder import WALL

from tracer.custody.assess import Assessor
from tracer.custody.case import Case
from tracer.custody.filing import Draft
from tracer.custody.instants import instant_text
from tracer.custody.preset import Preset
from tracer.custody.presetfiles import find_preset
from tracer.custody.records import Approval, Bond, Hold, Mandate, Seizure
from tracer.report.casestatus import case_status
from tracer.store.casefacts import load_facts
from tracer.store.cases import import_case
from tracer.store.oversight import said_of
from tracer.store.reader import snapshot
from tracer.store.recording import file_records
from tracer.store.writer import Store
from tracer.types import ChainId

BEIJING = find_preset("beijing-2025")
SHA = "ab" * 32
ACTIONS = ("pay", "leak", "empty", "reorg", "seizure", "mandate", "bond", "approval", "hold", "reread")

PAYMENTS: tuple[tuple[str, list[tuple[str, int]], list[tuple[Any, int]]], ...] = (
    ("secure", [("f1", 0), ("f2", 0)], [(AUTHORITY, 299_990_000)]),
    ("test", [("secure", 0)], [(AGENCY, 1_000_000), (AUTHORITY, 298_980_000)]),
    ("receive", [("test", 1)], [(AGENCY, 298_970_000)]),
    ("deposit", [("receive", 0)], [(EXCHANGE, 150_000_000), (AGENCY, 148_960_000)]),
)


def on_bitcoin(case: Case) -> Case:
    """The part of a case that one chain shows."""
    watches = tuple(watch for watch in case.watches if watch.chain == BTC_CHAIN)
    named = {watch.ref for watch in watches}
    return replace(
        case,
        seizures={BTC_CHAIN: case.seizures[BTC_CHAIN]},
        watches=watches,
        attestations=tuple(one for one in case.attestations if one.watch in named),
        legs=tuple(leg for leg in case.legs if leg.target in named),
    )


class Story:
    """A case under a preset on the Bitcoin side; every action is one block or one record."""

    def __init__(self, store: Store, preset: Preset) -> None:
        self.store, self.preset = store, preset
        self.play, ethereum = plays(store)
        self.handles = {ChainId(one.handle.caip2): one.handle for one in (self.play, ethereum)}
        import_case(store, on_bitcoin(declared()), self.handles, now=WALL, preset=preset)
        self.play.start(100)
        self.play.begin_headers()
        self.mined: list[list[Any]] = []
        self.mine(self.pay("f1", [], [(SEIZED1, 200_000_000)]), self.pay("f2", [], [(SEIZED2, 100_000_000)]))
        self.paid, self.number = 0, 0

    def pay(self, *payment: Any) -> Any:
        """A transaction."""
        return self.play.pay(*payment)

    def mine(self, *txs: Any) -> None:
        """A block of the branch that counts."""
        self.number = getattr(self, "number", 0) + 1
        self.play.mine(*txs, branch=f"-{self.number}")
        self.mined.append(list(txs))

    def record(self, kind: str, body: Any, by: str) -> None:
        """File a record about now."""
        file_records(
            self.store, "HD-1", [Draft(kind, body, by, None, self.play.casework.clock, SHA)], self.handles, WALL
        )

    def act(self, action: str) -> None:
        """Do one thing."""
        self.number += 1
        match action:
            case "pay" if self.paid < len(PAYMENTS):
                self.mine(self.pay(*PAYMENTS[self.paid]))
                self.paid += 1
            case "leak" if self.paid == 4:
                self.mine(self.pay("leak", [("deposit", 1)], [(THIEF, 40_000_000), (AGENCY, 108_950_000)]))
                self.paid += 1
            case "reorg" if len(self.mined) > 1:
                txs = self.mined.pop()
                self.play.disconnect()
                self.same()
                self.mine(*txs)
            case "seizure":
                self.record("seizure", Seizure(method="keys handed over"), "CO1")
            case "mandate":
                self.record("mandate", Mandate(what="warrant", scope="all"), "CO1")
            case "bond":
                self.record("bond", Bond(amount="100.00 HKD", basis="latest valuation"), "AG1")
            case "approval":
                self.record("approval", Approval(leg="secure"), f"AP{self.number}")
            case "hold":
                self.record("hold", Hold(start=self.play.casework.clock, court="District court"), "CO2")
            case "reread":
                self.store.oversight.forget()
                self.mine()
            case _:
                self.mine()
        self.same()

    def same(self) -> None:
        """Hold what is kept against what is read and assessed anew."""
        with self.store.connection.begin():
            fresh = Assessor(self.preset).assess(load_facts(self.store.connection, 1))
            rows = self.store.connection.exec_driver_sql(
                "SELECT rule, subject FROM v_alert WHERE subject IS NOT NULL AND state != 'resolved'"
            )
            told = {(rule, subject) for rule, subject in rows}
            stage = self.store.connection.exec_driver_sql("SELECT stage, sides, gates, clocks FROM v_stage").one()
        assert told == set(fresh.findings)
        assert tuple(stage) == said_of(fresh)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(st.sampled_from(ACTIONS), min_size=4, max_size=14))
def test_what_is_kept_between_blocks_is_what_reading_anew_says(
    tmp_path_factory: pytest.TempPathFactory, actions: list[str]
) -> None:
    with open_store(tmp_path_factory.mktemp("laws") / "store.db") as store:
        story = Story(store, BEIJING)
        for action in ("pay", "seizure", "pay", "pay", "reorg", "pay", *actions):
            story.act(action)


def test_a_stage_falls_back_with_the_block_that_it_rested_on_and_comes_again(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        story = Story(store, BEIJING)
        for action in ("seizure", "mandate", "pay", "empty", "empty"):
            story.act(action)
        assert stages(store)[-1] == ("SECURED", 0)
        story.play.disconnect()
        story.play.disconnect()
        story.play.disconnect()
        story.same()
        assert stages(store)[-1][0] == "SEIZED" and ("SEIZED", 1) in stages(store)
        story.mine(story.pay(*PAYMENTS[0]))
        story.mine()
        assert stages(store)[-1] == ("SECURED", 0)


def stages(store: Store) -> list[tuple[str, int]]:
    """Every stage that the case stood in, and whether it fell back to it."""
    with store.connection.begin():
        rows = store.connection.exec_driver_sql("SELECT stage, regressed FROM v_stage_all ORDER BY assessment_id")
        return [(stage, regressed) for stage, regressed in rows]


def test_a_leg_that_arrived_says_on_the_screen_what_it_waits_for(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    def waiting() -> list[tuple[str, int, str]]:
        with snapshot(path) as reader:
            rows = case_status(reader, "HD-1").data["awaiting"]
        return [(row["leg_ref"], row["confirmations_needed"], row["expected_utc"]) for row in rows]

    with open_store(path) as store:
        story = Story(store, BEIJING)
        assert waiting() == []
        story.act("pay")  # confirmed with two blocks
        at = story.play.casework.clock + 600
        assert waiting() == [("secure", 1, instant_text(at))]
        story.act("empty")
        assert waiting() == []


@pytest.mark.parametrize(
    "table",
    [
        "cases",
        "verdict",
        "alert",
        "record",
        "assessment",
        "preset",
        "leg",
        "watch",
        "institution",
        "seizure",
        "leg_source",
    ],
)
def test_what_was_said_of_a_case_is_neither_changed_nor_taken_back(tmp_path: Path, table: str) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as store:
        story = Story(store, BEIJING)
        for action in ("seizure", "pay", "leak"):
            story.act(action)
    with closing(sqlite3.connect(path)) as connection:
        before = connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()
        assert before
        row = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1"
        column = "case_id" if table == "seizure" else "leg_id" if table == "leg_source" else "id"
        for sql in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", row):
            with pytest.raises(sqlite3.IntegrityError, match="rows are never changed"):
                connection.execute(sql)
        assert connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall() == before
