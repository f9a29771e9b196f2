"""The views show what was played, open in Python's own sqlite3, and mean what docs/schema.md says."""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from disposal import (
    BTC,
    E_AGENCY,
    E_LEAK,
    E_LEAK_FEE,
    E_SEIZED,
    E_THIEF,
    ETH,
    FAKE,
    STRANGER,
    USDT,
    add_case,
    declared,
    name_of,
    open_store,
    play_all,
    play_bitcoin,
    plays,
)
from store_builder import WALL, Play, transact, txid

from tracer import cli
from tracer.command import exit_code
from tracer.store.describe import documented, schema
from tracer.types import Kind, Movement

OF_SOURCES = {"v_source", "v_vouch", "v_disagreement", "v_refused_block", "v_finality_violation", "v_settlement"}
"""Views of what may befall the nodes, which no disposal needs; test_vouching.py shows them."""

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def disposal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the whole disposal in it."""
    return play_all(tmp_path_factory.mktemp("disposal") / "store.db")


@pytest.fixture
def store(disposal: Path) -> Iterator[sqlite3.Connection]:
    """Python's own connection to it, read-only."""
    connection = opened(disposal)
    yield connection
    connection.close()


def opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    return connection


def rows(store: sqlite3.Connection, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in store.execute(sql, values)]


def test_the_schema_document_is_what_the_views_say() -> None:
    assert (DOCS / "schema.md").read_text(encoding="utf-8") == schema()


def test_every_view_has_a_purpose_and_every_column_a_meaning() -> None:
    _, views = documented()
    assert len(views) > 20
    for view in views:
        assert view.purpose.endswith("."), view.name
        assert all(view.columns.values()), view.name


def test_every_view_opens_in_stock_sqlite(store: sqlite3.Connection) -> None:
    _, views = documented()
    for view in views:
        cursor = store.execute(f"SELECT * FROM {view.name}")
        assert [column[0] for column in cursor.description] == list(view.columns)
        shows = cursor.fetchall() or view.name in OF_SOURCES or "empty if" in view.purpose
        assert shows, f"{view.name} shows nothing of a whole disposal"


def test_no_view_adds_up_amounts_as_text() -> None:
    source = (Path(__file__).parents[2] / "tracer/store/views.sql").read_text(encoding="utf-8")
    sums = re.findall(r"\b(?:sum|total|avg)\((\S+)", source)
    assert sums and all(inner.startswith("CAST(") for inner in sums)


def test_a_chain_says_how_far_it_reaches(store: sqlite3.Connection) -> None:
    assert rows(
        store,
        "SELECT chain, tip_height, confirmed_height, final_height, covered_from, covered_to, node_state FROM v_chain",
    ) == [("bitcoin", 115, 114, 110, 101, 115, "in step"), ("ethereum", 60, 58, 56, 51, 60, "in step")]


def test_confirmations_count_from_one_in_the_tip_and_are_none_for_orphans(store: sqlite3.Connection) -> None:
    found = rows(
        store,
        "SELECT height, canonical, confirmations, confirmed, final FROM v_block_all"
        " WHERE chain = 'bitcoin' AND height IN (105, 110, 111, 114, 115) ORDER BY height, canonical",
    )
    assert found == [(105, 0, 0, 0, 0), (105, 1, 11, 1, 1), (110, 1, 6, 1, 1), (111, 1, 5, 1, 0),
                     (114, 1, 2, 1, 0), (115, 1, 1, 0, 0)]  # fmt: skip
    assert rows(store, "SELECT count(*) FROM v_block WHERE chain = 'bitcoin' AND height = 105") == [(1,)]


def test_a_movement_is_found_by_its_transaction(store: sqlite3.Connection) -> None:
    found = rows(
        store,
        "SELECT kind, idx, source, target, amount, outpoint, spends FROM v_movement"
        " WHERE txid_bytes = :t ORDER BY 1, 2",
        t=txid("hop2"),
    )
    hop2 = name_of("hop2")
    assert found == [
        ("fee", 0, None, None, "10000", None, None),
        ("in", 0, "bc1qmule", None, "25000000", None, f"{name_of('hop1')}:0"),
        ("in", 1, "bc1qstranger", None, "10000000", None, f"{name_of('stranger')}:0"),
        ("out", 0, None, "bc1qfence", "30000000", f"{hop2}:0", None),
        ("out", 1, None, "bc1qfence2", "4990000", f"{hop2}:1", None),
    ]


