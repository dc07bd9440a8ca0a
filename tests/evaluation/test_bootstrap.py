from math import isnan

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from barograph.errors import BadInputError
from barograph.evaluation import bootstrap, labels, scores, splits


def clustered(n, rng, run=120):
    """Spikes in runs, about one row of ten."""
    return (rng.random(-(-n // run)) < 0.1).repeat(run)[:n].astype(np.float64)


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=5), st.integers(1, 30), st.integers(0, 9))
def test_a_resample_is_made_of_whole_blocks_that_span_no_hole(lengths, block_s, seed):
    """Within a session the ends are joined, so each place starts as many blocks as any other."""
    session = np.repeat(np.arange(len(lengths)), lengths)
    second = np.arange(len(session)) + session * 10_000
    drawn = bootstrap.resamples(second, session, block_s=block_s, count=3, seed=seed)
    for k in range(3):
        weight = drawn.weight(k)
        for s, length in enumerate(lengths):
            inside = weight[session == s]
            assert inside.sum() % min(length, block_s) == 0
            if length <= block_s:
                assert len(set(inside.tolist())) == 1


@pytest.mark.slow
def test_every_row_is_expected_once_and_products_share_their_blocks():
    lengths = [5, 40, 200]
    session = np.repeat(np.arange(3), lengths)
    second = np.arange(245) + session * 1000
    drawn = bootstrap.resamples(np.tile(second, 2), np.tile(session, 2), block_s=20, count=4_000)
    weight = np.array([drawn.weight(k) for k in range(4_000)])
    np.testing.assert_array_equal(weight[:, :245], weight[:, 245:])  # exact: counts of draws
    # 13 blocks are drawn for 12.0 (1 + 2 + 10 = 13 exactly): each row once on average.
    np.testing.assert_allclose(weight.mean(axis=0), 1, atol=0.08)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    rng = np.random.default_rng(5)
    truth, forecast = clustered(3_000, rng), rng.random(3_000)
    second, session = np.arange(3_000), np.zeros(3_000, np.int64)
    low = [
        bootstrap.resampled(
            scores.pr_auc,
            truth,
            forecast,
            bootstrap.resamples(second, session, count=50, seed=seed),
        )
        .interval()
        .low
        for seed in (1, 1, 2)
    ]
    assert low[0] == low[1] != low[2]  # exact: one seed, the same sums


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(2, 60), min_size=1, max_size=4), st.integers(1, 30), st.integers(0, 9))
def test_scores_of_blocks_are_those_of_their_rows_counted_one_by_one(lengths, block_s, seed):
    rng = np.random.default_rng(seed)
    session = np.tile(np.repeat(np.arange(len(lengths)), lengths), 2)
    second = np.tile(np.arange(sum(lengths)), 2) + session * 1000
    shuffled = rng.permutation(len(second))
    drawn = bootstrap.resamples(
        second[shuffled], session[shuffled], block_s=block_s, count=5, seed=seed
    )
    truth, p = (rng.random(len(second)) < 0.3).astype(float), rng.random(len(second))
    vol, forecast = rng.random((2, len(second))) + 0.01
    for outcome, of, measures in (
        (truth, p, (scores.brier, scores.log_loss, scores.calibration_error, scores.pr_auc)),
        (vol, forecast, (scores.log_r2, scores.qlike)),
    ):
        together = bootstrap.resampled_together([(one, of) for one in measures], outcome, drawn)
        for measure, resampled in zip(measures, together, strict=True):
            value = measure.prepare(outcome, of)
            expected = [value(drawn.weight(number)) for number in range(5)]
            assert resampled.values.tolist() == pytest.approx(expected, rel=1e-9, nan_ok=True)


def test_resamples_without_a_spike_are_left_out_and_counted():
    truth = np.zeros(2_000)
    truth[:100] = 1
    drawn = bootstrap.resamples(np.arange(2_000), np.zeros(2_000), block_s=200, count=300)
    interval = bootstrap.resampled(scores.pr_auc, truth, np.linspace(0, 1, 2_000), drawn).interval()
    assert 20 < interval.undefined < 150
    assert interval.resamples == 300
    assert interval.low <= interval.high
    never = bootstrap.resampled(scores.pr_auc, np.zeros(2_000), truth, drawn).interval()
    assert never.undefined == 300
    assert isnan(never.low)


def test_a_paired_difference_is_narrower_than_the_scores_and_needs_the_same_resamples():
    rng = np.random.default_rng(6)
    truth = clustered(6_000, rng)
    good = truth + rng.normal(size=6_000)
    better = good + 0.3 * truth
    second, session = np.arange(6_000), np.zeros(6_000)
    drawn = bootstrap.resamples(second, session, count=300)
    a, b = (bootstrap.resampled(scores.pr_auc, truth, f, drawn) for f in (better, good))
    gain = (a - b).interval()
    assert gain.low > 0
    assert gain.high - gain.low < 0.5 * (a.interval().high - a.interval().low)
    assert gain.estimate == a.estimate - b.estimate  # exact: one subtraction of the same two
    other = bootstrap.resampled(
        scores.pr_auc, truth, good, bootstrap.resamples(second, session, count=300)
    )
    with pytest.raises(BadInputError, match="resampled together"):
        _ = a - other


