"""Markets in which there is nothing to predict: nothing is promoted, and shuffled rows would be."""

import dataclasses
import time

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from barograph.cases.spikes import SPIKES
from barograph.evaluation import scores
from barograph.evaluation.gate import PromotionGate
from barograph.evaluation.splits import Fold
from barograph.learning import candidates
from barograph.learning.candidates import Candidate
from barograph.learning.examples import uncalibrated
from barograph.learning.fitted import Odds
from barograph.training.pooled import Pooled
from barograph.training.train import Training, train
from barograph.training.walkforward import CHOSEN, walk
from markets import market

HOURS = 6
"""As many as give the gate the blocks and the storms that it asks for."""

HOW = Training(folds=2, resamples=200, gate=PromotionGate(resamples=200))


@pytest.mark.parametrize(
    "first", [1, *(pytest.param(each, marks=pytest.mark.operations) for each in (3, 5, 7, 9))]
)
def test_nothing_is_promoted_where_nothing_can_be_predicted(first, registry):
    """Ten markets; `benchmarks/constant.py` tries as many as one likes."""
    for seed in (first, first + 1):
        case = dataclasses.replace(SPIKES, name=f"constant-{seed}")
        report = train(case, market("constant", HOURS, seed), registry, HOW, clock_ns=time.time_ns)
        assert not report.gate.decision.promote
        assert registry.champion_version(case.name) is None
        # It was luck that was refused, not too little to judge by.
        assert report.tested.episodes >= HOW.gate.min_episodes
        assert not any("blocks tested" in reason for reason in report.gate.decision.reasons)
        assert any(
            "PR-AUC must be above the base rate" in reason
            for reason in report.gate.decision.reasons
        )
        assert {"persistence", "har", "ridge", "lightgbm_regression", CHOSEN} <= {
            row.name for row in report.tested.scores
        }


@pytest.fixture(scope="module")
def calm():
    return SPIKES.table(market("constant", HOURS / 2, seed=11).frame)


def test_shuffled_rows_leak_where_nothing_can_be_predicted(calm):
    honest = dataclasses.replace(SPIKES, candidates=with_neighbours, stride=1)
    leaky = dataclasses.replace(honest, split=shuffled)
    intervals = {}
    for case in (honest, leaky):
        pooled = Pooled(walk(case, calm, HOW), HOW)
        intervals[case.split] = pooled.over(CHOSEN, CHOSEN, scores.pr_auc, scores.base_rate)
        assert pooled.base_rate.estimate < 0.2
    assert intervals[honest.split].low < 0.02
    assert intervals[shuffled].low > 0.3


def shuffled(table, _folds, _protocol):
    rows = np.random.default_rng(0).permutation(len(table.order))
    first, second, test = (np.sort(some) for some in np.array_split(rows, 3))
    train_rows = np.sort(np.concatenate([first, second]))
    return "walk-forward", [
        Fold(train=train_rows, test=test, inner=((first, second), (second, first)))
    ]


def with_neighbours(features):
    slow = tuple(name for name in features if name.endswith(("_60s", "_300s")))
    return (candidates.persistence("observed_vol_60s"), Candidate("neighbours", slow, neighbours))


def neighbours(rows, _seed):
    """The share of spikes among the five nearest rows: it finds rows of the same minute."""
    mean, scale = rows.x.mean(axis=0), rows.x.std(axis=0) + 1e-12
    near = KNeighborsClassifier(5).fit((rows.x - mean) / scale, rows.y)

    class Core:
        def __call__(self, seen):
            share = np.clip(near.predict_proba((seen - mean) / scale)[:, 1], 0.05, 0.95)
            return np.log(share / (1 - share))

    return uncalibrated(candidates.AsGiven(), Core(), Odds())
