"""The report on one case: every section from rows that were checked for it, and what was left out."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain as joined

from tracer.report.answer import Answer, Check, Row
from tracer.report.custody import add_conservation, judged_anew, leg_rows, leg_rule
from tracer.report.frontier import budget_row
from tracer.report.places import begin, case_chains
from tracer.report.proofs import proven_anew
from tracer.report.tracing import (
    Asked,
    CaseChain,
    case_starts,
    first_hops,
    forward,
    number_of,
    trace_row,
    whole_check,
)
from tracer.store.reader import Reader
from tracer.tracing import LIVE_METHODS
from tracer.types import Lane

WEAKER = {
    Lane.REPORTED.name: "what a node said",
    Lane.ATTESTED.name: "what an institution stated on a filed document",
    Lane.INFERRED.name: "an inference",
}
"""What claims without proof rest on."""
NOT_COUNTED = ("unlisted", "nft")


def report(reader: Reader, case_ref: str) -> Answer:
    """Answer everything about one case."""
    cases = case_chains(reader, case_ref)
    answer = begin(reader, "report", cases)
    answer.data = {"case": {key: cases[0][key] for key in ("case_ref", "title", "preset", "source_sha256")}}
    answer.data["case"]["chains"] = [
        {key: row[key] for key in ("chain", "seizure_height", "opened")} for row in cases if row["chain"] is not None
    ]
    answer.data["legs"] = list(leg_rows(reader, cases))
    for row in answer.data["legs"]:
        answer.verdicts.append(row["verdict"])
        answer.lanes.append(row["lane"])
        answer.checks.append(Check(leg_rule(row), f"{case_ref} {row['leg_ref']}", row["verdict"], row["reason"]))
    answer.data["conservation"] = []
    for case in cases:
        answer.checks += [*judged_anew(reader, case), *proven_anew(reader, case)]
        add_conservation(reader, answer, case)
    keys = {"case_ref": case_ref}
    answer.data["unexplained"] = reader.rows(
        "SELECT * FROM v_posting WHERE case_ref = :case_ref AND place = 'unexplained'"
        " ORDER BY chain, height, posting_id",
        **keys,
    )
    answer.data["leaks"] = list(leaks(reader, answer, cases))
    answer.data["orphaned"] = orphaned(reader, case_ref)
    chains = {case["chain"] for case in cases}
    answer.data["alerts"] = [
        row
        for row in reader.rows(
            "SELECT * FROM v_alert WHERE case_ref = :case_ref OR case_ref IS NULL ORDER BY alert_id", **keys
        )
        if row["case_ref"] is not None or row["chain"] in chains
    ]
    answer.left_out += joined(not_followed(reader, case_ref), not_counted(reader, case_ref), not_proven(answer))
    return answer


def leaks(reader: Reader, answer: Answer, cases: list[Row]) -> Iterator[Row]:
    """Where each leaked payment is now, by every method that is kept; on account chains also its first hop."""
    for case in cases:
        gone = [
            row
            for row in answer.data["unexplained"]
            if row["chain"] == case["chain"] and row["movement_id"] is not None
        ]
        if not gone:
            continue
        hops = {row["movement_id"]: row for row in first_hops(reader, case["case_ref"], case["chain"])}
        [whole] = case_starts(reader, [case])
        for row in gone:
            leak = {**row, "traces": [], "first_hop": hops.get(row["movement_id"])}
            of = CaseChain(case["case_ref"], number_of(reader, case), replace(whole, movements=(row["movement_id"],)))
            for method in LIVE_METHODS:
                found = forward(reader, of, Asked(method))
                if found is not None:
                    leak["traces"].append(trace_row(reader, of, method, *found))
                    subject = f"{case['case_ref']} {row['outpoint'] or row['txid']} {method}"
                    answer.checks.append(whole_check(subject, *found))
            ends = [
                [
                    (end["movement_id"], end["address"], end["asset"], end["state"], end["traced_total"])
                    for end in totals(trace)
                ]
                for trace in leak["traces"]
            ]
            leak["methods_agree"] = all(end == ends[0] for end in ends) if ends else None
            yield leak


def totals(trace: Row) -> list[Row]:
    """Where a trace ended, one row per coin, fee or account and asset, its labels added up."""
    ends: dict[tuple[object, ...], Row] = {}
    for end in trace["ends"]:
        place = end["movement_id"] or 0, "" if end["movement_id"] else end["address"], end["asset"]
        row = ends.setdefault(place, {**end, "traced_total": 0})
        row["traced_total"] += int(end["traced"])
    return [ends[place] for place in sorted(ends, key=lambda place: (not place[0], place))]


def orphaned(reader: Reader, case_ref: str) -> list[Row]:
    """The case's transactions that a reorg took off the chain, and whether they were mined again."""
    found: dict[tuple[str, str], Row] = {}
    for row in reader.rows(
        "SELECT * FROM v_transfer_orphaned WHERE case_ref = :case_ref ORDER BY chain, height, movement_id",
        case_ref=case_ref,
    ):
        key = row["block_hash"], row["txid"] or f"movement {row['movement_id']}"
        tx = found.setdefault(
            key,
            {name: row[name] for name in ("chain", "height", "block_hash", "time_utc", "txid")} | {"transfers": []},
        )
        tx["transfers"].append(
            {name: row[name] for name in ("watch_ref", "direction", "kind", "amount", "asset", "symbol", "decimals")}
        )
    for tx in found.values():
        again = (
            reader.rows(
                "SELECT DISTINCT height, block_hash, confirmations FROM v_movement WHERE txid_bytes = :txid",
                txid=bytes.fromhex(tx["txid"]),
            )
            if tx["txid"]
            else []
        )
        tx["mined_again"] = again[0] if again else None
        tx["legs"] = [
            ref
            for (ref,) in reader.raw(
                "SELECT DISTINCT leg_ref FROM v_posting_all WHERE case_ref = :case_ref AND NOT canonical"
                " AND block_hash = :block AND txid = :txid AND leg_ref IS NOT NULL ORDER BY leg_ref",
                case_ref=case_ref,
                block=tx["block_hash"],
                txid=tx["txid"],
            )
        ]
    return list(found.values())


