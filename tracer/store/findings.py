"""Which findings about a case are stored as holding, and which were resolved."""

from sqlalchemy import Connection, text

from tracer.custody.findings import Finding

JUDGE = "tracerd"
"""Who resolves and reopens alerts when facts change."""

Key = tuple[str, str, str, bool, str]
"""Rule, subject, severity, whether the facts go against the rule, and the words.

When one of them changes, another alert is given, and the one before is resolved: what is open is so as it says.
"""


def stored_findings(connection: Connection, case_id: int) -> tuple[dict[Key, int], dict[Key, int]]:
    """The alerts of what rules found of a case: those that hold, and those that were resolved."""
    holding: dict[Key, int] = {}
    resolved: dict[Key, int] = {}
    for number, rule, subject, severity, shown, message, last in connection.execute(
        text(
            "SELECT a.id, a.rule, a.subject, a.severity, a.shown, a.message, (SELECT e.what FROM alert_event e"
            f" WHERE e.alert_id = a.id AND e.actor = '{JUDGE}' ORDER BY e.id DESC LIMIT 1) FROM alert a"
            " WHERE a.case_id = :c AND a.subject IS NOT NULL ORDER BY a.id"
        ),
        {"c": case_id},
    ):
        (resolved if last == "resolved" else holding)[rule, subject, severity, bool(shown), message] = number
    return holding, resolved


def key_of(finding: Finding) -> Key:
    """What tells a finding from others, and from what it was before."""
    return (*finding.key, finding.severity, finding.found.shown, finding.found.message)
