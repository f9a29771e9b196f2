"""Chooses the dense engine for a run, and lays out what it found as the run's ends, records and digest.

All is given in chunks, in the order of the digest: a large run has millions of ends.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from tracer.taint.boundaries import CUSTODY, FEE, UNSEEN, UNSPENT
from tracer.taint.dense import numba_engine, numpy_engine
from tracer.taint.dense.columns import Array, Bytes, Columns, Int64s, Unsupported
from tracer.taint.dense.task import (
    BY_ROLE,
    FOLLOWED,
    HELD,
    NOBODY,
    STATES,
    Outcome,
    Parts,
    Title,
    chunks,
    task_of,
)
from tracer.taint.rules import Label
from tracer.taint.run import LEAF, LIVE, SINK, Declaration
from tracer.types import Kind, Role

NUMPY, NATIVE = "numpy", "compiled"
CHUNK = 1 << 14
"""Traced outputs that are laid out at once."""

REASONS = (*STATES, UNSPENT, UNSEEN, CUSTODY, FEE)
FOR_UNSPENT, FOR_UNSEEN, FOR_CUSTODY, FOR_FEE = range(len(STATES), len(REASONS))
LIVE_REASONS = (UNSPENT, UNSEEN, CUSTODY)

END = np.dtype(
    [
        ("height", "<i4"),
        ("position", "<i4"),
        ("kind", "u1"),
        ("index", "<i4"),
        ("row", "<i8"),
        ("offset", "<i8"),
        ("label", "<i8"),
        ("units", "<i8"),
        ("reason", "u1"),
        ("holder", "<i8"),
    ]
)
"""An end; `reason` is a place in `REASONS`; a fee has position -1, row and holder 0."""

RECORD = np.dtype(
    [
        ("height", ">u4"),
        ("position", ">u4"),
        ("kind", "u1"),
        ("index", ">u4"),
        ("offset_above", "V24"),
        ("offset", ">u8"),
        ("label", ">u4"),
        ("units_above", "V24"),
        ("units", ">u8"),
        ("reason", "S32"),
    ]
)
"""`tracer.taint.run.RECORD` as a row of an array."""

REASON_BYTES = np.array([reason.encode() for reason in REASONS], "S32")

ROW = np.dtype(
    [
        *((name, "<i8") for name in ("height", "position", "kind", "index", "row", "offset", "label", "units")),
        ("state", object),
        ("reason", object),
        ("holder", "<i8"),
    ]
)
REASON_WORDS = np.array(REASONS, object)
STATE_WORDS = np.array([LIVE if reason in LIVE_REASONS else LEAF for reason in REASONS], object)

Row = tuple[int, int, int, int, int, int, int, int, str, str, int]
"""Height, position, kind, index, row, offset, label, units, state, reason, holder's number."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Of one label: seeded == live + boundaries + fees, unless the method is poison."""

    seeded: int
    live: int
    boundaries: int
    fees: int


