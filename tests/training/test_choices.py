"""The choice: what may be chosen, and by which rows."""

import dataclasses

import numpy as np
import pytest

from barograph.training import choices
from barograph.training.walkforward import Training, walk
from markets import market, spikes_of

HOW = Training(folds=2, resamples=20)
NAMES = ("persistence", "har", "garch", "ridge", "ticks")


@pytest.fixture(scope="module")
def walked():
    case = spikes_of(NAMES)
    return walk(case, case.table(market("market", 5, seed=2).frame), HOW)


@pytest.mark.slow
def test_a_baseline_may_be_chosen_if_a_live_row_has_its_columns(walked):
    case, table, tested = walked.case, walked.table, walked.tested
    live = [name for name in tested if name != "garch"]
    assert choices.eligible(case, table, tested) == live
    best = dataclasses.replace(case, prefers_simple=False)
    of_best = choices.eligible(best, table, tested)
    assert of_best == [name for name in live if name not in case.baselines]
    assert choices.lowest(best, table, tested, 0) == min(
        of_best, key=lambda name: tested[name][0].selection
    )


@pytest.mark.slow
def test_a_fold_chooses_by_its_held_out_rows_and_the_whole_by_all_tests(walked):
    live = [name for name in walked.tested if name != "garch"]
    for fold, question in enumerate(walked.questions):
        of = {name: walked.tested[name][fold].held_out_probability for name in live}
        rows = question.fold.held_out
        assert walked.choices[fold] == choices.simplest_of(
            walked.case, walked.table, rows, question.answers(rows), of
        )
    rows = np.concatenate([question.fold.test for question in walked.questions])
    y = np.concatenate([question.answers(question.fold.test) for question in walked.questions])
    of = {name: np.concatenate([one.probability for one in walked.tested[name]]) for name in live}
    assert walked.final == choices.simplest_of(walked.case, walked.table, rows, y, of)


@pytest.mark.slow
def test_of_two_that_forecast_the_same_the_one_that_is_listed_first_is_chosen(walked):
    question = walked.questions[0]
    rows = question.fold.test
    of = walked.tested["ridge"][0].probability
    twins = {"one": of, "other": of}
    y = question.answers(rows)
    assert choices.simplest_of(walked.case, walked.table, rows, y, twins) == "one"
