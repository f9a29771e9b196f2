"""Answers what moved in and out of the watched addresses, and where each debiting transaction put the value."""

from tracer.errors import OperatorError
from tracer.report.answer import Answer, Row
from tracer.report.places import begin, case_chains
from tracer.store.reader import Reader

MOST_NAMED = 10
WHAT = {
    "in": "coin spent",
    "out": "coin received",
    "fee": "fee",
    "trace": "payment",
    "log": "token payment",
    "withdrawal": "withdrawal",
    "reward": "block reward",
}
PAYERS = """SELECT DISTINCT o.id AS movement_id, coalesce(w.ref, h.address, lower(hex(h.key))) AS payer
    FROM movement o JOIN movement i ON i.block_id = o.block_id AND i.kind = 0 AND coalesce(i.tx_id, 0) = o.tx_id
    JOIN holder h ON h.id = i.source_id
    LEFT JOIN watch w ON w.holder_id = i.source_id AND +w.case_id = (SELECT id FROM cases WHERE ref = :case_ref)
    WHERE o.kind = 1 AND o.id IN ({numbers}) ORDER BY i.id"""
WENT = """SELECT p.*, w.ref AS watch_ref FROM v_posting_all p
    LEFT JOIN movement m ON m.id = p.movement_id
    LEFT JOIN watch w ON w.holder_id = m.target_id AND +w.case_id = (SELECT id FROM cases WHERE ref = :case_ref)
    WHERE p.case_ref = :case_ref AND p.canonical = :canonical AND p.place <> 'seized' AND p.txid_bytes IN (
        SELECT txid_bytes FROM v_movement_all WHERE movement_id IN ({numbers}))"""


# The plus keeps SQLite from searching all watches of the case instead of the few of the holder.


class NoSuch(OperatorError):
    """A filter names what no case has."""

    fix = "Give one that the case file names."


def transfers(reader: Reader, filters: dict[str, str], orphaned: bool, limit: int | None) -> Answer:
    """Answer what moved in and out of the watched addresses; filters: values of columns, `case_ref` among them."""
    cases = case_chains(reader, filters.get("case_ref"))
    refuse_unknown(reader, cases, filters)
    answer = begin(reader, "transfers", cases)
    view = "v_transfer_orphaned" if orphaned else "v_transfer"
    wanted = " AND ".join(f"t.{column} = :{column}" for column in filters) or "1"
    rows = reader.rows(
        f"SELECT t.*, sw.ref AS source_watch, tw.ref AS target_watch FROM {view} t"
        " JOIN cases k ON k.ref = t.case_ref"
        " LEFT JOIN watch sw ON sw.holder_id = t.source_id AND +sw.case_id = k.id"
        " LEFT JOIN watch tw ON tw.holder_id = t.target_id AND +tw.case_id = k.id"
        f" WHERE {wanted} ORDER BY t.chain, t.height, t.tx_position, t.case_ref, t.movement_id, t.direction"
        f" LIMIT {-1 if limit is None else limit + 1}",
        **filters,
    )
    if limit is not None and len(rows) > limit:
        [(count,)] = reader.raw(f"SELECT count(*) FROM {view} t WHERE {wanted}", **filters)
        answer.left_out.append({"what": f"{count - limit} later transfers", "why": f"--limit {limit}"})
        rows = rows[:limit]
    add_counterparties(reader, rows)
    answer.data = {"transfers": rows, "went": where_it_went(reader, rows, filters.get("symbol")), "orphaned": orphaned}
    return answer


def refuse_unknown(reader: Reader, cases: list[Row], filters: dict[str, str]) -> None:
    """Refuse a watch, role, chain or asset that the cases do not have; raises NoSuch."""
    if not filters.keys() - {"case_ref", "direction"}:
        return
    refs, chains = {row["case_ref"] for row in cases}, {row["chain"] for row in cases}
    watches = [row for row in reader.raw("SELECT case_ref, watch_ref, role, chain FROM v_watch") if row[0] in refs]
    chains |= {row[3] for row in watches}
    assets = [
        row
        for row in reader.raw("SELECT c.name, a.symbol, a.kind FROM asset a JOIN chain c ON c.id = a.chain_id")
        if row[0] in chains
    ]
    known = {
        "watch_ref": ("watch", [row[1] for row in watches], None),
        "role": ("watch in the role", [row[2] for row in watches], None),
        "chain": ("chain", [name for name in chains if name is not None], None),
        "symbol": ("asset", [row[1] for row in assets if row[2] in ("native", "listed")], [row[1] for row in assets]),
    }
    for column, (what, told, also) in known.items():
        given = filters.get(column)
        if given is not None and given not in told and given not in (also or ()):
            names = sorted(set(told))
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            whose = f"case {filters['case_ref']}" if "case_ref" in filters else "the store"
            raise NoSuch(f"{whose} has no {what} {given!r}", f"It has {', '.join(names[:MOST_NAMED]) or 'none'}{more}.")


def add_counterparties(reader: Reader, rows: list[Row]) -> None:
    """Say of each transfer in words what it is, and who is on the other side: a watch of the case, else an address."""
    payers: dict[tuple[str, int], list[str]] = {}
    for case_ref in {row["case_ref"] for row in rows}:
        made = [row["movement_id"] for row in rows if row["case_ref"] == case_ref and row["kind"] == "out"]
        for payer in reader.among(PAYERS, made, case_ref=case_ref):
            payers.setdefault((case_ref, payer["movement_id"]), []).append(payer["payer"])
    for row in rows:
        source, target = row.pop("source_watch") or row["source"], row.pop("target_watch") or row["target"]
        row["what"] = WHAT[row["kind"]]
        row["counterparties"] = payers.get((row["case_ref"], row["movement_id"]), [])
        if row["kind"] != "out":
            other = source if row["direction"] == "in" else target
            row["counterparties"] = [] if other is None else [other]


def where_it_went(reader: Reader, rows: list[Row], symbol: str | None) -> list[Row]:
    """The postings of the transactions among some transfers that debit a watched address."""
    found: list[Row] = []
    for case_ref in dict.fromkeys(row["case_ref"] for row in rows):
        debits = [row for row in rows if row["case_ref"] == case_ref and row["direction"] == "out"]
        blocks = {(row["block_hash"], row["txid"]) for row in debits}
        numbers = [row["movement_id"] for row in debits]
        canonical = {row["canonical"] for row in debits} == {1}
        once: dict[int, Row] = {}
        for row in reader.among(WENT, numbers, case_ref=case_ref, canonical=canonical):
            if (row["block_hash"], row["txid"]) in blocks and symbol in (None, row["symbol"]):
                once[row["posting_id"]] = row
        found += [once[number] for number in sorted(once)]
    return found
