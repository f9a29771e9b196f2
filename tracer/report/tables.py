"""Prints the answers of single commands as tables and lines."""

from collections.abc import Sequence
from itertools import groupby

from tracer.report.answer import Answer, Row
from tracer.report.lines import clean, depth, short, units, when, whose
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


def print_trace(answer: Answer, screen: Screen) -> None:
    """Print forward traces hop by hop, where they end, and their sums."""
    if not answer.data["traces"] and not answer.data["first_hops"]:
        screen.line(f"No seized value is traced to {clean(answer.data['ref'])}.")
    for row in answer.data["postings"]:
        leg = "" if row["leg_ref"] is None else f" of leg {clean(row['leg_ref'])}"
        to = "" if row["address"] is None else f", {clean(row['address'])}"
        what = f"{units(row['amount'], row)}{leg}: {clean(row['reason'])}{to}"
        screen.wrapped("  ", f"posted by {clean(row['case_ref'])} as {row['place']}: {what}")
    for trace in answer.data["traces"]:
        screen.head(f"Case {clean(trace['case_ref'])} on {trace['chain']}, {trace['method']}")
        for coin in trace["starts"]:
            screen.line(f"  from {coin['outpoint']}  {units(coin['amount'], coin)}  {whose(coin)}")
        previous = None
        ends = {(end["movement_id"], end["label"]): end for end in trace["ends"]}
        for step in trace["steps"]:
            if step["txid"] != previous:
                screen.line(f"  block {step['height']}  {step['txid']}")
                previous = step["txid"]
            end = ends.get((step["to_id"], step["label"]))
            state = "" if end is None else "  live" if end["state"] == "live" else f"  ends: {end['boundary']}"
            place = "fee" if step["to_outpoint"] is None else f":{step['to_outpoint'].partition(':')[2]}"
            holder = "" if step["address"] is None else f"  {clean(step['address'])}"
            screen.line(
                f"    {place:<5} hop {step['hop']:<3} label {step['label']:<3} "
                f"{units(step['amount'], step)}{holder}{state}"
            )
        print_legend(trace["labels"], screen)
        print_sums(trace["sums"], trace["starts"], screen)
    for hop in answer.data["first_hops"]:
        screen.line(
            f"  block {hop['height']}  {hop['txid']}\n    first hop  {units(hop['traced'], hop)}  {whose(hop)}"
            f"  ends: {clean(hop['boundary'])}"
        )


def print_sums(sums: Sequence[Row], coins: Sequence[Row], screen: Screen, indent: int = 2) -> None:
    """Print what went in and what came out, per label."""
    for row in sums:
        coin = coins[0] if coins else row
        begun, live, leaves = (units(row[name], coin) for name in ("begun", "live", "leaves"))
        joined = f" + joined on the way {units(row['joined'], coin)}" if row["joined"] != "0" else ""
        sign = "=" if row["exact"] else "DIFFERS FROM"
        screen.line(f"{' ' * indent}label {row['label']}: {begun}{joined} {sign} live {live} + leaves {leaves}")


def print_legend(labels: Sequence[Row], screen: Screen, indent: int = 2) -> None:
    """Print which seized coins the labels are."""
    many = len({(row["case_ref"], row["chain"]) for row in labels}) > 1
    for row in labels:
        place = f"{clean(row['case_ref'])} {clean(row['chain'])} " if many else ""
        whose_coin = clean(row["watch_ref"] or row["address"])
        screen.wrapped(
            f"{' ' * indent}{place}label {row['label']} is ",
            f"{units(row['amount'], row)} of {whose_coin}, seized as {row['outpoint']}",
        )


def print_frontier(answer: Answer, screen: Screen) -> None:
    """Print where traced value is now, and the sums per label."""
    screen.table(
        ("method", "state", "label", "traced", "hop", "held by", "coin", "block"),
        (
            (
                row["method"],
                "live" if row["state"] == "live" else clean(row["boundary"]),
                clean(row["label"]),
                units(row["traced"], row),
                str(row["hop"]),
                clean(row["watch_ref"]) if row["watch_ref"] else short(row["address"]),
                short(row["outpoint"] or row["txid"]),
                str(row["height"]),
            )
            for row in answer.data["frontier"]
        ),
        right=("traced",),
    )
    screen.line()
    print_legend(answer.data["labels"], screen, 0)
    screen.line()
    for row in answer.data["sums"]:
        label = "unexplained" if row["label"] is None else f"label {row['label']}"
        sign = "=" if row["exact"] else "DIFFERS FROM"
        subject = f"{clean(row['case_ref'])} {clean(row['chain'])} {row['method']} {label}"
        screen.wrapped(
            "",
            f"{subject}: {units(row['begun'], row)} {sign}"
            f" live {units(row['live'], row)} + leaves {units(row['leaves'], row)}",
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
