"""What was known when a record was filed outlives reorgs, and what was superseded is not forgotten."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from disposal import open_store
from store_builder import WALL
from test_filed_afterwards import filed, told
from test_oversight_laws import BEIJING, PAYMENTS, Story

from tracer.custody.facts import Arrived, Attested
from tracer.custody.filing import RecordRefused
from tracer.custody.judge import WITHDRAWN
from tracer.custody.records import (
    Approval,
    Award,
    Bond,
    Hold,
    Inquiry,
    PlannedLeg,
    Power,
    Quote,
    Reserve,
    Statement,
    Valuation,
    Withdrawal,
)
from tracer.custody.rules.venue import not_attested
from tracer.report.casestatus import case_status
from tracer.report.custody import legs
from tracer.store.casefacts import load_facts
from tracer.store.reader import snapshot
from tracer.store.recording import OUT_OF_TOUCH_S
from tracer.types import BlockRef, Hash

BLOCK = "7:" + "ab" * 32
DOUBTED = ("CRITICAL", False, "open")


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with open_store(tmp_path / "store.db") as store:
        yield Story(store, BEIJING)


def approve(story: Story) -> None:
    """Two people approve the first payment, dated well before it."""
    for by in ("AP1", "AP2"):
        filed(story, "approval", Approval(leg="secure"), by, at=story.play.casework.clock - 10_000)


def test_a_reorg_does_not_make_what_was_filed_afterwards_timely(story: Story) -> None:
    story.mine(story.pay(*PAYMENTS[0]))
    approve(story)
    assert told(story.store, "LEG-7")[-1] == DOUBTED
    txs = story.mined.pop()
    story.play.disconnect()
    story.mine(*txs)
    assert told(story.store, "LEG-7")[-1] == DOUBTED, "the same payment, in a younger block"


def test_what_was_filed_while_the_block_was_away_was_filed_afterwards(story: Story) -> None:
    story.mine(story.pay(*PAYMENTS[0]))
    mined = story.play.tip
    story.play.disconnect()
    approve(story)
    story.play.reconnect(mined)
    assert told(story.store, "LEG-7")[-1] == DOUBTED


@pytest.mark.parametrize(
    ("state", "silent_s", "doubted"),
    [
        ("in step", 0, False),
        ("following", OUT_OF_TOUCH_S, False),
        ("in step", OUT_OF_TOUCH_S + 1, True),
        ("behind", 0, True),
        ("unreachable", 0, True),
    ],
)
def test_what_was_filed_while_a_chain_was_not_followed_shows_nothing(
    story: Story, state: str, silent_s: int, doubted: bool
) -> None:
    best = BlockRef(110, Hash(bytes(32)), Hash(bytes(32)))
    story.store.set_status(story.play.handle, best, state, "", WALL - silent_s)
    approve(story)
    story.mine(story.pay(*PAYMENTS[0]))
    assert told(story.store, "LEG-7") == ([DOUBTED] if doubted else [])


def test_the_end_of_a_hold_that_was_filed_later_leaves_what_moved_in_doubt(story: Story) -> None:
    start = story.play.casework.clock
    filed(story, "hold", Hold(start=start, court="Court"), ref="h1")
    story.mine(story.pay(*PAYMENTS[0]))
    assert told(story.store, "HOLD-1") == [("CRITICAL", True, "open")]
    filed(story, "hold", Hold(start=start, end=start + 1, court="Court"), supersedes="h1", at=start + 1)
    assert told(story.store, "HOLD-1")[-1] == DOUBTED


def inquiry(story: Story, ref: str, **more: object) -> None:
    """Offers are asked for, from now on."""
    body = Inquiry(asset="bitcoin:BTC", amount="1", closes_at=story.play.casework.clock + 10_000)
    filed(story, "inquiry", body, ref=ref, second="S", **more)


def quote(story: Story, ref: str, venue: str, price: str, of: str = "i", **more: object) -> None:
    """A venue makes an offer."""
    filed(story, "quote", Quote(inquiry=of, venue=venue, price=price), ref=ref, second="S", **more)


def test_a_quote_stays_as_it_was_once_an_award_was_made(story: Story) -> None:
    inquiry(story, "i")
    filed(story, "reserve", Reserve(inquiry="i", price="50.00 HKD"), second="S")
    quote(story, "q1", "ex", "100.00 HKD")
    quote(story, "q2", "psb", "90.00 HKD")
    filed(story, "award", Award(inquiry="i", quote="q2"), ref="aw", second="S")
    assert told(story.store, "PRICE-4") == [("HIGH", True, "open")]
    with pytest.raises(RecordRefused, match="awarded already"):
        quote(story, "q3", "ex", "80.00 HKD", supersedes="q1")
    inquiry(story, "j")
    with pytest.raises(RecordRefused, match="awarded already"):
        quote(story, "q4", "ex", "80.00 HKD", of="j", supersedes="q1")


def test_an_inquiry_that_takes_the_place_of_another_has_had_its_offers(story: Story) -> None:
    at = story.play.casework.clock
    inquiry(story, "i")
    quote(story, "q1", "ex", "100.00 HKD")
    inquiry(story, "i2", supersedes="i", at=at)
    filed(story, "reserve", Reserve(inquiry="i2", price="100.00 HKD"), second="S", at=at)
    quote(story, "q2", "ex", "100.00 HKD", of="i2", at=at)
    assert [one for one in told(story.store, "PRICE-3") if one[2] == "open"] == [("HIGH", False, "open")]


def test_a_token_bond_in_time_does_not_cover_for_the_real_one_that_was_dated_back(story: Story) -> None:
    at = story.play.casework.clock
    filed(story, "valuation", Valuation(asset="bitcoin:BTC", value="1000.00 HKD", source="x"), second="S")
    filed(story, "bond", Bond(amount="0.01 HKD", basis="b"), second="S")
    for payment in PAYMENTS[:3]:
        story.mine(story.pay(*payment))
    assert told(story.store, "BOND-1") == [] and told(story.store, "BOND-2") == [("HIGH", True, "open")]
    filed(story, "bond", Bond(amount="5000.00 HKD", basis="b"), second="S", at=at)
    assert told(story.store, "BOND-1") == [("HIGH", False, "open")]


def test_a_withdrawal_can_be_put_right_and_frees_what_it_named(story: Story) -> None:
    filed(story, "withdrawal", Withdrawal(leg="secure", reason="planed by mistake"), ref="w1")
    filed(story, "withdrawal", Withdrawal(leg="secure", reason="planned by mistake"), ref="w2", supersedes="w1")
    filed(story, "withdrawal", Withdrawal(leg="deposit", reason="planned by mistake"), ref="w3", supersedes="w2")
    kept = story.store.oversight.facts(1)
    assert {leg.ref for leg in kept.legs.values() if leg.withdrawn} == {"deposit"}
    with story.store.connection.begin():
        assert load_facts(story.store.connection, 1) == kept
    filed(story, "approval", Approval(leg="secure"), "AP1", ref="a1")
    filed(story, "approval", Approval(leg="secure"), "AP1", ref="a2", supersedes="a1")


@pytest.mark.parametrize("name", ["AP1\ufe0f", "AP1\u034f", "\u3164", "AP1\u2800", "A\u200bP1"])
def test_a_name_with_letters_that_nobody_sees_is_refused(story: Story, name: str) -> None:
    with pytest.raises(RecordRefused, match="is no name"):
        filed(story, "approval", Approval(leg="secure"), name)


def test_an_open_alert_says_what_is_so_now_and_the_earlier_words_stay_on_record(story: Story) -> None:
    filed(story, "valuation", Valuation(asset="bitcoin:BTC", value="100.00 HKD", source="x"), second="S")
    filed(story, "bond", Bond(amount="109.99 HKD", basis="b"), second="S")
    filed(story, "valuation", Valuation(asset="bitcoin:BTC", value="1000.00 HKD", source="x"), second="S")
    with story.store.connection.begin():
        rows = story.store.connection.exec_driver_sql(
            "SELECT state, message FROM v_alert WHERE rule = 'BOND-2' ORDER BY alert_id"
        ).all()
    assert [tuple(row) for row in rows] == [
        ("resolved", "the bond of 109.99 HKD is 109 % of 100.00 HKD; 110 % is required"),
        ("open", "the bond of 109.99 HKD is 10 % of 1000.00 HKD; 110 % is required"),
    ]


def test_a_leg_that_is_withdrawn_is_judged_so_at_once_and_judged_alike_anew(story: Story) -> None:
    def verdicts() -> dict[str, str]:
        with story.store.connection.begin():
            rows = story.store.connection.exec_driver_sql("SELECT leg_ref, reason FROM v_leg").all()
        return dict(map(tuple, rows))

    def judged_anew() -> list[str]:
        with snapshot(story.store.path) as reader:
            return [check.reason for check in legs(reader, "HD-1").checks if check.rule == "JUDGE-1"]

    story.mine()
    before = judged_anew()
    filed(story, "withdrawal", Withdrawal(leg="deposit", reason="planned by mistake"), ref="w1")
    assert verdicts()["deposit"] == WITHDRAWN and judged_anew() == before
    with snapshot(story.store.path) as reader:
        counts = {row["kind"]: row["withdrawn"] for row in case_status(reader, "HD-1").data["legs"]}
    assert counts["DEPOSIT"] == 1
    filed(story, "withdrawal", Withdrawal(leg="receive", reason="planned by mistake"), ref="w2", supersedes="w1")
    assert verdicts()["deposit"] == "nothing arrived yet" and verdicts()["receive"] == WITHDRAWN
    with story.store.connection.begin():
        story.play.reload()
    story.mine()
    assert verdicts()["receive"] == WITHDRAWN and judged_anew() == before


@pytest.mark.parametrize(
    ("watch", "block", "said"),
    [
        ("nosuch", BLOCK, "no watch 'nosuch'"),
        ("agency", "99:zz", "HEIGHT:HASH"),
        ("agency", "", "HEIGHT:HASH"),
    ],
)
def test_a_power_is_over_an_address_of_the_case_as_of_a_block(story: Story, watch: str, block: str, said: str) -> None:
    body = {"rule": "APPROVE-1", "severity": "CRITICAL", "detail": "an allowance", "watch": watch}
    with pytest.raises(RecordRefused, match=said):
        filed(story, "power", Power.model_construct(**body, block=block))
    for at in (BLOCK, "-"):
        filed(story, "power", Power(**{**body, "watch": "agency", "block": at}))  # type: ignore[arg-type]


@pytest.mark.parametrize("late", [False, True])
def test_an_attestation_that_was_filed_when_the_deposit_was_known_does_not_show_it(story: Story, late: bool) -> None:
    said = Statement(watch="exchange", institution="ex", valid_from=0)
    known = story.store.oversight.facts(1)
    leg = next(leg for leg in known.legs.values() if leg.ref == "deposit")
    filed(story, "attestation", said, second="CO2", ref="a1")
    [record] = [one for one in story.store.oversight.facts(1).records if one.ref == "a1"]
    paid = replace(leg, arrivals=(Arrived(1, leg.amount, WALL, 120, 900),), first_block=record.tip_id if late else 900)
    facts = story.store.oversight.facts(1)
    facts.attested["exchange"] = [Attested(9, "exchange", "ex", 0, None, record.id)]
    found = [(one.shown, one.message) for one in not_attested(paid, facts, BEIJING)]
    text = "leg deposit arrived at exchange; attestation a1 of it was filed when that was known"
    assert found == ([(False, text)] if late else [])
    facts.attested["exchange"].append(Attested(1, "exchange", "ex", 0, None))
    assert not list(not_attested(paid, facts, BEIJING)), "the case file declares one"


def test_a_leg_whose_deadline_has_passed_cannot_be_planned(story: Story) -> None:
    says = {"what": "CONSOLIDATE", "asset": "bitcoin:BTC", "from": ("agency",), "to": "authority", "amount": "0.4"}
    clock = story.play.casework.clock
    with pytest.raises(RecordRefused, match="has passed"):
        filed(story, "leg", PlannedLeg.model_validate({**says, "deadline": clock - 1}), second="CO2")
    filed(story, "leg", PlannedLeg.model_validate({**says, "deadline": clock}), second="CO2")
