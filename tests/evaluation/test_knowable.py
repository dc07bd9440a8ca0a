"""What could be known at best, on markets whose law says what can be known."""

import math
from typing import NamedTuple

import numpy as np
import pytest

from barograph.errors import BadInputError
from barograph.evaluation import scores
from barograph.evaluation.knowable import (
    STRETCHES,
    WINDOWS,
    Seconds,
    imbalance,
    itself,
    noise,
    past_mean,
    ranked,
    relative,
    sides,
    smoothed,
    stretches,
)
from barograph.simulated.law import PRESETS, LatentVolatility, _noise, generator

H = 60
CHI_SQUARE_NOISE = (math.pi**2 / 6 - sum(1 / k**2 for k in range(1, 30))) / 4
"""Variance of ½ ln of a chi-square variable of 60 degrees of freedom."""


class Market(NamedTuple):
    """Returns of a market, the labels of its seconds, and what its law says of them."""

    seconds: Seconds
    at: np.ndarray
    outcome: np.ndarray
    y: np.ndarray
    true_log_r2: float
    true_pr_auc: float


def market(preset, seed, hours=12):
    model, count = PRESETS[preset], int(hours * 3600)
    latent = LatentVolatility(model, ("A",), seed).advance(count)[0]
    returns = model.volatility * np.exp(latent.sum(axis=1) / 2)
    square = (returns * generator(seed, "returns").standard_normal(count)) ** 2
    at = np.arange(300, count - H)
    sums = np.concatenate(([0.0], np.cumsum(square)))
    outcome = np.sqrt((sums[at + H + 1] - sums[at + 1]) / H)
    tau = np.quantile(outcome, 0.9)
    seen = slice(None, None, 20)
    decay, growth, squares = _noise(model, H, 1000, generator(0, "truth"))
    remains = [np.outer(latent[at[seen], part], decay[part][1:]) for part in (0, 1)]
    variance = model.volatility**2 * np.exp(sum(remains)) @ (growth * squares).T / H
    spikes = (outcome >= tau).astype(float)
    return Market(
        seconds=Seconds(np.arange(count), square),
        at=at,
        outcome=outcome / tau,  # tau is 1
        y=spikes,
        true_log_r2=scores.log_r2(outcome[seen], np.exp(np.log(variance).mean(axis=1) / 2)),
        true_pr_auc=scores.pr_auc(spikes[seen], (variance >= tau**2).mean(axis=1)),
    )


def known(of, columns, base):
    """(log R², PR-AUC) of the smoother on these columns, each row outside its fit."""
    stretch = stretches(of.at)
    near = relative(columns, base)
    forecast = np.exp(smoothed(near, base, np.log(of.outcome), stretch, H))
    rankings = forecast, ranked(columns, of.y, stretch, H)
    pr_auc = max(scores.pr_auc(of.y, ranking) for ranking in rankings)
    return scores.log_r2(of.outcome, forecast), pr_auc


def bounds(of):
    """(log R², PR-AUC) of the past alone, of both sides, and of the minute itself."""
    columns = sides(of.seconds, of.at, H)
    before = [4 * place + column for place in range(len(WINDOWS)) for column in (0, 1)]
    own = itself(of.outcome, imbalance(of.seconds, of.at, H), H)
    by_itself = scores.log_r2(of.outcome, own), scores.pr_auc(of.y, own)
    base = past_mean(columns)
    return known(of, columns[:, before], base), known(of, columns, base), by_itself


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_estimate_brackets_what_the_law_of_the_market_lets_be_known(seed):
    """The truth is that of one who knows the hidden state at each second, but not the future."""
    of = market("market", seed)
    past, both, own = bounds(of)
    assert past[0] + 0.05 < of.true_log_r2 < own[0] - 0.2
    assert past[1] + 0.05 < of.true_pr_auc < own[1] - 0.2
    assert of.true_log_r2 < both[0] < of.true_log_r2 + 0.1
    assert of.true_pr_auc == pytest.approx(both[1], abs=0.04)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_where_nothing_can_be_known_the_estimate_says_so(seed):
    of = market("constant", seed)
    _, both, own = bounds(of)
    assert both == pytest.approx((0.0, of.y.mean()), abs=0.06)
    assert own[0] == pytest.approx(0.0, abs=0.08)
    assert own[1] < of.y.mean() + 0.1


def test_noise_is_that_of_a_chi_square_where_returns_are_normal():
    count = 60 * 4000
    square = np.random.default_rng(7).normal(size=count) ** 2
    off = imbalance(Seconds(np.arange(count), square), np.arange(-1, count - H, H), H)
    assert len(off) == 4000
    assert noise(off, H) == pytest.approx(CHI_SQUARE_NOISE, rel=0.08)
    fourth = noise(np.full(10, 1.0), 4) / noise(np.full(10, 1.0), H)
    # ψ₁(2) = π²/6 − 1, and 31 ψ₁(30) for 60 returns
    assert fourth == pytest.approx(3 * (math.pi**2 / 6 - 1) / (31 * 4 * CHI_SQUARE_NOISE), rel=1e-6)


