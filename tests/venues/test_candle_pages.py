"""Candles of a page are brought into one order, or the page is refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.candle_records import HOUR_S
from barograph.venues.candle_pages import (
    CandleRow,
    Hours,
    PageError,
    RefusedError,
    page_of,
    text_of,
)

START = 1_750_003_200


def row(hour, close="2", **how):
    facts = {"open": "1", "high": "3", "low": "1", "volume": "5"} | how
    return CandleRow(start_s=START + hour * HOUR_S, close=close, **facts)


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=4))
def test_whatever_the_order_and_the_repeats_a_page_is_the_same(order, repeats):
    hours = Hours(START + HOUR_S, START + 5 * HOUR_S)
    page = page_of([row(each) for each in (*order, *repeats)], hours)
    assert page.rows == tuple(row(each) for each in range(1, 5))
    assert (page.repeated, page.outside) == (len(repeats), 2)


def test_newest_first_is_an_order():
    hours = Hours(START, START + 3 * HOUR_S)
    assert not page_of([row(2), row(1), row(0)], hours).reordered
    assert page_of([row(1), row(2), row(0)], hours).reordered


def test_two_different_candles_of_one_hour_are_no_page():
    with pytest.raises(PageError, match="two different candles"):
        page_of([row(0), row(0, close="2.5")], Hours(START, START + HOUR_S))


def test_digits_that_say_the_same_are_the_same_candle():
    page = page_of([row(0), row(0, close="2.00")], Hours(START, START + HOUR_S))
    assert (page.repeated, page.rows) == (1, (row(0),))


def test_an_open_within_an_hour_is_no_page():
    odd = CandleRow(start_s=START + 1, open=None, high=None, low=None, close=None, volume="0")
    with pytest.raises(PageError, match="no whole hour"):
        page_of([odd], Hours(START, START + HOUR_S))


@pytest.mark.parametrize(
    ("number", "text"),
    [("1.50", "1.50"), ("1E-7", "0.0000001"), ("1e-20", "0"), ("0.12345678901234567891", None)],
)
def test_a_number_is_written_in_plain_digits(number, text):
    assert text_of(Decimal(number)) == (text or "0.123456789012345679")


def test_a_number_without_end_is_refused():
    with pytest.raises(PageError):
        text_of(Decimal("1e999"))


def test_a_refusal_says_whether_it_is_for_the_pace():
    assert RefusedError("You are over your rate limit please upgrade your account!").limited
    assert not RefusedError("market does not exist for this coin pair").limited


def test_hours_are_counted():
    assert Hours(START, START + 3 * HOUR_S).candles == 3
