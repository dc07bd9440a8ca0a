"""The figures of a training, held against the oracle on the rows that they are of."""

import dataclasses

import msgspec
import numpy as np
import pytest

import feature_oracle
from barograph.evaluation import bootstrap, gate, scores
from barograph.training.pooled import Pooled
from barograph.training.walkforward import CHOSEN, Training, walk
from customers import CUSTOMERS, customers
from markets import FEW, market, spikes_of

HOW = Training(folds=2, resamples=60, seed=5)
CLASSIFIERS = {"logistic"}


@pytest.fixture(scope="module")
def walked():
    case = spikes_of()
    return walk(case, case.table(market("market", 5, seed=2).frame), HOW)


@pytest.fixture(scope="module")
def pooled(walked):
    return Pooled(walked, HOW)


@pytest.fixture(scope="module")
def rows(pooled):
    return {row.name: row for row in pooled.score_rows()}


@pytest.mark.slow
def test_the_rows_are_the_candidates_and_what_was_chosen_from_fold_to_fold(walked, pooled, rows):
    assert list(rows) == [*FEW, CHOSEN] == [*pooled.names]
    assert all(row.eligible for row in rows.values())
    tests = [question.fold.test for question in walked.questions]
    assert pooled.rows.tolist() == np.concatenate(tests).tolist()
    chosen = [walked.tested[name][fold].probability for fold, name in enumerate(walked.choices)]
    # exact: the same numbers, taken out
    assert (pooled.probability[CHOSEN] == np.concatenate(chosen)).all()
    assert pooled.baselines == ["persistence", "har"]


@pytest.mark.slow
def test_scores_of_probabilities_are_those_of_the_oracle(pooled, rows):
    y = pooled.y.tolist()
    for name, row in rows.items():
        probability = pooled.probability[name].tolist()
        assert row.brier.estimate == pytest.approx(feature_oracle.brier(y, probability))
        log_loss = feature_oracle.log_loss(y, probability, scores.LOG_LOSS_CLIP)
        assert row.log_loss.estimate == pytest.approx(log_loss)
        assert row.calibration_error.estimate == pytest.approx(
            feature_oracle.calibration_error(y, probability)
        )
        pr_auc = scores.pr_auc(pooled.y, pooled.probability[name])
        assert row.pr_auc.estimate == pytest.approx(pr_auc, rel=1e-12)
        assert row.lift.estimate == pytest.approx(row.pr_auc.estimate / np.mean(y))
    assert pooled.base_rate.estimate == pytest.approx(np.mean(y), rel=1e-12)


@pytest.mark.slow
def test_scores_of_volatilities_are_those_of_the_oracle_and_classifiers_have_none(
    walked, pooled, rows
):
    outcome = walked.table.outcome[pooled.rows].tolist()
    assert set(pooled.volatility) == {*FEW, CHOSEN} - CLASSIFIERS - (
        {CHOSEN} if CLASSIFIERS & {*walked.choices} else set()
    )
    for name, row in rows.items():
        if name not in pooled.volatility:
            assert (row.log_r2, row.qlike, row.pr_auc_by_ratio) == (None, None, None)
            continue
        volatility = pooled.volatility[name].tolist()
        assert row.log_r2.estimate == pytest.approx(feature_oracle.log_r2(outcome, volatility))
        assert row.qlike.estimate == pytest.approx(feature_oracle.qlike(outcome, volatility))
    assert rows["har"].log_r2.estimate > rows["persistence"].log_r2.estimate


@pytest.mark.slow
def test_a_forecast_ranks_by_its_ratio_to_the_threshold_of_its_own_fold(walked, pooled, rows):
    """Persistence's probability rises with that ratio: in one fold the two rankings are one."""
    by_fold = [
        scores.pr_auc(question.answers(question.fold.test), tested.volatility)
        for question, tested in zip(walked.questions, walked.tested["persistence"], strict=True)
    ]
    by_probability = [
        scores.pr_auc(question.answers(question.fold.test), tested.probability)
        for question, tested in zip(walked.questions, walked.tested["persistence"], strict=True)
    ]
    assert by_fold == pytest.approx(by_probability)
    tau = np.concatenate(
        [
            np.full(len(question.fold.test), question.target.tau["BTC-USD"])
            for question in walked.questions
        ]
    )
    pr_auc = scores.pr_auc(pooled.y, pooled.volatility["persistence"] / tau)
    assert rows["persistence"].pr_auc_by_ratio.estimate == pytest.approx(pr_auc, abs=1e-6)


def test_every_figure_has_an_interval_that_holds_it(rows):
    for row in rows.values():
        for name in ("pr_auc", "lift", "roc_auc", "brier", "log_loss"):
            interval = getattr(row, name)
            assert interval.low < interval.estimate < interval.high
            assert interval.resamples == HOW.resamples
    har = rows["har"]
    assert har.log_r2.low < har.log_r2.estimate < har.log_r2.high
    assert har.qlike.low < har.qlike.estimate < har.qlike.high
    assert 0 < har.calibration_error.low < har.calibration_error.high


