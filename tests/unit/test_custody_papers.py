"""The rules about exchanges, recordings, documents and people: when each fires, and when not."""

from typing import Any

import pytest

from tests.unit.custody_facts import (
    DAY,
    HOUR,
    T0,
    facts,
    found,
    leg,
    preset,
    record,
    ruled,
    told,
)
from tracer.custody.facts import Attested, InstitutionFacts
from tracer.custody.preset import Preset
from tracer.custody.record import Record

PLAIN = preset()
NOBODY: list[Any] = []


# EXC-1


def register(**line: Any) -> Preset:
    return preset(
        rules={"licensed_kinds": ["DEPOSIT"]}, licence=[{"entity": "The Venue", "type": "x", "source": "y", **line}]
    )


def test_a_deposit_at_an_unlicensed_exchange_is_told() -> None:
    case = facts(leg(1, "DEPOSIT", T0))
    message = "leg deposit-1: The Venue received at 2026-06-01T00:00:00Z without a licence that was valid then"
    refs = ("leg:1", "movement:10", "preset:licence:1")
    assert told("EXC-1", case, register(valid_from=T0 + 1)) == [("HIGH", message, refs, True)]
    message = "leg deposit-1: The Venue received at 2026-06-01T00:00:00Z and nobody knows a licence of that name"
    assert told("EXC-1", case, register(entity="Another")) == [("HIGH", message, refs[:2], True)]


def test_an_unknown_date_of_a_licence_leaves_it_open_and_an_end_that_is_known_does_not() -> None:
    case = facts(leg(1, "DEPOSIT", T0))
    message = (
        "leg deposit-1: the register names no date from which The Venue was licensed; it received at "
        "2026-06-01T00:00:00Z"
    )
    assert told("EXC-1", case, register()) == [("WARN", message, ("leg:1", "movement:10", "preset:licence:1"), False)]
    assert [one.found.shown for one in found("EXC-1", case, register(valid_to=T0 - 1))] == [True]
    assert [one.found.shown for one in found("EXC-1", case, register(valid_to=T0))] == [False]


@pytest.mark.parametrize(
    ("line", "fires"),
    [
        ({"valid_from": T0}, False),
        ({"valid_from": T0 + 1}, True),
        ({"valid_from": T0 - DAY, "valid_to": T0}, False),
        ({"valid_from": T0 - DAY, "valid_to": T0 - 1}, True),
        ({"entity": "Venue Holding", "names": ["the venue"], "valid_from": T0}, False),  # under a further name
    ],
)
def test_a_licence_holds_from_its_first_to_its_last_instant(line: dict[str, Any], fires: bool) -> None:
    assert bool(told("EXC-1", facts(leg(1, "DEPOSIT", T0)), register(**line))) is fires


def test_every_part_of_a_deposit_needs_the_licence() -> None:
    ended = register(valid_from=T0 - DAY, valid_to=T0)
    one = found("EXC-1", facts(leg(1, "DEPOSIT", T0, T0 + HOUR)), ended)
    assert [(f.found.shown, "at 2026-06-01T01:00:00Z" in f.found.message) for f in one] == [(True, True)]


def test_a_licence_record_of_the_case_counts_beside_the_register() -> None:
    filed = record(50, "licence", institution="venue", entity="V", type="x", source="y", valid_from=T0)
    assert not told("EXC-1", facts(leg(1, "DEPOSIT", T0), filed), register())
    other = record(50, "licence", institution="other", entity="V", type="x", source="y", valid_from=T0)
    assert told("EXC-1", facts(leg(1, "DEPOSIT", T0), other), register())


def test_other_kinds_and_deposits_to_come_need_no_licence() -> None:
    wanted = register(valid_from=T0 + 1)
    assert not told("EXC-1", facts(leg(1, "DEPOSIT"), leg(2, "RECEIVE", T0)), wanted)


# EXC-2


def test_a_deposit_to_an_address_that_nobody_attested_is_told() -> None:
    message = "leg deposit-1 arrived at desk at 2026-06-01T00:00:00Z, when nobody had attested it"
    assert told("EXC-2", facts(leg(1, "DEPOSIT", T0)), PLAIN) == [("HIGH", message, ("leg:1", "movement:10"), True)]


@pytest.mark.parametrize(
    ("valid", "fires"),
    [((T0, T0), False), ((T0 + 1, None), True), ((T0 - DAY, T0 - 1), True), ((T0 - DAY, None), False)],
)
def test_an_attestation_holds_from_its_first_to_its_last_instant(valid: tuple[int, int | None], fires: bool) -> None:
    got = told("EXC-2", facts(leg(1, "DEPOSIT", T0), Attested(9, "desk", "venue", *valid)), PLAIN)
    message = "leg deposit-1 arrived at desk at 2026-06-01T00:00:00Z, when its attestation was not valid"
    assert got == ([("HIGH", message, ("leg:1", "movement:10", "attestation:9"), True)] if fires else NOBODY)


