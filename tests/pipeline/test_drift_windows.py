from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.evaluation.drift_calibration import Residuals
from barograph.evaluation.drift_counts import count
from barograph.pipeline.drift_windows import DriftWindows
from drifting_rows import (
    CADENCE,
    START,
    feature_rows,
    predictions_of,
    reference_of,
    remembering,
    seconds,
)
from queues import COLUMNS, LIVE

MODEL = "queues/1"


def with_forecasts(rows=5000):
    """A reference with forecasts that are right as often as they say."""
    rng = np.random.default_rng(5)
    probability = rng.uniform(0.05, 0.3, rows)
    y = (rng.random(rows) < probability).astype(np.float64)
    residuals = {"north": Residuals(seconds(rows), probability, y)}
    return reference_of(remembering(rows, memory=0.3), residuals=residuals)


REFERENCE = with_forecasts()
CALM = feature_rows(remembering(200, 3, memory=0.3))
WILD = feature_rows(6 * remembering(200, 4, memory=0.3) + 9, START + 200 * LIVE.step_s)
FORECASTS = predictions_of(np.zeros(200), 0.2)


def watching(reference=REFERENCE):
    return DriftWindows(LIVE, reference, MODEL)


def test_a_change_alarms_and_its_end_ends_the_alarm():
    windows = watching()
    windows.take_rows(CALM)
    assert windows.keys["north"].alarm_since is None
    assert windows.keys["north"].findings
    windows.take_rows(WILD)
    state = windows.keys["north"]
    assert START + 200 * LIVE.step_s < state.alarm_since <= START + 300 * LIVE.step_s
    assert state.findings[0].strength >= 1
    assert state.out_of_range > 0.5
    windows.take_rows(feature_rows(remembering(200, 5, memory=0.3), START + 400 * LIVE.step_s))
    assert windows.keys["north"].alarm_since is None


def test_one_interval_at_its_limit_is_no_alarm():
    windows = watching()
    rows = CALM + WILD
    for place, row in enumerate(rows):
        windows.take_rows([row])
        state = windows.keys["north"]
        if state.reached == 1:
            assert state.alarm_since is None, place
    assert state.alarm_since is not None


def test_a_window_has_the_counts_of_its_rows():
    windows = watching()
    windows.take_rows(CALM)
    key = REFERENCE.keys["north"]
    places = [COLUMNS.index(one.column) for one in key.columns.values()]
    values = np.array([[row.values[place] for place in places] for row in CALM])
    whole = count(np.array([row.second for row in CALM]), values, key.grid(), CADENCE.interval_s)
    ours = windows.keys["north"].window[-1]
    assert (ours.interval, ours.rows) == (whole.interval[-1], whole.rows[-1])
    assert ours.bins == whole.bins[-1].tolist()
    assert sum(windows.outside.values()) == whole.outside.sum()


@pytest.mark.slow
@given(st.lists(st.integers(0, 400), max_size=4), st.integers(1, 90))
def test_a_dump_anywhere_and_any_batches_change_nothing(cuts, batch):
    rows = CALM + WILD
    whole = watching()
    whole.take_rows(rows)
    whole.take_predictions(FORECASTS)
    parts = watching()
    bounds = sorted({0, 400, *cuts, *range(0, 400, batch)})
    for start, stop in pairwise(bounds):
        parts.take_predictions(FORECASTS[start:stop])
        parts.take_rows(rows[start:stop])
        if stop in cuts:
            restored = watching()
            assert restored.load(parts.dump())
            parts = restored
    assert parts.keys["north"].window == whole.keys["north"].window
    assert parts.keys["north"].matured == whole.keys["north"].matured
    assert parts.keys["north"].findings == whole.keys["north"].findings
    assert parts.keys["north"].calibration == whole.keys["north"].calibration
    assert parts.outside == whole.outside


def test_forecasts_that_are_wrong_too_often_alarm_when_they_have_matured():
    windows = watching()
    windows.take_predictions(predictions_of(np.zeros(200), 0.17))
    (calm,) = windows.keys["north"].calibration
    assert calm.strength < 1
    windows.take_predictions(predictions_of(np.full(200, 5.0), 0.17, START + 200 * LIVE.step_s))
    (wrong,) = windows.keys["north"].calibration
    assert wrong.strength > 1
    assert wrong.value == pytest.approx(0.83, rel=1e-6)
    assert windows.keys["north"].alarm_since is not None


def test_a_forecast_whose_outcome_was_not_observed_never_matures():
    windows = watching()
    windows.take_predictions(predictions_of(np.zeros(5), 0.17))
    windows.take_predictions(predictions_of(np.zeros(200), 0.17, START + 16 * LIVE.step_s))
    assert sum(one.rows for one in windows.keys["north"].matured) <= 200 - 10


def test_forecasts_of_other_models_do_not_count():
    windows = watching()
    windows.take_predictions(predictions_of(np.zeros(200), 0.17, model="queues/2"))
    assert windows.keys == {}


def test_rows_that_come_twice_count_once_and_older_ones_begin_another_session():
    once, twice = watching(), watching()
    once.take_rows(CALM)
    twice.take_rows([*CALM, *CALM[-3:]])
    assert once.dump() == twice.dump()
    twice.take_rows(feature_rows(remembering(10, 9), START - 10**6))
    assert sum(one.rows for one in twice.keys["north"].window) == 10


def test_keys_and_feature_sets_that_the_reference_does_not_know_are_passed_over():
    windows = watching()
    windows.take_rows(feature_rows(remembering(10), product="south"))
    assert windows.keys == {}
    windows.swap(None, "")
    windows.take_rows(CALM)
    windows.take_predictions(FORECASTS)
    assert windows.keys == {}


def test_another_reference_begins_with_empty_windows_and_refuses_the_state_of_the_former():
    windows = watching()
    windows.take_rows(CALM)
    state = windows.dump()
    windows.swap(reference_of(remembering(1000, 8)), "queues/2")
    assert windows.keys == {}
    assert not windows.load(state)
    with pytest.raises(ValueError, match=r"malformed|truncated"):
        windows.load(state[:-9])
