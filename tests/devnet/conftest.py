"""Gives tests a devnet of each family, and chance that is the same each time; a module may have its own instead."""

import random
from collections.abc import Iterator

import pytest
from harness.devnet import Devnet
from harness.families import FAMILIES


@pytest.fixture(params=FAMILIES)
def net(request: pytest.FixtureRequest) -> Iterator[Devnet]:
    """A fresh devnet of each family."""
    executable, make = FAMILIES[request.param]
    net = make(request.getfixturevalue(executable))
    yield net
    net.close()


@pytest.fixture
def rng() -> random.Random:
    """The same activity at each run."""
    return random.Random(20250605)
