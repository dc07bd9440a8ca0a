"""Live scores of values: what a topic of predictions says of its own medians and intervals."""

import numpy as np
import pytest

from barograph.evaluation import scores
from barograph.evaluation.matured import judge, mature
from matured_predictions import prediction


def leveled(second, value, median, **more):
    return prediction(
        second, vol=value, median=median, forecast=1.1 * median, low=0.5 * median,
        high=2.0 * median, **more,
    )  # fmt: skip


def topic(n=400, seed=1):
    """Values that follow their medians, two minutes in three of which are known."""
    rng = np.random.default_rng(seed)
    median = 1e-4 * np.exp(rng.standard_normal(n))
    value = np.full(n, 1e-4)
    value[60:] = median[:-60] * np.exp(0.5 * rng.standard_normal(n - 60))
    return median, value


def test_live_scores_of_a_level_are_those_of_the_values_a_horizon_later():
    median, value = topic()
    made = [leveled(s, float(value[s]), float(median[s])) for s in range(400)]
    level = judge("spikes/1", mature(made, 60)["spikes/1"]).level
    came, said = value[60:], median[:-60]
    assert level.rows == 340
    assert level.qlike.estimate == pytest.approx(scores.qlike(came, 1.1 * said))
    assert level.log_r2.estimate == pytest.approx(scores.log_r2(came, said))
    assert level.mae.estimate == pytest.approx(np.mean(np.abs(came - said)))
    assert level.mape.estimate == pytest.approx(np.mean(np.abs(came - said) / came))
    inside = np.mean((0.5 * said <= came) & (came <= 2 * said))
    assert level.coverage.estimate == pytest.approx(inside)
    assert level.coverage.low <= level.coverage.estimate <= level.coverage.high
    assert level.width == pytest.approx(4.0)


def test_each_model_has_the_scores_of_its_own_forecasts_and_the_values_of_all():
    median, value = topic()
    made = [
        leveled(s, float(value[s]), float(median[s]), label=f"spikes/{1 + s % 2}")
        for s in range(400)
    ]
    again = [*made, leveled(7, 1.0, 1.0, label="spikes/2")]  # a second one for a second
    matured = mature(again, 60)
    rows = [judge(label, of).level.rows for label, of in matured.items()]
    assert rows == [170, 170]


def test_a_model_without_intervals_has_no_scores_of_a_level():
    made = [prediction(s) for s in range(200)]
    assert judge("spikes/1", mature(made, 60)["spikes/1"]).level is None
    early = [leveled(s, 1e-4, 1e-4) for s in range(60)]
    assert judge("spikes/1", mature(early, 60)["spikes/1"]).level is None
    other = [leveled(s, 1e-4, 1e-4, horizon_s=30) for s in range(200)]
    assert judge("spikes/1", mature(other, 60)["spikes/1"]).level is None
