"""How amounts are written for people: exact decimal text of base units. Pure."""


def format_units(amount: int, decimals: int) -> str:
    """Write base units as a decimal with all its digits.

    >>> format_units(40_000_000, 8), format_units(-5, 0), format_units(-5, 2)
    ('0.40000000', '-5', '-0.05')
    """
    sign, digits = ("-" if amount < 0 else ""), str(abs(amount)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else sign + digits
