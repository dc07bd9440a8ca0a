"""Calibration keeps order, costs no more than none, and counts weights as rows."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from barograph.learning.calibration import platt


def test_few_rows_leave_what_models_say_nearly_as_it_is_and_many_set_it_right():
    rng = np.random.default_rng(2)
    raw = rng.normal(-2, 1.5, 20_000)
    truth = rng.random(20_000) < 1 / (1 + np.exp(-(0.6 * raw - 0.8)))
    one = np.ones(len(raw))

    slope, bias = platt(raw[:20], truth[:20], one[:20])
    assert abs(slope - 1) < 0.1
    assert abs(bias) < 0.2
    slope, bias = platt(raw, truth, one)
    assert abs(slope - 0.6) < 0.05
    assert abs(bias + 0.8) < 0.1


def test_however_many_rows_say_so_a_ranking_is_not_turned_round():
    raw = np.repeat([-2.0, 2.0], 10_000)
    slope, _ = platt(raw, raw < 0, np.ones(len(raw)))
    assert 0 < slope < 0.01


def test_rows_of_one_kind_change_little_and_no_rows_nothing():
    raw = np.linspace(-4, 0, 20)
    slope, bias = platt(raw, np.zeros(20, np.bool_), np.ones(20))
    assert abs(slope - 1) < 0.1
    assert abs(bias) < 0.3
    # exact: where it begins
    assert platt(np.empty(0), np.empty(0, np.bool_), np.empty(0)) == (1.0, 0.0)


scored = st.lists(
    st.tuples(st.floats(-30, 30), st.booleans(), st.integers(1, 4)), min_size=1, max_size=30
)


@given(scored, st.sampled_from([1 / 60, 1.0, 1000.0]))
@example([(20.0, False, 1), (-20.0, True, 1), (-30.0, False, 4), (5.0, True, 2)], 1000.0)
def test_a_calibration_keeps_the_order_and_costs_no_more_than_none(rows, times):
    raw, y, weight = (np.array(column) for column in zip(*rows, strict=True))
    weight = weight * times
    slope, bias = platt(raw, y, weight)

    def loss(z):
        return np.logaddexp(0.0, np.where(y, -z, z)) @ weight

    assert slope > 0
    if slope > 1e-3:  # else it was kept from turning the order round
        assert loss(slope * raw + bias) <= loss(raw) * (1 + 1e-12) + 1e-9


@given(scored)
def test_a_weight_counts_as_so_many_rows(rows):
    raw, y, weight = (np.array(column) for column in zip(*rows, strict=True))
    many = (np.repeat(raw, weight), np.repeat(y, weight), np.ones(weight.sum()))
    assert platt(raw, y, weight.astype(float)) == pytest.approx(platt(*many), abs=1e-6)
