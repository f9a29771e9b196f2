"""The life of a transfer: what its events may say, in which order, and what they keep known."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from disposal import AGENCY, AUTHORITY, STRANGER, add_case, declared, open_store, play_bitcoin, plays
from hypothesis import given
from hypothesis import strategies as st
from store_builder import WALL, Play, block_hash, txid

from tracer.chain import NO_MARKS, Marks
from tracer.life import (
    IN_CHAIN,
    Change,
    Conflicted,
    Dropped,
    Event,
    Included,
    Life,
    Lives,
    Marked,
    Observation,
    Orphaned,
    Replaced,
    Seen,
    State,
    Violated,
    next_events,
)
from tracer.pending import STUCK_S, any_stuck
from tracer.types import Hash

OTHER = txid("other")
S = State


def states(*what: Observation, block: int = 7) -> list[str]:
    """The names of the events of some observations, one after another."""
    found: list[str] = []
    state = None
    for one in what:
        events = next_events(state, block, one)
        found += [event.state.name.lower() for event in events]
        state = events[-1].state if events else state
    return found


def test_a_transfer_is_seen_included_confirmed_and_final_once_each() -> None:
    told = states(
        Seen(1), Seen(2), Included(7), Included(7), Marked(False, False), Marked(True, False), Marked(True, False),
        Marked(True, True), Marked(True, True), Seen(9),
    )  # fmt: skip
    assert told == ["seen", "included", "confirmed", "final"]


def test_final_is_never_said_without_confirmed() -> None:
    assert states(Included(7), Marked(True, True)) == ["included", "confirmed", "final"]
    assert states(Included(7), Marked(False, True)) == ["included", "confirmed", "final"]


@pytest.mark.parametrize(
    ("end", "name"),
    [
        (Replaced(OTHER, "ab:0"), "replaced"),
        (Conflicted(OTHER, "ab:0", 9), "conflicted"),
        (Dropped(9), "dropped"),
    ],
)
def test_a_transfer_that_left_the_mempool_may_come_back(end: Observation, name: str) -> None:
    assert states(Seen(1), end, end, Seen(2), end) == ["seen", name, "seen", name]
    assert states(Seen(1), end, Included(7)) == ["seen", name, "included"]
    assert states(Included(7), end) == ["included"], "what a block holds is not the mempool's to lose"


def test_an_orphaned_transfer_may_be_seen_again_or_double_spent() -> None:
    assert states(Included(7), Orphaned(7), Seen(3), Included(8)) == ["included", "orphaned", "seen", "included"]
    assert states(Included(7), Orphaned(7), Conflicted(OTHER, "ab:0", 9)) == ["included", "orphaned", "conflicted"]
    assert states(Included(7), Orphaned(7), Dropped(9)) == ["included", "orphaned"], "no mempool ever held it"
    assert states(Included(7), Orphaned(6)) == ["included"], "another block left"


def test_a_final_transfer_cannot_be_orphaned_quietly() -> None:
    final = (Included(7), Marked(True, True))
    assert states(*final, Orphaned(7))[-2:] == ["finality_violated", "orphaned"]
    assert states(*final, Violated(7, OTHER), Orphaned(7))[-2:] == ["finality_violated", "orphaned"]
    assert states(Included(7), Violated(7)) == ["included"], "it was not final"


BLOCKS = st.integers(1, 4)
OBSERVATIONS = st.one_of(
    st.builds(Seen, BLOCKS),
    st.builds(Included, BLOCKS),
    st.builds(Marked, st.booleans(), st.booleans()),
    st.builds(Orphaned, BLOCKS),
    st.builds(Replaced, st.just(OTHER), st.just("ab:0")),
    st.builds(Conflicted, st.just(OTHER), st.just("ab:0"), BLOCKS),
    st.builds(Dropped, BLOCKS),
    st.builds(Violated, BLOCKS),
)


def lived(observations: Sequence[Observation]) -> list[Event]:
    """All events of a life."""
    state: State | None = None
    block: int | None = None
    events: list[Event] = []
    for what in observations:
        new = next_events(state, block, what)
        events += new
        state = new[-1].state if new else state
        block = what.block if isinstance(what, Included) and new else block
    return events


@given(st.lists(OBSERVATIONS, max_size=30))
def test_in_any_life_every_event_is_a_change_and_final_follows_confirmed(observations: list[Observation]) -> None:
    events = lived(observations)
    before: Event | None = None
    for event in events:
        assert before is None or event != before or event.state is S.INCLUDED
        match event.state:
            case S.CONFIRMED:
                assert before is not None and before.state is S.INCLUDED and before.block == event.block
            case S.FINAL:
                assert before is not None and before.state is S.CONFIRMED and before.block == event.block
            case S.FINALITY_VIOLATED:
                assert before is not None and before.state is S.FINAL and before.block == event.block
            case S.ORPHANED:
                assert before is not None and before.state in IN_CHAIN and before.block == event.block
            case S.REPLACED | S.CONFLICTED:
                assert before is not None and before.state in (S.SEEN, S.ORPHANED)
            case S.DROPPED:
                assert before is not None and before.state is S.SEEN
            case S.SEEN | S.INCLUDED:
                assert before is None or before.state not in IN_CHAIN or before.block != event.block
        before = event


@given(st.lists(OBSERVATIONS, max_size=20), st.integers(0, 20))
def test_what_was_known_then_is_a_prefix_of_what_is_known_now(observations: list[Observation], then: int) -> None:
    assert lived(observations)[: len(lived(observations[:then]))] == lived(observations[:then])


def test_lives_advance_in_the_order_of_height_and_rest_when_final() -> None:
    lives = Lives()
    assert lives.observe(Life(txid("b")), Seen(1)) == [Change(None, None, Event(S.SEEN, 1))]
    first = lives.connected(2, 10, [(1, txid("a"))], Marks(9, 4))
    assert first == [Change(1, None, Event(S.INCLUDED, 2))]
    second = lives.connected(3, 11, [(2, txid("b"))], Marks(10, 5))
    assert [(change.tx_id, change.event.state) for change in second] == [(2, S.INCLUDED), (1, S.CONFIRMED)]
    assert [(change.tx_id, change.event.state) for change in lives.marked(Marks(11, 10))] == [
        (2, S.CONFIRMED),
        (1, S.FINAL),
    ]
    assert list(lives.open) == [txid("b")] and lives.loose() == []
    assert lives.marked(NO_MARKS) == []


# In the store.


def read(play: Play, sql: str) -> list[tuple[object, ...]]:
    """Rows as any reader gets them."""
    with closing(sqlite3.connect(f"file:{play.store.path}?mode=ro", uri=True)) as store:
        return store.execute(sql).fetchall()


def log(play: Play, name: str) -> list[tuple[object, ...]]:
    """The events of one transaction: state, height, and when they were observed."""
    named = f"x'{txid(name).hex()}'"
    return read(play, f"SELECT state, height, at FROM v_transfer_event WHERE txid_bytes = {named} ORDER BY event_id")


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """Bitcoin's side of the disposal up to the leak at 107, in an open store."""
    with open_store(tmp_path / "store.db") as store:
        bitcoin, ethereum = plays(store)
        add_case(store, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 107)
        yield bitcoin