def test_transfers_carry_the_role_and_direction_of_each_watch(store: sqlite3.Connection) -> None:
    found = rows(
        store,
        "SELECT watch_ref, role, direction, amount FROM v_transfer WHERE case_ref = 'HD-1' AND txid = :t ORDER BY 1, 4",
        t=name_of("deposit"),
    )
    assert found == [
        ("agency", "agency", "in", "148960000"),
        ("agency", "agency", "out", "298970000"),
        ("exchange", "exchange", "in", "150000000"),
    ]


def test_what_a_reorg_took_away_is_evidence_only(store: sqlite3.Connection) -> None:
    orphaned = rows(store, "SELECT DISTINCT height, txid, canonical, confirmations FROM v_transfer_orphaned")
    assert orphaned == [(105, name_of("deposit"), 0, 0)]
    assert rows(store, "SELECT DISTINCT height FROM v_transfer WHERE txid = :t", t=name_of("deposit")) == [(106,)]
    assert rows(store, "SELECT count(*) FROM v_posting_all WHERE height = 105 AND chain = 'bitcoin'") == [(3,)]
    assert rows(store, "SELECT count(*) FROM v_posting WHERE height = 105 AND chain = 'bitcoin'") == [(0,)]
    edges = "SELECT DISTINCT height FROM v_trace_edge WHERE txid_bytes = :t"
    assert rows(store, edges, t=txid("deposit")) == [(106,)]


def test_movements_and_postings_count_confirmations_alike(store: sqlite3.Connection) -> None:
    for view in ("v_movement", "v_posting", "v_leg_arrival"):
        found = rows(store, f"SELECT DISTINCT confirmations, final FROM {view} WHERE txid_bytes = :t", t=txid("test"))
        assert found == [(13, 1)], view
    assert rows(store, "SELECT confirmations, final FROM v_ledger WHERE height = 107") == [(9, 1)]
    assert rows(store, "SELECT confirmations, final FROM v_conservation WHERE symbol = 'BTC'") == [(9, 1)]


def test_an_unlisted_token_is_a_transfer_of_its_own_class(store: sqlite3.Connection) -> None:
    found = rows(store, "SELECT watch_ref, direction, asset, amount FROM v_transfer WHERE asset_class = 'unlisted'")
    assert found == [("eth-agency", "in", FAKE.id, "999000000")]


def test_amount_keys_sort_as_the_amounts_do(store: sqlite3.Connection) -> None:
    amounts = [int(amount) for (amount,) in rows(store, "SELECT amount FROM v_movement ORDER BY amount_key")]
    assert amounts == sorted(amounts)
    assert amounts != sorted(amounts, key=str)


def test_the_ledger_closes_at_every_block_with_the_figures_of_the_plan(store: sqlite3.Connection) -> None:
    terms = "seized, credits, held, delivered, fees, unexplained"
    found = rows(store, f"SELECT height, {terms} FROM v_ledger WHERE symbol = 'BTC' ORDER BY height")
    assert found == [
        (101, "300000000", "0", "300000000", "0", "0", "0"),
        (102, "300000000", "0", "299990000", "0", "10000", "0"),
        (103, "300000000", "0", "299980000", "0", "20000", "0"),
        (104, "300000000", "0", "299970000", "0", "30000", "0"),
        (106, "300000000", "0", "149960000", "150000000", "40000", "0"),
        (107, "300000000", "0", "109950000", "150000000", "40000", "40010000"),
    ]


def test_conservation_is_the_last_row_with_its_verdict(store: sqlite3.Connection) -> None:
    found = rows(
        store,
        "SELECT symbol, credits, held, delivered, fees, unexplained, verdict, height FROM v_conservation"
        " ORDER BY symbol",
    )
    gas, fees, gone = 10**16, 5 * 10**13 + 6 * 10**13, E_LEAK + E_LEAK_FEE
    assert found == [
        ("BTC", "0", "109950000", "150000000", "40000", "40010000", "CONTRADICTED", 107),
        ("ETH", str(gas), str(10**19 + gas - fees - gone), "0", str(fees), str(gone), "CONTRADICTED", 55),
        ("USDT", "0", "1000000000", "4000000000", "0", "0", "SHOWN", 54),
    ]


