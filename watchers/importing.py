"""The imports of history that the daemon works on, turn by turn, and how one is put together from what was asked."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from tracer.errors import Retryable, TracerError
from tracer.store.writer import Store
from watchers import families
from watchers.accounthistory import AccountHistory
from watchers.blockhistory import BlockHistory
from watchers.coinhistory import CoinHistory
from watchers.config import Config
from watchers.family import ChainConfig
from watchers.follow import Follower
from watchers.history import CannotImport, Hold, Import, Place, Request

TURN_S = 1.0
"""How long the daemon works on an import before it answers with how far it has come."""

GIVEN_UP_S = 3.0
"""Nobody drives an import on who has not asked for so long since the last turn."""


class OneAtATime(Retryable):
    """The daemon works on an import already, or has given one up."""

    fix = "Wait until the other import ends, and run this one again: it goes on where it stood."


def chosen(config: Config, request: Request) -> ChainConfig:
    """The chain that a request is about; raises CannotImport where that cannot be told."""
    chains = {chain.name: chain for chain in config.chain.values()}
    if request.chain:
        if request.chain not in chains:
            raise CannotImport(f"the configuration has no chain {request.chain!r}; it has {', '.join(chains)}")
        fit = [chains[request.chain]]
    else:
        utxo = request.named is not None or request.span is not None
        fit = [chain for chain in chains.values() if families.family(chain.family).utxo is utxo]
        if not utxo:
            fit = [chain for chain in fit if _is_account(chain, request.ref)] or fit
    if not fit:
        raise CannotImport(
            f"{request.ref!r} is neither a transaction (TXID or TXID:INDEX) nor an account of a chain that the"
            " configuration has"
        )
    if len(fit) > 1:
        names = " or ".join(chain.name for chain in fit)
        raise CannotImport(f"{request.ref!r} may be of {names}", "Name the chain with --chain. Nothing was written.")
    return fit[0]


def _is_account(chain: ChainConfig, said: str) -> bool:
    try:
        families.parse_holder(chain, _with_prefix(said))
    except (ValueError, TracerError):
        return False
    return True


def _with_prefix(said: str) -> str:
    """Take 40 hex digits for an account's address too."""
    bare = len(said) == 40 and all(digit in "0123456789abcdefABCDEF" for digit in said)
    return f"0x{said.lower()}" if bare else said


@contextlib.asynccontextmanager
async def _prepared(
    config: Config, request: Request, store: Store, follower: Follower, hold: Hold
) -> AsyncGenerator[Import, None]:
    """Put an import together, with a node of its own, which is closed afterwards."""
    chain = chosen(config, request)
    family = families.family(chain.family)
    node, scanner = families.build(chain)
    place = Place(chain, node, scanner, store, follower.handle, hold)
    try:
        if family.archive is not None:
            if request.first:
                raise CannotImport(f"--from is for accounts, {chain.name} is traced by transaction")
            if request.span is not None:
                yield BlockHistory(place, family.archive(node, scanner), request)
                return
            if request.named is None:
                raise CannotImport(f"{request.ref!r} is neither TXID nor TXID:INDEX, by which {chain.name} is traced")
            yield CoinHistory(place, family.archive(node, scanner), request)
            return
        if request.block:
            raise CannotImport(f"--block is for transactions, {chain.name} is read by account")
        try:
            holder = families.parse_holder(chain, _with_prefix(request.ref))
        except ValueError as error:
            raise CannotImport(f"{request.ref!r} is no account of {chain.name}: {error}") from error
        yield AccountHistory(place, holder, request)
    finally:
        scanner.close()
        await node.close()


async def lines_of(
    config: Config, request: Request, store: Store, follower: Follower, hold: Hold, result: list[str]
) -> AsyncGenerator[str, None]:
    """Do an import, line by line of progress; fills in what came of it."""
    async with _prepared(config, request, store, follower, hold) as work:
        async with contextlib.aclosing(work.steps()) as steps:
            async for line in steps:
                yield line
        result += work.result()


def _follower_of(config: Config, request: Request, followers: Sequence[Follower]) -> Follower:
    chain = chosen(config, request)
    return next(one for one in followers if one.config.name == chain.name)


class Imports:
    """The import that the daemon works on: whoever asked for it drives it, one question per turn.

    Where nobody asks on, it stands still, and after a while the next one that is asked for takes its place.
    """

    def __init__(self, config: Config, store: Store, followers: Sequence[Follower]) -> None:
        self._config, self._store, self._followers = config, store, followers
        self._busy = asyncio.Lock()
        self._driver: asyncio.Task[Any] | None = None
        self._token, self._turned_at = "", 0.0
        self._work: AsyncGenerator[str, None] | None = None
        self._result: list[str] = []

    async def turn(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Begin an import, or go on with the one that a token names, for a while."""
        if self._busy.locked():
            raise OneAtATime("history is being imported for somebody else")
        async with self._busy:
            if not body.get("token"):
                await self._begin(Request.read(dict(body)))
            elif body["token"] != self._token or self._work is None:
                raise OneAtATime("another import has taken the place of this one")
            self._driver = asyncio.current_task()
            try:
                return await self._go_on()
            finally:
                self._driver, self._turned_at = None, time.monotonic()

    async def _begin(self, request: Request) -> None:
        if self._work is not None and time.monotonic() - self._turned_at < GIVEN_UP_S:
            raise OneAtATime("history is being imported for somebody else")
        await self._drop()
        follower = _follower_of(self._config, request, self._followers)
        self._result = []
        hold: Hold = lambda: follower.paused(reload=False)  # noqa: E731 - made anew for each writing
        self._work = lines_of(self._config, request, self._store, follower, hold, self._result)
        self._token = secrets.token_hex(8)

    async def _go_on(self) -> dict[str, Any]:
        assert self._work is not None, "it was begun"
        began, lines = time.monotonic(), list[str]()
        try:
            while time.monotonic() - began < TURN_S:
                await asyncio.sleep(0)  # what the store alone can tell comes without a wait
                line = await anext(self._work, None)
                if line is None:
                    self._work = None
                    return {"lines": lines, "result": self._result}
                lines.append(line)
        except BaseException:
            self._work = None
            raise
        return {"lines": lines, "token": self._token}

    async def _drop(self) -> None:
        if self._work is not None:
            await self._work.aclose()
            self._work = None

    async def close(self) -> None:
        """Give up what is under way; what was stored by then stays."""
        if self._driver is not None:
            self._driver.cancel()
        async with self._busy:
            await self._drop()
