"""How live runs are kept and found again: labels, edges, reach, and the lots of accounts as versions by block."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain as chained
from typing import Any

import orjson
from sqlalchemy import Connection, text

from tracer.prepared import Prepared
from tracer.store.chains import ChainHandle
from tracer.store.rows import insert_many
from tracer.store.traced import OpeningRow, TraceLabelRow, TraceLotsRow, TraceRunRow
from tracer.taint.accounts import AccountTrace, Key
from tracer.taint.boundaries import Limits
from tracer.taint.coins import CoinTrace, Traced
from tracer.taint.lots import Holding, Mix, Piece, Pool, Queue
from tracer.taint.rules import Method, Parts, merge_neighbours
from tracer.taint.run import ROUNDING, RULES_VERSION, SINK
from tracer.tracing import LIVE_METHODS, LiveRuns
from tracer.types import AssetId, Hash, Holder, Kind, Outpoint, outpoint

ENGINE = "block by block"

CURRENT = "r.live AND r.superseded_by IS NULL"
"""The SQL condition that a `trace_run r` is one that the daemon advances."""

UNSPENT = """NOT EXISTS (SELECT 1 FROM movement i JOIN block ib ON ib.id = i.block_id
    WHERE i.spends_id = m.id AND ib.canonical)"""
COIN = """movement m JOIN block b ON b.id = m.block_id AND b.canonical JOIN tx t ON t.id = m.tx_id
    JOIN holder h ON h.id = m.target_id"""


def register_live(
    connection: Connection,
    case_id: int,
    chain_id: int,
    since: int,
    limits: Limits,
    now: int,
    methods: Iterable[Method] = LIVE_METHODS,
) -> None:
    """Register the runs that the daemon advances for a case on a chain."""
    given = limits_text(limits)
    columns = "case_id chain_id method fee_policy engine rounding limits rules live since registered_at"
    rows = [
        (case_id, chain_id, method.value, SINK, ENGINE, ROUNDING, given, RULES_VERSION, True, since, now)
        for method in methods
    ]
    insert_many(connection, TraceRunRow, columns, rows)


def live_runs(
    connection: Connection, chain_id: int, case_id: int | None = None
) -> dict[tuple[int, Method], tuple[int, Limits]]:
    """The runs that the daemon advances on a chain, by case and method: their numbers and limits."""
    rows = connection.execute(
        text(
            f"SELECT r.case_id, r.method, r.id, r.limits FROM trace_run r WHERE r.chain_id = :c AND {CURRENT}"
            " AND (:case IS NULL OR r.case_id = :case) ORDER BY r.id"
        ),
        {"c": chain_id, "case": case_id},
    )
    return {(int(case), Method(method)): (int(run_id), limits_of(given)) for case, method, run_id, given in rows}


def limits_of(given: str) -> Limits:
    """Read the limits of a run."""
    return Limits(**json.loads(given))


def limits_text(limits: Limits) -> str:
    """Write the limits of a run; an amount in wei may be larger than what fast writers of JSON take."""
    return json.dumps(asdict(limits))


def insert_traces(store: Any, chain: ChainHandle, blocks: Sequence[Prepared]) -> None:
    """Labels, edges, how far each run reached, lots of accounts, and what those held before."""
    if not any(b.labels or b.edges or b.traced or b.lots or b.openings for b in blocks):
        return
    connection: Connection = store.connection
    runs = {key: run_id for key, (run_id, _) in live_runs(connection, chain.id).items()}
    named = [h for b in blocks for _, _, _, h, _, _ in b.labels] + [key[0] for b in blocks for _, _, key, _ in b.lots]
    holders = store.holder_ids(
        chain, [h for h in named if h is not None] + [k[0] for b in blocks for k, _ in b.openings]
    )
    insert_many(
        connection,
        TraceLabelRow,
        "case_id block_id ordinal movement_id holder_id asset_id amount",
        (
            (case_id, b.block_id, label, row, holder and holders[holder], asset and chain.assets[asset], amount)
            for b in blocks
            for case_id, label, row, holder, asset, amount in b.labels
        ),
    )
    insert_ways(connection, runs, blocks)
    insert_many(
        connection,
        TraceLotsRow,
        "run_id holder_id asset_id block_id state",
        (
            (runs[case_id, m], holders[key[0]], chain.assets[key[1]], b.block_id, packed(holding))
            for b in blocks
            for case_id, m, key, holding in b.lots
        ),
    )
    insert_openings(store, chain, blocks)


def insert_ways(connection: Connection, runs: Mapping[tuple[int, Method], int], blocks: Sequence[Prepared]) -> None:
    """Edges, and how far each run reached: the many rows of a block, straight to the driver."""
    edges: list[tuple[object, ...]] = []
    reached: list[tuple[object, ...]] = []
    for block in blocks:
        for case_id, method, steps in block.edges:
            run = runs[case_id, method]
            edges += [(to, run, seq, source, label, str(units)) for to, seq, source, label, units in steps]
        for case_id, method, rows in block.traced:
            run = runs[case_id, method]
            reached += [(row[0], run, row[1], row[2]) for row in rows]
    insert_together(connection, "trace_edge", "to_id run_id seq from_id ordinal amount", edges)
    insert_together(connection, "trace_coin", "movement_id run_id hop boundary", reached)


TOGETHER = 900
"""Values in one statement; SQLite before 3.32 takes 999. Many rows in one take half the time of one by one."""


def insert_together(connection: Connection, table: str, columns: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows, many in one statement."""
    names, marker = columns.split(), "?" if connection.dialect.paramstyle == "qmark" else "%s"
    one, most = f"({', '.join([marker] * len(names))})", TOGETHER // len(names)
    for start in range(0, len(rows), most):
        part = rows[start : start + most]
        sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join([one] * len(part))}"
        connection.exec_driver_sql(sql, tuple(chained.from_iterable(part)))


