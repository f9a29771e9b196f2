"""Trace runs in the store: declared before they are computed, computed from canonical rows, kept with their digest."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, text

from tracer.store.graph import StoredAccounts, StoredCoins, oldest_movement, roles_in
from tracer.store.rows import insert_many
from tracer.store.traced import TracePageRow, TraceResultRow, TraceRunRow, TraceSourceRow
from tracer.store.tracerows import limits_of, limits_text
from tracer.taint.coins import StopOf
from tracer.taint.history import CoinTx, Result, trace_coins
from tracer.taint.ledgers import AccountResult, trace_accounts
from tracer.taint.rules import Label, Method
from tracer.taint.run import (
    ROUNDING,
    RULES_VERSION,
    Declaration,
    End,
    Equation,
    Source,
    digest,
    equations,
    folded,
    sorted_ends,
)
from tracer.types import AssetId, Hash, Holder, outpoint, outpoint_text

PLAIN, DENSE = "plain reference", "dense"
SPARSE_UP_TO = 20_000
"""Traced transactions beyond which columns pay: a larger run on a UTXO chain goes over to the dense engine."""

PAGE_ENDS = 5_000


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A registered run: its number and declaration, whether the daemon advances it, and what its labels are in rows.

    sources: label -> the coin's row, or None; accounts: label -> (account, asset), units.
    """

    id: int
    case_id: int
    chain_id: int
    family: str
    live: bool
    engine: str
    registered_at: int
    superseded: bool
    declared: Declaration
    sources: Mapping[Label, int]
    accounts: Mapping[Label, tuple[tuple[Holder, AssetId], int]]
    declared_sha256: bytes | None
    oldest: int | None


@dataclass(frozen=True, slots=True)
class Tip:
    """The block at which a result holds."""

    id: int
    height: int
    hash: bytes


@dataclass(slots=True)
class Computed:
    """A run's result at a tip, by an engine."""

    run: StoredRun
    tip: Tip
    engine: str
    digest: bytes
    equations: list[Equation]
    transactions: int
    seeded: Mapping[Label, int]
    rows: Callable[[], Iterator[list[Any]]]
    """Ends in the digest's order, as they stand in pages; see `TracePageRow`."""
    result: Result | None = None
    notes: list[str] = field(default_factory=list)


def stored_run(connection: Connection, run_id: int) -> StoredRun | None:
    """A registered run; None if there is none of that number."""
    row = (
        connection.execute(
            text(
                "SELECT r.*, k.ref AS case_ref, c.name AS chain, c.caip2, c.family FROM trace_run r"
                " JOIN cases k ON k.id = r.case_id JOIN chain c ON c.id = r.chain_id WHERE r.id = :id"
            ),
            {"id": run_id},
        )
        .mappings()
        .first()
    )
    if row is None:
        return None
    sources, coins, accounts = run_sources(connection, row["id"], row["case_id"], row["chain_id"], bool(row["live"]))
    declared = Declaration(
        row["case_ref"],
        row["chain"],
        Method(row["method"]),
        sources,
        limits_of(row["limits"]),
        row["fee_policy"],
        row["variant"],
        tuple(orjson.loads(row["stop_at"])),
        row["labels_sha256"],
        int(row["since"] or 0),
        tuple((int(begin), int(end)) for begin, end in orjson.loads(row["whole"])),
        row["caip2"],
        int(row["rules"]),
    )
    return StoredRun(
        row["id"],
        row["case_id"],
        row["chain_id"],
        row["family"],
        bool(row["live"]),
        row["engine"],
        row["registered_at"],
        row["superseded_by"] is not None,
        declared,
        coins,
        accounts,
        None if row["sources_sha256"] is None else bytes(row["sources_sha256"]),
        row["oldest"],
    )


