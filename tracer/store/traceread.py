"""Reads what traces say for the reading commands: moves of stored and computed runs, seeds, lots, and who is where."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from tracer.store.runs import Computed, StoredRun, compute, stored_run, tip_of
from tracer.store.tracerows import CURRENT, unpacked
from tracer.taint.boundaries import TIME
from tracer.taint.forward import Label, Move, Spot
from tracer.taint.history import Result
from tracer.taint.ledgers import AccountResult
from tracer.taint.rules import Method
from tracer.types import Kind

AT_ONCE = 500
OUT, IN = int(Kind.OUT), int(Kind.IN)

MOVES = """SELECT e.to_id, e.seq, e.from_id, e.ordinal, e.amount, m.asset_id, m.kind, m.target_id, i.spends_id,
    i.source_id, i.asset_id, c.hop, c.boundary, b.height, coalesce(t.position, 1 << 40), e.from_id <> e.to_id,
    m.kind, m.idx, e.seq FROM trace_edge e
    JOIN movement m ON m.id = e.to_id JOIN block b ON b.id = m.block_id AND b.canonical LEFT JOIN tx t ON t.id = m.tx_id
    JOIN movement i ON i.id = e.from_id JOIN trace_coin c ON c.run_id = e.run_id AND c.movement_id = e.to_id
    WHERE e.run_id = ? AND e.ordinal IS NOT NULL"""
OUT_OF = """SELECT DISTINCT i.spends_id, e.to_id, e.ordinal FROM movement i
    JOIN block b ON b.id = i.block_id AND b.canonical
    LEFT JOIN trace_edge e ON e.from_id = i.id AND e.run_id = ? AND e.ordinal IS NOT NULL
    WHERE i.spends_id IN ({numbers})"""
SPENT = """SELECT i.spends_id FROM movement i JOIN block b ON b.id = i.block_id AND b.canonical
    WHERE i.spends_id IN ({numbers})"""
ENDS = "SELECT id, kind, target_id, source_id, asset_id, spends_id FROM movement WHERE id IN ({numbers})"
SEEDS = """SELECT l.ordinal, l.movement_id, l.holder_id, coalesce(m.asset_id, l.asset_id), coalesce(m.amount, l.amount)
    FROM trace_label l JOIN block b ON b.id = l.block_id AND b.canonical LEFT JOIN movement m ON m.id = l.movement_id
    WHERE l.case_id = ? AND b.chain_id = ? ORDER BY l.ordinal"""
LOTS = """SELECT holder_id, asset_id, state FROM (SELECT l.holder_id, l.asset_id, l.state, row_number() OVER (
    PARTITION BY l.holder_id, l.asset_id ORDER BY b.height DESC) AS place FROM trace_lots l
    JOIN block b ON b.id = l.block_id AND b.canonical WHERE l.run_id = ?) WHERE place = 1"""
SPOT = """SELECT h.id, a.id FROM holder h JOIN asset a ON a.chain_id = h.chain_id
    WHERE h.key = ? AND a.caip19 = ?"""
RUN = f"SELECT r.id FROM trace_run r WHERE r.case_id = ? AND r.chain_id = ? AND r.method = ? AND {CURRENT}"


def rows(connection: Connection, sql: str, values: Sequence[object] = ()) -> list[Any]:
    """The rows of a query, by the driver itself: many small questions are asked."""
    driver = connection.connection.driver_connection
    assert driver is not None
    found: list[Any] = driver.execute(sql, values).fetchall()
    return found


def among(connection: Connection, sql: str, numbers: Iterable[int], values: Sequence[object] = ()) -> Iterator[Any]:
    """The rows of a query whose `{numbers}` stands for a list of row numbers."""
    listed = sorted(numbers)
    for start in range(0, len(listed), AT_ONCE):
        part = ", ".join(str(int(number)) for number in listed[start : start + AT_ONCE])
        yield from rows(connection, sql.replace("{numbers}", part), values)


@dataclass(slots=True)
class Moved:
    """What a run says about some places: moves in chain order, and which places are empty or were not looked beyond.

    held: what live places hold by the run itself: units by label; None: nothing was kept to compare with.
    """

    moves: list[Move]
    over: set[Spot] = field(default_factory=set)
    cut: dict[Spot, str] = field(default_factory=dict)
    held: dict[Spot, dict[Label, int]] | None = None
    reasons: dict[Spot, str] = field(default_factory=dict)


def live_run(connection: Connection, case_id: int, chain_id: int, method: str) -> int | None:
    """The number of the run that the daemon advances for a case; None if there is none."""
    found = rows(connection, RUN, (case_id, chain_id, method))
    return int(found[0][0]) if found else None


def seeds_of(connection: Connection, case_id: int, chain_id: int) -> dict[Spot, list[tuple[Label, int, int]]]:
    """What a case's traces begin with on a chain, by place: label, asset and units."""
    found: dict[Spot, list[tuple[Label, int, int]]] = {}
    for label, coin, holder, asset, amount in rows(connection, SEEDS, (case_id, chain_id)):
        found.setdefault(coin if coin is not None else (holder, asset), []).append((label, asset, int(amount)))
    return found