def test_intervals_are_those_of_blocks_of_the_tested_seconds(walked, pooled, rows):
    table = walked.table
    draws = bootstrap.resamples(
        table.order[pooled.rows],
        table.session[pooled.rows],
        block_s=600,
        count=HOW.resamples,
        seed=HOW.seed,
    )
    (har, ours) = bootstrap.resampled_together(
        [(scores.brier, pooled.probability[name]) for name in ("har", "logistic")], pooled.y, draws
    )
    over = pooled.over("logistic", "har", scores.brier)
    for interval, by_hand in (
        (rows["har"].brier, har.interval()),
        (over, gate.wide(ours - har, 0.95)),
    ):
        assert msgspec.structs.astuple(interval) == pytest.approx(
            msgspec.structs.astuple(by_hand), rel=1e-9, abs=1e-12
        )


def test_each_candidate_is_compared_with_each_baseline_that_must_be_beaten(pooled, rows):
    differences = {(each.name, each.minus): each for each in pooled.differences()}
    ours = [name for name in rows if name not in {"persistence", "har"}]
    assert [*differences] == [(name, minus) for minus in ("persistence", "har") for name in ours]
    for (name, minus), difference in differences.items():
        for score in ("pr_auc", "brier", "log_loss"):
            gain = best(rows[name], score) - best(rows[minus], score)
            interval = getattr(difference, score)
            assert interval.estimate == pytest.approx(gain, abs=1e-12)
            assert interval.low < gain < interval.high


def best(row, score):
    """PR-AUC by probability or by forecast, whichever is higher."""
    if score == "pr_auc" and row.pr_auc_by_ratio is not None:
        return max(row.pr_auc.estimate, row.pr_auc_by_ratio.estimate)
    return getattr(row, score).estimate


def test_the_gate_is_given_both_rankings_of_what_forecasts_a_volatility(pooled, rows):
    where = np.arange(len(pooled.rows)) % 3 == 0
    for name, row in rows.items():
        forecast = pooled.forecast(name, where)
        # exact: the same numbers, taken out
        assert (forecast.probability == pooled.probability[name][where]).all()
        assert (forecast.ranking is None) == (row.pr_auc_by_ratio is None)
        if forecast.ranking is not None:
            assert (forecast.ranking == pooled.ranking[name][where]).all()
            by_ratio = scores.pr_auc(pooled.y, pooled.ranking[name])
            assert row.pr_auc_by_ratio.estimate == pytest.approx(by_ratio, rel=1e-12)


@pytest.mark.slow
def test_a_score_may_be_told_over_the_base_rate(pooled, rows):
    over = pooled.over("har", CHOSEN, scores.pr_auc, scores.base_rate)
    gain = rows["har"].pr_auc.estimate - pooled.base_rate.estimate
    assert over.estimate == pytest.approx(gain)
    assert over.low > 0


def test_regimes_are_told_each_for_itself(walked):
    """The tests of two folds, taken for two regimes."""
    table = walked.table
    last = walked.questions[1].fold.test
    regime = np.zeros(len(table.order), np.int64)
    regime[last] = 1
    of_two = dataclasses.replace(table, regime=regime)
    two = Pooled(dataclasses.replace(walked, table=of_two), HOW)
    first, second = two.session_rows()
    assert first.rows + second.rows == len(two.rows)
    assert second.rows == len(last)
    y = walked.questions[1].answers(last)
    assert second.base_rate == pytest.approx(y.mean(), rel=1e-12)
    assert second.median_outcome == pytest.approx(np.median(table.outcome[last]), rel=1e-12)
    assert second.events == walked.case.events(table, last, y)
    assert (second.start_ns, second.end_ns) == walked.case.span_ns(table, last)
    for name, folds in walked.tested.items():
        assert second.log_loss[name] == pytest.approx(
            feature_oracle.log_loss(y.tolist(), folds[1].probability.tolist(), scores.LOG_LOSS_CLIP)
        )
        pr_auc = scores.pr_auc(y, folds[1].probability)
        assert second.pr_auc[name] == pytest.approx(pr_auc, rel=1e-12)
    assert set(second.log_r2) == set(two.volatility)


def test_columns_come_with_what_each_rows_own_fold_puts_beside(walked, pooled):
    where = np.zeros(len(pooled.rows), np.bool_)
    where[[0, -1]] = True
    columns = pooled.columns(("observed_vol_60s", "tau"), where)
    table, place = walked.table, walked.table.features.index("observed_vol_60s")
    assert columns[:, 0].tolist() == table.x[pooled.rows[[0, -1]], place].tolist()
    taus = [question.target.tau["BTC-USD"] for question in walked.questions]
    assert taus[0] != taus[1]
    assert columns[:, 1].tolist() == np.array(taus, np.float32).tolist()
    assert {"tau", "garch_vol"} <= pooled.beside


@pytest.mark.slow
def test_records_without_time_have_no_volatility_and_no_ranking_but_by_probability():
    walked = walk(CUSTOMERS, CUSTOMERS.table(customers(800).frame), HOW)
    pooled = Pooled(walked, HOW)
    assert all(row.log_r2 is None and row.pr_auc_by_ratio is None for row in pooled.score_rows())
    (session,) = pooled.session_rows()
    assert (session.rows, session.start_ns, session.log_r2) == (800, 0, {})
    assert msgspec.json.encode(pooled.score_rows())
    assert pooled.ranking == {}
    assert pooled.forecast("logistic", pooled.y == 1.0).ranking is None
