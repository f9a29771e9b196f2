"""The daemon: one store, one follower per chain, one socket for operator commands, and a clean stop."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from tracer import __version__
from tracer.attribution.labels import Pack
from tracer.custody.case import Case
from tracer.custody.presetfiles import find_preset
from tracer.errors import OperatorError, StoreLocked, StoreUnusable
from tracer.store.cases import import_case as store_case
from tracer.store.labelled import Imported, import_pack
from tracer.store.writer import Store
from tracer.taint.boundaries import Limits
from tracer.types import ChainId
from watchers import families, tracing
from watchers.alerts import Alerts
from watchers.casefile import load_case
from watchers.config import Config, config_hash, store_path
from watchers.control import ask, serve, socket_path
from watchers.family import ChainConfig
from watchers.follow import Follower
from watchers.importing import Imports
from watchers.labels import describe_pack, load_pack
from watchers.recording import alert_into, contracts_say, file_into
from watchers.settle import CannotSettle, Request, chain_of, settle
from watchers.standing import Outcome
from watchers.unconfirmed import PoolWatcher, watching

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


def make_follower(chain: ChainConfig, store: Store, alerts: Alerts) -> Follower:
    """Put a chain's follower together."""
    node, scanner = families.build(chain)
    family = families.family(chain.family)
    return Follower(
        chain,
        [node, *families.further(chain)],
        scanner,
        store,
        utxo=family.utxo,
        show=partial(family.show_holder, chain),
        tell=alerts.tell,
    )


def import_into(store: Store, case: Case, followers: Sequence[Follower], presets: tuple[Path, ...] = ()) -> bool:
    """Store a case; every follower must be paused or not yet running."""
    handles = {ChainId(follower.handle.caip2): follower.handle for follower in followers}
    limits = {ChainId(follower.handle.caip2): limits_of(follower.config) for follower in followers}
    return store_case(store, case, handles, limits, int(time.time()), find_preset(case.preset, presets))


def limits_of(chain: ChainConfig) -> Limits:
    """How far the traces of a case that is imported now are to follow value."""
    return Limits(chain.follow.max_hops, chain.follow.min_amount, chain.follow.max_live)


def label_into(store: Store, pack: Pack, followers: Sequence[Follower]) -> Imported:
    """Store a pack of labels; every follower must be paused or not yet running."""
    chains = {follower.handle.caip2: follower.handle.id for follower in followers}
    now = int(time.time())
    try:
        with store.connection.begin():
            imported = import_pack(store.connection, pack, chains, now)
            if imported.new:
                store.oversight.labelled(now)
            return imported
    except BaseException:
        store.oversight.forget()
        raise


async def run(config: Config, *, until_tip: bool) -> int:
    """Follow all configured chains until stopped (or in step, for `until_tip`); returns the exit code."""
    set_up_log(config.daemon.log_level)
    path = store_path(config)
    alerts = Alerts(config.daemon.alert_command)
    with Store(path) as store:
        followers = [make_follower(chain, store, alerts) for chain in config.chain.values()]
        for file in config.cases.files:
            if import_into(store, load_case(file, config), followers, config.cases.presets):
                log.info("imported case file %s", file)
        store.note_run(__version__, config_hash(config), int(time.time()))
        log.info("store=%s opened", path)
        imports = Imports(config, store, followers)
        handlers = {
            "history": imports.turn,
            "import": lambda body: _import_running(body, config, store, followers),
            "alert": lambda body: _alert_running(body, store),
            "record": lambda body: _record_running(body, store, followers),
            "labels": lambda body: _labels_running(body, config, store, followers),
            "settle": lambda body: _settle_running(body, store, followers),
            "trace": lambda body: _trace_running(body, store),
        }
        async with serve(socket_path(path, os.environ), handlers):
            try:
                return await _follow(followers, until_tip)
            finally:
                await imports.close()
                for follower in followers:
                    follower.scanner.close()
                    await follower.sources.close()
                await alerts.close()
                log.info("store=%s closed", path)


