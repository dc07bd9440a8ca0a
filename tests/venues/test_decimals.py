"""Numbers are written out without an exponent, unless that would take a gigabyte."""

from decimal import Decimal

import pytest

from barograph.venues.decimals import is_short, plain


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("6.44e-06", "0.00000644"),
        ("1.5E3", "1500"),
        ("0.10", "0.10"),
        ("0e-60", "0e-60"),
        ("1e40", "1" + "0" * 40),
    ],
)
def test_a_number_keeps_its_digits_and_loses_its_exponent(text, digits):
    assert plain(Decimal(text), text) == digits


@pytest.mark.parametrize("text", ["1e41", "1e-41", "1e999999", "Infinity", "NaN"])
def test_what_is_too_long_to_write_out_is_left(text):
    assert not is_short(Decimal(text))
    assert plain(Decimal(text), "as it was") == "as it was"
