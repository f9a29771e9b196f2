"""A block that returns brings its transfers back into itself, whatever a mempool said of them meanwhile."""

from dataclasses import replace
from pathlib import Path

import pytest
from disposal import STRANGER, add_case, declared, open_store, play_bitcoin, plays
from store_builder import Play, txid

from tracer.life import Conflicted, Included, Observation, Replaced
from tracer.store.writer import Store
from tracer.types import Hash

RIVAL = Hash(b"\x77" * 32)


def events(store: Store, name: str) -> list[tuple[str, str | None]]:
    """State and block of every event of a transfer, in order."""
    with store.connection.begin():
        rows = store.connection.exec_driver_sql(
            "SELECT state, block_hash FROM v_transfer_event WHERE txid = ? ORDER BY event_id", (txid(name).hex(),)
        ).all()
    return [(str(state), block) for state, block in rows]


def tip_id(play: Play) -> int:
    with play.store.connection.begin():
        return int(play.store.connection.exec_driver_sql("SELECT tip_id FROM follower WHERE chain_id = 1").scalar_one())


@pytest.mark.parametrize("meanwhile", ["seen", "replaced", "conflicted"])
def test_included_again_in_the_block_that_holds_it(meanwhile: str, tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        play, ethereum = plays(store)
        add_case(store, declared(), (play, ethereum))
        play_bitcoin(play, 107)
        lost = play.tip
        play.disconnect()
        other = play.mine(branch="b")
        if meanwhile == "seen":
            sighting = play.sighting(play.pay("again", [], [(STRANGER, 5)]))
            play.pool([replace(sighting, txid=txid("leak"))])
        else:
            what: Observation = Replaced(RIVAL, "ab:0")
            if meanwhile == "conflicted":
                what = Conflicted(RIVAL, "ab:0", tip_id(play))
            play.pool([], {txid("leak"): what})
        play.disconnect()
        play.reconnect(lost)
        last = events(store, "leak")[-1]
    assert last == ("included", lost.hash.hex()) != ("included", other.hash.hex())


def test_a_transaction_that_moved_nothing_in_its_block_leaves_and_returns_with_it(tmp_path: Path) -> None:
    """It failed there, say: the block has no row of it, only its life names the block."""
    with open_store(tmp_path / "store.db") as store:
        play, ethereum = plays(store)
        add_case(store, declared(), (play, ethereum))
        play_bitcoin(play, 107)
        play.pool([replace(play.sighting(play.pay("fails", [], [(STRANGER, 5)])), txid=txid("fails"))])
        mined = play.mine()
        play.pool([], {txid("fails"): Included(tip_id(play))})
        assert events(store, "fails")[-1] == ("included", mined.hash.hex())
        play.disconnect()
        assert events(store, "fails")[-1] == ("orphaned", mined.hash.hex())
        play.reconnect(mined)
        assert events(store, "fails")[-1] == ("included", mined.hash.hex())
        assert len(events(store, "fails")) == 4
