"""What is filed after the fact, or to undo one, does not make things better than they were."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from disposal import BTC, BTC_CHAIN, THIEF, declared, open_store
from store_builder import WALL
from test_oversight_laws import BEIJING, PAYMENTS, SHA, Story, on_bitcoin

from tracer.custody.case import Leg, LegKind, Watch
from tracer.custody.filing import Draft, RecordRefused
from tracer.custody.records import Approval, Credit, Hold, PlannedLeg, Recording, Statement
from tracer.store import load, past, pastrows
from tracer.store.cases import import_case
from tracer.store.recording import file_records, note_alert
from tracer.store.rivalrows import StoredRivals
from tracer.store.writer import Store
from tracer.types import BlockFacts, Role


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with open_store(tmp_path / "store.db") as store:
        yield Story(store, BEIJING)


def filed(story: Story, kind: str, body: Any, by: str = "CO1", **more: Any) -> None:
    at = more.pop("at", story.play.casework.clock)
    draft = Draft(kind, body, by, more.pop("second", None), at, more.pop("document", SHA), **more)
    file_records(story.store, "HD-1", [draft], story.handles, WALL)


def told(store: Store, rule: str) -> list[tuple[str, bool, str]]:
    with store.connection.begin():
        rows = store.connection.exec_driver_sql(
            "SELECT severity, shown, state FROM v_alert WHERE rule = ? ORDER BY alert_id", (rule,)
        )
        return [(severity, bool(shown), state) for severity, shown, state in rows]


def test_an_approval_that_is_dated_back_does_not_make_a_payment_approved(story: Story) -> None:
    story.mine(story.pay(*PAYMENTS[0]))
    assert told(story.store, "LEG-7") == [("CRITICAL", True, "open")]
    for by in ("AP1", "AP2"):
        filed(story, "approval", Approval(leg="secure"), by, at=story.play.casework.clock - 10_000)
    words = [("CRITICAL", True, "resolved")] * 2  # with none of two approvals, and with one
    assert told(story.store, "LEG-7") == [*words, ("CRITICAL", False, "open")]


def test_approvals_that_were_filed_before_the_payment_count(story: Story) -> None:
    for by in ("AP1", "AP2"):
        filed(story, "approval", Approval(leg="secure"), by)
    story.mine(story.pay(*PAYMENTS[0]))
    assert told(story.store, "LEG-7") == []


@pytest.mark.parametrize("name", ["ap1", "AP1", "\uff21P1"])
def test_one_person_does_not_approve_twice_however_the_name_is_written(story: Story, name: str) -> None:
    filed(story, "approval", Approval(leg="secure"), "AP1")
    with pytest.raises(RecordRefused, match="approved leg secure already"):
        filed(story, "approval", Approval(leg="secure"), name)


def test_what_has_not_come_yet_is_refused(story: Story) -> None:
    with pytest.raises(RecordRefused, match="has not come yet"):
        filed(story, "hold", Hold(start=0, court="Court"), at=WALL + 3600)


def test_a_hold_that_stood_is_not_taken_back(story: Story) -> None:
    filed(story, "hold", Hold(start=story.play.casework.clock, court="Court"), ref="h1")
    start = story.play.casework.clock
    for end in (start, start - 1, start + 1):
        story.mine()
        with pytest.raises(RecordRefused):
            filed(story, "hold", Hold(start=start, end=end, court="Court"), supersedes="h1")
    filed(story, "hold", Hold(start=start, end=story.play.casework.clock, court="Court"), supersedes="h1")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("credit", Credit(amount="0.00 CNY", account="special account")),
        ("recording", Recording(sha256=SHA, start=0, end=2 * WALL, device="camera")),
        ("attestation", Statement(watch="exchange", institution="psb", valid_from=0)),
    ],
)
def test_what_shows_nothing_is_refused(story: Story, kind: str, body: Any) -> None:
    with pytest.raises(RecordRefused):
        filed(story, kind, body, second="CO2")


def test_an_attestation_that_was_superseded_counts_no_more(story: Story) -> None:
    filed(story, "attestation", Statement(watch="agency", institution="psb", valid_from=0), second="CO2", ref="a1")
    assert [one.valid_to for one in story.store.oversight.cases[1].facts.attested["agency"]] == [None]
    body = Statement(watch="agency", institution="psb", valid_from=0, valid_to=1)
    filed(story, "attestation", body, second="CO2", ref="a2", supersedes="a1")
    assert [one.valid_to for one in story.store.oversight.cases[1].facts.attested["agency"]] == [1]


def test_an_alert_is_closed_by_somebody_for_a_reason_and_can_be_reopened(story: Story) -> None:
    story.mine(story.pay(*PAYMENTS[0]))
    with story.store.connection.begin():
        number = story.store.connection.exec_driver_sql("SELECT id FROM alert WHERE rule = 'LEG-7'").scalar_one()
    for by, reason in (("", "seen"), ("CO1", " "), ("tracerd", "seen"), ("CO1", "a\nb"), ("C  O", "seen")):
        with pytest.raises(RecordRefused):
            note_alert(story.store, number, "closed", by, reason, WALL)
    with pytest.raises(RecordRefused, match="is not closed"):
        note_alert(story.store, number, "reopened", "CO1", "not settled", WALL)
    note_alert(story.store, number, "closed", "CO1", "approved by telephone", WALL)
    assert told(story.store, "LEG-7") == [("CRITICAL", True, "closed")]
    note_alert(story.store, number, "reopened", "CO2", "there is no record of that call", WALL)
    assert told(story.store, "LEG-7") == [("CRITICAL", True, "open")]


def test_an_alert_that_a_record_opened_is_open_again_when_a_block_leaves_that_it_was_closed_upon(story: Story) -> None:
    story.mine(story.pay(*PAYMENTS[0]))
    filed(story, "hold", Hold(start=0, court="Court"))
    with story.store.connection.begin():
        number = story.store.connection.exec_driver_sql("SELECT id FROM alert WHERE rule = 'HOLD-1'").scalar_one()
    story.mine()
    note_alert(story.store, number, "closed", "CO1", "lifted by telephone", WALL)
    story.play.disconnect()
    assert told(story.store, "HOLD-1") == [("CRITICAL", True, "open")]


def work_out_anew(story: Story) -> None:
    """Read the case's past again, as for a late watch, and publish it."""
    play, store = story.play, story.store
    with store.connection.begin():
        job, anchor = past.next_job(store.connection, play.handle), load.canonical_ref(store, play.handle, 100)
    assert job is not None
    pastrows.begin(store, play.handle, job, anchor)
    with store.connection.begin():
        job = past.next_job(store.connection, play.handle)
        assert job is not None
        rivals = StoredRivals(store.connection, play.handle, job.case_id)
        work, ids = past.fresh_casework(store, play.handle, True, BTC, job, rivals)
    found, prepared = [], []
    for height, txs in zip(range(101, play.tip.height + 1), story.mined, strict=True):
        with store.connection.begin():
            ref = load.canonical_ref(store, play.handle, height)
            known = past.known_block(store.connection, play.handle, ref)
            assert known is not None
            ids.known = known = past.known_rows(store.connection, known.block)
            rivals.at(known.block)
            ids.new.clear()
            placed = tuple(replace(tx, position=place) for place, tx in enumerate(txs, 1))
            done = work.pass_over(BlockFacts(ref, play.time(height), None, placed), {})
        found.append(pastrows.Found(done, known, frozenset(ids.new)))
        prepared.append(done)
    pastrows.commit_read(store, play.handle, job, found)
    with store.connection.begin():
        job = past.next_job(store.connection, play.handle)
    assert job is not None
    judged = work.judge_all(play.time(play.tip.height), play.marks)
    pastrows.publish(store, play.handle, job, prepared, judged, play.marks, WALL)


