"""Prints where cases stand, what was filed, and alerts, each on one screen."""

import json

from tracer.custody.instants import instant_text, span_text
from tracer.report.answer import Answer, Row
from tracer.report.lines import clean, units
from tracer.report.screen import Screen

STATES = {
    "waiting": "has not started",
    "running": "runs",
    "warned": "runs, and most of it is used",
    "forecast": "runs, and will be missed at the present pace",
    "kept": "was kept",
    "breached": "was exceeded",
}


def print_standing(answer: Answer, screen: Screen) -> None:
    """One screen: where the case stands and what is next."""
    data = answer.data
    screen.line(f"Case {clean(data['case_ref'])}: {clean(data['title'])}", "bold")
    since = f" since {data['stage_since_utc']}" if data["stage_since_utc"] else ""
    sides = f"  [{', '.join(data['sides'])}]" if data["sides"] else ""
    place = data["stages"].index(data["stage"]) + 1 if data["stage"] in data["stages"] else 0
    screen.pairs(2, [("stage", f"{data['stage']}, {place} of {len(data['stages'])}{since}{sides}")])
    if data["regressed"]:
        back = data["regressed"]
        why = "by a record" if back["chain"] is None else f"on {back['chain']} {back['height']}"
        screen.pairs(2, [("fell back", f"to {back['stage']} at {back['at_utc']}, {why}")])
    if data["next"]:
        for place, missing in enumerate(data["missing"]):
            head = f"{clean(data['next'])} waits for" if not place else "and for"
            screen.pairs(2, [("next" if not place else "", f"{head} {clean(missing)}")])
    screen.pairs(2, [("do next", clean(data["action"]))])
    screen.pairs(2, [("preset", f"{clean(data['preset'])}  SHA-256 {data['preset_sha256']}")])
    print_clocks(answer, screen)
    print_legs(answer, screen)
    screen.head("Unexplained")
    for asset in data["assets"]:
        screen.line(
            f"  {units(asset['unexplained'], asset):>34} on {asset['chain']:<12} held {units(asset['held'], asset)}"
            + (f", unobserved {units(asset['unobserved'], asset)}" if int(asset["unobserved"]) else "")
        )
    print_gravest(answer, screen)


def print_clocks(answer: Answer, screen: Screen) -> None:
    """The clocks under each reading."""
    if not answer.data["clocks"]:
        return
    screen.head(f"Clocks at {answer.data['clock_utc'] or 'no instant yet'}")
    said = answer.data["instants"]
    if said["latest_utc"]:
        parts = ", ".join(f"{name} {time}" for name, time in said["latest_utc"].items())
        screen.wrapped("  ", f"the latest of {parts}; {span_text(said['apart_s'])} apart")
    for clock in answer.data["clocks"]:
        used = f"{span_text(clock['elapsed_s'])} of {span_text(clock['limit_s'])}, {clock['percent']} %"
        text = STATES[clock["state"]] + (f": {used}" if clock["start_utc"] else "")
        if clock["expected_utc"]:
            text += f"; at the present pace it ends {clock['expected_utc']}"
        screen.wrapped(f"  {clean(clock['clock'])}, {clean(clock['reading'])}: ", text)


def print_legs(answer: Answer, screen: Screen) -> None:
    """The legs by kind, those that are contradicted, and those that wait for confirmations."""
    data = answer.data
    screen.head("Legs")
    columns = ("kind", "planned", "shown", "not shown", "contradicted", "withdrawn")
    rows = [
        (row["kind"], *(str(row[key]) for key in ("planned", "SHOWN", "NOT_SHOWN", "CONTRADICTED", "withdrawn")))
        for row in data["legs"]
    ]
    if rows:
        screen.table(columns, rows, columns[1:])
    else:
        screen.line("  none is planned")
    for leg in data["late"]:
        screen.wrapped("  ", f"{clean(leg['leg_ref'])}: {clean(leg['reason'])}")
    for leg in data["awaiting"]:
        more = leg["confirmations_needed"]
        text = f"{more} more confirmations, about {leg['expected_utc']}" if more else "the node's tags to confirm it"
        screen.wrapped("  ", f"{clean(leg['leg_ref'])} has arrived and waits for {text}")


def print_gravest(answer: Answer, screen: Screen) -> None:
    """The open alerts, gravest first."""
    alerts = answer.data["alerts"]
    counts = ", ".join(f"{count} {severity}" for severity, count in alerts["counts"].items() if count)
    screen.head(f"Open alerts: {counts or 'none'}")
    for alert in alerts["gravest"]:
        screen.wrapped(f"  {alert['alert_id']:>5} {alert['rule']:<10}{alert['severity']:<9}", clean(alert["message"]))
    if alerts["more"]:
        screen.line(f"  and {alerts['more']} more: `tracer case alerts`")


