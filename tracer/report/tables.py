"""Prints the answers of single commands about custody as tables and lines."""

from itertools import groupby

from tracer.report.answer import Answer, Row
from tracer.report.lines import clean, depth, short, units, when
from tracer.report.screen import Screen

MOST_COUNTERPARTIES = 3


def print_status(answer: Answer, screen: Screen) -> None:
    """Print where every chain stands."""
    screen.table(
        ("chain", "tip", "tip time", "confirmed", "final", "node", "last answer"),
        (
            (
                clean(chain["chain"]),
                clean(chain["tip_height"]),
                clean(chain["tip_time_utc"]),
                clean(chain["confirmed_height"]),
                clean(chain["final_height"]),
                f"{chain['node_state'] or 'never asked'}, at {clean(chain['node_height'])}",
                when(chain["contacted_at"]) if chain.get("silent_s") is None else f"{max(0, chain['silent_s'])} s ago",
            )
            for chain in answer.data["chains"]
        ),
        right=("tip", "confirmed", "final"),
    )
    screen.line()
    for case in answer.data["cases"]:
        title = f"case {clean(case['case_ref'])}: {clean(case['title'])}"
        if case["chain"] is None:
            screen.line(f"{title}, names no seizure")
        else:
            waits = ", back-filled first" if case["backfill_id"] is not None else ", not reached yet"
            state = "" if case["opened"] else waits
            screen.line(f"{title}, seized after block {case['seizure_height']} of {clean(case['chain'])}{state}")


def print_transfers(answer: Answer, screen: Screen) -> None:
    """Print transfers by transaction, and below those that debit where the case's value went."""
    rows, many = answer.data["transfers"], len({row["case_ref"] for row in answer.data["transfers"]}) > 1
    if answer.data["orphaned"]:
        screen.line("Taken off the chain by a reorg; counted nowhere.")
    went: dict[tuple[str, str, str | None], list[Row]] = {}
    for row in answer.data["went"]:
        went.setdefault((row["case_ref"], row["block_hash"], row["txid"]), []).append(row)
    wide = max((len(units(row["amount"], row)) for row in [*rows, *answer.data["went"]]), default=0)
    groups = groupby(rows, lambda row: (row["case_ref"], row["block_hash"], row["txid"]))
    for count, (place, group) in enumerate(groups):
        moved = list(group)
        first = moved[0]
        case = f"case {clean(first['case_ref'])}  " if many else ""
        state = "orphaned" if not first["canonical"] else depth(first)
        if count:
            screen.line()
        head = f"{clean(first['chain'])} block {first['height']}  {first['time_utc']}  tx {short(first['txid'])}"
        screen.line(f"{case}{head}  {state}", "bold")
        for row in moved:
            screen.wrapped(f"  {row['direction']:<5}{row['what']:<14}{units(row['amount'], row):>{wide}}  ", other(row))
        for row in went.get(place, ()):
            screen.wrapped(f"  went {row['place']:<14}{units(row['amount'], row):>{wide}}  ", to_whom(row))
    screen.line()
    screen.line(f"{len(rows)} transfers")


def other(row: Row) -> str:
    """Write whose transfer it is, and who is on the other side."""
    text = f"{clean(row['watch_ref'])} ({row['role']})"
    if row["asset_class"] in ("unlisted", "nft"):
        calls = f' that calls itself "{clean(row["calls_itself"])}"' if row["calls_itself"] else ""
        text += f" ({row['asset_class']} token{calls})"
    names = [clean(name) for name in row["counterparties"][:MOST_COUNTERPARTIES]]
    names += ["others"] if len(row["counterparties"]) > MOST_COUNTERPARTIES else []
    if not names:
        return text
    return f"{text} {'from' if row['direction'] == 'in' else 'to'} {', '.join(names)}"


def to_whom(row: Row) -> str:
    """Write who has what a transaction moved, and by which leg, or why it is unexplained."""
    holder = row["watch_ref"] or row["address"]
    why = clean(row["reason"]) if row["leg_ref"] is None else f"leg {clean(row['leg_ref'])}"
    if row["place"] == "unexplained" and row["leg_ref"] is not None:
        why = f"{clean(row['reason'])}, leg {clean(row['leg_ref'])}"
    if row["place"] == "change":
        why = ""
    return ": ".join(part for part in ("" if holder is None else clean(holder), why) if part)


def print_legs(answer: Answer, screen: Screen) -> None:
    """Print the planned legs as a table."""
    many = len({leg["case_ref"] for leg in answer.data["legs"]}) > 1
    screen.table(
        ("leg", "kind", "verdict", "lane", "planned, arrived"),
        (
            (
                (f"{clean(leg['case_ref'])} " if many else "") + clean(leg["leg_ref"]),
                leg["kind"],
                leg["verdict"],
                leg["lane"],
                f"{units(leg['planned'], leg)} planned\n{units(leg['arrived'], leg)} arrived"
                + "".join(
                    f", block {arrival['height']}"
                    + ("" if arrival["excess"] == "0" else f", of which {units(arrival['excess'], arrival)} excess")
                    for arrival in leg["arrivals"]
                )
                + f"\n{clean(leg['reason'])}",
            )
            for leg in answer.data["legs"]
        ),
    )


def print_reconcile(answer: Answer, screen: Screen) -> None:
    """Print the conservation equations."""
    for row in answer.data["conservation"]:
        print_equation(row, screen)
    if not answer.data["conservation"]:
        screen.line("No ledger is open yet.")


def print_equation(row: Row, screen: Screen) -> None:
    """Print one equation and its verdict; the figures are those worked out anew."""
    found = row["recounted"]
    subject = f"{clean(row['case_ref'])} {clean(row['symbol'])} on {clean(row['chain'])}"
    screen.line()
    screen.verdict(f"{subject}: ", row["verdict"], f", {clean(row['reason'])}")
    terms = [(term, units(found[term], row)) for term in found]
    wide = max(len(text) for _, text in terms)
    for mark, (term, text) in zip((" ", "+", "=", "+", "+", "+"), terms, strict=True):
        screen.line(f"  {mark} {term:<12} {text:>{wide}}")
    screen.line(f"    last touched in block {row['height']}, {depth(row)}")
