"""`tracer origins`, `paths`, `divergence`, and traces over accounts, on stores whose figures are worked out by hand."""

import json
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from disposal import (
    AGENCY,
    AUTHORITY,
    E_AGENCY,
    E_EXCHANGE,
    E_SEIZED,
    E_STRANGER,
    E_THIEF,
    ETH,
    EXCHANGE,
    USDT,
    add_case,
    declared,
    name_of,
    open_store,
    play_all,
    play_bitcoin,
    plays,
)
from store_builder import Play, transact, txid

from tracer import cli
from tracer.command import exit_code
from tracer.report import tracing
from tracer.report.divergence import diverge
from tracer.report.origins import trace_back
from tracer.report.paths import between
from tracer.store.reader import snapshot
from tracer.taint.boundaries import Limits
from tracer.taint.rules import Method
from tracer.types import Holder, Kind, Movement

ETHER = 10**18
SHOP = Holder(bytes([0x77]) * 20)
SCRIPTS = [Holder(b"\x00\x14" + name.ljust(20, b".")) for name in (b"left", b"right", b"rest")]


@pytest.fixture(scope="module")
def disposal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return play_all(tmp_path_factory.mktemp("disposal") / "store.db")


def ether(source: Holder, target: Holder, amount: int, index: int = 0) -> Movement:
    return Movement(Kind.TRACE, index, ETH.id, amount, source, target)


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ether: the seized account leaks 4 to the thief, who had 1 and is given 2; the thief pays 3, then 3, to a shop,
    which had nothing; the shop pays the exchange 5.

    By FIFO the thief's queue is 1 clean, 4 seized, 2 clean: the shop gets 1 clean + 2 seized, then 2 seized + 1 clean.
    The exchange gets the shop's oldest five: 1 clean, 4 seized.
    """
    path = tmp_path_factory.mktemp("accounts") / "store.db"
    with open_store(path) as store:
        store.note_run("0.1.0", b"c" * 32, 2)
        bitcoin, ethereum = plays(store)
        ethereum.limits = Limits(20, 0, 100)
        add_case(store, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 101)
        play_accounts(ethereum)
    return path


def play_accounts(play: Play) -> None:
    play.start(50)
    held = {(1, E_SEIZED, ETH.id): 10 * ETHER, (1, E_SEIZED, USDT.id): 0, (1, E_AGENCY, ETH.id): 0}
    play.mine(balances=held | {(1, E_AGENCY, USDT.id): 0})
    play.mine(transact("leak4", ether(E_SEIZED, E_THIEF, 4 * ETHER)), before={(E_THIEF, ETH.id): ETHER})
    play.mine(transact("gift2", ether(E_STRANGER, E_THIEF, 2 * ETHER)))
    play.mine(transact("shop1", ether(E_THIEF, SHOP, 3 * ETHER)), before={(SHOP, ETH.id): 0})
    play.mine(transact("shop2", ether(E_THIEF, SHOP, 3 * ETHER)))
    play.mine(transact("cash", ether(SHOP, E_EXCHANGE, 5 * ETHER)))
    play.mine()


def run(capsys: pytest.CaptureFixture[str], store: Path, *arguments: str) -> tuple[int, str, str]:
    code = exit_code(cli.group, "tracer", ["--store", str(store), *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def asked(capsys: pytest.CaptureFixture[str], store: Path, *arguments: str) -> tuple[int, Any]:
    code, out, err = run(capsys, store, *arguments, "--json")
    assert err == ""
    return code, json.loads(out)


def parts(view: dict[str, Any]) -> list[tuple[int, int | None, str]]:
    return [(int(row["units"]), row["label"], row["why"]) for row in view["ranges"]]


def test_origins_of_a_coin_name_the_seized_coin_and_what_is_not_stored(
    capsys: pytest.CaptureFixture[str], disposal: Path
) -> None:
    code, answer = asked(capsys, disposal, "origins", f"{name_of('hop2')}:0")
    [deposit] = answer["data"]["deposits"]
    [view] = deposit["views"]
    assert parts(view) == [(25_000_000, 0, "seized"), (5_000_000, None, "coin not stored")]
    seized, stranger = view["ranges"]
    # of the first seized coin 1000000 went to the agency, 150000000 to the exchange, and then the thief's part begins
    assert (seized["begin"], seized["outpoint"]) == ("151000000", f"{name_of('f1')}:0")
    names = ("hop2", "hop1", "leak", "deposit", "receive", "test", "secure", "f1")
    assert seized["path"] == [name_of(name) for name in names]
    assert stranger["said"].endswith(f"`tracerd import-history {name_of('stranger')}`")
    assert sum(int(row["units"]) for row in view["ranges"]) == 30_000_000 and view["tiled"]
    assert [(row["label"], row["units"]) for row in view["haircut"]] == [(0, "14285713"), (1, "7142858")]
    assert [step["txid"] for step in view["haircut"][0]["path"]] == [name_of(name) for name in names[:-1]]
    assert code == answer["exit_code"] == 4, "where the stranger's coin came from is not shown"
    assert {check["rule"] for check in answer["checks"]} >= {"TRACE-4", "COVERAGE", "ANCHOR"}


def test_origins_of_a_watch_are_those_of_all_its_deposits(capsys: pytest.CaptureFixture[str], disposal: Path) -> None:
    code, answer = asked(capsys, disposal, "origins", "exchange")
    [deposit] = answer["data"]["deposits"]
    assert deposit["outpoint"] == f"{name_of('deposit')}:0" and code == 0
    assert parts(deposit["views"][0]) == [(150_000_000, 0, "seized")]
    whole = name_of("deposit")
    for ref in (f"{whole[:6]}..{whole[-6:]}:0", whole, "bc1qexchange"):
        first = asked(capsys, disposal, "origins", ref)[1]["data"]["deposits"][0]
        assert first["views"] == deposit["views"]


def test_origins_find_a_run_whose_labels_are_not_those_of_the_coins(disposal: Path, tmp_path: Path) -> None:
    store = shutil.copy(disposal, tmp_path / "store.db")
    connection = sqlite3.connect(store)
    changed = connection.execute(
        "UPDATE trace_edge SET ordinal = 1 WHERE run_id IN (SELECT id FROM trace_run WHERE method = 'fifo')"
        " AND to_id = (SELECT m.id FROM movement m JOIN tx t ON t.id = m.tx_id JOIN block b ON b.id = m.block_id"
        " AND b.canonical WHERE t.txid = ? AND m.kind = 1 AND m.idx = 0)",
        (txid("deposit"),),
    ).rowcount
    connection.commit()
    connection.close()
    assert changed == 1
    with snapshot(store) as reader:
        answer = trace_back(reader, "exchange")
    assert answer.exit_code == 3
    assert [check.reason for check in answer.checks if check.verdict == "CONTRADICTED"] == [
        "of units 0 to 150000000 the fifo run gave label 1, 0 are found going back"
    ]


def test_what_goes_on_through_a_swap_is_followed_and_adds_up_in_both_assets(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The seized account swaps 4 ether for 8000 dollars at a pool, and pays the thief 3000 of them."""
    store = tmp_path / "store.db"
    with open_store(store) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 101)
        ethereum.start(50)
        held = {(1, E_SEIZED, ETH.id): 10 * ETHER, (1, E_SEIZED, USDT.id): 0}
        ethereum.mine(balances=held | {(1, E_AGENCY, ETH.id): 0, (1, E_AGENCY, USDT.id): 0})
        dollars = [
            Movement(Kind.LOG, n, USDT.id, units, source, target)
            for n, units, source, target in (
                (3, 8_000_000_000, SHOP, E_SEIZED),
                (0, 3_000_000_000, E_SEIZED, E_THIEF),
            )
        ]
        ethereum.mine(transact("swap", ether(E_SEIZED, SHOP, 4 * ETHER), dollars[0]))
        ethereum.mine(transact("dollars", dollars[1]), before={(E_THIEF, USDT.id): 0})
    _, answer = asked(capsys, store, "frontier", "--method", "fifo")
    sums = {row["symbol"]: row for row in answer["data"]["sums"] if row["chain"] == "ethereum"}
    assert (sums["USDT"]["converted"], sums["USDT"]["live"], sums["USDT"]["exact"]) == (
        "8000000000",
        "8000000000",
        True,
    )
    assert (sums["ETH"]["converted"], sums["ETH"]["leaves"], sums["ETH"]["exact"]) == ("0", str(4 * ETHER), True)
    assert not [check for check in answer["checks"] if check["rule"] == "TRACE-2" and check["verdict"] != "SHOWN"]
    _, answer = asked(capsys, store, "trace", "eth-seized")
    [trace] = answer["data"]["traces"]
    assert [row["converted"] for row in trace["sums"]] == ["0", "8000000000"]
    assert all(row["exact"] for row in trace["sums"])
    assert "8000.000000 USDT  eth-seized (seized)  by a swap" in run(capsys, store, "trace", "eth-seized")[1]
    _, answer = asked(capsys, store, "trace", name_of("swap"))
    assert all(row["exact"] for trace in answer["data"]["traces"] for row in trace["sums"])
    _, answer = asked(capsys, store, "origins", name_of("dollars"))
    [view] = answer["data"]["deposits"][0]["views"]
    assert parts(view) == [(3_000_000_000, None, "by a swap")]
    _, answer = asked(capsys, store, "divergence", "HD-1")
    assert [trace["agree"] for trace in answer["data"]["traces"]] == [True, True]