@pytest.mark.parametrize("how", ["file", "record"])
def test_a_leak_that_is_declared_a_leg_afterwards_is_told(story: Story, how: str) -> None:
    for action in ("pay", "pay", "pay", "pay", "leak"):
        story.act(action)
    case = on_bitcoin(declared())
    warm = Watch("warm", BTC_CHAIN, THIEF, Role.AGENCY, "psb", 101)
    leg = Leg("evil", LegKind.CONSOLIDATE, BTC.id, ("agency",), "warm", 40_000_000, 0, 100_000, None, None)
    grown = replace(case, watches=(*case.watches, warm), source_sha256=b"grown".ljust(32))
    grown = replace(grown, legs=(*case.legs, leg)) if how == "file" else grown
    import_case(story.store, grown, story.handles, now=WALL, preset=BEIJING)
    if how == "record":
        says = {"what": "CONSOLIDATE", "asset": "bitcoin:BTC", "from": ("agency",), "to": "warm"}
        body = PlannedLeg.model_validate({**says, "amount": "0.4", "max_fee": "0.001"})
        filed(story, "leg", body, second="CO2", ref="evil")
    work_out_anew(story)
    assert told(story.store, "LATE-1") == [("HIGH", True, "open")]
    moved = [one for one in told(story.store, "LEG-1") if one[2] == "open"]
    assert len(moved) == (2 if how == "file" else 3), "the earlier alarms stand; a leg recorded later serves nothing"
