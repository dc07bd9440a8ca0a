"""What models lean on: blocks change places within their key, and only what is used is missed."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.learning.fitted import Fitted
from barograph.training import importance as module
from barograph.training.importance import MOST_ROWS, elsewhere, importance, thinned
from cards import STORMS, storms, walked
from customers import CUSTOMERS

TABLE = storms(200)
counts = st.integers(1, len(TABLE.order))


def some_rows(count, seed):
    return np.random.default_rng(seed).permutation(len(TABLE.order))[:count]


@given(counts, st.integers(1, 400), st.integers(0, 2**32))
def test_each_row_takes_its_value_from_another_block_of_its_own_key(count, block, seed):
    rows = some_rows(count, seed)
    taken = elsewhere(TABLE, rows, block, np.random.default_rng(seed))
    assert (TABLE.key[rows[taken]] == TABLE.key[rows]).all()
    for key in np.unique(TABLE.key[rows]):
        of_key = np.flatnonzero(TABLE.key[rows] == key)
        if len(of_key) > 1:
            assert (taken[of_key] != of_key).all()


@given(st.integers(2, 40), st.integers(0, 2**32))
def test_within_a_block_values_keep_following_each_other(block, seed):
    rows = np.flatnonzero(TABLE.key == 0)
    taken = elsewhere(TABLE, rows, block, np.random.default_rng(seed))
    breaks = int((np.diff(taken) != 1).sum())
    assert breaks < 2 * (len(rows) // block + 1)


@given(counts, st.integers(1, 50), st.integers(0, 2**32))
def test_of_many_rows_an_even_choice_is_looked_at(count, step, seed):
    rows = some_rows(count, seed)
    kept = thinned(TABLE, rows, step)
    assert len(kept) == -(-count // step)
    assert set(kept) <= set(rows)
    assert len(rows) > step * (len(kept) - 1)


def test_what_tells_is_missed_and_noise_is_not():
    by_feature = {one.feature: one for one in importance(walked(), seed=1)}
    assert set(by_feature) == {"level", "noise"}
    assert by_feature["level"].low > 0.05
    assert abs(by_feature["noise"].rise) < 0.02
    for one in by_feature.values():
        assert one.low <= one.rise <= one.high
        assert one.folds == 2


def test_the_same_seed_gives_the_same_figures_and_another_others():
    first, again, other = (importance(walked(), seed) for seed in (1, 1, 2))
    assert first == again  # exact: one seed, the same sums
    assert first != other  # exact: they differ


def test_a_threshold_that_stands_beside_features_is_none():
    def beside(table, train):
        target = STORMS.target(table, train)
        return dataclasses.replace(target, beside={"noise": np.zeros(len(table.order))})

    questions = [
        dataclasses.replace(question, target=beside(storms(), question.fold.train))
        for question in walked().questions
    ]
    importances = importance(dataclasses.replace(walked(), questions=questions), seed=1)
    assert [one.feature for one in importances] == ["level"]


@pytest.mark.slow
def test_without_time_rows_change_places_one_by_one():
    assert CUSTOMERS.block == 1
    importances = importance(walked(timed=False), seed=1)
    assert {"tenure", "calls"} <= {one.feature for one in importances[:2]}
    assert len(walked(timed=False).table.order) < MOST_ROWS


def test_a_model_of_many_features_is_permuted_less_often_on_fewer_rows(monkeypatch):
    """Each feature costs a forecast of all rows, repeat by repeat."""
    forecasts = []
    predict = Fitted.predict

    def counted(fitted, x):
        forecasts.append(len(x))
        return predict(fitted, x)

    monkeypatch.setattr(Fitted, "predict", counted)
    importance(walked(), seed=1)
    whole, rows = len(forecasts), sum(forecasts)
    forecasts.clear()
    monkeypatch.setattr(module, "WIDE", 1)
    monkeypatch.setattr(module, "WIDE_ROWS", MOST_ROWS // 8)
    importance(walked(), seed=1)
    folds = 2
    assert len(forecasts) - folds == (whole - folds) * module.WIDE_REPEATS // module.REPEATS
    assert sum(forecasts) < rows / 2