def test_a_limit_of_hops_says_how_much_it_left_out(capsys: pytest.CaptureFixture[str], disposal: Path) -> None:
    code, answer = asked(capsys, disposal, "origins", "exchange", "--hops", "2")
    [view] = answer["data"]["deposits"][0]["views"]
    [row] = view["ranges"]
    assert (row["why"], row["outpoint"], row["units"]) == ("limit of hops", f"{name_of('test')}:1", "150000000")
    assert ("150000000", "--hops") in {(row.get("amount"), row["why"]) for row in answer["left_out"]}
    assert code == 0


def test_a_history_that_was_imported_later_is_found_without_a_link(disposal: Path, tmp_path: Path) -> None:
    store = shutil.copy(disposal, tmp_path / "store.db")
    connection = sqlite3.connect(store)
    [(block,)] = connection.execute("SELECT b.id FROM block b WHERE b.chain_id = 1 AND b.height = 101 AND b.canonical")
    [(tx, move)] = connection.execute("SELECT max(t.id) + 1, (SELECT max(id) + 1 FROM movement) FROM tx t")
    connection.execute(
        "INSERT INTO tx (id, block_id, position, txid, raw) VALUES (?, ?, 77, ?, x'00')", (tx, block, txid("stranger"))
    )
    [(asset, holder)] = connection.execute(
        "SELECT asset_id, source_id FROM movement WHERE spends_id IS NULL AND spent_txid = ?", (txid("stranger"),)
    )
    connection.execute(
        "INSERT INTO movement (id, block_id, kind, tx_id, idx, asset_id, amount, target_id)"
        " VALUES (?, ?, 1, ?, 0, ?, ?, ?)",
        (move, block, tx, asset, "10000000", holder),
    )
    connection.commit()
    connection.close()
    with snapshot(store) as reader:
        [first, _] = trace_back(reader, name_of("hop2")).data["deposits"]
        went = between(reader, f"{name_of('stranger')}:0", f"{name_of('hop2')}:1")
        [alone] = tracing.trace(reader, f"{name_of('stranger')}:0").data["traces"]
    assert parts(first["views"][0]) == [(25_000_000, 0, "seized"), (5_000_000, None, "inputs not stored")]
    [row] = went.data["routes"][0]["assets"]
    assert (row["begun"], row["fifo"]) == ("10000000", "4990000")
    assert int(row["haircut"]) == 10_000_000 * 34_990_000 // 35_000_000 - 10_000_000 * 30_000_000 // 35_000_000
    assert sorted(int(end["traced"]) for end in alone["ends"]) == [10_000, 4_990_000, 5_000_000]


