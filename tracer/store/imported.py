"""What a case has declared so far: the next file must repeat it unchanged, and may add to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import orjson
from sqlalchemy import Connection, text

from tracer.custody.case import Attestation, Case, Document, Institution, Leg, LegKind, Watch
from tracer.errors import CaseRefused
from tracer.types import AssetId, ChainId, Holder, Outpoint, Role


class Named(Protocol):
    """A declaration with a ref of its own."""

    @property
    def ref(self) -> str:
        """Unique among its kind in the case."""


N = TypeVar("N", bound=Named)


@dataclass(frozen=True, slots=True)
class Refs:
    """The row numbers of what is stored, by ref."""

    institutions: dict[str, int]
    documents: dict[str, int]
    watches: dict[str, int]


def stored_refs(connection: Connection, case_id: int) -> Refs:
    """Read the refs of a case's rows; empty for a case that is not stored yet."""

    def refs(table: str) -> dict[str, int]:
        rows = connection.execute(text(f"SELECT ref, id FROM {table} WHERE case_id = :c"), {"c": case_id})
        return {str(ref): int(row) for ref, row in rows}

    return Refs(refs("institution"), refs("document"), refs("watch"))


def stored_case(connection: Connection, case_id: int) -> Case:
    """Read a case back as it was declared, over all its imports."""

    def rows(sql: str) -> Iterable[Sequence[object]]:
        return [tuple(row) for row in connection.execute(text(sql), {"c": case_id})]

    ref, title, preset, sha = connection.execute(
        text("SELECT ref, title, preset, source_sha256 FROM cases WHERE id = :c"), {"c": case_id}
    ).one()
    sources: dict[str, list[str]] = {}
    for leg, watch in connection.execute(
        text(
            "SELECT l.ref, w.ref FROM leg_source s JOIN leg l ON l.id = s.leg_id JOIN watch w ON w.id = s.watch_id"
            " WHERE l.case_id = :c ORDER BY s.watch_id"
        ),
        {"c": case_id},
    ):
        sources.setdefault(leg, []).append(watch)
    seizures = rows("SELECT k.caip2, s.height FROM seizure s JOIN chain k ON k.id = s.chain_id WHERE s.case_id = :c")
    return Case(
        ref=ref,
        title=title,
        preset=preset,
        seizures={ChainId(str(chain)): int(str(height)) for chain, height in seizures},
        institutions=tuple(
            Institution(str(ref), str(name), str(part), tuple(orjson.loads(str(aliases))))
            for ref, name, part, aliases in rows("SELECT ref, name, part, aliases FROM institution WHERE case_id = :c")
        ),
        watches=tuple(stored_watches(connection, case_id)),
        documents=tuple(
            Document(*row)  # type: ignore[arg-type]
            for row in rows("SELECT ref, title, sha256 FROM document WHERE case_id = :c AND record_id IS NULL")
        ),
        attestations=tuple(
            Attestation(*row)  # type: ignore[arg-type]
            for row in rows(
                "SELECT w.ref, i.ref, d.ref, a.valid_from, a.valid_to FROM attestation a JOIN watch w ON w.id ="
                " a.watch_id JOIN institution i ON i.id = a.institution_id JOIN document d ON d.id = a.document_id"
                " WHERE w.case_id = :c AND a.record_id IS NULL"
            )
        ),
        legs=tuple(stored_legs(connection, case_id, sources)),
        source_sha256=bytes(sha),
    )


def stored_watches(connection: Connection, case_id: int) -> Iterable[Watch]:
    """Read the watches of a case back."""
    for row in connection.execute(
        text(
            "SELECT w.ref, k.caip2, h.key, w.role, i.ref AS body, w.birth, w.outpoints, w.storage FROM watch w"
            " JOIN holder h ON h.id = w.holder_id JOIN chain k ON k.id = h.chain_id"
            " LEFT JOIN institution i ON i.id = w.institution_id WHERE w.case_id = :c ORDER BY w.id"
        ),
        {"c": case_id},
    ):
        joined = row.outpoints
        points = None if joined is None else tuple(Outpoint(joined[at : at + 36]) for at in range(0, len(joined), 36))
        holder = Holder(bytes(row.key))
        yield Watch(row.ref, ChainId(row.caip2), holder, Role(row.role), row.body, row.birth, points, row.storage)


def stored_legs(connection: Connection, case_id: int, sources: dict[str, list[str]]) -> Iterable[Leg]:
    """Read the legs of a case back."""
    for row in connection.execute(
        text(
            "SELECT l.*, a.caip19, w.ref AS target FROM leg l JOIN asset a ON a.id = l.asset_id"
            " JOIN watch w ON w.id = l.target_id WHERE l.case_id = :c AND l.record_id IS NULL ORDER BY l.id"
        ),
        {"c": case_id},
    ):
        amounts = (int(row.amount), int(row.tolerance), int(row.max_fee))
        yield Leg(row.ref, LegKind(row.kind), AssetId(row.caip19), tuple(sources.get(row.ref, ())), row.target,
                  *amounts, row.not_before, row.deadline, bool(row.needs_test))  # fmt: skip


def additions(case: Case, stored: Case) -> Case:
    """What a file adds to the case as stored; raises CaseRefused if it changes or leaves out anything."""

    def new(kind: str, given: Iterable[N], known: Iterable[N]) -> tuple[N, ...]:
        offered = {item.ref: item for item in given}
        for item in known:
            if offered.pop(item.ref, None) != item:
                raise changed(case, f"{kind} {item.ref}")
        return tuple(offered.values())

    if (case.title, case.preset) != (stored.title, stored.preset):
        raise changed(case, "its title or preset")
    if any(case.seizures.get(chain) != height for chain, height in stored.seizures.items()):
        raise changed(case, "a seizure height")
    if missing := [item for item in stored.attestations if item not in case.attestations]:
        raise changed(case, f"the attestation of {missing[0].watch}")
    return replace(
        case,
        seizures={chain: height for chain, height in case.seizures.items() if chain not in stored.seizures},
        institutions=new("institution", case.institutions, stored.institutions),
        watches=new("watch", case.watches, stored.watches),
        documents=new("document", case.documents, stored.documents),
        attestations=tuple(item for item in case.attestations if item not in stored.attestations),
        legs=new("leg", map(ordered, case.legs), map(ordered, stored.legs)),
    )


def ordered(leg: Leg) -> Leg:
    """A leg with its sources in a fixed order."""
    return replace(leg, sources=tuple(sorted(leg.sources)))


def changed(case: Case, what: str) -> CaseRefused:
    """The error for a file that does not repeat what was imported."""
    return CaseRefused(
        f"case {case.ref} was imported before, and the file changes or leaves out {what}",
        "Imported declarations never change: repeat them as they were, and add below. Nothing was written.",
    )
