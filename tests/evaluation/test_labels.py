import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import feature_oracle
from barograph.codec import NAT
from barograph.errors import BadInputError, TooLittleDataError
from barograph.evaluation import labels

HORIZON_S = 5
returns = st.one_of(st.none(), st.integers(-(10**8), 10**8), st.integers(-3, 3))
markets = st.dictionaries(st.integers(1_700_000_000, 1_700_000_040), returns, min_size=1)


def arrays(market):
    second = np.array(sorted(market), dtype=np.int64)
    return_e9 = [NAT if market[s] is None else market[s] for s in second.tolist()]
    return second, np.array(return_e9, dtype=np.int64)


@settings(deadline=None)
@given(markets)
def test_a_label_equals_the_oracle_to_the_bit_and_is_missing_where_the_oracle_has_none(market):
    second, return_e9 = arrays(market)
    ref = [feature_oracle.future_realized_vol(market, s, HORIZON_S) for s in second.tolist()]
    ref = np.array([np.nan if v is None else v for v in ref])
    comp = labels.future_realized_vol(second, return_e9, horizon_s=HORIZON_S)
    assert comp.tobytes() == ref.tobytes()  # exact: integer windows


@settings(deadline=None)
@given(markets, st.data())
def test_a_changed_future_changes_no_label_whose_horizon_ended_before_it(market, data):
    second, return_e9 = arrays(market)
    cut = data.draw(st.integers(0, len(second)))
    other = return_e9.copy()
    other[cut:] = data.draw(st.integers(-(10**8), 10**8))
    before = labels.future_realized_vol(second, return_e9, horizon_s=HORIZON_S)
    after = labels.future_realized_vol(second, other, horizon_s=HORIZON_S)
    past = (
        second + HORIZON_S < second[cut] if cut < len(second) else np.ones(len(second), dtype=bool)
    )
    assert before[past].tobytes() == after[past].tobytes()  # exact: integer windows


@settings(deadline=None)
@given(st.integers(0, 10**8), st.integers(1, 900))
def test_the_largest_returns_over_the_longest_horizons_overflow_nothing(return_e9, horizon_s):
    second = np.arange(2_000, dtype=np.int64)
    label = labels.future_realized_vol(
        second, np.full(2_000, return_e9, dtype=np.int64), horizon_s=horizon_s
    )
    assert np.isnan(label[-horizon_s:]).all()
    np.testing.assert_allclose(label[:-horizon_s], return_e9 * 1e-9, rtol=1e-15)


def test_a_label_is_the_trailing_volatility_of_the_second_one_horizon_later():
    rng = np.random.default_rng(3)
    return_e9 = rng.integers(-90_000, 90_000, 500)
    label = labels.future_realized_vol(np.arange(500), return_e9)
    for s in range(440):
        squares = np.sum(return_e9[s + 1 : s + 61] ** 2)
        assert label[s] == np.sqrt(float(squares) / 60) * 1e-9  # exact: integer windows


@pytest.mark.parametrize("horizon_s", [0, 901])
def test_a_horizon_that_could_overflow_is_refused(horizon_s):
    with pytest.raises(BadInputError, match="horizon_s"):
        labels.future_realized_vol(np.arange(3), np.zeros(3, np.int64), horizon_s=horizon_s)


def test_rows_of_two_products_or_out_of_order_are_refused():
    with pytest.raises(BadInputError, match="rise strictly"):
        labels.future_realized_vol(np.array([1, 2, 2]), np.zeros(3, np.int64))


def test_a_return_beyond_the_range_is_refused_and_an_unknown_one_is_not():
    return_e9 = np.array([NAT, 10**8 + 1])
    with pytest.raises(BadInputError, match="beyond"):
        labels.future_realized_vol(np.array([1, 2]), return_e9)


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
    with pytest.raises(TooLittleDataError, match="labels that move"):
        labels.tau(np.zeros(1000))


@settings(deadline=None)
@given(st.sets(st.integers(0, 200)), st.randoms())
def test_episodes_equal_the_oracle_for_pooled_rows_in_any_order(spike_seconds, random):
    rows = [(s, float(s in spike_seconds)) for s in range(200)] * 2 + [(50, np.nan)]
    random.shuffle(rows)
    second, spike = (np.array(column) for column in zip(*rows, strict=True))
    comp = labels.episodes(second, spike, horizon_s=20)
    assert comp.tolist() == feature_oracle.episodes(spike_seconds - {200}, 20)


def test_spikes_of_one_horizon_apart_are_two_episodes_and_nearer_ones_are_one():
    second = np.array([0, 59, 119])
    assert labels.episodes(second, np.ones(3)).tolist() == [[0, 59], [119, 119]]
