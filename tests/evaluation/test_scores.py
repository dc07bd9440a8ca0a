from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

import feature_oracle
from barograph.errors import BadInputError
from barograph.evaluation import scores

rows = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.0]),
        st.one_of(st.floats(0, 1, width=32), st.sampled_from([0.0, 0.25, 0.5, 1.0])),
    ),
    min_size=2,
    max_size=40,
)


def columns(drawn):
    truth, forecast = zip(*[(0.0, 0.5), (1.0, 0.5), *drawn], strict=True)
    return np.array(truth), np.array(forecast)


@settings(deadline=None)
@given(rows)
def test_every_score_of_probabilities_equals_its_oracle(drawn):
    truth, forecast = columns(drawn)
    spikes, probabilities = truth.astype(int).tolist(), forecast.tolist()
    assert scores.pr_auc(truth, forecast) == pytest.approx(
        feature_oracle.pr_auc(spikes, probabilities), rel=1e-12
    )
    assert scores.roc_auc(truth, forecast) == pytest.approx(
        feature_oracle.roc_auc(spikes, probabilities), rel=1e-12
    )
    assert scores.brier(truth, forecast) == pytest.approx(
        feature_oracle.brier(spikes, probabilities), rel=1e-12
    )
    assert scores.log_loss(truth, forecast) == pytest.approx(
        feature_oracle.log_loss(spikes, probabilities, scores.LOG_LOSS_CLIP), rel=1e-9
    )


@settings(deadline=None)
@given(rows)
def test_ranking_scores_equal_scikit_learn(drawn):
    truth, forecast = columns(drawn)
    assert scores.pr_auc(truth, forecast) == pytest.approx(
        metrics.average_precision_score(truth, forecast), rel=1e-12
    )
    assert scores.roc_auc(truth, forecast) == pytest.approx(
        metrics.roc_auc_score(truth, forecast), rel=1e-12
    )


SCORES = [scores.pr_auc, scores.roc_auc, scores.lift, scores.base_rate, scores.brier]


@pytest.mark.slow
@settings(deadline=None)
@given(rows, st.data())
@pytest.mark.parametrize("score", [*SCORES, scores.log_loss], ids=lambda score: score.name)
def test_a_weight_counts_a_row_as_often_as_it_would_stand_there(score, drawn, data):
    truth, forecast = columns(drawn)
    weight = np.array(
        data.draw(st.lists(st.integers(0, 3), min_size=len(truth), max_size=len(truth)))
    )
    weight[:2] = 1
    assert score.prepare(truth, forecast)(weight) == pytest.approx(
        score(truth.repeat(weight), forecast.repeat(weight)), rel=1e-12
    )


@settings(deadline=None)
@given(rows)
def test_ranking_scores_ask_for_the_order_only(drawn):
    truth, forecast = columns(drawn)
    for score in (scores.pr_auc, scores.roc_auc):
        assert score(truth, forecast) == score(truth, forecast * 8)


def test_a_forecast_that_says_one_thing_scores_the_base_rate():
    truth = np.array([0.0, 1.0, 0.0, 0.0])
    forecast = np.full(4, 0.3)
    assert scores.pr_auc(truth, forecast) == pytest.approx(0.25, rel=1e-12)
    assert scores.base_rate(truth, forecast) == pytest.approx(0.25, rel=1e-12)
    assert scores.lift(truth, forecast) == pytest.approx(1.0, rel=1e-12)
    assert scores.roc_auc(truth, forecast) == pytest.approx(0.5, rel=1e-12)


def test_ranking_without_a_spike_is_undefined_and_not_zero():
    for score in (scores.pr_auc, scores.roc_auc, scores.lift):
        assert isnan(score(np.zeros(3), np.array([0.1, 0.2, 0.3])))
    assert isnan(scores.roc_auc(np.ones(3), np.array([0.1, 0.2, 0.3])))


def test_a_wrong_certainty_costs_the_stated_clip():
    loss = scores.log_loss(np.array([1.0]), np.array([0.0]))
    assert loss == pytest.approx(-np.log(scores.LOG_LOSS_CLIP))


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(1e-6, 1e-3), st.floats(1e-6, 1e-3)), min_size=2))
def test_volatility_scores_are_best_for_the_truth_itself(drawn):
    truth, forecast = (np.array(column) for column in zip(*drawn, strict=True))
    assert scores.qlike(truth, truth) == pytest.approx(0, abs=1e-12)
    assert scores.qlike(truth, forecast) >= -1e-12
    r2 = scores.log_r2(truth, truth)
    assert isnan(r2) or r2 == pytest.approx(1, rel=1e-12)


