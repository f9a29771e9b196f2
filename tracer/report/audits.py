"""Answers which trace runs there are, and computes any of them again with the plain reference."""

from collections.abc import Iterable
from typing import Any

import orjson

from tracer.errors import OperatorError
from tracer.report.answer import CONTRADICTED, NOT_SHOWN, SHOWN, Answer, Check, Row
from tracer.report.places import begin, case_chains
from tracer.store.graph import StoreDamaged
from tracer.store.livestate import live_ends
from tracer.store.reader import Reader
from tracer.store.runs import Computed, StoredRun, Tip, block_of, compute, stored_run, tip_of
from tracer.store.stops import stops
from tracer.taint.rules import Method
from tracer.taint.run import RULES_VERSION, End, Equation, Place, digest

LIST = """SELECT r.id FROM trace_run r JOIN cases k ON k.id = r.case_id WHERE k.ref = :case_ref
    AND r.chain_id = (SELECT id FROM chain WHERE name = :chain) ORDER BY r.id"""
RESULTS = """SELECT s.id, s.tip_id, s.computed_at, s.engine, s.digest, s.transactions, s.ends, s.seeded, b.height,
    b.hash, b.canonical FROM trace_result s JOIN block b ON b.id = s.tip_id WHERE s.run_id = :run ORDER BY s.id"""


EDGES = """SELECT e.to_id, e.seq, e.from_id, e.ordinal, e.amount FROM trace_edge e JOIN movement m ON m.id = e.to_id
    JOIN block b ON b.id = m.block_id AND b.canonical WHERE e.run_id = :run"""
REACHED = """SELECT c.movement_id, c.hop, c.boundary FROM trace_coin c JOIN movement m ON m.id = c.movement_id
    JOIN block b ON b.id = m.block_id AND b.canonical WHERE c.run_id = :run"""


SEIZED = """SELECT e.movement_id, e.holder_id, e.asset_id, e.amount FROM entry e JOIN block b ON b.id = e.block_id
    AND b.canonical WHERE e.case_id = :case AND b.chain_id = :c AND e.place = 'seized'"""
LABELLED = """SELECT l.movement_id, coalesce(l.holder_id, m.target_id), coalesce(l.asset_id, m.asset_id),
    coalesce(l.amount, m.amount) FROM trace_label l JOIN block b ON b.id = l.block_id AND b.canonical
    LEFT JOIN movement m ON m.id = l.movement_id WHERE l.case_id = :case AND b.chain_id = :c"""


class NoSuchRun(OperatorError):
    """No run has that number."""

    fix = "`tracer runs` lists them."


def runs(reader: Reader, case_ref: str | None) -> Answer:
    """Answer which runs are registered, what was chosen before each, and what each came to."""
    cases = case_chains(reader, case_ref)
    answer = begin(reader, "runs", cases)
    answer.data = {"runs": []}
    for row in cases:
        if row["chain"] is None:
            continue
        for (number,) in list(reader.raw(LIST, case_ref=row["case_ref"], chain=row["chain"])):
            run = stored_run(reader.connection, number)
            assert run is not None, "it was listed just now"
            answer.data["runs"].append(run_row(reader, run))
    return answer


def run_row(reader: Reader, run: StoredRun) -> Row:
    """A run as it stands in an answer."""
    declared = run.declared
    return {
        "run": run.id,
        "case_ref": declared.case_ref,
        "chain": declared.chain,
        "method": declared.method.value,
        "variant": declared.variant,
        "fee_policy": declared.fee_policy,
        "limits": {name: getattr(declared.limits, name) for name in ("max_hops", "min_amount", "max_live")},
        "stop_at": list(declared.stop_at),
        "labels_sha256": declared.labels_sha256 or None,
        "since": declared.since,
        "labels": len(declared.sources),
        "sources_sha256": declared.sources_sha256.hex(),
        "declaration": declared.canonical().decode(),
        "live": run.live,
        "superseded": run.superseded,
        "registered_at": run.registered_at,
        "results": live_results(reader, run) if run.live else stored_results(reader, run),
    }


def live_results(reader: Reader, run: StoredRun) -> list[Row]:
    """What a live run has come to at the tip, by the rows that the daemon wrote."""
    tip = tip_of(reader.connection, run.chain_id)
    if tip is None or run.superseded:
        return []
    ends = [end for end, _ in live_ends(reader.connection, run)]
    said = digest(run.declared, tip.hash, ends).hex()
    return [
        {"height": tip.height, "block_hash": tip.hash.hex(), "engine": run.engine, "digest": said, "ends": len(ends)}
    ]


