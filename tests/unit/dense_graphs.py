"""Test graphs as columns, and a run over them by each engine and by the reference."""

from collections.abc import Mapping

import numpy as np

from tests.unit.taint_graphs import Graph, declared
from tracer.taint.boundaries import NO_LIMITS, OP_RETURN, Limits
from tracer.taint.dense.columns import Columns, check, starts_of
from tracer.taint.dense.engine import DenseResult, trace_dense
from tracer.taint.history import LAST, CoinTx, Result, trace_coins
from tracer.taint.rules import Method
from tracer.taint.run import digest
from tracer.types import Holder, Role

TIP = bytes(31) + b"\x07"
ENGINES = ("numpy", "compiled")


def columns_of(graph: Graph) -> tuple[Columns, dict[Holder, int]]:
    """The columns of a test graph, and the numbers of its holders."""
    txs: list[tuple[int, int, CoinTx]] = sorted(
        (
            (height, 0 if tx.order[1] == LAST else tx.order[1], tx)
            for height, block in graph.transactions.items()
            for tx in block
        ),
        key=lambda one: one[:2],
    )
    outs = [made for _, _, tx in txs for made in tx.outputs]
    ins = [spent for _, _, tx in txs for spent in tx.inputs]
    ordinal = {made.row: place for place, made in enumerate(outs)}
    holders = {holder: number for number, holder in enumerate(sorted({made.holder for made in outs}), 1)}
    made = Columns(
        heights=np.array([height for height, _, _ in txs], np.int32),
        positions=np.array([position for _, position, _ in txs], np.int32),
        in_start=starts_of(np.array([len(tx.inputs) for _, _, tx in txs])),
        out_start=starts_of(np.array([len(tx.outputs) for _, _, tx in txs])),
        in_coin=np.array([ordinal.get(spent.coin, -1) for spent in ins], np.int32),
        in_amount=np.array([spent.amount for spent in ins], np.int64),
        out_row=np.array([one.row for one in outs], np.int64),
        out_index=np.array([one.index for one in outs], np.int32),
        out_holder=np.array([holders[one.holder] for one in outs], np.int32),
        out_amount=np.array([one.amount for one in outs], np.int64),
        fee_row=np.array([tx.fee_row if tx.inputs else 0 for _, _, tx in txs], np.int64),
    )
    check(made)
    return made, holders


def both(
    graph: Graph,
    method: Method,
    sources: Mapping[int, int],
    *,
    engine: str | None,
    limits: Limits = NO_LIMITS,
    roles: Mapping[Holder, Role] | None = None,
    upto: int = 10**6,
) -> tuple[Result, DenseResult]:
    """The same run by the reference and by an engine."""
    declaration, roles = declared(method, limits=limits), roles or {}
    plain = trace_coins(declaration, sources, graph, roles.get, upto)
    made, holders = columns_of(graph)
    dense = trace_dense(
        declaration,
        sources,
        made,
        {holders[holder]: role for holder, role in roles.items() if holder in holders},
        [number for holder, number in holders.items() if holder[:1] == OP_RETURN],
        upto,
        seen=set(made.out_row.tolist()) - graph.unseen,
        engine=engine,
    )
    return plain, dense


def assert_same(plain: Result, dense: DenseResult) -> None:
    """Hold an engine's result against the reference's."""
    assert dense.seeded == plain.seeded
    assert dense.transactions == plain.transactions
    assert dense.digest(TIP) == digest(dense.declared, TIP, plain.ends)
