"""The model that a training registers."""

import dataclasses

import numpy as np
import pytest

from barograph.learning.calibration import platt
from barograph.training.registered import registered
from barograph.training.walkforward import Training, walk
from markets import market, spikes_of

HOW = Training(folds=2, resamples=20)


@pytest.fixture(scope="module")
def walked():
    case = spikes_of(("persistence", "har", "ridge"))
    return walk(case, case.table(market("market", 5, seed=2).frame), HOW)


@pytest.mark.slow
def test_a_model_that_is_fitted_again_has_seen_every_row_with_an_answer(walked):
    model = registered(walked, HOW)
    case, table = walked.case, walked.table
    assert model.fitted.name == walked.final
    folds = [question.fold for question in walked.questions]
    seen = set().union(*(side.tolist() for fold in folds for side in (fold.train, fold.test)))
    assert set(model.rows.tolist()) == seen
    assert len(seen) > 0.99 * len(table.order)
    assert model.target.tau == case.target(table, np.array(sorted(seen))).tau
    tested = np.concatenate([question.fold.test for question in walked.questions])
    assert model.checked.tolist() == tested.tolist()


@pytest.mark.slow
def test_its_calibration_and_threshold_are_of_forecasts_for_rows_not_seen(walked):
    model = registered(walked, HOW)
    folds = walked.tested[walked.final]
    tested = np.concatenate([question.fold.test for question in walked.questions])
    z = np.concatenate([fold.z for fold in folds])
    y = np.concatenate([question.answers(question.fold.test) for question in walked.questions])
    slope, bias = platt(z, y == 1.0, walked.table.weight(tested) / 60)
    assert (model.fitted.slope, model.fitted.bias) == pytest.approx((slope, bias))
    probability = model.fitted.calibrated(z)
    assert model.threshold == walked.case.threshold(walked.table, tested, y, probability)


@pytest.mark.slow
def test_a_case_that_does_not_fit_again_registers_what_its_last_fold_tested(walked):
    as_tested = dataclasses.replace(walked, case=dataclasses.replace(walked.case, refit=False))
    model = registered(as_tested, HOW)
    last, chosen = walked.questions[-1], walked.chosen[-1]
    assert model.fitted is chosen.fitted
    assert model.threshold == chosen.threshold
    assert model.rows is last.fold.train
    assert model.target is last.target
    assert model.checked is last.fold.test


@pytest.mark.slow
def test_the_same_walk_and_seed_give_the_same_bytes(walked):
    first, again = (registered(walked, HOW).fitted.to_onnx() for _ in range(2))
    assert first == again  # exact: training repeats to the bit
