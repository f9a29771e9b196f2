"""Holds the rows by which blocks are judged against the records that they were made from."""

from collections.abc import Iterator
from typing import TypeVar

import orjson
from pydantic import ValidationError
from sqlalchemy import Connection, text

from tracer.custody.record import Body
from tracer.custody.records import Filing, PlannedLeg, Statement
from tracer.strict import Unfit, Unreadable
from tracer.types import Asset, AssetId, AssetKind
from tracer.units import base_units


def altered_rows(connection: Connection, case_id: int) -> list[str]:
    """The legs, attestations and documents of a case that are not what was filed, or are missing; empty if all are."""
    keys = {"c": case_id}
    return [*altered_legs(connection, keys), *altered_attestations(connection, keys), *altered_papers(connection, keys)]


def altered_legs(connection: Connection, keys: dict[str, int]) -> Iterator[str]:
    """Recorded legs, each held against its record field by field."""
    sources: dict[int, list[str]] = {}
    for leg_id, ref in connection.execute(
        text(
            "SELECT s.leg_id, w.ref FROM leg l JOIN leg_source s ON s.leg_id = l.id JOIN watch w ON w.id = s.watch_id"
            " WHERE l.case_id = :c AND l.record_id IS NOT NULL ORDER BY w.ref"
        ),
        keys,
    ):
        sources.setdefault(leg_id, []).append(ref)
    for row in connection.execute(
        text(
            "SELECT r.ref AS filed, r.body, l.*, w.ref AS target, k.name || ':' || a.symbol AS asset, a.decimals,"
            " (SELECT n.decimals FROM asset n WHERE n.chain_id = k.id AND n.kind = 'native') AS fee_decimals"
            " FROM record r LEFT JOIN leg l ON l.record_id = r.id LEFT JOIN watch w ON w.id = l.target_id"
            " LEFT JOIN asset a ON a.id = l.asset_id LEFT JOIN chain k ON k.id = a.chain_id"
            " WHERE r.case_id = :c AND r.kind = 'leg' ORDER BY r.id"
        ),
        keys,
    ):
        said = read(PlannedLeg, row.body)
        if said is None or row.decimals is None or row.fee_decimals is None:
            yield f"leg {row.filed}"
            continue
        name = (said.what, said.asset, said.to, sorted(set(said.sources)), said.not_before, said.deadline)
        plan = (row.filed, *name, said.needs_test)
        kept = (row.ref, row.kind, row.asset, row.target, sources.get(row.id, []), row.not_before, row.deadline)
        if plan != (*kept, bool(row.needs_test)) or row.case_id != keys["c"]:
            yield f"leg {row.filed}"
            continue
        asset, fee = of(row.decimals), of(row.fee_decimals)
        try:
            wanted = [base_units(said.amount, asset), base_units(said.tolerance, asset), base_units(said.max_fee, fee)]
        except Unfit:
            wanted = []
        if wanted != [int(row.amount), int(row.tolerance), int(row.max_fee)]:
            yield f"leg {row.filed}"


B = TypeVar("B", bound=Body)


def read(body: type[B], text_: str) -> B | None:
    """What a record says; None if it does not say that any more."""
    try:
        return body.model_validate(orjson.loads(text_))
    except (orjson.JSONDecodeError, ValidationError, Unreadable):
        return None


def of(decimals: int) -> Asset:
    """Any asset of so many places."""
    return Asset(AssetId(""), "", decimals, AssetKind.NATIVE)


def altered_attestations(connection: Connection, keys: dict[str, int]) -> Iterator[str]:
    """Recorded attestations, each held against its record and the document that it rests on."""
    for row in connection.execute(
        text(
            "SELECT r.ref AS filed, r.body, r.document, a.*, w.ref AS watch, i.ref AS institution, d.sha256"
            " FROM record r LEFT JOIN attestation a ON a.record_id = r.id LEFT JOIN watch w ON w.id = a.watch_id"
            " AND w.case_id = :c LEFT JOIN institution i ON i.id = a.institution_id LEFT JOIN document d"
            " ON d.id = a.document_id WHERE r.case_id = :c AND r.kind = 'attestation' ORDER BY r.id"
        ),
        keys,
    ):
        said = read(Statement, row.body)
        plan = () if said is None else (said.watch, said.institution, said.valid_from, said.valid_to, row.document)
        if plan != (row.watch, row.institution, row.valid_from, row.valid_to, row.sha256):
            yield f"attestation {row.filed}"


def altered_papers(connection: Connection, keys: dict[str, int]) -> Iterator[str]:
    """Recorded documents, each held against its record."""
    for row in connection.execute(
        text(
            "SELECT r.ref AS filed, r.body, r.document, d.ref, d.title, d.sha256 FROM record r LEFT JOIN document d"
            " ON d.record_id = r.id WHERE r.case_id = :c AND r.kind = 'document' ORDER BY r.id"
        ),
        keys,
    ):
        said = read(Filing, row.body)
        if said is None or (row.filed, said.title, row.document) != (row.ref, row.title, row.sha256):
            yield f"document {row.filed}"
