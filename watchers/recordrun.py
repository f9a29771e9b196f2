"""Files records and notes alerts: through the running daemon if there is one, else in the store itself."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tracer.errors import OperatorError, StoreLocked, StoreUnusable
from tracer.store.writer import Store
from tracer.types import ChainId
from watchers import daemon
from watchers.alerts import Alerts
from watchers.config import Config
from watchers.control import ask, socket_path
from watchers.recording import alert_into, file_into


async def record(config: Config, body: dict[str, Any]) -> int:
    """File records; returns the exit code."""
    file = daemon.store_path(config)
    answer = await ask(socket_path(file, os.environ), "record", body)
    if answer is None:
        with opened(file) as store:
            followers = [daemon.make_follower(chain, store, Alerts("")) for chain in config.chain.values()]
            handles = {ChainId(one.handle.caip2): one.handle for one in followers}
            answer = {"filed": [asdict(one) for one in file_into(store, body, handles)]}
    for one in answer["filed"]:
        sys.stdout.write(f"recorded {one['kind']} {one['ref']}  sha256 {one['digest']}\n")
    return 0


async def alert(config: Config, body: dict[str, Any]) -> int:
    """Acknowledge or close an alert; returns the exit code."""
    file = daemon.store_path(config)
    answer = await ask(socket_path(file, os.environ), "alert", body)
    if answer is None:
        with opened(file) as store:
            answer = {"said": alert_into(store, body)}
    sys.stdout.write(f"{body['what']}: {answer['said']}\n")
    return 0


@contextmanager
def opened(file: Path) -> Iterator[Store]:
    """The store, for a command that found no daemon running."""
    if not file.is_file():
        raise StoreUnusable(f"there is no store at {file}")
    try:
        with Store(file) as store:
            yield store
    except StoreLocked as error:
        raise OperatorError(f"{error}, which does not answer yet", "Try again in a moment.") from error
