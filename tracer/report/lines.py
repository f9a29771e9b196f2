"""How single things are written for people: ids, times, amounts, states, and text that strangers chose. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tracer.report.answer import money

Row = Mapping[str, Any]

LONGEST_SYMBOL = 24


def clean(value: object) -> str:
    """Write a value so that it cannot steer a terminal: what does not print becomes a question mark.

    >>> clean("US\\x1b[31mDT"), clean(None)
    ('US?[31mDT', '-')
    """
    if value is None:
        return "-"
    return "".join(char if char.isprintable() else "?" for char in str(value))


def short(value: str | None) -> str:
    """Shorten a long id to its two ends; an output index stays. Whole ids are in `--json`.

    >>> short("ab" * 32 + ":1"), short("bc1qshort"), short(None)
    ('ababab..ababab:1', 'bc1qshort', '-')
    """
    if value is None:
        return "-"
    body, colon, index = value.partition(":")
    return clean(value) if len(body) <= 22 else f"{clean(body[:6])}..{clean(body[-6:])}{colon}{clean(index)}"


def when(seconds: int | None) -> str:
    """Write an instant as ISO 8601 in UTC."""
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def units(amount: str | int, row: Row) -> str:
    """Write an amount of a row's asset, whose symbol a stranger may have chosen."""
    if not row["symbol"]:
        return f"{clean(money(amount, row))}base units"  # a token that does not say what it is
    text = clean(money(amount, row))
    spare = len(row["symbol"]) - LONGEST_SYMBOL
    return text if spare <= 0 else text[:-spare] + ".."


def depth(row: Row) -> str:
    """Write how deep a row's block lies."""
    count = row["confirmations"]
    state = "final" if row["final"] else "confirmed" if row["confirmed"] else "not yet confirmed"
    return f"{count} confirmation{'' if count == 1 else 's'}, {state}"


def whose(row: Row) -> str:
    """Write who holds something: the case's name for it, else its address."""
    if row["watch_ref"] is not None:
        return f"{clean(row['watch_ref'])} ({row['role']})"
    return "fee" if row["address"] is None else clean(row["address"])