def stored_results(reader: Reader, run: StoredRun) -> list[Row]:
    """What a run was computed to, each time."""
    return [
        {
            "height": height,
            "block_hash": bytes(block).hex(),
            "canonical": bool(canonical),
            "engine": engine,
            "digest": bytes(said).hex(),
            "ends": ends,
            "transactions": transactions,
            "computed_at": at,
        }
        for _, _, at, engine, said, transactions, ends, _, height, block, canonical in reader.raw(RESULTS, run=run.id)
    ]


def audit(reader: Reader, number: int) -> Answer:
    """Compute a run again with the plain reference, and hold what is stored against it; raises NoSuchRun."""
    run = stored_run(reader.connection, number)
    if run is None:
        raise NoSuchRun(f"there is no run {number}")
    cases = [row for row in case_chains(reader, run.declared.case_ref) if row["chain"] == run.declared.chain]
    answer = begin(reader, "audit", cases)
    answer.data = {"run": run_row(reader, run), "audits": [], "equations": []}
    subject = f"run {run.id}"
    if not run.live and run.declared_sha256 != run.declared.sources_sha256:
        answer.checks.append(Check("TRACE-5", subject, CONTRADICTED, "the source set is not what was registered"))
        return answer
    if run.declared.rules != RULES_VERSION:
        old = f"it was computed by version {run.declared.rules} of the rules, this program has {RULES_VERSION}"
        answer.checks.append(Check("TRACE-5", subject, NOT_SHOWN, old))
        return answer
    if run.superseded:
        said = "superseded: a source turned out to be earlier, and another run took its place"
        answer.checks.append(Check("TRACE-5", subject, NOT_SHOWN, said))
        return answer
    try:
        (audit_live if run.live else audit_stored)(reader, answer, run, subject)
    except StoreDamaged as error:
        answer.checks.append(Check("TRACE-5", subject, CONTRADICTED, str(error)))
    return answer


def audit_live(reader: Reader, answer: Answer, run: StoredRun, subject: str) -> None:
    """Hold the rows of a live run against a computation from its sources to the tip."""
    tip = tip_of(reader.connection, run.chain_id)
    keys = {"case": run.case_id, "c": run.chain_id}
    seized, labelled = (sorted(map(repr, reader.raw(sql, **keys))) for sql in (SEIZED, LABELLED))
    if seized != labelled:
        wrong = "its sources are not what the case's ledger says was seized"
        answer.checks.append(Check("TRACE-5", subject, CONTRADICTED, wrong))
        return
    if tip is None or not run.declared.sources:
        answer.checks.append(Check("TRACE-5", subject, NOT_SHOWN, "it has no source yet: the seizure is not reached"))
        return
    again = compute(reader.connection, run, tip)
    ends = [end for end, _ in live_ends(reader.connection, run)]
    compare(answer, subject, run, tip, run.engine, digest(run.declared, tip.hash, ends), again)
    answer.checks.append(ways_of(reader, run, subject, again))
    add_equations(reader, answer, subject, again)


def ways_of(reader: Reader, run: StoredRun, subject: str, again: Computed) -> Check:
    """Hold the ways that a live run wrote down, edge by edge, against those of the plain reference."""
    assert again.result is not None, "the reference tells its edges"
    wanted = {(e.to_id, e.seq, e.from_id, e.label, e.amount) for e in again.result.edges}
    stored = {(to, seq, source, label, int(units)) for to, seq, source, label, units in reader.raw(EDGES, run=run.id)}
    reached = {(row.row, row.hop, row.boundary) for row in again.result.rows.values()}
    kept = set(reader.raw(REACHED, run=run.id))
    wrong = len(wanted ^ stored) + len(reached ^ kept)
    if wrong:
        return Check("TRACE-5", subject, CONTRADICTED, f"{wrong} rows of the ways are not those of the {again.engine}")
    return Check("TRACE-5", subject, SHOWN, f"all {len(wanted)} edges are those of the {again.engine}")


def audit_stored(reader: Reader, answer: Answer, run: StoredRun, subject: str) -> None:
    """Hold every result of a run, and the ends that are kept of it, against a computation at its tip."""
    results = list(reader.raw(RESULTS, run=run.id))
    if not results:
        answer.checks.append(
            Check("TRACE-5", subject, NOT_SHOWN, "no result is kept for it; `tracerd trace` computes one")
        )
    for number, tip_id, _, engine, said, *_, canonical in results:
        tip = block_of(reader.connection, tip_id)
        if not canonical:
            gone = f"result at block {tip.height}: voided by reorg, its tip left the chain"
            answer.checks.append(Check("TRACE-5", subject, NOT_SHOWN, gone))
            continue
        where = stops(reader.connection, run.declared.stop_at, run.declared.caip2, run.registered_at)
        if where.labels_sha256 != run.declared.labels_sha256:
            lost = "the labels that it stopped at cannot be put together again from the packs that are stored"
            answer.checks.append(Check("TRACE-5", subject, NOT_SHOWN, lost))
            continue
        again = compute(reader.connection, run, tip, stop_of=where.by_holder, stop_at=where.by_transaction)
        pages = list(page_rows(reader, number))
        kept = digest(run.declared, tip.hash, (page_end(row, run.family == "bitcoin") for row in pages))
        wrong = ""
        if kept != bytes(said):
            wrong = f"the ends kept of the result at block {tip.height} do not give its digest"
        elif again.digest == kept and pages != list(again.rows()):
            wrong = f"what is kept with the ends at block {tip.height} (holder, asset or state) is not theirs"
        if wrong:
            answer.checks.append(Check("TRACE-5", subject, CONTRADICTED, wrong))
        if again.digest != bytes(said) and added_since(reader, run):
            grown = f"result at block {tip.height}: the case was added to since, which decides where a trace goes on"
            answer.checks.append(Check("TRACE-5", subject, NOT_SHOWN, grown))
            continue
        compare(answer, subject, run, tip, engine, bytes(said), again)
        add_equations(reader, answer, subject, again)


