"""Categories as zeros and ones, in training and in the graph of a model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from barograph.errors import RegistryError
from barograph.learning.candidates import (
    Boosting,
    BoostingStages,
    Slices,
    gradient_boosting,
    lightgbm,
    logistic,
)
from barograph.learning.encoding import Encoding
from barograph.learning.examples import Examples
from barograph.learning.onnx_graph import Graph
from barograph.learning.trees import TreeTable
from barograph.registry.model import OnnxModel, export
from handmade_models import linear


def naive(x, categories):
    """Cell by cell."""
    rows = []
    for row in x:
        cells = []
        for value, count in zip(row, categories, strict=True):
            cells += [float(value == code) for code in range(count)] if count else [value]
        rows.append(cells)
    return np.array(rows, np.float32)


categories = st.lists(st.integers(0, 4), min_size=1, max_size=5)


@st.composite
def encoded(draw):
    counts = draw(categories)
    codes = st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, -1.0, 0.5])
    elements = codes | st.floats(width=32, allow_nan=False, allow_infinity=False)
    shape = (draw(st.integers(1, 6)), len(counts))
    return counts, draw(hnp.arrays(np.float32, shape, elements=elements))


@given(encoded())
def test_a_number_stays_and_a_category_becomes_a_one_among_zeros(drawn):
    counts, x = drawn
    columns = Encoding.of(counts).apply(x)
    assert columns.dtype == np.float32
    assert columns.flags.c_contiguous
    # exact: numbers, passed on, and ones and zeros
    assert columns.tobytes() == naive(x, counts).tobytes()


def test_a_code_that_is_none_is_zero_everywhere():
    columns = Encoding.of([3, 0]).apply(np.array([[3, 7], [-1, 7], [0.5, 7]], np.float32))
    assert columns.tolist() == [[0, 0, 0, 7]] * 3


@pytest.mark.parametrize("counts", [[], [0], [2], [0, 3, 0]])
def test_it_is_as_wide_as_its_categories_and_numbers(counts):
    encoding = Encoding.of(counts)
    width = sum(count or 1 for count in counts)
    assert encoding.apply(np.zeros((4, len(counts)), np.float32)).shape == (4, width)
    assert encoding.numbers.sum() == counts.count(0)


ENCODED = Encoding.of([3, 0, 2, 0, 4])
FEATURES = tuple(f"g{i}" for i in range(5))
CANDIDATES = {
    "logistic": logistic(FEATURES, repeats=1, view=ENCODED),
    "gradient_boosting": gradient_boosting(
        FEATURES, BoostingStages(rounds=80), repeats=1, view=ENCODED
    ),
    "lightgbm": lightgbm(
        FEATURES, Boosting(rounds=80, least_rows_in_leaf=20, threads=1), repeats=1, view=ENCODED
    ),
}


def mixed(seed: int, rows: int = 1500) -> Examples:
    rng = np.random.default_rng(seed)
    x = rng.lognormal(0, 1, (rows, 5)).astype(np.float32)
    for column, count in ((0, 3), (2, 2), (4, 4)):
        x[:, column] = rng.integers(0, count, rows)
    score = x[:, 1] * (1 + (x[:, 0] == 2)) * (1 + 2 * (x[:, 4] == 1)) * rng.lognormal(0, 0.5, rows)
    return Examples(x, score > np.quantile(score, 0.7))


@pytest.fixture(scope="module", params=CANDIDATES)
def categorical(request):
    candidate = CANDIDATES[request.param]
    whole, one, other = (mixed(seed) for seed in range(3))
    fitted = candidate.fit(Slices(whole, ((one, other), (other, one))), seed=1)
    return fitted, OnnxModel(fitted.to_onnx(), 5)


codes = st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, -1.0, 0.5])


@pytest.mark.slow
@given(
    x=hnp.arrays(
        np.float32,
        (5, 5),
        elements=codes | st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
@settings(max_examples=60, deadline=None)
def test_categories_are_encoded_inside_the_graph_as_in_training(categorical, x):
    fitted, graph = categorical
    assert np.abs(graph.predict(x) - fitted.predict(x)).max() < 1e-12


@pytest.mark.slow
def test_a_graph_with_categories_takes_them_as_they_are_and_is_proven_on_rows(categorical):
    fitted, _ = categorical
    x = mixed(11).x
    probability = OnnxModel(export(fitted, x), len(fitted.features)).predict(x)
    assert np.abs(probability - fitted.predict(x)).max() < 1e-12
    assert probability.std() > 0.1


def test_an_unknown_category_counts_as_none_of_the_known(categorical):
    fitted, graph = categorical
    known, unknown = np.zeros((2, 1, 5), np.float32)
    unknown[0, 0] = 7
    assert graph.predict(unknown) == pytest.approx(fitted.predict(unknown), abs=1e-12)
    assert np.isfinite(graph.predict(unknown)).all()
    assert graph.predict(known) != graph.predict(unknown)  # exact: they differ


def test_a_tree_may_ask_for_every_encoded_column_and_for_none_beyond():
    table = TreeTable()
    for feature in range(11):
        leaves = {"left_child": {"leaf_value": 0.0}, "right_child": {"leaf_value": 1.0}}
        table.add({"split_feature": feature, "threshold": 0.5} | leaves)
    # exact: a sum of small integers
    assert OnnxModel(encoded_trees(table), 5).predict(np.zeros((1, 5), np.float32)).tolist() == [3]
    table.feature[-1] = 11
    with pytest.raises(RegistryError, match="a feature beyond its 11"):
        OnnxModel(encoded_trees(table), 5)


def encoded_trees(table):
    graph = Graph(5)
    total = table.node(graph, ENCODED.nodes(graph, graph.wide()))
    return graph.finished("wide", graph.add("Squeeze", total, graph.constant(np.array([1]))))


def test_a_graph_that_cannot_be_run_is_refused():
    beyond = Encoding(np.array([0, 9]), np.array([np.nan, np.nan]))
    with pytest.raises(RegistryError, match="ONNX Runtime refuses it"):
        OnnxModel(linear(("a", "b"), [1.0, 1.0], view=beyond).to_onnx(), 2)
