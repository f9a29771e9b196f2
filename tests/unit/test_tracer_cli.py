"""`tracer` as people run it: what it prints, as JSON and as text, and how it exits."""

import json
import sqlite3
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from disposal import (
    AUTHORITY,
    E_LEAK,
    FAKE,
    add_case,
    declared,
    name_of,
    open_store,
    play_all,
    play_bitcoin,
    plays,
)
from store_builder import WALL

from tracer import cli
from tracer.asking import CUT
from tracer.command import exit_code

COMMANDS = (
    ["status"],
    ["transfers"],
    ["life"],
    ["legs"],
    ["trace", "HD-1"],
    ["origins", "exchange"],
    ["paths", "seized-1", "exchange"],
    ["divergence", "HD-1"],
    ["frontier"],
    ["reconcile"],
    ["report", "--case", "HD-1"],
)


@pytest.fixture(scope="module")
def disposal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the whole disposal in it."""
    return play_all(tmp_path_factory.mktemp("disposal") / "store.db")


def run(capsys: pytest.CaptureFixture[str], store: Path, *arguments: str) -> tuple[int, str, str]:
    """Run `tracer` in this process: exit code, stdout, stderr."""
    code = exit_code(cli.group, "tracer", ["--store", str(store), *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def asked(capsys: pytest.CaptureFixture[str], store: Path, *arguments: str) -> tuple[int, Any]:
    code, out, err = run(capsys, store, *arguments, "--json")
    assert err == ""
    return code, json.loads(out)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_answer_comes_in_the_envelope(
    capsys: pytest.CaptureFixture[str], disposal: Path, command: list[str]
) -> None:
    code, answer = asked(capsys, disposal, *command)
    assert answer["answer"] == command[0]
    assert code == answer["exit_code"] == {"SHOWN": 0, "CONTRADICTED": 3, "NOT_SHOWN": 4}[answer["verdict"]]
    assert answer["tool"]["name"] == "custody-tracer" and answer["config_sha256"] == "63" * 32
    assert answer["rules"] and answer["checks"] and answer["lane"] in ("REPORTED", "ATTESTED")
    assert [(chain["name"], chain["height"], chain["anchor"]) for chain in answer["as_of"]] == [
        ("bitcoin", 115, "header-chain from genesis"),
        ("ethereum", 60, "single-node"),
    ]
    assert answer["as_of"][0]["chain"] == "bip122:000000000933ea01ad0ee984209779ba"
    assert answer["as_of"][0]["time"] == "2025-06-16T10:16:40Z"
    assert len(answer["as_of"][0]["block_hash"]) == 64


def test_amounts_in_json_are_strings_beside_their_asset(capsys: pytest.CaptureFixture[str], disposal: Path) -> None:
    _, answer = asked(capsys, disposal, "transfers")
    for row in answer["data"]["transfers"]:
        assert row["amount"].isdigit() and row["asset"] and isinstance(row["decimals"], int)
    assert str(E_LEAK) in {row["amount"] for row in answer["data"]["transfers"]}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_tables_fit_100_columns_when_piped(
    capsys: pytest.CaptureFixture[str], disposal: Path, command: list[str]
) -> None:
    _, out, err = run(capsys, disposal, *command)
    assert err == "" and out
    assert "\x1b" not in out and "\u2026" not in out
    for line in out.splitlines():
        assert len(line.rstrip()) <= 100 or any(len(word) > 40 for word in line.split()), line


def test_exit_codes_follow_the_gravest_verdict(capsys: pytest.CaptureFixture[str], disposal: Path) -> None:
    codes = {command[0]: run(capsys, disposal, *command)[0] for command in COMMANDS}
    assert codes == {
        "status": 0,
        "transfers": 0,
        "life": 0,
        "legs": 3,
        "trace": 0,
        "origins": 0,
        "paths": 0,
        "divergence": 0,
        "frontier": 0,
        "reconcile": 3,
        "report": 3,
    }


def test_the_report_tells_the_story_exactly(capsys: pytest.CaptureFixture[str], disposal: Path) -> None:
    _, out, _ = run(capsys, disposal, "report", "--case", "HD-1")
    for said in (
        "Case HD-1: Haidian disposal",
        "deposit, DEPOSIT: SHOWN, arrived as planned, final",
        f"tx    {name_of('deposit')}:0",
        "1.50000000 BTC in block 106, 10 confirmations, final, 2025-06-16T08:46:40Z",
        "Harbour Exchange, Letter of the exchange",
        f"SHA-256 {'d0' * 32}",
        "deposit-usdt, DEPOSIT: CONTRADICTED, shortfall: less than planned had arrived by the deadline",
        "4000.000000 USDT in block 54",
        "+ unexplained  0.40010000 BTC",
        "+ unexplained   0.400042000000000000 ETH",
        "0.40000000 BTC to bc1qthief: leak",
        "hop 3  fifo 0.25000000 BTC, haircut 0.21428571 BTC  live, unspent",
        "fifo and haircut differ: each is exact by its own rule",
        "block 105 of bitcoin left the chain with a transaction of leg deposit: mined again in block 106",
        "999.000000 USDT: transfer not counted, unlisted token, not on the allow-list",
        "RECON-3   HD-1 bitcoin BTC: worked out anew at 6 blocks, as stored; the unspent coins",
    ):
        assert said in out


def test_the_frontier_lists_what_is_outside_custody_and_counts_the_rest(
    capsys: pytest.CaptureFixture[str], disposal: Path
) -> None:
    _, answer = asked(capsys, disposal, "frontier", "--method", "fifo")
    assert [(row["boundary"], row["outpoint"] or row["txid"], row["label"]) for row in answer["data"]["frontier"]] == [
        (None, f"{name_of('hop1')}:1", 0),
        (None, f"{name_of('hop2')}:0", 0),
        ("exchange deposit", f"{name_of('deposit')}:0", 0),
        ("fee", name_of("leak"), 1),
        ("fee", name_of("hop1"), 0),
        (None, None, 1),
        ("exchange deposit", name_of("usdt-short"), 0),
        ("fee", name_of("eth-leak"), 1),
    ]
    counted = [row for row in answer["left_out"] if "count" in row]
    assert [(row["what"], row["amount"], row["symbol"]) for row in counted] == [
        ("fifo: 2 coins in custody, unspent", "109950000", "BTC"),
        ("fifo: 4 fees of planned legs", "40000", "BTC"),
        ("fifo: 1 balance in custody", "1000000000", "USDT"),
        ("fifo: 1 balance in custody", "9599908000000000000", "ETH"),
        ("fifo: 1 fee of planned legs", "50000000000000", "ETH"),
    ]
    _, whole = asked(capsys, disposal, "frontier", "--method", "fifo", "--all")
    for symbol, seized in (("BTC", 300_000_000), ("ETH", 10**19), ("USDT", 5_000_000_000)):
        mine = [row for row in whole["data"]["frontier"] if row["symbol"] == symbol]
        assert sum(int(row["traced"]) for row in mine) == seized
        listed = [int(row["traced"]) for row in answer["data"]["frontier"] if row["symbol"] == symbol]
        assert sum(listed) + sum(int(row["amount"]) for row in counted if row["symbol"] == symbol) == seized
    assert whole["data"]["sums"] == answer["data"]["sums"] and not [r for r in whole["left_out"] if "count" in r]
    first_hops = asked(capsys, disposal, "frontier", "--method", "first-hop")[1]["data"]["frontier"]
    assert [row["boundary"] for row in first_hops] == ["fee", "first hop"]


@pytest.mark.parametrize("command", [["frontier"], ["trace", name_of("leak")], ["report", "--case", "HD-1"]])
def test_labels_are_named_by_the_seized_coin(
    capsys: pytest.CaptureFixture[str], disposal: Path, command: list[str]
) -> None:
    out = " ".join(run(capsys, disposal, *command)[1].split())
    assert f"label 0 is 2.00000000 BTC of seized-1, seized as {name_of('f1')}:0" in out
    assert f"label 1 is 1.00000000 BTC of seized-2, seized as {name_of('f2')}:0" in out


def test_trace_takes_watches_and_ids_as_tables_shorten_them(capsys: pytest.CaptureFixture[str], disposal: Path) -> None:
    whole = name_of("leak")
    for given, meant in (
        (f"{whole[:6]}..{whole[-6:]}:0", f"{whole}:0"),
        (f"0x{whole[:8].upper()}...{whole[-4:]}", whole),
        ("bc1q..hief", "bc1qthief"),
        ("0x7f7f..7f7f7f", "0x" + "7f" * 20),
    ):
        assert asked(capsys, disposal, "trace", given) == asked(capsys, disposal, "trace", meant)
    by_watch, by_address = (asked(capsys, disposal, "trace", ref)[1]["data"] for ref in ("exchange", "bc1qexchange"))
    assert by_watch["traces"] == by_address["traces"] and by_watch["traces"][0]["ends"]
    code, out, err = run(capsys, disposal, "trace", "bc1q..e2")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("tracer: 'bc1q..e2' may be any of ") and "Give one in full: bc1q" in err
    for unknown in ("abcdef..123456", "abcdef..123456:1", "nobody"):
        code, out, err = run(capsys, disposal, "trace", unknown)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith(f"tracer: '{unknown}' is not in the store. Give txid:n,") and "a watch or a case" in err


def test_a_leg_that_receives_too_much_shows_one_arrival(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    with open_store(store) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 101)
        bitcoin.mine(bitcoin.pay("sweep", [("f1", 0), ("f2", 0)], [(AUTHORITY, 299_995_000)]))
    _, answer = asked(capsys, store, "legs")
    [arrival] = answer["data"]["legs"][0]["arrivals"]
    assert (arrival["amount"], arrival["excess"], arrival["reason"]) == ("299995000", "5000", "secure excess")
    _, out, _ = run(capsys, store, "report", "--case", "HD-1")
    assert out.count(name_of("sweep")) == 1
    assert "2.99995000 BTC in block 102, 1 confirmation, not yet confirmed, 2025-06-16T08:06:40Z," in out
    assert "of which 0.00005000 BTC excess" in out
    assert "of which 0.00005000 BTC excess" in " ".join(run(capsys, store, "legs")[1].split())


def test_before_the_deposit_is_confirmed_it_is_not_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    with open_store(store) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 106)
        ethereum.start(50)
    code, answer = asked(capsys, store, "legs", "--case", "HD-1")
    said = {leg["leg_ref"]: (leg["verdict"], leg["reason"]) for leg in answer["data"]["legs"]}
    assert said["deposit"] == ("NOT_SHOWN", "arrived, not yet confirmed")
    assert said["receive"] == ("SHOWN", "arrived as planned, confirmed")
    assert said["gas"] == ("NOT_SHOWN", "not judged: the chain has not reached the height of the seizure")
    assert code == 4


def test_transfers_are_filtered_and_limited(capsys: pytest.CaptureFixture[str], disposal: Path) -> None:
    _, answer = asked(capsys, disposal, "transfers", "--role", "exchange", "--chain", "bitcoin")
    assert [row["amount"] for row in answer["data"]["transfers"]] == ["150000000"]
    _, answer = asked(capsys, disposal, "transfers", "--watch", "agency", "--direction", "out", "--asset", "BTC")
    assert [row["amount"] for row in answer["data"]["transfers"]] == ["298970000", "148960000"]
    _, answer = asked(capsys, disposal, "transfers", "--orphaned")
    assert {row["height"] for row in answer["data"]["transfers"]} == {105}
    everything = asked(capsys, disposal, "transfers", "--limit", "0")[1]["data"]["transfers"]
    _, answer = asked(capsys, disposal, "transfers", "--limit", "3")
    assert answer["data"]["transfers"] == everything[:3]
    assert answer["left_out"][1:] == [{"what": f"{len(everything) - 3} later transfers", "why": "--limit 3"}]


@pytest.mark.parametrize(
    ("ref", "holds"),
    [
        (name_of("leak"), f"block 108  {name_of('hop1')}"),
        (
            f"{name_of('leak').upper()}:0",
            "label 0: 0.40000000 BTC = live 0.39990000 BTC + leaves 0.00010000 BTC",
        ),
        ("bc1qfence", "label 0: 0.25000000 BTC = live 0.25000000 BTC + leaves 0.00000000 BTC"),
        ((b"\x00\x14" + b"fence".ljust(20, b".")).hex(), "0.25000000 BTC"),
        ("0x" + name_of("eth-leak"), "label 1: 0.400000000000000000 ETH\n           = live 0.400000000000000000 ETH"),
        ("0x" + "7F" * 20, f"hop 1   label 1   0.400000000000000000 ETH  0x{'7f' * 20}  live"),
        ("eth-exchange", "label 0: 4000.000000 USDT = live 0.000000 USDT + leaves 4000.000000 USDT"),
        ("eth-seized", "label 0: 5000.000000 USDT = live 1000.000000 USDT + leaves 4000.000000 USDT"),
        (name_of("usdt") + ":0", "label 0: 5000.000000 USDT = live 1000.000000 USDT"),
        (name_of("stranger"), None),
        (name_of("secure"), "label 0: "),
        (name_of("f1") + ":0", "label 0: "),
    ],
)
def test_trace_takes_any_reference(
    capsys: pytest.CaptureFixture[str], disposal: Path, ref: str, holds: str | None
) -> None:
    code, out, err = run(capsys, disposal, "trace", ref)
    if holds is None:
        assert code == 2 and f"'{ref}' is not in the store" in err and out == ""
    else:
        assert code == 0 and holds in out


def test_what_carries_no_label_is_traced_alone_and_said_to_be_no_registered_run(
    capsys: pytest.CaptureFixture[str], disposal: Path
) -> None:
    code, out, _ = run(capsys, disposal, "trace", name_of("gas"))
    assert code == 0 and f"No seized value is traced to {name_of('gas')}." in out
    assert "  posted by HD-1 as credit: 0.010000000000000000 ETH of leg gas" in out
    assert "not a registered run: traced alone" in out
    _, answer = asked(capsys, disposal, "trace", name_of("gas"))
    [trace] = answer["data"]["traces"]
    assert (trace["case_ref"], trace["method"]) == (None, "fifo")
    assert {(end["boundary"] or end["reason"], end["traced"]) for end in trace["ends"]} == {
        ("fee", str(6 * 10**13)),
        ("custody", str(10**16 - 6 * 10**13)),
    }
    _, answer = asked(capsys, disposal, "trace", f"{name_of('hop2')}:1")
    [trace] = answer["data"]["traces"]
    assert [(end["outpoint"], end["traced"], end["state"]) for end in trace["ends"]] == [
        (f"{name_of('hop2')}:1", "4990000", "live")
    ]


def test_limits_cut_with_the_amount_that_was_left(capsys: pytest.CaptureFixture[str], disposal: Path) -> None:
    def ends(*arguments: str) -> list[tuple[str | None, int]]:
        code, answer = asked(capsys, disposal, "trace", *arguments)
        [trace] = answer["data"]["traces"]
        assert code == 0 and all(row["exact"] for row in trace["sums"])
        return [(end["boundary"], int(end["traced"])) for end in trace["ends"]]

    leak = f"{name_of('leak')}:0"
    assert ends(leak, "--hops", "1") == [(None, 14_990_000), ("fee", 10_000), ("budget: hops", 25_000_000)]
    assert ends(leak, "--hops", "0") == [("budget: hops", 25_000_000), ("budget: hops", 14_990_000), ("fee", 10_000)]
    assert ("budget: amount", 14_990_000) in ends(leak, "--min-amount", "20000000")
    assert ("budget: hops", 400_000_000_000_000_000) in ends("eth-seized", "--hops", "0", "--method", "lifo")


def test_when_time_is_up_what_is_left_is_a_leaf(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, disposal: Path
) -> None:
    seconds = iter(range(0, 10**6, 7))
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    code, answer = asked(capsys, disposal, "trace", f"{name_of('leak')}:0", "--seconds", "10")
    [trace] = answer["data"]["traces"]
    assert [(end["boundary"], int(end["traced"])) for end in trace["ends"]] == [
        ("budget: time", 25_000_000),
        ("budget: time", 14_990_000),
        ("fee", 10_000),
    ]
    assert code == 0 and trace["sums"][0]["exact"]
    _, answer = asked(capsys, disposal, "trace", name_of("gas"), "--seconds", "1")
    [end] = answer["data"]["traces"][0]["ends"]
    assert (end["boundary"], int(end["traced"])) == ("budget: time", 10**16)


@pytest.mark.parametrize("method", ["lifo", "tiho", "seniority", "clean-first", "poison"])
def test_other_methods_are_computed_from_the_same_sources(
    capsys: pytest.CaptureFixture[str], disposal: Path, method: str
) -> None:
    code, answer = asked(capsys, disposal, "trace", "HD-1", "--method", method)
    assert code == 0
    bitcoin, ether = answer["data"]["traces"]
    assert bitcoin["run"] == ether["run"] == "not a registered run"
    if method == "poison":
        assert bitcoin["sums"] == [] and ether["sums"] == []
        assert [row["why"] for row in answer["left_out"] if row["what"].startswith("HD-1")]
        assert {end["outpoint"] for end in bitcoin["ends"]} >= {f"{name_of('hop2')}:{n}" for n in (0, 1)}
    else:
        assert sum(int(end["traced"]) for end in bitcoin["ends"]) == 300_000_000
        assert all(row["exact"] for row in [*bitcoin["sums"], *ether["sums"]])


def test_trace_by_haircut(capsys: pytest.CaptureFixture[str], disposal: Path) -> None:
    _, answer = asked(capsys, disposal, "trace", f"{name_of('leak')}:0", "--method", "haircut")
    [trace] = answer["data"]["traces"]
    assert sum(int(row["begun"]) for row in trace["sums"]) == 40_000_000
    assert trace["method"] == "haircut"


def test_status_with_now_tells_a_stale_store(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, disposal: Path
) -> None:
    monkeypatch.setattr(time, "time", lambda: WALL + 60.5)
    assert asked(capsys, disposal, "status", "--now")[0] == 0
    monkeypatch.setattr(time, "time", lambda: WALL + 61.0)
    code, answer = asked(capsys, disposal, "status", "--now")
    assert code == 4
    assert {check["reason"] for check in answer["checks"] if check["rule"] == "STALE"} == {
        "stale: the node last answered 61 s ago"
    }
    assert asked(capsys, disposal, "status", "--now", "--patience", "61")[0] == 0
    assert asked(capsys, disposal, "status")[0] == 0


def test_an_unknown_case_says_which_there_are(capsys: pytest.CaptureFixture[str], disposal: Path) -> None:
    for command in (["legs"], ["reconcile"], ["report"], ["frontier"], ["transfers"]):
        code, out, err = run(capsys, disposal, *command, "--case", "HD-9")
        assert (code, out, err) == (2, "", "tracer: the store has no case 'HD-9'. It has HD-1.\n")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--watch", "nope"), "the store has no watch 'nope'. It has agency, authority, eth-agency, eth-exchange,"),
        (("--watch", "nope", "--case", "HD-1"), "case HD-1 has no watch 'nope'. It has agency, authority,"),
        (("--chain", "nope"), "the store has no chain 'nope'. It has bitcoin, ethereum."),
        (("--asset", "XYZ"), "the store has no asset 'XYZ'. It has BTC, ETH, USDT."),
        (
            ("--role", "refund"),
            "the store has no watch in the role 'refund'. It has agency, authority, exchange, seized.",
        ),
    ],
)
def test_a_filter_that_names_nothing_says_what_there_is(
    capsys: pytest.CaptureFixture[str], disposal: Path, flags: tuple[str, ...], says: str
) -> None:
    code, out, err = run(capsys, disposal, "transfers", *flags)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"tracer: {says}")


def test_transfers_show_the_leak_and_tell_fees_from_payments(
    capsys: pytest.CaptureFixture[str], disposal: Path
) -> None:
    _, out, _ = run(capsys, disposal, "transfers")
    leak = out[out.index("bitcoin block 107") :].partition("\n\n")[0].splitlines()
    assert [" ".join(line.split()) for line in leak] == [
        f"bitcoin block 107 2025-06-16T08:56:40Z tx {name_of('leak')[:6]}..{name_of('leak')[-6:]} "
        "9 confirmations, final",
        "out coin spent 1.48960000 BTC agency (agency)",
        "in coin received 1.08950000 BTC agency (agency) from agency",
        "went change 1.08950000 BTC agency",
        "went unexplained 0.40000000 BTC bc1qthief: leak",
        "went unexplained 0.00010000 BTC fee outside a leg",
    ]
    block = out[out.index("ethereum block 55") :].partition("\n\n")[0].splitlines()
    assert [line.split()[:2] for line in block[1:3]] == [["out", "fee"], ["out", "payment"]]
    assert " ".join(" ".join(block[2:4]).split()).endswith(f"ETH eth-seized (seized) to 0x{'7f' * 20}")
    _, answer = asked(capsys, disposal, "transfers", "--asset", "USDT")
    assert {row["symbol"] for row in answer["data"]["went"]} == {"USDT"}
    gone = asked(capsys, disposal, "transfers", "--orphaned", "--direction", "out")[1]["data"]["went"]
    assert {(row["height"], row["canonical"], row["place"]) for row in gone} == {
        (105, 0, "change"),
        (105, 0, "delivered"),
        (105, 0, "fee"),
    }


def test_an_empty_store_says_what_to_do(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    with open_store(store):
        pass
    for command in COMMANDS:
        code, out, err = run(capsys, store, *command)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "tracerd" in err


def test_a_missing_store_says_what_to_do(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, tmp_path / "none.db", "legs")
    assert (code, out) == (2, "")
    assert (
        err
        == f"tracer: there is no store at {tmp_path / 'none.db'}. Name it with --store; `tracerd sync` creates one.\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_store_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = tmp_path / "notes.txt"
    store.write_text("not a database, but long enough to be read as one by its first page" * 20)
    code, _, err = run(capsys, store, "status")
    assert code == 2 and err.count("\n") == 1


def test_a_url_and_the_environment_name_the_store(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, disposal: Path
) -> None:
    assert exit_code(cli.group, "tracer", ["--store", f"sqlite:///{disposal}", "status"]) == 0
    monkeypatch.setenv("TRACER_STORE", str(disposal))
    assert exit_code(cli.group, "tracer", ["status"]) == 0
    assert "bitcoin" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["report"], ["trace"], ["legs", "--nonsense"], ["transfers", "--role", "thief"], ["nothing"]],
)
def test_usage_errors_exit_with_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert exit_code(cli.group, "tracer", arguments) == 2
    assert capsys.readouterr().out == ""


def test_reading_changes_nothing(capsys: pytest.CaptureFixture[str], disposal: Path) -> None:
    before = sha256(disposal.read_bytes()).hexdigest()
    for command in COMMANDS:
        run(capsys, disposal, *command)
    assert sha256(disposal.read_bytes()).hexdigest() == before


def test_what_strangers_wrote_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = play_all(tmp_path / "store.db")
    connection = sqlite3.connect(store)
    connection.execute(
        "UPDATE asset SET symbol = char(27) || '[31m[bold]' || char(10) || 'USDT' WHERE kind = 'unlisted'"
    )
    connection.commit()
    connection.close()
    for command in COMMANDS:
        _, out, _ = run(capsys, store, *command)
        assert "\x1b" not in out
    assert "999.000000 ?[31m[bold]?USDT" in run(capsys, store, "report", "--case", "HD-1")[1]


def test_an_amount_whose_token_has_no_symbol_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = play_all(tmp_path / "store.db")
    connection = sqlite3.connect(store)
    connection.execute("UPDATE asset SET symbol = '', decimals = 0 WHERE kind = 'unlisted'")
    connection.commit()
    connection.close()
    _, out, _ = run(capsys, store, "report", "--case", "HD-1")
    assert "999000000 base units: transfer not counted" in out and FAKE.id in out


def test_what_is_left_out_fits_100_columns(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store, most = play_all(tmp_path / "store.db"), str(2**256 - 1)
    connection = sqlite3.connect(store)
    connection.execute("UPDATE asset SET symbol = '', decimals = 0 WHERE kind = 'unlisted'")
    changed = connection.execute("UPDATE movement SET amount = ? WHERE amount = '999000000'", (most,)).rowcount
    connection.commit()
    connection.close()
    for command in COMMANDS:
        out = run(capsys, store, *command)[1]
        left = out[out.index("Left out") :].split("\n\n")[0].splitlines()
        assert len(left) > 1 and all(len(line) <= 100 for line in left), left
    assert changed and f"{most} base units:\n" in run(capsys, store, "report", "--case", "HD-1")[1]


def test_help_shows_examples_and_exit_codes() -> None:
    for command in ([], *([command[0]] for command in COMMANDS)):
        shown = CliRunner().invoke(cli.group, [*command, "--help"])
        assert shown.exit_code == 0
        assert "Example" in shown.output and "contradicted" in shown.output


def test_help_loads_neither_the_store_nor_rich() -> None:
    code = (
        "import sys; from tracer import cli; from tracer.command import exit_code;"
        " exit_code(cli.group, 'tracer', ['report', '--help']); print(sorted(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'click'" in shown.stdout
    assert "sqlalchemy" not in shown.stdout and "rich" not in shown.stdout


@pytest.mark.parametrize("command", [*COMMANDS, *([*command, "--json"] for command in COMMANDS)], ids=" ".join)
def test_a_reader_that_closes_the_pipe_is_no_error(disposal: Path, command: list[str]) -> None:
    run = [sys.executable, "-c", "from tracer.cli import main; main()", "--store", str(disposal), *command]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == CUT == 141


def test_the_life_of_a_transfer_is_told_with_its_evidence_as_of_any_instant(
    capsys: pytest.CaptureFixture[str], disposal: Path
) -> None:
    def states(*arguments: str) -> list[str]:
        code, answer = asked(capsys, disposal, "life", *arguments)
        assert code == 0
        return [row["state"] for row in answer["data"]["events"]]

    assert states(name_of("deposit")) == ["included", "orphaned", "included", "confirmed", "final"]
    tried = name_of("try")
    assert states(f"{tried[:6]}..{tried[-6:]}") == states(tried) == ["seen", "replaced"]
    assert states(tried, "--at", "2025-10-09T08:53:19Z") == [], "a second before anything was observed"
    assert states(tried, "--at", "2025-10-09T08:53:20Z") == ["seen", "replaced"]
    everything = states("--case", "HD-1")
    assert {"final", "seen", "replaced"} <= set(everything)
    _, out, _ = run(capsys, disposal, "life", tried)
    assert f"tx {tried}" in out and "both spend" in out and "would move out  1.08950000 BTC" in out


@pytest.mark.parametrize(
    "arguments", [["life", "feed"], ["life", "--at", "noon"], ["life", "--at", "2025-10-09T08:53:20"]]
)
def test_a_life_that_cannot_be_meant_is_refused(
    capsys: pytest.CaptureFixture[str], disposal: Path, arguments: list[str]
) -> None:
    code, out, err = run(capsys, disposal, *arguments)
    assert (code, out) == (2, "") and err
