"""Boosted trees: what each library grows, as classifier and as regression."""

import numpy as np
import pytest

from barograph.errors import TooLittleDataError
from barograph.learning import boosting
from barograph.learning.boosting import Boosting
from barograph.learning.examples import Examples
from barograph.learning.fitted import LogLogistic, Odds, Trees
from barograph.learning.relative import log_above
from barograph.registry.model import TAU
from model_kinds import BASE, CLASSIFIERS, REGRESSIONS, VIEW, each, examples

CLASSES = ("gradient_boosting", "lightgbm", "xgboost")
LAWS = ("lightgbm_regression", "xgboost_regression")


@pytest.mark.parametrize("kind", each(*CLASSES))
def test_a_classifier_of_trees_says_log_odds(kind):
    candidate = CLASSIFIERS[kind]
    part = examples(candidate.features, 1)
    fitted = candidate.grow(part, 0)
    assert isinstance(fitted.core, Trees)
    assert isinstance(fitted.head, Odds)
    assert fitted.predict(part.x).mean() == pytest.approx(part.y.mean(), abs=0.01)
    assert fitted.volatility(part.x) is None


@pytest.mark.parametrize("kind", each(*LAWS))
def test_a_regression_of_trees_forecasts_a_volatility_around_its_base(kind):
    part, other = (examples(VIEW.features, seed) for seed in (1, 2))
    fitted = REGRESSIONS[kind].grow(part, 0)
    assert isinstance(fitted.head, LogLogistic)
    assert (*fitted.head.base, fitted.head.tau) == VIEW.places((BASE, TAU))
    forecast, truth = np.log(fitted.volatility(other.x)), np.log(other.outcome)
    base = log_above(other.x[:, VIEW.features.index(BASE)])
    assert np.var(truth - forecast) < 0.6 * np.var(truth - base)


@pytest.mark.parametrize("kind", ["gradient_boosting", "lightgbm", "lightgbm_regression"])
def test_what_a_library_says_is_the_sum_of_the_leaves(kind):
    candidate = (CLASSIFIERS | REGRESSIONS)[kind]
    part = examples(candidate.features, 1)
    fitted = candidate.grow(part, 0)
    seen = fitted.view.apply(examples(candidate.features, 3).x)
    total = fitted.core.table.total(seen.astype(np.float32))
    assert np.allclose(fitted.core(seen), total, rtol=0, atol=1e-12)
    assert np.ptp(total) > 1


@pytest.mark.parametrize("kind", each(*CLASSES, *LAWS))
def test_rows_that_weigh_nothing_teach_nothing(kind):
    candidate = (CLASSIFIERS | REGRESSIONS)[kind]
    part = examples(candidate.features, 4)
    light = np.arange(len(part.y)) % 2 == 0
    weight = np.where(light, 1e-9, 2.0)
    # What weighs nothing says the opposite.
    outcome = np.where(light, 1e-9, part.outcome)
    fitted = candidate.grow(Examples(part.x, part.y ^ light, outcome, weight), 0)
    probability = fitted.predict(part.x)
    assert probability[part.y].mean() > 2 * probability[~part.y].mean()


@pytest.mark.parametrize("kind", each(*CLASSES))
def test_a_classifier_needs_rows_of_both_kinds(kind):
    candidate = CLASSIFIERS[kind]
    part = examples(candidate.features, 1, rows=300)
    with pytest.raises(TooLittleDataError, match="300 positives in 300 rows"):
        candidate.grow(Examples(part.x, np.ones_like(part.y)), 0)


def test_another_seed_grows_other_trees():
    candidate = CLASSIFIERS["lightgbm"]
    part = examples(candidate.features, 1)
    one, other = (candidate.grow(part, seed).predict(part.x) for seed in (0, 1))
    assert one.tobytes() != other.tobytes()  # exact: they differ


def test_threads_are_no_parameter_to_search_over():
    parameters = Boosting(leaves=5).parameters()
    assert parameters["leaves"] == 5
    assert "threads" not in parameters


@pytest.mark.parametrize("there", [True, False])
def test_an_extra_is_asked_for_before_it_is_imported(monkeypatch, there):
    specs = {"xgboost": object()} if there else {}
    monkeypatch.setattr(boosting, "find_spec", specs.get)
    assert boosting.has_xgboost() is there


@pytest.mark.slow
@pytest.mark.parametrize("kind", each(*LAWS))
def test_fewer_bins_and_rows_grow_other_trees_that_forecast_about_as_well(kind):
    """They repeat to the bit as well: what is drawn follows from the seed."""
    regression = {
        "lightgbm_regression": boosting.lightgbm_regression,
        "xgboost_regression": boosting.xgboost_regression,
    }[kind]
    part, other = (examples(VIEW.features, seed) for seed in (1, 2))
    forecasts = {}
    for name, more in (("whole", {}), ("thin", {"bins": 31, "row_share": 0.5})):
        how = Boosting(rounds=60, learning_rate=0.1, least_rows_in_leaf=40, **more)
        grow = regression(VIEW, (BASE,), 60, False, how)  # noqa: FBT003 - its scale is constant
        first, again = (grow(part, 3).volatility(other.x) for _ in range(2))
        assert first.tobytes() == again.tobytes()  # exact: training repeats to the bit
        forecasts[name] = np.log(first)
    truth = np.log(other.outcome)
    whole, thin = (np.var(truth - forecasts[name]) for name in ("whole", "thin"))
    assert thin == pytest.approx(whole, rel=0.1)
    assert np.abs(forecasts["whole"] - forecasts["thin"]).max() > 0.01


def test_what_a_search_varies_does_not_hold_what_only_makes_it_quicker():
    assert not {"threads", "bins", "row_share"} & Boosting().parameters().keys()
