"""The transport against a tiny server that lies, stalls, truncates and refuses on cue."""

import asyncio
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from tracer.errors import BadConfig, NodeMissing, NodeUnavailable
from watchers.rpc import JsonRpc, NotAuthorised, RpcError

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    """Serve every path and verb with `answer` on a free loopback port; yields the URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client(url: str, **options: Any) -> AsyncIterator[JsonRpc]:
    rpc = JsonRpc(url, **options)
    await rpc.open()
    try:
        yield rpc
    finally:
        await rpc.close()


def says(change: Callable[[Any], Any], status: int = 200) -> Answer:
    """Echo the parameters as the result, after `change` has spoilt the honest answer."""

    async def answer(request: web.Request) -> web.Response:
        asked = orjson.loads(await request.read())
        honest: Any
        if isinstance(asked, list):
            honest = [{"jsonrpc": "2.0", "id": one["id"], "result": one["params"]} for one in asked]
        else:
            honest = {"jsonrpc": "2.0", "id": asked["id"], "result": asked["params"]}
        return web.Response(body=orjson.dumps(change(honest)), status=status)

    return answer


def plain(status: int, body: bytes) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body, status=status)

    return answer


async def test_an_honest_answer_arrives() -> None:
    async with server(says(lambda honest: honest)) as url, client(url) as rpc:
        assert await rpc.call("echo", 1, "two") == [1, "two"]
        assert await rpc.batch([("echo", [1]), ("echo", [2])]) == [[1], [2]]
        assert await rpc.batch([]) == []


@pytest.mark.parametrize("wrong", [0, 2, True, 1.0, "1", None, [1]])
async def test_an_answer_to_another_question_is_refused(wrong: object) -> None:
    async with server(says(lambda honest: {**honest, "id": wrong})) as url, client(url) as rpc:
        with pytest.raises(NodeUnavailable, match="another question"):
            await rpc.call("echo")


async def test_batch_answers_in_another_order_are_put_right() -> None:
    async with server(says(lambda honest: honest[::-1])) as url, client(url) as rpc:
        assert await rpc.batch([("echo", [1]), ("echo", [2]), ("echo", [3])]) == [[1], [2], [3]]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda honest: honest[:-1],
        lambda honest: [*honest, honest[0]],
        lambda honest: [honest[0], honest[0]],
        lambda honest: [honest[0], {**honest[1], "id": 77}],
        lambda honest: [honest[0], 5],
        lambda honest: honest[0],
        lambda honest: [honest[0], {"id": honest[1]["id"]}],
    ],
)
async def test_a_batch_with_missing_doubled_or_foreign_answers_is_refused(spoil: Any) -> None:
    async with server(says(spoil)) as url, client(url) as rpc:
        with pytest.raises(NodeUnavailable):
            await rpc.batch([("echo", [1]), ("echo", [2])])


async def test_a_failed_item_does_not_spoil_its_batch() -> None:
    def fail_second(honest: Any) -> Any:
        return [honest[0], {"id": honest[1]["id"], "error": {"code": -5, "message": "Block not found"}}]

    async with server(says(fail_second)) as url, client(url) as rpc:
        first, second = await rpc.batch([("echo", [1]), ("echo", [2])])
    assert first == [1]
    assert isinstance(second, RpcError)
    assert (second.code, second.message) == (-5, "Block not found")


@pytest.mark.parametrize("status", [200, 400, 404, 500])
async def test_an_error_is_raised_with_its_code_whatever_the_http_status(status: int) -> None:
    def fail(honest: Any) -> Any:
        return {"id": honest["id"], "result": None, "error": {"code": -8, "message": "out of range"}}

    async with server(says(fail, status)) as url, client(url) as rpc:
        with pytest.raises(RpcError) as caught:
            await rpc.call("getblockhash", 9)
    assert caught.value.code == -8


async def test_a_node_that_warms_up_is_unavailable() -> None:
    def warm(honest: Any) -> Any:
        return {"id": honest["id"], "error": {"code": -28, "message": "Loading block index"}}

    async with server(says(warm)) as url, client(url) as rpc:
        with pytest.raises(NodeUnavailable, match="Loading block index"):
            await rpc.call("uptime")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, b"Work queue depth exceeded\r\n"),
        (503, b'{"id": 1, "result": 1}'),
        (429, b'{"id": 1, "error": {"code": 1, "message": "slow down"}}'),
        (500, b"oops"),
        (302, b""),
        (200, b""),
        (200, b"<html>"),
        (200, b"\xff\xfe"),
        (200, b'"text"'),
        (200, b'{"id": 1, "result": '),
        (200, b"[" * 100_000),
        (200, b'{"id": 1}'),
    ],
)
@pytest.mark.parametrize("exact", [False, True])
async def test_an_answer_out_of_protocol_means_unavailable(status: int, body: bytes, exact: bool) -> None:
    async with server(plain(status, body)) as url, client(url, exact=exact) as rpc:
        with pytest.raises(NodeUnavailable) as caught:
            await rpc.call("uptime")
    assert len(str(caught.value)) < 400


async def test_nobody_listening_means_unavailable() -> None:
    async with server(plain(200, b"")) as url:
        pass
    async with client(url) as rpc:
        with pytest.raises(NodeUnavailable):
            await rpc.call("uptime")


async def test_a_body_cut_short_means_unavailable() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"id": 1, "result": 5}')
        assert request.transport is not None
        request.transport.close()
        return response

    async with server(cut) as url, client(url) as rpc:
        with pytest.raises(NodeUnavailable):
            await rpc.call("uptime")


async def test_the_deadline_covers_a_body_that_trickles() -> None:
    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    async with server(trickle) as url, client(url, deadline_s=0.3) as rpc:
        with pytest.raises(NodeUnavailable, match=r"within 0\.3 s"):
            await rpc.call("uptime")


async def test_a_body_over_the_cap_is_not_read_to_its_end() -> None:
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(1000):
                await response.write(bytes(2**20))
                sent += 1
        except ConnectionError:
            pass
        return response

    async with server(flood) as url, client(url, max_bytes=3 * 2**20) as rpc:
        with pytest.raises(NodeUnavailable, match="longer than 3145728 bytes"):
            await rpc.call("uptime")
    assert sent < 100


async def test_cancelling_a_call_is_not_swallowed() -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    async with server(hang) as url, client(url) as rpc:
        task = asyncio.create_task(rpc.call("uptime"))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_no_more_requests_are_in_flight_than_allowed() -> None:
    now = most = 0

    async def count(request: web.Request) -> web.StreamResponse:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        asked = orjson.loads(await request.read())
        return web.Response(body=orjson.dumps({"id": asked["id"], "result": 1}))

    async with server(count) as url, client(url, max_in_flight=3) as rpc:
        assert await asyncio.gather(*(rpc.call("uptime") for _ in range(12))) == [1] * 12
    assert most == 3


def guarded(login: str) -> tuple[Answer, list[str]]:
    """Answer 401 with an empty body (like bitcoind) unless the login fits; list what was presented."""
    presented: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        presented.append(request.headers.get("Authorization", ""))
        if presented[-1] != "Basic " + b64encode(login.encode()).decode():
            return web.Response(status=401)
        asked = orjson.loads(await request.read())
        return web.Response(body=orjson.dumps({"id": asked["id"], "result": "in"}))

    return answer, presented


async def test_a_new_cookie_is_read_after_a_restart_of_the_node(tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:old")
    answer, presented = guarded("__cookie__:new")
    async with server(answer) as url, client(url, cookie_file=cookie) as rpc:
        with pytest.raises(NotAuthorised) as caught:
            await rpc.call("uptime")
        assert "cookie_file" in caught.value.line()
        assert len(presented) == 2
        cookie.write_text("__cookie__:new\n")
        assert await rpc.call("uptime") == "in"
        assert await rpc.call("uptime") == "in"
    assert len(presented) == 5  # refused, re-read, then straight in


async def test_a_node_without_a_cookie_yet_is_unavailable(tmp_path: Path) -> None:
    async with client("http://127.0.0.1:1", cookie_file=tmp_path / ".cookie") as rpc:
        with pytest.raises(NodeUnavailable, match="no cookie"):
            await rpc.call("uptime")


async def test_a_login_goes_out_and_is_never_shown() -> None:
    answer, _ = guarded("al:p@ss")
    async with server(answer) as url:
        async with client(url, user="al", password="p@ss") as rpc:
            assert await rpc.call("uptime") == "in"
        async with client(url.replace("//", "//al:p%40ss@")) as rpc:
            assert await rpc.call("uptime") == "in"
        async with client(url.replace("//", "//al:wrong@") + "/v3/secretkey") as rpc:
            with pytest.raises(NotAuthorised) as caught:
                await rpc.call("uptime")
    assert "wrong" not in caught.value.line()
    assert "secretkey" not in caught.value.line()


async def test_fractions_are_decimals_where_amounts_may_be() -> None:
    body = b'{"id": 1, "result": [0.1, 20999999.97690000, 1]}'
    async with server(plain(200, body)) as url, client(url, exact=True) as rpc:
        result = await rpc.call("getrawtransaction")
    assert result == [Decimal("0.1"), Decimal("20999999.9769"), 1]
    assert [type(number) for number in result] == [Decimal, Decimal, int]


async def test_a_plain_get_tells_absent_from_broken() -> None:
    async def rest(request: web.Request) -> web.Response:
        match request.path:
            case "/rest/here.bin":
                return web.Response(body=b"\x00\x01")
            case "/rest/gone.bin":
                return web.Response(status=404)
        return web.Response(status=400, text="Invalid hash: x")

    async with server(rest) as url, client(url + "/wallet/one") as rpc:
        assert await rpc.get("/rest/here.bin") == b"\x00\x01"
        with pytest.raises(NodeMissing):
            await rpc.get("/rest/gone.bin")
        with pytest.raises(NodeUnavailable, match="Invalid hash"):
            await rpc.get("/rest/bad.bin")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8332", "ftp://x", "http://", "http://h:notaport", "http://[::1"])
def test_a_url_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(BadConfig, match="rpc_url"):
        JsonRpc(url)


def test_deep_nesting_is_refused_where_a_library_has_raised_the_recursion_limit() -> None:
    script = (
        "import sys; sys.setrecursionlimit(100_000)\n"
        "from watchers.rpc import _load_exact\n"
        "try:\n    _load_exact(b'[' * 100_000)\nexcept ValueError as error:\n    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "refused\n")
