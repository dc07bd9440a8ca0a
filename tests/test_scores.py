from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.neighbors import KNeighborsClassifier

import oracle
from barograph import labels, scores, splits
from barograph.errors import BadInputError

rows = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.0]),
        st.one_of(st.floats(0, 1, width=32), st.sampled_from([0.0, 0.25, 0.5, 1.0])),
    ),
    min_size=2,
    max_size=40,
)


def columns(drawn):
    truth, forecast = zip(*[(0.0, 0.5), (1.0, 0.5), *drawn], strict=True)
    return np.array(truth), np.array(forecast)


def clustered(n, rng, run=120):
    """Spikes in runs, about one row of ten."""
    return (rng.random(-(-n // run)) < 0.1).repeat(run)[:n].astype(np.float64)


@settings(deadline=None)
@given(rows)
def test_every_score_of_probabilities_equals_its_oracle(drawn):
    truth, forecast = columns(drawn)
    spikes, said = truth.astype(int).tolist(), forecast.tolist()
    assert scores.pr_auc(truth, forecast) == pytest.approx(oracle.pr_auc(spikes, said), rel=1e-12)
    assert scores.roc_auc(truth, forecast) == pytest.approx(oracle.roc_auc(spikes, said), rel=1e-12)
    assert scores.brier(truth, forecast) == pytest.approx(oracle.brier(spikes, said), rel=1e-12)
    assert scores.log_loss(truth, forecast) == pytest.approx(
        oracle.log_loss(spikes, said, scores.LOG_LOSS_CLIP), rel=1e-9
    )


@settings(deadline=None)
@given(rows)
def test_ranking_scores_equal_scikit_learn(drawn):
    truth, forecast = columns(drawn)
    assert scores.pr_auc(truth, forecast) == pytest.approx(
        metrics.average_precision_score(truth, forecast), rel=1e-12
    )
    assert scores.roc_auc(truth, forecast) == pytest.approx(
        metrics.roc_auc_score(truth, forecast), rel=1e-12
    )


SCORES = [scores.pr_auc, scores.roc_auc, scores.lift, scores.base_rate, scores.brier]


@settings(deadline=None)
@given(rows, st.data())
@pytest.mark.parametrize("score", [*SCORES, scores.log_loss], ids=lambda score: score.name)
def test_a_weight_counts_a_row_as_often_as_it_would_stand_there(score, drawn, data):
    truth, forecast = columns(drawn)
    weight = np.array(
        data.draw(st.lists(st.integers(0, 3), min_size=len(truth), max_size=len(truth)))
    )
    weight[:2] = 1
    assert score.prepare(truth, forecast)(weight) == pytest.approx(
        score(truth.repeat(weight), forecast.repeat(weight)), rel=1e-12
    )


@settings(deadline=None)
@given(rows)
def test_ranking_scores_ask_for_the_order_only(drawn):
    truth, forecast = columns(drawn)
    for score in (scores.pr_auc, scores.roc_auc):
        assert score(truth, forecast) == score(truth, forecast * 8)


def test_a_forecast_that_says_one_thing_scores_the_base_rate():
    truth = np.array([0.0, 1.0, 0.0, 0.0])
    forecast = np.full(4, 0.3)
    assert scores.pr_auc(truth, forecast) == 0.25
    assert scores.base_rate(truth, forecast) == 0.25
    assert scores.lift(truth, forecast) == 1.0
    assert scores.roc_auc(truth, forecast) == 0.5


def test_ranking_without_a_spike_is_undefined_and_not_zero():
    for score in (scores.pr_auc, scores.roc_auc, scores.lift):
        assert isnan(score(np.zeros(3), np.array([0.1, 0.2, 0.3])))
    assert isnan(scores.roc_auc(np.ones(3), np.array([0.1, 0.2, 0.3])))


def test_a_wrong_certainty_costs_the_stated_clip():
    loss = scores.log_loss(np.array([1.0]), np.array([0.0]))
    assert loss == pytest.approx(-np.log(scores.LOG_LOSS_CLIP))


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(1e-6, 1e-3), st.floats(1e-6, 1e-3)), min_size=2))
def test_volatility_scores_are_best_for_the_truth_itself(drawn):
    truth, forecast = (np.array(column) for column in zip(*drawn, strict=True))
    assert scores.qlike(truth, truth) == 0
    assert scores.qlike(truth, forecast) >= 0
    assert scores.log_r2(truth, truth) == 1 or isnan(scores.log_r2(truth, truth))


