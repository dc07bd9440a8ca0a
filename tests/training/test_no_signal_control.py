"""Where outcomes are moved against their rows nothing is found, and a leak would be."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.cases.spikes import SPIKES
from barograph.evaluation.splits import Fold
from barograph.learning import candidates
from barograph.learning.boosting import Boosting
from barograph.learning.relative import Ratio, Relative
from barograph.training.no_signal_control import control, moved
from barograph.training.walkforward import Training, walk
from markets import market, spikes_of
from small_table import table as small_table

HOW = Training(folds=2, resamples=100)
FEW = ("persistence", "har", "ticks", "logistic")


@pytest.fixture(scope="module")
def storms():
    return spikes_of(FEW).table(market("market", 6, seed=4).frame)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=30), st.randoms(use_true_random=True))
def test_outcomes_are_moved_by_half_of_their_keys_history_and_none_is_lost(key, chance):
    count = len(key)
    order = np.array(chance.sample(range(1000), count))
    table = dataclasses.replace(
        small_table(), outcome=np.arange(count) * 1.0, key=np.array(key), order=order,
        keys=("a", "b", "c"),
    )  # fmt: skip
    outcome = moved(table)
    assert (table.outcome == np.arange(count)).all()
    for number in set(key):
        of_key = [place for place in np.argsort(order) if key[place] == number]
        half = len(of_key) // 2
        was = table.outcome[of_key].tolist()
        assert outcome[of_key].tolist() == was[len(of_key) - half :] + was[: len(of_key) - half]


@pytest.mark.slow
def test_where_nothing_can_be_found_the_base_rate_is_found(storms):
    walked = walk(spikes_of(FEW), storms, HOW)
    result = control(walked, HOW)
    assert result.candidate == walked.choices[-1]
    assert result.pr_auc.low <= result.base_rate.estimate <= result.pr_auc.high
    assert result.over.low <= 0


@pytest.mark.operations
def test_a_split_that_leaks_is_found_out(storms):
    """Rows of one minute on both sides: trees that may learn by heart tell the moved outcomes."""

    def contenders(_features):
        by_heart = Boosting(rounds=100, leaves=200, least_rows_in_leaf=5, l2=0.0, threads=1)
        seen = Relative.of([Ratio(f"observed_vol_{w}s") for w in (60, 300)])
        return (candidates.persistence("observed_vol_60s"), candidates.lightgbm(seen, by_heart))

    def shuffled(table, _folds, _protocol):
        rows = np.random.default_rng(0).permutation(len(table.order))
        first, second, test = (np.sort(some) for some in np.array_split(rows, 3))
        train = np.sort(np.concatenate([first, second]))
        return "walk-forward", [
            Fold(train=train, test=test, inner=((first, second), (second, first)))
        ]

    leaky = dataclasses.replace(spikes_of(), candidates=contenders, split=shuffled, stride=1)
    result = control(walk(leaky, storms, HOW), HOW)
    assert result.candidate == "lightgbm"
    assert result.over.low > 0.05
    honest = dataclasses.replace(leaky, split=SPIKES.split)
    assert control(walk(honest, storms, HOW), HOW).over.low <= 0