def test_origins_over_accounts_replay_what_each_had_received(
    capsys: pytest.CaptureFixture[str], accounts: Path
) -> None:
    code, answer = asked(capsys, accounts, "origins", f"{name_of('cash')}:0")
    [view] = answer["data"]["deposits"][0]["views"]
    assert parts(view) == [(ETHER, None, "held before"), (2 * ETHER, 0, "seized"), (2 * ETHER, 0, "seized")]
    names = [
        [name_of(name) for name in way]
        for way in (("cash", "shop1"), ("cash", "shop1", "leak4"), ("cash", "shop2", "leak4"))
    ]
    assert [row["path"] for row in view["ranges"]] == names
    assert [row["label"] for row in view["haircut"]] == [0]
    assert code == 0, [check for check in answer["checks"] if check["verdict"] != "SHOWN"]
    assert sum(check["rule"] == "TRACE-4" for check in answer["checks"]) == 2
    _, answer = asked(capsys, accounts, "origins", name_of("gift2"))
    [view] = answer["data"]["deposits"][0]["views"]
    assert parts(view) == [(2 * ETHER, None, "account not followed then")] and answer["exit_code"] == 4


def test_an_imported_history_of_an_account_is_replayed_from_where_it_begins(accounts: Path, tmp_path: Path) -> None:
    """The thief's ether of before was the stranger's: 3 came in block 48, 2 left again in block 49."""
    store = shutil.copy(accounts, tmp_path / "store.db")
    connection = sqlite3.connect(store)
    [(thief, ether_id)] = connection.execute(
        "SELECT target_id, asset_id FROM movement m JOIN tx t ON t.id = m.tx_id WHERE t.txid = ?", (txid("leak4"),)
    )
    [(stranger,)] = connection.execute("SELECT id FROM holder WHERE key = ?", (E_STRANGER,))
    [(block, tx, move)] = connection.execute(
        "SELECT (SELECT max(id) FROM block), (SELECT max(id) FROM tx), (SELECT max(id) FROM movement)"
    )
    for n, (height, source, target, units) in enumerate(((48, stranger, thief, 3), (49, thief, stranger, 2)), 1):
        connection.execute(
            "INSERT INTO block (id, chain_id, height, hash, parent, time, canonical) VALUES (?, 2, ?, ?, x'00', 1, 1)",
            (block + n, height, bytes([n]) * 32),
        )
        connection.execute(
            "INSERT INTO tx (id, block_id, position, txid, raw) VALUES (?, ?, 1, ?, x'00')",
            (tx + n, block + n, txid(f"before{n}")),
        )
        connection.execute(
            "INSERT INTO movement (id, block_id, kind, tx_id, idx, asset_id, amount, source_id, target_id)"
            " VALUES (?, ?, 3, ?, 0, ?, ?, ?, ?)",
            (move + n, block + n, tx + n, ether_id, str(units * ETHER), source, target),
        )
    connection.execute(
        "INSERT INTO coverage (chain_id, watch_set, from_height, to_height, end_hash, checked)"
        " VALUES (2, ?, 40, 51, x'00', 'whole')",
        (f"history:0x{E_THIEF.hex()}",),
    )
    connection.commit()
    connection.close()
    with snapshot(store) as reader:
        [view] = trace_back(reader, name_of("cash")).data["deposits"][0]["views"]
    assert parts(view)[0] == (ETHER, None, "account not followed then")
    assert view["ranges"][0]["path"] == [name_of(name) for name in ("cash", "shop1", "before1")]
    assert (view["ranges"][0]["begin"], sum(units for units, _, _ in parts(view))) == (str(2 * ETHER), 5 * ETHER)


