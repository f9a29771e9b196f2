"""How a node's push wakes the loops: it says only that it is time to look; what is true is asked of the node."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Pauses before a lost connection is made again."""


class Bell:
    """Wakes one sleeper; rings that come while it is awake count as one."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the sleeper, now or as soon as it lies down."""
        self._rung.set()

    async def sleep(self, seconds: float) -> bool:
        """Sleep until it rings, `seconds` at most; says whether it rang."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        rang = self._rung.is_set()
        self._rung.clear()
        return rang


@dataclass(frozen=True, slots=True)
class Wake:
    """The bells of one chain: for its blocks, and for what waits to get into one. Each has one sleeper."""

    blocks: Bell = field(default_factory=Bell)
    mempool: Bell = field(default_factory=Bell)

    def all(self) -> None:
        """Ring both: whatever was announced meanwhile is not announced again."""
        self.blocks.ring()
        self.mempool.ring()


async def again_and_again(where: str, hear: Callable[[], Awaitable[None]], broken: tuple[type[Exception], ...]) -> None:
    """Run `hear` for ever, with pauses where it breaks; one log line when it breaks and is not broken already.

    hear: returns or raises one of `broken` when the connection is gone.
    """
    failures = 0
    loop = asyncio.get_running_loop()
    while True:
        began, reason = loop.time(), "closed by the node"
        try:
            await hear()
        except broken as error:
            reason = str(error) or type(error).__name__
        failures = 0 if loop.time() - began > RETRY_S[-1] else failures + 1
        if failures <= 1:
            log.warning("push=%s state=lost %s; polling goes on", where, reason)
        await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])


@contextlib.asynccontextmanager
async def listening(listens: Sequence[Callable[[Wake], Awaitable[None]]], wake: Wake) -> AsyncIterator[None]:
    """Let the nodes' pushes ring while the context lasts."""
    if not listens:
        yield
        return
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_run(listen(wake))) for listen in listens]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _run(work: Awaitable[None]) -> None:
    await work


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
