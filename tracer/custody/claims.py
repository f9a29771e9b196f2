"""Numbers as others printed them, held against exact amounts at the precision that was printed. Pure."""

import re
from dataclasses import dataclass
from fractions import Fraction

SCALES = {
    "": 0,
    "k": 3,
    "thousand": 3,
    "m": 6,
    "mn": 6,
    "million": 6,
    "b": 9,
    "bn": 9,
    "billion": 9,
}
PRINTED = re.compile(r"(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))? ?([A-Za-z]*)")


@dataclass(frozen=True, slots=True)
class Printed:
    """A printed number: its value, and what one more in its last printed place would add."""

    value: Fraction
    step: Fraction


def read_printed(text: str) -> Printed | None:
    """Read a number as people print it; None if nobody can tell what it is.

    >>> read_printed("1.4 M")
    Printed(value=Fraction(1400000, 1), step=Fraction(100000, 1))
    >>> read_printed("194,775").step, read_printed("about a lot")
    (Fraction(1, 1), None)
    """
    found = PRINTED.fullmatch(text.strip())
    if found is None or found[3].lower() not in SCALES:
        return None
    whole, fraction, scale = found[1].replace(",", ""), found[2] or "", Fraction(10 ** SCALES[found[3].lower()])
    step = scale / 10 ** len(fraction)
    return Printed(int(whole + fraction) * step, step)


def agrees(printed: Printed, amount: int, decimals: int) -> bool:
    """Whether an exact amount, rounded or cut to what was printed, may be that number; amount in base units.

    >>> one = read_printed("27.6 M")
    >>> agrees(one, 27_553_000_0000, 4), agrees(one, 27_699_999_9999, 4), agrees(one, 27_700_000_0000, 4)
    (True, True, False)
    """
    exact = Fraction(amount, 10**decimals)
    return printed.value - printed.step / 2 <= exact < printed.value + printed.step