def test_balances_follow_every_block_and_end_in_what_is_held(store: sqlite3.Connection) -> None:
    history = rows(store, "SELECT height, amount FROM v_balance_history WHERE address = 'bc1qagency' ORDER BY height")
    assert history == [(103, "1000000"), (104, "299970000"), (106, "149960000"), (107, "109950000")]
    now = dict(rows(store, "SELECT address, amount FROM v_balance WHERE symbol = 'BTC' AND amount <> '0'"))
    assert now == {"bc1qagency": "109950000"}
    assert rows(store, "SELECT amount FROM v_balance WHERE symbol = 'USDT' AND address = :a",
                a="0x" + E_AGENCY.hex()) == [("1000000000",)]  # fmt: skip


def test_legs_show_plan_arrival_and_the_verdict_that_stands(store: sqlite3.Connection) -> None:
    found = rows(store, "SELECT leg_ref, planned, arrived, fees, verdict, lane, sources FROM v_leg ORDER BY leg_number")
    assert found == [
        ("secure", "299990000", "299990000", "10000", "SHOWN", "REPORTED", "seized-1, seized-2"),
        ("test", "1000000", "1000000", "10000", "SHOWN", "REPORTED", "authority"),
        ("receive", "298970000", "298970000", "10000", "SHOWN", "REPORTED", "authority"),
        ("deposit", "150000000", "150000000", "10000", "SHOWN", "ATTESTED", "agency"),
        ("gas", str(10**16), str(10**16), "0", "SHOWN", "REPORTED", None),
        ("secure-usdt", "5000000000", "5000000000", str(5 * 10**13), "SHOWN", "REPORTED", "eth-seized"),
        (
            "deposit-usdt",
            "4500000000",
            "4000000000",
            str(6 * 10**13),
            "CONTRADICTED",
            "REPORTED",
            "eth-agency",
        ),
    ]
    arrived = rows(store, "SELECT txid, height, amount FROM v_leg_arrival WHERE leg_ref = 'deposit'")
    assert arrived == [(name_of("deposit"), 106, "150000000")]


def test_exactly_one_verdict_per_subject_stands(store: sqlite3.Connection) -> None:
    assert rows(store, "SELECT count(*), count(DISTINCT coalesce(leg_ref, asset)) FROM v_verdict") == [(10, 10)]
    told = rows(
        store,
        "SELECT height, canonical, reason, current FROM v_verdict_all WHERE leg_ref = 'deposit' ORDER BY verdict_id",
    )
    assert told == [
        (101, 1, "nothing arrived yet", 0),
        (105, 0, "arrived, not yet confirmed", 0),
        (104, 1, "voided by reorg: its transaction left the chain", 0),
        (106, 1, "arrived, not yet confirmed", 0),
        (107, 1, "arrived as planned, confirmed", 0),
        (111, 1, "arrived as planned, final", 1),
    ]


def test_fifo_edges_tile_a_coin_and_name_where_each_part_came_from(store: sqlite3.Connection) -> None:
    found = rows(
        store,
        "SELECT to_outpoint, seq, from_outpoint, label, label_outpoint, amount FROM v_trace_edge"
        " WHERE method = 'fifo' AND txid_bytes = :t ORDER BY to_id, seq",
        t=txid("hop2"),
    )
    assert found == [
        (f"{name_of('hop2')}:0", 0, f"{name_of('hop1')}:0", 0, f"{name_of('f1')}:0", "25000000"),
        (f"{name_of('hop2')}:0", 1, None, None, None, "5000000"),
    ]


