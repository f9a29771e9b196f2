"""Every incident, played on real nodes, ends as its play says by hand; together they set off every rule."""

from functools import cache
from pathlib import Path

import pytest

from fixtures.incidents.perform import Played, perform
from fixtures.incidents.plays import plays
from tracer.custody.rules import RULES


@cache
def played(name: str) -> Played:
    """How a play ends; each is played once."""
    return perform(plays()[name], print)


@pytest.mark.parametrize("name", plays())
def test_an_incident_ends_as_was_expected(name: str, bitcoind_exe: Path, anvil_exe: Path) -> None:
    assert played(name).differences == ()


def test_no_rule_fires_in_the_clean_run(bitcoind_exe: Path, anvil_exe: Path) -> None:
    assert played("clean").fired == {}


TOLD_ELSEWHERE = {
    "VALUE-1": "devnet/test_odd_ethereum.py",  # a token that takes what it does not announce
    "LATE-1": "unit/test_filed_afterwards.py",  # a case that is worked out anew
}
"""Rules that no incident sets off, and the test that does."""


@pytest.mark.parametrize(("rule", "test"), TOLD_ELSEWHERE.items())
def test_what_no_incident_sets_off_is_told_in_another_test(rule: str, test: str) -> None:
    assert f'"{rule}"' in (Path(__file__).parents[1] / test).read_text(encoding="utf-8")


@pytest.mark.timeout(3600)
def test_every_rule_fires_in_some_incident(bitcoind_exe: Path, anvil_exe: Path) -> None:
    fired = {rule for name in plays() for rule in played(name).fired}
    assert {rule.id for rule in RULES} - fired == TOLD_ELSEWHERE.keys()
