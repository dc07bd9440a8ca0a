"""The Diebold–Mariano test beside the obvious formula, and how often luck looks like skill."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import BadInputError
from barograph.evaluation.diebold_mariano import diebold_mariano


def oracle(series, lags):
    n = len(series)
    mean = math.fsum(series) / n

    def covariance(lag):
        pairs = zip(series[lag:], series[: n - lag], strict=True)
        return math.fsum((one - mean) * (other - mean) for one, other in pairs) / n

    variance = covariance(0) + 2 * math.fsum(
        (1 - lag / (lags + 1)) * covariance(lag) for lag in range(1, lags + 1)
    )
    return mean / math.sqrt(variance / n)


@given(st.integers(0, 2**32 - 1), st.integers(5, 60), st.integers(0, 4))
def test_the_statistic_is_that_of_the_formula(seed, rows, lags):
    series = np.random.default_rng(seed).standard_normal(rows)
    of = diebold_mariano(np.arange(rows), series, lags)
    assert of.statistic == pytest.approx(oracle(series.tolist(), lags), rel=1e-9)
    assert of.lags == lags


def test_rows_of_one_moment_count_as_their_mean_and_in_any_order():
    series = np.random.default_rng(1).standard_normal(40)
    alone = diebold_mariano(np.arange(40), series, 3)
    shuffled = np.random.default_rng(2).permutation(80)
    order = np.repeat(np.arange(40), 2)[shuffled]
    spread = np.tile([1.0, -1.0], 40)[shuffled]
    twice = diebold_mariano(order, np.repeat(series, 2)[shuffled] + spread, 3)
    assert twice.statistic == pytest.approx(alone.statistic, rel=1e-9)


def test_autocorrelated_luck_is_seldom_called_skill_where_its_lags_are_counted():
    """Without lags every other pair of equal forecasts looks different at 5 %."""
    rng = np.random.default_rng(3)
    called = {0: 0, 60: 0}
    for _ in range(200):
        noise = rng.standard_normal(2020)
        series = np.convolve(noise, np.ones(21), "valid")
        for lags in called:
            called[lags] += diebold_mariano(np.arange(2000), series, lags).p_value < 0.05
    assert called[0] > 80
    assert called[60] < 30


def test_losses_that_do_not_differ_have_no_statistic():
    of = diebold_mariano(np.arange(5), np.zeros(5), 1)
    assert math.isnan(of.statistic)
    assert math.isnan(of.p_value)


@pytest.mark.parametrize(("rows", "lags"), [(0, 1), (3, -1)])
def test_no_rows_and_negative_lags_are_refused(rows, lags):
    with pytest.raises(BadInputError, match="losses to compare"):
        diebold_mariano(np.arange(rows), np.zeros(rows), lags)