def chain_order(row: Sequence[Any]) -> tuple[Any, ...]:
    """The place of a move's row in the order of its run; what came by a swap comes last in its transaction."""
    return tuple(row[13:])


def move_of(row: Sequence[Any]) -> Move:
    """A move from its row."""
    to_id, seq, from_id, label, amount, asset, kind, target, coin, payer, gave, hop, boundary = row[:13]
    if kind in (OUT, IN) or payer is None or coin is not None:
        source: Spot = -from_id if coin is None else coin
        return Move(
            to_id, seq, from_id, label, int(amount), asset, source, to_id if kind == OUT else None, hop, boundary
        )
    spot = None if target is None else (target, asset)
    return Move(to_id, seq, from_id, label, int(amount), asset, (payer, gave), spot, hop, boundary, to_id != from_id)


def stored_coins(
    connection: Connection,
    run_id: int,
    starts: Collection[int],
    labels: frozenset[Label] | None,
    enough: Callable[[], bool] | None = None,
) -> Moved:
    """The moves of a live run into the coins `starts`, and on from there as far as they go, or until time is up."""
    seen: set[int] = set(starts)
    level: set[int] = set(starts)
    over: set[Spot] = set()
    cut: dict[Spot, str] = {}
    while level:
        if enough is not None and enough():
            cut = dict.fromkeys(level, TIME)
            break
        found = list(among(connection, OUT_OF, level, (run_id,)))
        over |= {coin for coin, _, _ in found}
        level = {to for _, to, label in found if to is not None and (labels is None or label in labels)} - seen
        seen |= level
    into = among(connection, MOVES + " AND e.to_id IN ({numbers})", seen, (run_id,))
    return Moved([move_of(row) for row in sorted(into, key=chain_order)], over, cut)


def stored_accounts(connection: Connection, run_id: int) -> Moved:
    """All moves of a live run over accounts, and what they hold now."""
    found = sorted(rows(connection, MOVES, (run_id,)), key=chain_order)
    held: dict[Spot, dict[Label, int]] = {}
    for holder, asset, state in rows(connection, LOTS, (run_id,)):
        units = held.setdefault((holder, asset), {})
        for label, amount, _ in unpacked(state).labelled():
            if label is not None:
                units[label] = units.get(label, 0) + amount
    return Moved([move_of(row) for row in found], held=held)


def computed(
    connection: Connection, run: StoredRun, method: Method, enough: Callable[[], bool] | None = None
) -> Computed | None:
    """What another method comes to from the sources of a live run, at the tip; None before the first block.

    enough: whether time is up; runs over accounts do not ask.
    """
    tip = tip_of(connection, run.chain_id)
    if tip is None:
        return None
    return compute(connection, replace(run, declared=replace(run.declared, method=method)), tip, enough=enough)


def moves_of(connection: Connection, done: Result, linked: Mapping[int, int] | None = None) -> Moved:
    """The moves of a computed run in chain order, and why what is live is where it is.

    linked: coins by the input that spends them, where the store does not link them itself.
    """
    numbers = {edge.to_id for edge in done.edges} | {edge.from_id for edge in done.edges}
    facts = {row[0]: row for row in among(connection, ENDS, numbers)}
    moves: list[Move] = []
    coins: set[int] = set()
    for edge in done.edges:
        _, kind, target, _, asset, _ = facts[edge.to_id]
        _, _, _, payer, gave, coin = facts[edge.from_id]
        coin = (linked or {}).get(edge.from_id, coin)
        if coin is not None:
            coins.add(coin)
        if edge.label is None:
            continue
        row = done.rows[edge.to_id]
        facts_of = (asset, kind, target, coin, payer, gave, row.hop, row.boundary)
        moves.append(move_of((edge.to_id, edge.seq, edge.from_id, edge.label, edge.amount, *facts_of)))
    reasons: dict[Spot, str] = {end.place.row: end.reason for end in done.ends if end.place.row}
    cut: dict[Spot, str] = {row: TIME for row, reason in reasons.items() if reason == TIME}
    spent = {coin for (coin,) in among(connection, SPENT, {move.to_id for move in moves if move.target == move.to_id})}
    live = {end.place.row for end in done.ends if end.state == "live"}
    return Moved(moves, {*coins, *spent} - live - set(cut), cut, held_by(connection, done), reasons)


def held_by(connection: Connection, done: Result) -> dict[Spot, dict[Label, int]] | None:
    """What accounts hold by a computed run, by label; None of a run over coins."""
    if not isinstance(done, AccountResult):
        return None
    found: dict[Spot, dict[Label, int]] = {}
    numbers: dict[tuple[bytes, str], Spot] = {}
    for end in done.ends:
        if end.place.row:
            continue
        key = bytes(end.place.holder), end.place.asset
        if key not in numbers:
            [(holder, asset)] = rows(connection, SPOT, key)
            numbers[key] = holder, asset
        units = found.setdefault(numbers[key], {})
        units[end.label] = units.get(end.label, 0) + end.units
    return found


def registered(connection: Connection, case_id: int, chain_id: int) -> StoredRun | None:
    """The live FIFO run of a case on a chain, as it was declared; None if there is none."""
    number = live_run(connection, case_id, chain_id, Method.FIFO)
    return None if number is None else stored_run(connection, number)
