"""Features relative to their regime: column by column, and in a graph as in training."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from barograph.learning.fitted import Fitted, Linear, Odds
from barograph.learning.relative import VOL_FLOOR, Ratio, Relative, log_above
from barograph.registry.model import OnnxModel

NAMES = ("a", "b", "c", "tau")


def naive(view, row):
    """Cell by cell."""
    cells = []
    for above, below, floor, floor_below in view.ratios:
        value = float(row[view.features.index(above)])
        if floor:
            value = math.log(max(abs(value), floor))
        if below:
            value -= math.log(max(abs(float(row[view.features.index(below)])), floor_below))
        cells.append(value)
    return cells


names, floors = st.sampled_from(NAMES), st.sampled_from([VOL_FLOOR, 1e-4, 0.05, 1.0])
ratios = st.builds(Ratio, names, st.just("") | names, st.just(0.0) | floors, floors)
hostile = st.sampled_from([0.0, -0.0, 1e-7, -1e-7, 1e-45, 3.4e38, 1.0, 5e-5])


@st.composite
def seen(draw):
    view = Relative.of(draw(st.lists(ratios, min_size=1, max_size=6)), *draw(st.sets(names)))
    elements = hostile | st.floats(width=32, allow_nan=False, allow_infinity=False)
    shape = (draw(st.integers(1, 5)), len(view.features))
    return view, draw(hnp.arrays(np.float32, shape, elements=elements))


@given(seen())
def test_each_cell_is_the_logarithm_of_one_over_that_of_the_other(drawn):
    view, x = drawn
    cells = view.apply(x)
    assert cells.dtype == np.float64
    assert np.allclose(cells, [naive(view, row) for row in x], rtol=1e-14, atol=1e-13)


@given(seen())
def test_a_graph_sees_what_training_saw(drawn):
    view, x = drawn
    # Scales bring each column among the numbers that a sigmoid tells apart.
    scale = 1.0 + np.abs(view.apply(x)).max(axis=0)
    weights = np.linspace(0.5, 1.5, len(scale))
    core = Linear(np.zeros(len(scale)), scale, weights, 0.1)
    fitted = Fitted("view", view.features, view, core, Odds())
    probability = OnnxModel(fitted.to_onnx(), len(view.features)).predict(x)
    assert np.abs(probability - fitted.predict(x)).max() < 1e-14


def test_it_asks_for_each_feature_once_in_the_order_of_the_ratios_and_then_for_the_others():
    view = Relative.of([Ratio("c", "tau"), Ratio("a"), Ratio("c", "a")], "tau", "b")
    assert view.features == ("c", "tau", "a", "b")


def test_what_does_not_move_counts_as_the_floor():
    logarithms = log_above(np.float32([0.0, -1e-9, -1.0]))
    assert logarithms == pytest.approx([math.log(VOL_FLOOR)] * 2 + [0.0], rel=1e-12)
