"""Which cases and chains an answer speaks of, and how far its rows reach on them."""

from collections.abc import Collection, Iterator

from tracer.errors import OperatorError
from tracer.report.answer import NOT_SHOWN, SHOWN, Answer, Check, Row, add_anchor, as_of, standing
from tracer.report.balances import closed_spans
from tracer.report.proofs import headers_anew
from tracer.report.spans import said_of, span_fault
from tracer.store.reader import Reader

MOST_BESIDE = 3
"""So many lines at most of what could not be read and touches no amount: anybody can emit unreadable logs."""


class NothingThere(OperatorError):
    """The store is empty, or has no such case."""

    fix = "Import one with `tracerd case import FILE`."


def case_chains(reader: Reader, case_ref: str | None) -> list[Row]:
    """The rows of v_case for one case, or for all; raises NothingThere."""
    rows = reader.rows("SELECT * FROM v_case ORDER BY case_ref, chain")
    if not rows:
        raise NothingThere("the store has no case")
    chosen = [row for row in rows if case_ref in (None, row["case_ref"])]
    if not chosen:
        known = sorted({row["case_ref"] for row in rows})
        names = ", ".join(known[:10]) + (f" and {len(known) - 10} more" if len(known) > 10 else "")
        raise NothingThere(f"the store has no case {case_ref!r}", f"It has {names}.")
    return chosen


def last_config(reader: Reader) -> str | None:
    """The hash of the configuration that the daemon last ran with; None if none ever ran on this store."""
    rows = reader.rows("SELECT config_sha256 FROM v_daemon_run ORDER BY run_id DESC LIMIT 1")
    return rows[0]["config_sha256"] if rows else None


def begin(reader: Reader, asked: str, cases: list[Row]) -> Answer:
    """Begin an answer about some cases: as of which blocks, and whether what is stored reaches that far."""
    names = sorted({row["chain"] for row in cases if row["chain"] is not None})
    chains = [row for row in reader.rows("SELECT * FROM v_chain ORDER BY chain") if row["chain"] in names]
    answer = Answer(asked, [as_of(chain) for chain in chains], {}, config_sha256=last_config(reader))
    gaps = left_unobserved(reader, answer, names)
    births = dict(reader.raw("SELECT chain, min(birth) FROM v_watch WHERE backfill_id IS NULL GROUP BY chain"))
    for chain in chains:
        name = chain["chain"]
        here = [row for row in cases if row["chain"] == name and row["backfill_id"] is None]
        heights = [row["seizure_height"] for row in here]
        first = min([*heights, *([births[name]] if name in births else [])], default=None)
        spans = live_spans(reader, name)
        closed = closed_spans(reader, here, spans)
        answer.checks.append(standing(chain, spans, first, gaps[name], closed))
        add_anchor(answer, chain)
        answer.checks += headers_anew(reader, name)
    answer.checks += late_checks(reader, {row["case_ref"] for row in cases})
    return answer


def late_checks(reader: Reader, case_refs: Collection[str]) -> Iterator[Check]:
    """Check that what came late has been read, from where it begins to the tip, for some cases."""
    for row in reader.rows("SELECT * FROM v_backfill WHERE state <> 'continued' ORDER BY backfill_id"):
        if row["case_ref"] not in case_refs:
            continue
        subject = f"{row['case_ref']} {row['chain']}"
        if row["state"] != "published":
            read = f"blocks {row['from_height']} to {row['done_height']} were read"
            done = read if row["done_height"] >= row["from_height"] else "no block was read yet"
            to_go = "" if row["to_go"] is None else f", {row['to_go']} to go"
            yield Check("COVERAGE", subject, NOT_SHOWN, f"back-filling: {done}{to_go}; late watches do not count yet")
            continue
        sql = "SELECT * FROM v_coverage WHERE chain = :chain AND watch_set = :late ORDER BY from_height"
        spans = reader.rows(sql, chain=row["chain"], late=f"late:{row['backfill_id']}")
        reached = spans[-1]["to_height"]
        live = [span for span in live_spans(reader, row["chain"]) if span["to_height"] > reached]
        if live and live[0]["from_height"] <= reached:
            live[0]["from_height"] = reached + 1
        fault = span_fault([*spans, *live], row["from_height"])
        said = f"back-filled {said_of(spans)}; followed since"
        yield Check("COVERAGE", subject, NOT_SHOWN if fault else SHOWN, fault or said)


def live_spans(reader: Reader, chain: str) -> list[Row]:
    """What was read of a chain for the watches that are followed live."""
    sql = "SELECT * FROM v_coverage WHERE chain = :chain AND watch_set = 'all' ORDER BY from_height"
    return reader.rows(sql, chain=chain)


def left_unobserved(reader: Reader, answer: Answer, chains: list[str]) -> dict[str, list[str]]:
    """Say in an answer what could not be observed on its chains; returns per chain what amounts may lack."""
    gaps: dict[str, list[str]] = {chain: [] for chain in chains}
    beside: dict[str, int] = dict.fromkeys(chains, 0)
    for row in unobserved(reader):
        chain = row["chain"]
        if chain not in gaps:
            continue
        if row["counted"]:
            gaps[chain].append(gap(row))
        else:
            beside[chain] += 1
            if beside[chain] > MOST_BESIDE:
                continue
        where = f"on {chain} from height {row['from_height']} on"
        answer.left_out.append({"what": row["reason"], "why": where, "chain": chain, "from_height": row["from_height"]})
    for chain, count in beside.items():
        if count > MOST_BESIDE:
            more = f"{count - MOST_BESIDE} more things that could not be read on {chain}"
            answer.left_out.append({"what": more, "why": "of no asset that counts; v_unobserved lists them"})
    return gaps


def unobserved(reader: Reader) -> list[Row]:
    """What could not be observed, in the order in which it was noticed."""
    return reader.rows("SELECT * FROM v_unobserved ORDER BY chain, from_height, reason")


def gap(row: Row) -> str:
    """Write what could not be observed, and since when."""
    return f"{row['reason']} since height {row['from_height']}"
