"""Files records and notes alerts in a store that no daemon writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tracer.errors import OperatorError, StoreLocked, StoreUnusable
from tracer.store.writer import Store
from tracer.types import ChainId
from watchers.alerts import Alerts
from watchers.config import Config, store_path
from watchers.daemon import make_follower
from watchers.recording import alert_into, file_into


def record_alone(config: Config, body: dict[str, Any]) -> dict[str, Any]:
    """File records; returns what a daemon would answer."""
    with opened(store_path(config)) as store:
        followers = [make_follower(chain, store, Alerts("")) for chain in config.chain.values()]
        handles = {ChainId(one.handle.caip2): one.handle for one in followers}
        return {"filed": [asdict(one) for one in file_into(store, body, handles)]}


def alert_alone(config: Config, body: dict[str, Any]) -> dict[str, Any]:
    """Acknowledge or close an alert; returns what a daemon would answer."""
    with opened(store_path(config)) as store:
        return {"said": alert_into(store, body)}


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
