"""Reports recount what they say: tampering with the store, or with a figure, shows."""

import sqlite3
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest
from disposal import BTC, EXCHANGE, add_case, declared, name_of, open_store, play_all, play_bitcoin, plays
from harness.tampering import tamper
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tracer.custody.ledger import Place
from tracer.errors import Inconsistent
from tracer.report import casereport, custody, frontier, tracing, transfers
from tracer.report.answer import Answer, Check, gravest, standing, weakest
from tracer.report.recount import TERMS, recount
from tracer.report.screen import Screen
from tracer.report.show import PRINTERS, passed
from tracer.store.reader import snapshot
from tracer.types import Holder


@pytest.fixture(scope="module")
def disposal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the whole disposal in it."""
    return play_all(tmp_path_factory.mktemp("disposal") / "store.db")


@pytest.fixture
def copy(disposal: Path, tmp_path: Path) -> Path:
    """A copy that may be tampered with."""
    copied = tmp_path / "copy.db"
    with sqlite3.connect(disposal) as source, sqlite3.connect(copied) as target:
        source.backup(target)
    source.close()
    target.close()
    return copied


def failed(answer: Answer) -> dict[tuple[str, str], str]:
    return {(check.rule, check.subject): check.reason for check in answer.checks if check.verdict != "SHOWN"}


def test_a_clean_disposal_is_shown_in_full(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, leak=False)
    with snapshot(path) as reader:
        found = custody.reconcile(reader, "HD-1")
        judged = custody.legs(reader, "HD-1")
        told = casereport.report(reader, "HD-1")
    [row] = found.data["conservation"]
    assert row["recounted"] == {
        "seized": "300000000",
        "credits": "0",
        "held": "149960000",
        "delivered": "150000000",
        "fees": "40000",
        "unexplained": "0",
    }
    # ethereum was not begun: what is not there is said, never taken for good
    assert failed(found) == {
        ("COVERAGE", "ethereum"): "following has not begun: run `tracerd sync`",
        ("RECON-1", "HD-1 ethereum"): "the ledger opens at height 51: not reached yet",
    }
    assert (found.verdict, found.exit_code) == ("NOT_SHOWN", 4)
    assert {
        leg["leg_ref"]: leg["verdict"] for leg in judged.data["legs"] if leg["chain"] == "bitcoin"
    } == dict.fromkeys(("secure", "test", "receive", "deposit"), "SHOWN")
    assert told.data["unexplained"] == told.data["leaks"] == []


def test_the_report_finds_the_leak_and_where_it_is(disposal: Path) -> None:
    with snapshot(disposal) as reader:
        told = casereport.report(reader, "HD-1")
    assert (told.verdict, told.exit_code, told.lane) == ("CONTRADICTED", 3, "ATTESTED")
    assert [(row["amount"], row["symbol"], row["reason"]) for row in told.data["unexplained"]] == [
        ("40000000", "BTC", "leak"),
        ("10000", "BTC", "fee outside a leg"),
        ("400000000000000000", "ETH", "leak"),
        ("42000000000000", "ETH", "fee outside a leg"),
    ]
    bitcoin, ether = told.data["leaks"]
    [fifo, haircut] = bitcoin["traces"]
    assert [(end["state"], end["outpoint"], end["traced"]) for end in fifo["ends"]] == [
        ("live", f"{name_of('hop1')}:1", "14990000"),
        ("leaf", None, "10000"),
        ("live", f"{name_of('hop2')}:0", "25000000"),
    ]
    [row] = fifo["sums"]
    assert (row["label"], row["begun"], row["joined"], row["live"], row["leaves"], row["exact"]) == (
        0,
        "40000000",
        "0",
        "39990000",
        "10000",
        True,
    )
    assert sum(int(row["begun"]) for row in haircut["sums"]) == 40_000_000
    assert bitcoin["methods_agree"] is False
    assert ether["first_hop"]["traced"] == "400000000000000000"
    assert [
        [(end["state"], end["movement_id"], end["address"], end["traced"]) for end in trace["ends"]]
        for trace in ether["traces"]
    ] == [[("live", None, "0x" + "7f" * 20, "400000000000000000")]] * 2
    assert ether["methods_agree"] is True


def test_the_report_shows_reorgs_and_what_it_leaves_out(disposal: Path) -> None:
    with snapshot(disposal) as reader:
        told = casereport.report(reader, "HD-1")
    [lost] = told.data["orphaned"]
    assert (lost["height"], lost["txid"], lost["legs"]) == (105, name_of("deposit"), ["deposit"])
    assert lost["mined_again"]["height"] == 106
    left = {(row["what"], row["why"]): row.get("amount") for row in told.left_out}
    assert left[("transfer not counted", "unlisted token, not on the allow-list")] == "999000000"
    assert not [what for what, _ in left if what == "traced value not followed"]
    assert (
        "proof: of 17 claims, 16 rest on what a node said (REPORTED) and 1 rest on what an institution stated on a"
        " filed document (ATTESTED)",
        "which nothing here verifies (anchor header-chain from genesis, single-node)",
    ) in left


def test_claims_are_spelt_out(disposal: Path) -> None:
    with snapshot(disposal) as reader:
        [leg] = [row for row in custody.legs(reader, "HD-1").data["legs"] if row["leg_ref"] == "deposit"]
    named = {claim["what"]: (claim["lane"], claim["named"]) for claim in leg["claims"]}
    assert named["movement"][1][0]["outpoint"] == f"{name_of('deposit')}:0"
    lane, [paper] = named["target address"]
    assert (lane, paper["institution"], paper["document_sha256"]) == (
        "ATTESTED",
        "Harbour Exchange",
        "d0" * 32,
    )


@pytest.mark.parametrize(
    ("sql", "rule", "subject", "says"),
    [
        (
            "UPDATE ledger SET unexplained = '0', held = '149960000' WHERE unexplained = '40010000'",
            "RECON-3",
            "HD-1 bitcoin BTC",
            "at height 107 held is stored as 149960000, found 109950000",
        ),
        (
            "UPDATE entry SET amount = '1' WHERE place = 'delivered' AND amount = '150000000'",
            "RECON-3",
            "HD-1 bitcoin BTC",
            "at height 106 the postings and holdings do not add up",
        ),
        (
            "UPDATE held SET amount = '0' WHERE amount = '109950000'",
            "RECON-3",
            "HD-1 bitcoin BTC",
            "at height 107 the postings and holdings do not add up",
        ),
        (
            "UPDATE movement SET amount = '108950001' WHERE amount = '108950000'",
            "RECON-3",
            "HD-1 bitcoin BTC",
            "held is 109950000, but the unspent coins hold 109950001",
        ),
        (
            "UPDATE verdict SET verdict = 'SHOWN' WHERE reason LIKE 'value left%' AND asset_id = 1",
            "RECON-1",
            "HD-1 bitcoin BTC",
            "stored as SHOWN, but unexplained is 40010000",
        ),
        (
            "UPDATE verdict SET verdict = 'CONTRADICTED' WHERE leg_id IS NULL"
            " AND asset_id = (SELECT id FROM asset WHERE symbol = 'USDT' AND kind = 'listed')",
            "RECON-1",
            "HD-1 ethereum USDT",
            "stored as CONTRADICTED, but unexplained is 0",
        ),
    ],
)
def test_reconcile_finds_a_tampered_store(copy: Path, sql: str, rule: str, subject: str, says: str) -> None:
    tamper(copy, sql)
    with snapshot(copy) as reader:
        found = custody.reconcile(reader, "HD-1")
    assert failed(found)[rule, subject] == says
    assert found.exit_code == 3


def test_legs_are_judged_anew(copy: Path) -> None:
    tamper(
        copy,
        "UPDATE verdict SET verdict = 'SHOWN', reason = 'arrived as planned, final' WHERE reason LIKE 'short%'",
    )
    with snapshot(copy) as reader:
        found = custody.legs(reader, "HD-1")
    assert failed(found) == {
        (
            "JUDGE-1",
            "HD-1 ethereum",
        ): "leg deposit-usdt is stored as SHOWN (arrived as planned, final), found CONTRADICTED"
        " (shortfall: less than planned had arrived by the deadline)"
    }


def test_the_frontier_finds_a_lost_coin(copy: Path) -> None:
    tamper(copy, "DELETE FROM trace_edge WHERE amount = '14990000'")
    with snapshot(copy) as reader:
        found = frontier.frontier(reader, None, "fifo")
        followed = tracing.trace(reader, "HD-1")
    assert failed(found) == {("TRACE-2", "HD-1 bitcoin fifo"): "label 0: 200000000 BTC units seeded, 185010000 found"}
    assert failed(followed) == {
        ("TRACE-2", "HD-1 bitcoin fifo"): "label 0: 200000000 units went in, 185010000 came out"
    }


def test_missing_coverage_is_not_shown(copy: Path) -> None:
    tamper(copy, "UPDATE coverage SET from_height = 103 WHERE chain_id = 1")
    with snapshot(copy) as reader:
        found = transfers.transfers(reader, {}, False, None)
    assert failed(found) == {("COVERAGE", "bitcoin"): "blocks 101 to 102 were not scanned"}
    assert found.exit_code == 4


def test_coverage_must_begin_with_the_oldest_watch(copy: Path) -> None:
    tamper(copy, "UPDATE watch SET birth = 99 WHERE ref = 'seized-1'")
    with snapshot(copy) as reader:
        found = custody.legs(reader, "HD-1")
    assert failed(found)["COVERAGE", "bitcoin"] == "blocks 99 to 100 were not scanned"


def test_payments_of_others_to_the_exchange_are_left_out_by_name(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 106)
        bitcoin.mine(bitcoin.pay("customer", [], [(EXCHANGE, 777)]))
    with snapshot(path) as reader:
        told = casereport.report(reader, "HD-1")
    not_counted = [row for row in told.left_out if row["what"] == "transfer not counted"]
    assert [(row["txid"], row["amount"], row["why"]) for row in not_counted] == [
        (name_of("customer"), "777", "paid by others than the case")
    ]


def test_long_texts_wrap_below_themselves_and_ids_stay_whole() -> None:
    console = Console(width=100, file=StringIO())
    screen = Screen(console)
    screen.wrapped("  HIGH  ", f"event of token {'f' * 120} names somebody")
    screen.verdict("  ", "CONTRADICTED", f"  {'word ' * 30}")
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines[:3] == ["  HIGH  event of token", f"        {'f' * 120}", "        names somebody"]
    assert all(len(line) <= 100 for line in lines[3:]) and lines[4].startswith("    word")


@pytest.mark.parametrize("state", ["halted", "behind", "unreachable"])
def test_a_chain_whose_node_contradicts_or_lags_is_not_shown(copy: Path, state: str) -> None:
    tamper(copy, f"UPDATE follower_status SET state = '{state}', message = 'why' WHERE chain_id = 1")
    with snapshot(copy) as reader:
        found = custody.status(reader, None)
    assert failed(found) == {("COVERAGE", "bitcoin"): f"{state}: why"}
    assert found.exit_code == 4


@pytest.mark.parametrize(
    ("ref", "begun", "joined", "live", "leaves"),
    [
        # a seized coin: only its own units, to the last one
        ("f1:0", [200_000_000], [0], [49_990_000], [150_010_000]),
        ("f2:0", [100_000_000], [0], [99_950_000], [50_000]),
        ("leak:0", [40_000_000], [0], [39_990_000], [10_000]),
        ("leak", [49_000_000, 99_950_000], [0, 0], [48_990_000, 99_950_000], [10_000, 0]),
        ("hop2:0", [25_000_000], [0], [25_000_000], [0]),
    ],
)
def test_a_trace_adds_up_from_any_reference(
    disposal: Path, ref: str, begun: list[int], joined: list[int], live: list[int], leaves: list[int]
) -> None:
    name, colon, index = ref.partition(":")
    with snapshot(disposal) as reader:
        [trace] = tracing.trace(reader, name_of(name) + colon + index).data["traces"]
    sums = trace["sums"]
    for column, expected in (("begun", begun), ("joined", joined), ("live", live), ("leaves", leaves)):
        assert [int(row[column]) for row in sums] == expected, column
    assert all(row["exact"] for row in sums)


def test_units_that_join_on_the_way_are_told_apart(tmp_path: Path) -> None:
    """Of two leaked coins that a thief merges, a trace of one says what the other brought."""
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 101)
        bitcoin.mine(bitcoin.pay("out", [("f1", 0)], [(b"\x00\x14one", 120_000_000), (b"\x00\x14two", 80_000_000)]))  # type: ignore[list-item]
        bitcoin.mine(bitcoin.pay("merge", [("out", 0), ("out", 1)], [(b"\x00\x14all", 199_000_000)]))  # type: ignore[list-item]
    with snapshot(path) as reader:
        [trace] = tracing.trace(reader, name_of("out") + ":1").data["traces"]
    assert trace["sums"] == [
        {
            "label": 0,
            "asset": BTC.id,
            "symbol": "BTC",
            "decimals": 8,
            "begun": "80000000",
            "joined": "120000000",
            "converted": "0",
            "live": "199000000",
            "leaves": "1000000",
            "exact": True,
        }
    ]


def test_a_trace_goes_only_where_its_own_labels_go(tmp_path: Path) -> None:
    """Units of the second seized coin part from the first one's, and meet other units of the first one later."""
    path = tmp_path / "store.db"
    one, two, three, four = (Holder(b"\x00\x14" + name.ljust(20, b".")) for name in (b"one", b"two", b"3", b"4"))
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 101)
        bitcoin.mine(bitcoin.pay("split", [("f1", 0)], [(one, 120_000_000), (two, 80_000_000)]))
        bitcoin.mine(bitcoin.pay("both", [("split", 0), ("f2", 0)], [(three, 130_000_000), (four, 90_000_000)]))
        bitcoin.mine(bitcoin.pay("part", [("both", 0)], [(three, 120_000_000), (four, 10_000_000)]))
        bitcoin.mine(bitcoin.pay("meet", [("part", 1), ("split", 1)], [(one, 90_000_000)]))
    with snapshot(path) as reader:
        [trace] = tracing.trace(reader, name_of("split") + ":0").data["traces"]
    assert [(end["outpoint"], end["traced"]) for end in trace["ends"]] == [(f"{name_of('part')}:0", "120000000")]


