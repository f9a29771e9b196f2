"""The rows by which blocks are judged are what was filed, field by field: whoever changes one is found out."""

from pathlib import Path
from typing import Any

import pytest
from disposal import open_store
from harness.tampering import tamper
from test_oversight_laws import BEIJING, Story

from tracer.custody.filing import Draft
from tracer.custody.records import Filing, PlannedLeg, Statement
from tracer.report.casehistory import case_history
from tracer.store.reader import snapshot
from tracer.store.recording import file_records

FILED: dict[str, Any] = {
    "leg": PlannedLeg.model_validate(
        {
            "what": "CONSOLIDATE",
            "asset": "bitcoin:BTC",
            "from": ("seized-1", "seized-2"),
            "to": "authority",
            "amount": "0.4",
            "tolerance": "0.1",
            "max_fee": "0.001",
            "deadline": 2_000_000_000,
        }
    ),
    "attestation": Statement(watch="agency", institution="psb", valid_from=0, valid_to=2_000_000_000),
    "document": Filing(title="Letter"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "store.db"
    with open_store(file) as store:
        story = Story(store, BEIJING)
        at = story.play.casework.clock
        drafts = [Draft(kind, body, "CO1", "CO2", at, "ab" * 32, ref=f"new-{kind}") for kind, body in FILED.items()]
        file_records(store, "HD-1", drafts, story.handles, at)
    return file


def odd(path: Path) -> str:
    """What the history of the case says of its rows, if it is not that they stand."""
    with snapshot(path) as reader:
        answer = case_history(reader, "HD-1")
    [check] = [one for one in answer.checks if one.rule == "RECORD-2"]
    assert (check.verdict == "CONTRADICTED") == check.reason.startswith("not as filed")
    return check.reason if check.verdict != "SHOWN" else ""


def test_what_was_filed_stands(path: Path) -> None:
    assert odd(path) == ""


LEG, SAID = "record_id IS NOT NULL", "not as filed: "


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        (f"UPDATE leg SET amount = '40000001' WHERE {LEG}", "leg new-leg"),
        (f"UPDATE leg SET tolerance = '0' WHERE {LEG}", "leg new-leg"),
        (f"UPDATE leg SET max_fee = '100001' WHERE {LEG}", "leg new-leg"),
        (f"UPDATE leg SET kind = 'SECURE' WHERE {LEG}", "leg new-leg"),
        (f"UPDATE leg SET ref = 'other' WHERE {LEG}", "leg new-leg"),
        (f"UPDATE leg SET deadline = NULL WHERE {LEG}", "leg new-leg"),
        (f"UPDATE leg SET not_before = 5 WHERE {LEG}", "leg new-leg"),
        (f"UPDATE leg SET needs_test = 1 WHERE {LEG}", "leg new-leg"),
        (f"UPDATE leg SET target_id = (SELECT id FROM watch WHERE ref = 'agency') WHERE {LEG}", "leg new-leg"),
        (f"UPDATE leg SET asset_id = (SELECT id FROM asset WHERE symbol = 'USDT') WHERE {LEG}", "leg new-leg"),
        (f"UPDATE leg SET record_id = NULL WHERE {LEG}", "leg new-leg"),
        (
            f"DELETE FROM leg_source WHERE leg_id = (SELECT max(id) FROM leg WHERE {LEG}) AND watch_id = 1",
            "leg new-leg",
        ),
        (f"UPDATE attestation SET valid_to = valid_to + 1 WHERE {LEG}", "attestation new-attestation"),
        (f"UPDATE attestation SET valid_from = 1 WHERE {LEG}", "attestation new-attestation"),
        (f"UPDATE attestation SET watch_id = watch_id - 1 WHERE {LEG}", "attestation new-attestation"),
        ("UPDATE document SET sha256 = x'00' WHERE ref LIKE 'attestation/%'", "attestation new-attestation"),
        (f"DELETE FROM attestation WHERE {LEG}", "attestation new-attestation"),
        (f"UPDATE document SET sha256 = x'00' WHERE {LEG} AND title = 'Letter'", "document new-document"),
        (f"UPDATE document SET title = 'Other' WHERE {LEG} AND title = 'Letter'", "document new-document"),
    ],
)
def test_a_row_that_was_changed_is_named(path: Path, sql: str, what: str) -> None:
    tamper(path, sql)
    assert odd(path) == SAID + what


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("UPDATE record SET body = '{' WHERE kind = 'leg'", "leg new-leg"),
        ("UPDATE record SET body = '{}' WHERE kind = 'attestation'", "attestation new-attestation"),
        ("UPDATE asset SET decimals = 0 WHERE symbol = 'BTC'", "leg new-leg"),
    ],
)
def test_what_cannot_be_read_any_more_is_named_too(path: Path, sql: str, what: str) -> None:
    tamper(path, sql)
    assert odd(path) == SAID + what
