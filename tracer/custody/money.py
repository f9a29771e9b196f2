"""Sums of money: exact minor units of a currency, read from what people write, never rounded. Pure."""

import re
from dataclasses import dataclass
from fractions import Fraction

from tracer.units import format_units

PLACES = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV"), 0),
    **dict.fromkeys(("XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Currencies whose exponent in ISO 4217 is not 2."""


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """A sum: whole minor units (cents, fen) of an ISO 4217 currency."""

    currency: str
    minor: int

    @property
    def decimals(self) -> int:
        """How many decimal places the currency has."""
        return places(self.currency)

    def __str__(self) -> str:
        return f"{format_units(self.minor, self.decimals)} {self.currency}"


def places(currency: str) -> int:
    """The decimal places of a currency."""
    return PLACES.get(currency, 2)


def read_money(text: str) -> Money:
    """Read ``1234.56 CNY``; raises ValueError if it is anything else, or finer than the currency.

    >>> read_money("1234.5 CNY")
    Money(currency='CNY', minor=123450)
    """
    found = re.fullmatch(r"(0|[1-9][0-9]{0,30})(?:\.([0-9]+))? ([A-Z]{3})", text)
    if found is None:
        raise ValueError('expected an amount and a currency, such as "1234.56 CNY"')
    whole, fraction, currency = found[1], found[2] or "", found[3]
    if len(fraction) > places(currency):
        raise ValueError(f"{currency} has {places(currency)} decimal places; nothing is rounded, write it exactly")
    return Money(currency, int(whole + fraction.ljust(places(currency), "0")))


def read_rate(text: str) -> Fraction:
    """Read an exact, positive exchange rate, as decimal text; raises ValueError."""
    if not re.fullmatch(r"(0|[1-9][0-9]{0,15})(\.[0-9]{1,18})?", text) or not Fraction(text):
        raise ValueError('expected a rate as plain decimal text, such as "0.9213"')
    return Fraction(text)


def percent_of(money: Money, percent: int) -> Fraction:
    """A percentage of a sum, in minor units, exactly."""
    return Fraction(money.minor * percent, 100)
