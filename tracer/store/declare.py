"""Makes the declaration of a trace run from what an operator asks: everything is chosen before it is computed."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from tracer.errors import OperatorError
from tracer.store.graph import whole_spans
from tracer.store.runs import run_sources
from tracer.store.stops import categories, stops
from tracer.taint.boundaries import COINJOIN, NO_LIMITS, Limits
from tracer.taint.rules import Label, Method
from tracer.taint.run import COINBASE, Declaration, Source
from tracer.types import Kind, outpoint_text, parse_outpoint

SourceRow = tuple[Label, int | None, int, int, int]
"""(label, the coin's row or None, holder, asset, amount) as `tracer.store.runs.register` wants it."""


class CannotTrace(OperatorError):
    """There is nothing to trace as it was asked."""

    fix = "`tracer runs` lists the runs, `tracer status` the cases and chains. Nothing was written."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an operator asks for. chain: empty for every chain on which the case names a seizure.

    sources: outpoints (txid:n) instead of the case's seized coins, in label order.
    """

    case_ref: str
    method: Method
    chain: str = ""
    sources: tuple[str, ...] = ()
    fee_policy: str = "sink"
    limits: Limits = NO_LIMITS
    stop_at: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A declaration with the rows that it stands for."""

    case_id: int
    chain_id: int
    family: str
    declared: Declaration
    rows: tuple[SourceRow, ...]


def prepare(connection: Connection, wanted: Wanted) -> list[Prepared]:
    """Declare the runs that are asked for, one per chain; raises CannotTrace."""
    rows = connection.execute(
        text(
            "SELECT k.id, c.id, c.name, c.family, s.height, c.caip2 FROM cases k JOIN seizure s ON s.case_id = k.id"
            " JOIN chain c ON c.id = s.chain_id WHERE k.ref = :ref ORDER BY c.id"
        ),
        {"ref": wanted.case_ref},
    ).all()
    chosen = [row for row in rows if wanted.chain in ("", row[2])]
    if not chosen:
        if rows:
            names = ", ".join(row[2] for row in rows)
            what = f"case {wanted.case_ref!r} names no seizure on chain {wanted.chain!r}"
            raise CannotTrace(what, f"It does on {names}. Nothing was written.")
        known = ", ".join(ref for (ref,) in connection.execute(text("SELECT ref FROM cases ORDER BY ref")))
        what = f"case {wanted.case_ref!r} names no seizure here"
        raise CannotTrace(what, f"Known cases: {known}. Nothing was written.")
    unknown = set(wanted.stop_at) - {COINJOIN, *categories(connection)}
    if unknown:
        others = ", ".join([COINJOIN, *categories(connection)])
        raise CannotTrace(
            f"no label has the category {min(unknown)!r}",
            f"Stop at one of: {others}; `tracerd labels import` brings categories. Nothing was written.",
        )
    found: list[Prepared] = []
    for case_id, chain_id, name, family, height, caip2 in chosen:
        if family != "bitcoin" and (wanted.sources or wanted.fee_policy == COINBASE):
            if wanted.chain or len(chosen) == 1:
                raise CannotTrace(f"{name} has no coins: --source and the fee policy coinbase are for UTXO chains")
            continue
        sources, listed = source_rows(connection, wanted, case_id, chain_id)
        if not sources:
            continue
        declared = Declaration(
            wanted.case_ref,
            name,
            wanted.method,
            sources,
            wanted.limits,
            wanted.fee_policy,
            "outpoints" if wanted.sources else "",
            wanted.stop_at,
            stops(connection, wanted.stop_at, caip2).labels_sha256,
            int(height),
            whole_spans(connection, chain_id) if family == "bitcoin" else (),
            caip2,
        )
        found.append(Prepared(case_id, chain_id, family, declared, listed))
    if not found:
        raise CannotTrace(
            f"case {wanted.case_ref} has no source to trace from yet",
            "Its seizure height is not reached: run tracerd. Nothing was written.",
        )
    return found


def source_rows(
    connection: Connection, wanted: Wanted, case_id: int, chain_id: int
) -> tuple[tuple[Source, ...], tuple[SourceRow, ...]]:
    """The sources of a run: the named coins, or all that the case has labelled on the chain."""
    if wanted.sources:
        return named_coins(connection, wanted.sources, chain_id)
    sources, _, _ = run_sources(connection, 0, case_id, chain_id, live=True)
    rows = connection.execute(
        text(
            "SELECT s.ordinal, s.movement_id, coalesce(m.target_id, s.holder_id), coalesce(m.asset_id, s.asset_id),"
            " coalesce(m.amount, s.amount) FROM trace_label s JOIN block b ON b.id = s.block_id AND b.canonical"
            " AND b.chain_id = :c LEFT JOIN movement m ON m.id = s.movement_id WHERE s.case_id = :case"
            " ORDER BY s.ordinal"
        ),
        {"c": chain_id, "case": case_id},
    )
    return sources, tuple((int(label), row, int(h), int(a), int(n)) for label, row, h, a, n in rows)


def named_coins(
    connection: Connection, outpoints: Sequence[str], chain_id: int
) -> tuple[tuple[Source, ...], tuple[SourceRow, ...]]:
    """Coins by their outpoints, in the order given; raises CannotTrace for one that is not stored."""
    sources: list[Source] = []
    rows: list[SourceRow] = []
    for label, given in enumerate(outpoints):
        try:
            point = parse_outpoint(given)
        except ValueError as error:
            raise CannotTrace(
                str(error), "Write an outpoint in full: `--json` prints it. Nothing was written."
            ) from error
        found = connection.execute(
            text(
                "SELECT m.id, m.target_id, m.asset_id, m.amount, a.caip19 FROM tx t JOIN block b ON b.id = t.block_id"
                " AND b.canonical AND b.chain_id = :c JOIN movement m ON m.tx_id = t.id AND m.block_id = t.block_id"
                " AND m.kind = :out AND m.idx = :idx JOIN asset a ON a.id = m.asset_id WHERE t.txid = :txid"
            ),
            {
                "c": chain_id,
                "out": int(Kind.OUT),
                "idx": int.from_bytes(point[32:], "little"),
                "txid": point[31::-1],
            },
        ).first()
        if found is None:
            raise CannotTrace(
                f"the coin {outpoint_text(point)} is not stored",
                "`tracerd import-history TXID` fetches it. Nothing was written.",
            )
        row, holder, asset, amount, caip19 = found
        if int(row) in {source[1] for source in rows}:
            raise CannotTrace(f"{outpoint_text(point)} is named as a source twice")
        sources.append(Source(label, outpoint_text(point), caip19, int(amount)))
        rows.append((label, int(row), int(holder), int(asset), int(amount)))
    return tuple(sources), tuple(rows)