def insert_openings(store: Any, chain: ChainHandle, blocks: Sequence[Prepared]) -> None:
    """What accounts held before the blocks in which a trace reached them first; some may be known already."""
    holders = store.holder_ids(chain, [key[0] for b in blocks for key, _ in b.openings])
    rows = [(holders[h], chain.assets[asset], b.block_id, n) for b in blocks for (h, asset), n in b.openings]
    known = "SELECT 1 FROM account_opening WHERE holder_id = ? AND asset_id = ? AND block_id = ?"
    fresh = {row[:3]: row for row in rows if store.connection.exec_driver_sql(known, row[:3]).first() is None}
    insert_many(store.connection, OpeningRow, "holder_id asset_id block_id balance", fresh.values())


def stored_openings(connection: Connection, block_id: int) -> dict[Key, int]:
    """What accounts held before a block in which a trace reached them first, as it was asked then."""
    rows = connection.execute(
        text(
            "SELECT h.key, a.caip19, o.balance FROM account_opening o JOIN holder h ON h.id = o.holder_id"
            " JOIN asset a ON a.id = o.asset_id WHERE o.block_id = :b"
        ),
        {"b": block_id},
    )
    return {(Holder(bytes(key)), AssetId(caip19)): int(balance) for key, caip19, balance in rows}


def packed(holding: Holding) -> str:
    """Write what an account holds: units are text, so that any reader keeps them exact.

    {"lots": [[label or null, units, hop], ..]} under tiling methods, oldest first; {"base", "mass", "gone", "left":
    lots} under haircut; {"balance", "labels": [[label, hop], ..]} under poison.
    """

    def lots(pieces: Iterable[Piece]) -> list[list[object]]:
        return [[label, str(units), hop] for label, units, hop in pieces]

    match holding:
        case Queue(found):
            state: dict[str, object] = {"lots": lots(found)}
        case Mix(base, mass, gone, left):
            state = {"base": str(base), "mass": str(mass), "gone": str(gone), "left": lots(left)}
        case Pool(balance, labels):
            state = {"balance": str(balance), "labels": labels}
    return orjson.dumps(state).decode()


def unpacked(state: str) -> Holding:
    """Read what `packed` wrote."""
    found = orjson.loads(state)

    def lots(rows: Iterable[Sequence[Any]]) -> tuple[Piece, ...]:
        return tuple((label, int(units), hop) for label, units, hop in rows)

    if "lots" in found:
        return Queue(lots(found["lots"]))
    if "left" in found:
        return Mix(int(found["base"]), int(found["mass"]), int(found["gone"]), lots(found["left"]))
    return Pool(int(found["balance"]), tuple((label, hop) for label, hop in found["labels"]))


def load_runs(connection: Connection, chain: ChainHandle, utxo: bool, cases: Iterable[int]) -> LiveRuns:
    """Rebuild the live runs of a chain from canonical rows."""
    found, runs = LiveRuns(), live_runs(connection, chain.id)
    for case_id in cases:
        mine = {method: run for (case, method), run in runs.items() if case == case_id}
        if utxo:
            found.coins[case_id] = [
                load_coins_of(connection, chain, case_id, run_id, method, limits)
                for method, (run_id, limits) in mine.items()
            ]
        else:
            found.accounts[case_id] = [
                load_accounts_of(connection, chain, case_id, run_id, method, limits)
                for method, (run_id, limits) in mine.items()
            ]
    return found


def fresh_runs(connection: Connection, chain_id: int, utxo: bool, cases: Iterable[int]) -> LiveRuns:
    """The live runs of cases before their first block."""
    found, wanted = LiveRuns(), set(cases)
    for (case_id, method), (_, limits) in live_runs(connection, chain_id).items():
        if case_id in wanted and utxo:
            found.coins.setdefault(case_id, []).append(CoinTrace(method, limits))
        elif case_id in wanted:
            found.accounts.setdefault(case_id, []).append(AccountTrace(method, limits))
    return found