def test_the_frontier_holds_every_seized_unit_by_fifo(store: sqlite3.Connection) -> None:
    found = rows(
        store,
        "SELECT label, state, coalesce(boundary, ''), coalesce(outpoint, txid), traced FROM v_frontier"
        " WHERE chain = 'bitcoin' AND method = 'fifo' ORDER BY movement_id, label",
    )
    fees = [("secure", 1), ("test", 1), ("receive", 1), ("deposit", 1), ("leak", 1), ("hop1", 0)]
    assert sorted(found) == sorted(
        [(label, "leaf", "fee", name_of(tx), "10000") for tx, label in fees]
        + [
            (0, "leaf", "exchange deposit", f"{name_of('deposit')}:0", "150000000"),
            (0, "live", "", f"{name_of('test')}:0", "1000000"),
            (0, "live", "", f"{name_of('leak')}:1", "9000000"),
            (1, "live", "", f"{name_of('leak')}:1", "99950000"),
            (0, "live", "", f"{name_of('hop1')}:1", "14990000"),
            (0, "live", "", f"{name_of('hop2')}:0", "25000000"),
        ]
    )


def test_the_frontier_holds_every_seized_unit_by_haircut(store: sqlite3.Connection) -> None:
    found = rows(store, "SELECT label, traced, coalesce(outpoint, txid) FROM v_frontier"
                 " WHERE chain = 'bitcoin' AND method = 'haircut'")  # fmt: skip
    for label, seeded in ((0, 200_000_000), (1, 100_000_000)):
        assert sum(int(traced) for of, traced, _ in found if of == label) == seeded
    at = {place: sum(int(t) for _, t, where in found if where == place) for _, _, place in found}
    # 25000000 of 35000000 are traced: 25000000 * 30000000 // 35000000, then what the telescoped floors leave
    assert at[f"{name_of('hop2')}:0"] == 21_428_571
    assert at[f"{name_of('hop2')}:1"] == 3_564_286
    assert at[name_of("hop2")] == 7_143


def test_on_account_chains_the_frontier_is_the_first_hop(store: sqlite3.Connection) -> None:
    found = rows(store, "SELECT boundary, traced, address, txid FROM v_frontier WHERE method = 'first-hop' ORDER BY 1")
    assert found == [
        ("fee", str(E_LEAK_FEE), None, name_of("eth-leak")),
        ("first hop", str(E_LEAK), "0x" + E_THIEF.hex(), name_of("eth-leak")),
    ]


def test_a_reorg_unfollows(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 108)
        bitcoin.disconnect()
        bitcoin.disconnect()
    store = opened(path)
    live = rows(store, "SELECT outpoint, sum(CAST(traced AS INTEGER)) FROM v_frontier"
                " WHERE chain = 'bitcoin' AND method = 'fifo' AND state = 'live' GROUP BY 1")  # fmt: skip
    assert dict(live) == {f"{name_of('test')}:0": 1_000_000, f"{name_of('deposit')}:1": 148_960_000}
    assert rows(store, "SELECT unexplained, verdict FROM v_conservation") == [("0", "SHOWN")]
    assert (
        rows(store, "SELECT rule, canonical FROM v_alert WHERE rule = 'LEG-1' AND height = 107") == [("LEG-1", 0)] * 2
    )
    store.close()


def test_a_block_that_comes_back_brings_its_verdicts_back(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 103)
        last = bitcoin.tip
        bitcoin.disconnect()
        bitcoin.reconnect(last)
    store = opened(path)
    standing = ("NOT_SHOWN", "arrived, not yet confirmed", 103)
    assert rows(store, "SELECT verdict, reason, height FROM v_verdict WHERE leg_ref = 'test'") == [standing]
    assert rows(store, "SELECT verdict, reason, judged_height FROM v_leg WHERE leg_ref = 'test'") == [standing]
    voided = rows(store, "SELECT height, current FROM v_verdict_all WHERE reason LIKE 'voided by reorg%'")
    assert voided == [(102, 0)], "later in time, but said of an older tip"
    store.close()


def test_what_the_exchange_does_with_its_deposit_moves_no_leaf(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 106)
        bitcoin.mine(bitcoin.pay("sweep", [("deposit", 0)], [(STRANGER, 149_990_000)]))
    store = opened(path)
    leaf = "SELECT traced FROM v_frontier WHERE method = 'fifo' AND boundary = 'exchange deposit'"
    assert rows(store, leaf) == [("150000000",)]
    assert rows(store, "SELECT amount FROM v_transfer WHERE txid = :t", t=name_of("sweep")) == [("150000000",)]
    assert rows(store, "SELECT unexplained, delivered FROM v_conservation") == [("0", "150000000")]
    store.close()


