"""Files records and notes alerts: through the running daemon if there is one, else in the store itself."""

import os
import sys
from typing import Any

from watchers.config import Config, store_path
from watchers.control import ask, socket_path

# What files without a daemon is imported where there is none: a command that only asks the daemon comes back at once.


async def record(config: Config, body: dict[str, Any]) -> int:
    """File records; returns the exit code."""
    answer = await ask(socket_path(store_path(config), os.environ), "record", body)
    if answer is None:
        from watchers.recordalone import record_alone

        answer = record_alone(config, body)
    for one in answer["filed"]:
        sys.stdout.write(f"recorded {one['kind']} {one['ref']}  sha256 {one['digest']}\n")
    return 0


async def alert(config: Config, body: dict[str, Any]) -> int:
    """Acknowledge or close an alert; returns the exit code."""
    answer = await ask(socket_path(store_path(config), os.environ), "alert", body)
    if answer is None:
        from watchers.recordalone import alert_alone

        answer = alert_alone(config, body)
    sys.stdout.write(f"{body['what']}: {answer['said']}\n")
    return 0
