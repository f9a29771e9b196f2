"""Every shipped preset: read, played from its first stage to its last, and watched where a play goes wrong."""

import pytest

from tests.unit.custody_facts import T0, assess, asset, facts, leg, record
from tests.unit.custody_plays import PLAYS, STEP, Step, after
from tracer.custody.clocks import BREACHED, KEPT, RUNNING, WAITING, WARNED
from tracer.custody.facts import InstitutionFacts
from tracer.custody.presetfiles import SHIPPED, find_preset, known, parse_preset
from tracer.custody.rules import BY_ID
from tracer.errors import BadConfig

NAMES = sorted(file.stem for file in SHIPPED.glob("*.toml"))
PROCEDURES = {name for name in NAMES if find_preset(name).rules.documents}


def test_every_shipped_preset_that_is_a_procedure_has_a_play() -> None:
    assert {
        "beijing-2025",
        "cn-shandong-80",
        "cn-third-party-offshore",
        "de-emergency-sale",
        "hold-reserve",
        "uk-poca",
        "us-usms",
    } <= PROCEDURES
    assert sorted(known()) == NAMES
    assert {name for name, _ in PLAYS.values()} == PROCEDURES


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_preset_is_read_under_the_name_of_its_file(name: str) -> None:
    assert find_preset(name).name == name


@pytest.mark.parametrize("play", PLAYS)
def test_a_clean_play_goes_from_stage_to_stage_and_finds_nothing(play: str) -> None:
    name, steps = PLAYS[play]
    preset = find_preset(name)
    for place, (stage, _) in enumerate(steps):
        state = assess(after(steps[: place + 1]), preset)
        assert state.standing.stage == stage
        shown = [one.found.message for one in state.findings.values() if one.found.shown]
        assert not shown, (stage, shown)
        assert {"INCIDENT", "HOLD", "SUSPENDED"}.isdisjoint(state.standing.sides)
    assert not state.findings
    assert state.standing.next is None
    assert state.standing.sides == ()


@pytest.mark.parametrize("play", PLAYS)
def test_a_play_without_one_of_its_steps_stands_before_it(play: str) -> None:
    name, steps = PLAYS[play]
    preset = find_preset(name)
    for place in range(1, len(steps)):
        left: list[Step] = [*steps[:place], ("", []), *steps[place + 1 :]]
        state = assess(after(left), preset)
        assert state.standing.stage == steps[place - 1][0], f"without the step to {steps[place][0]}"
        assert state.standing.next is not None
        assert state.standing.next.missing


@pytest.mark.parametrize("name", sorted(PROCEDURES))
def test_the_plays_of_a_preset_reach_every_stage_between_them(name: str) -> None:
    reached = {stage for preset, steps in PLAYS.values() if preset == name for stage, _ in steps}
    returned_by_no_play = {"cn-shandong-80": {"RETURNED"}, "uk-poca": {"RETURNED"}}
    assert set(find_preset(name).stages) - reached == returned_by_no_play.get(name, set())


