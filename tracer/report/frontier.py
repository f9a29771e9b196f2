"""Answers where followed value is now: outside custody and at the ends of its traces, with sums over everything."""

from collections.abc import Iterator, Mapping

from tracer.report.answer import CONTRADICTED, SHOWN, Answer, Check, Row
from tracer.report.places import begin, case_chains
from tracer.report.tracing import FIRST_HOP, legend
from tracer.store.reader import Reader
from tracer.types import HELD_ROLES

Place = tuple[int | None, str | None, str]
"""A movement, or what an account holds of an asset: (movement, address, asset)."""

IN_CUSTODY = "coin", "in custody, unspent"
KEPT = "balance", "in custody"
PLANNED_FEE = "fee", "of planned legs"


def frontier(reader: Reader, case_ref: str | None, method: str | None, everything: bool = False) -> Answer:
    """Answer where seized value that is followed is now: outside custody and at its ends, or everything."""
    cases = case_chains(reader, case_ref)
    answer = begin(reader, "frontier", cases)
    answer.data = {"frontier": [], "labels": [], "sums": []}
    for row in cases:
        if row["chain"] is None:
            continue
        keys = {"case_ref": row["case_ref"], "chain": row["chain"]}
        rows = reader.rows(
            "SELECT * FROM v_frontier WHERE case_ref = :case_ref AND chain = :chain"
            " ORDER BY method, state DESC, height, movement_id, label",
            **keys,
        )
        rows = together([r for r in rows if method in (None, r["method"])])
        hidden = {} if everything else unlisted(reader, row["case_ref"], rows)
        answer.data["frontier"] += [r for r in rows if place_of(r) not in hidden]
        answer.data["labels"] += legend(reader, row["case_ref"], row["chain"], {r["label"] for r in rows})
        answer.left_out += not_listed(rows, hidden)
        for name in sorted({r["method"] for r in rows}):
            mine = [r for r in rows if r["method"] == name]
            add_sums(reader, answer, keys, name, mine)
            answer.left_out += [budget_row(r) for r in mine if (r["boundary"] or "").startswith("budget")]
    return answer


def together(rows: list[Row]) -> list[Row]:
    """Put the lots of one label together that an account holds."""
    found: dict[tuple[object, ...], Row] = {}
    for row in rows:
        lot = row["state"] == "live" and row["movement_id"] is None
        key = (row["method"], row["label"], *place_of(row)) if lot else (id(row),)
        if key in found:
            units = str(int(found[key]["traced"]) + int(row["traced"]))
            found[key] |= {"traced": units, "amount": units, "hop": max(found[key]["hop"], row["hop"])}
        else:
            found[key] = dict(row)
    return list(found.values())


def place_of(row: Row) -> Place:
    """Where a row of the frontier is: a movement, or what an account holds of an asset."""
    return row["movement_id"], row["address"], row["asset"]


def unlisted(reader: Reader, case_ref: str, rows: list[Row]) -> dict[Place, tuple[str, str]]:
    """What is not listed without `--all`, by place: what is in custody, and fees that planned legs explain."""
    held = {role.value for role in HELD_ROLES}
    fees: dict[str, set[str]] = {"fee": set(), "unexplained": set()}
    for place, txid in reader.raw(
        "SELECT place, txid FROM v_posting WHERE case_ref = :case_ref"
        " AND (place = 'fee' OR (place = 'unexplained' AND movement_id IS NULL))",
        case_ref=case_ref,
    ):
        fees[place].add(txid)
    planned = fees["fee"] - fees["unexplained"]
    hidden: dict[Place, tuple[str, str]] = {}
    for row in rows:
        if row["state"] == "live" and row["role"] in held:
            hidden[place_of(row)] = KEPT if row["movement_id"] is None else IN_CUSTODY
        elif row["boundary"] == "fee" and row["txid"] in planned:
            hidden[place_of(row)] = PLANNED_FEE
    return hidden


def not_listed(rows: list[Row], hidden: Mapping[Place, tuple[str, str]]) -> Iterator[Row]:
    """Say what is not listed: how many, and how much of each asset, by each method."""
    groups: dict[tuple[str, str, tuple[str, str]], list[Row]] = {}
    for row in rows:
        if place_of(row) in hidden:
            groups.setdefault((row["method"], row["asset"], hidden[place_of(row)]), []).append(row)
    for (method, _, (thing, where)), group in groups.items():
        picked = ("case_ref", "chain", "method", "asset", "symbol", "decimals")
        count = len({place_of(row) for row in group})
        yield {
            "what": f"{method}: {count} {thing}{'' if count == 1 else 's'} {where}",
            "why": "not listed without --all",
            "amount": str(sum(int(row["traced"]) for row in group)),
            "count": count,
        } | {key: group[0][key] for key in picked}


