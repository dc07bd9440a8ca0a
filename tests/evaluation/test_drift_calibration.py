import numpy as np
import pytest
from msgspec.structs import replace

from barograph.evaluation.drift_calibration import Residuals, bins_at, calibration
from barograph.evaluation.drift_limits import cadence_of, critical

CADENCE = cadence_of(60)


def forecasts(rows, seed=0, bias=0.0):
    rng = np.random.default_rng(seed)
    probability = rng.uniform(0.05, 0.6, rows)
    y = (rng.random(rows) < probability + bias).astype(np.float64)
    return Residuals(60 * np.arange(rows), probability, y)


def known(rows=2000):
    of = calibration(forecasts(rows), CADENCE)
    return replace(of, critical=critical(of.windows, CADENCE, 1))


def strength(of, forecasts):
    residual = float((forecasts.y - forecasts.probability).sum())
    return of.strength(residual, len(forecasts.y), CADENCE)


def test_bins_say_how_often_what_was_predicted_came_true():
    y, probability = np.array([0.0, 1, 1, 1]), np.array([0.1, 0.3, 0.5, 0.7])
    low, high = bins_at(np.array([0.4]), probability, y)
    assert (low.rows, high.rows) == (2, 2)
    assert (low.predicted, low.observed) == pytest.approx((0.2, 0.5), rel=1e-12)
    assert (high.predicted, high.observed) == pytest.approx((0.6, 1.0), rel=1e-12)


def test_forecasts_as_calibrated_as_the_tested_ones_do_not_alarm_and_biased_ones_do():
    of = known()
    assert max(strength(of, forecasts(50, seed)) for seed in range(1, 200)) < 1
    assert min(strength(of, forecasts(50, seed, bias=0.4)) for seed in range(1, 200)) > 1


def test_half_a_window_has_to_mature():
    assert known().strength(5.0, 24, CADENCE) is None
    assert known().strength(5.0, 25, CADENCE) is not None


def test_few_tested_rows_are_not_tested_and_none_are_no_reference():
    assert calibration(None, CADENCE) is None
    few = calibration(forecasts(150), CADENCE)
    assert few.untested == "the tested rows are 3.0 windows, and 4 are needed"
    assert few.strength(5.0, 50, CADENCE) is None
