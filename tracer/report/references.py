"""Finds what a reference means: a transaction, an output, an address, a watch, in full or as tables shorten it."""

import re

from tracer.errors import OperatorError
from tracer.report.answer import Row
from tracer.store.reader import Reader

TXID = re.compile("(?:0x)?([0-9a-fA-F]{64})")
SHORTENED = re.compile(r"(?:0x)?([0-9A-Za-z]{2,})\.{2,3}([0-9A-Za-z]{2,})(:\d{1,10})?")
OUTPUT = re.compile(r"([0-9a-f]{64}):(\d{1,10})")
PAYS = ("out", "log", "trace")
MOST_NAMED = 5


class UnknownRef(OperatorError):
    """The store has nothing that a reference could mean, or several things."""

    fix = (
        "Give txid:n, a transaction id (also as tables shorten them), an address, a script in hex, a watch or a case;"
        " `tracer transfers` lists them."
    )


def in_full(reader: Reader, ref: str) -> str:
    """Write out a reference that is shortened as tables do it; others stay. Raises UnknownRef unless it is unique."""
    match = SHORTENED.fullmatch(ref)
    if match is None:
        return ref
    head, tail, index = match.groups(default="")
    like = f"{head}%{tail}"
    names = [name for (name,) in reader.raw("SELECT DISTINCT lower(hex(txid)) FROM tx WHERE hex(txid) LIKE :l", l=like)]
    if not index:
        sql = "SELECT DISTINCT address FROM v_holder WHERE address LIKE :l OR address LIKE '0x' || :l"
        names += [name for (name,) in reader.raw(sql, l=like)]
    if not names:
        raise UnknownRef(f"{ref!r} is not in the store")
    if len(names) > 1:
        told = ", ".join(name + index for name in sorted(names)[:MOST_NAMED])
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        raise UnknownRef(f"{ref!r} may be any of {len(names)}", f"Give one in full: {told}{more}.")
    return str(names[0]) + index


def movements_of(reader: Reader, ref: str) -> list[Row]:
    """The stored movements that a reference names, canonical or not; none for a holder that was paid nothing.

    On account chains txid:n is the payment by log n of the transaction, or where it has none by its value transfer n.
    Raises UnknownRef.
    """
    bare = ref.removeprefix("0x").lower()
    if match := OUTPUT.fullmatch(bare):
        rows = of_transaction(reader, match[1])
        index = int(match[2])
        rows = [row for row in rows if row["kind"] in PAYS and row["idx"] == index]
        rows = [row for row in rows if row["kind"] == "log"] or rows
    elif re.fullmatch(r"[0-9a-f]{64}", bare):
        rows = of_transaction(reader, bare)
    else:
        return moved_to(reader, holders_named(reader, ref))
    if not rows:
        raise UnknownRef(f"{ref!r} is not in the store")
    return rows


def holders_named(reader: Reader, ref: str) -> list[int]:
    """The holders that a reference names: of a watch, or by address, script or account; raises UnknownRef."""
    found = of_watch(reader, ref)
    if not found:
        low, bare = ref.lower(), ref.removeprefix("0x").lower()
        sql = "SELECT holder_id FROM v_holder WHERE address = :ref OR holder = :bare OR address = :low"
        found = [number for (number,) in reader.raw(sql, ref=ref, bare=bare, low=low)]
    if not found:
        raise UnknownRef(f"{ref!r} is not in the store")
    return found


def of_transaction(reader: Reader, txid: str) -> list[Row]:
    """A transaction's stored movements, canonical or not."""
    return reader.rows("SELECT * FROM v_movement_all WHERE txid_bytes = :txid", txid=bytes.fromhex(txid))


def of_watch(reader: Reader, ref: str) -> list[int]:
    """The holders of a watch, by its whole name or, where it stands for many, by what the case file calls it."""
    sql = "SELECT holder_id FROM watch WHERE ref = :ref OR substr(ref, 1, length(:ref) + 1) = :ref || '/'"
    return [number for (number,) in reader.raw(sql, ref=ref)]


def moved_to(reader: Reader, holders: list[int]) -> list[Row]:
    """What moved to some holders."""
    return reader.among("SELECT * FROM v_movement_all WHERE target_id IN ({numbers})", holders)
