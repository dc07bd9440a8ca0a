"""The future is changed, and cut off, and nothing that was said before it changes."""

import dataclasses
from itertools import count

import msgspec
import numpy as np
import polars as pl
import pytest

from barograph.cases.case import Dataset
from barograph.cases.spikes import SPIKES, WANTED
from barograph.training.train import Training, train
from barograph.training.walkforward import walk
from markets import START_S, market, spikes_of

HOW = Training(folds=3, resamples=60)
LAST = 1
"""The fold after whose test everything is changed."""


@pytest.fixture(scope="module")
def whole():
    return market("market", 4, seed=6).frame


def after(frame):
    """Which rows lie after the test of fold `LAST`."""
    table = SPIKES.table(frame)
    fold = SPIKES.split(table, HOW.folds, "walk-forward")[1][LAST]
    return frame["second"].to_numpy() > table.order[fold.test].max()


def changed(frame, where, seed=4):
    """Other values there: features, labels and the returns under the baselines."""
    rng = np.random.default_rng(seed)
    return frame.with_columns(
        pl.when(pl.Series(where) & pl.col(name).is_not_null())
        .then(pl.Series(rng.lognormal(-9, 1, len(where))))
        .otherwise(pl.col(name))
        .alias(name)
        for name in (*WANTED, "outcome")
    ).with_columns(
        pl.when(pl.Series(where))
        .then(pl.Series(rng.normal(0, 10**5, len(where)).astype(np.int64)))
        .otherwise(pl.col("return_e9"))
        .alias("return_e9")
    )


def fold_bits(fold):
    """What stands of one fold of each candidate, to the bit."""
    return {
        name: (
            tested.fitted.to_onnx(),
            tested.probability.tobytes(),
            tested.volatility is not None and tested.volatility.tobytes(),
            tested.threshold,
            tested.selection,
        )
        for name, tested in fold.items()
    }


def folds(walked):
    return [
        fold_bits({name: of_folds[number] for name, of_folds in walked.tested.items()})
        for number in range(len(walked.questions))
    ]


def test_what_comes_after_a_fold_changes_nothing_in_it(whole):
    """Models' bytes, probabilities, forecasts, thresholds and choices of every candidate."""
    before, now = (
        walk(SPIKES, SPIKES.table(frame), HOW) for frame in (whole, changed(whole, after(whole)))
    )
    actual, expected = folds(now), folds(before)
    # exact: what comes after a fold changes no bit of it
    assert actual[: LAST + 1] == expected[: LAST + 1]
    # exact: what comes after a fold changes no bit of it
    assert actual[LAST + 1] != expected[LAST + 1]
    assert now.choices[: LAST + 1] == before.choices[: LAST + 1]
    assert now.fold_facts()[: LAST + 1] == before.fold_facts()[: LAST + 1]


def test_a_whole_training_is_what_it_would_have_been_had_the_future_not_come(whole, registry):
    """Report, gate and registered bytes: on the whole, on a changed future, on none."""
    later = after(whole)
    cut = SPIKES.split(SPIKES.table(whole), HOW.folds, "walk-forward")[1][: LAST + 1]
    frames = {
        "whole": whole, "changed": changed(whole, later), "cut off": whole.filter(~later),
    }  # fmt: skip
    trained = []
    for name, frame in frames.items():
        case = dataclasses.replace(spikes_of(name=name), split=lambda *_: ("walk-forward", cut))
        ticks = count(0, 1000)
        report = train(
            case, Dataset(frame, "d"), registry, HOW, clock_ns=lambda ticks=ticks: next(ticks)
        )
        model = registry.load(name, report.model.version, SPIKES.feature_set)
        # How many rows there are is told of the whole table, as is how long its history is.
        rowless = msgspec.structs.replace(
            report.data, usable_rows=0, unused={}, features_left_out={}
        )
        trained.append(
            (
                msgspec.structs.replace(model.facts, case=""),
                msgspec.structs.replace(report, case="", data=rowless),
            )
        )
    assert trained[0] == trained[1] == trained[2]
    assert trained[0][0].sha256
    assert len(trained[0][1].tested.folds) == LAST + 1


NIGHTS = 4


@pytest.fixture(scope="module")
def nights():
    """Four regimes, a day apart."""
    return pl.concat(
        market("market", 1.2, seed=night, start_s=START_S + 86_400 * night).frame
        for night in range(NIGHTS)
    )


@pytest.mark.parametrize("number", [0, 2])
def test_labels_of_a_session_that_is_left_out_change_nothing_of_its_model(nights, number):
    """No model, no threshold, no choice, not even a probability: only what these are worth."""
    table = SPIKES.table(nights)
    where = ((nights["second"] - START_S) // 86_400 == number).to_numpy()
    drawn = np.random.default_rng(4).lognormal(-10.1, 0.5, len(where))
    known = pl.Series(where) & pl.col("outcome").is_not_null()
    other = nights.with_columns(outcome=pl.when(known).then(pl.Series(drawn)).otherwise("outcome"))
    before, now = (walk(spikes_of(), some, HOW) for some in (table, SPIKES.table(other)))
    assert before.split == "leave-session-out"
    assert set(table.regime[before.questions[number].fold.test]) == {number}
    same = [one == other for one, other in zip(folds(now), folds(before), strict=True)]
    assert same == [fold == number for fold in range(NIGHTS)]
    assert now.choices[number] == before.choices[number]
    facts, then = now.fold_facts()[number], before.fold_facts()[number]
    # exact: what comes after a fold changes no bit of it
    assert (facts.tau, facts.selection, facts.thresholds) == (
        then.tau, then.selection, then.thresholds,
    )  # fmt: skip
    # exact: what comes after a fold changes no bit of it
    assert facts.test.base_rate != then.test.base_rate
