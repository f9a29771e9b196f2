"""How instants are read and written: whole seconds since 1970 (UTC), RFC 3339 for people. Pure."""

from datetime import UTC, datetime, timedelta

_FORM = "an instant with its offset, such as 2026-06-01T00:00:00Z"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = 253_402_300_800  # 10000-01-01


def parse_instant(value: object) -> object:
    """Read an instant from RFC 3339 text, a TOML instant, or whole seconds; raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < _END:
            raise ValueError(f"expected whole seconds since 1970, before the year 10000, got {value}")
        return value
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"expected {_FORM}, got {value!r}") from None
    if not isinstance(value, datetime) or value.tzinfo is None:
        got = value.isoformat() if isinstance(value, datetime) else repr(value)
        raise ValueError(f"expected {_FORM}, got {got}")
    if value.microsecond or value.year < 1970:
        raise ValueError(f"expected a whole second since 1970, got {value.isoformat()}")
    seconds = (value - _EPOCH) // timedelta(seconds=1)
    if not 0 <= seconds < _END:
        raise ValueError(f"expected an instant since 1970, before the year 10000, got {value.isoformat()}")
    return seconds


def instant_text(seconds: int) -> str:
    """Write an instant.

    >>> instant_text(1780272000)
    '2026-06-01T00:00:00Z'
    """
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def span_text(seconds: int) -> str:
    """Write a span of time in its two largest units that are not 0; what is less is cut off.

    >>> span_text(90061), span_text(59), span_text(7200), span_text(87300)
    ('1 d 1 h', '59 s', '2 h', '1 d 15 min')
    """
    units = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    parts: list[str] = []
    left = abs(seconds)
    for size, name in units:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
        if len(parts) == 2:
            break
    return ("-" if seconds < 0 else "") + (" ".join(parts) or "0 s")
