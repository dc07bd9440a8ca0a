"""Level forecasts of folds: scores beside the obvious formulas, and what intervals may know."""

from dataclasses import replace

import numpy as np
import pytest

from barograph.evaluation import scores
from barograph.evaluation.conformal import LevelRule
from barograph.registry.model import LevelFacts
from barograph.training import levels
from small_table import table as small_table

HOUR = 3600
RULE = LevelRule(slots=1, window=50)


def table(seed=1, rows=400):
    """Values around 1 of two keys, hour by hour."""
    rng = np.random.default_rng(seed)
    hours = np.tile(np.arange(rows), 2)
    return replace(
        small_table(),
        x=np.zeros((2 * rows, 3), np.float32),
        outcome=np.exp(0.5 * rng.standard_normal(2 * rows)),
        keys=("one", "two"),
        key=np.repeat([0, 1], rows),
        order=hours * HOUR,
        session=np.zeros(2 * rows, np.int64),
        regime=np.zeros(2 * rows, np.int64),
    )


def fold_of(whole, before):
    hours = whole.order // HOUR
    return np.flatnonzero(hours < before), np.flatnonzero(hours >= before)


def test_held_out_rows_give_the_first_interval_and_outcomes_change_it_a_horizon_later():
    whole = table()
    held, test = fold_of(whole, 100)
    ones = np.ones(len(whole.outcome))
    said, _ = levels.of_fold(RULE, HOUR, whole, (held, ones[held]), (test, ones[test]))
    changed = replace(whole, outcome=whole.outcome.copy())
    late = whole.order[test] == 300 * HOUR
    changed.outcome[test[late]] = 50.0
    again, _ = levels.of_fold(RULE, HOUR, changed, (held, ones[held]), (test, ones[test]))

    before = whole.order[test] <= 300 * HOUR
    for one, other in zip(said, again, strict=True):
        assert one[before].tolist() == other[before].tolist()
    after = whole.order[test] == 301 * HOUR
    assert (again.root_mean_square[after] > said.root_mean_square[after]).all()


def test_keys_learn_from_their_own_outcomes_alone():
    whole = table()
    held, test = fold_of(whole, 100)
    ones = np.ones(len(whole.outcome))
    both, facts = levels.of_fold(RULE, HOUR, whole, (held, ones[held]), (test, ones[test]))
    alone = replace(whole, keys=("one",))
    of_one = [rows[whole.key[rows] == 0] for rows in (held, test)]
    single, of_key = levels.of_fold(
        RULE, HOUR, alone, (of_one[0], ones[of_one[0]]), (of_one[1], ones[of_one[1]])
    )
    here = whole.key[test] == 0
    assert both.low[here].tolist() == single.low.tolist()
    assert facts.states["one"] == of_key.states["one"]


def test_a_model_goes_on_with_what_its_training_left():
    """Forecasting on in one go, or with a registered model's facts from the middle."""
    whole = table()
    held, test = fold_of(whole, 100)
    ones = np.ones(len(whole.outcome))
    said, _ = levels.of_fold(RULE, HOUR, whole, (held, ones[held]), (test, ones[test]))
    middle, late = (test[whole.order[test] // HOUR < 250], test[whole.order[test] // HOUR >= 250])
    _, facts = levels.of_fold(RULE, HOUR, whole, (held, ones[held]), (middle, ones[middle]))
    rest = levels.of_model(facts, HOUR, whole, late, ones[late])
    assert rest.low.tolist() == said.low[np.isin(test, late)].tolist()


def test_without_residuals_every_forecast_is_the_median():
    whole = table(rows=30)
    rows = np.arange(10)
    facts = LevelFacts(rule=RULE, states={})
    said = levels.of_model(facts, HOUR, whole, rows, np.full(10, 2.0))
    assert {*np.concatenate(said).tolist()} == {2.0}


def test_the_selection_is_qlike_of_the_median_scaled_to_the_root_mean_square():
    whole = table()
    median, weight = np.full(800, 0.7), np.linspace(0.5, 1.5, 800)
    scale = np.sqrt(np.average((whole.outcome / median) ** 2, weights=weight))
    ratio = (whole.outcome / (scale * median)) ** 2
    expected = np.average(ratio - np.log(ratio) - 1, weights=weight)
    found = levels.selection(RULE, whole.outcome, median, weight)
    assert found == pytest.approx(expected, rel=1e-12)
    assert levels.selection(RULE, whole.outcome, 100 * median, weight) == pytest.approx(
        expected, rel=1e-12
    )


def test_scores_are_of_the_functional_each_is_consistent_for():
    outcome = np.array([1.0, 2.0, 4.0, 3.0])
    of = levels.Levels(
        median=np.array([1.0, 1.0, 5.0, 3.0]),
        mean=np.array([1.5, 2.0, 4.0, 3.0]),
        root_mean_square=np.array([2.0, 2.0, 4.0, 3.0]),
        low=np.array([0.5, 2.5, 3.0, 3.0]),
        high=np.array([1.5, 3.0, 6.0, 3.0]),
    )
    measured = {score.name: score(outcome, with_it) for score, with_it in of.measures(outcome, 0.1)}
    assert measured["mae"] == pytest.approx((0 + 1 + 1 + 0) / 4)
    assert measured["mape"] == pytest.approx((0 + 0.5 + 0.25 + 0) / 4)
    assert measured["rmse"] == pytest.approx(np.sqrt(0.25 / 4))
    assert measured["r2"] == pytest.approx(1 - 0.25 / 5)
    assert measured["coverage"] == pytest.approx(3 / 4)
    ends = [0.1 * 0.5 + 0.1 * 0.5, 0.9 * 0.5 + 0.1 * 1.0, 0.1 * 1.0 + 0.1 * 2.0, 0.0]
    assert measured["pinball"] == pytest.approx(sum(ends) / 2 / 4)
    assert measured["qlike"] == pytest.approx(scores.qlike(outcome, of.root_mean_square), rel=1e-12)


def test_coverage_is_given_by_year_and_by_slot_of_the_day():
    rule = LevelRule(slots=2)
    second = np.array([0, 13 * HOUR, 366 * 24 * HOUR, 366 * 24 * HOUR + 13 * HOUR])
    of = levels.Levels(*np.ones((3, 4)), low=np.ones(4), high=np.array([1.0, 2.0, 1.0, 4.0]))
    names = [score.name for score in levels.OF_LEVEL]
    said = of.scores(rule, np.array([1.0, 1.5, 2.0, 3.0]), second, dict.fromkeys(names))
    assert said.coverage_by_year == {"1970": 1.0, "1971": 0.5}
    assert said.coverage_by_slot == [0.5, 1.0]
    assert said.width == pytest.approx(1.5)
    assert (said.coverage_by_hour[0], said.coverage_by_hour[13]) == (0.5, 1.0)
    assert np.isnan(said.coverage_by_hour[1])


def test_coverage_by_regime_goes_from_the_calmest_quarter_of_the_forecasts_to_the_wildest():
    median = np.array([8.0, 1.0, 4.0, 2.0, 7.0, 3.0, 6.0, 5.0])
    of = levels.Levels(*np.tile(median, (3, 1)), low=median - 0.5, high=median + 0.5)
    outcome = np.where(median > 6, median + 1, median)
    names = [score.name for score in levels.OF_LEVEL]
    said = of.scores(LevelRule(), outcome, np.arange(8) * HOUR, dict.fromkeys(names))
    assert said.coverage_by_regime == [1.0, 1.0, 1.0, 0.0]
