"""Forecasts of volatility that only the experiment computes, against loops in obvious code."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.cases import baselines

series = st.lists(
    st.one_of(st.floats(-1e-3, 1e-3), st.just(math.nan), st.just(0.0)), min_size=1, max_size=60
).map(np.array)


def ahead(returns, omega, alpha, beta, horizon):
    """The mean of the variances that GARCH expects for each of the seconds to come, one by one."""
    out, variance = [], None
    for r in returns:
        if math.isnan(r):
            variance = None
            out.append(math.nan)
            continue
        variance = r * r if variance is None else omega + alpha * r * r + beta * variance
        expected, path = variance, []
        for _ in range(horizon):
            path.append(expected)
            expected = omega + (alpha + beta) * expected
        out.append(math.fsum(path) / horizon)
    return out


@pytest.mark.slow
@given(
    series,
    st.floats(1e-12, 1e-8),
    st.floats(0, 0.5),
    st.floats(0, 0.49),
    st.integers(1, 80),
)
def test_the_mean_variance_ahead_is_that_of_garch_second_by_second(
    returns, omega, alpha, beta, horizon
):
    mean_variance = baselines.mean_variance(returns, omega, alpha, beta, horizon)
    np.testing.assert_allclose(
        mean_variance, ahead(returns, omega, alpha, beta, horizon), rtol=1e-9, atol=1e-9 * omega
    )


@given(series)
def test_over_an_unknown_return_the_variance_stays_where_nothing_restarts(returns):
    nowhere = np.zeros(len(returns), np.bool_)
    carried = baselines.mean_variance(returns, 1e-9, 0.1, 0.8, 60, nowhere)
    known = ~np.isnan(returns)
    alone = baselines.mean_variance(returns[known], 1e-9, 0.1, 0.8, 60)
    assert carried[known].tobytes() == alone.tobytes()  # exact: the same recursion
    last = np.maximum.accumulate(np.where(known, np.arange(len(returns)), -1))
    expected = np.where(last < 0, np.nan, carried[np.maximum(last, 0)])
    np.testing.assert_array_equal(carried, expected)  # exact: the same number, carried on


@given(series, series)
def test_no_forecast_knows_what_comes_after_it(before, after):
    for parameters in ((0.0, 0.1, 0.9), (1e-9, 0.1, 0.8)):
        alone = baselines.mean_variance(before, *parameters, 60)
        whole = baselines.mean_variance(np.concatenate([before, after]), *parameters, 60)
        # exact: no row sees what comes after it
        assert whole[: len(before)].tobytes() == alone.tobytes()


def garch(omega, alpha, beta, seconds, rng):
    """Returns (seconds,) of the recursion itself, and the variance of each."""
    returns, variances = np.empty(seconds), np.empty(seconds)
    variance = omega / (1 - alpha - beta)
    for t in range(seconds):
        variances[t] = variance
        returns[t] = math.sqrt(variance) * rng.standard_normal()
        variance = omega + alpha * returns[t] ** 2 + beta * variance
    return returns, variances


@pytest.fixture(scope="module")
def simulated():
    pytest.importorskip("arch")
    return garch(5e-11, 0.1, 0.85, 20_000, np.random.default_rng(1))


def test_garch_recovers_the_variance_that_made_the_returns(simulated):
    returns, variances = simulated
    learned_from = np.arange(len(returns)) < 15_000
    vol = baselines.garch_vol(returns, learned_from, 1)[15_000:-1]
    true = np.sqrt(variances[15_001:])
    assert np.corrcoef(vol, true)[0, 1] > 0.99
    assert np.mean(vol / true) == pytest.approx(1, abs=0.05)


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**16))
def test_garch_learns_from_the_returns_it_was_given_and_from_no_others(seed):
    pytest.importorskip("arch")
    returns, _ = garch(5e-11, 0.1, 0.85, 3000, np.random.default_rng(2))
    returns[1000] = math.nan
    changed = returns.copy()
    changed[2000:] *= np.random.default_rng(seed).lognormal(0, 2, 1000)
    learned_from = np.arange(3000) < 2000
    vol, again = (baselines.garch_vol(some, learned_from, 60) for some in (returns, changed))
    assert vol[:2000].tobytes() == again[:2000].tobytes()  # exact: no row sees what comes after it
    assert np.isnan(vol[1000])
    assert not np.isnan(vol[:1000]).any()


@pytest.mark.parametrize("known", [1000, 1, 0])
def test_a_market_that_does_not_move_or_was_not_seen_has_no_volatility(known):
    pytest.importorskip("arch")
    still = np.zeros(1000)
    still[7] = math.nan
    vol = baselines.garch_vol(still, np.arange(1000) < known, 60)
    assert np.flatnonzero(np.isnan(vol)).tolist() == [7]
    assert (np.delete(vol, 7) == 0).all()
