"""What is in doubt is not shown: what could not be observed, was not followed yet, or is not confirmed yet."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from disposal import UNREADABLE, USDT, add_case, declared, open_store, play_all, play_bitcoin, play_ethereum, plays
from harness.tampering import tamper
from rich.console import Console
from store_builder import WALL

from tracer.report import casereport, custody, frontier, tracing, transfers
from tracer.report.answer import Answer
from tracer.report.screen import Screen
from tracer.report.show import show
from tracer.store.reader import Reader, snapshot
from tracer.types import BlockRef, Hash


@pytest.fixture
def clean(tmp_path: Path) -> Callable[..., Path]:
    """Makes a store in which nothing leaked, on both chains; each reason is one that could not be observed."""

    def make(*reasons: str, ethereum_blocks: int = 60) -> Path:
        path = tmp_path / f"clean-{len(list(tmp_path.iterdir()))}.db"
        with open_store(path) as writer:
            bitcoin, ethereum = plays(writer)
            add_case(writer, declared(), (bitcoin, ethereum))
            play_bitcoin(bitcoin, leak=False)
            play_ethereum(ethereum, ethereum_blocks, leak=False)
            for reason in reasons:
                assert writer.note_unobserved(ethereum.handle, 52, reason, WALL)
        return path

    return make


def recon(answer: Answer) -> dict[str, tuple[str, str]]:
    return {check.subject: (check.verdict, check.reason) for check in answer.checks if check.rule == "RECON-1"}


def everything(reader: Reader) -> list[Answer]:
    """Every answer that speaks of a chain."""
    return [
        custody.status(reader, None),
        custody.legs(reader, "HD-1"),
        custody.reconcile(reader, "HD-1"),
        transfers.transfers(reader, {"case_ref": "HD-1"}, False, None),
        casereport.report(reader, "HD-1"),
        tracing.trace(reader, "HD-1"),
        frontier.frontier(reader, "HD-1", None),
    ]


def test_what_could_not_be_observed_is_in_every_answer(clean: Callable[..., Path]) -> None:
    with snapshot(clean()) as reader:
        assert recon(custody.reconcile(reader, "HD-1")) == dict.fromkeys(
            ("HD-1 bitcoin BTC", "HD-1 ethereum USDT", "HD-1 ethereum ETH"), ("SHOWN", "every base unit is explained")
        )
    with snapshot(clean("internal transfers unobserved")) as reader:
        for answer in everything(reader):
            left = [(row["what"], row["why"]) for row in answer.left_out]
            assert ("internal transfers unobserved", "on ethereum from height 52 on") in left, answer.asked
            [coverage] = [c for c in answer.checks if (c.rule, c.subject) == ("COVERAGE", "ethereum")]
            assert coverage.reason.endswith("; internal transfers unobserved since height 52"), answer.asked
        told = casereport.report(reader, "HD-1")
        found = custody.reconcile(reader, "HD-1")
    assert found.exit_code == 4
    doubt = ("NOT_SHOWN", "internal transfers unobserved since height 52")
    assert (
        recon(told)
        == recon(found)
        == {
            "HD-1 bitcoin BTC": ("SHOWN", "every base unit is explained"),
            "HD-1 ethereum USDT": doubt,
            "HD-1 ethereum ETH": doubt,
        }
    )
    assert [(row["symbol"], row["verdict"], row["reason"]) for row in told.data["conservation"]][1:] == [
        ("USDT", *doubt),
        ("ETH", *doubt),
    ]
    assert [(row["rule"], row["message"]) for row in told.data["alerts"] if row["case_ref"] is None] == [
        ("DATA-1", f"from height 54: {UNREADABLE}"),
        ("DATA-1", "from height 52: internal transfers unobserved"),
    ]
    screen = Screen(Console(width=100, file=StringIO()))
    show(told, screen)
    assert isinstance(screen.console.file, StringIO)
    printed = screen.console.file.getvalue()
    assert "\n               NOT_SHOWN, internal transfers unobserved since height 52" in printed
    assert "internal transfers unobserved, on ethereum from height 52 on" in printed


def test_an_unreadable_log_casts_doubt_on_its_own_token_only(clean: Callable[..., Path]) -> None:
    contract = USDT.id.rpartition(":")[2]
    log = f"log 7 of {contract}: an amount of 64 bytes"
    foreign = [f"log {number} of 0x{'fa' * 20}: 2 topics, so not of ERC-20 or ERC-721" for number in range(3, 9)]
    with snapshot(clean(log, *foreign)) as reader:
        found = custody.reconcile(reader, "HD-1")
    assert recon(found) == {
        "HD-1 bitcoin BTC": ("SHOWN", "every base unit is explained"),
        "HD-1 ethereum USDT": ("NOT_SHOWN", f"{log} since height 52"),
        "HD-1 ethereum ETH": ("SHOWN", "every base unit is explained"),
    }
    assert [row["what"] for row in found.left_out] == [
        *foreign[:3],
        log,
        "4 more things that could not be read on ethereum",
    ]


def test_doubt_never_covers_a_leak(tmp_path: Path) -> None:
    path = play_all(tmp_path / "store.db")
    with open_store(path) as writer:
        assert writer.note_unobserved(plays(writer)[1].handle, 52, "internal transfers unobserved", WALL)
    with snapshot(path) as reader:
        found = custody.reconcile(reader, "HD-1")
    assert recon(found)["HD-1 ethereum ETH"] == ("CONTRADICTED", "value left custody that no leg explains")
    assert recon(found)["HD-1 ethereum USDT"][0] == "NOT_SHOWN"


def coverage(answer: Answer) -> tuple[str, str]:
    [check] = [c for c in answer.checks if (c.rule, c.subject) == ("COVERAGE", "ethereum")]
    return check.verdict, check.reason


@pytest.mark.parametrize("ahead", [3, 4, 5000])
def test_blocks_that_the_node_has_and_the_store_has_not_are_not_shown(clean: Callable[..., Path], ahead: int) -> None:
    path = clean()
    with open_store(path) as writer:
        best = BlockRef(60 + ahead, Hash(b"b" * 32), Hash(b"a" * 32))
        writer.set_status(plays(writer)[1].handle, best, "following", "", WALL)
    with snapshot(path) as reader:
        for answer in everything(reader):
            if ahead == 3:
                assert coverage(answer)[0] == "SHOWN"
            else:
                assert coverage(answer) == ("NOT_SHOWN", f"{ahead} blocks not yet followed"), answer.asked
                assert answer.exit_code in (3, 4)


def test_an_unreachable_node_makes_the_status_not_shown_and_stale(clean: Callable[..., Path]) -> None:
    path = clean()
    with open_store(path) as writer:
        writer.set_status(plays(writer)[1].handle, None, "unreachable", "cannot connect", WALL + 100)
    with snapshot(path) as reader:
        found = custody.status(reader, WALL + 100)
        [chain] = [row for row in found.data["chains"] if row["chain"] == "ethereum"]
        assert (chain["contacted_at"], chain["node_state"], chain["node_height"]) == (WALL, "unreachable", None)
        assert coverage(found) == ("NOT_SHOWN", "unreachable: cannot connect")
        assert ("STALE", "ethereum", "stale: the node last answered 100 s ago") in {
            (check.rule, check.subject, check.reason) for check in found.checks if check.verdict == "NOT_SHOWN"
        }
        assert custody.reconcile(reader, "HD-1").exit_code == 4


def test_a_node_that_never_answered_has_no_time_of_contact(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        ethereum = plays(writer)[1]
        ethereum.start(50)
        with snapshot(path) as reader:
            [_, check] = [one for one in custody.status(reader, None).checks if one.rule == "COVERAGE"]
            assert (check.verdict, check.reason) == ("NOT_SHOWN", "the daemon has noted nothing of its node yet")
        writer.set_status(ethereum.handle, None, "unreachable", "cannot connect", WALL)
    with snapshot(path) as reader:
        stale = [check for check in custody.status(reader, WALL).checks if check.rule == "STALE"]
    assert [check.reason for check in stale if check.subject == "ethereum"] == ["the node has never answered"]


@pytest.mark.parametrize(("blocks", "said"), [
    (54, ("NOT_SHOWN", "not yet confirmed")),
    (55, ("NOT_SHOWN", "not yet confirmed")),
    (56, ("SHOWN", "every base unit is explained")),
])  # fmt: skip
def test_conservation_waits_for_the_last_block_that_touched_it(
    clean: Callable[..., Path], blocks: int, said: tuple[str, str]
) -> None:
    with snapshot(clean(ethereum_blocks=blocks)) as reader:  # block 54 touched it last; confirmed is two below the tip
        found, told = custody.reconcile(reader, "HD-1"), casereport.report(reader, "HD-1")
    assert recon(found) == recon(told)
    assert recon(found)["HD-1 ethereum USDT"] == said
    assert {(row["verdict"], row["reason"]) for row in found.data["conservation"] if row["symbol"] == "USDT"} == {said}
    assert found.exit_code == (0 if said[0] == "SHOWN" else 4)


def test_an_unconfirmed_leak_is_contradicted_at_once(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 107)
    with snapshot(path) as reader:
        found = custody.reconcile(reader, "HD-1")
    assert recon(found)["HD-1 bitcoin BTC"] == ("CONTRADICTED", "value left custody that no leg explains")


@pytest.mark.parametrize("blocks", [55, 60])
def test_a_ledger_that_was_judged_in_doubt_stays_in_doubt(clean: Callable[..., Path], blocks: int) -> None:
    path = clean(ethereum_blocks=blocks)
    tamper(
        path,
        "UPDATE verdict SET verdict = 'NOT_SHOWN', reason = 'overdrawn' WHERE leg_id IS NULL AND asset_id ="
        " (SELECT id FROM asset WHERE symbol = 'USDT' AND kind = 'listed')",
    )
    with snapshot(path) as reader:
        found = custody.reconcile(reader, "HD-1")
    said = "overdrawn" if blocks == 60 else "overdrawn; not yet confirmed"
    assert recon(found)["HD-1 ethereum USDT"] == ("NOT_SHOWN", said)
