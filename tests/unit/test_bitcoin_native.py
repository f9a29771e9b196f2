"""The compiled steps are made once, by another process, and only a whole file of this very version is used."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from test_bitcoin_mutations import block_of, hops

from tracer.errors import NodeLacks
from watchers.bitcoin import family
from watchers.bitcoin.aside import Aside
from watchers.bitcoin.reading import PlainReader

pytest.importorskip("numba")

from watchers.bitcoin import native
from watchers.bitcoin.compiled import AT_ONCE, CompiledReader, Fingerprints, Table

SOON_S = 20.0


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that two processes made at once."""
    path = tmp_path_factory.mktemp("both") / native.file_name()
    both = [native._compile(path) for _ in range(2)]
    assert [child.wait(native.LONGEST_S) for child in both] == [0, 0]
    for child in both:
        child.communicate()  # not earlier: it ends when its input does
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the file is looked for and kept."""
    monkeypatch.setattr(native, "folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def maker() -> Iterator[native.Maker]:
    made = native.Maker()
    yield made
    made.close()


def compiling(monkeypatch: pytest.MonkeyPatch, program: str, *args: object) -> list[Path]:
    """Let a program stand for the process that compiles; gives the files that are asked for."""
    asked: list[Path] = []

    def start(path: Path) -> "subprocess.Popen[bytes]":
        asked.append(path)
        command = [sys.executable, "-c", f"import shutil, sys, time; {program}", *map(str, args), str(path)]
        return subprocess.Popen(command, stdin=subprocess.PIPE)

    monkeypatch.setattr(native, "_compile", start)
    return asked


def works(steps: native.Steps | None) -> bool:
    assert steps is not None
    some = Fingerprints(steps, 5)
    some.update([b"one", b"two"])
    return b"one" in some and b"three" not in some


COPY = "shutil.copy(sys.argv[1], sys.argv[2])"


def test_two_processes_that_compile_at_once_leave_one_whole_file(kept: Path) -> None:
    assert list(kept.parent.iterdir()) == [kept]
    assert not kept.stat().st_mode & 0o077
    assert works(native.load(kept))


def test_a_file_that_is_there_is_used_again(
    kept: Path, folder: Path, maker: native.Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = compiling(monkeypatch, COPY, kept)
    assert works(maker.steps(wait=True))
    later = native.Maker()
    assert works(later.steps(wait=False))
    assert later.steps(wait=False) is later.steps(wait=True)
    assert asked == [folder / native.file_name()]


@pytest.mark.parametrize("size", [0, 20, 32, 5000, -1])
def test_a_file_that_was_cut_short_is_made_again(
    kept: Path, folder: Path, maker: native.Maker, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = folder / native.file_name()
    path.write_bytes(kept.read_bytes()[:size])
    path.chmod(0o600)
    assert native.load(path) is None
    asked = compiling(monkeypatch, COPY, kept)
    assert works(maker.steps(wait=True))
    assert asked == [path]
    assert path.read_bytes() == kept.read_bytes()


def test_a_file_of_another_version_is_not_used(
    kept: Path, folder: Path, maker: native.Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(kept, folder)
    names = {native.file_name()}
    with monkeypatch.context() as other:
        other.setattr(native, "version", lambda package: f"9 of {package}")
        names.add(native.file_name())
    with monkeypatch.context() as other:
        other.setattr(native, "_CPU", "another")
        names.add(native.file_name())
    with monkeypatch.context() as other:
        other.setattr(native, "SOURCES", native.SOURCES[1:])
        names.add(native.file_name())
        asked = compiling(other, COPY, kept)
        assert works(maker.steps(wait=True))
        assert asked == [folder / native.file_name()]
    assert len(names) == 4


def test_a_file_that_others_may_change_is_not_used(kept: Path, folder: Path) -> None:
    path = Path(shutil.copy(kept, folder))
    path.chmod(0o620)
    assert native.load(path) is None


def test_the_file_is_kept_among_the_users_own_where_the_module_cannot_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native.os, "access", lambda path, mode: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert native.folder() == tmp_path / "custody-tracer"
    assert native.folder().stat().st_mode & 0o777 == 0o700
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert native.folder() == tmp_path / "home" / ".cache" / "custody-tracer"


def reader(compiled: str) -> Any:
    table = {"family": "bitcoin", "network": "regtest", "rpc_url": "http://127.0.0.1:1", "compiled": compiled}
    return family._reader(family.BitcoinChain.model_validate(table), Aside())


def test_blocks_are_read_in_plain_python_until_the_steps_are_there(
    kept: Path, folder: Path, maker: native.Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "MAKER", maker)
    asked = compiling(monkeypatch, f"time.sleep(1); {COPY}", kept)
    assert isinstance(reader("auto"), PlainReader)
    assert isinstance(reader("auto"), PlainReader)
    assert isinstance(reader("on"), CompiledReader)  # it waits
    assert isinstance(reader("auto"), CompiledReader)
    assert isinstance(reader("off"), PlainReader)
    assert len(asked) == 1


def test_who_asks_for_compiled_steps_is_told_that_they_cannot_be_made(
    folder: Path, maker: native.Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "MAKER", maker)
    compiling(monkeypatch, "sys.exit(1)")
    with pytest.raises(NodeLacks, match="ended without them"):
        reader("on")
    assert isinstance(reader("auto"), PlainReader)


def test_the_process_that_compiles_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from watchers.bitcoin import native;"
        "print(native._compile(Path(sys.argv[1])).pid, flush=True); os._exit(0)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "never.o")]
    pid = int(subprocess.run(command, check=True, capture_output=True, timeout=SOON_S).stdout)
    gone = time.monotonic() + SOON_S
    while (stat := Path(f"/proc/{pid}/stat")).exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < gone
        time.sleep(0.05)
    assert not list(tmp_path.iterdir())


def test_whoever_reads_by_compiled_steps_has_no_compiler() -> None:
    program = (
        "import sys; from watchers.bitcoin.native import MAKER; from watchers.bitcoin.compiled import CompiledReader;"
        "found = CompiledReader(MAKER.steps(wait=True)).read(sys.stdin.buffer.read());"
        "print(type(found).__name__, *({'numba', 'numpy'} & set(sys.modules)))"
    )
    block = block_of(hops(Random(5), 40)).data
    done = subprocess.run([sys.executable, "-c", program], input=block, capture_output=True, check=True)
    assert done.stdout.split() == [b"CompiledReading"]


def test_those_who_say_how_many_they_are_get_room_once(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Counted(Table):
        def __init__(self, members: int, seed: int) -> None:
            super().__init__(members, seed)
            sizes.append(self.slots)

    monkeypatch.setattr("watchers.bitcoin.compiled.Table", Counted)
    steps = native.load(kept)
    assert steps is not None
    members = [number.to_bytes(22, "big") for number in range(3 * AT_ONCE + 1)]
    told, untold = Fingerprints(steps, 1), Fingerprints(steps, 1)
    sizes.clear()
    told.update(members)
    told.update(members)  # as when all is loaded again
    assert sizes == [1 << 16]
    untold.update(iter(member for member in members))
    assert len(sizes) > 2
    for some in (told, untold):
        assert len(some) == len(members)
        assert some.intersection([*members, b"", b"other", bytes(22)[:-1]]) == set(members)
