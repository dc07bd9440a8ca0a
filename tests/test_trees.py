"""Trees as columns: each says what the library says that grew it."""

import lightgbm
import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from barograph.trees import TreeTable


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


def test_trees_of_lightgbm_say_what_it_says(rows):
    x, y = rows
    booster = lightgbm.train(
        {"objective": "binary", "verbosity": -1, "num_leaves": 7, "num_threads": 1},
        lightgbm.Dataset(x, y),
        num_boost_round=30,
    )
    table = TreeTable.of_lightgbm(booster)
    told = [walked(table, row) for row in x]
    assert np.allclose(told, booster.predict(x, raw_score=True), rtol=0, atol=1e-12)
    assert len(table.roots) == 30


@pytest.mark.parametrize("depth", [1, 4])
def test_trees_of_scikit_learn_say_what_it_says_with_its_first_guess(rows, depth):
    x, y = rows
    boosted = GradientBoostingClassifier(
        n_estimators=30, max_depth=depth, subsample=0.5, random_state=1
    ).fit(x, y)
    table = TreeTable.of_sklearn(boosted)
    told = [walked(table, row) for row in x]
    assert np.allclose(told, boosted.decision_function(x), rtol=0, atol=1e-12)
    assert len(table.roots) == 31


def test_a_tree_without_a_split_is_its_one_leaf():
    table = TreeTable()
    table.add({"leaf_value": 0.75})
    assert walked(table, np.zeros(1, np.float32)) == 0.75