def test_two_attestations_may_cover_the_parts_of_one_deposit_between_them() -> None:
    case = facts(
        leg(1, "DEPOSIT", T0, T0 + HOUR),
        Attested(8, "desk", "venue", T0 - DAY, T0),
        Attested(9, "desk", "venue", T0 + HOUR, None),
    )
    assert not told("EXC-2", case, PLAIN)
    assert told("EXC-2", facts(leg(1, "RETURN", T0), Attested(9, "elsewhere", "venue", 0, None)), PLAIN)
    assert not told("EXC-2", facts(leg(1, "RECEIVE", T0)), PLAIN)


def test_an_institution_of_another_name_is_not_in_the_register() -> None:
    case = facts(leg(1, "DEPOSIT", T0), InstitutionFacts("venue", "The Venue Two", "EXCHANGE"))
    assert told("EXC-1", case, register(valid_from=T0))


# REC-1, REC-2

FILMED = ruled(recorded_kinds=["RECEIVE"])
SHA, OTHER = "a" * 64, "b" * 64


def film(start: int, end: int, **keys: Any) -> Record:
    return record(60, "recording", start, sha256=SHA, start=start, end=end, device="camera 1", **keys)


@pytest.mark.parametrize(
    ("start", "end", "legs", "fires"),
    [
        (T0, T0, [], False),
        (T0 + 1, T0 + HOUR, [], True),
        (T0 - HOUR, T0 - 1, [], True),
        (T0, T0, ["receive-1"], False),
        (T0, T0, ["receive-2"], True),  # it shows another leg
    ],
)
def test_a_recording_covers_its_first_and_last_instant(start: int, end: int, legs: list[str], fires: bool) -> None:
    got = told("REC-1", facts(leg(1, "RECEIVE", T0), film(start, end, legs=legs)), FILMED)
    message = "leg receive-1 was paid at 2026-06-01T00:00:00Z, and no recording covers that instant"
    assert got == ([("WARN", message, ("leg:1", "movement:10"), True)] if fires else NOBODY)


def test_only_kinds_that_are_filmed_and_have_been_paid_need_a_recording() -> None:
    assert not told("REC-1", facts(leg(1, "RECEIVE"), leg(2, "SECURE", T0)), FILMED)


def test_a_recording_whose_file_changed_is_told_and_stays_told() -> None:
    filmed, good = film(T0, T0), record(61, "recording-check", recording="recording-60", sha256=SHA)
    bad = record(62, "recording-check", recording="recording-60", sha256=OTHER)
    message = "the file of recording recording-60 has another hash than was filed"
    assert told("REC-2", facts(filmed, bad), PLAIN) == [("HIGH", message, ("record:60", "record:62"), True)]
    assert told("REC-2", facts(filmed, bad, good), PLAIN)
    assert not told("REC-2", facts(filmed, good), PLAIN)


# DOC-1, DOC-2, LOSS-1

WARRANT = ruled(documents=["mandate what=warrant"])


def mandate(number: int = 70, what: str = "warrant", **keys: Any) -> Record:
    return record(number, "mandate", what=what, scope="all", **keys)


def test_a_missing_document_is_told_once_something_was_paid() -> None:
    message = "legs have been paid since 2026-06-01T00:00:00Z, and nobody filed: mandate what=warrant"
    assert told("DOC-1", facts(leg(1, "SECURE", T0)), WARRANT) == [("WARN", message, (), False)]
    assert told("DOC-1", facts(leg(1, "SECURE", T0), mandate(what="agreement")), WARRANT)
    assert not told("DOC-1", facts(leg(1, "SECURE", T0), mandate()), WARRANT)
    assert not told("DOC-1", facts(leg(1, "SECURE")), WARRANT)


def test_a_record_that_needs_a_document_and_rests_on_none_is_told() -> None:
    case = facts(leg(1, "SECURE", T0), mandate(document=None))
    assert told("DOC-1", case, PLAIN) == [("WARN", "mandate mandate-70 rests on no document", ("record:70",), False)]
    assert not told("DOC-1", facts(leg(1, "SECURE", T0), record(71, "seizure", method="m")), PLAIN)


@pytest.mark.parametrize(
    ("records", "fires"),
    [
        ([mandate(valid_to=T0)], False),
        ([mandate(valid_to=T0 - 1)], True),
        ([mandate(valid_to=T0 - 1), mandate(71, valid_from=T0, valid_to=T0)], False),  # renewed
        ([mandate(valid_to=T0 - 1), mandate(71, valid_from=T0 + 1)], True),  # renewed too late
        ([mandate(valid_to=T0 - 1), mandate(71, "agreement")], True),  # another kind of mandate
    ],
)
def test_a_mandate_holds_to_its_last_instant_or_is_renewed(records: list[Record], fires: bool) -> None:
    got = told("DOC-2", facts(leg(1, "SECURE", T0), *records), PLAIN)
    message = "warrant mandate-70 ended at 2026-05-31T23:59:59Z; a leg was paid 2026-06-01T00:00:00Z"
    assert got == ([("HIGH", message, ("record:70",), True)] if fires else NOBODY)
    assert not told("DOC-2", facts(leg(1, "SECURE"), *records), PLAIN)