def test_the_block_s_own_commit_appends_its_events(play: Play) -> None:
    assert [row[:2] for row in log(play, "deposit")] == [
        ("included", 105), ("orphaned", 105), ("included", 106), ("confirmed", 106),
    ]  # fmt: skip
    for _ in range(4):
        play.mine()
    assert [row[:2] for row in log(play, "deposit")][-2:] == [("confirmed", 106), ("final", 106)]


def test_lives_come_back_from_the_store_as_they_were(play: Play) -> None:
    def known() -> list[tuple[object, ...]]:
        lives = play.casework.lives
        return sorted(
            (one.txid, one.state, one.tx_id, one.pending_id, one.height if one.state in IN_CHAIN else None)
            for one in lives.open.values()
        )

    play.pool([play.sighting(play.pay("theft", [("leak", 1)], [(STRANGER, 5)]))])
    play.disconnect()
    play.mine(branch="b")
    before = known()
    assert before and len({state for _, state, *_ in before}) > 2
    with play.store.connection.begin():
        play.reload()
    assert known() == before


def test_a_block_that_returns_is_included_anew(play: Play) -> None:
    lost = play.tip
    play.disconnect()
    play.mine(branch="b")
    play.disconnect()
    play.reconnect(lost)
    assert [row[:2] for row in log(play, "leak")] == [("included", 107), ("orphaned", 107), ("included", 107)]


def test_what_was_told_of_an_unconfirmed_payment_gives_way_to_its_block_while_that_stands(play: Play) -> None:
    def states() -> list[tuple[str, int | None]]:
        sql = f"SELECT state, height FROM v_alert WHERE rule = 'LEG-1' AND txid = '{txid('theft').hex()}' ORDER BY 2"
        return read(play, sql)

    paid = play.pay("theft", [("leak", 1)], [(STRANGER, 108_000_000)])
    play.pool([play.sighting(paid)])
    assert states() == [("open", None)]
    play.mine(paid)
    mined = play.tip
    assert states() == [("mined", None), ("open", 108), ("open", 108)], "the payment, and its fee"
    play.disconnect()
    assert states() == [("open", None), ("voided", 108), ("voided", 108)]
    play.reconnect(mined)
    assert states()[0] == ("mined", None)


