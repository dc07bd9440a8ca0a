"""Volatility estimators on cases whose answer is known."""

import math

import pytest

from barograph.feature_set.variance import bipower_vol, jump_share, ratio, realized_vol


def test_constant_returns_have_their_own_size_as_volatility():
    assert realized_vol(60 * 2_000**2, 60) == pytest.approx(2e-6, rel=1e-15)


def test_a_single_jump_leaves_bipower_volatility_alone():
    assert bipower_vol(0, 60) == 0.0
    assert jump_share(realized_vol(10**10, 60), 0.0) == 1.0


def test_no_jumps_in_a_diffusion_and_none_where_nothing_moved():
    assert jump_share(1e-4, 1.1e-4) == 0.0
    assert jump_share(0.0, 0.0) == 0.0
    assert jump_share(1e-4, 1e-4 * math.sqrt(0.75)) == pytest.approx(0.25)


def test_a_ratio_of_two_calms_is_one():
    assert ratio(0.0, 0.0) == 1.0
    assert ratio(3.0, 2.0) == 1.5