def run_sources(
    connection: Connection, run_id: int, case_id: int, chain_id: int, live: bool
) -> tuple[tuple[Source, ...], dict[Label, int], dict[Label, tuple[tuple[Holder, AssetId], int]]]:
    """The sources of a run in label order: as declared, and by rows; those of a live run are its case's labels."""
    where = (
        "trace_label s JOIN block sb ON sb.id = s.block_id AND sb.canonical AND sb.chain_id = :c"
        " LEFT JOIN movement m ON m.id = s.movement_id WHERE s.case_id = :case"
        if live
        else "trace_source s LEFT JOIN movement m ON m.id = s.movement_id WHERE s.run_id = :run"
    )
    rows = connection.execute(
        text(
            "SELECT s.ordinal, s.movement_id, t.txid, m.idx, coalesce(m.amount, s.amount), h.key, h.address, a.caip19"
            f" FROM (SELECT s.ordinal, s.movement_id, s.amount, coalesce(m.target_id, s.holder_id) AS holder_id,"
            f" coalesce(m.asset_id, s.asset_id) AS asset_id FROM {where}) s"
            " LEFT JOIN movement m ON m.id = s.movement_id LEFT JOIN tx t ON t.id = m.tx_id"
            " JOIN holder h ON h.id = s.holder_id JOIN asset a ON a.id = s.asset_id"
            " ORDER BY s.ordinal"
        ),
        {"run": run_id, "case": case_id, "c": chain_id},
    )
    sources: list[Source] = []
    coins: dict[Label, int] = {}
    accounts: dict[Label, tuple[tuple[Holder, AssetId], int]] = {}
    for label, row, txid, index, amount, key, address, asset in rows:
        if row is not None:
            coins[label] = row
            place = outpoint_text(outpoint(Hash(bytes(txid)), index))
        else:
            accounts[label] = (Holder(bytes(key)), AssetId(asset)), int(amount)
            place = address or bytes(key).hex()
        sources.append(Source(label, place, asset, int(amount)))
    return tuple(sources), coins, accounts


def tip_of(connection: Connection, chain_id: int) -> Tip | None:
    """The newest block of a chain."""
    row = connection.execute(
        text("SELECT b.id, b.height, b.hash FROM follower f JOIN block b ON b.id = f.tip_id WHERE f.chain_id = :c"),
        {"c": chain_id},
    ).first()
    return None if row is None else Tip(row[0], row[1], bytes(row[2]))


def block_of(connection: Connection, block_id: int) -> Tip:
    """A block as a tip."""
    row = connection.execute(text("SELECT id, height, hash FROM block WHERE id = :b"), {"b": block_id}).one()
    return Tip(row[0], row[1], bytes(row[2]))


def compute(
    connection: Connection,
    run: StoredRun,
    tip: Tip,
    *,
    at_most: int = 0,
    stop_of: StopOf | None = None,
    stop_at: Callable[[CoinTx], str | None] | None = None,
    enough: Callable[[], bool] | None = None,
) -> Computed:
    """Compute a run with the plain reference at a tip; raises TooLarge beyond `at_most` traced transactions."""
    roles = roles_in(connection, run.case_id, run.chain_id)
    if run.family == "bitcoin":
        history = StoredCoins(connection, run.chain_id, run.case_id, run.declared.whole, tip.height)
        history.oldest = history.oldest if run.oldest is None else run.oldest
        sources = {row: label for label, row in run.sources.items()}
        done = trace_coins(
            run.declared,
            sources,
            history,
            roles.get,
            tip.height,
            stop_of=stop_of,
            stop_at=stop_at,
            at_most=at_most,
            enough=enough,
        )
        return plain(connection, run, tip, done)
    ledgers = StoredAccounts(connection, run.chain_id, run.case_id, roles)
    found = trace_accounts(run.declared, run.accounts, ledgers, roles.get, tip.height, stop_of=stop_of)
    return plain(connection, run, tip, found)


def plain(connection: Connection, run: StoredRun, tip: Tip, done: Result) -> Computed:
    """What the plain reference came to, with its digest and equations."""
    native = next((source.asset for source in run.declared.sources), "")

    def asset_of(end: End) -> str:
        if end.place.asset:
            return end.place.asset
        return done.assets.get(end.place.row, AssetId(native)) if isinstance(done, AccountResult) else native

    def rows() -> Iterator[list[Any]]:
        listed = sorted_ends(folded(done.ends))
        holders = holders_of(connection, {end.place.row for end in listed if end.place.row})
        for end in listed:
            yield end_row(end, asset_of(end), end.place.holder or holders.get(end.place.row))

    seeded = {(label, asset): units for (label, asset), units in seeded_by_asset(run, done).items()}
    converted = done.converted if isinstance(done, AccountResult) else {}
    return Computed(
        run,
        tip,
        PLAIN,
        digest(run.declared, tip.hash, done.ends),
        equations(seeded, converted, [(end, asset_of(end)) for end in done.ends]),
        done.transactions,
        done.seeded,
        rows,
        done,
    )


