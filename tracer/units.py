"""How amounts are written and read: exact decimal text of base units, never rounded. Pure."""

import re

from tracer.strict import Unfit, show
from tracer.types import Asset

_HIGHEST = 2**256 - 1


def format_units(amount: int, decimals: int) -> str:
    """Write base units as a decimal with all its digits.

    >>> format_units(40_000_000, 8), format_units(-5, 0), format_units(-5, 2)
    ('0.40000000', '-5', '-0.05')
    """
    sign, digits = ("-" if amount < 0 else ""), str(abs(amount)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else sign + digits


def base_units(text: str, asset: Asset) -> int:
    """Convert decimal text to base units exactly; raises Unfit."""
    if text.startswith("-"):
        raise Unfit("", f"may not be negative, got {show(text)}")
    if not re.fullmatch(r"(0|[1-9][0-9]{0,77})(\.[0-9]+)?", text):
        raise Unfit("", f'expected plain decimal text such as "1.5", got {show(text)}')
    whole, _, fraction = text.partition(".")
    if len(fraction) > asset.decimals:
        places = f"{len(fraction)} decimal places, {asset.symbol} has {asset.decimals}"
        raise Unfit("", f"{show(text)} has {places}", "Nothing is rounded: write it exactly.")
    amount = int(whole + fraction.ljust(asset.decimals, "0"))
    if amount > _HIGHEST:
        raise Unfit("", f"{show(text)} is more than 2^256-1 base units, the most that can exist")
    return amount
