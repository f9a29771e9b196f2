"""Answers about custody: status, and legs and conservation worked out anew."""

import json
from collections.abc import Iterator

from tracer.chain import Marks, marks_for
from tracer.custody.judge import judge_leg
from tracer.report.answer import (
    CONTRADICTED,
    NOT_SHOWN,
    SHOWN,
    Answer,
    Check,
    Row,
    add_anchor,
    as_of,
    overdue,
    standing,
)
from tracer.report.balances import left_open, said_open, value_check
from tracer.report.places import (
    NothingThere,
    begin,
    case_chains,
    gap,
    last_config,
    late_checks,
    left_unobserved,
    live_spans,
    unobserved,
)
from tracer.report.proofs import headers_anew, proven_anew
from tracer.report.recount import TERMS, Recount, recount
from tracer.store.chains import stored_policy
from tracer.store.load import CLOCK_SPAN, load_attestations, load_legs
from tracer.store.reader import Reader

OUT = 1
PATIENCE_S = 60


def status(reader: Reader, now: int | None, patience_s: int = PATIENCE_S) -> Answer:
    """Answer where following stands; `now`: the wall clock, to find out whether the store is stale."""
    chains = reader.rows("SELECT * FROM v_chain ORDER BY chain")
    if not chains:
        raise NothingThere("the store follows no chain yet", "Run `tracerd sync`.")
    cases = reader.rows("SELECT * FROM v_case ORDER BY case_ref, chain")
    data = {"chains": chains, "cases": cases}
    answer = Answer("status", [as_of(chain) for chain in chains], data, config_sha256=last_config(reader))
    gaps = left_unobserved(reader, answer, [chain["chain"] for chain in chains])
    for chain in chains:
        if chain["tip_height"] is None and chain["node_state"] == "idle":
            continue  # no case names it: there is nothing to follow
        answer.checks.append(standing(chain, live_spans(reader, chain["chain"]), None, gaps[chain["chain"]]))
        add_anchor(answer, chain)
        answer.checks += headers_anew(reader, chain["chain"])
        if now is not None:
            answer.checks.append(overdue(chain, now, patience_s))
            last = chain["contacted_at"]
            chain["silent_s"] = None if last is None else now - last
    answer.checks += late_checks(reader, {row["case_ref"] for row in cases})
    return answer


def legs(reader: Reader, case_ref: str | None) -> Answer:
    """Answer what was planned, what arrived and what stands judged, and judge every leg anew."""
    cases = case_chains(reader, case_ref)
    answer = begin(reader, "legs", cases)
    answer.data = {"legs": list(leg_rows(reader, cases))}
    for row in answer.data["legs"]:
        answer.verdicts.append(row["verdict"])
        answer.lanes.append(row["lane"])
        answer.checks.append(Check(leg_rule(row), f"{row['case_ref']} {row['leg_ref']}", row["verdict"], row["reason"]))
    answer.checks += [check for row in cases for check in (*judged_anew(reader, row), *proven_anew(reader, row))]
    return answer


def leg_rows(reader: Reader, cases: list[Row]) -> Iterator[Row]:
    """The legs of some cases, each with its arrivals and its claims spelt out."""
    natives = {
        chain: (symbol, decimals)
        for chain, symbol, decimals in reader.raw(
            "SELECT c.name, a.symbol, a.decimals FROM asset a JOIN chain c ON c.id = a.chain_id WHERE a.kind = 'native'"
        )
    }
    for case_ref in dict.fromkeys(row["case_ref"] for row in cases):
        arrived: dict[str, list[Row]] = {}
        for row in reader.rows(
            "SELECT * FROM v_leg_arrival WHERE case_ref = :case_ref ORDER BY height, movement_id",
            case_ref=case_ref,
        ):
            add_arrival(arrived.setdefault(row["leg_ref"], []), row)
        for leg in reader.rows("SELECT * FROM v_leg WHERE case_ref = :case_ref ORDER BY leg_number", case_ref=case_ref):
            leg["arrivals"] = arrived.get(leg["leg_ref"], [])
            leg["claims"] = spelt_out(reader, json.loads(leg["claims"]))
            leg["fee_symbol"], leg["fee_decimals"] = natives[leg["chain"]]
            leg["rule"] = leg_rule(leg)
            yield leg


def add_arrival(arrivals: list[Row], row: Row) -> None:
    """Add a row of v_leg_arrival to a leg's arrivals: one per movement, with what came beyond the plan in `excess`."""
    excess = int(row["amount"]) if row["reason"].endswith("excess") else 0
    last = arrivals[-1] if arrivals else None
    if last is None or (last["movement_id"], last["place"]) != (row["movement_id"], row["place"]):
        arrivals.append(row | {"excess": str(excess)})
        return
    last["amount"] = str(int(last["amount"]) + int(row["amount"]))
    last["excess"] = str(int(last["excess"]) + excess)
    last["reason"] = row["reason"] if excess else last["reason"]