def test_seized_coins_that_never_moved_are_live(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 101)
    store = opened(path)
    found = rows(store, "SELECT method, label, outpoint, label_outpoint, traced, hop FROM v_frontier ORDER BY 1, 2")
    coins = [(0, f"{name_of('f1')}:0", "200000000"), (1, f"{name_of('f2')}:0", "100000000")]
    assert found == [
        (method, label, point, point, amount, 0) for method in ("fifo", "haircut") for label, point, amount in coins
    ]
    store.close()


def whales(play: Play, amounts: list[int]) -> None:
    """Let a leg be served by several payments of any size."""
    play.start(50)
    play.mine()
    for number, amount in enumerate(amounts):
        play.mine(transact(f"whale{number}", Movement(Kind.LOG, 0, USDT.id, amount, E_SEIZED, E_AGENCY)))


def test_what_arrived_adds_up_exactly_at_any_size(tmp_path: Path) -> None:
    amounts = [2**256 - 1, 10**77, 999_999_999_999, 1, 2**256 - 1, 10**12]
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        whales(ethereum, amounts)
    store = opened(path)
    assert rows(store, "SELECT arrived, arrivals FROM v_leg WHERE leg_ref = 'secure-usdt'") == [
        (str(sum(amounts)), 7)  # the first payment is split: what the leg wanted, and excess
    ]
    assert rows(store, "SELECT arrived FROM v_leg WHERE leg_ref = 'test'") == [("0",)]
    assert (str(sum(amounts)),) in rows(store, "SELECT amount FROM v_balance")
    store.close()