def test_volatility_scores_equal_their_formulas():
    truth, forecast = np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 8.0])
    assert scores.qlike(truth, forecast) == pytest.approx(
        np.mean([0, 4 - np.log(4) - 1, 0.25 - np.log(0.25) - 1])
    )
    assert scores.log_r2(truth, forecast) == pytest.approx(1 - 2 / 2)


@pytest.mark.parametrize(
    ("score", "truth", "forecast", "why"),
    [
        (scores.pr_auc, [0.0, np.nan], [0.1, 0.2], "NaN"),
        (scores.pr_auc, [0.0, 1.0], [np.nan, 0.2], "NaN"),
        (scores.pr_auc, [0.0, 2.0], [0.1, 0.2], "neither 0 nor 1"),
        (scores.pr_auc, [0.0], [0.1, 0.2], "are not"),
        (scores.brier, [], [], "are not"),
        (scores.brier, [0.0, 1.0], [0.1, 1.2], "no probability"),
        (scores.qlike, [0.0, 1.0], [0.1, 0.2], "not positive"),
    ],
)
def test_rows_that_cannot_be_scored_are_refused(score, truth, forecast, why):
    with pytest.raises(BadInputError, match=why):
        score(np.array(truth), np.array(forecast))


@settings(deadline=None)
@given(rows, st.integers(1, 12))
def test_reliability_bins_hold_every_row_and_keep_equal_probabilities_together(drawn, bins):
    truth, probability = columns(drawn)
    table = scores.reliability(truth, probability, bins=bins)
    means = [b.mean_probability for b in table]
    edges = np.cumsum([0, *(b.rows for b in table)])[1:-1]
    ranked = np.sort(probability)
    assert (ranked[edges - 1] < ranked[edges]).all()
    assert len(table) <= bins
    assert sum(b.rows for b in table) == len(truth)
    assert sum(b.rows * b.frequency for b in table) == pytest.approx(truth.sum())
    np.testing.assert_allclose(means, np.sort(means), atol=1e-15)


def test_reliability_bins_of_distinct_probabilities_are_equal():
    rng = np.random.default_rng(1)
    probability = rng.random(1_000)
    truth = (rng.random(1_000) < probability).astype(float)
    table = scores.reliability(truth, probability)
    assert [b.rows for b in table] == [100] * 10
    assert scores.calibration_error(truth, probability) < 0.05
    assert scores.calibration_error(truth, probability**4) > 0.2


measured = st.lists(st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)), min_size=2, max_size=40)


@settings(deadline=None)
@given(measured)
def test_scores_of_values_equal_scikit_learn(drawn):
    truth, forecast = (np.array(column) for column in zip(*drawn, strict=True))
    of = {
        scores.mae: metrics.mean_absolute_error,
        scores.mape: metrics.mean_absolute_percentage_error,
        scores.rmse: metrics.root_mean_squared_error,
    }
    for score, peer in of.items():
        assert score(truth, forecast) == pytest.approx(peer(truth, forecast), rel=1e-9)
    if np.ptp(truth) > 0.01:
        expected = metrics.r2_score(truth, forecast)
        assert scores.r2(truth, forecast) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@settings(deadline=None)
@given(measured, st.floats(0.01, 0.49))
def test_the_pinball_loss_of_an_interval_is_the_mean_of_both_ends(drawn, tail):
    truth, low = (np.array(column) for column in zip(*drawn, strict=True))
    high = low * 2
    loss = scores.pinball_loss(truth, low, high, tail)
    ends = [
        metrics.mean_pinball_loss(truth, end, alpha=share)
        for end, share in ((low, tail), (high, 1 - tail))
    ]
    assert scores.pinball(truth, loss) == pytest.approx(np.mean(ends), rel=1e-9)


def test_a_share_of_covered_rows_is_their_mean():
    truth, covered = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 0.0, 1.0])
    assert scores.coverage(truth, covered) == 0.75