def test_a_reference_that_a_reorg_took_away_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 107)
        bitcoin.disconnect()
    with snapshot(path) as reader:
        found = tracing.trace(reader, name_of("leak"))
    assert failed(found)["REORG-1", name_of("leak")] == "voided by reorg: its block left the chain"
    assert found.exit_code == 4


def test_an_answer_belongs_to_one_moment(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 107)
        with snapshot(path) as reader:
            before = reader.rows("SELECT tip_height FROM v_chain WHERE chain = 'bitcoin'")
            bitcoin.mine()
            told = casereport.report(reader, "HD-1")
        with snapshot(path) as reader:
            after = custody.status(reader, None)
    assert before == [{"tip_height": 107}]
    assert told.as_of[0]["height"] == 107 and told.data["leaks"]
    assert after.as_of[0]["height"] == 108


def test_what_stays_within_custody_counts_in_no_term() -> None:
    block = [
        (1, "a", "seized", "10"),
        (2, "a", "internal", "4"),
        (2, "a", "change", "6"),
        (3, "a", "refund", "2"),
    ]
    held = [(1, "a", 7, "10"), (3, "a", 7, "12")]
    stored = [
        (1, 100, "a", dict(zip(TERMS, (10, 0, 10, 0, 0, 0), strict=True))),
        (3, 102, "a", dict(zip(TERMS, (10, 0, 12, -2, 0, 0), strict=True))),
    ]
    count = recount(block, held, stored)["a"]
    assert (count.faults, count.compared, count.closes) == ([], 2, True)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([p for p in Place if p not in (Place.INTERNAL, Place.CHANGE)]),
            st.integers(1, 2**255),
        ),
        min_size=1,
        max_size=30,
    ),
    st.integers(1, 10**6),
    st.sampled_from(TERMS),
)
def test_a_recount_sees_any_single_wrong_term(moves: list[tuple[Place, int]], error: int, term: str) -> None:
    """Terms are worked out here by plain sums; one wrong stored figure must be found."""
    of = {place: sum(amount for p, amount in moves if p is place) for place in Place}
    terms = {
        "seized": of[Place.SEIZED],
        "credits": of[Place.CREDIT],
        "delivered": of[Place.DELIVERED] - of[Place.REFUND],
        "fees": of[Place.FEE],
        "unexplained": of[Place.UNEXPLAINED],
    }
    terms["held"] = terms["seized"] + terms["credits"] - terms["delivered"] - terms["fees"] - terms["unexplained"]
    postings = [(1, "a", place.value, str(amount)) for place, amount in moves]
    held = [(1, "a", 1, str(terms["held"]))]
    assert recount(postings, held, [(1, 5, "a", terms)])["a"].faults == []
    wrong = {**terms, term: terms[term] + error}
    assert recount(postings, held, [(1, 5, "a", wrong)])["a"].faults == [
        f"at height 5 {term} is stored as {wrong[term]}, found {terms[term]}"
    ]