def test_a_trace_over_accounts_shows_every_hop_and_adds_up(capsys: pytest.CaptureFixture[str], accounts: Path) -> None:
    code, answer = asked(capsys, accounts, "trace", name_of("leak4"))
    [trace] = answer["data"]["traces"]
    assert code == 0
    assert [(step["txid"], int(step["amount"])) for step in trace["steps"]] == [
        (name_of("shop1"), 2 * ETHER),
        (name_of("shop2"), 2 * ETHER),
        (name_of("cash"), 4 * ETHER),
    ]
    [row] = trace["sums"]
    assert (int(row["begun"]), row["joined"], row["live"], int(row["leaves"])) == (4 * ETHER, "0", "0", 4 * ETHER)
    _, answer = asked(capsys, accounts, "trace", name_of("shop2"))
    [row] = answer["data"]["traces"][0]["sums"]
    assert (int(row["begun"]), int(row["joined"])) == (2 * ETHER, 2 * ETHER), "the shop had two of them already"
    _, answer = asked(capsys, accounts, "trace", "0x" + SHOP.hex(), "--method", "haircut")
    [trace] = answer["data"]["traces"]
    assert trace["sums"][0]["exact"] and trace["method"] == "haircut"
    out = run(capsys, accounts, "trace", "HD-1")[1]
    assert f"pays   hop 2   label 0   2.000000000000000000 ETH  0x{'77' * 20}" in out


def test_poison_reaches_whatever_is_in_an_account_that_it_came_to(accounts: Path) -> None:
    with snapshot(accounts) as reader:
        [trace] = tracing.trace(reader, name_of("leak4"), tracing.Asked(Method.POISON)).data["traces"]
    assert {(end["watch_ref"] or end["address"], int(end["traced"])) for end in trace["ends"]} == {
        ("0x" + E_THIEF.hex(), ETHER),
        ("0x" + SHOP.hex(), ETHER),
        ("eth-exchange", 5 * ETHER),
    }
    assert trace["sums"] == []


