"""What plays write is TOML that says the same, and what they expect is held against every part of an answer."""

import tomllib
from collections import Counter
from datetime import UTC, datetime
from fractions import Fraction

import pytest

from fixtures.incidents.asked import Status
from fixtures.incidents.beijing import BONDS, COSTS, SETTLED, TREASURY, VALUES
from fixtures.incidents.expected import Expected, Told, differences
from fixtures.incidents.instants import at
from fixtures.incidents.paper import CaseFile, records_text

ALERTS: Counter[Told] = Counter({("LEG-1", None): 2, ("LEG-4", "main"): 1})
CLOCK = {"reading": "whole", "state": "running"}
STATUS = Status("SEIZED", ("INCIDENT",), "SECURED", ("legs",), {"BTC": 5, "USDT": 0}, 3, {"clocks": [CLOCK]})


def test_records_are_toml_with_instants_by_their_keys() -> None:
    said = {"kind": "bond", "at": at("09:30"), "second": None, "basis": 'so "much"', "number": 7, "legs": ["a", "b"]}
    [read] = tomllib.loads(records_text([said]))["record"]
    expected = {key: value for key, value in said.items() if value is not None}
    assert read == {**expected, "at": datetime(2026, 6, 1, 9, 30, tzinfo=UTC)}


def test_a_case_file_names_only_the_chains_that_it_watches() -> None:
    case = CaseFile("case", "title")
    case.watch("safe", "bitcoin", "authority", owner="shared")
    read = tomllib.loads(case.text({"bitcoin": 7, "ethereum": 9}))
    assert read["case"]["seizure"] == {"bitcoin": 7}
    assert [watch["id"] for watch in read["watch"]] == ["safe"]


@pytest.mark.parametrize(
    ("expected", "differs"),
    [
        (Expected(), 0),
        (Expected(stage="SEIZED", sides=("INCIDENT",), code=3, next="SECURED", clocks={"whole": "running"}), 0),
        (Expected(unexplained={"BTC": "0.00000005"}, alerts=ALERTS, open=[("LEG-4", "main")]), 0),
        (Expected(stage="SECURED"), 1),
        (Expected(sides=()), 1),
        (Expected(code=0), 1),
        (Expected(next="SOLD"), 1),
        (Expected(clocks={"whole": "kept", "other": "kept"}), 2),
        (Expected(unexplained={}), 1),
        (Expected(unexplained={"BTC": "0.00000005", "ETH": "1"}), 1),
        (Expected(alerts={}), 2),
        (Expected(alerts={**ALERTS, ("LEG-1", None): 1}), 1),
        (Expected(open=[("LEG-4", None)], quiet=[("LEG-1", None)]), 2),
    ],
)
def test_whatever_differs_is_listed(expected: Expected, differs: int) -> None:
    assert len(differences(expected, STATUS, ALERTS)) == differs


def minor(money: str) -> int:
    return int(money.partition(" ")[0].replace(".", ""))


@pytest.mark.parametrize("asset", ["BTC", "USDT"])
def test_the_sums_of_the_clean_disposal_add_up(asset: str) -> None:
    proceeds, rate, fees, credited = SETTLED[asset]
    assert minor(proceeds) * Fraction(rate) - minor(fees) == minor(credited)
    assert minor(credited) == minor(COSTS[asset]) + minor(TREASURY[asset])
    assert minor(BONDS[asset]) * 100 == minor(VALUES[asset]) * 110