def test_postings_without_a_ledger_row_are_inconsistent() -> None:
    with pytest.raises(Inconsistent):
        recount([(2, "a", "seized", "1")], [], [])


def test_checks_that_did_not_pass_are_told_apart() -> None:
    checks = [
        Check("LEG-5", "a", "SHOWN", ""),
        Check("LEG-5", "b", "NOT_SHOWN", "nothing arrived yet"),
        Check("LEG-5", "c", "NOT_SHOWN", "nothing arrived yet"),
        Check("LEG-6", "d", "CONTRADICTED", "late"),
        Check("COVERAGE", "e", "NOT_SHOWN", ""),
    ]
    assert passed(checks) == "1 of 5 checks passed, 1 contradicted, 2 legs not shown yet, 1 more not shown"
    assert passed(checks[:1]) == "1 of 1 checks passed"
    assert passed(checks[4:]) == "0 of 1 checks passed, 1 not shown"


def test_the_gravest_verdict_and_the_weakest_lane_win() -> None:
    answer = Answer("legs", [], {}, verdicts=["SHOWN", "NOT_SHOWN"], lanes=["PROVEN", "ATTESTED"])
    assert (answer.exit_code, answer.lane) == (4, "ATTESTED")
    answer.checks.append(Check("RECON-1", "x", "CONTRADICTED", "y"))
    assert answer.exit_code == 3
    assert (gravest([]), weakest([])) == ("SHOWN", "REPORTED")


def test_a_chain_scanned_to_another_block_than_its_tip_is_not_shown() -> None:
    chain = {
        "chain": "c", "covered_from": 1, "covered_to": 9, "covered_hash": "aa", "tip_height": 9, "tip_hash": "bb",
        "node_state": "in step", "node_message": "", "node_height": 9, "checked": "read",
    }  # fmt: skip
    spans = [{"from_height": 1, "to_height": 9, "checked": "whole"}]
    assert standing(chain, spans).verdict == "NOT_SHOWN"
    assert standing(chain | {"covered_hash": "bb"}, spans).verdict == "SHOWN"


def test_every_answer_has_somebody_to_print_it() -> None:
    for where in PRINTERS.values():
        module, _, name = where.partition(":")
        assert callable(getattr(import_module(f"tracer.report.{module}"), name))