def test_lots_that_do_not_fit_what_moved_are_found(accounts: Path, tmp_path: Path) -> None:
    store = shutil.copy(accounts, tmp_path / "store.db")
    connection = sqlite3.connect(store)
    changed = connection.execute(
        "UPDATE trace_lots SET state = replace(state, '6000000000000000000', '5000000000000000000')"
    ).rowcount
    connection.commit()
    connection.close()
    assert changed
    with snapshot(store) as reader:
        answer = tracing.trace(reader, "HD-1")
    assert answer.exit_code == 3
    assert any("are stored as held" in check.reason for check in answer.checks)


def test_what_is_traced_alone_over_accounts_follows_their_order(accounts: Path) -> None:
    """The stranger's gift lies behind the seized units: its first unit leaves with the second payment."""
    with snapshot(accounts) as reader:
        [trace] = tracing.trace(reader, name_of("gift2")).data["traces"]
        newest = tracing.trace(reader, name_of("gift2"), tracing.Asked(Method.LIFO)).data["traces"]
    assert [(step["txid"], int(step["amount"])) for step in trace["steps"]][1:] == [(name_of("shop2"), ETHER)]
    assert {(end["address"], int(end["traced"])) for end in trace["ends"]} == {
        ("0x" + E_THIEF.hex(), ETHER),
        ("0x" + SHOP.hex(), ETHER),
    }
    assert [(step["txid"], int(step["amount"])) for step in newest[0]["steps"]][1] == (name_of("shop1"), 2 * ETHER)