def test_a_payment_outside_a_leg_alarms_once_while_it_is_unconfirmed(play: Play) -> None:
    theft = play.sighting(play.pay("theft", [("leak", 1)], [(STRANGER, 108_000_000)]))
    before, books = read(play, "SELECT * FROM ledger"), repr(play.casework.books)
    [notice] = play.pool([theft])
    assert (notice.rule, notice.severity) == ("LEG-1", "CRITICAL")
    assert notice.message.startswith("unconfirmed: 1.08000000 BTC left custody to bc1qstranger: leak; 0.00950000 BTC")
    assert play.pool([theft]) == []
    assert play.pool([], {theft.txid: Dropped(1)}) == []
    assert play.pool([theft]) == [], "told once, though it was seen again"
    assert (read(play, "SELECT * FROM ledger"), repr(play.casework.books)) == (before, books)
    play.mine(play.pay("theft", [("leak", 1)], [(STRANGER, 108_000_000)]))
    assert [row[0] for row in log(play, "theft")] == ["seen", "dropped", "seen", "included"]
    told = [str(row[0]) for row in read(play, "SELECT message FROM v_alert WHERE rule = 'LEG-1' AND txid IS NOT NULL")]
    assert [one for one in told if "1.08" in one][1:] == ["1.08000000 BTC left custody to bc1qstranger: leak"]


def test_a_payment_that_serves_a_leg_is_no_alarm_and_neither_is_the_one_that_waits_for_it(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        play, ethereum = plays(store)
        add_case(store, declared(), (play, ethereum))
        play_bitcoin(play, 102)
        wall = play.time(103)
        first = play.sighting(play.pay("test", [("secure", 0)], [(AGENCY, 1_000_000), (AUTHORITY, 298_980_000)]))
        second = play.sighting(play.pay("receive", [("test", 1)], [(AGENCY, 298_970_000)]), "test")
        assert play.pool([first, second], now=wall) == []
        theft = play.sighting(play.pay("theft", [("test", 1)], [(STRANGER, 298_970_000)]), "test")
        notices = play.pool([first, theft], now=wall)
        assert ["2.98970000 BTC left custody" in one.message for one in notices] == [True]
        again = play.sighting(play.pay("again", [("secure", 0)], [(AGENCY, 1_000_000), (STRANGER, 298_980_000)]))
        [notice] = play.pool([again], now=wall)
        assert "2.98980000 BTC left custody" in notice.message and notice.rule == "LEG-1"


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        (Dropped(1), "dropped: the mempool lost"),
        (Replaced(OTHER, "a coin"), f"gave way to {OTHER.hex()}"),
        (Conflicted(OTHER, "a coin", 1), f"gave way to {OTHER.hex()}"),
    ],
)
def test_what_was_sent_for_a_leg_and_is_lost_is_told_once(tmp_path: Path, fate: Observation, said: str) -> None:
    with open_store(tmp_path / "store.db") as store:
        play, ethereum = plays(store)
        add_case(store, declared(), (play, ethereum))
        play_bitcoin(play, 102)
        first = play.sighting(play.pay("test", [("secure", 0)], [(AGENCY, 1_000_000), (AUTHORITY, 298_980_000)]))
        assert play.pool([first], now=play.time(103)) == []
        [notice] = play.pool([], {first.txid: fate}, now=play.time(103))
        assert (notice.rule, notice.severity) == ("LEG-6", "WARN") and said in notice.message
        [leg] = read(play, f"SELECT ref FROM leg WHERE id = {notice.leg_id}")
        assert leg == ("test",)
        assert play.pool([], {first.txid: fate}, now=play.time(103)) == []


def test_what_was_sent_for_a_leg_and_waits_an_hour_of_block_time_is_stuck(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        play, ethereum = plays(store)
        add_case(store, declared(), (play, ethereum))
        play_bitcoin(play, 102)
        first = play.sighting(play.pay("test", [("secure", 0)], [(AGENCY, 1_000_000), (AUTHORITY, 298_980_000)]))
        began = play.casework.clock
        assert play.pool([first]) == [] and not any_stuck(play.casework)
        play.casework.clock = began + STUCK_S - 1
        assert play.pool([first]) == [] and not any_stuck(play.casework)
        play.casework.clock = began + STUCK_S
        assert any_stuck(play.casework)
        [notice] = play.pool([first])
        assert (notice.rule, notice.message.split(":")[0]) == ("LEG-6", "stuck")
        assert play.pool([first]) == [] and not any_stuck(play.casework)


def test_the_log_never_steps_back_although_the_clock_does(play: Play) -> None:
    theft = play.sighting(play.pay("theft", [("leak", 1)], [(STRANGER, 5)]))
    play.pool([theft], now=WALL + 50)
    play.pool([], {theft.txid: Dropped(1)}, now=WALL - 50)
    assert [row[2] for row in log(play, "theft")] == [WALL + 50, WALL + 50]


def test_a_contradicted_final_block_is_told_of_all_its_transfers(play: Play) -> None:
    from tracer.store.liferows import contradicted, insert_changes

    rival = Hash(block_hash("rival"))
    for _ in range(3):
        play.mine()
    with play.store.connection.begin():
        changes = contradicted(play.store.connection, play.handle, 104, rival)
        insert_changes(play.store.connection, play.handle, changes, WALL)
        assert contradicted(play.store.connection, play.handle, 104, rival) == []
    assert [row[:2] for row in log(play, "receive")][-2:] == [("final", 104), ("finality-violated", 104)]
    assert [row[0] for row in log(play, "deposit")][-1] == "confirmed"
