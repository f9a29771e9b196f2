"""Gives tests real nodes; a missing one is a failure unless a developer asks for a skip."""

import os
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from harness.tracerd import none_left_running

from fixtures.anvil import Anvil
from fixtures.bitcoind import Bitcoind
from fixtures.debian import Progress
from fixtures.install import NodeMissing, find_or_install_anvil, find_or_install_bitcoind

SKIP = "TRACER_SKIP_NODES"


def _executable(find: Callable[[Progress], Path]) -> Path:
    if os.environ.get(SKIP) == "1":
        pytest.skip(f"NO REAL NODE USED: {SKIP}=1 is set")
    try:
        return find(lambda line: print(line, file=sys.stderr, flush=True))
    except NodeMissing as error:
        pytest.fail(f"{error}\n(or set {SKIP}=1 to skip every test that needs a node)", pytrace=False)


@pytest.fixture(scope="session")
def bitcoind_exe() -> Path:
    """The bitcoind of this machine."""
    return _executable(find_or_install_bitcoind)


@pytest.fixture(scope="session")
def anvil_exe() -> Path:
    """The anvil of this machine."""
    return _executable(find_or_install_anvil)


@pytest.fixture(scope="session", autouse=True)
def compiled_steps() -> None:
    """Make the compiled steps once, if the extra is there: else every daemon of a test begins to, and is killed."""
    if find_spec("numba") is not None:
        from watchers.bitcoin.native import MAKER

        MAKER.steps(wait=True)


@pytest.fixture(autouse=True)
def no_daemon_outlives_its_test() -> Iterator[None]:
    """End the daemons that a failing test leaves; else the next test's warnings are about them."""
    with none_left_running():
        yield


@pytest.fixture
def bitcoind(bitcoind_exe: Path) -> Iterator[Bitcoind]:
    """A fresh regtest node at height 0."""
    with Bitcoind(bitcoind_exe) as node:
        yield node


@pytest.fixture
def anvil(anvil_exe: Path) -> Iterator[Anvil]:
    """A fresh anvil at height 0; `finalized` is four blocks behind the tip."""
    with Anvil(anvil_exe, slots_in_an_epoch=2) as node:
        yield node


@pytest.fixture(scope="module")
def shared_bitcoind(bitcoind_exe: Path) -> Iterator[Bitcoind]:
    """A regtest node that the tests of a module share."""
    with Bitcoind(bitcoind_exe) as node:
        yield node


@pytest.fixture(scope="module")
def shared_anvil(anvil_exe: Path) -> Iterator[Anvil]:
    """An anvil that the tests of a module share."""
    with Anvil(anvil_exe, slots_in_an_epoch=2) as node:
        yield node
