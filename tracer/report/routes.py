"""Prints origins, paths and divergence: where value came from, which ways it went, and where methods differ."""

from collections.abc import Sequence

from tracer.report.alone import TRACED_ALONE
from tracer.report.answer import Answer, Row
from tracer.report.lines import clean, short, units, whose
from tracer.report.screen import Screen
from tracer.report.traces import print_legend

MOST_RANGES = 200
MOST_PLACES = 200
MOST_STEPS = 12


def print_origins(answer: Answer, screen: Screen) -> None:
    """Print the ranges of every deposit, and its shares by haircut."""
    if not answer.data["deposits"]:
        screen.line(f"Nothing was paid to {clean(answer.data['ref'])}.")
    for deposit in answer.data["deposits"]:
        screen.head(f"Deposit {clean(deposit['outpoint'] or deposit['txid'])}")
        screen.wrapped("  ", f"{units(deposit['amount'], deposit)} to {whose(deposit)} in block {deposit['height']}")
        for view in deposit["views"]:
            print_view(deposit, view, screen)
    if answer.data["labels"]:
        screen.line()
        print_legend(answer.data["labels"], screen)


def print_view(deposit: Row, view: Row, screen: Screen) -> None:
    """Print how a case sees a deposit."""
    whom = "no case has a label in it" if view["case_ref"] is None else f"as case {clean(view['case_ref'])} sees it"
    screen.line(f"  fifo, unit by unit ({whom}):")
    wide = max(len(units(row["units"], deposit)) for row in view["ranges"]) if view["ranges"] else 0
    for row in view["ranges"][:MOST_RANGES]:
        steps = len(row["path"]) - (1 if row["why"] == "seized" and row["outpoint"] else 0)
        told = "" if steps < 1 else f", {steps} transaction{'' if steps == 1 else 's'} back"
        screen.wrapped(f"    {units(row['units'], deposit):>{wide}}  ", f"{clean(row['said'])}{told}")
        if len(row["path"]) > 1:
            screen.wrapped(f"    {'':>{wide}}  ", way_of([short(txid) for txid in row["path"]]))
    if len(view["ranges"]) > MOST_RANGES:
        screen.line(f"    {len(view['ranges']) - MOST_RANGES} more ranges: `--json` has them all")
    sign = "=" if view["tiled"] else "DIFFERS FROM"
    screen.line(f"    {units(sum(int(row['units']) for row in view['ranges']), deposit)} {sign} the deposit")
    if view["haircut"]:
        screen.line("  haircut, by the case's run:")
    for row in view["haircut"]:
        screen.line(f"    {units(row['units'], deposit):>{wide}}  label {row['label']}; most of it came by")
        way = [f"{short(step['txid'])} ({units(step['units'], deposit)})" for step in row["path"]]
        screen.wrapped(f"    {'':>{wide}}  ", way_of(way))


def way_of(steps: Sequence[str]) -> str:
    """Write the steps of a way back; of a long one its two ends."""
    if len(steps) > MOST_STEPS:
        half = MOST_STEPS // 2
        steps = [*steps[:half], f".. {len(steps) - 2 * half} more ..", *steps[-half:]]
    return " < ".join(steps)


def print_paths(answer: Answer, screen: Screen) -> None:
    """Print how much of one place reached the other, and the shortest ways."""
    for route in answer.data["routes"]:
        screen.head(f"From {clean(answer.data['from'])}")
        screen.line(f"  to {clean(answer.data['to'])} on {clean(route['chain'])}", "bold")
        screen.wrapped("  ", f"{TRACED_ALONE}")
        came = [row for row in route["assets"] if (row["fifo"], row["haircut"]) != ("0", "0")]
        for row in came or route["assets"]:
            screen.line(f"  of {units(row['begun'], row)} there arrived")
            screen.line(f"    fifo     {units(row['fifo'], row)}")
            screen.line(f"    haircut  {units(row['haircut'], row)}")
        if not route["paths"]:
            screen.line("  No way leads there in what is stored.")
        for number, path in enumerate(route["paths"], 1):
            print_path(number, path, screen)


def print_path(number: int, path: Row, screen: Screen) -> None:
    """Print one way, step by step."""
    many = f"{path['transactions']} transaction{'' if path['transactions'] == 1 else 's'}"
    screen.line()
    screen.wrapped(
        f"  path {number}, {many}: ",
        f"fifo {units(path['fifo'], path)} along it, haircut at most {units(path['haircut_at_most'], path)}",
    )
    for step in path["steps"]:
        screen.line(f"    block {step['height']}  {clean(step['outpoint'] or step['txid'])}")
        screen.wrapped(
            "      ", f"{whose(step)}: fifo {units(step['fifo'], step)}, haircut {units(step['haircut'], step)}"
        )


def print_divergence(answer: Answer, screen: Screen) -> None:
    """Print every place where methods differ, and count where they do not."""
    if not answer.data["traces"]:
        screen.line(f"Nothing is traced from {clean(answer.data['ref'])}.")
    for trace in answer.data["traces"]:
        of = f"Case {clean(trace['case_ref'])} on" if trace["case_ref"] else f"{clean(answer.data['ref'])} alone, on"
        screen.head(f"{of} {clean(trace['chain'])}")
        if trace["case_ref"] is None:
            screen.wrapped("  ", TRACED_ALONE)
        differing = [place for place in trace["places"] if place["spread"] != "0" or place["only_poison"]]
        for place in differing[:MOST_PLACES]:
            print_place(place, screen)
        if len(differing) > MOST_PLACES:
            screen.line(f"  {len(differing) - MOST_PLACES} more places: `--json` has them all")
        same = len(trace["places"]) - len(differing)
        if trace["agree"]:
            said = "all methods agree to the unit: the strongest result"
            screen.wrapped("  ", f"At all {same} places {said}, for no method had to be chosen.")
        else:
            screen.wrapped("  ", f"At {same} other place{'' if same == 1 else 's'} all methods agree to the unit.")


def print_place(place: Row, screen: Screen) -> None:
    """Print what each method leaves at one place, methods that agree together."""
    if place["place"] == "fees":
        screen.line(f"  fees in {clean(place['symbol'])}")
    else:
        screen.line(f"  {whose(place)}")
        if place["outpoint"] or place["txid"]:
            screen.line(f"    {clean(place['outpoint'] or place['txid'])}")
    groups: dict[int, list[str]] = {}
    for method, amount in place["amounts"].items():
        groups.setdefault(int(amount), []).append(method)
    wide = max(len(units(amount, place)) for amount in groups)
    for amount, methods in sorted(groups.items(), reverse=True):
        screen.line(f"    {units(amount, place):>{wide}}  {', '.join(methods)}")
    reach = "poison reaches it" if place["poison"] else "poison does not reach it"
    screen.line(f"    {units(place['spread'], place):>{wide}}  spread; {reach}")
