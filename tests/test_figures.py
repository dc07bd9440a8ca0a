import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.figures import (
    MS,
    NOT_DEFINED,
    NS,
    bounds,
    duration,
    estimate,
    figure,
    interval,
    price,
    three_digits,
)
from barograph.types import Interval


def of(middle, low=0.4, high=0.6):
    return Interval(estimate=middle, low=low, high=high, level=0.95, resamples=9, undefined=0)


def test_a_figure_has_its_decimals_its_sign_and_its_unit():
    assert (figure(-0.1234), figure(0.5, 1, signed=True)) == ("-0.123", "+0.5")
    assert figure(0.1234, 1, share=True) == "12.3%"


@pytest.mark.parametrize(
    ("middle", "signed", "expected"),
    [
        (0.5, False, "0.50 [0.40, 0.60]"),
        (0.5, True, "+0.50 [+0.40, +0.60]"),
        (math.nan, False, NOT_DEFINED),
    ],
)
def test_an_interval_is_written_whole_or_as_not_defined(middle, signed, expected):
    assert interval(of(middle), 2, signed=signed) == expected  # exact: a text


def test_an_interval_of_shares_is_in_percent():
    assert interval(of(0.5), 1, share=True) == "50.0% [40.0%, 60.0%]"


def test_what_there_is_not_has_one_mark_everywhere():
    nothing = (figure(None), figure(math.nan), estimate(None), interval(None), duration(None))
    assert set(nothing) == {NOT_DEFINED}


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1), st.integers(0, 5), st.booleans())
def test_an_interval_is_its_estimate_and_its_bounds(middle, low, high, places, signed):
    whole = interval(of(middle, low, high), places, signed=signed)
    parts = (
        figure(middle, places, signed=signed),
        bounds(of(middle, low, high), places, signed=signed),
    )
    assert whole == " ".join(parts)  # exact: a text


@given(st.floats(-1e6, 1e6))
def test_three_digits_are_within_half_of_the_last_one(value):
    written = float(three_digits(value).replace(",", ""))
    assert written == pytest.approx(value, rel=5.1e-3, abs=1e-300)


@pytest.mark.parametrize(
    ("taken_ms", "expected"),
    [
        (0, "0 s"), (0.0123, "12.3 µs"), (0.9999, "1,000 µs"), (1, "1 ms"), (12.34, "12.3 ms"),
        (1000, "1 s"), (61_500, "61.5 s"), (100_000, "100 s"), (-3, "-3 ms"), (150_000, "2.5 min"),
        (5.4e6, "90 min"), (2.16e7, "6 h"), (6.048e8, "7 d"),
    ],
)  # fmt: skip
def test_a_duration_is_written_in_the_unit_that_one_would_say(taken_ms, expected):
    assert duration(taken_ms, MS) == expected


def test_a_duration_may_come_in_any_unit():
    assert duration(90.0) == duration(90 * 10**9, NS) == "90 s"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (100_000.0, "100,000.00"), (123.456, "123.46"), (99.5, "99.500"), (12.3456, "12.346"),
        (1.0, "1.0000"), (0.12345, "0.1235"), (0.00000644, "0.000006440"), (0.0, "0.00"),
        (1.25e-12, "1.250e-12"), (None, "n/d"), (float("nan"), "n/d"), (float("inf"), "n/d"),
    ],
)  # fmt: skip
def test_a_price_keeps_its_significant_digits(value, expected):
    assert price(value) == expected


@given(st.floats(1e-9, 1e9))
def test_a_price_is_never_shown_as_nothing(value):
    assert float(price(value).replace(",", "")) == pytest.approx(value, rel=5.1e-4)