def added_since(reader: Reader, run: StoredRun) -> bool:
    """Whether a case got more watches after a run was registered: these decide where a trace goes on."""
    sql = (
        "SELECT 1 FROM case_import WHERE case_id = :case AND imported_at >= :at AND (SELECT count(*) FROM case_import"
        " WHERE case_id = :case) > 1 UNION SELECT 1 FROM backfill WHERE case_id = :case"
    )
    return next(reader.raw(sql, case=run.case_id, at=run.registered_at), None) is not None


def compare(answer: Answer, subject: str, run: StoredRun, tip: Tip, engine: str, said: bytes, again: Computed) -> None:
    """Compare two digests, and say so in an answer."""
    same = said == again.digest
    answer.data["audits"].append(
        {
            "height": tip.height,
            "block_hash": tip.hash.hex(),
            "engine": engine,
            "digest": said.hex(),
            "recomputed_by": again.engine,
            "recomputed": again.digest.hex(),
            "transactions": again.transactions,
            "same": same,
        }
    )
    verdict = SHOWN if same else CONTRADICTED
    said_so = "gives the same digest" if same else f"gives {again.digest.hex()}, stored is {said.hex()}"
    answer.checks.append(
        Check("TRACE-5", subject, verdict, f"computed again at block {tip.height} by the {again.engine}: {said_so}")
    )


def add_equations(reader: Reader, answer: Answer, subject: str, again: Computed) -> None:
    """Print the conservation equation of every label, and check each."""
    assets = {
        asset: (symbol, decimals)
        for asset, symbol, decimals in reader.raw("SELECT caip19, symbol, decimals FROM asset")
    }
    names = {source.label: source.place for source in again.run.declared.sources}
    poison = again.run.declared.method is Method.POISON
    for equation in again.equations:
        answer.data["equations"].append(equation_row(equation, names, assets, poison))
    wrong = [] if poison else [e for e in again.equations if not e.exact]
    if wrong:
        lost = wrong[0].seeded + wrong[0].converted - wrong[0].live - wrong[0].boundaries - wrong[0].fees
        said = f"label {wrong[0].label}: {lost} units of {wrong[0].asset} are in no place"
        answer.checks.append(Check("TRACE-2", subject, CONTRADICTED, said))
    elif poison:
        answer.left_out.append(
            {"what": f"{subject}: conservation", "why": "poison counts a unit at every place it may be"}
        )
    else:
        answer.checks.append(Check("TRACE-2", subject, SHOWN, "seeded = frontier + boundaries + fees, for every label"))


def equation_row(equation: Equation, names: dict[int, str], assets: dict[str, tuple[str, int]], poison: bool) -> Row:
    """A conservation equation as it stands in an answer."""
    symbol, decimals = assets[equation.asset]
    sums = ("seeded", "converted", "live", "boundaries", "fees")
    return {
        "label": equation.label,
        "source": names.get(equation.label),
        "asset": equation.asset,
        "symbol": symbol,
        "decimals": decimals,
        **{name: str(getattr(equation, name)) for name in sums},
        "exact": None if poison else equation.exact,
    }


def page_rows(reader: Reader, result_id: int) -> Iterable[list[Any]]:
    """The ends that are kept of a result."""
    for (page,) in list(reader.raw("SELECT ends FROM trace_page WHERE result_id = :r ORDER BY page", r=result_id)):
        yield from orjson.loads(page)


def page_end(row: list[Any], coins: bool) -> End:
    """An end from its row in a page; coins: whether it is of a UTXO chain, where a place needs no asset."""
    height, position, kind, index, number, offset, label, units, state, reason, holder, asset = row
    account = bytes.fromhex(holder) if kind < 0 else b""
    place = Place(height, position, kind, index, account, "" if coins else asset, number)
    return End(place, int(offset), label, int(units), state, reason)
