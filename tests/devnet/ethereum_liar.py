"""A server in front of a real node that changes some of its answers: what a real node cannot do on cue."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

Answer = dict[str, Any]
Lie = Callable[[str, Sequence[Any], Answer], Answer]
"""Given method, parameters and the node's whole answer (id and result or error), what to say instead."""


@asynccontextmanager
async def lying(rpc_url: str, lie: Lie) -> AsyncIterator[str]:
    """Serve on a free loopback port and yield the URL; every question is really asked of the node."""
    async with aiohttp.ClientSession() as session:

        async def relay(request: web.Request) -> web.Response:
            asked = await request.json()
            async with session.post(rpc_url, json=asked) as response:
                told = await response.json()
            if isinstance(asked, dict):
                return web.json_response(lie(asked["method"], asked["params"], told))
            by_id = {answer["id"]: answer for answer in told}
            return web.json_response([lie(item["method"], item["params"], by_id[item["id"]]) for item in asked])

        app = web.Application(client_max_size=2**26)
        app.router.add_post("/", relay)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            yield f"http://{host}:{port}"
        finally:
            await runner.cleanup()


def without(*methods: str) -> Lie:
    """Not know some methods, as other makes of node do."""

    def lie(method: str, _params: Sequence[Any], answer: Answer) -> Answer:
        if method not in methods:
            return answer
        error = {"code": -32601, "message": f"the method {method} does not exist"}
        return {"jsonrpc": "2.0", "id": answer["id"], "error": error}

    return lie
