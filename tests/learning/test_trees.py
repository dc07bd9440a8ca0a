"""Trees as columns: each says what the library says that grew it."""

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.learning.onnx_graph import Graph
from barograph.learning.trees import TreeTable
from barograph.registry.model import OnnxModel
from model_kinds import needs_xgboost


def walked(table, row):
    """The sum of the leaves that a row reaches, step by step."""
    total = 0.0
    for root in table.roots:
        place = root
        while True:
            side = int(row[table.feature[place]] > table.threshold[place])
            leaf, child = table.child_is_leaf[side][place], table.child[side][place]
            if leaf:
                total += table.leaf[child]
                break
            place = child
    return total


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(3)
    x = rng.lognormal(0, 1, (600, 4)).astype(np.float32)
    x[:, 3] = np.round(x[:, 3])
    return x, (x[:, 0] * x[:, 1] + rng.normal(0, 0.5, 600) > 1.5).astype(int)


@pytest.mark.parametrize("objective", ["binary", "huber"])
def test_trees_of_lightgbm_say_what_it_says(rows, objective):
    x, y = rows
    booster = lightgbm.train(
        {"objective": objective, "verbosity": -1, "num_leaves": 7, "num_threads": 1},
        lightgbm.Dataset(x, y),
        num_boost_round=30,
    )
    table = TreeTable.of_lightgbm(booster)
    raw = booster.predict(x, raw_score=True)
    assert np.allclose(table.total(x), raw, rtol=0, atol=1e-12)
    assert len(table.roots) == 30


@needs_xgboost
@pytest.mark.parametrize("objective", ["binary:logistic", "reg:pseudohubererror"])
@pytest.mark.parametrize("base_score", [None, 0.3])
def test_trees_of_xgboost_say_what_it_says_as_far_as_float32_goes(rows, objective, base_score):
    import xgboost  # noqa: PLC0415 - an extra

    x, y = rows
    base = {} if base_score is None else {"base_score": base_score}
    booster = xgboost.train(
        {"objective": objective, "max_leaves": 7, "verbosity": 0, "nthread": 1} | base,
        xgboost.DMatrix(x, label=y),
        num_boost_round=30,
    )
    table = TreeTable.of_xgboost(booster)
    # Rows at its thresholds too, where `<` and `<=` part.
    at = np.repeat(x[: len(table.feature)], 2, axis=0)
    for i, feature in enumerate(table.feature[: len(x)]):
        below = np.float32(table.threshold[i])
        at[2 * i : 2 * i + 2, feature] = below, np.nextafter(below, np.float32(np.inf))
    x = np.concatenate([x, at])
    raw = booster.predict(xgboost.DMatrix(x), output_margin=True)
    assert np.allclose(table.total(x), raw, rtol=1e-6, atol=2e-6)
    assert len(table.roots) == 31


def branch(feature, threshold, left, right):
    node = {"split_feature": feature, "threshold": threshold}
    return node | {"left_child": left, "right_child": right}


values = st.sampled_from([-1.0, 0.0, 0.25, 1.0, 2.0])
leaves = st.floats(-3, 3).map(lambda value: {"leaf_value": value})
trees = st.recursive(
    leaves, lambda child: st.builds(branch, st.integers(0, 1), values, child, child), max_leaves=8
)


@given(st.lists(trees, min_size=1, max_size=5), st.lists(st.tuples(values, values), min_size=1))
def test_a_total_is_what_each_row_meets_step_by_step_in_the_graph_too(grown, rows):
    table, x = TreeTable(), np.array(rows, np.float32)
    for tree in grown:
        table.add(tree)
    expected = [walked(table, row) for row in x]

    assert table.total(x).tolist() == expected
    assert np.allclose(OnnxModel(graph(table, 2), 2).predict(x), expected, rtol=0, atol=1e-13)


def graph(table, width):
    """The sum of leaves, as it is."""
    made = Graph(width)
    total = table.node(made, made.wide())
    return made.finished("trees", made.add("Squeeze", total, made.constant(np.array([1]))))


def test_a_tree_without_a_split_is_its_one_leaf():
    table = TreeTable()
    table.add({"leaf_value": 0.75})
    assert table.total(np.zeros((2, 1), np.float32)).tolist() == [0.75, 0.75]