@dataclass(slots=True)
class DenseResult:
    """A run's result. engine: which one gave it. seeded: per label. transactions: how many carry traced value."""

    declared: Declaration
    columns: Columns
    whose: Bytes
    seen: Bytes | None
    labels: Int64s
    outcome: Outcome
    engine: str
    seeded: dict[Label, int] = field(init=False)

    def __post_init__(self) -> None:
        self.seeded = dict(zip(self.labels.tolist(), self.outcome.seeded.tolist(), strict=True))

    @property
    def transactions(self) -> int:
        """How many transactions carry traced value."""
        return self.outcome.transactions

    def ends(self) -> Iterator[Array]:
        """The run's ends, fees folded, in the order of the digest, in arrays of `END`."""
        fees, done = self._fees(), 0
        marked = np.flatnonzero(self.outcome.state)
        if self.outcome.early:
            marked = np.union1d(marked, [one.coin[0] for _, one in self.outcome.early])
        for coins in chunks(marked, CHUNK):
            ends = self._ends(coins)
            last = int(np.searchsorted(fees["height"], ends["height"][-1], side="left"))
            mixed = fees[done:last]
            yield np.insert(ends, np.searchsorted(ends["height"], mixed["height"], side="right"), mixed)
            done = last
        if done < len(fees):
            yield fees[done:]

    def digest(self, tip: bytes) -> bytes:
        """The digest of the result at a tip, as `tracer.taint.run.digest` gives it."""
        state = hashlib.sha256(self.declared.canonical())
        state.update(tip)
        for ends in self.ends():
            state.update(records(ends).data)
        return state.digest()

    def pages(self, size: int) -> Iterator[list[Row]]:
        """The ends as tuples, `size` at a time."""
        page: list[Row] = []
        for ends in self.ends():
            page += rows_of(ends)
            while len(page) >= size:
                yield page[:size]
                page = page[size:]
        if page:
            yield page

    def totals(self) -> dict[Label, Totals]:
        """What the conservation equation of each label is made of."""
        sums = np.zeros((len(self.labels), len(REASONS)), np.int64)
        for ends in self.ends():
            np.add.at(sums, (np.searchsorted(self.labels, ends["label"]), ends["reason"]), ends["units"])
        live = [FOR_UNSPENT, FOR_UNSEEN, FOR_CUSTODY]
        found: dict[Label, Totals] = {}
        for label, row in zip(self.labels.tolist(), sums, strict=True):
            alive, fees = int(row[live].sum()), int(row[FOR_FEE])
            found[label] = Totals(self.seeded[label], alive, int(row.sum()) - alive - fees, fees)
        return found

    def _ends(self, coins: Int64s) -> Array:
        """The ends at some traced outputs."""
        state = self.outcome.state
        here = coins[state[coins] != 0]
        ends = self._laid(here, self.outcome.traced.parts(here), self._standing(here))
        early = [(of, one) for of, one in self.outcome.early if coins[0] <= one.coin[0] <= coins[-1]]
        if early:
            more = [self._laid(one.coin[:1], one, np.full(1, of, np.uint8)) for of, one in early]
            ends = np.concatenate([ends, *more])
            by = (ends["label"], ends["offset"], ends["index"], ends["position"], ends["height"])
            ends = ends[np.lexsort(by)]
        return ends

    def _standing(self, coins: Int64s) -> Bytes:
        """The reason at each of some traced outputs."""
        reason = self.outcome.state[coins]
        live = reason == FOLLOWED
        reason[live] = FOR_UNSPENT
        if self.seen is not None:
            reason[live & (self.seen[coins] == 0)] = FOR_UNSEEN
        reason[live & (self.whose[coins] == HELD)] = FOR_CUSTODY
        return reason

    def _laid(self, coins: Int64s, parts: Parts, reason: Bytes) -> Array:
        """The ends at some outputs, of which the parts and reasons are given; parts in the order of the outputs."""
        c = self.columns
        tx = np.searchsorted(c.out_start, coins, side="right") - 1
        whole = np.zeros(len(coins), END)
        whole["height"], whole["position"], whole["kind"] = c.heights[tx], c.positions[tx], int(Kind.OUT)
        whole["index"], whole["row"], whole["holder"] = c.out_index[coins], c.out_row[coins], c.out_holder[coins]
        whole["reason"] = reason
        ends = np.repeat(whole, np.diff(np.searchsorted(parts.coin, coins), append=len(parts.coin)))
        ends["offset"], ends["label"], ends["units"] = parts.offset, self.labels[parts.rank], parts.units
        return ends

    def _fees(self) -> Array:
        out = self.outcome
        fees = np.zeros(len(out.fee_height), END)
        fees["height"], fees["position"], fees["kind"] = out.fee_height, -1, int(Kind.FEE)
        fees["label"], fees["units"], fees["reason"] = self.labels[out.fee_rank], out.fee_units, FOR_FEE
        return fees


