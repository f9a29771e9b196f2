"""History in the store: what is added beside what is there, what it is joined to, and where our chain ends then."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from disposal import BTC, BTC_CHAIN, STRANGER, add_case, declared, open_store, play_bitcoin, plays
from store_builder import Play, block_hash, txid

from tracer.errors import Inconsistent
from tracer.store import history, load, past, pastrows
from tracer.types import BlockFacts, BlockRef, Checked, Hash, Holder, Kind, Lane, Movement, TxFacts, outpoint

OTHER = Holder(b"other")


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """A chain that was followed after block 100 for a case."""
    with open_store(tmp_path / "store.db") as store:
        bitcoin, ethereum = plays(store)
        add_case(store, declared(), (bitcoin, ethereum))
        play_bitcoin(bitcoin, 112)
        yield bitcoin


def ref(height: int, name: str = "") -> BlockRef:
    """A block below those that were followed; each stands on the one before."""
    below = block_hash(f"{name}{height - 1}")
    return BlockRef(height, block_hash(f"{BTC_CHAIN} 100") if height == 100 else block_hash(f"{name}{height}"), below)


def paid(name: str, spends: tuple[str, int] | None, amounts: list[int], *, proof: bytes | None = b"p") -> TxFacts:
    """A transaction that spends one coin worth what its outputs and a fee of 1 are, at position 1."""
    lane = Lane.PROVEN if proof else Lane.REPORTED
    moves = [Movement(Kind.OUT, i, BTC.id, amount, None, OTHER, lane=lane) for i, amount in enumerate(amounts)]
    if spends is not None:
        point = outpoint(txid(spends[0]), spends[1])
        moves.insert(0, Movement(Kind.IN, 0, BTC.id, sum(amounts) + 1, OTHER, None, point, Lane.REPORTED))
        moves.append(Movement(Kind.FEE, 0, BTC.id, 1, None, None))
    return TxFacts(1, txid(name), name.encode(), tuple(moves), proof)


def put(play: Play, where: BlockRef, *txs: TxFacts) -> history.Put | None:
    with play.store.connection.begin():
        facts = BlockFacts(where, 5, b"header", txs, checked=Checked.WHOLE)
        return history.put_block(play.store, play.handle, facts)


def rows(play: Play, sql: str) -> list[tuple[object, ...]]:
    with play.store.connection.begin():
        return [tuple(row) for row in play.store.connection.exec_driver_sql(sql)]


def ours(play: Play, height: int) -> BlockRef:
    with play.store.connection.begin():
        return load.canonical_ref(play.store, play.handle, height)


def made(play: Play, name: str, index: int) -> int | None:
    with play.store.connection.begin():
        return history.coin_made(play.store.connection, play.handle.id, txid(name), index)


def test_what_is_imported_has_negative_numbers_and_what_follows_goes_on_with_its_own(play: Play) -> None:
    before = rows(play, "SELECT max(id) FROM movement")
    assert put(play, ours(play, 103), replace(paid("new", None, [5, 6]), position=50)) == history.Put(1, 2)
    assert put(play, ours(play, 103), replace(paid("new", None, [5, 6]), position=50)) == history.Put(0, 0)
    assert rows(play, "SELECT max(id) FROM movement") == before
    assert rows(play, "SELECT id FROM movement WHERE id < 0 ORDER BY id") == [(-2,), (-1,)]
    assert rows(play, "SELECT id FROM tx WHERE id < 0") == [(-1,)]
    assert play.store._top("movement") == before[0][0]


def test_numbers_of_what_follows_begin_above_zero_where_history_is_all_there_is(play: Play) -> None:
    put(play, ours(play, 103), replace(paid("new", None, [5, 6]), position=50))
    with play.store.connection.begin() as transaction:
        for kept in ("verdict", "alert"):
            play.store.connection.exec_driver_sql(f"DROP TRIGGER {kept}_kept")
        for table in ("entry", "held", "verdict", "trace_edge", "trace_coin", "trace_label", "alert", "transfer_event"):
            play.store.connection.exec_driver_sql(f"DELETE FROM {table}")
        play.store.connection.exec_driver_sql("DELETE FROM movement WHERE id > 0")
        assert play.store._top("movement") == 0
        transaction.rollback()


def test_an_input_is_joined_to_the_coin_that_is_stored_and_only_then_proven(play: Play) -> None:
    put(play, ours(play, 102), replace(paid("grand", None, [9]), position=50))
    put(play, ours(play, 103), replace(paid("child", ("grand", 0), [8]), position=50))
    put(play, ours(play, 104), replace(paid("orphan", ("gone", 3), [4]), position=50))
    sql = "SELECT m.spends_id, m.spent_idx, m.lane FROM movement m WHERE m.id < 0 AND m.kind IN (0, 2) ORDER BY m.id"
    assert rows(play, sql) == [
        (None, None, int(Lane.REPORTED)),
        (None, 3, int(Lane.REPORTED)),
        (None, None, int(Lane.PROVEN)),
        (made(play, "grand", 0), None, int(Lane.PROVEN)),
    ]
    with play.store.connection.begin():
        left = history.unmade(play.store.connection, play.handle, [txid("child"), txid("orphan")])
        assert list(left) == [history.Unmade(txid("gone"), 3, 5)]


def test_a_coin_that_is_imported_after_its_spending_is_found_by_its_outpoint(play: Play) -> None:
    put(play, ours(play, 104), replace(paid("child", ("grand", 1), [8]), position=50))
    assert made(play, "grand", 1) is None
    stored = rows(play, "SELECT * FROM movement ORDER BY id")
    put(play, ours(play, 103), replace(paid("grand", None, [3, 9]), position=50))
    assert made(play, "grand", 1) is not None
    assert made(play, "grand", 2) is None
    assert set(stored) <= set(rows(play, "SELECT * FROM movement"))
    block = ours(play, 103).hash.hex()
    with play.store.connection.begin():
        play.store.connection.exec_driver_sql(f"UPDATE block SET canonical = 0 WHERE hash = x'{block}'")
    assert made(play, "grand", 1) is None, "its block is not on our chain"


def test_a_node_that_says_another_worth_of_a_stored_coin_is_inconsistent(play: Play) -> None:
    put(play, ours(play, 103), replace(paid("grand", None, [10]), position=50))
    with pytest.raises(Inconsistent, match="says of coin"):
        put(play, ours(play, 104), replace(paid("child", ("grand", 0), [8]), position=50))
    assert rows(play, "SELECT count(*) FROM tx WHERE id < 0") == [(1,)]


def test_a_block_that_is_not_on_our_chain_takes_nothing(play: Play) -> None:
    assert put(play, BlockRef(103, block_hash("rival"), Hash(bytes(32))), paid("new", None, [5])) is None
    assert put(play, BlockRef(5_000, block_hash("high"), Hash(bytes(32))), paid("new", None, [5])) is None
    assert rows(play, "SELECT count(*) FROM tx WHERE id < 0") == [(0,)]


def test_what_is_added_to_a_transaction_without_a_proof_is_not_called_proven(play: Play) -> None:
    sparse = replace(paid("grand", None, [7]), position=50)
    put(play, ours(play, 103), replace(sparse, proof=None, movements=()))
    put(play, ours(play, 103), sparse)
    assert rows(play, "SELECT t.proof, m.lane FROM movement m JOIN tx t ON t.id = m.tx_id WHERE m.id < 0") == [
        (None, int(Lane.REPORTED))
    ]


def test_headers_let_our_chain_reach_down_without_a_gap(play: Play) -> None:
    with play.store.connection.begin():  # the first block of the play stands on nothing
        play.store.connection.exec_driver_sql(
            "UPDATE block SET parent = ? WHERE chain_id = ? AND height = 100", (ref(99).hash, play.handle.id)
        )
    part = [(height, ref(height).hash, ref(height).parent, height, b"h") for height in range(99, 94, -1)]
    history.put_headers(play.store, play.handle, part)
    sql = f"SELECT height, canonical, id FROM block WHERE id < 0 AND chain_id = {play.handle.id} ORDER BY id"
    found = rows(play, sql)
    assert [row[:2] for row in found] == [(height, 1) for height in range(95, 100)]
    with play.store.connection.begin():
        assert past.lowest(play.store.connection, play.handle) == ref(95)
        assert past.first_followed(play.store.connection, play.handle) == 100
    assert put(play, ref(96), paid("old", None, [5])) == history.Put(1, 1)
    with play.store.connection.begin():
        history.note_whole(play.store.connection, play.handle, ref(96).hash)
    assert rows(play, "SELECT checked FROM block WHERE id < 0 ORDER BY id") == [(0,), (2,), (0,), (0,), (0,)]


def test_blocks_below_a_gap_wait_until_it_is_closed(play: Play) -> None:
    connection, chain = play.store.connection, play.handle
    with connection.begin():
        connection.exec_driver_sql(
            "UPDATE block SET parent = ? WHERE chain_id = ? AND height = 100", (ref(99).hash, chain.id)
        )
        pastrows.begin_below(connection, chain, ref(89))
    facts = [BlockFacts(ref(height), 5, None, (), checked=Checked.WHOLE) for height in range(90, 101)]
    history.put_account(play.store, chain, "history:a", facts[:3])
    with connection.begin():
        pastrows.begin_below(connection, chain, ref(96))
    history.put_account(play.store, chain, "history:b", facts[7:])

    def counting() -> list[tuple[object, ...]]:
        return rows(play, "SELECT height FROM block WHERE id < 0 AND canonical ORDER BY height")

    assert counting() == [(96,), (97,), (98,), (99,)]
    history.put_account(play.store, chain, "history:a", facts[3:])
    assert counting() == [(height,) for height in range(89, 100)]
    with connection.begin():
        assert history.unread(connection, chain, "history:a", 85, 105) == [(85, 89), (101, 105)]
    assert rows(play, "SELECT from_height, to_height FROM coverage WHERE watch_set = 'history:a'") == [(90, 100)]


def test_a_span_with_a_block_of_another_chain_is_not_stored_at_all(play: Play) -> None:
    good, bad = ours(play, 103), BlockRef(104, block_hash("rival"), ours(play, 103).hash)
    facts = [BlockFacts(one, 5, b"h", (paid("new", None, [1]),), checked=Checked.WHOLE) for one in (good, bad)]
    assert history.put_account(play.store, play.handle, "history:a", facts) is None
    assert rows(play, "SELECT count(*) FROM coverage WHERE watch_set = 'history:a'") == [(0,)]
    assert rows(play, "SELECT count(*) FROM tx WHERE id < 0") == [(0,)]


def test_facts_of_history_below_a_late_case_are_not_taken_for_its_past(play: Play) -> None:
    put(play, ours(play, 103), replace(paid("new", None, [5]), position=50))
    for first, wanted in ((102, True), (104, False)):
        with play.store.connection.begin():
            stored = past.stored_past(play.store.connection, play.handle, first, 110, None)
        heights = {facts.ref.height for facts, _ in stored}
        assert (103 in heights) is wanted and 109 in heights


def test_a_watched_holder_is_covered_from_its_birth_on_and_a_stranger_is_not(play: Play) -> None:
    with play.store.connection.begin():
        [watched] = play.store.connection.exec_driver_sql(
            "SELECT h.key, w.birth FROM watch w JOIN holder h ON h.id = w.holder_id WHERE h.chain_id = ? LIMIT 1",
            (play.handle.id,),
        )
        covered = history.covered_from(play.store.connection, play.handle, Holder(bytes(watched[0])))
        assert covered == max(101, watched[1])
        assert history.covered_from(play.store.connection, play.handle, STRANGER) is None