def not_followed(reader: Reader, case_ref: str) -> Iterator[Row]:
    """Traced value at leaves that were cut for want of budget."""
    for row in reader.rows(
        "SELECT * FROM v_frontier WHERE case_ref = :case_ref AND boundary LIKE 'budget%'"
        " ORDER BY chain, method, height, movement_id",
        case_ref=case_ref,
    ):
        yield budget_row(row)


def not_counted(reader: Reader, case_ref: str) -> Iterator[Row]:
    """Transfers of assets that nobody vouches for, and payments to the exchange that no posting names."""
    posted = {
        number
        for (number,) in reader.raw(
            "SELECT e.movement_id FROM entry e JOIN cases k ON k.id = e.case_id WHERE k.ref = :ref",
            ref=case_ref,
        )
    }
    for row in reader.rows(
        "SELECT * FROM v_transfer WHERE case_ref = :case_ref"
        " AND (asset_class IN ('unlisted', 'nft') OR (direction = 'in' AND role IN ('exchange', 'refund')))"
        " ORDER BY chain, height, movement_id",
        case_ref=case_ref,
    ):
        if row["asset_class"] in NOT_COUNTED:
            why = f"{row['asset_class']} token, not on the allow-list"
        elif row["movement_id"] not in posted:
            why = "paid by others than the case"
        else:
            continue
        picked = (
            "chain",
            "txid",
            "height",
            "watch_ref",
            "direction",
            "asset",
            "symbol",
            "calls_itself",
            "decimals",
            "amount",
        )
        yield {"what": "transfer not counted", "why": why} | {key: row[key] for key in picked}


def not_proven(answer: Answer) -> Iterator[Row]:
    """The claims that no proof supports yet, by lane, with what was checked of them."""
    lanes: dict[str, int] = {}
    for row in [*answer.data["legs"], *answer.data["conservation"]]:
        for claim in row["claims"]:
            lanes[claim["lane"]] = lanes.get(claim["lane"], 0) + 1
    told = [f"{lanes[lane]} rest on {words} ({lane})" for lane, words in WEAKER.items() if lanes.get(lane)]
    if told:
        anchors = ", ".join(sorted({row["anchor"] for row in answer.as_of}))
        yield {
            "what": f"proof: of {sum(lanes.values())} claims, {' and '.join(told)}",
            "why": f"which nothing here verifies (anchor {anchors})",
        }
