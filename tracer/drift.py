"""What value that moved unobserved means to a case: who is told, and why a ledger that closes is doubted. Pure."""

from collections.abc import Callable, Iterable, Mapping

from tracer.book import Book
from tracer.notices import Notice
from tracer.opening import Interest, InterestOf
from tracer.types import HELD_ROLES, Asset, AssetId, Holder, Lane
from tracer.units import format_units
from tracer.value import Check


def note_checks(
    checks: Iterable[Check],
    books: Mapping[int, Book],
    interest_of: InterestOf,
    assets: Mapping[AssetId, Asset],
    show: Callable[[Holder], str],
) -> tuple[dict[tuple[int, AssetId], None], list[Notice]]:
    """Add unobserved value to the books of cases that hold its holder; returns the ledgers it touches, and alerts."""
    touched: dict[tuple[int, AssetId], None] = {}
    notices: list[Notice] = []
    for check in (check for check in checks if check.unobserved):
        interests = [i for i in interest_of(check.holder) if i.case_id in books and books[i.case_id].opened]
        notices += about_check(check, interests, assets, show)
        for case_id in (i.case_id for i in interests if i.role in HELD_ROLES):
            drift = books[case_id].drift
            drift[check.holder, check.asset] = drift.get((check.holder, check.asset), 0) + check.unobserved
            touched[case_id, check.asset] = None
    return touched, notices


def about_check(
    check: Check,
    interests: Iterable[Interest],
    assets: Mapping[AssetId, Asset],
    show: Callable[[Holder], str],
) -> list[Notice]:
    """VALUE-1: a balance changed by more or less than was observed; a loss of a held holder is CRITICAL."""
    asset = assets[check.asset]

    def money(amount: int) -> str:
        return f"{format_units(amount, asset.decimals)} {asset.symbol}"

    how = "proven" if check.lane is Lane.PROVEN else "reported"
    what = (
        f"{show(check.holder)}: {money(check.unobserved)} unobserved since block {check.since}: its {how} balance went"
        f" from {money(check.before)} to {money(check.balance)}, movements explain {money(check.observed)}"
    )
    return [
        Notice(
            "VALUE-1",
            "CRITICAL" if check.unobserved < 0 and interest.role in HELD_ROLES else "HIGH",
            what,
            interest.case_id,
        )
        for interest in interests
    ]
