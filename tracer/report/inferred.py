"""Prints labels and links: who is said to be behind an address, and what the heuristics make of transactions."""

from itertools import groupby

from tracer.report.answer import Answer, Row
from tracer.report.lines import clean, short
from tracer.report.screen import MOST_ROWS, Screen

MOST_HOLDERS = 4
CLAIMS = {
    "one owner": "seem to have one owner",
    "not merged": "are not merged",
    "mixed": "are of many people",
    "deposit address": "seems to be a deposit address of",
}


def print_labels(answer: Answer, screen: Screen) -> None:
    """Print labels by address, then the pairs that contradict each other, and the packs."""
    rows, data = answer.data["labels"], answer.data
    if not rows:
        screen.line(f"No pack says anything about {clean(data['address'])}.")
    for _, group in groupby(rows[:MOST_ROWS], lambda row: (row["chain"], row["holder"] or row["address"])):
        about = list(group)
        place = clean(about[0]["chain"]) if about[0]["chain"] else "of no chain here"
        screen.line(f"{clean(about[0]['address'])}  {place}", "bold")
        for row in about:
            screen.wrapped("  ", said(row))
    if len(rows) > MOST_ROWS:
        screen.line(f"{len(rows) - MOST_ROWS} more labels: `--json` prints them all.")
    if data["conflicts"]:
        screen.head("Contradictions: both labels stay")
    for row in data["conflicts"][:MOST_ROWS]:
        names = [
            f"{clean(row[n])} ({clean(row[c] or '-')})"
            for n, c in (("label", "category"), ("other_label", "other_category"))
        ]
        screen.wrapped(f"  {clean(row['address'])}  ", f"{names[0]}, says {clean(row['pack_title'])};"
                       f" {names[1]}, says {clean(row['other_title'])}")  # fmt: skip
    screen.head("Packs")
    for pack in data["packs"]:
        state = "" if pack["in_force"] else ", replaced by a later one"
        screen.wrapped("  ", f"{clean(pack['title'])}, by {clean(pack['creator'])}: {pack['labels']} labels{state}")
    print_snapshot(answer, screen)


def said(row: Row) -> str:
    """Write what a label says, and who says so."""
    text = clean(row["label"]) + (f" ({clean(row['category'])})" if row["category"] else "")
    parts = [text, f"says {clean(row['pack_title'])}"]
    parts += [clean(row[key]) for key in ("confidence", "lastmod", "source") if row[key]]
    return ", ".join(parts) + ("" if row["in_force"] else "; no longer in force")


def print_snapshot(answer: Answer, screen: Screen) -> None:
    """Print which labels the answer used."""
    screen.line()
    screen.line(f"{answer.data['labels_in_force']} labels in force, snapshot")
    screen.line(f"  {answer.data['label_snapshot']}")


def print_links(answer: Answer, screen: Screen) -> None:
    """Print what each method links, by transaction."""
    data = answer.data
    screen.line("INFERRED: leads, not facts. No amount and no verdict rests on them.")
    if not data["links"]:
        screen.line(f"Nothing is linked around {clean(data['ref'])}.")
    for row in data["links"][:MOST_ROWS]:
        screen.line()
        head = f"{row['method']}/{row['version']}  {clean(row['chain'])} block {row['height']}  tx {short(row['txid'])}"
        screen.line(f"{head}  confidence {row['confidence']}", "bold")
        screen.wrapped("  ", f"{clean(row['reason'])}: {concluded(row)}")
    if len(data["links"]) > MOST_ROWS:
        screen.line(f"{len(data['links']) - MOST_ROWS} more links: `--json` prints them all.")
    if data["clusters"]:
        screen.head("Holders that seem to have one owner, over all links")
    for number, cluster in enumerate(data["clusters"][:MOST_ROWS], 1):
        screen.wrapped(f"  {number:<4}", f"{named(cluster['holders'])}; transactions: {len(cluster['txids'])}")
    if data["off"]:
        screen.line()
        screen.line(f"Switched off: {', '.join(data['off'])}")
    print_snapshot(answer, screen)


def concluded(row: Row) -> str:
    """Write what a link claims about its holders."""
    holders, claim = row["holders"], CLAIMS[row["claim"]]
    if row["claim"] == "deposit address":
        return f"{named(holders[:1])} {claim} {named(holders[1:])}"
    return f"{named(holders)} {claim}" if len(holders) > 1 else named(holders)


def named(holders: list[Row]) -> str:
    """Write some holders, by the case's name for them, else by address, with what labels say of each."""
    texts = []
    for one in holders[:MOST_HOLDERS]:
        text = clean(one["watch_ref"] or one["address"])
        labels = sorted({clean(label["label"]) for label in one["labels"]})
        texts.append(text + (f" (said to be {' or '.join(labels)})" if labels else ""))
    if len(holders) > MOST_HOLDERS:
        texts.append(f"{len(holders) - MOST_HOLDERS} more")
    return ", ".join(texts)