def records(ends: Array) -> Array:
    """The bytes of some ends in the digest."""
    heads = np.flatnonzero(
        (np.diff(ends["row"], prepend=-1) != 0) | (ends["row"] == 0) | (np.diff(ends["reason"], prepend=255) != 0)
    )
    head = ends[heads]
    whole = np.zeros(len(head), RECORD)
    for name in ("height", "kind", "index"):
        whole[name] = head[name]
    whole["position"] = head["position"].astype(np.uint32)
    whole["reason"] = REASON_BYTES[head["reason"]]
    laid = np.repeat(whole, np.diff(heads, append=len(ends)))
    for name in ("offset", "label", "units"):
        laid[name] = ends[name]
    return laid


def rows_of(ends: Array) -> list[Row]:
    """Ends as tuples."""
    laid = np.empty(len(ends), ROW)
    for name in END.names or ():
        if name != "reason":
            laid[name] = ends[name]
    laid["state"], laid["reason"] = STATE_WORDS[ends["reason"]], REASON_WORDS[ends["reason"]]
    rows: list[Row] = laid.tolist()  # type: ignore[assignment]
    return rows


def trace_dense(
    declared: Declaration,
    sources: Mapping[int, Label],
    columns: Columns,
    roles: Mapping[int, Role],
    nobody: Collection[int],
    upto: int,
    *,
    seen: Collection[int] | None = None,
    engine: str | None = None,
) -> DenseResult:
    """Trace a run over columns up to a height, with the result of `tracer.taint.history.trace_coins`.

    sources: labels by the row of their coin. roles: by the number of the holder. nobody: the numbers of holders that
    burn what they get. seen: the rows of coins whose spending would have been stored; None: all. engine: NATIVE or
    NUMPY; None: the compiled one where it can be had. Raises Unsupported.
    """
    if declared.fee_policy != SINK or declared.stop_at:
        raise Unsupported("the run lets fees go on to the miner, or stops at more than the case's holders")
    ranked = sorted(sources.values())
    if len(set(ranked)) != len(ranked):
        raise Unsupported("two sources have one label")
    rank_of = {label: rank for rank, label in enumerate(ranked)}
    titles = _titles(columns, {row: rank_of[label] for row, label in sources.items()})
    whose = whose_of(columns, roles, nobody)
    task = task_of(columns, declared.method, declared.limits, titles, whose, upto)
    if engine is None:
        engine = NATIVE if numba_engine.available() else NUMPY
    outcome = numba_engine.run(task) if engine == NATIVE else numpy_engine.run(task)
    seen_of = None
    if seen is not None:
        seen_of = np.isin(columns.out_row, np.fromiter(seen, np.int64, len(seen))).view(np.uint8)
    return DenseResult(declared, columns, whose, seen_of, np.array(ranked, np.int64), outcome, engine)


def _titles(columns: Columns, ranks: Mapping[int, int]) -> tuple[Title, ...]:
    """The titles, by the rows of their coins."""
    rows = np.fromiter(ranks, np.int64, len(ranks))
    found = np.flatnonzero(np.isin(columns.out_row, rows))
    if len(found) != len(rows):
        raise Unsupported("a source's coin is not in the graph")
    return tuple(
        Title(coin, ranks[row]) for coin, row in zip(found.tolist(), columns.out_row[found].tolist(), strict=True)
    )


def whose_of(columns: Columns, roles: Mapping[int, Role], nobody: Collection[int]) -> Bytes:
    """Whose each output is (see `task`)."""
    largest = int(columns.out_holder.max(initial=0))
    table = np.zeros(largest + 1, np.uint8)
    burnt = [number for number in nobody if number <= largest]
    table[burnt] = NOBODY
    for role in set(roles.values()):
        held = [number for number, other in roles.items() if other is role and number <= largest]
        table[held] = BY_ROLE.get(role, HELD)
    return table[columns.out_holder]
