"""Answers which labels there are, which of them contradict each other, and which hash stands for them."""

from collections.abc import Collection

from tracer.attribution.labels import EXCHANGE, Label, snapshot
from tracer.errors import OperatorError
from tracer.report.answer import CONTRADICTED, SHOWN, Answer, Check, Row, as_of
from tracer.report.places import last_config
from tracer.store.labelled import labels_in_force, labels_of_pack
from tracer.store.reader import Reader
from tracer.types import Lane

PACKS = """SELECT id, title, creator, kind, lower(hex(sha256)) AS sha256, lower(hex(snapshot)) AS snapshot,
    superseded_by IS NULL AS in_force, (SELECT count(*) FROM label l WHERE l.pack_id = p.id) AS labels
    FROM label_pack p ORDER BY id"""


class NoLabels(OperatorError):
    """No pack of labels was imported."""

    fix = "Import one with `tracerd labels import FILE`."


def labels(reader: Reader, address: str | None) -> Answer:
    """Answer what the packs in force say, of all addresses or of one: an address, a script in hex, or a watch.

    Of one address also what is no longer in force. Raises NoLabels.
    """
    packs = reader.rows(PACKS)
    if not packs:
        raise NoLabels("the store has no labels")
    chains = reader.rows("SELECT * FROM v_chain ORDER BY chain")
    answer = Answer("labels", [as_of(chain) for chain in chains], {}, config_sha256=last_config(reader))
    wanted, values = ("in_force", {}) if address is None else _about(reader, address)
    order = "chain, coalesce(holder, address), label_id"
    rows = reader.rows(f"SELECT * FROM v_label WHERE {wanted} ORDER BY {order}", **values)
    shown = {row["label_id"] for row in rows}
    conflicts = reader.rows("SELECT * FROM v_label_conflict ORDER BY label_id, other_id")
    answer.data = {
        "address": address,
        "labels": rows,
        "conflicts": [row for row in conflicts if row["label_id"] in shown],
        "packs": packs,
        **in_force(list(labels_in_force(reader.connection))),
    }
    answer.lanes.append(Lane.INFERRED.name)
    answer.checks += pack_checks(reader, packs)
    return answer


def in_force(found: Collection[Label]) -> Row:
    """How an answer names the labels that it used: how many, and their one hash."""
    return {"labels_in_force": len(found), "label_snapshot": snapshot(found).hex()}


def pack_checks(reader: Reader, packs: list[Row]) -> list[Check]:
    """Check that every stored pack still says what was imported."""
    checks = []
    for pack in packs:
        found = snapshot(labels_of_pack(reader.connection, bytes.fromhex(pack["sha256"]))).hex()
        same = found == pack["snapshot"]
        said = f"{pack['labels']} labels as imported" if same else f"imported as {pack['snapshot']}, stored as {found}"
        checks.append(Check("LABEL-1", f"pack {pack['title']}", SHOWN if same else CONTRADICTED, said))
    return checks


def is_exchange(label: Label) -> bool:
    """Whether a label calls its holder an exchange."""
    return EXCHANGE in {part.strip().lower() for part in label.category.split(",")}


def _about(reader: Reader, address: str) -> tuple[str, dict[str, object]]:
    """The condition on v_label that an address, a script in hex, or a watch stands for."""
    found = reader.rows(
        "SELECT DISTINCT holder FROM v_holder WHERE address IN (:a, :low) OR holder = :bare"
        " UNION SELECT holder FROM v_watch WHERE watch_ref = :a",
        a=address,
        low=address.lower(),
        bare=address.removeprefix("0x").lower(),
    )
    holders = [row["holder"] for row in found] or [address.removeprefix("0x").lower()]
    names = {f"h{place}": holder for place, holder in enumerate(holders)}
    written = "address = :a OR lower(address) = :low"
    wanted = f"holder IN ({', '.join(':' + name for name in names)}) OR {written}"
    wanted += f" OR holder IN (SELECT holder FROM v_label WHERE {written})"  # however other packs write it
    return wanted, {"a": address, "low": address.lower() if address[:2].lower() == "0x" else address, **names}