def test_volatility_scores_equal_their_formulas():
    truth, forecast = np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 8.0])
    assert scores.qlike(truth, forecast) == pytest.approx(
        np.mean([0, 4 - np.log(4) - 1, 0.25 - np.log(0.25) - 1])
    )
    assert scores.log_r2(truth, forecast) == pytest.approx(1 - 2 / 2)


@pytest.mark.parametrize(
    ("score", "truth", "forecast", "why"),
    [
        (scores.pr_auc, [0.0, np.nan], [0.1, 0.2], "NaN"),
        (scores.pr_auc, [0.0, 1.0], [np.nan, 0.2], "NaN"),
        (scores.pr_auc, [0.0, 2.0], [0.1, 0.2], "neither 0 nor 1"),
        (scores.pr_auc, [0.0], [0.1, 0.2], "are not"),
        (scores.brier, [], [], "are not"),
        (scores.brier, [0.0, 1.0], [0.1, 1.2], "no probability"),
        (scores.qlike, [0.0, 1.0], [0.1, 0.2], "not positive"),
    ],
)
def test_rows_that_cannot_be_scored_are_refused(score, truth, forecast, why):
    with pytest.raises(BadInputError, match=why):
        score(np.array(truth), np.array(forecast))


@settings(deadline=None)
@given(rows, st.integers(1, 12))
def test_reliability_bins_hold_every_row_and_keep_equal_probabilities_together(drawn, bins):
    truth, probability = columns(drawn)
    table = scores.reliability(truth, probability, bins=bins)
    said = [b.mean_probability for b in table]
    edges = np.cumsum([0, *(b.rows for b in table)])[1:-1]
    ranked = np.sort(probability)
    assert (ranked[edges - 1] < ranked[edges]).all()
    assert len(table) <= bins
    assert sum(b.rows for b in table) == len(truth)
    assert sum(b.rows * b.frequency for b in table) == pytest.approx(truth.sum())
    np.testing.assert_allclose(said, np.sort(said), atol=1e-15)


def test_reliability_bins_of_distinct_probabilities_are_equal():
    rng = np.random.default_rng(1)
    probability = rng.random(1_000)
    truth = (rng.random(1_000) < probability).astype(float)
    table = scores.reliability(truth, probability)
    assert [b.rows for b in table] == [100] * 10
    assert scores.calibration_error(truth, probability) < 0.05
    assert scores.calibration_error(truth, probability**4) > 0.2


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=5), st.integers(1, 30), st.integers(0, 9))
def test_a_resample_is_made_of_whole_blocks_that_span_no_hole(lengths, block_s, seed):
    """Within a session the ends are joined, so each place starts as many blocks as any other."""
    session = np.repeat(np.arange(len(lengths)), lengths)
    second = np.arange(len(session)) + session * 10_000
    drawn = scores.resamples(second, session, block_s=block_s, count=3, seed=seed)
    for k in range(3):
        weight = drawn.weight(k)
        for s, length in enumerate(lengths):
            inside = weight[session == s]
            assert inside.sum() % min(length, block_s) == 0
            if length <= block_s:
                assert len(set(inside.tolist())) == 1


def test_every_row_is_expected_once_and_products_share_their_blocks():
    lengths = [5, 40, 200]
    session = np.repeat(np.arange(3), lengths)
    second = np.arange(245) + session * 1000
    drawn = scores.resamples(np.tile(second, 2), np.tile(session, 2), block_s=20, count=4_000)
    weight = np.array([drawn.weight(k) for k in range(4_000)])
    np.testing.assert_array_equal(weight[:, :245], weight[:, 245:])
    # 13 blocks are drawn for 12.0 (1 + 2 + 10 = 13 exactly): each row once on average.
    np.testing.assert_allclose(weight.mean(axis=0), 1, atol=0.08)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    rng = np.random.default_rng(5)
    truth, forecast = clustered(3_000, rng), rng.random(3_000)
    second, session = np.arange(3_000), np.zeros(3_000, np.int64)
    low = [
        scores.resampled(
            scores.pr_auc,
            truth,
            forecast,
            scores.resamples(second, session, count=50, seed=seed),
        )
        .interval()
        .low
        for seed in (1, 1, 2)
    ]
    assert low[0] == low[1] != low[2]


