"""Prints any answer for people, and below it as of which blocks it holds and which checks failed."""

from collections.abc import Callable, Sequence

from tracer.report import tables, traces
from tracer.report.answer import CONTRADICTED, NOT_SHOWN, SHOWN, SINGLE_NODE, Answer, Check
from tracer.report.audited import print_audit, print_runs
from tracer.report.casescreen import (
    print_alerts,
    print_cases,
    print_history,
    print_questions,
    print_rows,
    print_standing,
)
from tracer.report.inferred import print_labels, print_links
from tracer.report.lines import clean, units
from tracer.report.lived import print_life
from tracer.report.prechecked import print_precheck
from tracer.report.routes import print_divergence, print_origins, print_paths
from tracer.report.screen import Screen
from tracer.report.storyboard import print_report

PRINTERS: dict[str, Callable[[Answer, Screen], None]] = {
    "status": tables.print_status,
    "case status": print_standing,
    "case list": print_cases,
    "case history": print_history,
    "case alerts": print_alerts,
    "questions": print_questions,
    "answer": print_rows,
    "transfers": tables.print_transfers,
    "legs": tables.print_legs,
    "trace": traces.print_trace,
    "origins": print_origins,
    "paths": print_paths,
    "divergence": print_divergence,
    "frontier": traces.print_frontier,
    "reconcile": tables.print_reconcile,
    "life": print_life,
    "runs": print_runs,
    "audit": print_audit,
    "report": print_report,
    "labels": print_labels,
    "links": print_links,
    "precheck": print_precheck,
}


def show(answer: Answer, screen: Screen) -> None:
    """Print an answer."""
    PRINTERS[answer.asked](answer, screen)
    print_foot(answer, screen)


def print_foot(answer: Answer, screen: Screen) -> None:
    """Print what was left out, as of which blocks all this is, and the verdict with the checks that failed."""
    if answer.left_out and answer.asked != "report":
        screen.head("Left out")
        for row in answer.left_out:
            amount = f"{units(row['amount'], row)}  " if "amount" in row else ""
            screen.wrapped("  ", f"{amount}{clean(row['what'])}: {clean(row['why'])}")
    screen.head("As of")
    for chain in answer.as_of:
        place = "not begun" if chain["height"] is None else f"block {chain['height']}  {chain['time']}"
        anchor = chain["anchor"] if chain["anchor"] == SINGLE_NODE else f"{chain['anchor']} to {chain['anchor_height']}"
        screen.line(f"  {chain['name']:<12}{place}  anchor {anchor}  node {chain['node_state'] or 'never asked'}")
        if chain["block_hash"] is not None:
            screen.line(f"  {'':<12}{chain['block_hash']}")
    failed = [check for check in answer.checks if check.verdict != SHOWN]
    screen.line()
    screen.verdict("", answer.verdict, f" at lane {answer.lane}; {passed(answer.checks, answer.asked != 'precheck')}")
    for check in failed if answer.asked != "report" else ():
        screen.verdict("  ", f"{check.verdict:<13}", f"{check.rule:<9} {clean(check.subject)}: {clean(check.reason)}")


def passed(checks: Sequence[Check], of_legs: bool = True) -> str:
    """Count the checks that passed, and say of the others what they are: most legs are only not due yet."""
    fine = sum(check.verdict == SHOWN for check in checks)
    wrong = sum(check.verdict == CONTRADICTED for check in checks)
    due = sum(of_legs and check.verdict == NOT_SHOWN and check.rule.startswith("LEG-") for check in checks)
    others = len(checks) - fine - wrong - due
    parts = [
        f"{wrong} contradicted" if wrong else "",
        f"{due} leg{'' if due == 1 else 's'} not shown yet" if due else "",
        f"{others} more not shown" if others and due else f"{others} not shown" if others else "",
    ]
    return ", ".join([f"{fine} of {len(checks)} checks passed", *(part for part in parts if part)])
