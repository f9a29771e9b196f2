"""What bitcoinrpc accepts and the node seam must not; answers about spent coins; answers that race or lie."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web
from bitcoin.core import CTxOut
from bitcoin.core.script import CScript
from bitcoin.core.serialize import VarIntSerializer
from bitcoinrpc import BitcoinRPC
from hypothesis import given
from hypothesis import strategies as st

from tracer.errors import Inconsistent, NodeMissing, NodeUnavailable
from tracer.types import BlockRef, Hash, Holder, Outpoint, outpoint
from watchers.bitcoin.named import NamedCalls
from watchers.bitcoin.node import GENESIS, BitcoinNode
from watchers.bitcoin.scan import Hit
from watchers.bitcoin.spent import from_json, from_undo, satoshi
from watchers.node import Coin
from watchers.rpc import JsonRpc

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def both(url: str, **options: Any) -> AsyncIterator[tuple[BitcoinRPC, NamedCalls]]:
    """bitcoinrpc as it comes, and behind the checked transport."""
    rpc = JsonRpc(url, exact=True, **options)
    checked = NamedCalls(rpc)
    async with BitcoinRPC.from_config(url, None) as plain:
        try:
            yield plain, checked
        finally:
            await checked.aclose()
            await rpc.close()


def saying(body: bytes, status: int = 200) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body, status=status)

    return answer


async def test_bitcoinrpc_accepts_another_questions_answer_and_we_do_not() -> None:
    async with server(saying(b'{"id": 4711, "result": 5}')) as url, both(url) as (plain, checked):
        assert await plain.getblockcount() == 5
        with pytest.raises(NodeUnavailable, match="another question"):
            await checked.getblockcount()


async def test_bitcoinrpc_reads_money_as_floats_and_we_do_not() -> None:
    body = b'{"id": 1, "result": {"value": 0.29000000}}'
    async with server(saying(body)) as url, both(url) as (plain, checked):
        loose: Any = await plain.acall("gettxout", [])
        exact: Any = await checked.acall("gettxout", [])
    assert int(loose["value"] * 10**8) == 28_999_999  # what floats do to 29,000,000 satoshi
    assert satoshi(exact["value"]) == 29_000_000


async def test_bitcoinrpc_takes_an_overloaded_node_for_broken_json_and_we_do_not() -> None:
    body = b"Work queue depth exceeded"
    async with server(saying(body, 503)) as url, both(url) as (plain, checked):
        with pytest.raises(orjson.JSONDecodeError):
            await plain.getblockcount()
        with pytest.raises(NodeUnavailable, match="503: Work queue depth exceeded"):
            await checked.getblockcount()


async def test_bitcoinrpc_knows_no_cookie_file_and_we_do(tmp_path: Path) -> None:
    async def guarded(request: web.Request) -> web.Response:
        if "Authorization" not in request.headers:
            return web.Response(status=401)
        return web.Response(body=orjson.dumps({"id": orjson.loads(await request.read())["id"], "result": 5}))

    (tmp_path / ".cookie").write_text("__cookie__:secret")
    async with server(guarded) as url, both(url, cookie_file=tmp_path / ".cookie") as (plain, checked):
        with pytest.raises(httpx.HTTPStatusError):
            await plain.getblockcount()
        assert await checked.getblockcount() == 5


async def test_the_deadline_is_ours_whatever_a_named_method_sets() -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        raise AssertionError

    async with server(hang) as url, both(url, deadline_s=0.2) as (_, checked):
        with pytest.raises(NodeUnavailable, match=r"within 0\.2 s"):
            await checked.getblock("00" * 32, 0)  # bitcoinrpc hard-codes 5 s here


async def test_nothing_goes_around_the_checked_transport() -> None:
    async with server(saying(b"{}")) as url, both(url) as (_, checked):
        with pytest.raises(httpx.UnsupportedProtocol):
            await checked.client.post(url)


async def test_parameters_left_out_are_not_sent() -> None:
    async def echo(request: web.Request) -> web.Response:
        asked = orjson.loads(await request.read())
        return web.Response(body=orjson.dumps({"id": asked["id"], "result": asked["params"]}))

    async with server(echo) as url, both(url) as (_, checked):
        answer: Any = await checked.getrawtransaction("aa", True)
    assert answer == ["aa", True]


def lying_node(tell: Callable[[str, list[Any]], Any], asked: list[str]) -> Answer:
    """A bitcoind without REST that answers what `tell` says; an exception is a JSON-RPC error -8."""

    def one(question: Any) -> Any:
        asked.append(question["method"])
        if question["method"] == "getblockhash" and question["params"] == [0]:
            return {"id": question["id"], "result": GENESIS["regtest"]}
        try:
            return {"id": question["id"], "result": tell(question["method"], question["params"])}
        except LookupError:
            return {"id": question["id"], "error": {"code": -8, "message": "out of range"}}

    async def answer(request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.Response(status=404)
        body = orjson.loads(await request.read())
        return web.Response(body=orjson.dumps([one(q) for q in body] if isinstance(body, list) else one(body)))

    return answer


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[BitcoinNode]:
    node = BitcoinNode(rpc_url=url, network="regtest")
    try:
        await node.open()
        yield node
    finally:
        await node.close()


TIP = BlockRef(5, Hash(b"t" * 32), Hash(b"p" * 32))
OTHER = "0b" * 32


async def test_a_view_is_asked_again_when_the_best_block_changed_meanwhile() -> None:
    turns = iter([OTHER, "0c" * 32, TIP.hash.hex()])

    def tell(method: str, params: list[Any]) -> Any:
        match method, params:
            case "getblockchaininfo", _:
                return {"blocks": 5, "bestblockhash": TIP.hash.hex()}
            case "getbestblockhash", _:
                return next(turns)
            case "getblockhash", [5]:
                return TIP.hash.hex()
        raise LookupError

    asked: list[str] = []
    async with server(lying_node(tell, asked)) as url, connected(url) as node:
        view = await node.view(TIP)
    assert (view.best, view.hash_at_tip, view.above) == (TIP, TIP.hash, None)
    assert asked.count("getbestblockhash") == 3


async def test_a_view_that_never_settles_is_given_up() -> None:
    def tell(method: str, params: list[Any]) -> Any:
        if method == "getblockchaininfo":
            return {"blocks": 5, "bestblockhash": OTHER}
        return TIP.hash.hex()  # also for a height above the best

    async with server(lying_node(tell, [])) as url, connected(url) as node:
        with pytest.raises(NodeUnavailable, match="changed 5 times"):
            await node.view(TIP)


async def test_a_header_that_is_not_the_one_asked_for_is_refused() -> None:
    def tell(method: str, params: list[Any]) -> Any:
        return OTHER if method == "getblockhash" else bytes(80).hex()

    async with server(lying_node(tell, [])) as url, connected(url) as node:
        with pytest.raises(Inconsistent, match="got another"):
            await node.ref_at(3)


def hit(position: int, points: list[Outpoint]) -> Hit:
    return Hit(position, Hash(b"x" * 32), b"", tuple((point, None) for point in points), ())


def undo(spent: list[list[Coin]]) -> bytes:
    """The node's binary list, written by another library."""
    return bytes(
        VarIntSerializer.serialize(len(spent))
        + b"".join(
            VarIntSerializer.serialize(len(coins))
            + b"".join(CTxOut(coin.amount, CScript(coin.holder)).serialize() for coin in coins)
            for coins in spent
        )
    )


