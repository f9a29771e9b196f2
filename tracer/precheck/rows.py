"""One field of a comparison, and how several make one verdict. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from tracer.custody.judge import Verdict

SHOWN, CONTRADICTED, NOT_SHOWN = Verdict.SHOWN, Verdict.CONTRADICTED, Verdict.NOT_SHOWN
_GRAVITY = (CONTRADICTED, NOT_SHOWN, SHOWN)


@dataclass(frozen=True, slots=True)
class Row:
    """A field of a transaction held against the plan; rule: the rule that it would break."""

    field: str
    planned: str
    found: str
    verdict: Verdict
    rule: str
    reason: str


def gravest(rows: Iterable[Row]) -> Verdict:
    """The gravest verdict of some rows; NOT_SHOWN if there are none: nothing was compared."""
    return min((row.verdict for row in rows), key=_GRAVITY.index, default=NOT_SHOWN)
