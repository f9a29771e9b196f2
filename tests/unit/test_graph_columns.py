"""The stored columns of a coin graph: made from movements, held against their hash, and never missed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, text

from tests.unit.dense_graphs import TIP, columns_of
from tests.unit.taint_graphs import Graph, declared
from tests.unit.test_dense_engines import random_graph
from tracer.store.connection import open_writer
from tracer.store.derived import forget, forget_chain
from tracer.store.graph_columns import (
    GraphDamaged,
    GraphIncomplete,
    build,
    dense_trace,
    load,
    missing,
    ordinals,
)
from tracer.store.rows import insert_many
from tracer.store.tables import AssetRow, Block, Chain, HolderRow, MovementRow, Tx
from tracer.taint.history import LAST, trace_coins
from tracer.taint.rules import Method
from tracer.taint.run import digest
from tracer.types import Holder, Kind, Role

MOVEMENT = "id block_id kind tx_id idx asset_id amount source_id target_id spends_id spent_txid spent_idx lane"


def store_graph(connection: Connection, graph: Graph) -> dict[Holder, int]:
    """Store a test graph as the follower would, with block numbers that do not follow the heights."""
    holders = {holder: n for n, holder in enumerate(sorted({made.holder for _, made in graph.coins.values()}), 1)}
    insert_many(connection, Chain, "id caip2 name family genesis", [(1, "bip122:0", "bitcoin", "bitcoin", bytes(32))])
    insert_many(connection, AssetRow, "id chain_id caip19 symbol decimals kind", [(1, 1, "a", "BTC", 8, "native")])
    insert_many(connection, HolderRow, "id chain_id key address", [(n, 1, h, None) for h, n in holders.items()])
    number = 0
    for height, block in graph.transactions.items():
        block_id = 1000 - height
        columns = "id chain_id height hash parent time header canonical checked"
        key = bytes([height % 256]) * 32
        insert_many(connection, Block, columns, [(block_id, 1, height, key, key, height, None, True, 2)])
        for tx in block:
            number += 1
            position = 0 if tx.order[1] == LAST else tx.order[1]
            insert_many(
                connection,
                Tx,
                "id block_id position txid raw",
                [(number, block_id, position, number.to_bytes(32, "big"), b"")],
            )
            moves = [
                (one.row, block_id, Kind.IN, number, n, 1, one.amount, 1, None, one.coin, None, None, 0)
                for n, one in enumerate(tx.inputs)
            ]
            moves += [
                (m.row, block_id, Kind.OUT, number, m.index, 1, m.amount, None, holders[m.holder], None, None, None, 0)
                for m in tx.outputs
            ]
            if tx.inputs:
                moves.append((tx.fee_row, block_id, Kind.FEE, number, 0, 1, tx.fee, None, None, None, None, None, 0))
            insert_many(connection, MovementRow, MOVEMENT, moves)
    return holders


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = open_writer(tmp_path / "store.db")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def stored(connection: Connection) -> tuple[Graph, dict[int, int], dict[Holder, int]]:
    graph, sources = random_graph(21)
    with connection.begin():
        holders = store_graph(connection, graph)
    assert build(connection, 1, 99) == len(graph.transactions)
    return graph, sources, holders


Stored = tuple[Graph, dict[int, int], dict[Holder, int]]


def test_columns_are_those_of_the_graph(connection: Connection, stored: Stored) -> None:
    graph, _, _ = stored
    with connection.begin():
        found = load(connection, 1, 99)
    wanted, _ = columns_of(graph)
    for name in ("heights", "positions", "in_start", "out_start", "in_coin", "in_amount", "fee_row"):
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
    for name in ("out_row", "out_index", "out_holder", "out_amount"):
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("whole", [True, False])
def test_run_over_a_store_has_the_digest_of_the_reference(
    connection: Connection, stored: Stored, method: Method, engine: str, whole: bool
) -> None:
    graph, sources, holders = stored
    if whole:
        graph.unseen = set()
    roles = {Holder(b"\x52"): Role.AGENCY, Holder(b"\x53"): Role.EXCHANGE, Holder(b"\x54"): Role.REFUND}
    plain = trace_coins(declared(method), sources, graph, roles.get, 99)
    by_number = {holders[holder]: role for holder, role in roles.items() if holder in holders}
    seen = None if whole else set(graph.coins) - graph.unseen
    with connection.begin():
        dense = dense_trace(connection, 1, declared(method), sources, by_number, 99, whole, seen=seen, engine=engine)
    assert dense.digest(TIP) == digest(declared(method), TIP, plain.ends)
    numbers = {row[4]: row[10] for page in dense.pages(100) for row in page if row[4]}
    assert numbers == {
        end.place.row: holders[graph.coins[end.place.row][1].holder] for end in plain.ends if end.place.kind == 1
    }


@pytest.mark.parametrize("column", ["tx_columns", "in_columns", "out_columns", "sha256"])
def test_damaged_columns_are_refused_and_made_again(connection: Connection, stored: Stored, column: str) -> None:
    with connection.begin():
        data = bytearray(
            connection.execute(text(f"SELECT {column} FROM graph_block WHERE block_id = 995")).scalar_one()
        )
        data[len(data) // 2] ^= 1
        connection.execute(text(f"UPDATE graph_block SET {column} = :d WHERE block_id = 995"), {"d": bytes(data)})
    with connection.begin(), pytest.raises(GraphDamaged, match="block 995 at height 5") as damaged:
        load(connection, 1, 99)
    assert "Rebuild" in damaged.value.line()
    with connection.begin():
        forget(connection, [995])
    assert build(connection, 1, 99) == 1
    with connection.begin():
        assert load(connection, 1, 99).transactions


def test_block_without_columns_is_named_and_made_when_asked(connection: Connection, stored: Stored) -> None:
    graph, _, _ = stored
    with connection.begin():
        before = load(connection, 1, 99)
        forget_chain(connection, 1)
    with connection.begin(), pytest.raises(GraphIncomplete, match="12 blocks"):
        load(connection, 1, 99)
    told: list[tuple[int, int]] = []
    assert build(connection, 1, 99, lambda done, whole: told.append((done, whole))) == 12
    assert told[-1] == (12, 12)
    with connection.begin():
        assert np.array_equal(load(connection, 1, 99).out_row, before.out_row)
        assert load(connection, 1, 3).transactions == sum(len(graph.transactions[height]) for height in range(4))


def test_reorg_leaves_columns_as_they_are_and_the_graph_without_the_block(
    connection: Connection, stored: Stored
) -> None:
    graph, _, _ = stored
    with connection.begin():
        connection.execute(text("UPDATE block SET canonical = false WHERE height = 11"))
        assert load(connection, 1, 99).transactions == sum(len(graph.transactions[height]) for height in range(11))
        connection.execute(text("UPDATE block SET canonical = true WHERE height = 11"))
        assert missing(connection, 1, 99) == []
        assert load(connection, 1, 99).transactions == sum(len(block) for block in graph.transactions.values())


def test_output_stored_alone_is_a_coin_that_appears(connection: Connection) -> None:
    graph = Graph(
        [[{"id": "r", "inputs": [], "outputs": [100]}], [{"id": "a", "inputs": ["r:0"], "outputs": [60, 30]}]]
    )
    with connection.begin():
        store_graph(connection, graph)
        connection.execute(
            text("DELETE FROM movement WHERE kind IN (0, 2) OR (kind = 1 AND idx = 0 AND block_id = 999)")
        )
    build(connection, 1, 99)
    with connection.begin():
        found = load(connection, 1, 99)
    assert np.diff(found.in_start).tolist() == [0, 0]
    assert found.out_index.tolist() == [0, 1]


def test_transaction_that_is_not_stored_whole_is_refused(connection: Connection) -> None:
    graph = Graph(
        [[{"id": "r", "inputs": [], "outputs": [100]}], [{"id": "a", "inputs": ["r:0"], "outputs": [60, 30]}]]
    )
    with connection.begin():
        store_graph(connection, graph)
        connection.execute(text("DELETE FROM movement WHERE kind = 1 AND idx = 0 AND block_id = 999"))
    with pytest.raises(GraphDamaged, match="not stored whole"):
        build(connection, 1, 99)


def test_rows_far_apart_are_found_too() -> None:
    out_row = np.array([5, 10**12, -4, 7])
    assert ordinals(np.array([7, 0, 10**12, -4, 6]), out_row).tolist() == [3, -1, 1, 2, -1]
