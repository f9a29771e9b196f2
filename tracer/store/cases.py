"""Imports a case into the store, append-only: it adds rows, and refuses what would change an imported one."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import orjson
from sqlalchemy import text

from tracer.custody.case import Case, Leg, Watch, check_case
from tracer.custody.preset import Preset
from tracer.store.backfills import BackfillRow
from tracer.store.chains import ChainHandle
from tracer.store.declared import (
    AttestationRow,
    CaseImportRow,
    CaseRow,
    DocumentRow,
    InstitutionRow,
    LegRow,
    LegSourceRow,
    SeizureRow,
    WatchRow,
)
from tracer.store.imported import additions, stored_case, stored_refs
from tracer.store.overseen import PresetRow
from tracer.store.rows import insert_many
from tracer.store.tracerows import register_live
from tracer.store.writer import Store
from tracer.taint.boundaries import Limits
from tracer.types import ChainId

SHOWN_AT_ONCE = 10_000
"""Up to so many watches of a chain get their address text at import, more get it at their first movement."""


def import_case(
    store: Store,
    case: Case,
    chains: Mapping[ChainId, ChainHandle],
    limits: Mapping[ChainId, Limits] = MappingProxyType({}),
    now: int = 0,
    preset: Preset | None = None,
) -> bool:
    """Store a case, or what its file adds to it; False if this very file was imported before.

    limits: how far its traces go on each chain. now: the wall clock. preset: what oversees it; None: nothing does.
    Where a chain was already followed past the height at which new watches begin, a back-fill is noted, and they count
    once it is published. Raises CaseRefused if the file changes what was imported.
    """
    with store.connection.begin():
        find = text("SELECT id FROM cases WHERE ref = :ref")
        case_id = store.connection.execute(find, {"ref": case.ref}).scalar()
        added = case
        if case_id is not None:
            imports = text("SELECT source_sha256 FROM case_import WHERE case_id = :c")
            if case.source_sha256 in {bytes(sha) for (sha,) in store.connection.execute(imports, {"c": case_id})}:
                return False
            added = additions(case, stored_case(store.connection, case_id))
        check_case(case)
        if case_id is None:
            case_id = next_id(store, "cases")
            kept = None if preset is None else keep_preset(store, preset)
            row = (case_id, case.ref, case.title, case.preset, case.source_sha256, kept)
            insert_many(store.connection, CaseRow, "id ref title preset source_sha256 preset_id", [row])
        imported = [(case_id, now, case.source_sha256)]
        insert_many(store.connection, CaseImportRow, "case_id imported_at source_sha256", imported)
        late = late_rows(store, added, case_id, chains)
        insert_declarations(store, added, case_id, chains, late)
        for chain, height in added.seizures.items():
            register_live(store.connection, case_id, chains[chain].id, height, limits.get(chain, Limits()), now)
        store.oversight.forget()
        for judged in (case_id, *sharing(store, case_id)):
            store.oversight.recorded(judged, now)
    return True


def sharing(store: Store, case_id: int) -> list[int]:
    """The other cases that watch a holder of a case: what was imported may concern them."""
    if store.connection.execute(text("SELECT count(*) FROM cases")).scalar_one() < 2:
        return []
    rows = store.connection.execute(
        text(
            "SELECT DISTINCT o.case_id FROM watch w JOIN watch o ON o.holder_id = w.holder_id"
            " WHERE w.case_id = :c AND o.case_id != :c ORDER BY o.case_id"
        ),
        {"c": case_id},
    )
    return [int(other) for (other,) in rows]


def keep_preset(store: Store, preset: Preset) -> int:
    """The number of a preset, stored by its content."""
    known = store.connection.execute(text("SELECT id FROM preset WHERE sha256 = :s"), {"s": preset.sha256}).scalar()
    if known is not None:
        return int(known)
    number = next_id(store, "preset")
    insert_many(store.connection, PresetRow, "id name sha256 text", [(number, preset.name, preset.sha256, preset.text)])
    return number


def late_rows(store: Store, case: Case, case_id: int, chains: Mapping[ChainId, ChainHandle]) -> dict[ChainId, int]:
    """Note a back-fill on every chain that was followed to where a case's new watches begin, or its seizure lies.

    Returns its number by chain. What comes while a back-fill of the case is under way joins it, from the lower height.
    """
    late: dict[ChainId, int] = {}
    for chain, handle in chains.items():
        births = [watch.birth for watch in case.watches if watch.chain == chain]
        starts = [*births, *([case.seizures[chain]] if chain in case.seizures else [])]
        keys = {"c": handle.id, "case": case_id}
        tip = store.connection.execute(text("SELECT max(height) FROM block WHERE chain_id = :c"), keys).scalar()
        if tip is None or not starts:
            continue
        first = max(1, min(starts))
        pending = store.connection.execute(
            text(
                "SELECT id, from_height FROM backfill WHERE chain_id = :c AND case_id = :case"
                " AND published_height IS NULL"
            ),
            keys,
        ).first()
        if pending is None and first > tip:
            continue
        number = next_id(store, "backfill") if pending is None else int(pending[0])
        if pending is None:
            row = (number, case_id, handle.id, first, first - 1)
            insert_many(store.connection, BackfillRow, "id case_id chain_id from_height done_height", [row])
        elif first < pending[1]:
            restart(store, number, first)
        late[chain] = number
    return late


def restart(store: Store, backfill_id: int, first: int) -> None:
    """Let a back-fill begin anew at a lower height; what it stored stays, and is found again."""
    store.connection.execute(
        text(
            "UPDATE backfill SET from_height = :f, done_height = :f - 1, done_hash = NULL, join_height = NULL"
            " WHERE id = :id"
        ),
        {"id": backfill_id, "f": first},
    )


def next_id(store: Store, table: str) -> int:
    """The first free id of a table."""
    return int(store.connection.execute(text(f"SELECT coalesce(max(id), 0) + 1 FROM {table}")).scalar_one())


def insert_declarations(
    store: Store,
    case: Case,
    case_id: int,
    chains: Mapping[ChainId, ChainHandle],
    late: Mapping[ChainId, int],
) -> None:
    """Insert declarations of a case inside the caller's transaction; they may name what it declared before.

    late: per chain the back-fill that they wait for.
    """
    connection = store.connection
    heights = [(case_id, chains[chain].id, height, late.get(chain)) for chain, height in case.seizures.items()]
    insert_many(connection, SeizureRow, "case_id chain_id height late_id", heights)
    known = stored_refs(connection, case_id)
    institutions, documents = insert_papers(store, case, case_id)
    institutions, documents = known.institutions | institutions, known.documents | documents
    first = next_id(store, "watch")
    fresh = {watch.ref: first + place for place, watch in enumerate(case.watches)}
    for chain, handle in chains.items():
        insert_watches(
            store, case_id, [w for w in case.watches if w.chain == chain], fresh, handle, institutions, late.get(chain)
        )
    watches = known.watches | fresh
    attested = [
        (watches[a.watch], institutions[a.institution], documents[a.document], a.valid_from, a.valid_to)
        for a in case.attestations
    ]
    insert_many(connection, AttestationRow, "watch_id institution_id document_id valid_from valid_to", attested)
    insert_legs(store, case.legs, case_id, watches, chains, late)


def insert_papers(store: Store, case: Case, case_id: int) -> tuple[dict[str, int], dict[str, int]]:
    """Insert institutions and documents; returns their ids by ref."""
    first = next_id(store, "institution")
    bodies = [
        (first + place, case_id, item.ref, item.name, item.part, orjson.dumps(item.aliases).decode())
        for place, item in enumerate(case.institutions)
    ]
    insert_many(store.connection, InstitutionRow, "id case_id ref name part aliases", bodies)
    first = next_id(store, "document")
    papers = [(first + place, case_id, item.ref, item.title, item.sha256) for place, item in enumerate(case.documents)]
    insert_many(store.connection, DocumentRow, "id case_id ref title sha256", papers)
    return {ref: row for row, _, ref, *_ in bodies}, {ref: row for row, _, ref, *_ in papers}


def insert_legs(
    store: Store,
    planned: Sequence[Leg],
    case_id: int,
    watches: Mapping[str, int],
    chains: Mapping[ChainId, ChainHandle],
    late: Mapping[ChainId, int],
    record_id: int | None = None,
) -> None:
    """Insert planned legs and the watches that they may debit; record_id: of the record that planned them, if any."""
    first = next_id(store, "leg")
    assets = {asset: row for handle in chains.values() for asset, row in handle.assets.items()}
    waits = {asset: late.get(chain) for chain, handle in chains.items() for asset in handle.assets}
    legs = [
        (
            first + place,
            case_id,
            leg.ref,
            leg.kind.value,
            assets[leg.asset],
            watches[leg.target],
            leg.amount,
            leg.tolerance,
            leg.max_fee,
            leg.not_before,
            leg.deadline,
            waits[leg.asset],
            leg.needs_test,
            record_id,
        )
        for place, leg in enumerate(planned)
    ]
    columns = "id case_id ref kind asset_id target_id amount tolerance max_fee not_before deadline late_id needs_test"
    insert_many(store.connection, LegRow, f"{columns} record_id", legs)
    sources = [(first + place, watches[source]) for place, leg in enumerate(planned) for source in leg.sources]
    insert_many(store.connection, LegSourceRow, "leg_id watch_id", sources)


def insert_watches(
    store: Store,
    case_id: int,
    watches: list[Watch],
    ids: Mapping[str, int],
    chain: ChainHandle,
    institutions: Mapping[str, int],
    late_id: int | None,
) -> None:
    """Insert a case's watches on one chain, in bounded portions: there may be a million."""
    for start in range(0, len(watches), 10_000):
        part = watches[start : start + 10_000]
        holders = store.holder_ids(chain, (watch.holder for watch in part), shown=len(watches) <= SHOWN_AT_ONCE)
        insert_many(
            store.connection,
            WatchRow,
            "id case_id holder_id ref role institution_id birth outpoints late_id storage",
            [
                (
                    ids[w.ref],
                    case_id,
                    holders[w.holder],
                    w.ref,
                    w.role.value,
                    institutions[w.institution] if w.institution is not None else None,
                    w.birth,
                    b"".join(w.outpoints) if w.outpoints is not None else None,
                    late_id,
                    w.storage,
                )
                for w in part
            ],
        )