def print_cases(answer: Answer, screen: Screen) -> None:
    """Every case in a line."""
    columns = ("case", "preset", "stage", "sides", "open alerts", "title")
    rows = [
        (
            clean(row["case_ref"]),
            clean(row["preset"]),
            row["stage"] or "not judged",
            ", ".join(json.loads(row["sides"] or "[]")),
            str(row["open_alerts"]),
            clean(row["title"]),
        )
        for row in answer.data["cases"]
    ]
    screen.table(columns, rows, ("open alerts",))


def print_history(answer: Answer, screen: Screen) -> None:
    """Everything that was filed, in order, and every stage that the case reached or fell back to."""
    screen.head("Filed, in order")
    for row in answer.data["records"]:
        second = f" and {clean(row['second'])}" if row["second"] else ""
        gone = f"  superseded by {clean(row['superseded_by'])}" if row["superseded_by"] else ""
        screen.wrapped(
            "  ", f"{row['at_utc']}  {row['kind']} {clean(row['record_ref'])} by {clean(row['actor'])}{second}{gone}"
        )
        screen.wrapped("      ", said_of(json.loads(row["body"])))
        screen.wrapped(
            "      ", f"filed {instant_text(row['recorded_at'])}  document {row['document_sha256'] or 'none'}"
        )
        screen.line(f"      digest {row['digest']}")
    screen.head("Stages")
    for row in answer.data["stages"]:
        where = f"{row['chain']} {row['height']}" if row["chain"] else "a record"
        back = "  fell back" if row["regressed"] else ""
        sides = ", ".join(json.loads(row["sides"]))
        screen.line(f"  {row['at_utc']}  {row['stage']:<12} by {where}{back}  {sides}")


def said_of(body: Row) -> str:
    """What a record says, field by field, what it leaves out aside; instants as text, signed texts line by line."""
    texts = ((key, field_text(key, value)) for key, value in body.items() if value is not None)
    return "; ".join(f"{key} {clean(text)}" for key, text in texts if text)


INSTANTS = ("start", "end", "valid_from", "valid_to", "closes_at", "not_before", "deadline", "expires_at")
"""Fields of records that are seconds since 1970."""


def field_text(key: str, value: object) -> str:
    """A field's value as people read it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {field_text(name, one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(field_text("", one) for one in value)
    if key in INSTANTS and isinstance(value, int) and not isinstance(value, bool):
        return instant_text(value)
    return str(value).replace("\n", " / ")


def print_alerts(answer: Answer, screen: Screen) -> None:
    """Alerts with what became of them."""
    if not answer.data["alerts"]:
        screen.line("no alerts")
    for row in answer.data["alerts"]:
        screen.wrapped(
            f"{row['alert_id']:>5} {row['rule']:<10}{row['severity']:<9}{row['state']:<13}", clean(row["message"])
        )
        for event in row["events"]:
            screen.wrapped(
                "      ", f"{event['at_utc']}  {event['what']} by {clean(event['actor'])}: {clean(event['reason'])}"
            )


def print_questions(answer: Answer, screen: Screen) -> None:
    """The questions that can be asked, by who asks them."""
    who = None
    for row in answer.data["questions"]:
        if row["who"] != who:
            who = row["who"]
            screen.head(who)
        screen.wrapped(f"  {row['question']:<26}", f"{row['asks']}  ({row['by']})")


AMOUNTS = ("amount", "planned", "arrived", "seized", "credits", "held", "delivered", "fees", "unexplained")


GAP, MOST_BLOCKS = 2, 50
"""Blanks between columns; how many rows are printed one below the other, where they are too wide for a table."""


def print_rows(answer: Answer, screen: Screen) -> None:
    """The rows of a question that views answer."""
    question, rows = answer.data["question"], answer.data["rows"]
    screen.line(f"{question['asks']}  ({question['by']})", "bold")
    if not rows:
        screen.line("  nothing")
        return
    columns = [name for name in rows[0] if name != "decimals"]
    cells = [[cell(name, row) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    if sum(widths) + GAP * len(widths) <= screen.width:
        screen.table(columns, cells)
        return
    for row in cells[:MOST_BLOCKS]:
        screen.line()
        named = zip(columns, row, strict=True)
        screen.pairs(2, [(f"{name:<{max(map(len, columns))}}", text) for name, text in named if text])
    if cells[MOST_BLOCKS:]:
        screen.line(f"{len(cells) - MOST_BLOCKS} more: `--json` prints them all.")


def cell(name: str, row: Row) -> str:
    """A value as people read it: amounts in display units."""
    value = row[name]
    if name in AMOUNTS and value is not None and "decimals" in row:
        return units(value, row)
    return "" if value is None else clean(str(value))
