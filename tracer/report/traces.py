"""Prints traces: forward hop by hop, and the frontier, with what their labels are and their sums."""

from collections.abc import Sequence
from itertools import groupby

from tracer.report.answer import Answer, Row
from tracer.report.lines import clean, short, units, whose
from tracer.report.screen import WIDTH, Screen

MOST_STARTS = 20


def print_trace(answer: Answer, screen: Screen) -> None:
    """Print forward traces hop by hop, where they end, and their sums."""
    if not any(trace["case_ref"] for trace in answer.data["traces"]):
        screen.line(f"No seized value is traced to {clean(answer.data['ref'])}.")
    for row in answer.data["postings"]:
        leg = "" if row["leg_ref"] is None else f" of leg {clean(row['leg_ref'])}"
        to = "" if row["address"] is None else f", {clean(row['address'])}"
        what = f"{units(row['amount'], row)}{leg}: {clean(row['reason'])}{to}"
        screen.wrapped("  ", f"posted by {clean(row['case_ref'])} as {row['place']}: {what}")
    for trace in answer.data["traces"]:
        print_forward(trace, screen)


def print_forward(trace: Row, screen: Screen) -> None:
    """Print one forward trace."""
    of = f"Case {clean(trace['case_ref'])} on" if trace["case_ref"] is not None else "Traced alone on"
    screen.head(f"{of} {clean(trace['chain'])}, {trace['method']}")
    if trace["run"] != "live run":
        screen.wrapped("  ", trace["run"])
    print_starts(trace["starts"], screen)
    ends = {(end["movement_id"], end["label"]): end for end in trace["ends"] if end["movement_id"] is not None}
    previous = None
    for step in trace["steps"]:
        if step["txid"] != previous:
            screen.line(f"  block {step['height']}  {step['txid']}")
            previous = step["txid"]
        end = ends.pop((step["to_id"], step["label"]), None)
        state = "" if end is None else said(end)
        got = "  by a swap" if step["converted"] else ""
        who = "" if step["address"] is None else f"  {whose(step)}"
        screen.wrapped(
            f"    {place_of(step):<6} hop {step['hop']:<3} {of_label(step)}",
            f"{units(step['amount'], step)}{who}{got}{state}",
        )
    left = [*ends.values(), *(end for end in trace["ends"] if end["movement_id"] is None)]
    if left:
        screen.line("  now")
    for end in left:
        who = clean(end["outpoint"]) if end["outpoint"] else whose(end)
        screen.wrapped(f"    {of_hop(end)}{of_label(end)}", f"{units(end['traced'], end)}  {who}{said(end)}")
    print_legend(trace["labels"], screen)
    print_sums(trace["sums"], screen)


def print_starts(starts: Sequence[Row], screen: Screen) -> None:
    """Print where a trace begins."""
    for coin in starts[:MOST_STARTS]:
        if coin["movement_id"] is None:
            screen.wrapped("  from ", f"what {whose(coin)} held of {clean(coin['symbol'])}")
        else:
            screen.line(f"  from {coin['outpoint'] or coin['txid']}")
            screen.wrapped("       ", f"{units(coin['amount'], coin)}  {whose(coin)}")
    if len(starts) > MOST_STARTS:
        screen.line(f"  from {len(starts) - MOST_STARTS} more: `--json` has them all")


def of_hop(row: Row) -> str:
    """Say how far from custody some units are, where that is known."""
    return "" if row["hop"] is None else f"hop {row['hop']:<3} "


def of_label(row: Row) -> str:
    """Name the label of some units; what is traced alone has none."""
    return "" if row["label"] is None else f"label {row['label']:<3} "


def place_of(step: Row) -> str:
    """Name the kind of place that a step leads to: an output by its number, a fee, or a payment."""
    if step["to_outpoint"] is not None:
        return f":{step['to_outpoint'].partition(':')[2]}"
    return "fee" if step["address"] is None else "pays"


def said(end: Row) -> str:
    """Write how a way ends."""
    if end["state"] != "live":
        return f"  ends: {clean(end['boundary'])}"
    return "  live" if end["reason"] in ("unspent", "custody") else f"  live, {clean(end['reason'])}"


def print_sums(sums: Sequence[Row], screen: Screen, indent: int = 2) -> None:
    """Print what went in and what came out, per label and asset."""
    for row in sums:
        parts = [units(row["begun"], row)]
        if row["joined"] != "0":
            parts.append(f"+ joined on the way {units(row['joined'], row)}")
        if row["converted"] != "0":
            parts.append(f"+ by a swap {units(row['converted'], row)}")
        name = "in all" if row["label"] is None else f"label {row['label']}"
        print_sum(f"{' ' * indent}{name}: ", parts, row, screen)


def print_sum(before: str, parts: list[str], row: Row, screen: Screen) -> None:
    """Print an equation on one line, or where that is too long each term on its own."""
    sign = "=" if row["exact"] else "DIFFERS FROM"
    parts = [*parts, f"{sign} live {units(row['live'], row)}", f"+ leaves {units(row['leaves'], row)}"]
    if len(before) + len(" ".join(parts)) <= WIDTH:
        screen.line(before + " ".join(parts))
        return
    for place, part in enumerate(parts):
        screen.line((" " * len(before) if place else before) + part)


def print_legend(labels: Sequence[Row], screen: Screen, indent: int = 2) -> None:
    """Print which seized coins or balances the labels are."""
    many = len({(row["case_ref"], row["chain"]) for row in labels}) > 1
    for row in labels:
        place = f"{clean(row['case_ref'])} {clean(row['chain'])} " if many else ""
        whom = clean(row["watch_ref"] or row["address"])
        seized = f"seized as {row['outpoint']}" if row["outpoint"] is not None else "seized as its balance"
        screen.wrapped(
            f"{' ' * indent}{place}label {row['label']} is ", f"{units(row['amount'], row)} of {whom}, {seized}"
        )


def print_frontier(answer: Answer, screen: Screen) -> None:
    """Print where traced value is now, run by run, and the sums per label."""
    rows = answer.data["frontier"]
    for (case_ref, chain, method), run in groupby(rows, lambda row: (row["case_ref"], row["chain"], row["method"])):
        screen.line(f"{clean(case_ref)} {clean(chain)}, {method}", "bold")
        screen.table(
            ("state", "label", "traced", "hop", "held by", "coin", "block"),
            (
                (
                    "live" if row["state"] == "live" else clean(row["boundary"]),
                    clean(row["label"]),
                    units(row["traced"], row),
                    str(row["hop"]),
                    clean(row["watch_ref"]) if row["watch_ref"] else short(row["address"]),
                    short(row["outpoint"] or row["txid"]),
                    str(row["height"]),
                )
                for row in run
            ),
            right=("traced",),
        )
        screen.line()
    if not rows:
        screen.line("Nothing that is followed is outside custody.")
        screen.line()
    print_legend(answer.data["labels"], screen, 0)
    screen.line()
    for row in answer.data["sums"]:
        label = "unexplained" if row["label"] is None else f"label {row['label']}"
        subject = f"{clean(row['case_ref'])} {clean(row['chain'])} {row['method']} {label}"
        swap = f" ({units(row['converted'], row)} of it by a swap)" if row["converted"] != "0" else ""
        print_sum(f"{subject}: ", [f"{units(row['begun'], row)}{swap}"], row, screen)
