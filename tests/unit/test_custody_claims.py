"""Numbers as others print them: how they are read, and what they agree with."""

from fractions import Fraction

import pytest

from tracer.custody.claims import Printed, agrees, read_printed


@pytest.mark.parametrize(
    ("text", "value", "step"),
    [
        ("194,775", 194_775, 1),
        ("833083", 833_083, 1),
        ("1.4 M", 1_400_000, 100_000),
        ("27.60 million", 27_600_000, 10_000),
        ("6 bn", 6 * 10**9, 10**9),
        ("0.0091", Fraction(91, 10_000), Fraction(1, 10_000)),
    ],
)
def test_a_printed_number_keeps_its_precision(text: str, value: Fraction, step: Fraction) -> None:
    assert read_printed(text) == Printed(Fraction(value), Fraction(step))


@pytest.mark.parametrize("text", ["", "many", "1,4 M", "12,34", "-5", "1.4 dozen", "1e6", "1.2.3", "~5"])
def test_what_is_no_plain_number_is_not_guessed(text: str) -> None:
    assert read_printed(text) is None


@pytest.mark.parametrize(
    ("text", "sat", "fits"),
    [
        ("194,775", 194_775_00000000, True),
        ("194,775", 194_775_99999999, True),  # cut
        ("194,775", 194_774_50000000, True),  # rounded
        ("194,775", 194_774_49999999, False),
        ("194,775", 194_776_00000000, False),
        ("6 bn", 5_400_000_000_00000000, False),
    ],
)
def test_an_amount_agrees_that_may_have_been_rounded_or_cut_to_what_is_printed(text: str, sat: int, fits: bool) -> None:
    printed = read_printed(text)
    assert printed is not None
    assert agrees(printed, sat, 8) is fits
