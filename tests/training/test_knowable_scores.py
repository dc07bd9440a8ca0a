"""What could be known of the tested rows of a training, and the share that the choices have."""

import dataclasses

import msgspec
import numpy as np
import pytest

from barograph.cases.hourly import HOURLY
from barograph.evaluation import scores
from barograph.evaluation.knowable import Seconds
from barograph.learning.relative import VOL_FLOOR
from barograph.training.knowable_scores import (
    TableOfReturns,
    _by_key,
    figures_of,
    knowable_scores,
)
from barograph.training.pooled import Pooled
from barograph.training.skill import PooledForecasts, Resampling
from barograph.training.walkforward import CHOSEN, Training, walk
from cards import pooled as pooled_storms
from hour_candles import dataset, invented
from markets import market, spikes_of

HOW = Training(folds=2, resamples=60, seed=5)


@pytest.fixture(scope="module")
def walked():
    case = spikes_of(names=("persistence", "har", "ridge"))
    return walk(case, case.table(market("market", 5, seed=2).frame), HOW)


@pytest.fixture(scope="module")
def pooled(walked):
    return Pooled(walked, HOW)


@pytest.fixture(scope="module")
def known(pooled):
    return pooled.facts().knowable


@pytest.mark.slow
def test_what_can_be_known_lies_between_the_choices_and_the_minute_itself(pooled, known):
    row = pooled.score_rows()[-1]
    assert row.name == CHOSEN
    assert row.log_r2.estimate < known.log_r2.estimate < known.own_log_r2.estimate
    assert row.pr_auc.estimate < known.pr_auc.estimate < known.own_pr_auc.estimate
    assert known.log_r2.low < known.log_r2.estimate < known.log_r2.high
    assert 0.007 < known.label_noise < 0.03
    assert known.still == np.mean(pooled.outcome <= VOL_FLOOR)  # exact: the same mean


@pytest.mark.slow
def test_a_share_is_of_the_log_r2_and_of_the_pr_auc_above_the_base_rate(pooled, known):
    """Of rows whose label ends by the last tested second: what follows has not come yet."""
    order = pooled._table.order[pooled.rows]
    within = order + 60 <= order.max()
    assert 0 < (~within).sum() <= 60
    log_r2 = scores.log_r2(pooled.outcome[within], pooled.volatility[CHOSEN][within])
    assert known.log_r2_share.estimate == pytest.approx(log_r2 / known.log_r2.estimate)
    y = pooled.y[within]
    pr_auc, rate = scores.pr_auc(y, pooled._better_ranking(CHOSEN)[within]), y.mean()
    above = known.pr_auc.estimate - rate
    assert known.pr_auc_share.estimate == pytest.approx((pr_auc - rate) / above)
    assert known.pr_auc_share.low < known.pr_auc_share.estimate < known.pr_auc_share.high


def test_a_model_without_an_estimate_has_no_figures_of_it():
    assert figures_of(None) == {}


@pytest.mark.slow
def test_the_figures_of_a_model_are_those_that_are_defined(known):
    figures = figures_of(known)
    # exact: the same numbers, under names
    assert figures == {
        "knowable_pr_auc": known.pr_auc.estimate,
        "knowable_log_r2": known.log_r2.estimate,
        "pr_auc_share": known.pr_auc_share.estimate,
        "log_r2_share": known.log_r2_share.estimate,
    }
    without = figures_of(msgspec.structs.replace(known, log_r2_share=None, pr_auc_share=None))
    assert [*without] == ["knowable_pr_auc", "knowable_log_r2"]


def forecasts(pooled, **changed):
    of = {
        each.name: getattr(pooled._forecasts(), each.name)
        for each in dataclasses.fields(PooledForecasts)
    }
    return PooledForecasts(**of | changed)


@pytest.mark.slow
def test_choices_without_a_forecast_have_a_share_of_the_ranking_only(pooled):
    of = forecasts(pooled, volatility={})
    known = knowable_scores(of, pooled._tau, Resampling(20, 0.95, 1))
    assert known.log_r2_share is None
    assert known.pr_auc_share is not None
    assert knowable_scores(of, None, Resampling(20, 0.95, 1)) is None


@pytest.mark.slow
def test_where_nothing_can_be_known_there_is_no_share_of_it(pooled):
    """The positives are drawn anew, and the labels stand still but for chance."""
    rng = np.random.default_rng(2)
    count = len(pooled.rows)
    blocks = -(-count // 60)
    y = np.repeat(rng.random(blocks) < 0.1, 60)[:count].astype(float)
    noise = np.repeat(rng.normal(0, 0.1, blocks), 60)[:count]
    chance = {name: np.exp(rng.normal(size=count)) for name in (CHOSEN,)}
    of = forecasts(
        pooled,
        y=y,
        outcome=1e-5 * np.exp(noise),
        volatility=chance,
        probability={CHOSEN: np.full(count, 0.1)},
        ranking=chance,
    )
    known = knowable_scores(of, pooled._tau, Resampling(60, 0.95, 1))
    assert known.log_r2_share is None
    assert known.pr_auc_share is None
    assert known.pr_auc.estimate == pytest.approx(scores.base_rate(y, y), abs=0.05)


@pytest.mark.slow
def test_returns_are_timed_by_the_rows_of_their_run(walked):
    table = walked.table
    order = table.order[0]
    [(seconds, where)] = _by_key(table, table, np.arange(len(table.order)), 2**62)
    assert isinstance(seconds, Seconds)
    assert where.tolist() == list(range(len(table.order)))
    at = np.searchsorted(seconds.second, order + 1)
    assert seconds.second[at : at + 60].tolist() == list(range(order + 1, order + 61))
    assert np.sqrt(seconds.square[at : at + 60].mean()) == pytest.approx(table.outcome[0], rel=1e-6)


@pytest.mark.slow
def test_a_case_without_returns_of_seconds_has_no_estimate():
    assert pooled_storms().facts().knowable is None


@pytest.mark.slow
def test_a_few_labels_tell_nothing_of_what_could_be_known(pooled):
    few, enough = (pooled._forecasts().some(np.arange(n)) for n in (300, 2_000))
    how = Resampling(20, 0.95, 1)
    assert knowable_scores(few, pooled._tau[:300], how) is None
    assert knowable_scores(enough, pooled._tau[:2_000], how) is not None


def test_hours_are_no_seconds():
    """Their returns once counted as of one second each, and a training of them ended in a crash."""
    assert not isinstance(
        HOURLY.table(dataset(HOURLY, invented(900, seed=2)).frame), TableOfReturns
    )