class Company:
    """Counts the followers that run: a halted one waits for an operator as long as another one runs."""

    def __init__(self, running: int) -> None:
        self._running = running
        self._over = asyncio.Event()

    def leave(self) -> None:
        """One follower stopped."""
        self._running -= 1
        if not self._running:
            self._over.set()

    async def wait_for(self, settled: asyncio.Event) -> bool:
        """Wait until a halt is settled, and run again; False if no other follower is left."""
        tasks = [asyncio.create_task(event.wait()) for event in (settled, self._over)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        if not settled.is_set() or self._over.is_set():
            return False
        settled.clear()
        self._running += 1
        return True


async def _follow(followers: Sequence[Follower], until_tip: bool) -> int:
    """Run the followers together; a stop signal cancels them, and none ends because another one does.

    Returns the gravest exit code once all have ended; raises what was refused if nothing is graver.
    """
    interrupted: list[signal.Signals] = []
    outcomes: list[Outcome] = []
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as group, stop_signals(interrupted):
            company = Company(len(followers))
            tasks = [group.create_task(_follow_one(one, until_tip, outcomes, company)) for one in followers]
            await asyncio.gather(*tasks)
    if interrupted:
        return 130 if interrupted[0] == signal.SIGINT else 0
    states = {outcome.state for outcome in outcomes}
    refused = [outcome.error for outcome in outcomes if outcome.error is not None]
    if "halted" in states:
        return 3
    if refused:
        raise refused[0] if len(refused) == 1 else ExceptionGroup("refused", refused)
    return 4 if states & {"behind", "weaker branch", "unreachable"} else 0


async def _follow_one(follower: Follower, until_tip: bool, outcomes: list[Outcome], company: Company) -> None:
    """Run one follower, again after each halt that an operator settles while others still run.

    Its mempool is watched beside it, unless it ends at the tip; that never ends it.
    """
    while True:
        pool = None if until_tip else families.pool(follower.config, follower.scanner)
        async with watching(None if pool is None else PoolWatcher(follower, pool)):
            outcome = await follower.run(until_tip)
        log.info("chain=%s ended state=%s %s", follower.config.name, outcome.state, outcome.message)
        company.leave()
        if outcome.state != "halted" or until_tip or not await company.wait_for(follower.halts.settled):
            break
        log.info("chain=%s is followed again", follower.config.name)
    outcomes.append(outcome)


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
        return {"imported": import_into(store, case, followers, config.cases.presets), "case": case.ref}


async def _record_running(body: Mapping[str, Any], store: Store, followers: Sequence[Follower]) -> dict[str, Any]:
    """File records for an operator while the followers run: legs and statements count from the next block on."""
    said = await contracts_say(store, body, followers)
    async with contextlib.AsyncExitStack() as stack:
        for follower in followers:
            await stack.enter_async_context(follower.paused())
        handles = {ChainId(follower.handle.caip2): follower.handle for follower in followers}
        filed = file_into(store, body, handles, said)
    for follower in followers[:1]:
        follower.standing.tell(())
    return {"filed": [asdict(one) for one in filed]}


async def _alert_running(body: Mapping[str, Any], store: Store) -> dict[str, Any]:
    """Note what became of an alert, for an operator."""
    return {"said": alert_into(store, body)}


async def _labels_running(
    body: Mapping[str, Any], config: Config, store: Store, followers: Sequence[Follower]
) -> dict[str, Any]:
    """Import a pack of labels for an operator while the followers run; they go on while it is read."""
    pack = await asyncio.to_thread(load_pack, Path(str(body["path"])), body["kind"], config)
    async with contextlib.AsyncExitStack() as stack:
        for follower in followers:
            await stack.enter_async_context(follower.paused())
        return asdict(label_into(store, pack, followers))


async def _settle_running(body: Mapping[str, Any], store: Store, followers: Sequence[Follower]) -> dict[str, Any]:
    """Settle what stopped a chain, for an operator, while its follower stands."""
    asked = Request.read(body)
    follower = _follower_of(store, asked, followers)
    async with follower.paused():
        settled = settle(store, follower.handle, follower.config.name, asked)
        if settled.done:
            follower.halts.settled.set()
    return {"lines": settled.lines, "done": settled.done}


def _follower_of(store: Store, asked: Request, followers: Sequence[Follower]) -> Follower:
    name = chain_of(store, asked)
    found = next((one for one in followers if one.config.name == name), None)
    if found is None:
        raise CannotSettle(
            f"the configuration has no chain {name}", "Name the store and configuration that go together."
        )
    return found


async def _trace_running(body: Mapping[str, Any], store: Store) -> dict[str, Any]:
    """Trace for an operator while the followers run: what is computed is read beside them."""
    return {"lines": await tracing.trace(store, tracing.Request.read(body))}


async def trace(config: Config, body: dict[str, Any]) -> int:
    """Register and compute trace runs: through the running daemon if there is one, else in the store itself."""
    asked = tracing.Request.read(body)
    file = store_path(config)
    answer = await ask(socket_path(file, os.environ), "trace", body)
    if answer is None:
        if not file.is_file():
            raise StoreUnusable(f"there is no store at {file}")
        try:
            with Store(file) as store:
                answer = {"lines": await tracing.trace(store, asked)}
        except StoreLocked as error:
            raise OperatorError(f"{error}, which does not answer yet", "Try again in a moment.") from error
    sys.stdout.write("\n".join(answer["lines"]) + "\n")
    return 0


async def settle_halt(config: Config, body: dict[str, Any]) -> int:
    """Settle what stopped a chain: through the running daemon if there is one, else in the store itself."""
    asked = Request.read(body)
    file = store_path(config)
    answer = await ask(socket_path(file, os.environ), "settle", body)
    if answer is None:
        if not file.is_file():
            raise StoreUnusable(f"there is no store at {file}")
        try:
            with Store(file) as store:
                followers = [make_follower(chain, store, Alerts("")) for chain in config.chain.values()]
                follower = _follower_of(store, asked, followers)
                settled = settle(store, follower.handle, follower.config.name, asked)
                answer = {"lines": settled.lines, "done": settled.done}
        except StoreLocked as error:
            raise OperatorError(f"{error}, which does not answer yet", "Try again in a moment.") from error
    sys.stdout.write("\n".join(answer["lines"]) + "\n")
    return 0 if answer["done"] else 2


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
                done = import_into(store, case, followers, config.cases.presets)
                answer = {"imported": done, "case": case.ref}
        except StoreLocked as error:
            raise OperatorError(f"{error}, which does not answer yet", "Try again in a moment.") from error
    from watchers.casesummary import describe_case

    sys.stdout.write(describe_case(case, config) + "\n")
    sys.stdout.write("imported\n" if answer["imported"] else "was imported before; nothing changed\n")
    return 0


async def import_labels(config: Config, path: Path, kind: str | None) -> int:
    """Import a pack of labels, as `import_case` does a case; returns the exit code."""
    pack = load_pack(path, kind, config)
    file = store_path(config)
    answer = await ask(socket_path(file, os.environ), "labels", {**_request(path), "kind": kind})
    if answer is None:
        try:
            with Store(file) as store:
                followers = [make_follower(chain, store, Alerts("")) for chain in config.chain.values()]
                answer = asdict(label_into(store, pack, followers))
        except StoreLocked as error:
            raise OperatorError(f"{error}, which does not answer yet", "Try again in a moment.") from error
    sys.stdout.write(describe_pack(pack, config, Imported(**answer)) + "\n")
    return 0