def leg_rule(leg: Row) -> str:
    """The rule that a leg's verdict comes from."""
    reason = leg["reason"]
    if reason.startswith("late"):
        return "LEG-6"
    if reason.startswith("voided by reorg"):
        return "REORG-1"
    return "EXC-2" if "attestation" in reason else "LEG-5"


def spelt_out(reader: Reader, claims: list[Row]) -> list[Row]:
    """Add to each claim what its references name."""
    for claim in claims:
        named: list[Row] = []
        for ref in claim["refs"]:
            kind, _, number = ref.partition(":")
            if kind == "movement":
                sql = "SELECT txid, outpoint, height, block_hash FROM v_movement_all WHERE movement_id = :number"
            elif kind == "block":
                sql = "SELECT height, block_hash FROM v_block_all WHERE block_id = :number"
            elif kind == "attestation":
                sql = "SELECT institution, document, document_sha256 FROM v_attestation WHERE attestation_id = :number"
            else:
                continue
            named += [{"ref": ref, **row} for row in reader.rows(sql, number=int(number))]
        claim["named"] = named
    return claims


def judged_anew(reader: Reader, case: Row) -> Iterator[Check]:
    """Judge a case's legs on one chain again from its postings, and compare with the stored verdicts."""
    if not case["opened"]:
        return
    case_id, chain_id = numbers_of(reader, case)
    keys = {"case": case_id, "c": chain_id}
    [(confirmed, final, tip, peak, clock)] = reader.raw(
        "SELECT f.confirmed_height, f.final_height, t.height, f.peak_height, max(b.time)"
        " FROM follower f JOIN block t ON t.id = f.tip_id"
        " JOIN block b ON b.chain_id = f.chain_id AND b.height > t.height - :span AND b.canonical"
        " WHERE f.chain_id = :c",
        c=chain_id,
        span=CLOCK_SPAN,
    )
    stored = {
        ref: (verdict, reason, policy_id)
        for ref, verdict, reason, policy_id in reader.raw(
            "SELECT leg_ref, verdict, reason, policy_id FROM v_leg WHERE case_ref = :case_ref AND chain = :chain",
            case_ref=case["case_ref"],
            chain=case["chain"],
        )
    }
    attested = load_attestations(reader.connection, keys)
    policies = {row[2]: stored_policy(reader.connection, row[2]) for row in stored.values() if row[2] is not None}
    differing: list[str] = []
    for leg in load_legs(reader.connection, keys):
        verdict, reason, policy_id = stored[leg.plan.ref]
        marks = Marks(confirmed, final, tip, max(tip, peak))
        if policy_id is not None:
            marks = marks_for(marks, policies[policy_id], leg.plan.asset, leg.plan.amount)
        found = judge_leg(leg, clock, marks, attested.get(leg.plan.target, ()))
        if (found.verdict.value, found.reason) != (verdict, reason):
            differing.append(
                f"leg {leg.plan.ref} is stored as {verdict} ({reason}), found {found.verdict.value} ({found.reason})"
            )
    said = differing[0] if differing else f"{len(stored)} legs judged anew from their postings, as stored"
    yield Check("JUDGE-1", f"{case['case_ref']} {case['chain']}", CONTRADICTED if differing else SHOWN, said)


def numbers_of(reader: Reader, case: Row) -> tuple[int, int]:
    """The store's numbers of a case and its chain."""
    [(case_id,)] = reader.raw("SELECT id FROM cases WHERE ref = :ref", ref=case["case_ref"])
    [(chain_id,)] = reader.raw("SELECT id FROM chain WHERE name = :name", name=case["chain"])
    return int(case_id), int(chain_id)


def reconcile(reader: Reader, case_ref: str | None) -> Answer:
    """Answer whether every base unit is explained, by working out the equation anew at every block."""
    cases = case_chains(reader, case_ref)
    answer = begin(reader, "reconcile", cases)
    answer.data = {"conservation": []}
    for case in cases:
        add_conservation(reader, answer, case)
        answer.checks += proven_anew(reader, case)
    return answer


