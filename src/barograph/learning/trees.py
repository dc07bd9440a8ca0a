"""Boosted trees of any library, in the columns of ONNX's `TreeEnsemble`."""

import json
import math
from typing import Any

import numpy as np

from barograph.arrays import Bool, Float32, Float64, Int64
from barograph.compiled import compiled
from barograph.learning.onnx_graph import Graph


class TreeTable:
    """Trees that go left if `x[feature] <= threshold`; the sum of their leaves is the score.

    Features are float32, thresholds and leaves float64, as in LightGBM, scikit-learn and ONNX, so
    nothing is rounded.
    """

    def __init__(self) -> None:
        self.roots: list[int] = []
        self.feature: list[int] = []
        self.threshold: list[float] = []
        self.child: tuple[list[int], list[int]] = ([], [])
        self.child_is_leaf: tuple[list[int], list[int]] = ([], [])
        self.leaf: list[float] = []

    @classmethod
    def of_lightgbm(cls, booster: Any) -> "TreeTable":  # noqa: ANN401 - lightgbm has no types
        """All trees of a `Booster`."""
        table = cls()
        for tree in booster.dump_model()["tree_info"]:
            table.add(tree["tree_structure"])
        return table

    @classmethod
    def of_xgboost(cls, booster: Any) -> "TreeTable":  # noqa: ANN401 - untyped package
        """All trees of a `Booster`; its base score becomes one more leaf."""
        table = cls()
        model = json.loads(booster.save_raw("json"))["learner"]
        table.add({"leaf_value": _base_margin(model)})
        for tree in model["gradient_booster"]["model"]["trees"]:
            table.add(_xgboost_tree(tree))
        return table

    def add(self, tree: dict[str, Any]) -> None:
        """Append a tree in the form of LightGBM's `dump_model`."""
        if "left_child" not in tree:  # a single leaf becomes a split with two equal leaves
            tree = {"split_feature": 0, "threshold": 0.0, "left_child": tree, "right_child": tree}
        self.roots.append(self._branch(tree))

    def _branch(self, tree: dict[str, Any]) -> int:
        place = len(self.threshold)
        self.feature.append(tree["split_feature"])
        self.threshold.append(tree["threshold"])
        for side, name in enumerate(("left_child", "right_child")):
            is_leaf = "left_child" not in tree[name]
            self.child_is_leaf[side].append(int(is_leaf))
            self.child[side].append(len(self.leaf))
            if is_leaf:
                self.leaf.append(tree[name]["leaf_value"])
        for side, name in enumerate(("left_child", "right_child")):
            if not self.child_is_leaf[side][place]:
                self.child[side][place] = self._branch(tree[name])
        return place

    def total(self, x: Float32) -> Float64:
        """Sum of the leaves (n,) for inputs x (n, m), in float64."""
        return _total(
            np.ascontiguousarray(x, np.float32),
            np.array(self.roots, np.int64),
            np.array(self.feature, np.int64),
            np.array(self.threshold, np.float64),
            np.array(self.child, np.int64),
            np.array(self.child_is_leaf, np.bool_),
            np.array(self.leaf, np.float64),
        )

    def node(self, graph: Graph, seen: str) -> str:
        """Add the ensemble to a graph: `seen` float64 (n, m) → (n, 1) float64; return its name."""
        from onnx import numpy_helper  # noqa: PLC0415 - only who exports needs it

        return graph.add(
            "TreeEnsemble",
            seen,
            domain="ai.onnx.ml",
            n_targets=1,
            aggregate_function=1,  # sum
            post_transform=0,  # none
            tree_roots=self.roots,
            nodes_featureids=self.feature,
            nodes_splits=numpy_helper.from_array(np.array(self.threshold, np.float64)),
            nodes_modes=numpy_helper.from_array(np.zeros(len(self.threshold), np.uint8)),  # <=
            nodes_truenodeids=self.child[0],
            nodes_falsenodeids=self.child[1],
            nodes_trueleafs=self.child_is_leaf[0],
            nodes_falseleafs=self.child_is_leaf[1],
            leaf_targetids=[0] * len(self.leaf),
            leaf_weights=numpy_helper.from_array(np.array(self.leaf, np.float64)),
        )


@compiled
def _total(  # noqa: PLR0913 - the columns of a table
    x: Float32,
    roots: Int64,
    feature: Int64,
    threshold: Float64,
    child: Int64,
    is_leaf: Bool,
    leaf: Float64,
) -> Float64:
    total = np.zeros(len(x))
    for row in range(len(x)):
        for root in roots:
            place, side = root, 1 if x[row, feature[root]] > threshold[root] else 0
            while not is_leaf[side, place]:
                place = child[side, place]
                side = 1 if x[row, feature[place]] > threshold[place] else 0
            total[row] += leaf[child[side, place]]
    return total


def _xgboost_tree(tree: dict[str, Any], node: int = 0) -> dict[str, Any]:
    """A tree of xgboost in LightGBM's form; a leaf's value is in its split condition."""
    left, right = tree["left_children"][node], tree["right_children"][node]
    # xgboost writes float32 numbers in decimal.
    value = np.float32(tree["split_conditions"][node])
    if left == -1:
        return {"leaf_value": float(value)}
    return {
        "split_feature": tree["split_indices"][node],
        # xgboost goes left if x < t: for float32 x that is x <= the float32 below t.
        "threshold": float(np.nextafter(value, np.float32(-np.inf))),
        "left_child": _xgboost_tree(tree, left),
        "right_child": _xgboost_tree(tree, right),
    }


def _base_margin(learner: dict[str, Any]) -> float:
    """The base score in the unit of the leaves."""
    base_score = json.loads(learner["learner_model_param"]["base_score"])
    score = float(base_score[0] if isinstance(base_score, list) else base_score)
    if learner["objective"]["name"] == "binary:logistic":
        return math.log(score / (1 - score))
    return score
