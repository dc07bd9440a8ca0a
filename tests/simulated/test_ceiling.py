"""Watching a market whose hidden state is known: what can be seen of it, and what cannot."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.errors import BadInputError
from barograph.simulated.ceiling import Filter, Orders, Sight, _systematic, forecast, orders
from barograph.simulated.law import PRESETS, generator, spike_probability
from barograph.simulated.market import INCREMENT, SimulatedMarket
from barograph.simulated.tape import Beat, Print

MARKET, CONSTANT = PRESETS["market"], PRESETS["constant"]
PRODUCTS = ("BTC-USD", "ETH-USD")
START_S = 1_750_000_000
QUICK = Filter(particles=400, paths=500)
TAU = 7e-5


def watched(model, seconds, seed=1, products=PRODUCTS):
    """(orders of each product, latent state of each) of one simulated market."""
    market = SimulatedMarket(model, products, seed, START_S * 10**9)
    shown = orders(market.events(seconds), products, START_S, INCREMENT)
    return shown, [truth.latent for truth in market.truth().values()]


def printed(product, time_ns, bid="99.99", ask="100.01"):
    return Print(product, time_ns, trade_id=1, sequence=1, price=bid, bid=bid, ask=ask)


@pytest.fixture(scope="module")
def hour():
    """(orders of two products, what all of it says, the truth) over an hour and a half."""
    shown, latent = watched(MARKET, 5400)
    truth = np.array([spike_probability(MARKET, one, TAU, paths=2000) for one in latent])
    how = Filter(particles=1000, paths=2000)
    return shown, forecast(MARKET, shown, np.full((2, 1), TAU), 5400, how)[:, :, 0], truth


def test_trades_of_one_time_are_one_order_and_heartbeats_none():
    start = 50 * 10**9
    events = [
        printed("A", start + 250_000_000),
        printed("A", start + 250_000_000),
        Beat("A", start + 300_000_000, 1, 1),
        printed("B", start + 400_000_000),
        printed("A", start + 2_500_000_000, "99.98", "100.02"),
    ]
    [order] = orders(events, ["A"], 50, 0.01)
    assert order.second.tolist() == [0, 2]
    assert order.place_s.tolist() == [0.25, 0.5]
    assert order.log_mid == pytest.approx([math.log(100.0)] * 2, rel=1e-12)
    assert order.spread.tolist() == [2, 4]
    assert order.rounding == pytest.approx(1e-8 / 6)


def test_a_product_without_orders_is_refused():
    with pytest.raises(BadInputError, match="orders of B"):
        orders([printed("A", 10**9)], ["A", "B"], 1, 0.01)


@pytest.mark.operations
def test_in_a_constant_market_there_is_nothing_to_see():
    shown, latent = watched(CONSTANT, 300)
    tau = np.full((2, 1), 4.5e-5)
    forecasts = forecast(CONSTANT, shown, tau, 300, QUICK)
    truth = spike_probability(CONSTANT, latent[0][:1], 4.5e-5, paths=QUICK.paths)
    assert forecasts == pytest.approx(truth[0], abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("sight", [Sight(), Sight(arrivals=False, spreads=False)])
def test_without_jumps_the_filter_is_the_forward_recursion_on_a_grid(sight):
    model = MARKET._replace(jump_rate_per_s=0.0, slow_std=0.6, slow_time_s=200.0)
    [shown], _ = watched(model, 400, products=("A",))
    how = Filter(sight=sight, particles=4000, paths=500)
    forecasts = forecast(model, [shown], np.array([[6e-5]]), 400, how)[0, :, 0]
    expected = recursion(model, shown, 400, 6e-5, sight, how.paths)
    assert np.ptp(expected) > 0.2
    assert forecasts == pytest.approx(expected, abs=0.02)


def recursion(model, shown, seconds, tau, sight, paths):
    """The same without chance, in obvious code: slow on a grid, unseen variance taken as now's."""
    grid = np.linspace(-4, 4, 161) * model.slow_std
    fade = math.exp(-1 / model.slow_time_s)
    spread = model.slow_std * math.sqrt(1 - fade**2)
    moves = np.exp(-0.5 * ((grid[None, :] - fade * grid[:, None]) / spread) ** 2)
    moves /= moves.sum(axis=1, keepdims=True)
    truth = spike_probability(model, np.stack([grid, 0 * grid], axis=1), tau, paths=paths)
    belief = np.exp(-0.5 * (grid / model.slow_std) ** 2)
    belief /= belief.sum()
    base = np.minimum(np.exp(model.rate_elasticity * grid), 20) * model.order_rate_per_s
    wider = np.minimum(model.spread_tail * np.exp(grid / 2), 0.9)
    times = shown.second + shown.place_s
    seen, forecasts = None, []
    for second in range(seconds):
        belief = belief @ moves
        if sight.arrivals:
            belief = belief * np.exp(-base)
        of_second = np.flatnonzero(shown.second == second)
        for order in of_second:
            if sight.arrivals:
                ages = times[order] - times[:order]
                excited = np.exp(-ages / model.excitation_time_s).sum() * model.branching
                belief = belief * (base + excited / model.excitation_time_s)
            if sight.spreads:
                belief = belief * wider ** (shown.spread[order] - 1) * (1 - wider)
            if not (sight.every_return or order == of_second[-1]):
                continue
            if seen is not None:
                waited = times[order] - times[seen]
                variance = model.volatility**2 * np.exp(grid) * waited + shown.rounding
                change = shown.log_mid[order] - shown.log_mid[seen]
                belief = belief * np.exp(-0.5 * change**2 / variance) / np.sqrt(variance)
            seen = order
        belief = belief / belief.sum()
        forecasts.append(belief @ truth)
    return np.array(forecasts)


