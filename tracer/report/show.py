"""Prints any answer for people, and below it as of which blocks it holds and which checks failed."""

from collections.abc import Sequence
from importlib import import_module

from tracer.report.answer import CONTRADICTED, NOT_SHOWN, SHOWN, SINGLE_NODE, Answer, Check
from tracer.report.lines import clean, units
from tracer.report.screen import Screen

PRINTERS = {
    "status": "tables:print_status",
    "case status": "casescreen:print_standing",
    "case list": "casescreen:print_cases",
    "case history": "casescreen:print_history",
    "case alerts": "casescreen:print_alerts",
    "questions": "casescreen:print_questions",
    "answer": "casescreen:print_rows",
    "transfers": "tables:print_transfers",
    "legs": "tables:print_legs",
    "trace": "traces:print_trace",
    "origins": "routes:print_origins",
    "paths": "routes:print_paths",
    "divergence": "routes:print_divergence",
    "frontier": "traces:print_frontier",
    "reconcile": "tables:print_reconcile",
    "life": "lived:print_life",
    "runs": "audited:print_runs",
    "audit": "audited:print_audit",
    "report": "storyboard:print_report",
    "labels": "inferred:print_labels",
    "links": "inferred:print_links",
    "precheck": "prechecked:print_precheck",
}
"""Who prints which answer, as ``module:function`` of this package: a command loads what it prints with, and no more."""


def show(answer: Answer, screen: Screen) -> None:
    """Print an answer."""
    module, _, name = PRINTERS[answer.asked].partition(":")
    getattr(import_module(f"tracer.report.{module}"), name)(answer, screen)
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
    alerts = answer.data.get("alerts", {}) if answer.asked == "case status" else {}
    above = {alert["message"] for alert in alerts.get("gravest", ())}  # said on this screen already
    failed = [check for check in answer.checks if check.verdict != SHOWN and check.reason not in above]
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