def add_sums(reader: Reader, answer: Answer, keys: dict[str, str], method: str, rows: list[Row]) -> None:
    """Check that the frontier holds exactly what was seeded, or on account chains what is unexplained."""
    if method == FIRST_HOP:
        sql = "SELECT NULL AS label, symbol, decimals, asset, unexplained AS amount FROM v_conservation"
    else:
        sql = "SELECT label, symbol, decimals, asset, amount FROM v_trace_seed"
    found: dict[tuple[object, object, str], int] = {}
    for row in rows:
        key = row["label"], row["asset"], row["state"]
        found[key] = found.get(key, 0) + int(row["traced"])
    wrong: list[str] = []
    seeds = reader.rows(f"{sql} WHERE case_ref = :case_ref AND chain = :chain ORDER BY label", **keys)
    swapped = {} if method == FIRST_HOP else converted(reader, keys, method)
    seeds += [
        {"label": label, **kind, "amount": "0"}
        for (label, asset), (_, kind) in swapped.items()
        if not any((seed["label"], seed["asset"]) == (label, asset) for seed in seeds)
    ]
    for seed in seeds:
        live = found.pop((seed["label"], seed["asset"], "live"), 0)
        leaves = found.pop((seed["label"], seed["asset"], "leaf"), 0)
        came = swapped[seed["label"], seed["asset"]][0] if (seed["label"], seed["asset"]) in swapped else 0
        begun = int(seed.pop("amount")) + came
        if begun != live + leaves:
            wrong.append(f"label {seed['label']}: {begun} {seed['symbol']} units seeded, {live + leaves} found")
        if begun or live or leaves:
            sums = {
                "begun": str(begun),
                "converted": str(came),
                "live": str(live),
                "leaves": str(leaves),
                "exact": begun == live + leaves,
            }
            answer.data["sums"].append({**keys, "method": method, **seed, **sums})
    wrong += [f"label {label}: {units} units of {asset} without a seed" for (label, asset, _), units in found.items()]
    said = (
        wrong[0]
        if wrong
        else "what is live and leaves add up to what was " + ("unexplained" if method == FIRST_HOP else "seized")
    )
    subject = f"{keys['case_ref']} {keys['chain']} {method}"
    answer.checks.append(Check("TRACE-2", subject, CONTRADICTED if wrong else SHOWN, said))


def converted(reader: Reader, keys: dict[str, str], method: str) -> dict[tuple[int, str], tuple[int, Row]]:
    """How many units of each label came by a swap into which asset, and what is to be said of the asset."""
    found: dict[tuple[int, str], tuple[int, Row]] = {}
    for label, asset, symbol, decimals, amount in reader.raw(
        "SELECT e.ordinal, a.caip19, a.symbol, a.decimals, e.amount FROM trace_run r JOIN cases k ON k.id = r.case_id"
        " JOIN chain c ON c.id = r.chain_id JOIN trace_edge e ON e.run_id = r.id AND e.from_id <> e.to_id"
        " JOIN movement m ON m.id = e.to_id JOIN block b ON b.id = m.block_id AND b.canonical"
        " JOIN movement i ON i.id = e.from_id AND i.asset_id <> m.asset_id JOIN asset a ON a.id = m.asset_id"
        " WHERE k.ref = :case_ref AND c.name = :chain AND r.method = :method AND r.live AND r.superseded_by IS NULL"
        " AND e.ordinal IS NOT NULL",
        **keys,
        method=method,
    ):
        had, kind = found.get((label, asset), (0, {"symbol": symbol, "decimals": decimals, "asset": asset}))
        found[label, asset] = had + int(amount), kind
    return found


def budget_row(row: Row) -> Row:
    """A leaf that is not followed for want of budget, as something left out."""
    picked = ("case_ref", "chain", "method", "label", "outpoint", "address", "asset", "symbol", "decimals")
    return {"what": "traced value not followed", "why": row["boundary"], "amount": row["traced"]} | {
        key: row[key] for key in picked
    }