@pytest.mark.slow
def test_who_sees_more_is_nearer_to_the_truth(hour):
    shown, together, truth = hour
    least = Sight(arrivals=False, every_return=False, spreads=False)
    how = Filter(sight=least, particles=1000, paths=2000)
    tau = np.full((1, 1), TAU)
    alone = np.concatenate([forecast(MARKET, [one], tau, 5400, how)[:, :, 0] for one in shown])
    # Expected log loss, given the latent state: chance in the labels would drown the differences.
    losses = [
        -np.mean(truth * np.log(forecasts) + (1 - truth) * np.log(1 - forecasts))
        for forecasts in np.clip(
            (truth, together, alone, np.full_like(truth, truth.mean())), 1e-6, 1 - 1e-6
        )
    ]
    assert np.all(np.diff(losses) > 0.002), losses


@pytest.mark.slow
def test_forecasts_are_calibrated(hour):
    _, forecasts, truth = hour
    for part in np.array_split(np.argsort(forecasts, axis=None), 4):
        assert truth.flat[part].mean() == pytest.approx(forecasts.flat[part].mean(), abs=0.05)


@pytest.mark.slow
@given(cut=st.integers(1, 119))
@settings(max_examples=15, deadline=None)
def test_what_comes_later_changes_no_earlier_forecast(cut):
    shown, _ = watched(MARKET, 120)
    before = [
        Orders(*(column[one.second < cut] for column in one[:4]), one.rounding) for one in shown
    ]
    tau, how = np.full((2, 1), TAU), Filter(particles=50, paths=100)
    whole = forecast(MARKET, shown, tau, 120, how)
    # exact: no forecast sees what comes after it
    assert forecast(MARKET, before, tau, cut, how).tobytes() == whole[:, :cut].tobytes()


@pytest.mark.slow
def test_products_that_move_as_one_are_forecast_as_one():
    shown, _ = watched(MARKET._replace(common_share=1.0), 600)
    forecasts = forecast(MARKET._replace(common_share=1.0), shown, np.full((2, 1), TAU), 600, QUICK)
    assert forecasts[0].tobytes() == forecasts[1].tobytes()  # exact: shares of the same paths
    assert np.ptp(forecasts) > 0.01


@pytest.mark.slow
def test_each_threshold_has_its_answer():
    shown, _ = watched(MARKET, 60)
    tau = np.array([[5e-5, 9e-5], [9e-5, 1e-9]])
    forecasts = forecast(MARKET, shown, tau, 60, QUICK)
    assert forecasts.shape == (2, 60, 2)
    assert np.all(forecasts[0, :, 0] > forecasts[0, :, 1])
    assert forecasts[1, :, 1] == pytest.approx(1.0)
    for k in (0, 1):
        alone = forecast(MARKET, shown, tau[:, k : k + 1], 60, QUICK)
        # exact: shares of the same paths
        assert alone[:, :, 0].tobytes() == forecasts[:, :, k].tobytes()


@pytest.mark.parametrize(("thresholds", "particles"), [(1, 100), (2, 1)])
def test_a_filter_that_cannot_be_meant_is_refused(thresholds, particles):
    shown, _ = watched(MARKET, 10)
    how = Filter(particles=particles, paths=10)
    with pytest.raises(BadInputError, match="filter"):
        forecast(MARKET, shown, np.full((thresholds, 1), TAU), 10, how)


@pytest.mark.slow
@given(
    weights=st.lists(st.floats(0, 1), min_size=2, max_size=50).filter(lambda w: sum(w) > 0),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=100, deadline=None)
def test_a_particle_goes_on_as_often_as_its_weight_says(weights, seed):
    weight = np.array(weights) / sum(weights)
    times = np.bincount(_systematic(weight, generator(seed)), minlength=len(weight))
    assert np.all(np.abs(times - len(weight) * weight) < 1 + 1e-9)
