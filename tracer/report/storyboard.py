"""Prints the report on a case, section by section, with every id in full."""

from collections import Counter

from tracer.report.answer import GRAVITY, NOT_SHOWN, SHOWN, Answer, Row
from tracer.report.casereport import totals
from tracer.report.lines import clean, depth, units, when, whose
from tracer.report.screen import Screen
from tracer.report.tables import print_equation
from tracer.report.traces import print_legend, print_sums

SEVERITIES = ("CRITICAL", "HIGH", "WARN", "INFO")


def print_report(answer: Answer, screen: Screen) -> None:
    """Print a case's report."""
    case = answer.data["case"]
    screen.line(f"Case {clean(case['case_ref'])}: {clean(case['title'])}", "bold")
    begun = [f"block {row['seizure_height']} of {row['chain']}" for row in case["chains"]]
    screen.pairs(
        2,
        [
            ("preset", clean(case["preset"])),
            ("file", f"SHA-256 {case['source_sha256']}"),
            ("seized", f"after {', '.join(begun)}" if begun else "on no chain"),
        ],
    )
    print_short(answer, screen)
    screen.head("Planned legs")
    for leg in answer.data["legs"]:
        print_leg(leg, screen)
    screen.head("Conservation: seized + credits = held + delivered + fees + unexplained")
    for row in answer.data["conservation"]:
        print_equation(row, screen)
    print_unexplained(answer, screen)
    print_orphaned(answer.data["orphaned"], screen)
    screen.head(f"Alerts ({len(answer.data['alerts'])})")
    for alert in answer.data["alerts"]:
        gone = " (its block left the chain)" if alert["canonical"] == 0 else ""
        screen.wrapped(f"  {alert['severity']:<9}{alert['rule']:<8} ", f"{clean(alert['message'])}{gone}")
    screen.head("Left out of this report")
    for row in answer.left_out:
        print_left_out(row, screen)
    if not answer.left_out:
        screen.line("  nothing")
    screen.head("Checks that ran for this report")
    for check in answer.checks:
        screen.verdict("  ", f"{check.verdict:<13}", f"{check.rule:<9} {clean(check.subject)}: {clean(check.reason)}")


def print_short(answer: Answer, screen: Screen) -> None:
    """Print the case on half a screen: the verdict, the legs that are not shown, unexplained value, open alerts."""
    legs, alerts = answer.data["legs"], [row for row in answer.data["alerts"] if row["canonical"] != 0]
    screen.head("In short")
    screen.verdict("  verdict      ", answer.verdict, f", exit code {answer.exit_code}")
    counts = Counter(leg["verdict"] for leg in legs)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in GRAVITY[::-1] if counts[verdict])
    screen.line(f"  legs         {len(legs)} planned: {told}" if legs else "  legs         none planned")
    for leg in legs:
        if leg["verdict"] != SHOWN:
            screen.verdict(f"               {clean(leg['leg_ref'])}: ", leg["verdict"], f", {clean(leg['reason'])}")
    for place, row in enumerate(answer.data["conservation"]):
        head = "unexplained" if not place else ""
        screen.line(f"  {head:<12} {units(row['unexplained'], row)} on {row['chain']}")
        if row["verdict"] == NOT_SHOWN:
            screen.verdict("               ", NOT_SHOWN, f", {clean(row['reason'])}")
    counts = Counter(alert["severity"] for alert in alerts)
    screen.line(
        f"  alerts       {', '.join(f'{counts[level]} {level}' for level in SEVERITIES if counts[level]) or 'none'}"
    )


def print_leg(leg: Row, screen: Screen) -> None:
    """Print one leg: planned, arrived, judged, claimed."""
    payer = clean(leg["sources"]) if leg["sources"] else "outside the case"
    screen.verdict(f"\n  {clean(leg['leg_ref'])}, {leg['kind']}: ", leg["verdict"], f", {clean(leg['reason'])}")
    fee = {"symbol": leg["fee_symbol"], "decimals": leg["fee_decimals"]}
    due = "" if leg["deadline"] is None else f", by {when(leg['deadline'])}"
    lines = [
        ("planned", f"{units(leg['planned'], leg)} from {payer} to {clean(leg['target'])}{due}"),
        ("to", clean(leg["target_address"])),
        ("arrived", units(leg["arrived"], leg)),
    ]
    for part in leg["arrivals"]:
        beyond = "" if part["excess"] == "0" else f", of which {units(part['excess'], part)} excess"
        lines += [
            (
                "",
                f"{units(part['amount'], part)} in block {part['height']}, {depth(part)}, {part['time_utc']}{beyond}",
            ),
            ("", f"tx    {part['outpoint'] or part['txid']}"),
            ("", f"block {part['block_hash']}"),
        ]
    lines.append(("fees", f"{units(leg['fees'], fee)} of at most {units(leg['max_fee'], fee)}"))
    for place, claim in enumerate(leg["claims"]):
        lines.append(("" if place else "claims", f"{claim['what']}: {claim['lane']}"))
        for paper in claim["named"]:
            if "document" in paper:
                lines += [
                    ("", f"  {clean(paper['institution'])}, {clean(paper['document'])}"),
                    ("", f"  SHA-256 {paper['document_sha256']}"),
                ]
    screen.pairs(4, lines)


