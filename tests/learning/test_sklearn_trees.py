"""Trees of scikit-learn as columns: each says what the library says that grew it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from barograph.learning.sklearn_trees import boosted_table, grown_trees


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(3)
    x = rng.lognormal(0, 1, (600, 4)).astype(np.float32)
    x[:, 3] = np.round(x[:, 3])
    return x, (x[:, 0] * x[:, 1] + rng.normal(0, 0.5, 600) > 1.5).astype(int)


@pytest.mark.parametrize("depth", [1, 4])
def test_boosted_trees_say_what_scikit_learn_says_with_its_first_guess(rows, depth):
    x, y = rows
    boosted = GradientBoostingClassifier(
        n_estimators=30, max_depth=depth, subsample=0.5, random_state=1
    ).fit(x, y)
    table = boosted_table(boosted)
    assert np.allclose(table.total(x), boosted.decision_function(x), rtol=0, atol=1e-12)
    assert len(table.roots) == 31


@given(
    seed=st.integers(0, 2**31),
    leaves=st.integers(2, 30),
    share=st.sampled_from([1, 2, 3]),
)
@settings(deadline=None)
def test_every_kind_of_tree_says_what_scikit_learn_says(seed, leaves, share):
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(0, 1, (80, 3)), share).astype(np.float32)
    y = x[:, 0] + rng.normal(0, 0.5, 80)
    few = {"random_state": 1}
    for kind, odds in (
        (DecisionTreeClassifier(max_leaf_nodes=leaves, **few), False),
        (RandomForestClassifier(3, max_leaf_nodes=leaves, class_weight="balanced", **few), False),
        (ExtraTreesRegressor(3, max_leaf_nodes=leaves, **few), False),
        (GradientBoostingClassifier(n_estimators=3, init="zero", **few), True),
        (GradientBoostingRegressor(n_estimators=3, loss="huber", **few), False),
        (HistGradientBoostingClassifier(max_iter=3, max_leaf_nodes=leaves, **few), True),
        (HistGradientBoostingRegressor(max_iter=3, max_leaf_nodes=leaves, **few), False),
    ):
        classifies = type(kind).__name__.endswith("Classifier")
        fitted = kind.fit(x.astype(np.float64), (y > 0) if classifies else y)
        trees = grown_trees(fitted)
        says = (
            fitted.decision_function(x) if odds
            else fitted.predict_proba(x)[:, 1] if classifies
            else fitted.predict(x)
        )  # fmt: skip
        assert trees.odds == odds
        assert np.allclose(trees.table.total(x), says, rtol=0, atol=1e-12)


def test_what_a_sum_of_leaves_cannot_say_is_not_taken_for_one(rows):
    x, y = rows

    class Mine(RandomForestClassifier):
        """May compute anything."""

    few = {"random_state": 1}
    for odd in (
        Mine(3, **few),
        LogisticRegression(),
        GradientBoostingClassifier(n_estimators=2, init=LogisticRegression(), **few),
        GradientBoostingClassifier(n_estimators=2, loss="exponential", **few),
        HistGradientBoostingRegressor(max_iter=2, loss="poisson", **few),
        HistGradientBoostingClassifier(max_iter=2, categorical_features=[3], **few),
    ):
        assert grown_trees(odd.fit(x, y)) is None
