"""`tracerd import-history`: through the running daemon if there is one, else into the store itself."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tracer.errors import OperatorError, StoreLocked, StoreUnusable
from tracer.store.writer import Store
from watchers.alerts import Alerts
from watchers.config import Config, store_path
from watchers.control import ask, socket_path
from watchers.daemon import make_follower
from watchers.history import Request
from watchers.importing import OneAtATime, chosen, lines_of

WAITS, WAIT_S = 5, 1.0


async def import_history(config: Config, body: dict[str, Any]) -> int:
    """Import history for an operator; progress goes to stderr, what came of it to stdout. Returns the exit code."""
    request, file = Request.read(body), store_path(config)
    chosen(config, request)
    path = socket_path(file, os.environ)
    answer = await _begun(path, body)
    if answer is None:
        result = await _without_daemon(config, request)
    else:
        while "token" in answer:
            _tell(answer["lines"])
            again = await ask(path, "history", {"token": answer["token"]})
            if again is None:
                raise OneAtATime("the daemon ended meanwhile")
            answer = again
        _tell(answer["lines"])
        result = [str(line) for line in answer["result"]]
    sys.stdout.write("\n".join(result) + "\n")
    return 0


async def _begun(path: Path, body: dict[str, Any]) -> dict[str, Any] | None:
    """Ask the daemon to begin; wait a while for an import to end whose operator is gone. None if no daemon runs."""
    for _ in range(WAITS):
        try:
            return await ask(path, "history", body)
        except OneAtATime as error:
            _tell([f"waiting: {error}"])
            await asyncio.sleep(WAIT_S)
    return await ask(path, "history", body)


async def _without_daemon(config: Config, request: Request) -> list[str]:
    file, result = store_path(config), list[str]()
    if not file.is_file():
        raise StoreUnusable(f"there is no store at {file}")
    try:
        with Store(file) as store:
            follower = make_follower(chosen(config, request), store, Alerts(""))
            try:
                lines = lines_of(config, request, store, follower, contextlib.nullcontext, result)
                async with contextlib.aclosing(lines):
                    async for line in lines:
                        _tell([line])
            finally:
                follower.scanner.close()
                await follower.sources.close()
    except StoreLocked as error:
        raise OperatorError(f"{error}, which does not answer yet", "Try again in a moment.") from error
    return result


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        sys.stderr.write(line + "\n")
    sys.stderr.flush()
