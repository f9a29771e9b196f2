"""`tracer precheck` as a custody officer runs it, on a store in which a case was played."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from disposal import (
    AGENCY,
    CONFIG_SHA256,
    E_AGENCY,
    E_EXCHANGE,
    EXCHANGE,
    STRANGER,
    THIEF,
    USDT,
    add_case,
    declared,
    open_store,
    play_bitcoin,
    play_ethereum,
    plays,
    txid,
)
from precheck_maker import psbt, transaction

from tracer import cli
from tracer.command import exit_code
from tracer.custody.case import Watch
from tracer.custody.filing import Draft
from tracer.custody.instants import instant_text
from tracer.custody.records import Hold
from tracer.report import precheck as checking
from tracer.store.appended import insert_record
from tracer.types import ChainId, Holder, Role, outpoint

COIN = outpoint(txid("receive"), 0)
PAID, CHANGE = (EXCHANGE, 150_000_000), (AGENCY, 148_960_000)
GOOD = psbt([COIN], [PAID, CHANGE], [(AGENCY, 298_970_000)]).text
THEN = "2025-06-16T08:00:00Z"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disposal before the deposit: the agency has 2.9897 BTC in one coin, and 1000 USDT of 5000 left."""
    path = tmp_path_factory.mktemp("precheck") / "store.db"
    with open_store(path) as writer:
        writer.note_run("0.1.0", CONFIG_SHA256, 2)
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 104, leak=False)
        play_ethereum(ethereum, leak=False)
        bitcoin.pool([bitcoin.sighting(bitcoin.pay("waits", [("test", 0)], [(STRANGER, 5)]))])
    return path


def asked(store: Path, given: bytes, leg: str = "deposit", *more: str) -> Any:
    """The answer to a transaction on standard input; its exit code is that of its verdict."""
    arguments = ["--store", str(store), "precheck", "HD-1", leg, "-", "--at", THEN, "--json", *more]
    result = CliRunner().invoke(cli.group, arguments, input=given, standalone_mode=False)
    assert result.exception is None, result.output
    answer = json.loads(result.output)
    assert result.return_value == answer["exit_code"]
    return answer


def failing(answer: Any) -> dict[str, str]:
    return {row["field"]: row["verdict"] for row in answer["data"]["fields"] if row["verdict"] != "SHOWN"}


def test_a_deposit_as_planned_is_shown(store: Path) -> None:
    answer = asked(store, GOOD)
    assert failing(answer) == {} and (answer["verdict"], answer["exit_code"]) == ("SHOWN", 0)
    assert answer["answer"] == "precheck" and {"LEG-1", "LEG-3", "LEG-5", "HOLD-1", "EXC-2"} <= set(answer["rules"])
    assert [chain["name"] for chain in answer["as_of"]] == ["bitcoin"]
    assert answer["data"]["transaction"]["payments"][0] == {
        "holder": EXCHANGE.hex(),
        "address": "bc1qexchange",
        "token": None,
        "amount": "150000000",
    }
    assert answer["data"]["transaction"]["inputs"][0]["known"] is True


def test_a_court_hold_forbids_what_would_be_right_otherwise(tmp_path: Path) -> None:
    path, then = tmp_path / "store.db", 1_750_060_800
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 104, leak=False)
        with writer.connection.begin():
            hold = Hold(start=then - 100, end=then + 100, court="District court")
            draft = Draft("hold", hold, "CO1", None, then, "aa" * 32)
            insert_record(writer.connection, (1, "HD-1"), draft, "hold-1", None, then)
    assert failing(asked(path, GOOD)) == {"court hold": "CONTRADICTED"}
    assert failing(asked(path, GOOD, "deposit", "--at", instant_text(then + 100))) == {}


def test_a_payment_to_a_thief_is_contradicted(store: Path) -> None:
    answer = asked(store, transaction([COIN], [(THIEF, 150_000_000), CHANGE]).hex().encode())
    assert failing(answer) == {"destination": "CONTRADICTED"} and answer["exit_code"] == 3
    assert answer["checks"][1]["rule"] == "LEG-1"


@pytest.mark.parametrize(
    ("name", "index", "amount", "verdict", "reason"),
    [
        ("test", 1, 298_980_000, "CONTRADICTED", f"it is spent already by {txid('receive').hex()}"),
        ("test", 0, 1_000_000, "NOT_SHOWN", f"whether it is spent is open: {txid('waits').hex()} waits to spend it"),
        ("never", 0, 200_000_000, "NOT_SHOWN", "the store does not know this coin"),
        ("receive", 1, 200_000_000, "NOT_SHOWN", "the store does not know this coin"),
        ("receive", 0, 1, "CONTRADICTED", f"the document tells another coin {txid('receive').hex()}:0"),
    ],
)
def test_coins_are_what_the_chain_and_the_mempool_say(
    store: Path, name: str, index: int, amount: int, verdict: str, reason: str
) -> None:
    point = outpoint(txid(name), index)
    answer = asked(store, psbt([point], [PAID, CHANGE], [(AGENCY, amount)]).text)
    coins = [row for row in answer["data"]["fields"] if row["field"] == "coin"]
    assert (verdict, reason) in [(row["verdict"], row["reason"]) for row in coins]


