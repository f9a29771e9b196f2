"""What is asked of an import of history: which chain a reference is of, and who may work on one when."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from watchers import importing
from watchers.config import Config, load_config
from watchers.history import CannotImport, Request
from watchers.importing import Imports, OneAtATime, chosen

BITCOIN = '[chain.{0}]\nfamily = "bitcoin"\nnetwork = "{1}"\nrpc_url = "http://127.0.0.1:1"\n'
ETHEREUM = '[chain.{0}]\nfamily = "ethereum"\nchain_id = {1}\nrpc_url = "http://127.0.0.1:1"\n'
ACCOUNT = "0x" + "ab" * 20
TXID = "cd" * 32


def config(tmp_path: Path, *chains: str) -> Config:
    path = tmp_path / "config.toml"
    path.write_text('[store]\nurl = "sqlite:///store.db"\n' + "\n".join(chains))
    return load_config(path, {}, ())


def asked(ref: str, chain: str = "") -> Request:
    return Request(ref, chain, 3, 10, "", 0)


def test_a_reference_is_of_the_one_chain_that_can_have_it(tmp_path: Path) -> None:
    both = config(tmp_path, BITCOIN.format("btc", "regtest"), ETHEREUM.format("eth", 1))
    assert chosen(both, asked(TXID)).name == chosen(both, asked(f"{TXID.upper()}:0")).name == "btc"
    assert chosen(both, asked(ACCOUNT)).name == chosen(both, asked(ACCOUNT[2:])).name == "eth"


@pytest.mark.parametrize(
    ("ref", "chain", "words"),
    [
        (ACCOUNT, "", "may be of one or two"),
        (TXID, "", "neither a transaction .* nor an account"),
        (ACCOUNT, "three", "no chain 'three'; it has one, two"),
    ],
)
def test_a_reference_of_several_chains_or_none_is_refused(tmp_path: Path, ref: str, chain: str, words: str) -> None:
    two = config(tmp_path, ETHEREUM.format("one", 1), ETHEREUM.format("two", 2))
    with pytest.raises(CannotImport, match=words):
        chosen(two, asked(ref, chain))
    assert chosen(two, asked(ACCOUNT, "two")).name == "two"


@pytest.mark.parametrize(
    ("ref", "named"),
    [
        (TXID, (bytes.fromhex(TXID), None)),
        (f"{TXID}:12", (bytes.fromhex(TXID), 12)),
        (f"{TXID}:01", None),
        (f"{TXID}:-1", None),
        (TXID[:-1], None),
        (ACCOUNT, None),
    ],
)
def test_a_transaction_is_told_from_an_account(ref: str, named: Any) -> None:
    assert asked(ref).named == named


class Slow:
    """Imports of two lines, the second of which waits to be let go."""

    def __init__(self) -> None:
        self.go, self.closed = asyncio.Event(), list[str]()

    async def lines(self, _config: Any, request: Request, *rest: Any) -> AsyncGenerator[str, None]:
        try:
            await asyncio.sleep(0.01)  # longer than a turn
            yield f"{request.ref} began"
            await self.go.wait()
            rest[-1].append(f"{request.ref} done")
        finally:
            self.closed.append(request.ref)


BODY = {"ref": "a", "chain": "", "depth": 1, "most": 1, "block": "", "first": 0}


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    slow = Slow()
    monkeypatch.setattr(importing, "lines_of", slow.lines)
    monkeypatch.setattr(importing, "_follower_of", lambda *_: None)
    monkeypatch.setattr(importing, "TURN_S", 0.001)
    return slow


def imports() -> Imports:
    return Imports(None, None, [])  # type: ignore[arg-type]


async def test_an_import_is_driven_by_its_token_to_the_end(slow: Slow) -> None:
    work = imports()
    slow.go.set()
    answer = await work.turn(BODY)
    assert answer["lines"] == ["a began"] and "token" in answer
    lines = list(answer["lines"])
    while "token" in answer:
        answer = await work.turn({"token": answer["token"]})
        lines += answer["lines"]
    assert lines == ["a began"]
    assert answer["result"] == ["a done"]
    assert slow.closed == ["a"]


async def test_the_next_import_takes_the_place_of_one_that_nobody_drives(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = imports()
    first = await work.turn(BODY)
    assert first["lines"] == ["a began"]
    with pytest.raises(OneAtATime, match="for somebody else"):
        await work.turn({**BODY, "ref": "b"})
    assert slow.closed == [], "whoever asked for it may go on"
    monkeypatch.setattr(importing, "GIVEN_UP_S", 0.0)
    second = await work.turn({**BODY, "ref": "b"})
    assert slow.closed == ["a"]
    with pytest.raises(OneAtATime, match="has taken the place"):
        await work.turn({"token": first["token"]})
    assert second["token"] != first["token"]
    await work.close()
    assert slow.closed == ["a", "b"]


async def test_while_one_import_works_another_is_refused_and_the_end_of_the_daemon_calls_it_off(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "TURN_S", 60.0)
    work = imports()
    turn = asyncio.create_task(work.turn(BODY))
    await asyncio.sleep(0.02)
    with pytest.raises(OneAtATime, match="for somebody else"):
        await work.turn({**BODY, "ref": "b"})
    await asyncio.wait_for(work.close(), 5.0)
    with contextlib.suppress(asyncio.CancelledError):
        await turn
    assert turn.cancelled() and slow.closed == ["a"]
