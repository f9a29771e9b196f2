"""Prints a transaction held against its leg: one field below the other, planned above found where they differ."""

from tracer.report.answer import SHOWN, Answer, Row
from tracer.report.lines import clean, units
from tracer.report.screen import Screen

HEADLINES = {
    "SHOWN": "It is what the leg plans.",
    "CONTRADICTED": "Do not broadcast it: it goes against the plan of the leg, or against its procedure.",
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
        fine = row["verdict"] == SHOWN
        lines = [clean(row["found"] or row["planned"])] if fine else differing(row)
        for place, text in enumerate(lines):
            print_field(screen, row, text, first=place == 0)
    screen.line()
    screen.verdict("", answer.verdict, f"  {HEADLINES[answer.verdict]}")


def differing(row: Row) -> list[str]:
    """What was planned, and below it what was found."""
    return [f"planned  {clean(row['planned'])}", f"found    {clean(row['found'] or 'nothing')}"]


def print_field(screen: Screen, row: Row, text: str, *, first: bool) -> None:
    """Print one line of a field; a text that is too long goes on in the same column."""
    width = WIDE + FIELD + 2
    lines = screen.folded(text, width)
    for place, part in enumerate(lines):
        if first and place == 0:
            screen.verdict("", f"{row['verdict']:<{WIDE}}", f"  {clean(row['field']):<{FIELD}}{part}")
        else:
            screen.line(f"{'':<{width}}{part}")
