import math
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import feature_oracle
from barograph.cases.market import market_series
from barograph.errors import BadInputError, TooLittleDataError
from barograph.evaluation import labels
from cut_market import rows_of_a_market_with_a_cut

HORIZON_S = 5
values = st.one_of(st.just(math.nan), st.floats(0, 1), st.sampled_from([0.0, 1e-4]))
series = st.dictionaries(st.integers(1_700_000_000, 1_700_000_040), values, min_size=1)


def arrays(of):
    second = np.array(sorted(of), dtype=np.int64)
    return second, np.array([of[s] for s in second.tolist()])


@given(series)
def test_an_outcome_is_the_value_a_horizon_later_and_missing_where_there_is_none(of):
    second, value = arrays(of)
    expected = np.array([of.get(s + HORIZON_S, math.nan) for s in second.tolist()])
    outcome = labels.later(second, value, horizon_s=HORIZON_S)
    np.testing.assert_array_equal(outcome, expected)  # exact: the same numbers


@given(series, st.data())
def test_a_changed_future_changes_no_outcome_whose_horizon_ended_before_it(of, data):
    second, value = arrays(of)
    cut = data.draw(st.integers(0, len(second)))
    other = value.copy()
    other[cut:] = data.draw(st.floats(0, 1))
    before = labels.later(second, value, horizon_s=HORIZON_S)
    after = labels.later(second, other, horizon_s=HORIZON_S)
    past = (
        second + HORIZON_S < second[cut] if cut < len(second) else np.ones(len(second), dtype=bool)
    )
    assert before[past].tobytes() == after[past].tobytes()  # exact: the same numbers


@pytest.fixture(scope="module")
def rows():
    return rows_of_a_market_with_a_cut()


@pytest.mark.slow
@pytest.mark.parametrize("horizon_s", [10, 60, 300])
def test_the_outcome_of_the_market_is_the_volatility_of_the_seconds_to_come(rows, horizon_s):
    """To the bit: the integer window of the feature is the root mean square of the returns."""
    live = market_series(horizon_s)
    place = live.places[live.value_now]
    for product in ("BTC-USD", "ETH-USD"):
        of = {row.second: row for row in rows if row.product == product}
        vol = [math.nan if row.values[place] is None else row.values[place] for row in of.values()]
        outcome = labels.later(np.array([*of]), np.array(vol), horizon_s=horizon_s)
        return_e9_of = {second: row.return_e9 for second, row in of.items()}
        expected = [
            feature_oracle.future_realized_vol(return_e9_of, second, horizon_s) for second in of
        ]
        assert 0 <= sum(each is None for each in expected) - 2 * horizon_s < 200
        assert [None if math.isnan(each) else each for each in outcome.tolist()] == expected


@pytest.mark.parametrize("horizon_s", [0, -1])
def test_a_horizon_that_looks_nowhere_is_refused(horizon_s):
    with pytest.raises(BadInputError, match="horizon_s"):
        labels.later(np.arange(3), np.zeros(3), horizon_s=horizon_s)


def test_rows_of_two_products_or_out_of_order_are_refused():
    with pytest.raises(BadInputError, match="strictly increasing"):
        labels.later(np.array([1, 2, 2]), np.zeros(3), horizon_s=60)


def test_of_no_rows_there_are_no_outcomes():
    assert labels.later(np.empty(0, np.int64), np.empty(0), horizon_s=60).shape == (0,)


def test_a_missing_label_becomes_neither_calm_nor_spike():
    spike = labels.spikes(np.array([np.nan, 1.0, 2.0, 3.0]), 2.0)
    np.testing.assert_array_equal(spike, [np.nan, 0.0, 1.0, 1.0])  # exact: integer windows


@settings(deadline=None)
@given(st.lists(st.floats(1e-9, 1), min_size=10, max_size=50), st.integers(0, 5))
def test_tau_is_an_observed_label_with_at_least_its_quantile_at_or_below_it(values, missing):
    threshold = labels.tau(np.array(values + [np.nan] * missing), min_labels=10)
    assert threshold in values
    assert np.mean(np.array(values) <= threshold) >= 0.9


def test_tau_of_too_few_labels_is_refused_with_what_to_do():
    with pytest.raises(TooLittleDataError, match=r"have 599 known labels, need 600\. Record"):
        labels.tau(np.append(np.ones(599), [np.nan] * 50))


def test_a_market_that_does_not_move_has_no_tau():
    with pytest.raises(TooLittleDataError, match="labels above zero"):
        labels.tau(np.zeros(1000))


@settings(deadline=None)
@given(st.sets(st.integers(0, 200)), st.randoms(use_true_random=True))
def test_episodes_equal_the_oracle_for_pooled_rows_in_any_order(spike_seconds, random):
    rows = [(s, float(s in spike_seconds)) for s in range(200)] * 2 + [(50, np.nan)]
    random.shuffle(rows)
    second, spike = (np.array(column) for column in zip(*rows, strict=True))
    comp = labels.episodes(second, spike, horizon_s=20)
    assert comp.tolist() == feature_oracle.episodes(spike_seconds - {200}, 20)


def test_spikes_of_one_horizon_apart_are_two_episodes_and_nearer_ones_are_one():
    second = np.array([0, 59, 119])
    assert labels.episodes(second, np.ones(3)).tolist() == [[0, 59], [119, 119]]


@given(st.sets(st.integers(0, 200), max_size=100), st.integers(1, 30))
def test_row_by_row_those_come_due_that_have_a_later_row(seconds, horizon_s):
    second = np.array(sorted(seconds), np.int64)
    waiting, due = deque(), 0
    for each in second.tolist():
        due += labels.came_due(waiting, each - horizon_s)
        waiting.append(each)
    assert due == np.isfinite(labels.later(second, np.ones(len(second)), horizon_s=horizon_s)).sum()


@pytest.mark.parametrize(("horizon_s", "least"), [(10, 600), (60, 600), (300, 3000)])
def test_a_threshold_rests_on_ten_independent_labels(horizon_s, least):
    assert labels.least_labels(horizon_s) == least


repeated = st.lists(st.tuples(st.floats(0, 1), st.integers(1, 9)), min_size=1, max_size=60)


@given(repeated, st.floats(0.01, 0.99))
def test_tau_of_labels_that_stand_for_others_is_that_of_all_of_them(of, quantile):
    value, times = (np.array(column) for column in zip(*of, strict=True))
    value += 1e-6
    every = np.repeat(value, times)
    tau = labels.tau(value, quantile=quantile, min_labels=1, stands_for=times)
    assert tau == labels.tau(every, quantile=quantile, min_labels=1)
    same = labels.tau(every, quantile=quantile, min_labels=1, stands_for=np.ones_like(every, int))
    assert same == tau


def test_labels_count_for_as_many_as_they_stand_for_and_missing_ones_for_none():
    label, times = np.array([1.0, math.nan, 3.0]), np.array([3, 90, 2])
    assert labels.tau(label, min_labels=5, stands_for=times) == 3.0
    with pytest.raises(TooLittleDataError, match="have 5 known labels, need 6"):
        labels.tau(label, min_labels=6, stands_for=times)