def print_unexplained(answer: Answer, screen: Screen) -> None:
    """Print what no leg explains, and where it is now."""
    rows = answer.data["unexplained"]
    screen.head("Unexplained, and where it is now")
    if not rows:
        screen.line("  no posting of this case is unexplained")
    leaks = {leak["posting_id"]: leak for leak in answer.data["leaks"]}
    for row in rows:
        to = "" if row["address"] is None else f" to {clean(row['address'])}"
        screen.line()
        screen.wrapped("  ", f"{units(row['amount'], row)}{to}: {clean(row['reason'])}")
        screen.pairs(4, [("tx", row["outpoint"] or row["txid"]), ("block", f"{row['height']}, {depth(row)}")])
        leak = leaks.get(row["posting_id"])
        if leak is not None:
            print_leak(leak, screen)


def print_leak(leak: Row, screen: Screen) -> None:
    """Print where a leaked payment is now, the methods side by side."""
    hop = leak["first_hop"]
    if hop is not None:
        screen.pairs(4, [("first hop", f"{units(hop['traced'], hop)} came to {whose(hop)}")])
    ends: dict[tuple[int, str, str], Row] = {}
    shares: dict[tuple[int, str, str], list[str]] = {}
    for trace in leak["traces"]:
        for end in totals(trace):
            at = end["movement_id"] or 0, end["address"] or "", end["asset"]
            ends[at] = end
            shares.setdefault(at, []).append(f"{trace['method']} {units(end['traced_total'], end)}")
    for place, end in sorted(ends.items(), key=lambda pair: (not pair[0][0], pair[0])):
        state = f"live, {end['reason']}" if end["state"] == "live" else f"ends: {end['boundary']}"
        if end["movement_id"] is None:
            state = "live, held by"
        screen.wrapped(f"    hop {end['hop']}  ", f"{', '.join(shares[place])}  {state}")
        if end["movement_id"] is not None:
            screen.line(f"           {end['outpoint'] or ('fee of ' if end['address'] is None else '') + end['txid']}")
        if end["address"] is not None:
            screen.line(f"           {whose(end)}")
    labels = {row["label"]: row for trace in leak["traces"] for row in trace["labels"]}
    print_legend([labels[label] for label in sorted(labels)], screen, 4)
    for trace in leak["traces"]:
        screen.line(f"    {trace['method']}:")
        print_sums(trace["sums"], screen, 6)
    if len(leak["traces"]) > 1:
        agree = "agree to the unit" if leak["methods_agree"] else "differ: each is exact by its own rule"
        screen.line(f"    {' and '.join(trace['method'] for trace in leak['traces'])} {agree}")


def print_orphaned(rows: list[Row], screen: Screen) -> None:
    """Print what a reorg took off the chain."""
    screen.head("Reorganisations: kept as evidence, counted nowhere")
    for row in rows:
        legs = f" of leg {', '.join(clean(ref) for ref in row['legs'])}" if row["legs"] else ""
        again = row["mined_again"]
        fate = f"mined again in block {again['height']}" if again else "not on the chain since"
        screen.line(f"  block {row['height']} of {row['chain']} left the chain with a transaction{legs}: {fate}")
        screen.pairs(4, [("tx", clean(row["txid"])), ("block", row["block_hash"])])
    if not rows:
        screen.line("  no transaction of this case was in a block that left the chain")


def print_left_out(row: Row, screen: Screen) -> None:
    """Print one thing that the report does not contain."""
    amount = f"{units(row['amount'], row)}: " if "amount" in row else ""
    screen.wrapped("  ", f"{amount}{clean(row['what'])}, {clean(row['why'])}")
    if row.get("txid"):
        screen.line(f"    {clean(row['asset'])}")
        screen.line(f"    {row['txid']}")
