"""Trained models as views, cores and heads: the laws that their probabilities keep."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.learning.fitted import AsGiven, Fitted, Linear, LogLogistic, Odds, Trees, sigmoid
from barograph.learning.relative import Ratio, Relative
from barograph.learning.trees import TreeTable
from barograph.registry.model import TAU, OnnxModel
from handmade_models import linear

VIEW = Relative.of([Ratio("short", "long")], "long", TAU)
FEATURES = ("short", "long", TAU)


def line(weight, bias):
    """Of one column, not standardised."""
    return Linear(np.zeros(1), np.ones(1), np.array([weight]), bias)


def regression(base=(1,)):
    """A law around ln base + 0.6 ln(short / long) − 0.1, without a base around −9 in its place."""
    bias = -0.1 if base else -9.0
    law = LogLogistic(tau=2, spread=line(0.2, -0.8), base=base)
    return Fitted("law", FEATURES, VIEW, line(0.6, bias), law)


vols = st.floats(2**-20, 2**-7, width=32)
bases = st.sampled_from([(), (0,), (1,), (0, 1)])
rows = st.lists(st.tuples(vols, vols, vols), min_size=1, max_size=8).map(np.float32)


@given(rows)
def test_a_probability_is_what_the_logistic_law_leaves_above_tau(x):
    short, long, tau = np.log(x.astype(np.float64)).T
    location = long + 0.6 * (short - long) - 0.1
    scale = np.exp(0.2 * (short - long) - 0.8)
    for one, place, width, reached in zip(x, location, scale, tau, strict=True):
        z = min(max((reached - place) / width, -30), 30)
        below = 1 / (1 + math.exp(-z))
        assert regression().predict(one[None, :])[0] == pytest.approx(1 - below, abs=1e-13)


@given(rows, st.lists(vols, min_size=2, max_size=20, unique=True))
def test_a_higher_tau_is_never_likelier(x, taus):
    x = np.repeat(x[:1], len(taus), axis=0)
    x[:, 2] = np.sort(taus)
    fitted = regression()
    assert (np.diff(fitted.predict(x)) <= 0).all()
    z = fitted.z(x)
    assert (np.diff(z)[np.abs(z[1:]) < 30] < 0).all()


@given(rows, bases)
def test_both_outputs_at_once_are_those_one_by_one(x, base):
    fitted = replace(regression(base), slope=1.2, bias=-0.1)
    z, volatility = fitted.both(x)
    assert z.tolist() == fitted.z(x).tolist()  # exact: the same computation
    assert volatility.tolist() == fitted.volatility(x).tolist()  # exact: the same computation
    assert (
        fitted.calibrated(z).tolist() == fitted.predict(x).tolist()
    )  # exact: the same computation


@given(rows, bases)
def test_the_forecast_is_the_median(x, base):
    fitted = regression(base)
    forecast = fitted.volatility(x)
    at = x.copy()
    at[:, 2] = forecast
    # tau is rounded to float32, and a narrow law is steep.
    steepness = np.exp(-0.2 * VIEW.apply(x)[:, 0] + 0.8)
    assert (np.abs(fitted.z(at)) <= 1e-7 * steepness)[forecast > 1e-7].all()


def test_a_calibration_moves_probabilities_and_no_forecast():
    x = np.float32([[1e-4, 2e-4, 1e-4]])
    plain = regression()
    moved = replace(plain, slope=0.5, bias=-1.0)
    assert moved.predict(x) == pytest.approx(sigmoid(0.5 * plain.z(x) - 1.0), abs=1e-15)
    # exact: the same formula on the same row
    assert moved.volatility(x).tobytes() == plain.volatility(x).tobytes()


@given(rows, bases)
def test_a_graph_has_the_law_in_it(x, base):
    fitted = regression(base)
    probability = OnnxModel(fitted.to_onnx(), 3).predict(x)
    assert np.abs(probability - fitted.predict(x)).max() < 1e-13


def test_trees_compare_what_is_seen_in_float32_in_the_graph_too():
    """A logarithm that rounds down onto a threshold goes left; in float64 it would go right."""
    x = np.random.default_rng(1).lognormal(-10, 1, (200, 3)).astype(np.float32)
    table, exact = TreeTable(), VIEW.apply(x)[:, 0]
    for mark in exact.astype(np.float32):
        leaves = {"left_child": {"leaf_value": 0.0}, "right_child": {"leaf_value": 1.0}}
        table.add({"split_feature": 0, "threshold": float(mark)} | leaves)
    fitted = Fitted("trees", FEATURES, VIEW, Trees(table.total, table), Odds(), 0.1)

    assert (exact > exact.astype(np.float32)).any()
    probability = OnnxModel(fitted.to_onnx(), 3).predict(x)
    assert np.abs(probability - fitted.predict(x)).max() < 1e-13


def test_a_classifier_has_a_forecast_where_a_feature_stands_for_it():
    x = np.float32([[1, 7], [2, 8]])
    core = Linear(np.zeros(2), np.ones(2), np.ones(2), 0.0)
    persistent = Fitted("p", ("a", "b"), AsGiven(), core, Odds(volatility=(1,)))
    assert persistent.volatility(x).tolist() == [7, 8]  # exact: a feature, passed on
    assert linear(("a", "b"), [1.0, 1.0]).volatility(x) is None


def test_what_is_far_out_is_cut_and_what_never_moved_counts_nothing():
    core = Linear(np.array([1.0, 5.0]), np.array([2.0, np.inf]), np.array([0.5, 9.0]), 0.25, 3.0)
    seen = np.array([[3.0, 5.0], [1e30, -1e30], [-1e30, 0.0]])
    assert core(seen).tolist() == [0.75, 1.75, -1.25]


@given(st.floats(-1e6, 1e6))
def test_a_probability_is_exact_on_both_sides(z):
    probability, other = sigmoid(np.array([z, -z]))
    assert 0 <= probability <= 1
    assert probability + other == pytest.approx(1, abs=1e-15)
    if z < -1:
        assert probability == pytest.approx(math.exp(z) / (1 + math.exp(z)), rel=1e-12)
