"""Prints a transaction held against its leg: one field below the other, planned above found where they differ."""

from tracer.report.answer import SHOWN, Answer
from tracer.report.lines import clean, units
from tracer.report.screen import Screen

HEADLINES = {
    "SHOWN": "It is what the leg plans.",
    "CONTRADICTED": "Do not broadcast it: it is not what the leg plans.",
    "NOT_SHOWN": "Do not broadcast it yet: not all of it could be shown.",
}
WIDE = max(len(verdict) for verdict in HEADLINES)
FIELD = 15


def print_precheck(answer: Answer, screen: Screen) -> None:
    """Print the fields with their verdicts, then one sentence; the reasons of those that fail stand in the foot."""
    data = answer.data
    leg, read = data["leg"], data["transaction"]
    title = (
        f"case {clean(data['case_ref'])}, leg {clean(leg['leg_ref'])}: {leg['kind']} of {units(leg['planned'], leg)}"
    )
    screen.line(f"{title} on {clean(leg['chain'])}", "bold")
    ids = f", txid {read['txid']}" if read["txid"] else "" if read["nonce"] is None else f", nonce {read['nonce']}"
    screen.wrapped("", f"{clean(read['form'])}{ids}")
    screen.line()
    for row in data["fields"]:
        verdict = f"{row['verdict']:<{WIDE}}"
        head, indent = f" {clean(row['field']):<{FIELD}}", " " * (WIDE + FIELD + 1)
        same = row["verdict"] == SHOWN or row["planned"] == row["found"]
        if same:
            screen.verdict("", verdict, f"{head}{clean(row['found'] or row['planned'])}")
        else:
            screen.verdict("", verdict, f"{head}planned {clean(row['planned'])}")
            screen.wrapped(f"{indent}found   ", clean(row["found"]) or "nothing")
    screen.line()
    screen.verdict("", answer.verdict, f"  {HEADLINES[answer.verdict]}")