COINS = st.builds(
    Coin,
    st.one_of(st.binary(max_size=60), st.sampled_from([bytes(0xFC), bytes(0xFD), bytes(0x10000)])).map(Holder),
    st.integers(0, 21_000_000 * 10**8),
)


@given(st.lists(st.lists(COINS, min_size=1, max_size=4), min_size=1, max_size=5), st.data())
def test_spent_coins_are_read_from_undo_data(spent: list[list[Coin]], data: st.DataObject) -> None:
    spent = [[], *spent]  # the coinbase spends none
    wanted = data.draw(st.sets(st.integers(1, len(spent) - 1)))
    points = {at: [outpoint(Hash(bytes([at]) * 32), n) for n in range(len(spent[at]))] for at in wanted}
    told = from_undo(undo(spent), [hit(at, points[at]) for at in wanted])
    assert told == {point: coin for at in wanted for point, coin in zip(points[at], spent[at], strict=True)}


def test_undo_data_of_another_block_or_cut_short_is_refused() -> None:
    coin, point = Coin(Holder(b"\x51"), 7), outpoint(Hash(bytes(32)), 0)
    data = undo([[], [coin]])
    assert from_undo(data, [hit(1, [point])]) == {point: coin}
    wrong = [
        undo([[], [coin, coin]]),
        undo([[]]),
        undo([[], []]),
        data + b"\x00",
        *(data[:n] for n in range(len(data))),
    ]
    for body in wrong:
        with pytest.raises(Inconsistent):
            from_undo(body, [hit(1, [point])])


def told_by_json(**changes: Any) -> dict[str, Any]:
    prevout = {"value": Decimal("0.00000007"), "scriptPubKey": {"hex": "51"}}
    return {"vin": [{"txid": "00" * 32, "vout": 0, "prevout": prevout} | changes]}


def test_spent_coins_are_read_from_a_transaction() -> None:
    point = outpoint(Hash(bytes(32)), 0)
    assert from_json(told_by_json(), hit(1, [point])) == {point: Coin(Holder(b"\x51"), 7)}
    without = told_by_json()
    del without["vin"][0]["prevout"]
    with pytest.raises(NodeMissing, match="undo"):
        from_json(without, hit(1, [point]))
    wrong: list[Any] = [
        told_by_json(txid="01" * 32),
        told_by_json(vout=1),
        told_by_json(vout="x"),
        told_by_json(prevout={"value": 0.07, "scriptPubKey": {"hex": "51"}}),
        told_by_json(prevout={"value": Decimal("0.07")}),
        {"vin": []},
        {},
        None,
    ]
    for transaction in wrong:
        with pytest.raises(Inconsistent):
            from_json(transaction, hit(1, [point]))


@given(st.integers(0, 21_000_000 * 10**8))
def test_satoshi_survive_the_way_through_json(amount: int) -> None:
    assert satoshi(Decimal(f"{amount // 10**8}.{amount % 10**8:08d}")) == amount


@pytest.mark.parametrize(
    "value",
    [
        0.5,
        True,
        None,
        "1",
        Decimal("-1"),
        Decimal("0.000000001"),
        Decimal("21000001"),
        Decimal("NaN"),
        Decimal("1e99"),
    ],
)
def test_what_is_not_a_whole_number_of_satoshi_is_refused(value: object) -> None:
    with pytest.raises((ValueError, OverflowError)):
        satoshi(value)
