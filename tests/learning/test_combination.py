"""Combinations: the mean of log forecasts, in the model and in its graph."""

from dataclasses import replace

import numpy as np
import pytest

from barograph.errors import BadInputError
from barograph.learning.candidates import combination, least_squares, lightgbm_regression
from barograph.learning.relative import Ratio
from barograph.registry.model import TAU, OnnxModel
from model_kinds import BASE, KINDS, RATIOS, TREES, VIEW, VOLS, examples, slices

LINEAR = least_squares((*RATIOS, Ratio("spread_bps", floor=0.0)), (BASE,), name="linear")
TREE = lightgbm_regression(VIEW, (BASE,), TREES, varies=False)
BOTH = combination([KINDS["har"], LINEAR, TREE])


def of(candidate, whole):
    """The rows of `whole`, which has the combination's columns, for one of its members."""
    return whole.only([BOTH.features.index(name) for name in candidate.features]).x


@pytest.mark.slow
def test_its_forecast_is_the_geometric_mean_of_those_of_its_members():
    learned = slices(BOTH)
    part = examples(BOTH.features, 9)
    fitted = BOTH.fit(learned, seed=1)
    alone = [
        one.grow(learned.train.only([BOTH.features.index(n) for n in one.features]), 1)
        for one in BOTH.members
    ]
    medians = [
        grown.volatility(of(one, part)) for one, grown in zip(BOTH.members, alone, strict=True)
    ]
    mean = np.exp(np.mean(np.log(medians), axis=0))
    assert fitted.volatility(part.x) == pytest.approx(mean, rel=1e-12)


@pytest.mark.slow
def test_its_graph_has_probability_and_median_of_the_model():
    fitted = BOTH.fit(slices(BOTH), seed=1)
    x = examples(BOTH.features, 11, rows=500).x
    probability, median = OnnxModel(fitted.to_onnx(median=True), len(BOTH.features)).forecast(x)
    assert np.abs(probability - fitted.predict(x)).max() < 1e-12
    assert np.abs(median / fitted.volatility(x) - 1).max() < 1e-12


@pytest.mark.slow
def test_members_that_were_proven_are_not_fitted_again():
    """The combination of the members' proofs is that of members fitted once more."""
    learned = slices(BOTH)

    def own(candidate, part):
        return part.only([BOTH.features.index(name) for name in candidate.features])

    proofs = {
        one.name: one.prove(
            type(learned)(
                own(one, learned.train),
                tuple((own(one, rest), own(one, held)) for rest, held in learned.inner),
            ),
            1,
        )
        for one in BOTH.members
    }

    def refuses(_train, _seed):
        raise AssertionError

    again = BOTH.prove(learned, 1)
    quick = replace(BOTH, grow=refuses).prove(learned, 1, proofs)
    # exact: the same trees, sums in the same order
    assert quick.probability.tobytes() == again.probability.tobytes()
    # exact: training repeats to the bit
    assert quick.fitted.to_onnx(median=True) == again.fitted.to_onnx(median=True)


@pytest.mark.slow
def test_a_combination_is_better_than_its_worst_member():
    part = examples(BOTH.features, 9)
    log_outcome = np.log(part.outcome)

    def error(candidate):
        columns = [BOTH.features.index(name) for name in candidate.features]
        fitted = candidate.fit(slices(candidate), seed=1)
        forecast = fitted.volatility(part.only(columns).x)
        return np.mean((log_outcome - np.log(forecast)) ** 2)

    errors = [error(one) for one in BOTH.members]
    assert error(BOTH) < max(errors)


def test_a_classifier_cannot_be_combined():
    with pytest.raises(BadInputError, match="no log forecast"):
        combination([KINDS["har"], KINDS["persistence"]]).fit(
            slices(combination([KINDS["har"], KINDS["persistence"]])), seed=1
        )


def test_columns_that_repeat_each_other_do_a_linear_regression_no_harm():
    twice = least_squares([*(Ratio(vol) for vol in VOLS), Ratio(VOLS[0])], name="twice")
    once = least_squares([Ratio(vol) for vol in VOLS], name="once")
    part = examples(once.features, 9)
    one, other = (each.fit(slices(each), seed=1).volatility(part.x) for each in (once, twice))
    assert once.features == twice.features == (*VOLS, TAU)
    assert other == pytest.approx(one, rel=0.02)
