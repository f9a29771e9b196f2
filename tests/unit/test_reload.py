"""What is reloaded from the store judges as if it had never stopped."""

import sqlite3
from pathlib import Path

from disposal import BTC_CHAIN, add_case, declared, open_store, play_bitcoin, plays
from store_builder import Play

from tracer.report import custody
from tracer.store.reader import snapshot


def marks(play: Play) -> tuple[int, int]:
    return play.marks.confirmed, play.marks.final


def test_a_disconnected_block_confirms_nothing(tmp_path: Path) -> None:
    """At tip 104 the newest confirmed block is 103, also when 105 was there before: two confirmations are asked."""
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 104)
        before = marks(bitcoin)
        bitcoin.mine(branch="-lost")
        bitcoin.disconnect()
        assert marks(bitcoin) == before == (103, 100)
    store = sqlite3.connect(path)
    said = store.execute(
        "SELECT verdict, reason FROM v_verdict_all WHERE leg_ref = 'receive' AND canonical ORDER BY verdict_id DESC"
    ).fetchone()
    assert said == ("NOT_SHOWN", "arrived, not yet confirmed")
    store.close()


def test_a_disconnect_leaves_what_a_tag_confirms_up_to_the_tip(tmp_path: Path) -> None:
    """The node named block 108 safe at tip 110: losing 110 and 109 does not change that, losing 108 does."""
    with open_store(tmp_path / "store.db") as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        ethereum.start(100)
        while ethereum.tip.height < 110:
            ethereum.mine()
        confirmed = [marks(ethereum)]
        for _ in range(3):
            ethereum.disconnect()
            confirmed.append(marks(ethereum))
    assert confirmed == [(108, 106), (108, 106), (108, 106), (107, 106)]


def test_a_deadline_that_passed_stays_passed_when_block_times_step_back(tmp_path: Path) -> None:
    """Block 102 comes after the deadline of the test leg, block 103 and 104 say that they were made before it."""
    path = tmp_path / "store.db"
    with open_store(path) as writer:
        bitcoin, ethereum = plays(writer)
        add_case(writer, declared(), (bitcoin, ethereum))
        bitcoin.odd_times = {102: bitcoin.time(104), 103: bitcoin.time(101) + 1, 104: bitcoin.time(101) + 2}
        play_bitcoin(bitcoin, 103)
        with writer.connection.begin():
            clock = bitcoin.casework.clock
            bitcoin.reload()
        assert bitcoin.casework.clock == clock == 1_750_000_000 + 600 * 104
    with snapshot(path) as reader:
        found = custody.legs(reader, "HD-1")
    assert [check.verdict for check in found.checks if check.rule == "JUDGE-1"] == ["SHOWN"]
    assert found.as_of[0]["chain"] == BTC_CHAIN
