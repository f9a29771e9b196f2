"""The named methods of the bitcoinrpc package, sent through the checked transport."""

from typing import Any

import httpx
from bitcoinrpc import BitcoinRPC

from tracer.errors import NodeLacks, NodeMissing, NodeUnavailable
from watchers.rpc import JsonRpc, RpcError

OUT_OF_RANGE = -8
ABSENT = (-1, -5, OUT_OF_RANGE)
NO_SUCH_METHOD = -32601


class NamedCalls(BitcoinRPC):
    """bitcoinrpc for the rare calls: its names and types, without its connection.

    On its own it accepts an answer to another question, reads amounts as floats, knows no cookie file, waits
    5 seconds whatever the caller wants, and takes an overloaded node's plain text for broken JSON.
    """

    __slots__ = ("_rpc",)

    def __init__(self, rpc: JsonRpc) -> None:
        super().__init__(rpc.origin, client=httpx.AsyncClient(transport=_Nowhere()))
        self._rpc = rpc

    async def acall(self, method: str, params: list[Any], **_: Any) -> Any:
        """Send one question; trailing parameters left out (None) are not sent. Timeouts are the transport's.

        Raises NodeMissing, NodeLacks or NodeUnavailable.
        """
        sent = list(params)
        while sent and sent[-1] is None:
            sent.pop()
        try:
            return await self._rpc.call(method, *sent)
        except RpcError as error:
            raise meaning(error) from error


class _Nowhere(httpx.AsyncBaseTransport):
    """Refuses all requests: nothing may go around the checked transport."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.UnsupportedProtocol("bitcoinrpc's own connection is not used", request=request)


def meaning(error: RpcError) -> NodeMissing | NodeLacks | NodeUnavailable:
    """Say in our words what bitcoind's error means for a question about blocks."""
    if error.code in ABSENT:
        return NodeMissing(error.message)
    if error.code == NO_SUCH_METHOD:
        return NodeLacks(f"the node does not know a method: {error.message}")
    return NodeUnavailable(f"the node answered: {error}")
