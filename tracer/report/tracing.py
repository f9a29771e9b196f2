"""Reads traces for people: where the value behind a reference went, and which seized coins its labels are."""

from collections.abc import Collection

from tracer.report.answer import NOT_SHOWN, Answer, Check, Row
from tracer.report.forward import Forward
from tracer.report.places import begin, case_chains
from tracer.report.references import TXID, in_full, movements_of
from tracer.store.reader import Reader
from tracer.taint.following import FIFO

FIRST_HOP = "first-hop"
NOT_FOLLOWED = "on account chains only value that left custody unexplained is followed"
EDGE = "SELECT * FROM v_trace_edge WHERE case_ref = :case_ref AND method = :method AND label IS NOT NULL AND "
COIN = """SELECT m.movement_id, m.outpoint, m.txid, m.height, m.amount, m.asset, m.symbol, m.decimals,
    m.target AS address, w.watch_ref, w.role FROM v_movement m
    LEFT JOIN v_watch w ON w.case_ref = :case_ref AND w.holder_id = m.target_id WHERE m.movement_id IN ({numbers})"""


def follow(
    reader: Reader, case_ref: str, method: str, starts: Collection[int], labels: frozenset[int] | None
) -> Forward:
    """Follow a case's traced value from some outputs (movement numbers) as far as it goes."""
    keys = {"case_ref": case_ref, "method": method}
    seen, level = set(starts), sorted(starts)
    from_coin: dict[int, int] = {}
    while level:
        spent = reader.among(
            "SELECT movement_id, spends_id AS coin FROM v_movement WHERE spends_id IN ({numbers})", level
        )
        from_coin.update({row["movement_id"]: row["coin"] for row in spent})
        sinks = reader.among(
            EDGE.replace("*", "DISTINCT to_id, label") + "from_id IN ({numbers})",
            [r["movement_id"] for r in spent],
            **keys,
        )
        level = sorted({row["to_id"] for row in sinks if labels is None or row["label"] in labels} - seen)
        seen |= set(level)
    numbers = sorted(seen)
    edges = reader.among(EDGE + "to_id IN ({numbers})", numbers, **keys)
    coins = {row["movement_id"]: {**row, "hop": 0, "boundary": None} for row in reader.among(COIN, numbers, **keys)}
    for edge in edges:
        coins[edge["to_id"]].update(hop=edge["hop"], boundary=edge["boundary"])
    seeds = reader.among(
        "SELECT movement_id, label, amount FROM v_trace_seed WHERE case_ref = :case_ref AND movement_id IN ({numbers})",
        numbers,
        case_ref=case_ref,
    )
    return Forward(
        frozenset(starts),
        coins,
        edges,
        {row["movement_id"]: (row["label"], int(row["amount"])) for row in seeds},
        frozenset(seen - set(from_coin.values())),
        from_coin,
        labels,
    )


def trace_row(case_ref: str, chain: str, method: str, found: Forward) -> Row:
    """A forward trace as it stands in an answer."""
    return {
        "case_ref": case_ref,
        "chain": chain,
        "method": method,
        "labels": [],
        "starts": [coin for number, coin in sorted(found.coins.items()) if number in found.starts],
        "steps": found.steps,
        "ends": found.ends,
        "sums": [
            {
                "label": s.label,
                "begun": str(s.begun),
                "joined": str(s.joined),
                "live": str(s.live),
                "leaves": str(s.leaves),
                "exact": s.exact,
            }
            for s in found.sums
        ],
    }


def trace(reader: Reader, ref: str, method: str | None) -> Answer:
    """Answer where the value behind a reference went; raises UnknownRef."""
    cases = case_chains(reader, None)
    whole = [row for row in cases if row["case_ref"] == ref]
    ref = ref if whole else in_full(reader, ref)
    rows = [] if whole else movements_of(reader, ref)
    named = [row for row in rows if row["canonical"]]
    outputs = [row["movement_id"] for row in named if row["kind"] == "out"]
    answer = begin(reader, "trace", whole or cases)
    answer.data = {"ref": ref, "traces": [], "first_hops": hops_among(reader, ref, named), "postings": []}
    for row in whole or cases:
        if row["chain"] is None:
            continue
        case_ref, chain = row["case_ref"], row["chain"]
        if whole:
            outputs = seed_numbers(reader, case_ref, chain)
            answer.data["first_hops"] += first_hops(reader, case_ref, chain)
        starts, labels = traced_among(reader, case_ref, chain, method or FIFO, outputs)
        if starts:
            found = follow(reader, case_ref, method or FIFO, starts, None if whole else labels)
            answer.data["traces"].append(trace_row(case_ref, chain, method or FIFO, found))
            answer.data["traces"][-1]["labels"] = legend(reader, case_ref, chain, [s.label for s in found.sums])
            answer.checks.append(found.check(f"{case_ref} {chain} {method or FIFO}"))
    if rows and not named:
        answer.checks.append(Check("REORG-1", ref, NOT_SHOWN, "voided by reorg: its block left the chain"))
    if not answer.data["traces"] and not answer.data["first_hops"]:
        add_postings(reader, answer, named)
    return answer


