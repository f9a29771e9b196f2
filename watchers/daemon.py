"""The daemon: one store, one follower per chain, one socket for operator commands, and a clean stop."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tracer import __version__
from tracer.custody.case import Case
from tracer.errors import OperatorError, StoreLocked, StoreUnusable
from tracer.store.cases import import_case as store_case
from tracer.store.writer import Store
from tracer.types import ChainId
from watchers import families
from watchers.alerts import Alerts
from watchers.casefile import load_case
from watchers.config import Config, config_hash
from watchers.control import ask, serve, socket_path
from watchers.family import ChainConfig
from watchers.follow import Follower
from watchers.standing import Outcome

log = logging.getLogger(__name__)


def set_up_log(level: str) -> None:
    """Log to stderr, one line per event."""
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        force=True,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)


def store_path(config: Config) -> Path:
    """The file of the configured store."""
    path = config.store.path
    if path is None:
        raise StoreUnusable("the daemon writes SQLite stores only", "Set store.url to sqlite:///FILE.")
    return path


def make_follower(chain: ChainConfig, store: Store, alerts: Alerts) -> Follower:
    """Put a chain's follower together."""
    node, scanner = families.build(chain)
    return Follower(
        chain,
        [node, *families.further(chain)],
        scanner,
        store,
        utxo=families.family(chain.family).utxo,
        show=lambda holder: families.show_holder(chain, holder),
        tell=alerts.tell,
    )


def import_into(store: Store, case: Case, followers: Sequence[Follower]) -> bool:
    """Store a case; every follower must be paused or not yet running."""
    handles = {ChainId(follower.handle.caip2): follower.handle for follower in followers}
    utxo = frozenset(ChainId(follower.handle.caip2) for follower in followers if follower.utxo)
    return store_case(store, case, handles, utxo, int(time.time()))


async def run(config: Config, *, until_tip: bool) -> int:
    """Follow all configured chains until stopped (or in step, for `until_tip`); returns the exit code."""
    set_up_log(config.daemon.log_level)
    path = store_path(config)
    alerts = Alerts(config.daemon.alert_command)
    with Store(path) as store:
        followers = [make_follower(chain, store, alerts) for chain in config.chain.values()]
        for file in config.cases.files:
            if import_into(store, load_case(file, config), followers):
                log.info("imported case file %s", file)
        store.note_run(__version__, config_hash(config), int(time.time()))
        log.info("store=%s opened", path)
        handlers = {"import": lambda body: _import_running(body, config, store, followers)}
        async with serve(socket_path(path, os.environ), handlers):
            try:
                return await _follow(followers, until_tip)
            finally:
                for follower in followers:
                    await follower.sources.close()
                await alerts.close()
                log.info("store=%s closed", path)


async def _follow(followers: Sequence[Follower], until_tip: bool) -> int:
    """Run the followers together; a stop signal cancels them, and none ends because another one does.

    Returns the gravest exit code once all have ended; raises what was refused if nothing is graver.
    """
    interrupted: list[signal.Signals] = []
    outcomes: list[Outcome] = []
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as group, stop_signals(interrupted):
            tasks = [group.create_task(_follow_one(follower, until_tip, outcomes)) for follower in followers]
            await asyncio.gather(*tasks)
    if interrupted:
        return 130 if interrupted[0] == signal.SIGINT else 0
    states = {outcome.state for outcome in outcomes}
    refused = [outcome.error for outcome in outcomes if outcome.error is not None]
    if "halted" in states:
        return 3
    if refused:
        raise refused[0] if len(refused) == 1 else ExceptionGroup("refused", refused)
    return 4 if states & {"behind", "unreachable"} else 0


async def _follow_one(follower: Follower, until_tip: bool, outcomes: list[Outcome]) -> None:
    outcome = await follower.run(until_tip)
    outcomes.append(outcome)
    log.info("chain=%s ended state=%s %s", follower.config.name, outcome.state, outcome.message)


@contextlib.asynccontextmanager
async def stop_signals(received: list[signal.Signals]) -> AsyncIterator[None]:
    """Cancel the surrounding task on SIGTERM and SIGINT, and note which it was."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def stop(which: signal.Signals) -> None:
        received.append(which)
        task.cancel()

    for which in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(which, stop, which)
    try:
        yield
    finally:
        for which in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(which)


async def _import_running(
    body: Mapping[str, Any], config: Config, store: Store, followers: Sequence[Follower]
) -> dict[str, Any]:
    """Import a case for an operator while the followers run: they stand between two blocks meanwhile."""
    case = load_case(Path(str(body["path"])), config)
    async with contextlib.AsyncExitStack() as stack:
        for follower in followers:
            await stack.enter_async_context(follower.paused())
        return {"imported": import_into(store, case, followers), "case": case.ref}


def _request(path: Path) -> dict[str, str]:
    """What the daemon is asked: it may stand in another folder."""
    return {"path": str(path.absolute())}


async def import_case(config: Config, path: Path) -> int:
    """Import a case: through the running daemon if there is one, else into the store itself; returns the exit code."""
    case = load_case(path, config)
    file = store_path(config)
    answer = await ask(socket_path(file, os.environ), "import", _request(path))
    if answer is None:
        try:
            with Store(file) as store:
                alerts = Alerts("")
                followers = [make_follower(chain, store, alerts) for chain in config.chain.values()]
                answer = {"imported": import_into(store, case, followers), "case": case.ref}
        except StoreLocked as error:
            raise OperatorError(f"{error}, which does not answer yet", "Try again in a moment.") from error
    from watchers.casesummary import describe_case

    sys.stdout.write(describe_case(case, config) + "\n")
    sys.stdout.write("imported\n" if answer["imported"] else "was imported before; nothing changed\n")
    return 0
