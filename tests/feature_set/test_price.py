"""Parkinson's range against its formula."""

import math

import numpy as np
import pytest

from barograph.feature_set.price import parkinson


def test_the_range_of_a_window_gives_parkinsons_volatility():
    highs = np.array([5_000, 9_000, 7_000], np.int64)
    lows = np.array([4_000, 2_000, 6_000], np.int64)
    expected = 7_000e-9 / math.sqrt(4 * math.log(2) * 3)
    assert parkinson(highs, lows) == pytest.approx(expected, rel=1e-15)


def test_the_order_in_the_ring_does_not_matter():
    rng = np.random.default_rng(1)
    highs, lows = rng.integers(0, 10**6, 60), rng.integers(-(10**6), 0, 60)
    turned = np.roll(highs, 17), np.roll(lows, 17)
    assert parkinson(highs, lows) == parkinson(*turned)
