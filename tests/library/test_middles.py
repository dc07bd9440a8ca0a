"""The middle of a quote is the float of its digits, as a recording has it."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from barograph.library.middles import middles
from barograph.venues.forms.envelope import value_of
from barograph.venues.forms.fields import middle_of, plain_decimal

prices = st.one_of(
    st.floats(1e-9, 1e17),
    st.decimals("0.01", "9999999", places=2).map(float),
    st.decimals("0.00000001", "0.1", places=8).map(float),
)


@given(quotes=st.lists(st.tuples(prices, prices), min_size=1))
def test_it_is_the_one_of_the_texts_of_bid_and_ask(quotes):
    bid, ask = np.array(quotes).T.copy()
    texts = [[plain_decimal(value_of(repr(each).encode())) for each in quote] for quote in quotes]
    assert middles(bid, ask).tolist() == [float(middle_of(*each)) for each in texts]


def test_half_of_a_rounded_sum_would_be_another_float():
    bid, ask = 0.1, 0.2
    assert (bid + ask) / 2 != 0.15  # exact: the floats differ by their last bit
    assert middles(np.array([bid]), np.array([ask])) == [0.15]  # exact: the float of its digits


def test_what_is_unknown_has_no_middle():
    unknown = np.array([math.nan, 1.0, math.inf, 0.0])
    assert np.isnan(middles(unknown, unknown[::-1].copy())).all()