def add_postings(reader: Reader, answer: Answer, named: list[Row]) -> None:
    """Where nothing is traced on an account chain, say that this shows little, and how it was posted."""
    coins = {chain for (chain,) in reader.raw("SELECT c.name FROM trace_run r JOIN chain c ON c.id = r.chain_id")}
    named = [row for row in named if row["chain"] not in coins]
    if not named:
        return
    ref = answer.data["ref"]
    if txid := TXID.fullmatch(ref):
        sql = "SELECT * FROM v_posting WHERE txid_bytes = :txid ORDER BY posting_id"
        answer.data["postings"] = reader.rows(sql, txid=bytes.fromhex(txid[1]))
    else:
        sql = "SELECT * FROM v_posting WHERE movement_id IN ({numbers}) ORDER BY posting_id"
        answer.data["postings"] = reader.among(sql, [row["movement_id"] for row in named])
    answer.checks.append(Check("COVERAGE", ref, NOT_SHOWN, NOT_FOLLOWED))


def hops_among(reader: Reader, ref: str, named: list[Row]) -> list[Row]:
    """The first hops among some movements, and where the reference is a transaction all of its first hops."""
    numbers = {row["movement_id"] for row in named}
    txids = {row["txid"] for row in named} if TXID.fullmatch(ref) else set()
    firsts = reader.rows(f"SELECT * FROM v_frontier WHERE method = '{FIRST_HOP}'") if named else []
    return [row for row in firsts if row["movement_id"] in numbers or row["txid"] in txids]


def seed_numbers(reader: Reader, case_ref: str, chain: str) -> list[int]:
    """The movements that made a case's seized coins on a chain."""
    sql = "SELECT movement_id FROM v_trace_seed WHERE case_ref = :case_ref AND chain = :chain ORDER BY label"
    return [number for (number,) in reader.raw(sql, case_ref=case_ref, chain=chain)]


def legend(reader: Reader, case_ref: str, chain: str, labels: Collection[int]) -> list[Row]:
    """Say which seized coins some labels are: the watch that held it, its outpoint and amount."""
    rows = reader.rows(
        "SELECT s.label, w.ref AS watch_ref, s.outpoint, s.address, s.amount, s.asset, s.symbol, s.decimals"
        " FROM v_trace_seed s JOIN movement m ON m.id = s.movement_id LEFT JOIN watch w ON w.holder_id = m.target_id"
        " AND +w.case_id = (SELECT id FROM cases WHERE ref = :case_ref)"
        " WHERE s.case_ref = :case_ref AND s.chain = :chain ORDER BY s.label",
        case_ref=case_ref,
        chain=chain,
    )
    return [{"case_ref": case_ref, "chain": chain, **row} for row in rows if row["label"] in labels]


def traced_among(
    reader: Reader, case_ref: str, chain: str, method: str, outputs: list[int]
) -> tuple[list[int], frozenset[int]]:
    """Which of some outputs carry a case's traced value, and which labels."""
    seeds = reader.among(
        "SELECT movement_id, label FROM v_trace_seed"
        " WHERE case_ref = :case_ref AND chain = :chain AND movement_id IN ({numbers})",
        outputs,
        case_ref=case_ref,
        chain=chain,
    )
    edges = reader.among(
        EDGE.replace("*", "DISTINCT to_id AS movement_id, label") + "chain = :chain AND to_id IN ({numbers})",
        outputs,
        case_ref=case_ref,
        chain=chain,
        method=method,
    )
    both = seeds + edges
    return sorted({row["movement_id"] for row in both}), frozenset(row["label"] for row in both)


def first_hops(reader: Reader, case_ref: str, chain: str) -> list[Row]:
    """Where value that no leg explains went first, on an account chain."""
    return reader.rows(
        f"SELECT * FROM v_frontier WHERE method = '{FIRST_HOP}' AND case_ref = :case_ref AND chain = :chain"
        " ORDER BY height, movement_id",
        case_ref=case_ref,
        chain=chain,
    )
