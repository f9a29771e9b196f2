"""`tracer case` and `tracer answer`: where cases stand, for officers, auditors and exchanges."""

import click

from tracer.asking import answered, as_json


@click.group("case")
def group() -> None:
    """Read where cases stand: stage, gates, clocks, alerts, and what was filed."""


@group.command("list")
@as_json
@click.pass_obj
def list_(store: str, json_: bool) -> int:
    """List the cases: preset, stage, side states, open alerts."""
    from tracer.report import casehistory

    return answered(store, json_, casehistory.case_list)


@group.command("status")
@click.argument("case")
@as_json
@click.pass_obj
def status(store: str, case: str, json_: bool) -> int:
    """Say on one screen where CASE stands, what is missing or late, unexplained per asset, alerts, and what is next.

    \b
    Example:
      tracer case status HD-2025-01
    """
    from tracer.report import casestatus

    return answered(store, json_, lambda reader: casestatus.case_status(reader, case))


@group.command("history")
@click.argument("case")
@as_json
@click.pass_obj
def history(store: str, case: str, json_: bool) -> int:
    """Print everything that was filed about CASE, every edit, and every stage that it reached or fell back to."""
    from tracer.report import casehistory

    return answered(store, json_, lambda reader: casehistory.case_history(reader, case))


@group.command("alerts")
@click.argument("case")
@click.option("--all", "everything", is_flag=True, help="Also those that were settled or voided.")
@as_json
@click.pass_obj
def alerts(store: str, case: str, everything: bool, json_: bool) -> int:
    """List the open alerts of CASE with their numbers, and what was done about them."""
    from tracer.report import casehistory

    return answered(store, json_, lambda reader: casehistory.case_alerts(reader, case, everything))


@click.command("answer")
@click.argument("question", required=False)
@click.argument("case", required=False)
@as_json
@click.pass_obj
def answer_command(store: str, question: str | None, case: str | None, json_: bool) -> int:
    """Answer one of the standing QUESTIONs about a case, or list them all.

    \b
    Examples:
      tracer answer                        the questions, by who asks them
      tracer answer where-does-it-stand HD-2025-01
    """
    from tracer.report import questions

    return answered(store, json_, lambda reader: questions.answer(reader, question, case))
