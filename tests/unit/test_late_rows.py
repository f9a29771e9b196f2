"""Facts of a late case are merged into stored blocks: rows that are there are used, coins joined to their spending."""

from dataclasses import replace
from operator import length_hint
from pathlib import Path

from disposal import BTC, BTC_CHAIN, STRANGER, add_case, declared, open_store, play_bitcoin, plays
from store_builder import Play, block_hash

from tracer.book import Book, Numbered, Shares
from tracer.custody.case import Case, Watch
from tracer.rivals import Taken, left_over
from tracer.store import graph_columns, load, past, pastrows
from tracer.store.rivalrows import StoredRivals
from tracer.types import BlockFacts, BlockRef, Holder, Kind, Movement, Role, TxFacts

INPUT = """SELECT m.spends_id IS NOT NULL, m.spent_txid IS NULL, v.spends FROM movement m
    JOIN v_movement v ON v.movement_id = m.id WHERE m.kind = 0 AND m.block_id = 10 AND v.source = 'bc1qstranger'"""


def stranger_case() -> Case:
    """A case that comes late and seizes what the stranger has."""
    watches = (Watch("stranger", BTC_CHAIN, STRANGER, Role.SEIZED, None, 101),)
    return replace(
        declared(), ref="LATE", seizures={BTC_CHAIN: 101}, watches=watches, attestations=(), legs=(), source_sha256=b"l"
    )


def read(play: Play, job: past.Job, facts: dict[int, tuple[TxFacts, ...]]) -> pastrows.Found:
    """Let the late casework read the stored blocks from 101 on; returns the last."""
    store = play.store
    with store.connection.begin():
        rivals = StoredRivals(store.connection, play.handle, job.case_id)
        work, ids = past.fresh_casework(store, play.handle, True, BTC, job, rivals)
    found = []
    for height in range(101, 110):
        with store.connection.begin():
            ref = load.canonical_ref(store, play.handle, height)
            known = past.known_block(store.connection, play.handle, ref)
            assert known is not None and known.stored
            ids.known = known = past.known_rows(store.connection, known.block)
            rivals.at(known.block)
            ids.new.clear()
            done = work.pass_over(BlockFacts(ref, play.time(height), None, facts.get(height, ())), {})
        found.append(pastrows.Found(done, known, frozenset(ids.new)))
    pastrows.commit_read(store, play.handle, job, found)
    return found[-1]


def test_watched_holders_say_how_many_they_are(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        both = plays(store)
        assert [length_hint(load.watched_holders(store, play.handle)) for play in both] == [0, 0]
        add_case(store, declared(), both)
        with store.connection.begin():
            for play in both:
                watched = load.watched_holders(store, play.handle)
                assert length_hint(watched) == len(list(watched)) > 2


def test_a_coin_that_was_unknown_when_it_was_spent_is_joined_to_its_spending(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        bitcoin, ethereum = plays(store)
        add_case(store, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 112)

        def rows(sql: str) -> list[tuple[object, ...]]:
            with store.connection.begin():
                return [tuple(row) for row in store.connection.exec_driver_sql(sql)]

        [(block_id,)] = rows("SELECT id FROM block WHERE height = 109 AND canonical")
        sql = INPUT.replace("m.block_id = 10", f"m.block_id = {block_id}")
        before, moves = rows(sql), rows("SELECT count(*) FROM movement")
        spends = before[0][2]
        assert before == [(0, 0, spends)], "the case knew the outpoint, not the coin"
        count = "SELECT count(*) FROM graph_block"
        graph_columns.build(store.connection, bitcoin.handle.id, 112)
        kept = rows(count)
        add_case(store, stranger_case(), (bitcoin, ethereum))
        with store.connection.begin():
            job = past.next_job(store.connection, bitcoin.handle)
        assert job is not None
        anchor = BlockRef(100, block_hash(f"{BTC_CHAIN} 100"), block_hash("none"))
        pastrows.begin(store, bitcoin.handle, job, anchor)
        with store.connection.begin():
            job = past.next_job(store.connection, bitcoin.handle)
        assert job is not None
        made = replace(bitcoin.pay("stranger", [], [(STRANGER, 10_000_000)]), position=3)
        with store.connection.begin():
            hop = next(t for t in past.stored_facts(store.connection, int(str(block_id)))[0] if len(t.movements) == 5)
        read(bitcoin, job, {101: (made,), 109: (hop,)})
        assert rows(sql) == [(1, 1, spends)], "the same fact, joined to the coin"
        assert rows("SELECT count(*) FROM movement") == [(int(str(moves[0][0])) + 1,)], "one new row: the coin"
        assert rows("SELECT done_height FROM backfill") == [(109,)]
        assert rows(count) == [(int(str(kept[0][0])) - 2,)], "columns of the two blocks that got rows are forgotten"
        assert graph_columns.build(store.connection, bitcoin.handle.id, 112) == 2


def test_a_late_case_takes_what_others_left_of_a_payment() -> None:
    shared, outside = Holder(b"s"), Holder(b"o")
    book = Book(2, "late", 0, [], {}, opened=True)
    credit = Numbered(1, Movement(Kind.TRACE, 0, BTC.id, 100, outside, shared))
    debit = Numbered(2, Movement(Kind.TRACE, 1, BTC.id, 60, shared, outside))
    roles = {2: {shared: Role.AGENCY}}
    taken = Taken(credits={1: 70}, debits={2: 60})
    found = left_over([credit, debit], roles, {2: book}, Shares(), taken)
    assert (dict(found.credits), dict(found.debits)) == ({(2, 1): 30}, {(2, 2): 0})
    assert left_over([credit, debit], roles, {2: book}, Shares(), Taken()) == Shares(), (
        "untouched where nobody took any"
    )
