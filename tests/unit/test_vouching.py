"""Who vouches for a hash: the rule as tables, and what of it the store keeps and its views show."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from disposal import open_store, plays
from store_builder import Play, block_hash

from tracer.report import questions
from tracer.report.custody import status
from tracer.store import vouching
from tracer.store.anchored import HeaderAnchorRow
from tracer.store.reader import snapshot
from tracer.store.rows import insert_many
from tracer.store.writer import Store
from tracer.types import Hash
from tracer.vouching import Differs, Turn, agreed_height, judge_look
from watchers.settle import CannotSettle, Request, chain_of, settle

NODES = [("primary", "http://127.0.0.1:1"), ("second", "http://127.0.0.1:2")]
A = Differs(10, Hash(b"\1" * 32), Hash(b"\2" * 32))
B = Differs(11, Hash(b"\1" * 32), Hash(b"\3" * 32))


@pytest.mark.parametrize(
    ("heights", "agree", "agreed"),
    [([100, 90], 2, 90), ([100, 90, 95], 2, 95), ([100], 2, -1), ([100, -1], 2, -1), ([7, 7], 1, 7)],
)
def test_as_many_sources_as_must_agree_vouch_for_the_agreed_height(heights: list[int], agree: int, agreed: int) -> None:
    assert agreed_height(heights, agree) == agreed


@pytest.mark.parametrize(
    ("stored", "before", "now", "settled", "turn"),
    [
        (None, None, None, 9, Turn(False, None)),  # all agree
        (None, None, A, 10, Turn(False, A)),  # at our confirmed block: at once
        (None, None, A, 9, Turn(False, None)),  # above it: nodes hear of blocks at different moments
        (None, A, A, 9, Turn(False, A)),  # and the second look finds it too
        (None, A, B, 9, Turn(False, B)),  # or another one
        (A, A, A, 9, Turn(False, None)),  # it stands
        (A, A, None, 9, Turn(True, None)),  # it is over
        (A, A, B, 9, Turn(True, B)),  # they differ elsewhere now
        (A, None, B, 9, Turn(True, None)),
    ],
)
def test_a_disagreement_begins_and_ends(
    stored: Differs | None, before: Differs | None, now: Differs | None, settled: int, turn: Turn
) -> None:
    assert judge_look(stored, before, now, settled) == turn


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store.db") as store:
        yield store


@pytest.fixture
def play(store: Store) -> Play:
    """A chain with blocks 101 to 110 above its first, of two nodes that must agree."""
    play = plays(store)[0]
    play.start(100)
    for _ in range(10):
        play.mine()
    register(play)
    return play


def register(play: Play, agree: int = 2, *pins: tuple[int, Hash]) -> dict[str, int]:
    with play.store.connection.begin():
        return vouching.register_sources(play.store.connection, play.handle, NODES, pins, agree, 1)


def ours(play: Play, height: int) -> Hash:
    return block_hash(f"{play.handle.caip2} {height}")


def vouch(play: Play, source: str, height: int, shown: Hash | None = None) -> None:
    ids = register(play)
    with play.store.connection.begin():
        vouching.note_vouch(play.store.connection, ids[source], height, shown or ours(play, height), 5)


def rows(store: Store, sql: str) -> list[Any]:
    with sqlite3.connect(f"file:{store.path}?mode=ro", uri=True) as connection:
        return connection.execute(sql).fetchall()


def anchor(store: Store) -> tuple[str, int]:
    [row] = rows(store, "SELECT anchor, anchor_height FROM v_chain WHERE chain = 'bitcoin'")
    return row


def test_the_anchor_reaches_as_far_as_enough_nodes_vouch(store: Store, play: Play) -> None:
    assert anchor(store) == ("single-node", 110)
    vouch(play, "primary", 105)
    vouch(play, "primary", 110)
    assert anchor(store) == ("single-node", 110), "one node alone"
    vouch(play, "second", 104)
    assert anchor(store) == ("2 of 2 nodes", 104)
    vouch(play, "second", 109, Hash(b"\7" * 32))
    assert anchor(store) == ("2 of 2 nodes", 104), "another block than ours says nothing for ours"
    vouch(play, "second", 102)
    assert anchor(store) == ("2 of 2 nodes", 102), "the newest word counts"
    vouch(play, "second", 110)
    play.disconnect()
    assert anchor(store) == ("2 of 2 nodes", 102), "its block left the chain"


def test_beside_a_header_chain_the_anchor_says_how_far_the_nodes_agree(store: Store, play: Play) -> None:
    with store.connection.begin():
        row = (play.handle.id, 110, ours(play, 110), "genesis", 1, 0, "[]", 0, 0, 0)
        columns = "chain_id height hash origin work bits times first_time first_bits usual_bits"
        insert_many(store.connection, HeaderAnchorRow, columns, [row])
    vouch(play, "primary", 110)
    vouch(play, "second", 104)
    assert anchor(store) == ("2 of 2 nodes to 104, header-chain from genesis", 110)


def test_while_a_node_shows_another_block_nothing_tells_which_one_stays(store: Store, play: Play) -> None:
    def said() -> tuple[str, list[str]]:
        with snapshot(store.path) as reader:
            [check] = [one for one in status(reader, None).checks if (one.rule, one.subject) == ("ANCHOR", "bitcoin")]
            nodes = questions.nodes_agree(reader.rows("SELECT source, differs_from FROM v_source"))
            return check.verdict, [f"{one.verdict} {one.subject}" for one in nodes]

    vouch(play, "primary", 110)
    vouch(play, "second", 104)
    assert said() == ("SHOWN", [])
    number = register(play)["second"]
    with play.store.connection.begin():
        found = Differs(105, ours(play, 105), Hash(b"\7" * 32))
        vouching.begin_disagreement(play.store.connection, number, found, 6)
    assert said() == ("NOT_SHOWN", ["CONTRADICTED second"])
    with play.store.connection.begin():
        vouching.end_disagreement(play.store.connection, number, 7)
    assert said() == ("SHOWN", [])


def test_every_answer_says_who_vouches_and_what_one_node_alone_vouches_for_is_reported(
    store: Store, play: Play
) -> None:
    def said() -> tuple[str, int, str]:
        with snapshot(store.path) as reader:
            answer = status(reader, None)
        [check] = [check for check in answer.checks if (check.rule, check.subject) == ("ANCHOR", "bitcoin")]
        [chain] = [chain for chain in answer.as_of if chain["name"] == "bitcoin"]
        assert ("REPORTED" in answer.lanes) == ("REPORTED" in check.reason)
        return chain["anchor"], chain["anchor_height"], check.reason

    assert said() == ("single-node", 110, "one node alone vouches for the block hashes (REPORTED)")
    vouch(play, "primary", 110)
    vouch(play, "second", 104)
    assert said() == (
        "2 of 2 nodes",
        104,
        "2 of 2 nodes to block 104; above it one node alone vouches (REPORTED)",
    )
    vouch(play, "second", 110)
    assert said() == ("2 of 2 nodes", 110, "2 of 2 nodes to block 110")


def test_a_pinned_hash_vouches_for_what_lies_below_it(store: Store, play: Play) -> None:
    register(play, 1, (105, ours(play, 105)), (108, Hash(b"\5" * 32)))
    assert anchor(store) == ("pinned", 105)
    register(play, 1)
    assert anchor(store) == ("single-node", 110), "it is no longer pinned"
    assert rows(store, "SELECT count(*) FROM v_source WHERE kind = 'pin' AND active") == [(0,)]


def test_how_many_must_agree_is_noted_when_it_changes(store: Store, play: Play) -> None:
    register(play)
    register(play, 1)
    register(play, 2)
    assert rows(store, "SELECT agree, nodes FROM agreement ORDER BY id") == [(2, 2), (1, 2), (2, 2)]


def refuse(play: Play, source: str, height: int) -> bool:
    ids = register(play)
    with play.store.connection.begin():
        block = (height, b"\6" * 32)
        return vouching.refuse(play.store.connection, play.handle, ids[source], block, "no root fits", b"header", 7)


def ask(**given: Any) -> Request:
    body = {"what": "refusal", "subject": "1", "by": "A. Operator", "reason": "repaired", "to": "", "yes": True}
    return Request.read(body | given)


def settled(play: Play, asked: Request) -> tuple[str, ...]:
    name = chain_of(play.store, asked)
    return settle(play.store, play.handle, name, asked).lines


def refused_to_settle(play: Play, **given: Any) -> str:
    with pytest.raises(CannotSettle) as error:
        settled(play, ask(**given))
    assert "\n" not in error.value.line() and error.value.line().endswith("Nothing was written.")
    return str(error.value)


def test_a_refused_block_stands_until_it_is_settled(store: Store, play: Play) -> None:
    assert refuse(play, "primary", 111)
    assert not refuse(play, "primary", 111), "the same block is kept once"
    assert settled(play, ask()) == ("refused block 1: source primary will be asked again for 111",)
    assert refuse(play, "primary", 111), "it was refused again after the repair"
    assert rows(store, "SELECT refused_id, height, reason, evidence, settled FROM v_refused_block") == [
        (1, 111, "no root fits", b"header", 1),
        (2, 111, "no root fits", b"header", 0),
    ]
    assert rows(store, "SELECT refused_id, violation_id, how, actor, reason FROM v_settlement") == [
        (1, None, "retry", "A. Operator", "repaired")
    ]


def test_what_cannot_be_settled_is_one_line(store: Store, play: Play) -> None:
    assert refused_to_settle(play) == "no refused block has the number 1"
    refuse(play, "primary", 111)
    for subject in ("2", "x", "-1", "", "1.0"):
        assert "number" in refused_to_settle(play, subject=subject)
    assert refused_to_settle(play, by="  ") == "--by is empty or does not print"
    assert refused_to_settle(play, reason="a\x1b[2Jb") == "--reason is empty or does not print"
    settled(play, ask())
    assert refused_to_settle(play) == "refused block 1 was settled already"
    finality = {"what": "finality", "to": "22" * 32}
    assert refused_to_settle(play, subject="dogecoin", **finality).startswith("the store has no chain 'dogecoin'")
    assert refused_to_settle(play, subject="bitcoin", **finality) == "the finality of bitcoin is not broken"


def violate(play: Play, fork: int | None) -> Hash:
    ids = register(play)
    theirs = Hash(b"\x22" * 32)
    with play.store.connection.begin():
        found = Differs((fork or 99) + 1, ours(play, (fork or 99) + 1), theirs)
        vouching.note_violation(play.store.connection, play.handle, ids["primary"], fork, found, 8)
    return theirs


def test_broken_finality_is_settled_by_lowering_the_mark_to_the_fork(store: Store, play: Play) -> None:
    theirs = violate(play, 102)
    [(final,)] = rows(store, "SELECT final_height FROM v_chain WHERE chain = 'bitcoin'")
    assert final > 102
    finality = {"what": "finality", "subject": "bitcoin"}
    assert theirs.hex() in refused_to_settle(play, to="33" * 32, **finality)
    plan = settled(play, ask(to=theirs.hex(), yes=False, **finality))
    assert plan[0] == f"bitcoin: 8 blocks, 103 to 110, final up to {final}, leave the chain"
    assert plan[-1] == "Nothing was written. Give --yes to do it."
    assert rows(store, "SELECT count(*) FROM settlement") == [(0,)]
    assert settled(play, ask(to="0x" + theirs.hex().upper(), **finality))[-1].startswith("settled by A. Operator")
    assert rows(store, "SELECT final_height, confirmed_height FROM v_chain WHERE chain = 'bitcoin'") == [(102, 102)]
    assert rows(store, "SELECT fork_height, final_height, their_hash, settled FROM v_finality_violation") == [
        (102, final, theirs.hex(), 1)
    ]
    assert rows(store, "SELECT violation_id, how, actor FROM v_settlement") == [(1, "follow", "A. Operator")]
    assert rows(store, "SELECT peak_height FROM follower WHERE chain_id = 1") == [(102,)], "tiers count from there"
    assert refused_to_settle(play, to=theirs.hex(), **finality) == "the finality of bitcoin was settled already"


def test_broken_finality_is_settled_by_staying_where_the_node_was_wrong(store: Store, play: Play) -> None:
    violate(play, 102)
    before = rows(store, "SELECT * FROM follower WHERE chain_id = 1")
    finality = {"what": "finality", "subject": "bitcoin", "to": ours(play, 103).hex()}
    assert settled(play, ask(yes=False, **finality))[-1] == "Nothing was written. Give --yes to do it."
    assert rows(store, "SELECT count(*) FROM settlement") == [(0,)]
    assert settled(play, ask(**finality)) == ("settled by A. Operator; bitcoin goes on with its own blocks",)
    assert rows(store, "SELECT how FROM v_settlement") == [("keep",)]
    assert rows(store, "SELECT * FROM follower WHERE chain_id = 1") == before
    assert "settled already" in refused_to_settle(play, **finality)


def test_a_fork_below_all_that_is_stored_cannot_be_followed(store: Store, play: Play) -> None:
    theirs = violate(play, None)
    with pytest.raises(CannotSettle, match="shares no stored block") as error:
        settled(play, ask(what="finality", subject="bitcoin", to=theirs.hex()))
    assert "begin a new store" in error.value.line()


def test_a_disagreement_stays_with_its_end(store: Store, play: Play) -> None:
    source = register(play)["second"]
    with store.connection.begin():
        vouching.begin_disagreement(store.connection, source, A, 20)
        assert vouching.open_disagreement(store.connection, source) == A
    assert rows(store, "SELECT differs_from FROM v_source WHERE source = 'second'") == [(10,)]
    with store.connection.begin():
        vouching.end_disagreement(store.connection, source, 30)
        assert vouching.open_disagreement(store.connection, source) is None
    [row] = rows(store, "SELECT source, height, our_hash, their_hash, seen_at, ended_at FROM v_disagreement")
    assert row == ("second", 10, A.ours.hex(), A.theirs.hex(), 20, 30)
    assert rows(store, "SELECT count(*) FROM v_vouch") == [(0,)]


def test_a_source_that_is_no_longer_configured_disagrees_no_more(store: Store, play: Play) -> None:
    source = register(play)["second"]
    with store.connection.begin():
        vouching.begin_disagreement(store.connection, source, A, 20)
        vouching.register_sources(store.connection, play.handle, NODES[:1], (), 1, 40)
    assert rows(store, "SELECT source, ended_at FROM v_disagreement") == [("second", 40)]
    assert rows(store, "SELECT active FROM v_source WHERE source = 'second'") == [(0,)]