def drawn(seed=0, count=500):
    """Seconds with a hole, of which one in three does not move."""
    rng = np.random.default_rng(seed)
    second = np.concatenate([np.arange(1000, 1000 + count), np.arange(1520, 1520 + count)])
    moved = rng.random(len(second)) < 2 / 3
    return Seconds(second, np.where(moved, rng.normal(size=len(second)) ** 2, 0.0))


def test_imbalance_is_that_of_the_odd_and_the_even_seconds_one_by_one():
    seconds = drawn()
    by_second = dict(zip(seconds.second.tolist(), seconds.square.tolist(), strict=True))
    at = np.array([999, 1003, 1519, 1800])
    for one, off in zip(at.tolist(), imbalance(seconds, at, H).tolist(), strict=True):
        horizon = range(one + 1, one + H + 1)
        odd = math.fsum(by_second[second] for second in horizon if second % 2)
        even = math.fsum(by_second[second] for second in horizon if not second % 2)
        assert off == pytest.approx((odd - even) / (odd + even), rel=1e-9)


def test_a_minute_without_a_move_has_no_noise_and_one_with_a_single_move_all_there_is():
    second = np.arange(120)
    square = np.zeros(120)
    square[70] = 1e-9
    off = imbalance(Seconds(second, square), np.array([-1, 40]), H)
    assert off.tolist() == [0.0, -1.0]


@pytest.mark.parametrize("at", [1450, 1495, 1517, 2010])
def test_a_label_with_a_missing_return_is_refused(at):
    with pytest.raises(BadInputError, match="returns of labels: some are missing"):
        imbalance(drawn(), np.array([at]), H)


def test_both_sides_are_means_of_what_is_there_and_never_see_the_minute_itself():
    seconds = drawn()
    at = np.array([1100, 1600])
    columns = sides(seconds, at, H)
    before, after = slice(1041, 1101), slice(1161, 1221)
    for column, side in ((4, before), (6, after)):
        inside = seconds.square[side.start - 1000 : side.stop - 1000]
        total = math.fsum(inside) + 5 * seconds.square.mean()
        assert columns[0, column] == pytest.approx(math.log(total / 65) / 2)
        moves = int((inside > 0).sum()) + 5 * (seconds.square > 0).mean()
        assert columns[0, column + 1] == pytest.approx(math.log(moves / 65))
    minute = (seconds.second > 1100) & (seconds.second <= 1160)
    hidden = np.where(minute, np.roll(seconds.square * minute, 7), seconds.square)
    hidden[minute] = seconds.square[minute][::-1]
    assert sides(Seconds(seconds.second, hidden), at[:1], H) == pytest.approx(columns[:1])
    elsewhere = seconds.square.copy()
    elsewhere[seconds.second == 1161] = 99.0
    assert sides(Seconds(seconds.second, elsewhere), at[:1], H) != pytest.approx(columns[:1])


def test_volatility_is_taken_relative_to_tau_and_the_share_of_moves_is_not():
    columns = np.arange(8.0).reshape(2, 4)
    assert relative(columns, np.array([1.0, 2.0])).tolist() == [
        [-1.0, 1.0, 1.0, 3.0],
        [2.0, 5.0, 4.0, 7.0],
    ]


def test_the_base_without_a_model_is_the_mean_of_the_past_but_for_the_shortest_window():
    columns = np.arange(16.0)[None, :]
    assert past_mean(columns).tolist() == pytest.approx([(4 + 8 + 12) / 3])


def test_stretches_follow_each_other_in_time_whatever_the_order_of_the_rows():
    order = np.concatenate([np.arange(100), np.arange(100)])[::-1]
    stretch = stretches(order)
    assert sorted(set(stretch.tolist())) == list(range(STRETCHES))
    assert stretch.tolist() == (order // 10).tolist()


def smoothed_from_0(columns, truth, stretch, horizon_s):
    return smoothed(columns, np.zeros(len(truth)), truth, stretch, horizon_s)


@pytest.mark.parametrize("fit", [smoothed_from_0, ranked])
def test_a_row_is_forecast_by_a_fit_on_other_stretches(fit):
    rng = np.random.default_rng(3)
    columns = rng.normal(size=(2000, 2))
    truth = (columns[:, 0] + rng.normal(size=2000) > 0).astype(float)
    stretch = stretches(np.arange(2000))
    forecast = fit(columns, truth, stretch, H)
    assert np.corrcoef(forecast, truth)[0, 1] > 0.5
    changed = np.where(stretch == 4, 1 - truth, truth)
    again = fit(columns, changed, stretch, H)
    # exact: the same fit of the same rows
    assert (again[stretch == 4] == forecast[stretch == 4]).all()
    assert np.abs(again - forecast)[stretch == 5].min() > 0


def test_who_knows_the_minute_does_as_well_as_the_label_is_reliable():
    rng = np.random.default_rng(5)
    spread = 0.7
    log = rng.normal(0, spread, 50_000)
    off = rng.normal(0, 0.2, 50_000)
    reliable = 1 - noise(off, H) / log.var()
    own = itself(np.exp(log), off, H)
    assert scores.log_r2(np.exp(log), own) == pytest.approx(reliable, abs=0.005)
    assert np.ptp(itself(np.exp(log * 0.01), off, H)) == 0.0