def add_conservation(reader: Reader, answer: Answer, case: Row) -> None:
    """Add a case's equations on one chain, with the checks that ran on them."""
    if case["chain"] is None:
        text = "nothing of the case is on a chain that is followed: it has no ledger"
        answer.checks.append(Check("RECON-1", case["case_ref"], NOT_SHOWN, text))
        return
    subject = f"{case['case_ref']} {case['chain']}"
    if not case["opened"]:
        where = f"height {case['seizure_height']}"
        if case["backfill_id"] is not None:
            where += ", and its past is back-filled"
        answer.checks.append(Check("RECON-1", subject, NOT_SHOWN, f"the ledger opens at {where}: not reached yet"))
        return
    gaps = [row for row in unobserved(reader) if row["chain"] == case["chain"] and row["counted"]]
    numbers, spans = numbers_of(reader, case), live_spans(reader, case["chain"])
    counts, coins = counted(reader, *numbers)
    for row in reader.rows(
        "SELECT * FROM v_conservation WHERE case_ref = :case_ref AND chain = :chain ORDER BY asset",
        case_ref=case["case_ref"],
        chain=case["chain"],
    ):
        count = counts[row["asset"]]
        row["claims"] = json.loads(row["claims"])
        row["recounted"] = {term: str(count.terms[term]) for term in TERMS}
        row["rule"] = "RECON-1"
        where = f"{subject} {row['symbol']}"
        doubts = [] if row["confirmed"] else ["not yet confirmed"]
        doubts += [gap(g) for g in gaps if g["asset"] in (None, row["asset"])]
        value = None
        if coins is None:
            value = value_check(reader, case, row, *numbers)
            doubts += said_open(left_open(reader, case, row["asset"], *numbers, spans))
            answer.checks.append(value)
        lost = value is not None and value.verdict == CONTRADICTED
        answer.checks.append(explained(where, row, count, doubts, lost))
        answer.checks.append(count.check(where, coins.get(row["asset"], 0) if coins is not None else None))
        answer.lanes.append(row["lane"])
        answer.data["conservation"].append(row)


def explained(subject: str, row: Row, count: Recount, doubts: list[str], lost: bool) -> Check:
    """Check that nothing is unexplained, nor `lost` unseen; what is in doubt makes a row without a leak not shown."""
    leaked = lost or count.terms["unexplained"] != 0
    if leaked != (row["verdict"] == CONTRADICTED):
        reason = f"stored as {row['verdict']}, but unexplained is {row['unexplained']}"
        return Check("RECON-1", subject, CONTRADICTED, reason)
    if not leaked and doubts:
        judged = [row["reason"]] if row["verdict"] == NOT_SHOWN else []
        row["verdict"], row["reason"] = NOT_SHOWN, "; ".join([*judged, *doubts])
    return Check("RECON-1", subject, row["verdict"], row["reason"])


def counted(reader: Reader, case_id: int, chain_id: int) -> tuple[dict[str, Recount], dict[str, int] | None]:
    """Work out a case's equations anew, and on UTXO chains what its unspent coins hold."""
    keys = {"case": case_id, "c": chain_id}
    of = "JOIN block b ON b.id = {0}.block_id AND b.canonical AND b.chain_id = :c JOIN asset a ON a.id = {0}.asset_id"
    order = "WHERE {0}.case_id = :case ORDER BY b.height"
    postings = reader.raw(f"SELECT b.id, a.caip19, e.place, e.amount FROM entry e {of} {order}".format("e"), **keys)
    held = reader.raw(f"SELECT b.id, a.caip19, h.holder_id, h.amount FROM held h {of} {order}".format("h"), **keys)
    terms = ", ".join(f"l.{term}" for term in TERMS)
    stored = (
        (block, height, asset, dict(zip(TERMS, map(int, amounts), strict=True)))
        for block, height, asset, *amounts in reader.raw(
            f"SELECT b.id, b.height, a.caip19, {terms} FROM ledger l {of} {order}".format("l"), **keys
        )
    )
    counts = recount(postings, held, stored)
    utxo = next(reader.raw("SELECT 1 FROM chain WHERE id = :c AND family = 'bitcoin'", c=chain_id), None)
    return counts, coins_of(reader, keys) if utxo else None


def coins_of(reader: Reader, keys: dict[str, int]) -> dict[str, int]:
    """The units in a case's unspent coins, per asset."""
    coins: dict[str, int] = {}
    for asset, amount in reader.raw(
        "SELECT a.caip19, m.amount FROM (SELECT DISTINCT e.movement_id FROM entry e JOIN block eb ON eb.id = e.block_id"
        " AND eb.canonical AND eb.chain_id = :c WHERE e.case_id = :case AND e.movement_id IS NOT NULL"
        " AND e.place IN ('seized', 'credit', 'internal', 'change', 'refund')) own JOIN movement m ON"
        f" m.id = own.movement_id AND m.kind = {OUT} JOIN asset a ON a.id = m.asset_id WHERE NOT EXISTS (SELECT 1"
        " FROM movement i JOIN block ib ON ib.id = i.block_id AND ib.canonical WHERE i.spends_id = m.id)",
        **keys,
    ):
        coins[asset] = coins.get(asset, 0) + int(amount)
    return coins
