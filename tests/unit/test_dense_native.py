"""The dense engine's loops are made once, by another process, and only a whole file of this very version is used."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.dense_graphs import assert_same, both
from tests.unit.test_dense_engines import random_graph
from tracer.taint.dense import engine, native, numba_engine
from tracer.taint.rules import Method


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loops") / native.file_name()
    subprocess.run([sys.executable, "-m", "tracer.taint.dense.build", str(path)], check=True)
    return path


def test_file_is_whole_and_its_owners_alone(kept: Path) -> None:
    assert list(kept.parent.iterdir()) == [kept]
    assert not kept.stat().st_mode & 0o077
    assert native.load(kept) is not None


@pytest.mark.parametrize("size", [0, 20, 32, 5000, -1])
def test_file_that_was_cut_short_is_not_used(kept: Path, tmp_path: Path, size: int) -> None:
    path = tmp_path / "loops.o"
    path.write_bytes(kept.read_bytes()[:size])
    path.chmod(0o600)
    assert native.load(path) is None


def test_file_that_others_may_change_is_not_used(kept: Path, tmp_path: Path) -> None:
    path = tmp_path / "loops.o"
    path.write_bytes(kept.read_bytes())
    path.chmod(0o620)
    assert native.load(path) is None


def test_file_of_another_version_has_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {native.file_name()}
    monkeypatch.setattr(native, "version", lambda package: f"9 of {package}")
    names.add(native.file_name())
    monkeypatch.setattr(native, "_CPU", "another")
    names.add(native.file_name())
    assert len(names) == 3


def test_process_that_traces_never_imports_numba() -> None:
    program = (
        "import sys\n"
        "from tests.unit.dense_graphs import both\n"
        "from tests.unit.taint_graphs import Graph\n"
        "from tracer.taint.rules import Method\n"
        "first, second = {'id': 'r', 'inputs': [], 'outputs': [5]}, {'id': 'a', 'inputs': ['r:0'], 'outputs': [3]}\n"
        "graph = Graph([[first], [second]])\n"
        "_, dense = both(graph, Method.FIFO, {graph.rows['r:0']: 0}, engine='compiled')\n"
        "print(dense.transactions, 'numba' in sys.modules)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout == "1 False\n"


def test_numpy_is_used_where_nothing_can_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot() -> native.Loops:
        raise native.CannotCompile("no room")

    monkeypatch.setattr(native, "loops", cannot)
    assert not numba_engine.available()
    graph, sources = random_graph(2)
    plain, dense = both(graph, Method.HAIRCUT, sources, engine=None)
    assert dense.engine == engine.NUMPY
    assert_same(plain, dense)
