"""Answers about cases beside where one stands: all of them, what was filed, and what became of alerts."""

from tracer.custody.rules import BY_ID
from tracer.report.answer import CONTRADICTED, SHOWN, Answer, Check
from tracer.report.casestatus import judged_anew, preset_of
from tracer.report.places import begin, case_chains
from tracer.store.filed import broken_at
from tracer.store.filedrows import altered_rows
from tracer.store.reader import Reader


def case_list(reader: Reader) -> Answer:
    """Answer which cases there are, and where each stands."""
    answer = begin(reader, "case list", case_chains(reader, None))
    answer.data = {
        "cases": reader.rows(
            "SELECT DISTINCT c.case_ref, c.title, c.preset, s.stage, s.sides, (SELECT count(*) FROM v_alert a"
            " WHERE a.case_ref = c.case_ref AND a.state IN ('open', 'acknowledged')) AS open_alerts"
            " FROM v_case c LEFT JOIN v_stage s ON s.case_ref = c.case_ref ORDER BY c.case_ref"
        )
    }
    return answer


def case_history(reader: Reader, case_ref: str) -> Answer:
    """Answer what was filed about a case, every edit of it, and every stage that it reached or fell back to."""
    answer = begin(reader, "case history", case_chains(reader, case_ref))
    case_id, _ = preset_of(reader, case_ref)
    answer.data = {
        "records": reader.rows("SELECT * FROM v_record_all WHERE case_ref = :ref ORDER BY record_id", ref=case_ref),
        "stages": reader.rows("SELECT * FROM v_stage_all WHERE case_ref = :ref ORDER BY assessment_id", ref=case_ref),
        "imports": reader.rows("SELECT * FROM v_case_import WHERE case_ref = :ref ORDER BY import_id", ref=case_ref),
    }
    broken = broken_at(reader.connection, case_id, case_ref)
    text = "every record has the digest that its columns and the record before give"
    text = text if broken is None else f"{broken} was altered, or one before it"
    answer.checks.append(Check("RECORD-1", case_ref, SHOWN if broken is None else CONTRADICTED, text))
    odd = altered_rows(reader.connection, case_id)
    text = "every recorded leg, attestation and document stands as it was filed"
    text = text if not odd else f"not as filed: {', '.join(odd[:5])}{f' and {len(odd) - 5} more' if odd[5:] else ''}"
    answer.checks.append(Check("RECORD-2", case_ref, CONTRADICTED if odd else SHOWN, text))
    answer.lanes.append("ATTESTED")
    return answer


def case_alerts(reader: Reader, case_ref: str, everything: bool) -> Answer:
    """Answer which alerts of a case are open, or all that there ever were, each with what its rule says."""
    answer = begin(reader, "case alerts", case_chains(reader, case_ref))
    some = "" if everything else " AND state IN ('open', 'acknowledged')"
    alerts = reader.rows(f"SELECT * FROM v_alert WHERE case_ref = :ref{some} ORDER BY alert_id", ref=case_ref)
    events = reader.among(
        "SELECT * FROM v_alert_event WHERE alert_id IN ({numbers}) ORDER BY event_id",
        [row["alert_id"] for row in alerts],
    )
    for row in alerts:
        row["events"] = [event for event in events if event["alert_id"] == row["alert_id"]]
        row["rule_says"] = BY_ID[row["rule"]].says if row["rule"] in BY_ID else ""
        if row["state"] in ("open", "acknowledged") and row["severity"] in ("CRITICAL", "HIGH"):
            verdict = CONTRADICTED if row["shown"] else "NOT_SHOWN"
            answer.checks.append(Check(row["rule"], row["leg_ref"] or case_ref, verdict, row["message"]))
    answer.data = {"alerts": alerts}
    answer.checks.append(judged_anew(reader, case_ref))
    return answer
