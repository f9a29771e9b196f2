"""Gives tests a devnet of each family, and chance that is the same each time; a module may have its own instead."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.bitcoin import BitcoinNet
from harness.devnet import Devnet
from harness.ethereum import EthereumNet


@pytest.fixture
def bitcoin(bitcoind_exe: Path) -> Iterator[BitcoinNet]:
    """A fresh Bitcoin devnet."""
    net = BitcoinNet(bitcoind_exe)
    yield net
    net.close()


@pytest.fixture
def ethereum(anvil_exe: Path) -> Iterator[EthereumNet]:
    """A fresh Ethereum devnet."""
    net = EthereumNet(anvil_exe)
    yield net
    net.close()


@pytest.fixture(params=["bitcoin", "ethereum"])
def net(request: pytest.FixtureRequest) -> Devnet:
    """A fresh devnet of each family."""
    net: Devnet = request.getfixturevalue(request.param)
    return net


@pytest.fixture
def rng() -> random.Random:
    """The same activity at each run."""
    return random.Random(20250605)
