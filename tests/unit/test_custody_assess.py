"""What is said of a case after changes is what would be said of it at first sight."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.custody_facts import DAY, HOUR, T0, arrived, asset, chain, leg, preset, record
from tracer.custody.assess import Assessor
from tracer.custody.facts import CONTRADICTED, NOT_SHOWN, SHOWN, Attested, CaseFacts, InstitutionFacts, LegFacts
from tracer.custody.record import Record

BY = preset(
    [
        {"name": "OPENED", "gate": []},
        {"name": "READY", "gate": ["attested DEPOSIT", "record bond"]},
        {"name": "RECEIVED", "gate": ["legs TEST", "legs RECEIVE"], "within_s": HOUR},
        {"name": "DEPOSITED", "gate": ["legs DEPOSIT", "quiet LEG-4"], "unless": ["no-legs DEPOSIT", "legs RETURN"]},
        {"name": "CLOSED", "gate": ["record closing", "explained"]},
    ],
    rules={
        "approvals": 2,
        "approved_kinds": ["RECEIVE"],
        "test_kinds": ["RECEIVE", "DEPOSIT"],
        "bond_percent": 110,
        "bond_until": "DEPOSITED",
        "licensed_kinds": ["DEPOSIT"],
        "recorded_kinds": ["RECEIVE"],
        "recording_within_s": HOUR,
        "documents": ["seizure"],
    },
    needs=[{"legs": "DEPOSIT", "record": "mandate what=entrustment"}],
    licence=[
        {"entity": "The Venue", "type": "t", "source": "s", "valid_from": T0 + 2 * HOUR, "valid_to": T0 + 5 * HOUR}
    ],
    clock=[
        {
            "name": "c",
            "limit_s": 4 * HOUR,
            "reading": [
                {"name": "one", "start": "leg RECEIVE", "stop": "last-leg DEPOSIT"},
                {"name": "two", "start": "seizure", "stop": "stage CLOSED"},
            ],
        }
    ],
)

KINDS = {1: "TEST", 2: "RECEIVE", 3: "RECEIVE", 4: "DEPOSIT", 5: "RETURN", 6: "TEST", 7: "DESTROY"}
"""What each leg of the made case is; legs 1, 2, 3 and 4 pay one script, 5, 6 and 7 another."""

HOURS = st.integers(0, 6).map(lambda hour: T0 + hour * HOUR)


@st.composite
def legs(draw: st.DrawFn) -> LegFacts:
    """Some state of one of the case's legs."""
    number = draw(st.sampled_from(sorted(KINDS)))
    times = draw(st.lists(HOURS, max_size=3))
    return leg(
        number,
        KINDS[number],
        target="desk" if number < 5 else "home",
        target_key=b"\x51" if number < 5 else b"\x52",
        arrivals=tuple(arrived(time, 50, 10 * number + place) for place, time in enumerate(times)),
        verdict=draw(st.sampled_from([SHOWN, NOT_SHOWN, CONTRADICTED] if times else [NOT_SHOWN, CONTRADICTED])),
        withdrawn=draw(st.booleans() if draw(st.integers(0, 3)) == 0 else st.just(False)),
    )


@st.composite
def records(draw: st.DrawFn) -> list[Record]:
    """All records of a case, some of which are superseded."""
    filed: list[Record] = []
    for number in range(1, draw(st.integers(0, 8)) + 1):
        at = draw(HOURS)
        kind, says = draw(
            st.sampled_from(
                [
                    ("approval", {"leg": "receive-2", "actor": f"person-{number % 3}"}),
                    ("bond", {"amount": "100 CNY", "basis": "b"}),
                    ("bond-release", {"bond": "bond-1"}),
                    ("valuation", {"asset": "bitcoin:BTC", "value": "95 CNY", "source": "s"}),
                    ("hold", {"start": at, "end": at + HOUR, "court": "c"}),
                    ("recording", {"sha256": "a" * 64, "start": at, "end": at + HOUR, "device": "d"}),
                    ("mandate", {"what": "entrustment", "scope": "s", "valid_to": at + HOUR}),
                    ("seizure", {"method": "m"}),
                    ("closing", {"reason": "r"}),
                ]
            )
        )
        earlier = [one.id for one in filed if one.kind == kind]
        gone = draw(st.sampled_from(earlier)) if earlier and draw(st.booleans()) else None
        filed.append(record(number, kind, at, **says, supersedes=gone))
    return filed


