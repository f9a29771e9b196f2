"""Keeps packs of labels in the store, each whole or not at all, and reads back what is in force."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from tracer.attribution.labels import Label, Pack, snapshot
from tracer.store.rows import insert_many
from tracer.store.tables import attributed

TEXTS = "address currency label category abuse confidence lastmod source extra"
LABELS = f"""SELECT k.caip2, l.holder_key, p.sha256, {", ".join("l." + name for name in TEXTS.split())}
    FROM label l JOIN label_pack p ON p.id = l.pack_id LEFT JOIN chain k ON k.id = l.chain_id"""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. new: the pack was not there before; replaced: how many labels it put out of force."""

    new: bool
    replaced: int


def import_pack(connection: Connection, pack: Pack, chains: dict[str, int], now: int) -> Imported:
    """Store a pack inside the caller's transaction, unless these very bytes are stored.

    A pack of the same kind, title and creator that is in force is superseded; its labels stay. chains: row numbers by
    CAIP-2 id. now: the wall clock.
    """
    if connection.execute(text("SELECT 1 FROM label_pack WHERE sha256 = :s"), {"s": pack.sha256}).first():
        return Imported(False, 0)
    insert_many(
        connection,
        attributed.LabelPackRow,
        "sha256 kind title creator imported_at snapshot",
        [(pack.sha256, pack.kind, pack.title, pack.creator, now, snapshot(pack.labels))],
    )
    number = connection.execute(text("SELECT id FROM label_pack WHERE sha256 = :s"), {"s": pack.sha256}).scalar_one()
    same = "kind = :kind AND title = :title AND creator = :creator AND superseded_by IS NULL AND id <> :new"
    keys = {"kind": pack.kind, "title": pack.title, "creator": pack.creator, "new": number}
    counted = f"SELECT count(*) FROM label WHERE pack_id IN (SELECT id FROM label_pack WHERE {same})"
    replaced = int(connection.execute(text(counted), keys).scalar_one())
    connection.execute(text(f"UPDATE label_pack SET superseded_by = :new WHERE {same}"), keys)
    insert_many(
        connection,
        attributed.LabelRow,
        f"pack_id chain_id holder_key {TEXTS}",
        ((number, None if one.chain is None else chains[one.chain], one.holder, *_texts(one)) for one in pack.labels),
    )
    return Imported(True, replaced)


def _texts(label: Label) -> tuple[str, ...]:
    return tuple(getattr(label, name) for name in TEXTS.split())


def labels_in_force(connection: Connection) -> Iterator[Label]:
    """The labels of all packs that no later one replaced, in the order in which they were imported."""
    return stored_labels(connection, "p.superseded_by IS NULL ORDER BY l.id")


def labels_of_pack(connection: Connection, sha256: bytes) -> Iterator[Label]:
    """The labels of one pack, in force or not."""
    return stored_labels(connection, "p.sha256 = :sha256 ORDER BY l.id", sha256=sha256)


def stored_labels(connection: Connection, wanted: str, **values: object) -> Iterator[Label]:
    """The labels that a condition (of SQL, on `l` and `p`) wants."""
    for chain, holder, sha256, *texts in connection.execute(text(f"{LABELS} WHERE {wanted}"), values):
        said = dict(zip(TEXTS.split(), map(str, texts), strict=True))
        yield Label(**said, chain=chain, holder=None if holder is None else bytes(holder), pack=bytes(sha256))