@pytest.mark.parametrize("wrong", [{"block_s": 0}, {"count": 0}])
def test_resamples_without_a_size_are_refused(wrong):
    with pytest.raises(BadInputError, match="resamples"):
        bootstrap.resamples(np.arange(3), np.zeros(3), **wrong)
    with pytest.raises(BadInputError, match="resamples"):
        bootstrap.resamples(np.array([], np.int64), np.array([], np.int64))


def autoregression(n, rng, phi=0.9):
    noise = rng.normal(size=n + 200)
    for k in range(1, len(noise)):
        noise[k] += phi * noise[k - 1]
    return noise[200:]


def coverage(block_s, trials=120, n=2_000):
    """How often a 95 % interval of the mean of an AR(1) of mean 0 holds the 0."""
    rng = np.random.default_rng(7)
    drawn = bootstrap.resamples(np.arange(n), np.zeros(n), block_s=block_s, count=200)
    mean = scores.Score(
        name="mean", higher_is_better=True, prepare=lambda _, forecast: scores._mean(forecast)
    )
    held = 0
    for _ in range(trials):
        interval = bootstrap.resampled(mean, np.zeros(n), autoregression(n, rng), drawn).interval()
        held += interval.low <= 0 <= interval.high
    return held / trials


@pytest.mark.slow
def test_block_intervals_cover_an_autoregression_and_row_intervals_do_not():
    assert coverage(block_s=100) > 0.87
    assert coverage(block_s=1) < 0.5


def noise_market(hours, seed):
    """Rows of a market of constant volatility: nothing to predict, labels overlapping by 59/60."""
    rng = np.random.default_rng(seed)
    n = hours * 3600
    return_e9 = np.rint(rng.normal(scale=50_000, size=n)).astype(np.int64)
    second = np.arange(n, dtype=np.int64)
    squares = np.concatenate(([0], np.cumsum(return_e9**2)))
    vol = np.full(n, np.nan)
    vol[59:] = np.sqrt((squares[60:] - squares[:-60]) / 60) * 1e-9
    label = labels.later(second, vol, horizon_s=60)
    windows = (60, 80, 100, 120, 150, 180, 210, 240, 270, 300)
    features = np.full((n, len(windows)), np.nan)
    for column, window in enumerate(windows):
        features[window - 1 :, column] = np.log(squares[window:] - squares[:-window])
    usable = ~np.isnan(label) & ~np.isnan(features).any(axis=1)
    features = features[usable] - np.nanmean(features[usable], axis=0)
    return second[usable], features / features.std(axis=0), label[usable]


def neighbours(features, spike, train, test):
    return (
        KNeighborsClassifier(n_neighbors=5)
        .fit(features[train], spike[train])
        .predict_proba(features[test])[:, 1]
    )


@pytest.mark.slow
def test_a_market_of_noise_scores_its_base_rate_walking_forward_and_leaks_when_shuffled():
    second, features, label = noise_market(hours=5, seed=11)
    truth, forecast, where = [], [], []
    for fold in splits.walk_forward(second, splits.SplitPlan(folds=3, embargo_s=300)):
        spike = labels.spikes(label, labels.tau(label[fold.train]))
        truth.append(spike[fold.test])
        forecast.append(neighbours(features, spike, fold.train, fold.test))
        where.append(second[fold.test])
    second_tested = np.concatenate(where)
    drawn = bootstrap.resamples(second_tested, splits.sessions(second_tested, hole_s=60), count=200)
    above = [
        bootstrap.resampled(score, np.concatenate(truth), np.concatenate(forecast), drawn)
        for score in (scores.pr_auc, scores.base_rate)
    ]
    interval = (above[0] - above[1]).interval()
    assert interval.low <= 0
    assert interval.estimate < 0.1

    spike = labels.spikes(label, labels.tau(label))
    shuffled = np.random.default_rng(0).permutation(len(second))
    train, test = np.array_split(shuffled, 2)
    leaked = scores.pr_auc(spike[test], neighbours(features, spike, train, test))
    assert leaked > 0.5


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_rows_in_another_order_give_the_same_interval(seed):
    """Weights hang on seconds, not on places in the arrays; only ties' sums may round otherwise."""
    rng = np.random.default_rng(seed)
    second = rng.integers(0, 900, 300)
    truth, forecast = rng.integers(0, 2, 300).astype(float), rng.random(300)
    order = rng.permutation(300)
    intervals = [
        bootstrap.resampled(
            scores.pr_auc,
            truth[rows],
            forecast[rows],
            bootstrap.resamples(
                second[rows], splits.sessions(second[rows], hole_s=5), block_s=30, count=20
            ),
        ).interval()
        for rows in (np.arange(300), order)
    ]
    one, other = map(msgspec.structs.astuple, intervals)
    assert one == pytest.approx(other, rel=1e-9, abs=1e-12, nan_ok=True)
