"""Runs on a whole store: registered first, computed, kept with a digest, audited; and what tampering does."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from disposal import name_of, play_all
from harness.tampering import tamper
from store_builder import open_store

from tracer import cli
from tracer.report import audits
from tracer.report.answer import Answer
from tracer.store import runs
from tracer.store.declare import CannotTrace
from tracer.store.graph import StoreDamaged
from tracer.store.reader import snapshot
from tracer.taint.rules import Method
from watchers import tracing

ASKED: dict[str, Any] = {
    "case": "HD-1",
    "method": "lifo",
    "chain": "",
    "sources": [],
    "fee_policy": "sink",
    "hops": None,
    "min_amount": 0,
    "stop_at": [],
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return play_all(tmp_path_factory.mktemp("runs") / "store.db")


@pytest.fixture
def path(played: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "copy.db"
    with sqlite3.connect(played) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    return copy


async def ask(path: Path, **asked: Any) -> list[str]:
    with open_store(path) as store:
        return await tracing.trace(store, tracing.Request.read(ASKED | asked))


def audited(path: Path, number: int) -> Answer:
    with snapshot(path) as reader:
        return audits.audit(reader, number)


def listed(path: Path) -> list[dict[str, Any]]:
    with snapshot(path) as reader:
        found: list[dict[str, Any]] = audits.runs(reader, None).data["runs"]
        return found


def change(path: Path, sql: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(sql)


def test_the_daemons_own_runs_pass_their_audit(path: Path) -> None:
    numbers = [run["run"] for run in listed(path) if run["live"]]
    assert len(numbers) == 4
    for number in numbers:
        answer = audited(path, number)
        assert answer.verdict == "SHOWN"
        assert [row["same"] for row in answer.data["audits"]] == [True]
        assert answer.data["equations"] and all(row["exact"] for row in answer.data["equations"])


@pytest.mark.parametrize("method", list(Method))
async def test_any_method_can_be_registered_computed_and_audited(path: Path, method: Method) -> None:
    said = await ask(path, method=method.value)
    made = [run for run in listed(path) if not run["live"]]
    assert [run["chain"] for run in made] == ["bitcoin", "ethereum"]
    for run in made:
        answer = audited(path, run["run"])
        assert answer.verdict == "SHOWN"
        assert run["results"][0]["digest"] in "\n".join(said)
        assert all(row["exact"] is not False for row in answer.data["equations"])


async def test_a_run_of_a_live_method_comes_to_the_same_places(path: Path) -> None:
    await ask(path, method="fifo", hops=20, min_amount=546, chain="bitcoin")
    live, once = [run for run in listed(path) if run["method"] == "fifo" and run["chain"] == "bitcoin"]
    assert live["sources_sha256"] == once["sources_sha256"]
    assert live["results"][0]["ends"] == once["results"][0]["ends"]


WHOLE = (
    "INSERT INTO coverage (chain_id, watch_set, from_height, to_height, end_hash, checked)"
    " SELECT 1, 'whole', min(height), max(height), x'00', 'whole' FROM block WHERE chain_id = 1"
)


@pytest.mark.parametrize("method", list(Method))
async def test_a_large_run_goes_over_to_columns_with_the_same_digest(
    path: Path, method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(path, WHOLE)
    await ask(path, method=method.value, chain="bitcoin")
    monkeypatch.setattr(runs, "SPARSE_UP_TO", 2)
    await ask(path, method=method.value, chain="bitcoin")
    plain, dense = (run["results"][0] for run in listed(path) if not run["live"])
    assert plain["engine"] == "plain reference" and dense["engine"].startswith("dense")
    assert plain["digest"] == dense["digest"]
    with sqlite3.connect(path) as connection:
        first, second = connection.execute("SELECT ends FROM trace_page ORDER BY result_id").fetchall()
    assert json.loads(first[0]) == json.loads(second[0])
    assert [audited(path, run["run"]).verdict for run in listed(path) if not run["live"]] == ["SHOWN", "SHOWN"]


async def test_amounts_in_wei_are_no_limit_too_large(path: Path) -> None:
    await ask(path, min_amount=2 * 10**19)
    for run in listed(path):
        assert run["live"] or audited(path, run["run"]).verdict == "SHOWN"


async def test_without_whole_blocks_a_large_run_stays_with_the_reference(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "SPARSE_UP_TO", 2)
    await ask(path, chain="bitcoin")
    assert [run["results"][0]["engine"] for run in listed(path) if not run["live"]] == ["plain reference"]


async def test_a_coin_can_be_traced_by_itself(path: Path) -> None:
    said = await ask(path, method="fifo", chain="bitcoin", sources=[f"{name_of('leak')}:1"])
    assert "1.08950000 BTC = live 1.08950000" in said[-2]


async def test_limits_leave_leaves(path: Path) -> None:
    await ask(path, method="fifo", chain="bitcoin", hops=1)
    [run] = [run for run in listed(path) if not run["live"]]
    answer = audited(path, run["run"])
    assert run["limits"]["max_hops"] == 1
    assert answer.verdict == "SHOWN"
    assert sum(int(row["boundaries"]) for row in answer.data["equations"]) > 150_000_000


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"case": "HD-9"}, "case 'HD-9' names no seizure"),
        ({"chain": "dogecoin"}, "on chain 'dogecoin'"),
        ({"sources": [f"{name_of('leak')}:1"] * 2, "chain": "bitcoin"}, "as a source twice"),
        ({"sources": ["x:y"], "chain": "bitcoin"}, "is not txid:index"),
        ({"sources": ["00" * 32 + ":0"], "chain": "bitcoin"}, "is not stored"),
        ({"sources": ["00" * 32 + ":0"], "chain": "ethereum"}, "has no coins"),
        ({"method": "guess"}, "no method 'guess'"),
        ({"stop_at": ["casino"]}, "no label has the category 'casino'"),
    ],
)
async def test_what_cannot_be_traced_is_refused_and_nothing_is_written(path: Path, wrong: dict, said: str) -> None:
    before = len(listed(path))
    with pytest.raises(CannotTrace, match=said):
        await ask(path, **wrong)
    assert len(listed(path)) == before


def test_a_registered_run_cannot_be_altered_or_deleted(path: Path) -> None:
    for sql in (
        "UPDATE trace_run SET method = 'lifo' WHERE id = 1",
        "UPDATE trace_run SET since = 0 WHERE id = 1",
        "DELETE FROM trace_run WHERE id = 1",
        "UPDATE trace_run SET superseded_by = 1 WHERE id = 1",
        "INSERT OR REPLACE INTO trace_run (id, case_id, chain_id, method, fee_policy, engine)"
        " VALUES (1, 1, 1, 'x', '', '')",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="not altered once it is registered"):
            change(path, sql)


TAMPERED: list[tuple[str, str]] = [
    ("UPDATE trace_edge SET amount = '14990001' WHERE amount = '14990000'", "TRACE-5"),
    ("DELETE FROM trace_coin WHERE boundary = 'exchange deposit'", "TRACE-5"),
    ("UPDATE movement SET amount = '14990001' WHERE amount = '14990000'", "TRACE-5"),
    ("UPDATE trace_coin SET hop = hop + 1", "TRACE-5"),
    ("DELETE FROM trace_label", "TRACE-5"),
    ("UPDATE trace_label SET amount = '1' WHERE id = 1", "TRACE-5"),
    ("DELETE FROM trace_edge WHERE to_id = (SELECT min(to_id) FROM trace_edge)", "TRACE-5"),
]


@pytest.mark.parametrize(("sql", "rule"), TAMPERED)
def test_an_audit_finds_what_was_tampered_with(path: Path, sql: str, rule: str) -> None:
    change(path, sql)
    verdicts = {(check.rule, check.verdict) for number in (1, 2) for check in audited(path, number).checks}
    assert (rule, "CONTRADICTED") in verdicts


@pytest.mark.parametrize(
    "sql",
    [
        'UPDATE trace_page SET ends = replace(ends, \'"leaf","fee"\', \'"leaf","fie"\')',
        "UPDATE trace_result SET digest = x'00'",
        "UPDATE trace_source SET amount = '1'",
        "UPDATE trace_source SET ordinal = ordinal + 7",
        "UPDATE trace_page SET ends = replace(ends, '\"live\"', '\"leaf\"')",
    ],
)
async def test_an_audit_finds_a_result_that_was_tampered_with(path: Path, sql: str) -> None:
    await ask(path, chain="ethereum")
    number = listed(path)[-1]["run"]
    assert audited(path, number).verdict == "SHOWN"
    with pytest.raises(sqlite3.IntegrityError, match="not altered once it is registered"):
        change(path, sql)
    tamper(path, sql)
    assert audited(path, number).verdict == "CONTRADICTED"


async def test_analysts_find_runs_results_and_ends_in_views(path: Path) -> None:
    await ask(path, method="tiho")
    with sqlite3.connect(path) as connection:
        for run_id, result_id, ends in connection.execute(
            "SELECT run_id, result_id, ends FROM v_trace_result"
        ).fetchall():
            rows = connection.execute(
                "SELECT label, traced, address, asset FROM v_trace_end WHERE result_id = ?", (result_id,)
            ).fetchall()
            assert len(rows) == ends
            assert {address is None or not address.startswith("0014") for _, _, address, _ in rows} == {True}
            sums: dict[tuple[int, str], int] = {}
            for label, traced, _, asset in rows:
                sums[label, asset] = sums.get((label, asset), 0) + int(traced)
            equations = audited(path, run_id).data["equations"]
            assert sums == {(row["label"], row["asset"]): int(row["seeded"]) for row in equations}


def test_the_commands_print_runs_and_audits(path: Path) -> None:
    for given, expected in ((["runs"], "sources"), (["audit", "1"], "the same digest")):
        shown = CliRunner().invoke(cli.group, ["--store", str(path), *given])
        assert expected in shown.output
        assert max(map(len, shown.output.splitlines())) <= 100
    answer = json.loads(CliRunner().invoke(cli.group, ["--store", str(path), "audit", "2", "--json"]).output)
    assert answer["data"]["audits"][0]["same"] is True


async def test_a_damaged_transaction_is_told_and_nothing_hangs(path: Path) -> None:
    change(path, "UPDATE movement SET amount = '300000000' WHERE amount = '30000000'")
    with pytest.raises(StoreDamaged, match="pays more than it spends"):
        await asyncio.wait_for(ask(path, chain="bitcoin"), 20)
    assert audited(path, 1).verdict == "CONTRADICTED"
    [run] = [run for run in listed(path) if not run["live"]]
    assert audited(path, run["run"]).verdict == "NOT_SHOWN"
