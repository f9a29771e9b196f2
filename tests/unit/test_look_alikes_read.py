"""The addresses that others may be mistaken for, as they are read while a block is judged."""

from pathlib import Path

from disposal import E_EXCHANGE, declared, plays, show_ethereum
from store_builder import add_case, open_store

from tracer.store.load import look_alikes_of


def test_known_addresses_are_read_without_beginning_a_transaction(tmp_path: Path) -> None:
    # blocks are judged before the transaction that stores them begins, which a second one would forbid
    with open_store(tmp_path / "store.db") as store:
        bitcoin, ethereum = plays(store)
        add_case(store, declared(), [bitcoin, ethereum])
        known = look_alikes_of(store.connection, ethereum.handle)(1)
        assert not store.connection.in_transaction()
        real = str(show_ethereum(E_EXCHANGE))
        planted = real[:7] + "0" * 31 + real[-4:]
        like = known.find(planted)
        assert like is not None
        assert like.address == real
        assert known.find(real) is None
