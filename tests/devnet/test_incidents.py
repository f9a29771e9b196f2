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


@pytest.mark.timeout(3600)
def test_every_rule_fires_in_some_incident(bitcoind_exe: Path, anvil_exe: Path) -> None:
    fired = {rule for name in plays() for rule in played(name).fired}
    assert {rule.id for rule in RULES} - fired == set()