def test_resamples_without_a_spike_are_left_out_and_counted():
    truth = np.zeros(2_000)
    truth[:100] = 1
    drawn = scores.resamples(np.arange(2_000), np.zeros(2_000), block_s=200, count=300)
    interval = scores.resampled(scores.pr_auc, truth, np.linspace(0, 1, 2_000), drawn).interval()
    assert 20 < interval.undefined < 150
    assert interval.resamples == 300
    assert interval.low <= interval.high
    never = scores.resampled(scores.pr_auc, np.zeros(2_000), truth, drawn).interval()
    assert never.undefined == 300
    assert isnan(never.low)


def test_a_paired_difference_is_narrower_than_the_scores_and_needs_the_same_resamples():
    rng = np.random.default_rng(6)
    truth = clustered(6_000, rng)
    good = truth + rng.normal(size=6_000)
    better = good + 0.3 * truth
    second, session = np.arange(6_000), np.zeros(6_000)
    drawn = scores.resamples(second, session, count=300)
    a, b = (scores.resampled(scores.pr_auc, truth, f, drawn) for f in (better, good))
    gain = (a - b).interval()
    assert gain.low > 0
    assert gain.high - gain.low < 0.5 * (a.interval().high - a.interval().low)
    assert gain.estimate == a.estimate - b.estimate
    other = scores.resampled(
        scores.pr_auc, truth, good, scores.resamples(second, session, count=300)
    )
    with pytest.raises(BadInputError, match="resampled together"):
        _ = a - other


@pytest.mark.parametrize("wrong", [{"block_s": 0}, {"count": 0}])
def test_resamples_without_a_size_are_refused(wrong):
    with pytest.raises(BadInputError, match="resamples"):
        scores.resamples(np.arange(3), np.zeros(3), **wrong)
    with pytest.raises(BadInputError, match="resamples"):
        scores.resamples(np.array([], np.int64), np.array([], np.int64))


def autoregression(n, rng, phi=0.9):
    noise = rng.normal(size=n + 200)
    for k in range(1, len(noise)):
        noise[k] += phi * noise[k - 1]
    return noise[200:]


def coverage(block_s, trials=120, n=2_000):
    """How often a 95 % interval of the mean of an AR(1) of mean 0 holds the 0."""
    rng = np.random.default_rng(7)
    drawn = scores.resamples(np.arange(n), np.zeros(n), block_s=block_s, count=200)
    mean = scores.Score(
        name="mean", higher_is_better=True, prepare=lambda _, forecast: scores._mean(forecast)
    )
    held = 0
    for _ in range(trials):
        interval = scores.resampled(mean, np.zeros(n), autoregression(n, rng), drawn).interval()
        held += interval.low <= 0 <= interval.high
    return held / trials


def test_block_intervals_cover_an_autoregression_and_row_intervals_do_not():
    assert coverage(block_s=100) > 0.87
    assert coverage(block_s=1) < 0.5


def noise_market(hours, seed):
    """Rows of a market of constant volatility: nothing to predict, labels overlapping by 59/60."""
    rng = np.random.default_rng(seed)
    n = hours * 3600
    return_e9 = np.rint(rng.normal(scale=50_000, size=n)).astype(np.int64)
    second = np.arange(n, dtype=np.int64)
    label = labels.future_realized_vol(second, return_e9)
    squares = np.concatenate(([0], np.cumsum(return_e9**2)))
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


def test_a_market_of_noise_scores_its_base_rate_walking_forward_and_leaks_when_shuffled():
    second, features, label = noise_market(hours=5, seed=11)
    truth, forecast, where = [], [], []
    for fold in splits.walk_forward(second, splits.Plan(folds=3, embargo_s=300)):
        spike = labels.spikes(label, labels.tau(label[fold.train]))
        truth.append(spike[fold.test])
        forecast.append(neighbours(features, spike, fold.train, fold.test))
        where.append(second[fold.test])
    second_tested = np.concatenate(where)
    drawn = scores.resamples(second_tested, splits.sessions(second_tested, hole_s=60), count=200)
    above = [
        scores.resampled(score, np.concatenate(truth), np.concatenate(forecast), drawn)
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
        scores.resampled(
            scores.pr_auc,
            truth[rows],
            forecast[rows],
            scores.resamples(
                second[rows], splits.sessions(second[rows], hole_s=5), block_s=30, count=20
            ),
        ).interval()
        for rows in (np.arange(300), order)
    ]
    assert intervals[0] == intervals[1]
