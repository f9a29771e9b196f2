"""Files records and notes alerts: through the running daemon if there is one, else in the store itself."""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

from watchers.config import Config, store_path
from watchers.control import ask, socket_path

TRIES, WAIT_S = 20, 0.25
"""How often, and how far apart, a daemon is asked that owns the store and does not listen yet."""

# What files without a daemon is imported where there is none: a command that only asks the daemon comes back at once.


async def record(config: Config, body: dict[str, Any]) -> int:
    """File records; returns the exit code."""

    def alone() -> dict[str, Any]:
        from watchers.recordalone import record_alone

        return record_alone(config, body)

    answer = await answered(config, "record", body, alone)
    for one in answer["filed"]:
        sys.stdout.write(f"recorded {one['kind']} {one['ref']}  sha256 {one['digest']}\n")
    return 0


async def alert(config: Config, body: dict[str, Any]) -> int:
    """Acknowledge or close an alert; returns the exit code."""

    def alone() -> dict[str, Any]:
        from watchers.recordalone import alert_alone

        return alert_alone(config, body)

    answer = await answered(config, "alert", body, alone)
    sys.stdout.write(f"{body['what']}: {answer['said']}\n")
    return 0


async def answered(
    config: Config, what: str, body: dict[str, Any], alone: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Ask the daemon, or do it alone where none runs; one that is just starting is asked again for a while."""
    from tracer.errors import OperatorError, StoreLocked

    path = socket_path(store_path(config), os.environ)
    for left in reversed(range(TRIES)):
        answer = await ask(path, what, body)
        if answer is not None:
            return answer
        try:
            return alone()
        except OperatorError as error:
            if not left or not isinstance(error.__cause__, StoreLocked):
                raise
            await asyncio.sleep(WAIT_S)
    raise AssertionError("the last try returns or raises")
