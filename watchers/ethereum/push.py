"""An Ethereum node's push over a websocket: new heads and pending transactions, of which none is believed.

Subscriptions do not replay what was missed, so every new connection wakes too; a node that stays silent may be frozen:
pings find that out, and a limit to silence finds a subscription that was forgotten.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from tracer.types import BlockRef
from watchers.ethereum.pending import Pending
from watchers.ethereum.raw import RawBlock
from watchers.node import Lack
from watchers.wake import Wake, again_and_again

HEARTBEAT_S = 5.0
"""Between two pings; the connection is given up if one is not answered within half of that."""

SILENCE_S = 180.0
CONNECT_S, CLOSE_S = 10.0, 1.0
LONGEST = 4 * 2**20
HEADS, PENDING = "newHeads", "newPendingTransactions"
_BROKEN = (aiohttp.ClientError, OSError, TimeoutError)


class Refused(aiohttp.ClientError):
    """The node answers, but does not let us subscribe."""


class WebsocketPush:
    """The websocket of one node; see `watchers.node.Push`."""

    def __init__(self, ws_url: str, pending: Pending) -> None:
        """pending: takes the transactions that the node announces whole."""
        self._url, self._pending = ws_url, pending
        parts = urlsplit(ws_url)
        self._place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"  # the path may be a key

    @property
    def where(self) -> str:
        """The node's address, without login and path."""
        return self._place

    async def listen(self, wake: Wake) -> None:
        """Ring for every head and every pending transaction, for ever."""

        async def hear() -> None:
            async with self._connection() as socket:
                heads = await subscribe(socket, HEADS)
                with contextlib.suppress(Refused):  # not every node offers it; new heads wake the mempool too
                    await subscribe(socket, PENDING, True)
                wake.all()
                while (message := await socket.receive(timeout=SILENCE_S)).type is aiohttp.WSMsgType.TEXT:
                    self.hear(wake, message.data, heads)

        await again_and_again(self._place, hear, _BROKEN)

    def hear(self, wake: Wake, text: str, heads: str) -> None:
        """Take one announcement, and ring; a new head changes what is pending too."""
        told = _read(text).get("params")
        if not isinstance(told, dict):
            return
        if told.get("subscription") == heads:
            wake.blocks.ring()
        elif isinstance(told.get("result"), dict):
            self._pending.take(told["result"])
        wake.mempool.ring()

    def pushed(self, ref: BlockRef) -> RawBlock | None:
        """Hand out nothing: a head is only a header."""
        return None

    async def lacks(self) -> list[Lack]:
        """Try to subscribe."""
        try:
            async with self._connection() as socket:
                await subscribe(socket, HEADS)
        except _BROKEN as error:
            what = f"no push from {self._place}: {str(error) or type(error).__name__}"
            return [Lack(what, "Start the node with its websocket, or correct `ws_url`.")]
        return []

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Connect; raises TimeoutError, for a frozen node still takes connections."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
            async with asyncio.timeout(CONNECT_S):
                socket = await session.ws_connect(
                    self._url,
                    heartbeat=HEARTBEAT_S,
                    max_msg_size=LONGEST,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
                )
            async with socket:
                yield socket


async def subscribe(socket: aiohttp.ClientWebSocketResponse, what: str, *options: object) -> str:
    """Subscribe and return the subscription's id; raises Refused, TimeoutError.

    What an earlier subscription announces meanwhile is dropped: who subscribes wakes everybody afterwards.
    """
    await socket.send_json({"jsonrpc": "2.0", "id": what, "method": "eth_subscribe", "params": [what, *options]})
    while True:
        message = await socket.receive(timeout=CONNECT_S)
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise Refused(f"it closed the connection instead of a subscription to {what}")
        answer = _read(message.data)
        if answer.get("id") == what:
            if not isinstance(answer.get("result"), str):
                raise Refused(f"it refuses a subscription to {what}")
            return str(answer["result"])


def _read(text: str) -> dict[str, Any]:
    try:
        answer = orjson.loads(text)
    except ValueError as error:
        raise Refused("it sends something else than JSON") from error
    return answer if isinstance(answer, dict) else {}
