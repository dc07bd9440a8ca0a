"""Matured predictions against loops in obvious code, and their labels against the dataset's."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import feature_oracle
from barograph.cases.market import MARKET
from barograph.evaluation import alarms, labels, scores
from barograph.evaluation.matured import compare, judge, mature
from barograph.pipeline.scorer import Scorer
from barograph.types import Interval, Verdict
from cut_market import rows_of_a_market_with_a_cut
from matured_predictions import prediction, storm
from scored_rows import model

START_S = 1_750_000_000


def at_60(predictions):
    return mature(predictions, 60)


@st.composite
def prediction_lists(draw):
    """Predictions of two models and products in log order: holes, unknown values, swaps."""
    made = []
    for product in ("BTC-USD", "ETH-USD"):
        second = draw(st.integers(0, 100))
        for step, n in draw(
            st.lists(st.tuples(st.sampled_from([1, 2, 60]), st.integers(1, 70)), max_size=4)
        ):
            label = draw(st.sampled_from(["spikes/1", "spikes/2"]))
            tau = draw(st.sampled_from([1e-4, 2e-4]))
            rng = np.random.default_rng(draw(st.integers(0, 2**32)))
            second += step
            for _ in range(n):
                p = None if rng.random() < 0.1 else float(rng.choice([0.1, 0.4, 0.6, 0.9]))
                vol = None if rng.random() < 0.1 else float(rng.choice([5e-5, 1e-4, 2e-4]))
                made.append(prediction(second, p=p, vol=vol, product=product, label=label, tau=tau))
                second += 1
    return made


def judged_by_loops(predictions, label):
    """[(product, second, probability, alarm, spike or None)] of one model."""
    rows = []
    for each in predictions:
        if each.model != label or each.verdict is not Verdict.PREDICTED:
            continue
        later = [
            other.value_now
            for other in predictions
            if (other.product, other.second) == (each.product, each.second + 60)
        ]
        known = later and later[0] is not None
        rows.append((
            each.product, each.second, each.probability, each.alarm,
            later[0] >= each.tau if known else None,
        ))  # fmt: skip
    return sorted(rows, key=lambda row: row[:2])


def flat(outcomes):
    return [
        (product, int(second), float(p), bool(alarm), None if np.isnan(spike) else spike == 1.0)
        for product, of in outcomes.by_product.items()
        for second, p, alarm, spike in zip(*of, strict=True)
    ]


@given(prediction_lists())
def test_each_prediction_stands_beside_what_came(predictions):
    by_model = at_60(predictions)
    assert by_model.keys() == {each.model for each in predictions}
    for label, of in by_model.items():
        of_model = [each for each in predictions if each.model == label]
        assert flat(of) == judged_by_loops(predictions, label)
        assert (of.first_second, of.last_second) == (
            min(each.second for each in of_model), max(each.second for each in of_model),
        )  # fmt: skip
        assert sum(of.verdicts.values()) == len(of_model)
        assert of.verdicts.get(Verdict.GAP, 0) == sum(each.probability is None for each in of_model)


@pytest.mark.slow
@given(prediction_lists())
def test_the_scores_are_those_of_the_matured_rows(predictions):
    for label, of in at_60(predictions).items():
        live_one = judge(label, of)
        rows = judged_by_loops(predictions, label)
        known = [row for row in rows if row[4] is not None]
        assert (live_one.rows, live_one.immature) == (len(known), len(rows) - len(known))
        truth = np.array([float(row[4]) for row in known])
        p = np.array([row[2] for row in known])
        for score in (scores.base_rate, scores.pr_auc, scores.brier, scores.log_loss):
            estimate = getattr(live_one, score.name).estimate
            assert estimate == pytest.approx(score(truth, p) if known else math.nan, nan_ok=True)
        watches = []
        for product in ("BTC-USD", "ETH-USD"):
            of_product = [row for row in known if row[0] == product]
            second = np.array([row[1] for row in of_product], np.int64)
            spike = np.array([float(row[4]) for row in of_product])
            alarm = np.array([row[2] for row in of_product])
            storms = labels.episodes(second, spike)
            watches.append(alarms.WatchedRows(second=second, probability=alarm, episodes=storms))
        report = alarms.episode_report(watches, 0.6)
        assert (live_one.episodes, live_one.recall, live_one.lead_s) == pytest.approx(
            (report.episodes, report.recall, report.lead_median_s), nan_ok=True
        )
        assert live_one.false_alarms_per_hour == pytest.approx(
            report.false_alarms_per_hour, nan_ok=True
        )


@given(prediction_lists())
def test_a_prediction_that_stands_there_twice_counts_once(predictions):
    again = [msgspec.structs.replace(each, probability=0.99) for each in predictions]
    once, twice = at_60(predictions), at_60(predictions + again)
    predicted = [each.probability is not None for each in predictions]
    if all(predicted):
        assert {label: flat(of) for label, of in once.items()} == {
            label: flat(of) for label, of in twice.items()
        }


def test_a_prediction_for_another_horizon_never_matures():
    [outcomes] = at_60([prediction(0, horizon_s=300), prediction(60)]).values()
    assert [row[4] for row in flat(outcomes)] == [None, None]


def test_an_interval_of_nothing_is_not_defined():
    [outcomes] = at_60([prediction(0), prediction(1, p=None)]).values()
    live_one = judge("spikes/1", outcomes)
    assert (live_one.rows, live_one.immature) == (0, 1)
    assert live_one.verdicts == {"PREDICTED": 1, "GAP": 1}
    assert math.isnan(live_one.pr_auc.estimate)
    assert math.isnan(live_one.calibration_error)
    assert math.isnan(live_one.recall)
    assert msgspec.json.decode(msgspec.json.encode(live_one))["lead_s"] is None


def test_a_better_shadow_is_better_by_its_paired_difference():
    [ours], [theirs] = at_60(storm("spikes/1", 2.0)).values(), at_60(
        storm("spikes/2", 20.0)[100:]
    ).values()  # fmt: skip
    paired = compare("spikes/1", ours, "spikes/2", theirs)
    assert (paired.champion, paired.shadow) == ("spikes/1", "spikes/2")
    assert (paired.rows, paired.left_out) == (3840, 0)
    one, other = judge("spikes/1", ours), judge("spikes/2", theirs)
    assert paired.log_loss.high < 0
    assert paired.log_loss.estimate == pytest.approx(
        other.log_loss.estimate - one.log_loss.estimate, abs=0.01
    )
    alone = compare("spikes/1", ours, "spikes/1", ours)
    # exact: a number minus itself
    assert alone.log_loss == alone.pr_auc == Interval(
        estimate=0.0, low=0.0, high=0.0, level=0.95, resamples=200, undefined=0
    )  # fmt: skip


def test_rows_that_the_two_taus_call_differently_are_left_out_of_the_pair():
    [ours] = at_60(storm("spikes/1", 2.0)).values()
    [theirs] = at_60(storm("spikes/2", 2.0, tau=1.2e-4)).values()
    paired = compare("spikes/1", ours, "spikes/2", theirs)
    between = sum(
        a != b for a, b in zip(flat(ours), flat(theirs), strict=True) if a[4] is not None
    )  # fmt: skip
    assert paired.left_out == between > 0
    assert paired.rows == 3940 - between


def test_models_that_met_on_no_second_have_no_difference():
    [ours] = at_60([prediction(0)]).values()
    [theirs] = at_60([prediction(0, product="SOL-USD")]).values()
    paired = compare("spikes/1", ours, "spikes/2", theirs)
    assert (paired.rows, paired.left_out) == (0, 0)
    assert math.isnan(paired.log_loss.estimate)


@pytest.mark.slow
def test_labels_of_predictions_are_those_of_the_dataset_to_the_bit():
    rows = rows_of_a_market_with_a_cut()
    scorer = Scorer(MARKET, model(tau={"BTC-USD": 1e-5, "ETH-USD": 2e-5}))
    predictions = [scorer.predict(row) for row in rows]
    for product, tau in (("BTC-USD", 1e-5), ("ETH-USD", 2e-5)):
        rows_of_product = [row for row in rows if row.product == product]
        second = np.array([row.second for row in rows_of_product])
        return_e9_of = {row.second: row.return_e9 for row in rows_of_product}
        label = np.array(
            [
                math.nan if vol is None else vol
                for vol in (
                    feature_oracle.future_realized_vol(return_e9_of, s, 60) for s in return_e9_of
                )
            ]
        )
        assert 100 < np.isnan(label).sum() < 300 < len(label)
        # With the label itself as tau each is a spike, and with the next float above none is.
        for bits, expected in ((label, 1.0), (np.nextafter(label, 1.0), 0.0)):
            by_second = dict(zip(second.tolist(), bits.tolist(), strict=True))
            exact = [
                msgspec.structs.replace(
                    each, tau=tau if math.isnan(by_second[each.second]) else by_second[each.second]
                )
                for each in predictions
                if each.product == product
            ]
            [outcomes] = at_60(exact).values()
            [of] = outcomes.by_product.values()
            known = ~np.isnan(label[np.isin(second, of.second)])
            assert known.sum() > 100
            assert np.array_equal(~np.isnan(of.outcome), known)  # exact: which are known
            assert set(of.outcome[known]) == {expected}