def test_a_coin_whose_spending_nobody_follows_is_left_open(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 109)
    fields = asked(path, transaction([outpoint(txid("hop2"), 0)], [(EXCHANGE, 1)]).hex().encode())["data"]["fields"]
    assert [row["reason"] for row in fields if row["field"] == "coin"] == ["whether it is spent is open"]


def token_order(**changes: Any) -> dict[str, Any]:
    data = "0xa9059cbb" + E_EXCHANGE.hex().rjust(64, "0") + f"{500_000_000:064x}"
    return {
        **{"from": "0x" + E_AGENCY.hex(), "to": USDT.id.rpartition(":")[2], "data": data, "chainId": 31337},
        **{"gas": 60_000, "maxFeePerGas": "0x3b9aca00", "maxPriorityFeePerGas": 1, "nonce": 3},
    } | changes


def test_a_token_transfer_completes_what_arrived_before(store: Path) -> None:
    at = ("--at", "2025-06-01T00:00:00Z")
    assert failing(asked(store, json.dumps(token_order()).encode(), "deposit-usdt", *at)) == {}
    late = asked(store, json.dumps(token_order()).encode(), "deposit-usdt", "--at", "2025-06-30T00:00:00Z")
    assert failing(late) == {"window": "CONTRADICTED"}
    more = token_order(data=str(token_order()["data"])[:-1] + "1")
    assert failing(asked(store, json.dumps(more).encode(), "deposit-usdt", *at)) == {"amount": "CONTRADICTED"}
    dear = token_order(gas=10**6)
    assert failing(asked(store, json.dumps(dear).encode(), "deposit-usdt", *at)) == {"fee": "CONTRADICTED"}


def test_a_leg_that_asks_for_a_test_finds_whether_one_to_the_same_bytes_is_confirmed(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "needs_test", lambda reader, case, leg: True)
    tested = {row["field"]: row for row in asked(store, GOOD, "receive")["data"]["fields"]}["test transfer"]
    assert (tested["verdict"], tested["rule"]) == ("SHOWN", "LEG-4")
    assert failing(asked(store, GOOD))["test transfer"] == "CONTRADICTED"


def test_an_address_like_that_of_the_exchange_is_found_in_the_store(tmp_path: Path) -> None:
    """Real accounts: the fixtures of the store write made-up Bitcoin addresses."""
    path, planted = tmp_path / "store.db", Holder(E_EXCHANGE[:3] + b"\0" * 14 + E_EXCHANGE[-3:])
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_ethereum(ethereum, leak=False)
    order = token_order(data="0xa9059cbb" + planted.hex().rjust(64, "0") + f"{500_000_000:064x}")
    answer = asked(path, json.dumps(order).encode(), "deposit-usdt")
    assert failing(answer)["look-alike"] == failing(answer)["destination"] == "CONTRADICTED"


def test_an_address_in_two_roles_is_held_only_if_it_is_in_both(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    case = declared()
    twice = Watch("agency-too", ChainId(case.watches[0].chain), AGENCY, Role.EXCHANGE, "ex", 101)
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, replace(case, watches=(*case.watches, twice)), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 104, leak=False)
    assert failing(asked(path, GOOD))["other output"] == "CONTRADICTED"


def test_what_people_see_says_it_in_one_sentence(
    capsys: pytest.CaptureFixture[str], store: Path, tmp_path: Path
) -> None:
    file = tmp_path / "deposit.psbt"
    file.write_bytes(psbt([COIN], [(THIEF, 150_000_001), CHANGE], [(AGENCY, 298_970_000)]).raw)
    code = exit_code(cli.group, "tracer", ["--store", str(store), "precheck", "HD-1", "deposit", str(file)])
    out = capsys.readouterr().out
    assert code == 3 and "Do not broadcast it: it goes against the plan" in out
    assert "planned  bc1qexchange (exchange)" in out and "CONTRADICTED  destination" in out
    assert "amount: 0.00000001 BTC more than the leg allows" in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("given", "arguments", "said"),
    [
        (b"garbage", ("HD-1", "deposit"), "neither hex, base64 nor JSON"),
        (GOOD, ("HD-1", "nope"), "case HD-1 has no leg 'nope'. It has secure, test, receive"),
        (GOOD, ("HD-2", "deposit"), "the store has no case 'HD-2'. It has HD-1."),
        (GOOD, ("HD-1", "deposit-usdt"), "a transaction of Bitcoin, and the leg is on Ethereum"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str],
    store: Path,
    tmp_path: Path,
    given: bytes,
    arguments: tuple[str, str],
    said: str,
) -> None:
    file = tmp_path / "given"
    file.write_bytes(given)
    code = exit_code(cli.group, "tracer", ["--store", str(store), "precheck", *arguments, str(file)])
    printed = capsys.readouterr()
    assert code == 2 and printed.out == "" and printed.err.count("\n") == 1 and said in printed.err


def test_a_missing_file_is_a_usage_error(capsys: pytest.CaptureFixture[str], store: Path) -> None:
    assert exit_code(cli.group, "tracer", ["--store", str(store), "precheck", "HD-1", "deposit", "/nowhere"]) == 2
    assert "No such file" in capsys.readouterr().err


def test_nothing_is_written(store: Path) -> None:
    def content() -> list[str]:
        connection = sqlite3.connect(store)
        try:
            return list(connection.iterdump())
        finally:
            connection.close()

    before = content()
    asked(store, GOOD)
    assert content() == before