@pytest.mark.parametrize(("end", "again", "fires"), [(T0, False, False), (T0 - 1, False, True), (T0 - 1, True, False)])
def test_a_document_that_had_expired_is_told_unless_it_was_filed_anew(end: int, again: bool, fires: bool) -> None:
    filings = [record(72, "document", title="framework", valid_to=end)]
    filings += [record(73, "document", title="framework")] if again else []
    got = told("DOC-2", facts(leg(1, "SECURE", T0), *filings), PLAIN)
    message = "document document-72 (framework) ended at 2026-05-31T23:59:59Z; a leg was paid 2026-06-01T00:00:00Z"
    assert got == ([("HIGH", message, ("record:72",), True)] if fires else NOBODY)


SALE = record(80, "sale", asset="bitcoin:BTC", amount="1", venue="venue", proceeds="1 EUR")


@pytest.mark.parametrize(
    ("percents", "said"),
    [
        ([], ("nobody filed one", (), False)),
        ([9], ("9 % was filed", ("record:81",), True)),
        ([10], None),
        ([9, 11], None),
    ],
)
def test_an_emergency_sale_needs_its_expected_loss(percents: list[int], said: tuple[Any, ...] | None) -> None:
    losses = [
        record(81 + n, "expected-loss", asset="bitcoin:BTC", percent=p, source="s") for n, p in enumerate(percents)
    ]
    emergency = ruled(loss_percent=10)
    text = "an emergency sale needs an expected loss of 10 %; "
    assert told("LOSS-1", facts(SALE, *losses), emergency) == ([("HIGH", text + said[0], *said[1:])] if said else [])
    assert not told("LOSS-1", facts(*losses), emergency)
    assert not told("LOSS-1", facts(SALE, *losses), PLAIN)


NEEDING = preset(needs=[{"legs": "RECEIVE", "record": "mandate what=entrustment"}])


@pytest.mark.parametrize(
    ("at", "tip_id", "told_as"),
    [
        (T0, 509, None),
        (T0, 510, ("is of 2026-06-01T00:00:00Z, and was filed when that was known", False)),
        (T0 + 1, 509, ("is only of 2026-06-01T00:00:01Z", True)),
    ],
)
def test_what_a_leg_needs_was_there_and_filed_before_it_was_paid(
    at: int, tip_id: int, told_as: tuple[str, bool] | None
) -> None:
    entrusted = record(70, "mandate", at, what="entrustment", scope="all", tip_id=tip_id)
    head = "RECEIVE legs have been paid since 2026-06-01T00:00:00Z; mandate what=entrustment "
    found = [] if told_as is None else [("HIGH", head + told_as[0], ("record:70",), told_as[1])]
    assert told("DOC-1", facts(leg(1, "RECEIVE", T0), entrusted), NEEDING) == found


def test_an_order_counts_from_when_it_is_valid() -> None:
    order = record(70, "mandate", T0 - 60, what="entrustment", scope="all", valid_from=T0 + 60)
    (found,) = told("DOC-1", facts(leg(1, "RECEIVE", T0), order), NEEDING)
    assert found[1].endswith("is only of 2026-06-01T00:01:00Z") and found[3]
    assert not told("DOC-1", facts(leg(1, "RECEIVE", T0 + 60), order), NEEDING)


# SOD-1


def test_one_person_in_two_separated_roles_is_told_also_as_the_second() -> None:
    apart = preset(separate=[{"one": "inspection", "other": "award"}])
    looked = record(90, "inspection", actor="ann", result="passed", what="w")
    awarded = record(91, "award", actor="ben", second="ann", inquiry="i", quote="q")
    message = "ann filed or confirmed both inspection and award"
    assert told("SOD-1", facts(looked, awarded), apart) == [("HIGH", message, ("record:90", "record:91"), True)]
    other = record(91, "award", actor="ben", second="eve", inquiry="i", quote="q")
    assert not told("SOD-1", facts(looked, other), apart)
    assert not told("SOD-1", facts(looked, awarded), PLAIN)


def test_a_licence_counts_under_any_name_that_the_institution_goes_by() -> None:
    known = InstitutionFacts("venue", "The Venue", "EXCHANGE", aliases=("BEE", "Venue (Hong Kong)"))
    case = facts(leg(1, "DEPOSIT", T0), known)
    assert told("EXC-1", case, register(entity="venue (hong kong)", valid_from=T0)) == []
    assert told("EXC-1", case, register(entity="Venue", valid_from=T0)) != []