def seeded_by_asset(run: StoredRun, done: Result) -> dict[tuple[Label, str], int]:
    """How many units each label got, with their asset."""
    assets = {source.label: source.asset for source in run.declared.sources}
    return {(label, assets[label]): units for label, units in done.seeded.items()}


def holders_of(connection: Connection, rows: Iterable[int]) -> dict[int, bytes]:
    """Who was credited by some movements."""
    found: dict[int, bytes] = {}
    numbers = sorted(rows)
    for start in range(0, len(numbers), 500):
        part = ", ".join(str(int(number)) for number in numbers[start : start + 500])
        found.update(
            (row, bytes(key))
            for row, key in connection.exec_driver_sql(
                f"SELECT m.id, h.key FROM movement m JOIN holder h ON h.id = m.target_id WHERE m.id IN ({part})"
            )
        )
    return found


def register(
    connection: Connection,
    declared: Declaration,
    case_id: int,
    chain_id: int,
    engine: str,
    rows: Iterable[tuple[Label, int | None, int, int, int]],
    now: int,
) -> int:
    """Register a run before it is computed and return its number; rows: label, coin, holder, asset, amount."""
    run_id = int(connection.execute(text("SELECT coalesce(max(id), 0) + 1 FROM trace_run")).scalar_one())
    columns = (
        "id case_id chain_id method fee_policy engine variant rounding limits stop_at labels_sha256 sources_sha256"
        " rules live since whole oldest registered_at"
    )
    row = (
        run_id,
        case_id,
        chain_id,
        declared.method.value,
        declared.fee_policy,
        engine,
        declared.variant,
        ROUNDING,
        limits_text(declared.limits),
        orjson.dumps(declared.stop_at).decode(),
        declared.labels_sha256,
        declared.sources_sha256,
        RULES_VERSION,
        False,
        declared.since,
        orjson.dumps(declared.whole).decode(),
        oldest_movement(connection),
        now,
    )
    insert_many(connection, TraceRunRow, columns, [row])
    columns = "run_id ordinal movement_id holder_id asset_id amount"
    insert_many(connection, TraceSourceRow, columns, [(run_id, *source) for source in rows])
    return run_id


def store_result(connection: Connection, done: Computed, now: int) -> int:
    """Keep a result with its ends, inside the caller's transaction; returns its number."""
    result_id = int(connection.execute(text("SELECT coalesce(max(id), 0) + 1 FROM trace_result")).scalar_one())
    count = 0
    pages: list[tuple[int, int, str]] = []
    page: list[list[Any]] = []
    for row in done.rows():
        page.append(row)
        count += 1
        if len(page) == PAGE_ENDS:
            pages.append((result_id, len(pages), orjson.dumps(page).decode()))
            page = []
    if page:
        pages.append((result_id, len(pages), orjson.dumps(page).decode()))
    seeded = orjson.dumps({str(label): str(units) for label, units in sorted(done.seeded.items())}).decode()
    columns = "id run_id tip_id computed_at engine digest transactions ends seeded"
    result = (result_id, done.run.id, done.tip.id, now, done.engine, done.digest, done.transactions, count, seeded)
    insert_many(connection, TraceResultRow, columns, [result])
    insert_many(connection, TracePageRow, "result_id page ends", pages)
    return result_id


def end_row(end: End, asset: str, holder: bytes | None) -> list[Any]:
    """An end as it stands in a page; see `TracePageRow`."""
    place = end.place
    return [
        place.height,
        place.position,
        place.kind,
        place.index,
        place.row,
        str(end.offset),
        end.label,
        str(end.units),
        end.state,
        end.reason,
        None if holder is None else holder.hex(),
        asset,
    ]
