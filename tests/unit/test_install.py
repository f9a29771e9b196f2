"""Nodes are looked up in a fixed order, checked before use, and installed whole or not at all."""

import hashlib
import platform
import re
import tarfile
import textwrap
import threading
from pathlib import Path

import pytest

from fixtures import install
from fixtures.debian import (
    Progress,
    Source,
    UnpackError,
    deb822_sources,
    debian_mirrors,
    one_line_sources,
)
from fixtures.install import NodeMissing, NodeProgram, Recipe, find_or_install


def silent(_line: str) -> None:
    """Take progress and show nothing."""


def executable(path: Path, said: str = "thing v2.0", code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{said}'\nexit {code}\n")
    path.chmod(0o755)
    return path


def installs(prefix: Path, _work: Path, _progress: Progress) -> None:
    executable(prefix / "bin" / "thing", "thing v3.0")


def fails(prefix: Path, _work: Path, _progress: Progress) -> None:
    executable(prefix / "bin" / "thing")
    raise UnpackError("the mirror is away")


def breaks(prefix: Path, _work: Path, _progress: Progress) -> None:
    executable(prefix / "bin" / "thing", "Segmentation fault", 139)


def thing(*recipes: Recipe) -> NodeProgram:
    return NodeProgram("thing", "THING_EXE", "thing", re.compile(r"thing v(\d+\.\d+)"), (2, 0), recipes)


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty cache and no `thing` anywhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    monkeypatch.delenv("THING_EXE", raising=False)
    return tmp_path


def cached(machine: Path) -> Path:
    return machine / "cache/custody-tracer/nodes/thing/bin/thing"


def test_environment_wins_over_cache_and_cache_over_path(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = executable(machine / "path/thing")
    assert find_or_install(thing(), silent) == on_path
    in_cache = executable(cached(machine))
    assert find_or_install(thing(), silent) == in_cache
    named = executable(machine / "mine/thing")
    monkeypatch.setenv("THING_EXE", str(named))
    assert find_or_install(thing(), silent) == named


def test_a_named_program_that_is_wrong_is_never_replaced_silently(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(machine / "path/thing")
    monkeypatch.setenv("THING_EXE", str(machine / "nothing here"))
    with pytest.raises(NodeMissing, match="does not run") as caught:
        find_or_install(thing(installs), silent)
    assert "THING_EXE" in caught.value.fix


@pytest.mark.parametrize(
    ("said", "code"),
    [("another program v9.0", 0), ("thing v2.0", 1), ("thing v1.9", 0)],
)
def test_a_hit_that_is_broken_foreign_or_old_is_passed_over(machine: Path, said: str, code: int) -> None:
    executable(machine / "path/thing", said, code)
    assert find_or_install(thing(installs), silent) == cached(machine)


def test_recipes_are_tried_in_order_and_leave_nothing_but_the_result(machine: Path) -> None:
    found = find_or_install(thing(fails, breaks, installs), silent)
    assert found == cached(machine)
    left = sorted(path.name for path in (machine / "cache/custody-tracer/nodes").iterdir())
    assert left == ["thing", "thing.lock"]


def test_a_broken_cache_is_replaced(machine: Path) -> None:
    executable(cached(machine), "", 127)
    find_or_install(thing(installs), silent)
    assert "v3.0" in cached(machine).read_text()


def test_when_everything_fails_the_error_lists_what_was_tried_and_the_variable(machine: Path) -> None:
    with pytest.raises(NodeMissing) as caught:
        find_or_install(thing(fails, breaks), silent)
    assert "the mirror is away" in str(caught.value)
    assert "exit 139" in str(caught.value)
    assert "THING_EXE" in caught.value.fix
    assert not cached(machine).exists()


def test_two_at_once_install_once(machine: Path) -> None:
    runs = []
    began = threading.Event()

    def slow(prefix: Path, work: Path, progress: Progress) -> None:
        runs.append(1)
        began.wait(0.3)
        installs(prefix, work, progress)

    threads = [
        threading.Thread(target=find_or_install, args=(thing(slow), silent)),
        threading.Thread(target=find_or_install, args=(thing(slow), silent)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 1
    assert cached(machine).exists()


@pytest.fixture
def release(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A release tarball where the official one would be, for a machine that has a pin."""
    content = executable(machine / "content", "Bitcoin Core daemon version v29.0.0")
    with tarfile.open(machine / "release.tar.gz", "w:gz") as archive:
        archive.add(content, f"bitcoin-{install.CORE_VERSION}/bin/bitcoind")
    monkeypatch.setattr(install, "CORE_URL", (machine / "release.tar.gz").as_uri())
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return machine / "release.tar.gz"


def test_a_release_that_differs_from_its_pin_is_refused(machine: Path, release: Path) -> None:
    with pytest.raises(UnpackError, match="SHA-256"):
        install._bitcoind_from_release(machine / "prefix", machine, silent)
    assert not (machine / "prefix").exists()


def test_a_release_that_equals_its_pin_is_unpacked(
    machine: Path, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(release.read_bytes()).hexdigest()
    monkeypatch.setattr(install, "CORE_SHA256", {"x86_64": digest})
    install._bitcoind_from_release(machine / "prefix", machine, silent)
    assert install.complaint(install.BITCOIND, machine / "prefix/bin/bitcoind") is None


def test_sources_of_both_styles_are_read() -> None:
    lines = "# deb http://no/debian sid main\ndeb [arch=amd64] http://a/debian bookworm main # main mirror\n"
    assert list(one_line_sources(lines + "deb-src http://a/debian bookworm main")) == [
        Source("http://a/debian", ("bookworm",))
    ]
    stanzas = textwrap.dedent("""\
        Types: deb deb-src
        # the mirror next door
        URIs: http://a/debian
         http://b/debian
        Suites: bookworm bookworm-updates
        Components: main

        Types: deb
        Enabled: no
        URIs: http://off/debian
        Suites: bookworm

        Types: deb-src
        URIs: http://src/debian
        Suites: bookworm
        """)
    suites = ("bookworm", "bookworm-updates")
    assert list(deb822_sources(stanzas)) == [
        Source("http://a/debian", suites),
        Source("http://b/debian", suites),
    ]


def test_only_the_machines_own_full_mirrors_are_asked() -> None:
    sources = [
        Source("http://mirror.example/debian/", ("bookworm",)),
        Source("http://mirror.example/debian-security", ("bookworm-security",)),
        Source("https://packages.example/apt", ("bookworm",)),
        Source("http://mirror.example/debian", ("bookworm-updates",)),
    ]
    assert debian_mirrors(sources, "bookworm") == ["http://mirror.example/debian"]
