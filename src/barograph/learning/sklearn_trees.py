"""Trees grown by scikit-learn, in the columns of ONNX's `TreeEnsemble`.

What scikit-learn adds up is added up here: of boosted classifiers log-odds, of forests and single
trees the probability of the positive class, of regressors their value. Thresholds and leaves stay
float64, as they are in scikit-learn.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from barograph.arrays import Bool, Float64, Int64
from barograph.learning.trees import TreeTable


class GrownTrees(NamedTuple):
    """Trees as columns, and how scikit-learn looks at their inputs.

    narrow: whether inputs are rounded to float32 before they are compared; odds: whether the sum of
    the leaves is a classifier's log-odds.
    """

    table: TreeTable
    narrow: bool
    odds: bool


def grown_trees(fitted: Any) -> GrownTrees | None:  # noqa: ANN401 - untyped package
    """The trees of a fitted binary classifier or of a regressor; None if it is not of trees.

    Single trees, forests, extremely randomised trees and both kinds of gradient boosting. Classes
    are told by their names: what derives from one of them may compute something else.
    """
    package, kind = type(fitted).__module__.split(".")[0], type(fitted).__name__
    if package != "sklearn":
        return None
    odds = kind.endswith("Classifier")
    name = kind.removesuffix("Classifier").removesuffix("Regressor")
    if name in _SINGLE:
        return GrownTrees(_averaged([fitted]), narrow=True, odds=False)
    if name in _FORESTS:
        return GrownTrees(_averaged(fitted.estimators_), narrow=True, odds=False)
    if name == "GradientBoosting" and _first_guess(fitted) is not None:
        return GrownTrees(boosted_table(fitted), narrow=True, odds=odds)
    if name == "HistGradientBoosting" and _plain(fitted):
        return GrownTrees(_binned_table(fitted), narrow=False, odds=odds)
    return None


_SINGLE = {"DecisionTree", "ExtraTree"}
_FORESTS = {"RandomForest", "ExtraTrees"}
_LOG_LINKS = {"poisson", "gamma"}


def boosted_table(boosted: Any) -> TreeTable:  # noqa: ANN401 - untyped package
    """All trees of a binary `GradientBoosting`; its first guess becomes one more leaf."""
    table = TreeTable()
    table.add({"leaf_value": _first_guess(boosted)})
    for (tree,) in boosted.estimators_:
        _add(table, tree.tree_, tree.tree_.value[:, 0, 0] * boosted.learning_rate)
    return table


def _averaged(trees: Any) -> TreeTable:  # noqa: ANN401 - untyped package
    """The mean of single trees: of classifiers the probability of the last class."""
    table = TreeTable()
    for tree in trees:
        value = tree.tree_.value[:, 0, :]
        if hasattr(tree, "classes_"):
            value = value[:, -1:] / value.sum(axis=1, keepdims=True)
        _add(table, tree.tree_, value[:, 0] / len(trees))
    return table


def _binned_table(boosted: Any) -> TreeTable:  # noqa: ANN401 - untyped package
    """All trees of a binary `HistGradientBoosting`, whose leaves hold its learning rate."""
    table = TreeTable()
    table.add({"leaf_value": float(boosted._baseline_prediction.item())})  # noqa: SLF001 - none other
    for (tree,) in boosted._predictors:  # noqa: SLF001 - none other
        nodes = tree.nodes
        left, right = (
            np.where(nodes["is_leaf"] != 0, -1, nodes[side].astype(np.int64))
            for side in ("left", "right")
        )
        _append(table, nodes["feature_idx"], nodes["num_threshold"], left, right, nodes["value"])
    return table


def _plain(boosted: Any) -> bool:  # noqa: ANN401 - untyped package
    """Whether the trees of a `HistGradientBoosting` split numbers, and their sum is what counts."""
    return boosted.is_categorical_ is None and boosted.loss not in _LOG_LINKS


def _first_guess(boosted: Any) -> float | None:  # noqa: ANN401 - untyped package
    """What a `GradientBoosting` starts from; None where that depends on the inputs."""
    start = boosted.init_
    if start == "zero":
        return 0.0
    if type(start).__name__ == "DummyRegressor":
        return float(start.constant_.item())
    if type(start).__name__ == "DummyClassifier" and boosted.loss == "log_loss":
        rate = float(start.class_prior_[-1])
        return math.log(rate / (1 - rate))
    return None


def _add(table: TreeTable, tree: Any, value: Float64) -> None:  # noqa: ANN401 - untyped package
    _append(table, tree.feature, tree.threshold, tree.children_left, tree.children_right, value)


def _append(  # noqa: PLR0913 - the columns of a tree
    table: TreeTable,
    feature: Int64,
    threshold: Float64,
    left: Int64,
    right: Int64,
    value: Float64,
) -> None:
    """Append a tree of columns (n,), in its order of nodes; left, right: −1 in a leaf."""
    is_leaf: Bool = np.asarray(left) < 0
    if is_leaf[0]:
        table.add({"leaf_value": float(value[0])})
        return
    inner = np.flatnonzero(~is_leaf)
    # Leaves and splits are counted apart.
    place = np.where(
        is_leaf,
        np.cumsum(is_leaf) - 1 + len(table.leaf),
        np.cumsum(~is_leaf) - 1 + len(table.threshold),
    )
    table.roots.append(len(table.threshold))
    table.feature += np.asarray(feature)[inner].tolist()
    table.threshold += np.asarray(threshold)[inner].tolist()
    for side, children in enumerate((left[inner], right[inner])):
        table.child[side].extend(place[children].tolist())
        table.child_is_leaf[side].extend(is_leaf[children].astype(np.int64).tolist())
    table.leaf += np.asarray(value)[is_leaf].tolist()