def label_count(connection: Connection, chain: ChainHandle, case_id: int) -> int:
    """How many labels a case has on a chain."""
    return int(
        connection.execute(
            text(
                "SELECT count(*) FROM trace_label l JOIN block b ON b.id = l.block_id AND b.canonical"
                " WHERE l.case_id = :case AND b.chain_id = :c"
            ),
            {"c": chain.id, "case": case_id},
        ).scalar_one()
    )


def load_coins_of(
    connection: Connection, chain: ChainHandle, case_id: int, run_id: int, method: Method, limits: Limits
) -> CoinTrace[Outpoint]:
    """Rebuild the live coins of a run."""
    keys = {"c": chain.id, "case": case_id, "run": run_id, "out": int(Kind.OUT)}
    trace: CoinTrace[Outpoint] = CoinTrace(method, limits, {}, label_count(connection, chain, case_id))
    for txid, index, ordinal, amount in connection.execute(
        text(
            f"SELECT t.txid, m.idx, l.ordinal, m.amount FROM trace_label l JOIN block lb ON lb.id = l.block_id"
            f" AND lb.canonical JOIN {COIN} WHERE m.id = l.movement_id AND l.case_id = :case AND b.chain_id = :c"
            f" AND {UNSPENT}"
        ),
        keys,
    ):
        trace.title(outpoint(Hash(bytes(txid)), index), int(amount), int(ordinal))
    parts: dict[Outpoint, list[tuple[int | None, int]]] = {}
    hops: dict[Outpoint, int] = {}
    for txid, index, hop, ordinal, amount in connection.execute(
        text(
            f"SELECT t.txid, m.idx, c.hop, e.ordinal, e.amount FROM trace_coin c JOIN {COIN}"
            " JOIN trace_edge e ON e.to_id = m.id AND e.run_id = c.run_id"
            " WHERE m.id = c.movement_id AND c.run_id = :run AND c.boundary IS NULL AND b.chain_id = :c"
            f" AND m.kind = :out AND {UNSPENT} ORDER BY m.id, e.seq"
        ),
        keys,
    ):
        point = outpoint(Hash(bytes(txid)), index)
        parts.setdefault(point, []).append((ordinal, int(amount)))
        hops[point] = int(hop)
    for point, segments in parts.items():
        trace.coins[point] = Traced(parts_from(method, segments), hops[point])
    return trace


def parts_from(method: Method, segments: Sequence[tuple[int | None, int]]) -> Parts:
    """The parts of a coin from the edges into it, in their order."""
    if method.tiles:
        return merge_neighbours(segments)
    units: dict[int | None, int] = {}
    for label, amount in segments:
        units[label] = amount if method is Method.POISON else units.get(label, 0) + amount
    return tuple(units.items())


def load_accounts_of(
    connection: Connection, chain: ChainHandle, case_id: int, run_id: int, method: Method, limits: Limits
) -> AccountTrace:
    """Rebuild what a run's accounts hold: the latest canonical version of each."""
    trace = AccountTrace(method, limits, {}, label_count(connection, chain, case_id))
    for key, caip19, state in connection.execute(
        text(
            "SELECT key, caip19, state FROM (SELECT h.key, a.caip19, l.state, row_number() OVER (PARTITION BY"
            " l.holder_id, l.asset_id ORDER BY b.height DESC) AS place FROM trace_lots l JOIN block b"
            " ON b.id = l.block_id AND b.canonical JOIN holder h ON h.id = l.holder_id"
            " JOIN asset a ON a.id = l.asset_id WHERE l.run_id = :run) q WHERE place = 1"
        ),
        {"run": run_id},
    ):
        holding = unpacked(state)
        if holding.labelled():
            trace.accounts[Holder(bytes(key)), AssetId(caip19)] = holding
    return trace


def was_followed(connection: Connection, chain: ChainHandle, height: int, key: bytes) -> bool:
    """Whether a run of a chain of accounts followed an account in our block of a height, or reached it there."""
    rows = connection.execute(
        text(
            "SELECT height, state FROM (SELECT b.height, l.state, row_number() OVER (PARTITION BY l.run_id, l.asset_id"
            " ORDER BY b.height DESC) AS place FROM holder h JOIN trace_lots l ON l.holder_id = h.id"
            f" JOIN trace_run r ON r.id = l.run_id AND {CURRENT} JOIN block b ON b.id = l.block_id AND b.canonical"
            " WHERE h.chain_id = :c AND h.key = :k AND b.height <= :h) q WHERE place = 1"
        ),
        {"c": chain.id, "k": key, "h": height},
    )
    return any(at == height or unpacked(state).labelled() for at, state in rows)
