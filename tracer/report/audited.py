"""Prints trace runs and audits."""

from tracer.report.answer import Answer, Row
from tracer.report.lines import clean, units, when
from tracer.report.screen import Screen


def print_runs(answer: Answer, screen: Screen) -> None:
    """Print the runs, each with what was chosen and what it came to."""
    for count, run in enumerate(answer.data["runs"]):
        if count:
            screen.line()
        print_run(run, screen)
    screen.line()
    screen.line(f"{len(answer.data['runs'])} runs; `tracer audit RUN` computes one again")


def print_run(run: Row, screen: Screen) -> None:
    """Print one run."""
    kind = "superseded" if run["superseded"] else "live" if run["live"] else "computed once"
    head = f"run {run['run']}  case {clean(run['case_ref'])}  {clean(run['chain'])}  {run['method']}  {kind}"
    screen.line(head, "bold")
    registered = f", registered {when(run['registered_at'])}" if run["registered_at"] else ""
    screen.wrapped("  ", f"begins after block {run['since']} with {run['labels']} sources{registered}; {limits(run)}")
    screen.line(f"  sources   {run['sources_sha256']}")
    for result in run["results"]:
        gone = "" if result.get("canonical", True) else ", taken off the chain by a reorg"
        how = "advanced block by block" if run["live"] else f"computed by the {result['engine']}"
        screen.line(f"  at block {result['height']}, {how}: {result['ends']} ends{gone}")
        screen.line(f"  digest    {result['digest']}")
    if not run["results"] and not run["superseded"]:
        screen.line("  no result is kept for it")


def limits(run: Row) -> str:
    """Write what a run is limited by."""
    most = run["limits"]
    said = [f"fees {'end there' if run['fee_policy'] == 'sink' else 'go on to the miner'}"]
    if most["max_hops"] < 1 << 30:
        said.append(f"at most {most['max_hops']} hops")
    if most["min_amount"]:
        said.append(f"at least {most['min_amount']} units")
    if most["max_live"] < 1 << 30:
        said.append(f"at most {most['max_live']} live coins")
    if run["stop_at"]:
        said.append(f"stops at {', '.join(clean(what) for what in run['stop_at'])}")
    return "; ".join(said)


def print_audit(answer: Answer, screen: Screen) -> None:
    """Print what a run gave when it was computed again, and the equation of every label."""
    print_run(answer.data["run"], screen)
    for row in answer.data["audits"]:
        screen.line()
        same = "the same digest" if row["same"] else "ANOTHER DIGEST"
        head = (
            f"computed again at block {row['height']} by the {row['recomputed_by']}, {row['transactions']} transactions"
        )
        screen.line(f"{head}: {same}", "bold")
        screen.line(f"  stored      {row['digest']}")
        screen.line(f"  recomputed  {row['recomputed']}")
    if answer.data["equations"]:
        screen.head("Conservation: seeded (and converted) = live + boundaries + fees")
    for row in answer.data["equations"]:
        screen.line(f"  label {row['label']}  {clean(row['source'] or '')}")
        begun = str(int(row["seeded"]) + int(row["converted"]))
        sums = [f"{name:<11}{units(row[name], row)}" for name in ("live", "boundaries", "fees")]
        wide = max(len(line) for line in sums)
        sign = "reaches" if row["exact"] is None else "=" if row["exact"] else "!="
        screen.line(f"    {units(begun, row)} {sign}")
        for line in sums:
            name, amount = line[:11], line[11:]
            screen.line(f"      {name}{amount:>{wide - 11}}")
