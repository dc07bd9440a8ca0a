"""Quotes and their imbalance."""

import math

import pytest

from barograph.feature_set.flow import imbalance, spread_bps


def test_the_spread_in_basis_points_of_the_mid():
    assert spread_bps(99.0, 101.0) == pytest.approx(200.0)
    assert spread_bps(100.0, 100.0) == 0.0


@pytest.mark.parametrize(
    ("bid_size", "ask_size", "expected"), [(3.0, 1.0, 0.5), (0.0, 2.0, -1.0), (1.0, 1.0, 0.0)]
)
def test_the_imbalance_is_the_share_by_which_bids_outweigh(bid_size, ask_size, expected):
    assert imbalance(bid_size, ask_size) == expected


@pytest.mark.parametrize(("bid_size", "ask_size"), [(math.nan, 1.0), (1.0, math.nan), (0.0, 0.0)])
def test_an_unknown_book_has_no_imbalance(bid_size, ask_size):
    assert math.isnan(imbalance(bid_size, ask_size))
