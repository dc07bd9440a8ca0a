"""The law of the simulated market and its true spike probability."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.errors import BadInputError
from barograph.simulated.law import (
    PRESETS,
    LatentVolatility,
    MarketModel,
    check_model,
    generator,
    next_order,
    spike_probability,
)

MARKET, CONSTANT = PRESETS["market"], PRESETS["constant"]


@pytest.fixture(scope="module")
def many():
    """(2000, 60, 2): a minute of as many independent products of the preset `market`."""
    names = tuple(f"P{i}" for i in range(2000))
    return LatentVolatility(MARKET._replace(common_share=0.0), names, 5).advance(60)


@pytest.mark.slow
def test_the_latent_state_starts_from_its_stationary_law(many):
    slow, jump = many[:, 0, 0], many[:, 0, 1]
    assert abs(slow.mean()) < 4 * 0.25 / math.sqrt(2000)
    assert slow.std() == pytest.approx(0.25, rel=0.07)
    # Shot noise: mean rate·size·time, variance rate·size²·time.
    assert abs(jump.mean() - 0.95 * 60 / 300) < 4 * math.sqrt(0.95**2 * 60 / 300 / 2000)
    assert jump.min() >= 0


@pytest.mark.parametrize("power", [0.2, 0.4])
def test_moments_of_the_latent_state_are_those_of_its_law(many, power):
    sample = np.exp(power * many[:, -1].sum(axis=1))
    assert abs(sample.mean() - MARKET.moment(power)) < 4 * sample.std() / math.sqrt(2000)


def test_a_moment_beyond_the_jumps_tail_is_infinite():
    assert MARKET.moment(1.1) == math.inf


def test_a_wholly_common_market_moves_its_products_as_one():
    paths = LatentVolatility(MARKET._replace(common_share=1.0), ("A", "B"), 1).advance(500)
    assert paths[0].tobytes() == paths[1].tobytes()  # exact: the simulated market is its seed's


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_products_share_their_volatilitys_news_as_told(share):
    paths = LatentVolatility(MARKET._replace(common_share=share), ("A", "B"), 1).advance(20_000)
    slow = paths[:, :, 0]
    news = slow[:, 1:] - math.exp(-1 / 900) * slow[:, :-1]
    assert news.std() == pytest.approx(0.25 * math.sqrt(1 - math.exp(-2 / 900)), rel=0.03)
    assert np.corrcoef(news)[0, 1] == pytest.approx(share, abs=0.03)


@given(cut=st.integers(0, 50), seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_the_latent_path_does_not_depend_on_where_it_was_cut(cut, seed):
    whole = LatentVolatility(MARKET, ("A", "B"), seed).advance(50)
    parts = LatentVolatility(MARKET, ("A", "B"), seed)
    joined = np.concatenate([parts.advance(cut), parts.advance(50 - cut)], axis=1)
    assert joined.tobytes() == whole.tobytes()  # exact: the simulated market is its seed's


def test_excitation_fades_while_no_order_comes():
    wait, excitation = next_order(1e-12, 1e-9, 3.0, 2.0, generator(1))
    assert wait == 2.0
    assert excitation == pytest.approx(1e-9 * math.exp(-2 / 3))


@pytest.mark.slow
def test_orders_arrive_at_the_rate_of_their_intensity():
    # From excitation 4/s that fades within 2 s and base 1/s: ∫ over 1 s = 1 + 8(1 − e^{−1/2}).
    rng, orders = generator(3), 0
    for _ in range(20_000):
        now, excitation = 0.0, 4.0
        while True:
            wait, excitation = next_order(1.0, excitation, 2.0, 1.0 - now, rng)
            if wait >= 1.0 - now:
                break
            orders, now = orders + 1, now + wait
    expected = 1 + 8 * (1 - math.exp(-0.5))
    assert abs(orders / 20_000 - expected) < 4 * math.sqrt(expected / 20_000)


@pytest.mark.slow
def test_with_dense_trades_and_constant_variance_the_truth_is_chi_square():
    dense = CONSTANT._replace(order_rate_per_s=50.0)
    tau = dense.volatility * math.sqrt(74.397 / 60)  # the 0.90 quantile of χ²(60) is 74.397
    assert spike_probability(dense, np.zeros((1, 2)), tau)[0] == pytest.approx(0.1, abs=0.008)


@pytest.mark.slow
def test_in_a_constant_market_the_truth_is_one_number():
    latent = LatentVolatility(CONSTANT, ("A",), 1).advance(500)[0]
    assert len(np.unique(spike_probability(CONSTANT, latent, 4.5e-5, paths=1000))) == 1


@pytest.mark.slow
def test_the_truth_rises_with_each_part_of_the_state_and_falls_with_tau():
    slow = np.stack([np.linspace(-0.5, 0.5, 6), np.full(6, 0.4)], axis=1)
    jump = np.stack([np.zeros(6), np.linspace(0, 2, 6)], axis=1)
    assert np.all(np.diff(spike_probability(MARKET, slow, 6e-5, paths=4000)) > 0)
    assert np.all(np.diff(spike_probability(MARKET, jump, 6e-5, paths=4000)) > 0)
    falling = [spike_probability(MARKET, jump, tau, paths=4000) for tau in (1e-9, 5e-5, 8e-5, 1.0)]
    assert np.all(np.diff(falling, axis=0) <= 0)
    assert falling[0].tolist() == [1.0] * 6
    assert falling[-1].tolist() == [0.0] * 6


@pytest.mark.slow
def test_the_truth_of_a_state_does_not_depend_on_which_others_are_asked():
    latent = LatentVolatility(MARKET, ("A",), 2).advance(3000)[0]
    together = spike_probability(MARKET, latent, 6e-5, paths=4000)
    alone = spike_probability(MARKET, latent[1234:1235], 6e-5, paths=4000)
    # Matrix products of other shapes may round otherwise: a few draws in 4,000 at most.
    assert alone[0] == pytest.approx(together[1234], abs=1e-3)


def test_no_state_has_no_truth():
    assert spike_probability(MARKET, np.empty((0, 2)), 6e-5, paths=10).shape == (0,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("volatility", 0.0),
        ("volatility", 0.5),
        ("volatility", math.nan),
        ("slow_std", -1.0),
        ("jump_mean", 1.0),
        ("branching", 1.0),
        ("sweep", 1.0),
        ("common_share", 1.5),
        ("excitation_time_s", 600.0),
        ("rate_elasticity", 2.0),
        ("size_log_mean", math.inf),
    ],
)
def test_a_model_without_a_stationary_law_is_refused_by_the_parameters_name(name, value):
    with pytest.raises(BadInputError, match=name):
        check_model(MARKET._replace(**{name: value}))


def test_whole_numbers_are_as_good_as_floats():
    model = check_model(MarketModel(slow_time_s=900, jump_time_s=60))
    assert model == MARKET
    assert all(isinstance(value, float) for value in model)
