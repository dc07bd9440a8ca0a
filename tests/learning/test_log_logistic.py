"""The law around a regression, by maximum likelihood, against loops in obvious code."""

import math

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

from barograph.learning.examples import Examples, unweighted
from barograph.learning.fitted import Linear
from barograph.learning.log_logistic import law_around, log_ratio, most_likely
from barograph.learning.relative import Ratio, Relative
from barograph.registry.model import TAU


def simulated(seed, rows):
    """Rows whose location and log scale are known: 0.3 + 0.8 z₀ − 0.4 z₁ and −1 + 0.5 z₁."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1, (rows, 2))
    target = rng.logistic(0.3 + z @ [0.8, -0.4], np.exp(-1 + 0.5 * z[:, 1]))
    return z, target


def naive_cost(place, spread, target, weight, weights, bias, width_weights, width):
    """Row by row: minus the log density of the logistic law, and half the squares of weights."""
    costs = [0.5 * w * w for w in (*weights, *width_weights)]
    for beside, near, v, counts in zip(place, spread, target, weight, strict=True):
        scale = math.exp(width + math.fsum(near * width_weights))
        e = abs(v - bias - math.fsum(beside * weights)) / scale  # the density is even
        costs.append(counts * (e + 2 * math.log1p(math.exp(-e)) + math.log(scale)))
    return math.fsum(costs)


def test_known_parameters_are_found_again():
    z, target = simulated(1, 20_000)
    weights, bias, width_weights, width = most_likely(z, z[:, 1:], target, np.ones(len(z)))
    assert weights == pytest.approx([0.8, -0.4], abs=0.02)
    assert bias == pytest.approx(0.3, abs=0.02)
    assert width_weights == pytest.approx([0.5], abs=0.03)
    assert width == pytest.approx(-1, abs=0.03)


@given(st.integers(0, 2**32 - 1))
def test_no_step_from_what_was_found_costs_less(seed):
    z, target = simulated(seed, 60)
    weight = np.random.default_rng(seed).uniform(0.1, 2.0, 60)
    weights, bias, width_weights, width = most_likely(z, z[:, 1:], target, weight)

    def cost(*moved):
        return naive_cost(z, z[:, 1:], target, weight, *moved)

    least = cost(weights, bias, width_weights, width)
    for step in (-0.02, 0.02):
        assert cost(weights, bias + step, width_weights, width) > least
        assert cost(weights, bias, width_weights, width + step) > least
        assert cost(weights, bias, width_weights + step, width) > least
        for one in np.eye(2):
            assert cost(weights + step * one, bias, width_weights, width) > least


def test_the_slope_that_is_followed_is_that_of_the_cost(monkeypatch):
    """Against differences of the oracle's cost, at several places."""
    z, target = simulated(2, 80)
    weight = np.random.default_rng(2).uniform(0.1, 2.0, 80)
    followed = []
    minimize = scipy.optimize.minimize

    def watched(cost, *rest, **more):
        followed.append(cost)
        return minimize(cost, *rest, **more)

    monkeypatch.setattr(scipy.optimize, "minimize", watched)
    most_likely(z, z[:, 1:], target, weight)
    (cost,) = followed

    def oracle(p):
        return naive_cost(z, z[:, 1:], target, weight, p[1:3], p[0], p[4:], p[3])

    for place in np.random.default_rng(3).normal(0, 0.7, (5, 5)):
        value, slope = cost(place)
        assert value == pytest.approx(oracle(place), rel=1e-12)
        differences = [
            (oracle(place + 1e-5 * one) - oracle(place - 1e-5 * one)) / 2e-5 for one in np.eye(5)
        ]
        assert slope == pytest.approx(differences, rel=1e-6, abs=1e-6)


def test_a_weight_counts_as_so_many_rows():
    z, target = simulated(4, 200)
    weight = np.random.default_rng(4).integers(1, 4, 200)
    some = most_likely(z, z[:, :1], target, weight.astype(float))
    z, target = np.repeat(z, weight, axis=0), np.repeat(target, weight)
    many = most_likely(z, z[:, :1], target, np.ones(len(z)))
    for one, other in zip(some, many, strict=True):
        assert one == pytest.approx(other, abs=2e-4)


def test_targets_that_are_all_the_same_have_a_law_too():
    law = most_likely(np.zeros((9, 1)), np.zeros((9, 0)), np.full(9, -9.0), np.ones(9))
    assert law[1] == pytest.approx(-9.0)
    assert all(np.isfinite(part).all() for part in law)


@pytest.mark.parametrize("varies", [True, False])
def test_the_law_around_a_regression_knows_how_far_off_it_was(varies):
    rng = np.random.default_rng(5)
    short, long = rng.lognormal(-10, 0.5, (2, 20_000))
    view = Relative.of([Ratio("short", "long")], "long", TAU)
    x = np.column_stack([short, long, np.full_like(long, 1e-4)]).astype(np.float32)
    z = np.log(short / long)
    scale = np.exp(-1.2 + 0.4 * varies * z)
    outcome = long * np.exp(0.5 * z + rng.logistic(0, scale))
    part = Examples(x, outcome > 1e-4, outcome)
    core = Linear(np.zeros(1), np.ones(1), np.array([0.5]), 0.0)

    law = law_around(view, core, part, view.apply(part.x), ("long",), part.weight, varies=varies)

    assert (law.tau, law.base) == (view.features.index(TAU), view.places(["long"]))
    off = law.spread(view.apply(part.x)) - np.log(scale)
    assert np.abs(off).max() < 0.1
    if not varies:
        assert law.spread.weights.tolist() == [0.0]


def test_an_outcome_is_predicted_relative_to_its_base():
    view = Relative.of([Ratio("a")], "b")
    x = np.float32([[1, 2e-5]])
    part = Examples(x, np.array([True]), np.array([4e-5]))
    assert log_ratio(view, ("b",), part)[0] == pytest.approx(math.log(2), abs=1e-7)
    assert log_ratio(view, (), part)[0] == pytest.approx(math.log(4e-5), abs=1e-12)


def test_a_constant_column_is_silenced():
    core = unweighted(np.array([[0.1, 1.0, 0.0], [0.1, 3.0, 0.0], [0.1, 5.0, 0.0]]))
    assert core.mean == pytest.approx([0.1, 3.0, 0.0])
    assert core.scale == pytest.approx([np.inf, math.sqrt(8 / 3), np.inf])
