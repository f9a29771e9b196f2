"""Prints what was observed of transfers: one line per event, with its evidence."""

from tracer.report.answer import Answer, Row
from tracer.report.lines import clean, short, units, when
from tracer.report.screen import Screen


def print_life(answer: Answer, screen: Screen) -> None:
    """Print the events of one transaction, or the last one of each."""
    events, one = answer.data["events"], answer.data["txid"]
    if answer.data["at"] is not None:
        screen.line(f"As it was known at {when(answer.data['at'])}")
    if one is not None:
        screen.line(f"tx {one}", "bold")
    for row in answer.data["intended"]:
        who = f"{clean(row['watch_ref'])} ({row['role']})"
        screen.wrapped(f"  would move {row['direction']:<5}{units(row['amount'], row)}  ", who)
    for row in events:
        what = "" if one is not None else f"{clean(row['chain'])} tx {short(row['txid'])}  "
        screen.wrapped(f"  {row['at_utc']}  {row['state']:<18}", f"{what}{evidence(row)}")
    if not events:
        screen.line("Nothing was known.")


def evidence(row: Row) -> str:
    """Write what an event rests on."""
    block = "" if row["height"] is None else f"block {row['height']} {short(row['block_hash'])}"
    match row["state"]:
        case "seen" | "dropped":
            return f"tip {block}"
        case "confirmed" | "final":
            return f"{block}, by policy {row['policy_' + row['state']]}"
        case "replaced" | "conflicted":
            by = f"by tx {short(row['other'])}, both spend {short(row['shared'])}"
            return f"{by}, {block}" if block else by
        case "finality-violated":
            return f"{block}, a node shows {short(row['other'])}"
    return block