Change = LegFacts | list[Record] | Attested | int


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            legs(),
            legs(),
            records(),
            HOURS,
            st.builds(Attested, st.just(9), st.just("desk"), st.just("venue"), HOURS, HOURS),
        ),
        min_size=1,
        max_size=14,
    ),
    st.lists(st.booleans(), min_size=14, max_size=14),
)
def test_assessing_what_changed_says_what_assessing_everything_anew_says(
    changes: list[Change], together: list[bool]
) -> None:
    kept, assessor = made(), Assessor(BY)
    assessor.assess(kept)
    told: list[Change] = []
    waiting: set[int] = set()
    for place, change in enumerate(changes):
        told.append(change)
        take(kept, change)
        if isinstance(change, LegFacts):
            waiting.add(change.id)
            if together[place]:
                continue  # several legs change in one block
        only_legs = isinstance(change, (LegFacts, int))
        got = assessor.assess(kept, sorted(waiting) if only_legs else None)
        waiting.clear()
        fresh = made()
        for one in settled(told):
            take(fresh, one)
        assert got == Assessor(BY).assess(fresh)


def made() -> CaseFacts:
    """A case to which nothing has happened."""
    case = CaseFacts(1, "case-1", "A case", {"btc": T0}, {"btc": chain()})
    case.institutions["venue"] = InstitutionFacts("venue", "The Venue", "EXCHANGE")
    case.assets.append(asset())
    return case


def take(case: CaseFacts, change: Change) -> None:
    """Let a change happen; an instant is a block's."""
    match change:
        case LegFacts():
            case.put_leg(change)
        case Attested():
            case.attested.setdefault(change.watch, []).append(change)
        case list():
            case.put_records(change)
        case int():
            case.chains["btc"] = replace(case.chains["btc"], time=max(change, case.chains["btc"].time))


def settled(changes: list[Change]) -> list[Change]:
    """The changes that a case read anew would see: of each leg the last state alone, in the order of first sight."""
    last = {change.id: change for change in changes if isinstance(change, LegFacts)}
    return [*last.values(), *(change for change in changes if not isinstance(change, LegFacts))]


def test_a_days_hold_is_told_of_legs_that_had_been_paid_before_it_was_filed() -> None:
    case, assessor = made(), Assessor(BY)
    case.put_leg(leg(2, "RECEIVE", T0))
    assert "HOLD-1" not in {one.rule for one in assessor.assess(case).findings.values()}
    case.put_records([record(1, "hold", T0, start=T0, end=T0 + DAY, court="c")])
    assert "HOLD-1" in {one.rule for one in assessor.assess(case).findings.values()}


def test_a_recording_that_may_still_come_is_told_of_when_its_time_is_over() -> None:
    case = CaseFacts(1, "case", "a case")
    case.put_leg(leg(2, "RECEIVE", T0))
    assessor = Assessor(BY)

    def told(clock: int, *legs: int) -> bool:
        case.chains["bitcoin"] = chain(time=clock)
        return ("REC-1", "leg:receive-2") in assessor.assess(case, legs or None).findings

    assert not told(T0)
    assert not told(T0 + HOUR, 2)
    assert told(T0 + HOUR + 1, 2)


def test_a_later_segment_shows_that_a_recording_is_missing() -> None:
    case = CaseFacts(1, "case", "a case")
    case.put_leg(leg(2, "RECEIVE", T0))
    case.put_records([record(1, "recording", T0 + 9, sha256="a" * 64, start=T0 + 1, end=T0 + 9, device="camera 1")])
    assert ("REC-1", "leg:receive-2") in Assessor(BY).assess(case).findings
