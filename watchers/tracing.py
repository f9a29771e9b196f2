"""Registers trace runs for an operator, computes them beside the followers, and keeps what they come to."""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from tracer.store import densely, runs
from tracer.store.declare import CannotTrace, Prepared, Wanted, prepare
from tracer.store.reader import snapshot
from tracer.store.runs import Computed, StoredRun, Tip
from tracer.store.stops import stops
from tracer.store.writer import Store
from tracer.taint.boundaries import NO_LIMITS, Limits
from tracer.taint.history import TooLarge
from tracer.taint.rules import Method
from tracer.taint.run import COINBASE, FEE_POLICIES
from tracer.units import format_units

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What an operator asks to be traced, as it goes over the daemon's socket."""

    case: str
    method: str
    chain: str
    sources: tuple[str, ...]
    fee_policy: str
    hops: int | None
    min_amount: int
    stop_at: tuple[str, ...]

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Request":
        """Take a request from the words it was sent in; raises CannotTrace for an unknown method or policy."""
        asked = cls(
            str(body["case"]),
            str(body["method"]),
            str(body["chain"]),
            tuple(str(source) for source in body["sources"]),
            str(body["fee_policy"]),
            None if body["hops"] is None else int(body["hops"]),
            int(body["min_amount"]),
            tuple(sorted({str(reason) for reason in body["stop_at"]})),
        )
        if asked.method not in list(Method) or asked.fee_policy not in FEE_POLICIES:
            raise CannotTrace(f"no method {asked.method!r} with fee policy {asked.fee_policy!r}")
        return asked

    @property
    def wanted(self) -> Wanted:
        """What is to be declared."""
        hops = NO_LIMITS.max_hops if self.hops is None else self.hops
        limits = Limits(hops, self.min_amount, NO_LIMITS.max_live)
        return Wanted(self.case, Method(self.method), self.chain, self.sources, self.fee_policy, limits, self.stop_at)


async def trace(store: Store, asked: Request) -> list[str]:
    """Register the runs that are asked for, then compute each in a thread of its own connection, and keep it.

    Returns lines for the operator. A run that cannot be computed stays registered: that it was chosen is on record.
    """
    with store.connection.begin():
        prepared = prepare(store.connection, asked.wanted)
        now = int(time.time())
        numbers = [
            runs.register(store.connection, one.declared, one.case_id, one.chain_id, runs.PLAIN, one.rows, now)
            for one in prepared
        ]
    lines: list[str] = []
    for number, one in zip(numbers, prepared, strict=True):
        done = await compute(store, number)
        with store.connection.begin():
            result = runs.store_result(store.connection, done, int(time.time()))
            lines += [*said(store, number, one, done), where_to_look(number, result)]
    return lines


async def compute(store: Store, number: int) -> Computed:
    """Compute a registered run transaction by transaction, or over columns where there are too many and those serve."""
    try:
        return await asyncio.to_thread(plainly, store.path, number, runs.SPARSE_UP_TO)
    except TooLarge:
        pass
    with store.connection.begin():
        run = runs.stored_run(store.connection, number)
        tip = None if run is None else runs.tip_of(store.connection, run.chain_id)
        assert run is not None and tip is not None, "it was traced as far as that just now"
        fit = densely.fits(store.connection, run, tip)
    try:
        if fit:
            await lay_out(store, run, tip)
            return await asyncio.to_thread(by_columns, store.path, number, tip)
    except densely.NoDense as error:
        log.info("run=%d is computed by the plain reference: %s", number, error)
    return await asyncio.to_thread(plainly, store.path, number, 0)


async def lay_out(store: Store, run: StoredRun, tip: Tip) -> None:
    """Make the columns that are missing, some at a time, so that the followers go on between; raises NoDense."""
    try:
        from tracer.store.graph_columns import build_some, missing
    except ImportError as error:
        raise densely.NoDense(f"{error.name} is not installed") from error
    with store.connection.begin():
        wanted = missing(store.connection, run.chain_id, tip.height)
    done = 0
    while done < len(wanted):
        with store.connection.begin():
            done += build_some(store.connection, run.chain_id, wanted[done:])
        log.info("chain=%s laid out blocks=%d of=%d", run.declared.chain, done, len(wanted))
        await asyncio.sleep(0)


def plainly(path: Path, number: int, at_most: int) -> Computed:
    """Compute a registered run by the plain reference, from a snapshot of the store; raises TooLarge."""
    with snapshot(path) as reader:
        run = runs.stored_run(reader.connection, number)
        assert run is not None, "it was registered just now"
        tip = runs.tip_of(reader.connection, run.chain_id)
        if tip is None:
            raise CannotTrace(f"{run.declared.chain} is not followed yet", "Run tracerd.")
        where = stops(reader.connection, run.declared.stop_at, run.declared.caip2, run.registered_at)
        done = runs.compute(
            reader.connection, run, tip, at_most=at_most, stop_of=where.by_holder, stop_at=where.by_transaction
        )
        kept = list(done.rows())
    done.rows = lambda: iter(kept)
    return done


def by_columns(path: Path, number: int, tip: Tip) -> Computed:
    """Compute a registered run by the dense engine, from a snapshot of the store; raises NoDense."""
    with snapshot(path) as reader:
        run = runs.stored_run(reader.connection, number)
        assert run is not None, "it was registered"
        return densely.compute(reader.connection, run, tip)


def said(store: Store, number: int, one: Prepared, done: Computed) -> Iterator[str]:
    """Tell what a run came to."""
    declared, assets = one.declared, dict[str, tuple[str, int]]()
    for caip19, symbol, decimals in store.connection.execute(text("SELECT caip19, symbol, decimals FROM asset")):
        assets[caip19] = symbol, decimals
    yield f"run {number}: {declared.method} on {declared.chain}, case {declared.case_ref}, fees {declared.fee_policy}"
    yield f"  registered with {len(declared.sources)} sources, sha256 {declared.sources_sha256.hex()}"
    if declared.fee_policy == COINBASE and not declared.whole:
        yield "  no block is stored whole, so fees end there; `tracerd import-history FROM-TO` stores blocks whole"
    yield f"  at block {done.tip.height} {done.tip.hash.hex()}, computed by the {done.engine}"
    yield f"  {done.transactions} transactions; digest {done.digest.hex()}"
    amounts = {source.label: source.amount for source in declared.sources}
    for equation in done.equations:
        symbol, decimals = assets[equation.asset]
        live, boundaries, fees = (
            format_units(units, decimals) for units in (equation.live, equation.boundaries, equation.fees)
        )
        begun = equation.seeded + equation.converted
        whole = f"{format_units(begun, decimals)} {symbol}"
        if declared.method is Method.POISON:
            said = f"may be in {live} live, {boundaries} at boundaries, {fees} of fees; not to be added up"
            yield f"  label {equation.label}: {whole} {said}"
            continue
        sign = "=" if equation.exact else "!="
        yield f"  label {equation.label}: {whole} {sign} live {live}, boundaries {boundaries}, fees {fees}"
        if not equation.converted and begun < amounts.get(equation.label, 0):
            rest = format_units(amounts[equation.label] - begun, decimals)
            yield f"    {rest} {symbol} of this source carry the labels of earlier ones"


def where_to_look(number: int, result: int) -> str:
    """Tell where the ends of a result are."""
    return (
        f"  its ends: SELECT * FROM v_trace_end WHERE result_id = {result}; `tracer audit {number}` computes it again"
    )