def test_paths_say_how_much_arrived_and_by_which_ways(capsys: pytest.CaptureFixture[str], disposal: Path) -> None:
    code, answer = asked(capsys, disposal, "paths", f"{name_of('leak')}:0", "bc1qfence")
    [route] = answer["data"]["routes"]
    [row] = route["assets"]
    # by haircut 25000000 of 35000000 are the thief's: 30000000 of them go to the fence
    assert (row["begun"], row["fifo"], row["haircut"]) == ("40000000", "25000000", str(25 * 30_000_000 // 35))
    [path] = route["paths"]
    assert (path["transactions"], path["fifo"], path["haircut_at_most"]) == (2, "25000000", "21428571")
    assert [step["txid"] for step in path["steps"]] == [name_of("hop1"), name_of("hop2")]
    assert code == 0
    _, nothing = asked(capsys, disposal, "paths", "exchange", "seized-1")
    assert nothing["data"]["routes"][0]["paths"] == [] and nothing["data"]["routes"][0]["assets"][0]["fifo"] == "0"


def test_paths_over_accounts(capsys: pytest.CaptureFixture[str], accounts: Path) -> None:
    code, answer = asked(capsys, accounts, "paths", "eth-seized", "eth-exchange")
    [route] = answer["data"]["routes"]
    [row] = [row for row in route["assets"] if row["symbol"] == "ETH"]
    assert (int(row["begun"]), int(row["fifo"])) == (10 * ETHER, 4 * ETHER)
    assert [(path["transactions"], int(path["fifo"])) for path in route["paths"]] == [(3, 2 * ETHER), (3, 2 * ETHER)]
    assert code == 0, [check for check in answer["checks"] if check["verdict"] != "SHOWN"]
    _, one = asked(capsys, accounts, "paths", "eth-seized", "eth-exchange", "--most", "1")
    assert len(one["data"]["routes"][0]["paths"]) == 1
    assert [row["amount"] for row in one["left_out"] if row["why"] == "--most 1"] == [str(2 * ETHER)]


def test_methods_stand_side_by_side_and_are_never_blended(capsys: pytest.CaptureFixture[str], disposal: Path) -> None:
    code, answer = asked(capsys, disposal, "divergence", "HD-1")
    bitcoin, ether_side = answer["data"]["traces"]
    places = {place["outpoint"]: place for place in bitcoin["places"]}
    fence = places[f"{name_of('hop2')}:0"]
    assert fence["amounts"] == {
        "fifo": "25000000",
        "haircut": "21428571",
        "lifo": "20000000",
        "tiho": "25000000",
        "seniority": "25000000",
        "clean-first": "20000000",
    }
    assert (fence["spread"], fence["poison"]) == ("5000000", True)
    assert places[f"{name_of('deposit')}:0"]["spread"] == "0"
    for method in fence["amounts"]:
        assert sum(int(place["amounts"][method]) for place in bitcoin["places"]) == 300_000_000
    assert bitcoin["agree"] is False and ether_side["agree"] is True and code == 0
    out = " ".join(run(capsys, disposal, "divergence", "HD-1")[1].split())
    assert "all methods agree to the unit: the strongest result" in out
    assert "0.05000000 BTC spread; poison reaches it" in out
    assert "are not added up" in out


def test_what_one_place_alone_comes_to_by_every_method(accounts: Path) -> None:
    with snapshot(accounts) as reader:
        answer = diverge(reader, name_of("leak4"))
    [trace] = answer.data["traces"]
    amounts = {
        (place["watch_ref"] or place["address"]): {name: int(units) for name, units in place["amounts"].items()}
        for place in trace["places"]
    }
    # clean first: the thief's first 3 are all clean, then 3 seized; the shop pays its 3 clean ones and 2 seized
    assert (amounts["eth-exchange"]["fifo"], amounts["eth-exchange"]["clean-first"]) == (4 * ETHER, 2 * ETHER)
    assert amounts["0x" + SHOP.hex()]["clean-first"] == amounts["0x" + E_THIEF.hex()]["clean-first"] == ETHER
    assert all(sum(place[name] for place in amounts.values()) == 4 * ETHER for name in amounts["eth-exchange"])


@pytest.mark.parametrize("command", [["origins", "x"], ["paths", "x", "y"], ["divergence", "x"], ["trace", "x"]])
def test_a_reference_that_means_nothing_is_one_clear_line(
    capsys: pytest.CaptureFixture[str], disposal: Path, command: list[str]
) -> None:
    for ref in ("nobody", "abcdef..123456:1", "0" * 64, "0" * 64 + ":0"):
        code, out, err = run(capsys, disposal, command[0], *[ref] * (len(command) - 1))
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith(f"tracer: '{ref}' is not in the store. Give ")


def test_two_chains_have_no_path_between_them(capsys: pytest.CaptureFixture[str], disposal: Path) -> None:
    code, out, err = run(capsys, disposal, "paths", "exchange", "eth-exchange")
    assert (code, out, err.count("\n")) == (2, "", 1) and "different chains" in err


def test_a_deposit_with_a_hundred_transactions_behind_it_is_traced_back_at_once(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as store:
        bitcoin, ethereum = plays(store)
        bitcoin.limits = Limits(1_000, 0, 100_000)
        add_case(store, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 101)
        split = [100_000_000, 100_000_000, 99_990_000]
        bitcoin.mine(bitcoin.pay("h0", [("f1", 0), ("f2", 0)], list(zip(SCRIPTS, split, strict=True))))
        for n in range(1, 100):
            split = [90_000_000 + n * 1_000, 110_000_000 - n * 2_000]
            split.append(299_990_000 - 10_000 * n - sum(split))
            coins = [(f"h{n - 1}", 2), (f"h{n - 1}", 0), (f"h{n - 1}", 1)]
            bitcoin.mine(bitcoin.pay(f"h{n}", coins, list(zip(SCRIPTS, split, strict=True))))
        bitcoin.mine(bitcoin.pay("paid", [("h99", 0), ("h99", 1)], [(EXCHANGE, 150_000_000)]))
    with snapshot(path) as reader:
        trace_back(reader, name_of("paid"))
        begun = time.perf_counter()
        answer = trace_back(reader, name_of("paid"))
        took = time.perf_counter() - begun
        went = between(reader, "seized-1", "exchange")
    [view] = answer.data["deposits"][0]["views"]
    assert sum(int(row["units"]) for row in view["ranges"]) == 150_000_000
    assert {row["label"] for row in view["ranges"]} == {0}
    assert max(len(row["path"]) for row in view["ranges"]) == 102
    assert not [check for check in answer.checks if check.rule == "TRACE-4" and check.verdict != "SHOWN"]
    assert took < 1, "all of the answer, not only the walk"
    assert went.data["routes"][0]["paths"][0]["transactions"] == 101


def test_after_a_reorg_nothing_is_traced_to_what_left_the_chain(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as store:
        bitcoin, ethereum = plays(store)
        add_case(store, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 101)
        bitcoin.mine(bitcoin.pay("gone", [("f1", 0)], [(AUTHORITY, 150_000_000), (AGENCY, 40_000_000)]), branch="-lost")
        bitcoin.disconnect()
        bitcoin.mine()
    with snapshot(path) as reader:
        for answer in (trace_back(reader, name_of("gone")), between(reader, "seized-1", name_of("gone"))):
            assert any(check.rule == "REORG-1" and check.verdict == "NOT_SHOWN" for check in answer.checks)
        assert trace_back(reader, "authority").data["deposits"] == []
