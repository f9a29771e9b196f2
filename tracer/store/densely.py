"""Computes a registered run over columns, where its blocks are stored whole and numpy is installed."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, text

from tracer.store.graph import oldest_movement, roles_in
from tracer.store.runs import DENSE, Computed, StoredRun, Tip
from tracer.taint.run import SINK, Equation

PAGE = 5_000


class NoDense(Exception):
    """The dense engine cannot compute this run here; says why in one line."""


def fits(connection: Connection, run: StoredRun, tip: Tip) -> bool:
    """Whether all that the run may meet is stored whole, so that columns say no more than the case may see."""
    declared = run.declared
    if run.family != "bitcoin" or declared.fee_policy != SINK or declared.stop_at or not run.sources:
        return False
    if declared.limits.min_amount >= 1 << 51:
        return False  # more than there is; and more than a column takes
    if run.oldest != oldest_movement(connection):
        return False  # columns hold what was imported since, too
    marks = ", ".join(str(int(row)) for row in run.sources.values())
    lowest = connection.execute(
        text(f"SELECT min(b.height) FROM movement m JOIN block b ON b.id = m.block_id WHERE m.id IN ({marks})")
    ).scalar_one()
    return any(low <= lowest and tip.height <= high for low, high in run.declared.whole)


def compute(connection: Connection, run: StoredRun, tip: Tip) -> Computed:
    """Compute a run at a tip, whose columns are stored; raises NoDense."""
    try:
        from tracer.store.graph_columns import dense_trace
        from tracer.taint.dense.columns import Unsupported
    except ImportError as error:
        raise NoDense(f"{error.name} is not installed") from error
    roles = roles_in(connection, run.case_id, run.chain_id)
    holders = {
        int(number): bytes(key)
        for number, key in connection.execute(
            text("SELECT id, key FROM holder WHERE chain_id = :c"), {"c": run.chain_id}
        )
    }
    by_number = {number: roles[key] for number, key in holders.items() if key in roles}  # type: ignore[index]
    sources = {row: label for label, row in run.sources.items()}
    try:
        done = dense_trace(connection, run.chain_id, run.declared, sources, by_number, tip.height, True)
    except Unsupported as error:
        raise NoDense(str(error)) from error
    asset = next(source.asset for source in run.declared.sources)
    totals = done.totals()

    def rows() -> Iterator[list[Any]]:
        for page in done.pages(PAGE):
            for height, position, kind, index, row, offset, label, units, state, reason, holder in page:
                who = holders[holder].hex() if holder else None
                yield [height, position, kind, index, row, str(offset), label, str(units), state, reason, who, asset]

    equations = [
        Equation(label, asset, one.seeded, 0, one.live, one.boundaries, one.fees)
        for label, one in sorted(totals.items())
    ]
    name = f"{DENSE} ({done.engine})"
    return Computed(run, tip, name, done.digest(tip.hash), equations, done.transactions, done.seeded, rows)
