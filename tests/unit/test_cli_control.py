"""The daemon's socket: who may use it, what comes back, and what a killed daemon leaves behind."""

import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from tracer.errors import CaseRefused, StoreLocked
from watchers.control import NoAnswer, SocketUnsafe, ask, serve, socket_path


async def echo(body: dict[str, Any]) -> dict[str, Any]:
    return {"heard": body}


async def refuse(body: dict[str, Any]) -> dict[str, Any]:
    raise CaseRefused("case c: exists already", "Give it another id.")


async def stumble(body: dict[str, Any]) -> dict[str, Any]:
    raise ValueError("a bug")


HANDLERS = {"echo": echo, "refuse": refuse, "stumble": stumble}


async def test_a_command_is_answered(tmp_path: Path) -> None:
    async with serve(tmp_path / "s", HANDLERS):
        assert await ask(tmp_path / "s", "echo", {"path": "/x é"}) == {"heard": {"path": "/x é"}}


async def test_only_the_owner_may_connect(tmp_path: Path) -> None:
    async with serve(tmp_path / "s", HANDLERS):
        mode = (tmp_path / "s").stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600


async def test_nobody_listening_is_none(tmp_path: Path) -> None:
    assert await ask(tmp_path / "s", "echo", {}) is None
    async with serve(tmp_path / "s", HANDLERS):
        pass
    assert not (tmp_path / "s").exists()
    assert await ask(tmp_path / "s", "echo", {}) is None


async def test_what_a_killed_daemon_left_behind_is_nobody_and_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed:  # the kernel closes it and leaves the file
        killed.bind(str(tmp_path / "s"))
        killed.listen()
    assert stat.S_ISSOCK((tmp_path / "s").stat().st_mode)
    assert await ask(tmp_path / "s", "echo", {}) is None
    async with serve(tmp_path / "s", HANDLERS):
        assert await ask(tmp_path / "s", "echo", {}) == {"heard": {}}


async def test_a_second_daemon_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    async with serve(tmp_path / "s", HANDLERS):
        with pytest.raises(StoreLocked, match="another tracerd answers on"):
            async with serve(tmp_path / "s", {}):
                pass
        assert await ask(tmp_path / "s", "echo", {}) == {"heard": {}}


async def test_an_error_of_the_daemon_is_raised_where_it_was_asked(tmp_path: Path) -> None:
    async with serve(tmp_path / "s", HANDLERS):
        with pytest.raises(CaseRefused) as error:
            await ask(tmp_path / "s", "refuse", {})
        assert error.value.line() == "case c: exists already. Give it another id."


async def test_a_bug_in_the_daemon_does_not_stop_it(tmp_path: Path) -> None:
    async with serve(tmp_path / "s", HANDLERS):
        with pytest.raises(NoAnswer, match="gave no answer to stumble"):
            await ask(tmp_path / "s", "stumble", {})
        with pytest.raises(NoAnswer, match="the daemon knows no command 'fly'"):
            await ask(tmp_path / "s", "fly", {})
        assert await ask(tmp_path / "s", "echo", {}) == {"heard": {}}


async def test_a_daemon_that_hangs_is_given_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        with pytest.raises(NoAnswer, match="gave no answer to echo"):
            await ask(tmp_path / "s", "echo", {}, deadline_s=0.2)


def test_the_socket_is_beside_the_store() -> None:
    assert socket_path(Path("/var/lib/custody.db"), {}) == Path("/var/lib/custody.db.sock")


def test_a_long_path_gets_a_short_name_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    deep, deeper = Path("/" + "d" * 100 + "/a.db"), Path("/" + "d" * 100 + "/b.db")
    short = socket_path(deep, {"XDG_RUNTIME_DIR": "/run/user/1"})
    assert short.parent == Path("/run/user/1")
    assert short == socket_path(deep, {"XDG_RUNTIME_DIR": "/run/user/1"})
    assert short != socket_path(deeper, {"XDG_RUNTIME_DIR": "/run/user/1"})
    assert socket_path(deep, {}).parent == Path(f"/tmp/tracerd-{os.getuid()}")
    assert len(os.fsencode(socket_path(deep, {}))) <= 107


async def test_a_folder_in_the_temporary_folder_is_the_users_own(tmp_path: Path) -> None:
    folder = tmp_path / f"tracerd-{os.getuid()}"
    async with serve(folder / "s", HANDLERS):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o755)
    with pytest.raises(SocketUnsafe, match="is not a folder that only you can enter"):
        async with serve(folder / "s", HANDLERS):
            pass
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(SocketUnsafe):
        async with serve(folder / "s", HANDLERS):
            pass
