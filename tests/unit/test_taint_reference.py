"""Every method against the published and derived reference figures, on coins and on accounts."""

import doctest
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.unit.taint_graphs import Graph, declared, live_by_name, trace
from tracer.taint import accounts, lots, rules
from tracer.taint.accounts import AccountTrace, Payment, labelled
from tracer.taint.boundaries import NO_LIMITS
from tracer.taint.rules import Method
from tracer.types import AssetId, Holder

CASES = json.loads((Path(__file__).parent / "data" / "taint_cases.json").read_text(encoding="utf-8"))
COINS = [(case, key) for case in CASES["coins"] for key in case["expected"]]
ACCOUNTS = [(case, key) for case in CASES["accounts"] for key in case["expected"]]
ETHER = AssetId("eip155:1/slip44:60")


@pytest.mark.parametrize(("case", "key"), COINS, ids=lambda given: given if isinstance(given, str) else given["name"])
def test_reference_case_on_coins_gives_the_published_figures(case: dict, key: str) -> None:
    method, _, policy = key.partition("@")
    graph = Graph(case["blocks"])
    seized = sorted(case["seized"], key=lambda name: graph.rows[name])
    names = [case["seized"][name] for name in seized]
    done = trace(graph, Method(method), seized, declaration=declared(Method(method), fee_policy=policy or "sink"))
    unspent = {
        name: dict(sum((Counter({names[label]: n}) for label, n in units.items()), Counter()))
        for name, units in live_by_name(graph, done).items()
    }
    fee: Counter[str] = Counter()
    for end in done.ends:
        if end.reason == "fee":
            fee[names[end.label]] += end.units
    expected = case["expected"][key]
    assert unspent == expected["unspent"]
    assert dict(fee) == expected["fee"]
    for name, segments in expected.get("segments", {}).items():
        row = graph.rows[name]
        untouched = ((names.index(case["seized"].get(name, names[0])), graph.coins[row][1].amount),)
        parts = done.rows[row].parts if row in done.rows else untouched
        assert [[units, None if label is None else names[label]] for label, units in parts] == segments


@pytest.mark.parametrize(
    ("case", "key"), ACCOUNTS, ids=lambda given: given if isinstance(given, str) else given["name"]
)
def test_reference_case_on_accounts_gives_the_published_figures(case: dict, key: str) -> None:
    run = AccountTrace(Method(key), NO_LIMITS)
    held = Counter(case["opening"])
    names = []
    for source, _, _, seed in case["payments"]:
        if seed is not None:
            run.seed((holder(source), ETHER), held[source])
            names.append(seed)
    carried = []
    for row, (source, target, amount, _) in enumerate(case["payments"]):
        before = {(holder(name), ETHER): units for name, units in held.items()}
        before[holder(target), ETHER] = held[target]
        step = run.step([[Payment(row, ETHER, amount, holder(source), holder(target))]], before, lambda _: None)
        run.apply(step)
        units: Counter[str] = Counter()
        for edge in step.edges:
            if edge.label is not None:
                units[names[edge.label]] += edge.amount
        carried.append(dict(units))
        held[source] -= amount
        held[target] += amount
    assert dict(held) == case["final"]
    final = {
        name: {names[label]: units for label, units in labelled(run.accounts[holder(name), ETHER]).items() if units}
        for name in held
        if (holder(name), ETHER) in run.accounts
    }
    assert carried == case["expected"][key]["per_transfer"]
    assert {name: units for name, units in final.items() if units} == case["expected"][key]["final"]


def holder(name: str) -> Holder:
    return Holder(name.encode().rjust(20, b"\0"))


def test_examples_in_docstrings_hold() -> None:
    for module in (rules, lots, accounts):
        assert doctest.testmod(module).failed == 0