QUERIES = re.findall(r"^## (.+?)\n.*?```sql\n(.*?)```", (DOCS / "queries.md").read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize(("title", "sql"), QUERIES, ids=[title for title, _ in QUERIES])
def test_documented_queries_answer(store: sqlite3.Connection, title: str, sql: str) -> None:
    backward = title.startswith("Backward")
    values = {
        "case_ref": "HD-1",
        "watch_ref": "agency",
        "chain": "bitcoin",
        "height": 106,
        "txid": txid("hop2" if backward else "leak"),
        "idx": 0,
        "at": WALL,
    }
    assert rows(store, sql, **values), title


def test_documented_queries_are_many() -> None:
    assert len(QUERIES) == (DOCS / "queries.md").read_text(encoding="utf-8").count("```sql") > 12


def answer(store: sqlite3.Connection, begins: str, **values: Any) -> list[tuple[Any, ...]]:
    [sql] = [sql for title, sql in QUERIES if title.startswith(begins)]
    return rows(store, sql, **values)


OUTPUTS = (
    *(
        ("f1", 0),
        ("f2", 0),
        ("secure", 0),
        ("test", 0),
        ("test", 1),
        ("receive", 0),
        ("deposit", 0),
        ("deposit", 1),
    ),
    *(("leak", 0), ("leak", 1), ("hop1", 0), ("hop1", 1), ("hop2", 0), ("hop2", 1)),
)


@pytest.mark.parametrize(("name", "idx"), OUTPUTS)
def test_queries_forward_and_backward_say_what_tracer_says(
    store: sqlite3.Connection, capsys: pytest.CaptureFixture[str], name: str, idx: int
) -> None:
    [(_, _, path)] = store.execute("PRAGMA database_list").fetchall()
    exit_code(cli.group, "tracer", ["--store", path, "trace", f"{name_of(name)}:{idx}", "--json"])
    traces = [row for row in json.loads(capsys.readouterr().out)["data"]["traces"] if row["case_ref"] is not None]
    sums = {row["label"]: row["begun"] for trace in traces for row in trace["sums"]}
    ends: dict[tuple[str, str | None, int], int] = {}
    for end in (end for trace in traces for end in trace["ends"] if trace["steps"]):
        ends[end["txid"], end["outpoint"], end["label"]] = int(end["traced"])
    at = {"case_ref": "HD-1", "txid": txid(name), "idx": idx}
    found: dict[tuple[str, str | None, int], int] = {}
    for row in answer(store, "Forward", **at):
        if row[9] is not None:
            key = row[1], row[3], row[5]
            found[key] = found.get(key, 0) + int(row[6])
    assert found == ends
    assert {row[0]: row[3] for row in answer(store, "Backward", **at)} == sums


def test_query_backward_names_only_the_seized_coin_that_leaked(store: sqlite3.Connection) -> None:
    fence = answer(store, "Backward", case_ref="HD-1", txid=txid("hop2"), idx=0)
    assert [row[:4] for row in fence] == [(0, f"{name_of('f1')}:0", "200000000", "25000000")]


def test_query_of_payments_tells_the_leak_from_the_coin_it_came_of(store: sqlite3.Connection) -> None:
    coins = answer(store, "The ten largest transfers", case_ref="HD-1", watch_ref="agency")
    assert [row[3] for row in coins] == ["298970000", "148960000"]
    paid = answer(store, "The ten largest payments", case_ref="HD-1")
    assert [row[8] for row in paid if row[9] == "BTC"] == ["150000000", "40000000", "10000"]
    assert (107, "unexplained", "leak", "bc1qthief", "40000000") in [(r[1], r[4], r[5], r[7], r[8]) for r in paid]


def test_query_of_what_was_known_then(store: sqlite3.Connection) -> None:
    known = answer(store, "What was known when", case_ref="HD-1", chain="bitcoin", height=104)
    assert ("deposit", "NOT_SHOWN", "voided by reorg: its transaction left the chain", 104) in known
    assert (None, "SHOWN", "every base unit is explained", 101) in known


def test_query_of_balances_at_a_height(store: sqlite3.Connection) -> None:
    held = answer(store, "What did a case hold at a height", case_ref="HD-1", chain="bitcoin", height=104)
    assert [row for row in held if row[2] != "0"] == [("bc1qagency", BTC.symbol, "299970000")]


def test_query_of_where_methods_differ(store: sqlite3.Connection) -> None:
    differ = {row[1]: row[2:] for row in answer(store, "Where do the methods differ", case_ref="HD-1")}
    assert differ == {
        f"{name_of('hop2')}:0": (25_000_000, 21_428_571),
        f"{name_of('hop2')}:1": (0, 3_564_286),
        f"fee of {name_of('hop2')}": (0, 7_143),
    }


def plan_of(store: sqlite3.Connection, sql: str, **values: Any) -> str:
    return "\n".join(row[3] for row in store.execute(f"EXPLAIN QUERY PLAN {sql}", values))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM v_transfer WHERE case_ref = 'HD-1' AND watch_ref = 'agency'",
        "SELECT * FROM v_movement WHERE txid_bytes = x'00'",
        "SELECT * FROM v_movement WHERE target_id = 1",
        "SELECT * FROM v_movement WHERE spends_id = 1",
        "SELECT * FROM v_posting WHERE case_ref = 'HD-1'",
        "SELECT * FROM v_balance WHERE case_ref = 'HD-1'",
        "SELECT * FROM v_leg WHERE case_ref = 'HD-1'",
        "SELECT * FROM v_conservation WHERE case_ref = 'HD-1'",
        "SELECT * FROM v_trace_edge WHERE from_id = 1",
        "SELECT * FROM v_trace_edge WHERE to_id = 1",
        "SELECT * FROM v_trace_seed WHERE case_ref = 'HD-1'",
        "SELECT * FROM v_transfer_event WHERE txid_bytes = x'00'",
        "SELECT * FROM v_transfer_state WHERE txid_bytes = x'00'",
        "SELECT * FROM v_pending_all WHERE case_ref = 'HD-1'",
    ],
)
def test_narrow_questions_scan_no_large_table(store: sqlite3.Connection, sql: str) -> None:
    large = {
        "m": "movement",
        "e": "entry",
        "b": "block",
        "t": "tx",
        "d": "held",
        "i": "movement",
        "v": "verdict",
    }
    scanned = re.findall(r"^SCAN (\w+)", plan_of(store, sql), re.M)
    assert not large.keys() & set(scanned), plan_of(store, sql)


def test_listed_tokens_and_ether_keep_their_decimals(store: sqlite3.Connection) -> None:
    found = dict(rows(store, "SELECT DISTINCT asset, decimals FROM v_conservation"))
    assert found == {BTC.id: 8, ETH.id: 18, USDT.id: 6}