def test_every_clock_of_every_preset_waits_runs_warns_and_is_kept_or_breached() -> None:
    exercised = set()
    for name, steps in PLAYS.values():
        preset = find_preset(name)
        seen: dict[tuple[str, str], list[str]] = {}
        for place in range(len(steps)):
            for clock in assess(after(steps[: place + 1]), preset).clocks:
                seen.setdefault((clock.clock, clock.reading), []).append(clock.state)
                if clock.start is None or clock.stop is not None:
                    continue
                for spent, state in ((clock.limit_s * 8 // 10, WARNED), (clock.limit_s + 1, BREACHED)):
                    late = assess(after(steps[: place + 1], clock.start + spent), preset)
                    same = next(c for c in late.clocks if (c.clock, c.reading) == (clock.clock, clock.reading))
                    assert (same.state, same.elapsed_s) == (state, spent)
                    told = late.findings["CLOCK-1", f"clock:{clock.clock}, {clock.reading}:{state}"]
                    assert told.found.shown is (state == BREACHED)
        for key, states in seen.items():
            if states[-1] == KEPT:
                assert states[0] == WAITING
                exercised.add((name, *key))
                assert set(states) <= {WAITING, RUNNING, KEPT}
    clocks = [(n, c.name, r.name) for n in NAMES for c in find_preset(n).file.clock for r in c.reading]
    assert exercised == set(clocks)


def test_an_audit_of_an_offshore_sale_lists_what_nobody_can_show() -> None:
    preset = find_preset("cn-third-party-offshore")
    case = facts(
        InstitutionFacts("venue", "A Venue", "EXCHANGE"),
        record(1, "seizure", method="m"),
        record(2, "mandate", what="warrant", scope="all"),
        leg(1, "RECEIVE", T0 + STEP),
        leg(2, "DEPOSIT", T0 + 2 * STEP),
        asset(),
    )
    state = assess(case, preset)
    assert state.standing.stage == "SEIZED"
    assert [gate.missing for gate in state.standing.gates if not gate.open] == [
        ("a record: mandate what=entrustment",),
        ("a record: valuation", "a record: inquiry", "a record: award"),
        ("an attestation of desk", "EXC-1 to find nothing"),
        ("a record: sale",),
        ("a record: fx-approval",),
        ("a record: credit",),
        ("a record: remittance to=treasury",),
        ("a record: closing",),
    ]
    told = sorted(one.key for one in state.findings.values())
    missing = (
        "award",
        "credit",
        "fx-approval",
        "inquiry",
        "mandate what=entrustment",
        "remittance to=treasury",
        "sale",
    )
    assert told == [
        *(("DOC-1", f"document:{wanted}") for wanted in (*missing, "valuation")),
        ("DOC-1", "needs:RECEIVE:mandate what=entrustment"),
        ("EXC-1", "leg:deposit-2"),
        ("EXC-2", "leg:deposit-2"),
        ("REC-1", "leg:deposit-2"),
        ("REC-1", "leg:receive-1"),
    ]
    assert {one.rule for one in state.findings.values()} == set(preset.file.normal)


def test_the_register_of_beijing_knows_dates_of_four_exchanges_alone() -> None:
    register = find_preset("beijing-2025").file.licence
    names = {(line.names or (line.entity,))[0]: line.valid_from for line in register}
    then = 1_734_451_200  # 2024-12-18T00:00:00+08:00
    assert names == {
        "OSL": None,
        "HashKey": None,
        "HKVAX": None,
        "HKbitEX": then,
        "Accumulus": then,
        "DFX Labs": then,
        "EX.IO": then,
    }
    assert all(line.valid_to is None and line.number is None and line.as_of is None for line in register)


@pytest.mark.parametrize(
    ("name", "text", "opens"),
    [
        ("OSL", "the register names no date", False),
        ("Thousand Whales Technology", None, True),
        ("ex.io", None, True),
        ("Some Desk", "nobody knows a licence of that name", False),
    ],
)
def test_a_beijing_deposit_is_licensed_where_the_register_has_a_date(name: str, text: str | None, opens: bool) -> None:
    case = facts(InstitutionFacts("venue", name, "EXCHANGE"), leg(1, "DEPOSIT", T0))
    told = [
        one.found.message for one in assess(case, find_preset("beijing-2025")).findings.values() if one.rule == "EXC-1"
    ]
    assert (told == []) is opens
    assert all(text in message for message in told if text)


def test_destruction_without_its_order_is_told_by_the_poca_preset() -> None:
    burn = leg(4, "DESTROY", T0 + 60, target_key=b"\x6a")
    order = record(9, "mandate", T0 + 61, what="destruction-order", scope="all")
    key = ("DOC-1", "needs:DESTROY:mandate what=destruction-order")
    poca = find_preset("uk-poca")
    none = assess(facts(burn), poca).findings[key]
    late = assess(facts(burn, order), poca).findings[key]
    head = "DESTROY legs have been paid since 2026-06-01T00:01:00Z; mandate what=destruction-order "
    assert (none.found.message, none.found.shown, none.severity) == (head + "was not filed", False, "HIGH")
    assert (late.found.message, late.found.shown) == (head + "is only of 2026-06-01T00:01:01Z", True)
    assert late.found.refs == ("record:9",)
    in_time = record(9, "mandate", T0 + 60, what="destruction-order", scope="all")
    assert key not in assess(facts(burn, in_time), poca).findings


def test_another_tranche_takes_an_emergency_sale_back_to_selling() -> None:
    preset, steps = find_preset("de-emergency-sale"), PLAYS["emergency"][1]
    there = next(place for place, (stage, _) in enumerate(steps) if stage == "SOLD_OUT")
    more = ("", [leg(30, "DEPOSIT", target="desk-0")])
    state = assess(after([*steps[: there + 1], more]), preset)
    assert state.standing.stage == "SELLING"
    assert state.standing.sides == ("PARTIAL",)
    assert state.standing.next is not None
    assert state.standing.next.missing == ("1 of 4 DEPOSIT legs",)


def test_a_proof_of_holding_is_due_every_thirty_days() -> None:
    preset, steps = find_preset("hold-reserve"), PLAYS["reserve"][1]
    proven, due = T0 + STEP * 4, 30 * 86_400
    assert not assess(after(steps, proven + due), preset).findings
    late = assess(after(steps, proven + due + 1), preset).findings
    assert set(late) == {("CLOCK-3", "holding")}


WELL = """
name = "x"
title = "X"
sources = ["a test"]
[rules]
[[stage]]
name = "OPENED"
gate = []
[[stage]]
name = "SOLD"
gate = ["record sale"]
[[clock]]
name = "c"
limit_s = 1
[[clock.reading]]
name = "r"
start = "seizure"
stop = "record sale"
"""


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        ("record sail", "there is no kind of records 'sail'"),
        ("record sale venue", "expected venue=VALUE"),
        ("record sale price=1", "a sale record has no field 'price'"),
        ("record mandate what=x", "what is one of warrant, entrustment, agreement, court-order, destruction-order"),
        ("record expected-loss percent>=x", "expected a whole number, got 'x'"),
        ("record sale amount>=1", "expected amount=VALUE"),
        ("legs SALE", "there is no kind of legs 'SALE'"),
        ("no-legs SALE", "there is no kind of legs 'SALE'"),
        ("any seized | nothing", "expected one of seized, record"),
        ("explained now", "expected one of seized, record"),
        ("quiet LEG-1", "no rule 'LEG-1' is weighed before the stages are"),
        ("any seized | quiet CLOCK-3", "no rule 'CLOCK-3' is weighed before the stages are"),
        ("quiet", "expected the id of a rule"),
    ],
)
def test_a_condition_that_means_nothing_is_refused_wherever_it_stands(condition: str, fault: str) -> None:
    gate = '["record sale"]'
    for key, text in (("gate", f'["{condition}"]'), ("unless", f'["seized"]\nunless = ["{condition}"]')):
        with pytest.raises(BadConfig) as raised:
            parse_preset(WELL.replace(gate, text), "x.toml")
        assert str(raised.value).startswith(f"x.toml: stage[2].{key}[1]: {condition!r}: {fault}")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('name = "SOLD"', 'name = "OPENED"', "stage[2].name: there is a stage 'OPENED' already"),
        ("[rules]", '[rules]\nbond_until = "X"', "rules.bond_until: there is no stage 'X'"),
        ("[rules]", '[rules]\ntest_kinds = ["X"]', "rules.test_kinds[1]: there is no kind of legs 'X'"),
        ("[rules]", '[rules]\ndocuments = ["x"]', "rules.documents[1]: there is no kind of records 'x'"),
        ("[rules]", 'two_people = ["x"]\n[rules]', "two_people[1]: there is no kind of records 'x'"),
        ("[rules]", 'off = ["LEG-9"]\n[rules]', "off[1]: there is no rule 'LEG-9'"),
        ("[rules]", 'normal = ["LEG-9"]\n[rules]', "normal[1]: there is no rule 'LEG-9'"),
        ("[rules]", '[[needs]]\nlegs = "GAS"\nrecord = "x"\n[rules]', "needs[1].record: there is no kind of records"),
        ("[rules]", '[[separate]]\none = "leg"\nother = "leg"\n[rules]', "expected another kind of record than 'leg'"),
        ('stop = "record sale"', 'stop = "stage X"', "clock[1].reading[1].stop: there is no stage 'X'"),
        ('stop = "record sale"', 'stop = "sometime"', "expected an event that begins with one of"),
    ],
)
def test_a_name_that_nothing_has_is_refused_with_its_place(old: str, new: str, fault: str) -> None:
    assert parse_preset(WELL, "x.toml").stages == ("OPENED", "SOLD")
    with pytest.raises(BadConfig) as raised:
        parse_preset(WELL.replace(old, new), "x.toml")
    assert fault in str(raised.value)
    assert str(raised.value).startswith("x.toml: ")


def test_every_rule_that_a_preset_calls_normal_is_one_it_can_find() -> None:
    for name in NAMES:
        file = find_preset(name).file
        assert not set(file.normal) & set(file.off)
        assert set(file.normal) <= BY_ID.keys()
