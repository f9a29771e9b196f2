"""The rules about prices, the bond and money: when each fires, and when not."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.custody_facts import DAY, HOUR, T0, asset, facts, leg, preset, record, ruled, told
from tracer.custody.record import Record

PLAIN = preset()


def inquiry(at: int = T0, closes_at: int = T0 + HOUR, number: int = 10) -> Record:
    return record(number, "inquiry", at, asset="bitcoin:BTC", amount="2", closes_at=closes_at)


def reserve(price: str, at: int = T0 - 1, number: int = 11, of: str = "inquiry-10") -> Record:
    return record(number, "reserve", at, inquiry=of, price=price)


def quote(number: int, venue: str, price: str, at: int = T0 + 1, **keys: Any) -> Record:
    return record(number, "quote", at, **{"inquiry": "inquiry-10", "venue": venue, "price": price, **keys})


def award(of: int = 20, at: int = T0 + DAY) -> Record:
    return record(30, "award", at, inquiry="inquiry-10", quote=f"quote-{of}")


def valuation(value: str, at: int = T0, number: int = 40, asset: str = "bitcoin:BTC") -> Record:
    return record(number, "valuation", at, asset=asset, value=value, source="s")


# PRICE-1


@pytest.mark.parametrize(
    ("price", "percent", "fires"),
    [
        ("1000.00 HKD", 100, False),  # exactly the reserve
        ("999.99 HKD", 100, True),
        ("800.00 HKD", 80, False),
        ("799.99 HKD", 80, True),
        ("2000 HKD", 100, False),
    ],
)
def test_a_price_below_the_presets_share_of_the_reserve_is_told(price: str, percent: int, fires: bool) -> None:
    case = facts(inquiry(), reserve("1000 HKD"), quote(20, "osl", price), award())
    share = "80 % of " if percent == 80 else ""
    text = f"osl won with {price}; the lowest price is {share}1000.00 HKD"
    refs = ("record:30", "record:20", "record:11")
    assert told("PRICE-1", case, ruled(reserve_percent=percent)) == ([("HIGH", text, refs, True)] if fires else [])


def test_a_share_of_an_odd_reserve_is_not_rounded() -> None:
    case = [inquiry(), reserve("0.99 HKD"), award()]  # 80 % are 79.2 cents
    assert told("PRICE-1", facts(*case, quote(20, "osl", "0.79 HKD")), ruled(reserve_percent=80))
    assert not told("PRICE-1", facts(*case, quote(20, "osl", "0.80 HKD")), ruled(reserve_percent=80))


def test_a_price_in_another_currency_than_the_reserve_cannot_be_compared() -> None:
    case = facts(inquiry(), reserve("1000 HKD"), quote(20, "osl", "5000 CNY"), award())
    text = "the quote is in CNY and the reserve in HKD"
    assert told("PRICE-1", case, PLAIN) == [("WARN", text, ("record:30", "record:20", "record:11"), False)]


def test_a_reserve_is_that_of_the_inquiry_and_a_superseded_one_counts_no_more() -> None:
    case = [inquiry(), quote(20, "osl", "900 HKD"), award()]
    assert not told("PRICE-1", facts(*case, reserve("1000 HKD", of="inquiry-99")), PLAIN)
    lower = record(12, "reserve", T0 - 1, inquiry="inquiry-10", price="900 HKD", supersedes=11)
    assert told("PRICE-1", facts(*case, reserve("1000 HKD")), PLAIN)
    assert not told("PRICE-1", facts(*case, reserve("1000 HKD"), lower), PLAIN)


def test_below_the_reference_the_buyer_itself_needs_a_recovery_agreement() -> None:
    case = [inquiry(), reserve("1000 HKD"), quote(20, "buyer", "900 HKD"), award()]
    floor = ruled(reserve_percent=80, recovery_needed=True)
    text = "buyer won with 900.00 HKD, below 1000.00 HKD, and filed no recovery agreement"
    refs = ("record:30", "record:20", "record:11")
    assert told("PRICE-1", facts(*case), floor) == [("HIGH", text, refs, False)]
    assert told("PRICE-1", facts(*case, record(50, "recovery", buyer="other", terms="t")), floor)
    assert not told("PRICE-1", facts(*case, record(50, "recovery", buyer="buyer", terms="t")), floor)
    whole = [inquiry(), reserve("1000 HKD"), quote(20, "buyer", "1000 HKD"), award()]
    assert not told("PRICE-1", facts(*whole), floor)


# PRICE-2

FRESH = ruled(valuation_max_age_s=DAY)


@pytest.mark.parametrize(("at", "fires"), [(T0, False), (T0 - HOUR, True)])
def test_a_valuation_may_be_exactly_as_old_as_allowed(at: int, fires: bool) -> None:
    case = facts(inquiry(), quote(20, "osl", "1 HKD"), award(at=T0 + DAY), valuation("1 HKD", at))
    text = "the valuation was 1 d 1 h old; 1 d is allowed"
    assert told("PRICE-2", case, FRESH) == ([("WARN", text, ("record:30", "record:40"), True)] if fires else [])
    assert not told("PRICE-2", case, PLAIN)
    second = facts(inquiry(), quote(20, "osl", "1 HKD"), award(at=T0 + DAY), valuation("1 HKD", T0 - 1))
    assert told("PRICE-2", second, FRESH)


def test_the_latest_valuation_before_the_award_of_that_asset_counts() -> None:
    case = [inquiry(), quote(20, "osl", "1 HKD"), award(at=T0 + DAY)]
    text = "nobody had valued bitcoin:BTC when the award was made"
    assert told("PRICE-2", facts(*case), FRESH) == [("WARN", text, ("record:30",), True)]
    later, other = valuation("1 HKD", T0 + DAY + 1), valuation("1 HKD", T0 + DAY, asset="ethereum:ETH")
    assert told("PRICE-2", facts(*case, later), FRESH) == [("WARN", text, ("record:30",), True)]
    assert told("PRICE-2", facts(*case, other), FRESH) == [("WARN", text, ("record:30",), True)]
    two = [valuation("1 HKD", T0 + DAY, 41), valuation("1 HKD", T0 - DAY, 42)]  # filed in another order
    assert not told("PRICE-2", facts(*case, *two), FRESH)


# Sales: PRICE-1, PRICE-4, MATH-1


def sold(amount: str, proceeds: str, venue: str = "osl") -> Record:
    return record(40, "sale", T0 + DAY, asset="bitcoin:BTC", amount=amount, venue=venue, proceeds=proceeds)


OFFERED = (inquiry(), reserve("900 HKD"), quote(20, "osl", "1000 HKD"))


@pytest.mark.parametrize(
    ("done", "fires"),
    [
        (sold("2", "1000 HKD"), False),
        (sold("2", "999.99 HKD"), True),
        (sold("0.5", "250 HKD"), False),  # a part, at the price of the whole
        (sold("0.5", "249.99 HKD"), True),
    ],
)
def test_a_sale_brings_for_each_unit_what_had_won(done: Record, fires: bool) -> None:
    text = f"{done.body.amount} bitcoin:BTC brought {done.body.sum}; osl had won with 1000.00 HKD for 2"  # type: ignore[attr-defined]
    refs = ("record:40", "record:30")
    assert told("PRICE-1", facts(*OFFERED, award(), done), PLAIN) == ([("HIGH", text, refs, True)] if fires else [])


def test_without_an_award_a_sale_is_held_against_the_lowest_price() -> None:
    eighty = ruled(reserve_percent=80)
    assert not told("PRICE-1", facts(*OFFERED, sold("2", "720 HKD")), eighty)
    text = "2 bitcoin:BTC brought 719.99 HKD; the lowest price is 720.00 HKD for 2"
    found = [("HIGH", text, ("record:40", "record:11"), True)]
    assert told("PRICE-1", facts(*OFFERED, sold("2", "719.99 HKD")), eighty) == found
    assert not told("PRICE-1", facts(sold("2", "1 HKD")), eighty), "nobody said what is too low"
    [(severity, _, _, shown)] = told("PRICE-1", facts(*OFFERED, sold("2", "5000 CNY")), eighty)
    assert (severity, shown) == ("WARN", False)


def test_it_is_sold_to_whoever_had_won() -> None:
    text = "2 bitcoin:BTC was sold to other; osl had won"
    found = [("HIGH", text, ("record:40", "record:30"), True)]
    assert told("PRICE-4", facts(*OFFERED, award(), sold("2", "1000 HKD", "other")), PLAIN) == found
    assert not told("PRICE-4", facts(*OFFERED, award(), sold("2", "1000 HKD")), PLAIN)


def test_no_more_is_sold_than_was_delivered() -> None:
    there = replace(asset(), symbol="BTC", chain="bitcoin", delivered=2 * 10**8)
    assert not told("MATH-1", facts(there, sold("2", "1000 HKD")), PLAIN)
    text = "sales are of 2.00000001 BTC; 2.00000000 BTC was delivered"
    assert told("MATH-1", facts(there, sold("2.00000001", "1000 HKD")), PLAIN) == [("HIGH", text, ("record:40",), True)]


# PRICE-3

RESERVED = ruled(reserve_needed=True)


@pytest.mark.parametrize(("at", "fires"), [(T0 - 1, False), (T0, False), (T0 + 1, True)])
def test_a_reserve_stands_before_offers_are_asked_for(at: int, fires: bool) -> None:
    text = "inquiry inquiry-10 began at 2026-06-01T00:00:00Z; a reserve was set only at 2026-06-01T00:00:01Z"
    got = told("PRICE-3", facts(inquiry(), reserve("1 HKD", at)), RESERVED)
    assert got == ([("HIGH", text, ("record:10", "record:11"), True)] if fires else [])


def test_an_inquiry_without_a_reserve_is_told_where_one_is_needed() -> None:
    text = "inquiry inquiry-10 began at 2026-06-01T00:00:00Z; a reserve was set not at all"
    assert told("PRICE-3", facts(inquiry()), RESERVED) == [("HIGH", text, ("record:10",), True)]
    assert told("PRICE-3", facts(inquiry(), reserve("1 HKD", of="inquiry-99")), RESERVED)
    assert not told("PRICE-3", facts(inquiry()), PLAIN)


def test_a_reserve_that_was_changed_after_the_inquiry_began_is_told() -> None:
    changed = record(12, "reserve", T0 + 1, inquiry="inquiry-10", price="1 HKD", supersedes=11)
    assert told("PRICE-3", facts(inquiry(), reserve("2 HKD"), changed), RESERVED)


@pytest.mark.parametrize("offer", ["quote", "commitment"])
def test_a_reserve_that_is_dated_back_and_filed_after_an_offer_is_not_shown(offer: str) -> None:
    made = quote(12, "a", "1 HKD") if offer == "quote" else sealed(12, "a", "1 HKD", "n")
    text = "reserve reserve-13 is dated 2026-05-31T23:59:59Z, and was filed after an offer for inquiry-10"
    found = [("HIGH", text, ("record:10", "record:13", "record:12"), False)]
    assert told("PRICE-3", facts(inquiry(), made, reserve("1 HKD", number=13)), RESERVED) == found
    assert not told("PRICE-3", facts(inquiry(), reserve("1 HKD"), made), RESERVED)
    lowered = record(13, "reserve", T0 - 1, inquiry="inquiry-10", price="1 HKD", supersedes=11)
    assert told("PRICE-3", facts(inquiry(), reserve("2 HKD"), made, lowered), RESERVED) == found


# PRICE-4


def test_a_winner_below_the_best_quote_is_told_with_the_best() -> None:
    offers = [quote(20, "osl", "900 HKD"), quote(21, "hashkey", "950 HKD"), quote(22, "exio", "1000 HKD")]
    text = "osl won with 900.00 HKD; exio had offered 1000.00 HKD"
    refs = ("record:30", "record:20", "record:22")
    assert told("PRICE-4", facts(inquiry(), *offers, award()), PLAIN) == [("HIGH", text, refs, True)]
    assert not told("PRICE-4", facts(inquiry(), *offers, award(22)), PLAIN)


@pytest.mark.parametrize(
    ("other", "fires"),
    [
        (quote(21, "b", "900 HKD"), False),  # equal best quotes: either may win
        (quote(21, "b", "900.01 HKD"), True),
        (quote(21, "b", "901 HKD", T0 + HOUR), True),  # at the very close
        (quote(21, "b", "901 HKD", T0 + HOUR + 1), False),  # late
        (quote(21, "b", "901 HKD", inquiry="inquiry-99"), False),
    ],
)
def test_only_valid_quotes_can_be_better(other: Record, fires: bool) -> None:
    assert bool(told("PRICE-4", facts(inquiry(), quote(20, "osl", "900 HKD"), other, award()), PLAIN)) is fires


def test_quotes_in_two_currencies_cannot_be_compared() -> None:
    case = facts(inquiry(), quote(20, "osl", "900 HKD"), quote(21, "b", "1 USD"), award())
    text = "osl won with 900.00 HKD; b had offered 1.00 USD: not comparable"
    assert told("PRICE-4", case, PLAIN) == [("WARN", text, ("record:30", "record:20", "record:21"), False)]


def test_a_winner_that_came_late_or_answers_another_inquiry_is_told() -> None:
    text = "osl won with a quote that was late, for another inquiry, or not what it had committed to"
    expected = [("HIGH", text, ("record:30", "record:20"), True)]
    assert told("PRICE-4", facts(inquiry(), quote(20, "osl", "1 HKD", T0 + HOUR + 1), award()), PLAIN) == expected
    other = quote(20, "osl", "1 HKD", inquiry="inquiry-99")
    assert told("PRICE-4", facts(inquiry(), other, award()), PLAIN) == expected


def test_an_award_of_a_quote_that_does_not_stand_is_told() -> None:
    text = "the award names quote quote-20, which does not stand"
    assert told("PRICE-4", facts(inquiry(), award()), PLAIN) == [("HIGH", text, ("record:30",), True)]


def sealed(number: int, venue: str, price: str, nonce: str) -> Record:
    sha = hashlib.sha256(f"inquiry-10|{venue}|{price}|{nonce}".encode()).hexdigest()
    return record(number, "quote-commitment", inquiry="inquiry-10", venue=venue, sha256=sha)


@pytest.mark.parametrize(
    ("commitments", "nonce", "fires"),
    [
        ([sealed(15, "osl", "900.00 HKD", "n1")], "n1", False),
        ([sealed(15, "osl", "900.00 HKD", "n1")], "n2", True),
        ([sealed(15, "osl", "900.01 HKD", "n1")], "n1", True),
        ([sealed(15, "other", "900.01 HKD", "n1")], "n1", False),  # another venue's
        ([sealed(15, "osl", "900.01 HKD", "n1"), sealed(16, "osl", "900.00 HKD", "n1")], "n1", False),
        (
            [sealed(25, "osl", "900.00 HKD", "n1")],
            "n1",
            False,
        ),  # filed after its quote, it binds nobody
    ],
)
def test_a_quote_is_what_its_venue_had_committed_to(commitments: list[Record], nonce: str, fires: bool) -> None:
    case = facts(inquiry(), *commitments, quote(20, "osl", "900 HKD", nonce=nonce), award())
    assert bool(told("PRICE-4", case, PLAIN)) is fires


# PRICE-5, PRICE-6


@pytest.mark.parametrize(("at", "fires"), [(T0 + HOUR, False), (T0 + HOUR + 1, True)])
def test_a_quote_after_the_close_is_late(at: int, fires: bool) -> None:
    text = "the quote of osl came at 2026-06-01T01:00:01Z, after the inquiry had closed"
    got = told("PRICE-5", facts(inquiry(), quote(20, "osl", "1 HKD", at)), PLAIN)
    assert got == ([("WARN", text, ("record:20",), True)] if fires else [])


THREE = ruled(min_quotes=3)


def test_too_few_venues_with_valid_quotes_are_told() -> None:
    two = [quote(20, "osl", "1 HKD"), quote(21, "b", "1 HKD")]
    text = "valid quotes of 2 venues for inquiry-10; 3 are required"
    refs = ("record:30", "record:20", "record:21")
    assert told("PRICE-6", facts(inquiry(), *two, award()), THREE) == [("WARN", text, refs, True)]
    assert not told("PRICE-6", facts(inquiry(), *two, quote(22, "c", "1 HKD"), award()), THREE)
    assert told("PRICE-6", facts(inquiry(), *two, quote(22, "b", "2 HKD"), award()), THREE)  # one venue twice
    assert told("PRICE-6", facts(inquiry(), *two, quote(22, "c", "1 HKD", T0 + HOUR + 1), award()), THREE)
    assert not told("PRICE-6", facts(inquiry(), *two), THREE)
    assert not told("PRICE-6", facts(inquiry(), *two, award()), PLAIN)


# BOND-1, BOND-2, BOND-3

BONDED = ruled(bond_percent=110)


def bond(amount: str, at: int = T0, number: int = 60) -> Record:
    return record(number, "bond", at, amount=amount, basis="b")


def release(at: int, of: str = "bond-60", number: int = 70) -> Record:
    return record(number, "bond-release", at, bond=of)


@pytest.mark.parametrize("kind", ["TEST", "RECEIVE"])
def test_the_agency_receives_nothing_before_the_bond(kind: str) -> None:
    head = "the agency first received at 2026-06-01T00:00:00Z; "
    assert told("BOND-1", facts(leg(1, kind, T0)), BONDED) == [("HIGH", head + "there is no bond", (), True)]
    late = [("HIGH", head + "the bond came at 2026-06-01T00:00:01Z", ("record:60",), True)]
    assert told("BOND-1", facts(leg(1, kind, T0), bond("1 CNY", T0 + 1)), BONDED) == late
    assert not told("BOND-1", facts(leg(1, kind, T0), bond("1 CNY", T0)), BONDED)
    assert not told("BOND-1", facts(leg(1, kind)), BONDED)
    assert not told("BOND-1", facts(leg(1, kind, T0)), PLAIN)


@pytest.mark.parametrize(("tip_id", "fires"), [(None, True), (509, False), (510, True), (600, True)])
def test_a_bond_that_was_filed_when_the_receipt_was_known_is_not_shown_to_have_stood(
    tip_id: int | None, fires: bool
) -> None:
    posted = record(60, "bond", T0 - HOUR, amount="1 CNY", basis="b", tip_id=tip_id)
    how = "while no chain was followed" if tip_id is None else "when that was known"
    head = "the agency first received at 2026-06-01T00:00:00Z; the bond is dated 2026-05-31T23:00:00Z"
    text = f"{head}, and was filed {how}"
    got = told("BOND-1", facts(leg(1, "TEST", T0), leg(2, "RECEIVE", T0 + 1), posted), BONDED)
    assert got == ([("HIGH", text, ("record:60",), False)] if fires else [])
    before = record(61, "bond", T0, amount="1 CNY", basis="b", tip_id=509)
    assert not told("BOND-1", facts(leg(1, "TEST", T0), posted, before), BONDED), "one of them stood"


def test_legs_of_the_authority_need_no_bond() -> None:
    assert not told("BOND-1", facts(leg(1, "SECURE", T0)), BONDED)


@pytest.mark.parametrize(("amount", "fires"), [("1100.00 CNY", False), ("1099.99 CNY", True)])
def test_a_bond_of_exactly_110_percent_is_enough(amount: str, fires: bool) -> None:
    got = told("BOND-2", facts(bond(amount), valuation("1000 CNY")), BONDED)
    text = "the bond of 1099.99 CNY is 109 % of 1000.00 CNY; 110 % is required"
    assert got == ([("HIGH", text, ("record:60", "record:40"), True)] if fires else [])


def test_the_bond_is_held_against_the_latest_valuation_of_every_asset_by_when_it_was_made() -> None:
    rise = [valuation("1000 CNY", T0, 40), valuation("2000 CNY", T0 + 1, 41)]
    text = "the bond of 1100.00 CNY is 55 % of 2000.00 CNY; 110 % is required"
    expected = [("HIGH", text, ("record:60", "record:41"), True)]
    assert told("BOND-2", facts(bond("1100 CNY"), *rise), BONDED) == expected
    swapped = [valuation("2000 CNY", T0 + 1, 41), valuation("1000 CNY", T0, 42)]  # the older one was filed later
    assert told("BOND-2", facts(bond("1100 CNY"), *swapped), BONDED) == expected
    both = [valuation("500 CNY"), valuation("500 CNY", number=41, asset="ethereum:ETH")]
    assert not told("BOND-2", facts(bond("1100 CNY"), *both), BONDED)
    assert told("BOND-2", facts(bond("1099.99 CNY"), *both), BONDED)


def test_bonds_add_up_unless_one_was_released() -> None:
    two = [bond("600 CNY"), bond("500 CNY", number=61), valuation("1000 CNY")]
    assert not told("BOND-2", facts(*two), BONDED)
    assert told("BOND-2", facts(*two, release(T0)), BONDED)


def test_a_bond_in_another_currency_cannot_be_compared() -> None:
    text = "bond and valuations are in CNY, HKD: nobody can compare them exactly"
    got = told("BOND-2", facts(bond("9999 CNY"), valuation("1000 HKD")), BONDED)
    assert got == [("WARN", text, ("record:60", "record:40"), False)]


def test_once_the_proceeds_are_credited_the_bond_is_compared_no_more() -> None:
    small = [bond("1 CNY"), valuation("1000 CNY")]
    assert told("BOND-2", facts(*small), BONDED)
    assert not told("BOND-2", facts(*small, record(80, "credit", amount="1 CNY", account="a")), BONDED)
    assert not told("BOND-2", facts(bond("1 CNY")), BONDED)
    assert not told("BOND-2", facts(valuation("1 CNY")), BONDED)
    assert not told("BOND-2", facts(*small), PLAIN)


STAGES = [
    {"name": "SOLD", "gate": ["record sale"]},
    {"name": "REMITTED", "gate": ["record remittance"], "unless": ["no-legs DEPOSIT", "legs RETURN"]},
    {"name": "CLOSED", "gate": ["record closing"]},
]
HELD = preset(STAGES, rules={"bond_until": "REMITTED"})


@pytest.mark.parametrize(("at", "fires"), [(T0 + HOUR, False), (T0 + HOUR - 1, True)])
def test_a_bond_stands_until_its_stage_is_reached(at: int, fires: bool) -> None:
    sold = record(81, "sale", T0, asset="bitcoin:BTC", amount="1", venue="v", proceeds="1 CNY")
    paid = record(82, "remittance", T0 + HOUR, amount="1 CNY", to="treasury")
    text = "the bond was released at 2026-06-01T00:59:59Z, before the case was REMITTED"
    assert told("BOND-3", facts(bond("1 CNY"), sold, paid, release(at)), HELD) == (
        [("HIGH", text, ("record:70",), True)] if fires else []
    )
    assert told("BOND-3", facts(bond("1 CNY"), paid, release(at)), HELD)  # an earlier stage is missing
    assert not told("BOND-3", facts(bond("1 CNY"), release(at)), PLAIN)


def test_a_case_that_leaves_the_bonds_stage_out_keeps_it_to_the_next_one() -> None:
    sold = record(81, "sale", T0, asset="bitcoin:BTC", amount="1", venue="v", proceeds="1 CNY")
    back = [leg(1, "RETURN", T0), sold, bond("1 CNY"), release(T0 + DAY)]
    closed = record(83, "closing", T0 + DAY, reason="r")
    text = "the bond was released at 2026-06-02T00:00:00Z, before the case was CLOSED"
    assert told("BOND-3", facts(*back), HELD) == [("HIGH", text, ("record:70",), True)]
    assert not told("BOND-3", facts(*back, closed), HELD)


# MATH-1, MATH-2


def settlement(number: int = 90, **keys: Any) -> Record:
    says = {"proceeds": "1000.00 HKD", "rate": "0.9213", "fees": "1.30 CNY", "credited": "920.00 CNY", **keys}
    return record(number, "settlement", **says)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, None),  # 921.30 - 1.30
        ({"credited": "920.01 CNY"}, "1000.00 HKD x 0.9213 - 1.30 CNY is 920.00 CNY, not 920.01 CNY"),
        ({"credited": "919.99 CNY"}, "1000.00 HKD x 0.9213 - 1.30 CNY is 920.00 CNY, not 919.99 CNY"),
        ({"rate": "0.921309"}, None),  # 920.009: a part of a minor unit, rounded down
        ({"rate": "0.921309", "credited": "920.01 CNY"}, None),  # or up
        (
            {"rate": "20.5", "fees": "0 JPY", "credited": "20501 JPY"},
            "1000.00 HKD x 20.5 - 0 JPY is 20500 JPY, not 20501 JPY",
        ),
        ({"rate": "20.5", "fees": "0 JPY", "credited": "20500 JPY"}, None),
    ],
)
def test_a_settlement_adds_up_to_the_minor_unit(keys: dict[str, str], message: str | None) -> None:
    one = settlement(**keys)
    got = told("MATH-1", facts(sale("1000 HKD"), one, credit(one.body.credited)), PLAIN)
    assert got == ([("HIGH", message, ("record:90",), True)] if message else [])


def test_fees_in_another_currency_than_the_credit_cannot_be_taken_off() -> None:
    got = told("MATH-1", facts(sale("1000 HKD"), settlement(fees="1 HKD"), credit("920 CNY")), PLAIN)
    assert got == [("HIGH", "fees are in HKD and the credit in CNY", ("record:90",), False)]


def sale(proceeds: str, number: int = 91) -> Record:
    return record(number, "sale", asset="bitcoin:BTC", amount="1", venue="v", proceeds=proceeds)


def credit(amount: str, number: int = 92) -> Record:
    return record(number, "credit", amount=amount, account="a")


def remittance(amount: str, number: int = 93, to: str = "treasury") -> Record:
    return record(number, "remittance", amount=amount, to=to)


CLOSED = record(99, "closing", reason="r")


@pytest.mark.parametrize(
    ("came", "went", "closed", "expected"),
    [
        ("5 CNY", "5 CNY", False, None),
        ("5 CNY", "5 CNY", True, None),
        ("5 CNY", "4.99 CNY", False, ("WARN", "5.00 CNY credited, and 4.99 CNY paid out so far", False)),
        ("5 CNY", "4.99 CNY", True, ("HIGH", "5.00 CNY credited, and 4.99 CNY paid out", True)),
        ("5 CNY", "5.01 CNY", False, ("HIGH", "5.00 CNY credited, and 5.01 CNY paid out", True)),
    ],
)
def test_what_was_credited_is_paid_out_and_never_more(
    came: str, went: str, closed: bool, expected: tuple[str, str, bool] | None
) -> None:
    got = told("MATH-2", facts(credit(came), remittance(went), *([CLOSED] if closed else [])), PLAIN)
    assert [(severity, text, shown) for severity, text, _, shown in got] == ([expected] if expected else [])
    assert all(refs == ("record:92", "record:93") for _, _, refs, _ in got)


def test_treasury_owner_and_fees_add_up_and_a_closed_case_keeps_nothing_back() -> None:
    parts = [remittance("3 CNY"), remittance("1 CNY", 94, "owner"), remittance("1 CNY", 95, "fees")]
    assert not told("MATH-2", facts(credit("5 CNY"), *parts, CLOSED), PLAIN)
    assert not told("MATH-2", facts(credit("5 CNY")), PLAIN)  # nothing is paid out yet
    assert told("MATH-2", facts(credit("5 CNY"), CLOSED), PLAIN)
    assert told("MATH-2", facts(credit("5 CNY"), remittance("5 HKD")), PLAIN)


@pytest.mark.parametrize(
    ("things", "expected"),
    [
        ([sale("1000 HKD"), settlement(), credit("920 CNY")], []),
        ([sale("999 HKD"), settlement()], [("sales brought 999.00 HKD, and 1000.00 HKD settled", True)]),
        ([sale("1001 HKD"), settlement()], [("sales brought 1001.00 HKD, and 1000.00 HKD settled so far", False)]),
        (
            [sale("1001 HKD"), settlement(), credit("920 CNY"), CLOSED],
            [("sales brought 1001.00 HKD, and 1000.00 HKD settled", True)],
        ),
        (
            [sale("1000 HKD"), settlement(), credit("921 CNY")],
            [("settlements give 920.00 CNY, and 921.00 CNY credited", True)],
        ),
        ([settlement()], [("sales brought 0.00 HKD, and 1000.00 HKD settled so far", False)]),
        ([sale("5 EUR"), credit("5 EUR")], []),  # no currency is exchanged
        ([sale("5 EUR"), credit("6 EUR")], [("sales brought 5.00 EUR, and 6.00 EUR credited", True)]),
        ([sale("5 EUR"), credit("4 EUR")], [("sales brought 5.00 EUR, and 4.00 EUR credited so far", False)]),
        ([sale("5 EUR")], []),
        ([sale("5 EUR"), CLOSED], [("sales brought 5.00 EUR, and 0.00 EUR credited", True)]),
    ],
)
def test_money_is_followed_from_the_sale_to_the_account(things: list[Record], expected: list[tuple[str, bool]]) -> None:
    got = [(text, shown) for _, text, _, shown in told("MATH-1", facts(*things), PLAIN)]
    assert got == expected
