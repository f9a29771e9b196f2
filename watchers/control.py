"""The daemon's Unix socket: how operator commands reach the one process that may write the store."""

import contextlib
import errno
import hashlib
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tracer.errors import OperatorError, Retryable, StoreLocked, TracerError

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

_LONGEST = 100
"""The kernel takes 107 bytes; some room for the name that the socket has until it is ready."""


_NOBODY = (errno.ENOENT, errno.ECONNREFUSED)
"""No socket, or one that a killed daemon left behind."""


class NoAnswer(Retryable):
    """The running daemon did not answer, or not in our words."""

    fix = "See the daemon's log; it may be stopping, or of another version."


class SocketUnsafe(OperatorError):
    """The folder of the socket belongs to somebody else, so that anybody could answer."""

    fix = "Remove that folder, or set XDG_RUNTIME_DIR to a folder of your own."


def socket_path(store: Path, environ: Mapping[str, str]) -> Path:
    """Where the daemon of a store listens: beside it, or under a short name where that path is too long.

    The short name is in $XDG_RUNTIME_DIR, or in a folder of the user's own under the temporary folder.
    """
    beside = store.absolute().with_name(store.name + ".sock")
    if len(os.fsencode(beside)) <= _LONGEST:
        return beside
    runtime = environ.get("XDG_RUNTIME_DIR")
    short = Path(runtime) if runtime else Path(tempfile.gettempdir()) / f"tracerd-{os.getuid()}"
    return short / f"tracerd-{hashlib.sha256(os.fsencode(beside)).hexdigest()[:24]}.sock"


@contextlib.asynccontextmanager
async def serve(path: Path, handlers: Mapping[str, Handler]) -> AsyncIterator[None]:
    """Answer commands on a Unix socket (mode 0600) while the context lasts.

    A socket that a killed daemon left behind is replaced; one that is answered raises StoreLocked.
    """
    _own_folder(path.parent)
    if await _is_answered(path):
        raise StoreLocked(f"another tracerd answers on {path}")

    async def answer(request: web.Request) -> web.Response:
        return await _answer(request, handlers)

    app = web.Application(client_max_size=2**20)
    app.router.add_post("/{command}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5.0)
    await runner.setup()
    try:
        await web.SockSite(runner, _bound(path)).start()
        yield
    finally:
        await runner.cleanup()
        _remove(path)


async def ask(path: Path, command: str, body: dict[str, Any], *, deadline_s: float = 600.0) -> dict[str, Any] | None:
    """Send a command to the running daemon and return its answer; None if nobody listens.

    What a handler raises is raised here, as the same error with the same remedy.
    """
    if len(os.fsencode(path)) > 107:
        raise ValueError(f"{path} is too long for a socket; use socket_path")
    timeout = aiohttp.ClientTimeout(total=deadline_s)
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path)), timeout=timeout) as session,
            session.post(f"http://tracerd/{command}", json=body) as response,
        ):
            answer = await response.json()
    except aiohttp.ClientConnectorError as error:
        if error.os_error.errno in _NOBODY:
            return None
        raise NoAnswer(f"cannot ask the daemon on {path}: {error.os_error.strerror}") from error
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise NoAnswer(f"the daemon on {path} gave no answer to {command}") from error
    if not isinstance(answer, dict):
        raise NoAnswer(f"the daemon on {path} gave no table in answer to {command}")
    if "error" in answer:
        raise _raised(answer)
    return answer


def _bound(path: Path) -> socket.socket:
    """Bind a socket that nobody but the owner can connect to: its mode is set before it listens."""
    _remove(path)
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(path))
    path.chmod(0o600)
    return bound


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _own_folder(folder: Path) -> None:
    """Make the folder if it is missing (0700); refuse one in the temporary folder that somebody else owns."""
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
    state = folder.lstat()
    if folder.name == f"tracerd-{os.getuid()}" and (
        state.st_uid != os.getuid() or state.st_mode & 0o077  # a symbolic link has mode 0777
    ):
        raise SocketUnsafe(f"{folder} is not a folder that only you can enter")


async def _is_answered(path: Path) -> bool:
    connector = aiohttp.UnixConnector(str(path))
    try:
        async with aiohttp.ClientSession(connector=connector) as session, session.get("http://tracerd/"):
            return True
    except aiohttp.ClientConnectorError as error:
        return error.os_error.errno not in _NOBODY
    except aiohttp.ClientError:
        return True


async def _answer(request: web.Request, handlers: Mapping[str, Handler]) -> web.Response:
    command = request.match_info["command"]
    handler = handlers.get(command)
    if handler is None:
        return _refusal(NoAnswer(f"the daemon knows no command {command!r}"))
    body = await request.json()
    try:
        return web.json_response(await handler(body))
    except TracerError as error:
        return _refusal(error)


def _refusal(error: TracerError) -> web.Response:
    return web.json_response({"error": str(error), "fix": error.remedy, "kind": type(error).__name__}, status=400)


def _raised(answer: Mapping[str, Any]) -> TracerError:
    """Make the error again that the daemon raised; one of an unknown kind keeps its words."""
    kinds = {kind.__name__: kind for kind in _kinds(TracerError)}
    return kinds.get(str(answer.get("kind")), OperatorError)(str(answer["error"]), str(answer.get("fix", "")))


def _kinds(kind: type[TracerError]) -> Iterator[type[TracerError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)
