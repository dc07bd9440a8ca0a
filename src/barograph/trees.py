"""Boosted trees in the columns of ONNX's `TreeEnsemble`, whoever grew them."""

import math
from typing import Any

import numpy as np


class TreeTable:
    """Trees that go left where `x[feature] <= threshold`; the sum of their leaves is the score.

    Features are float32, thresholds and leaves float64: LightGBM and scikit-learn compare so, and
    so does ONNX, so nothing is rounded.
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
    def of_sklearn(cls, boosted: Any) -> "TreeTable":  # noqa: ANN401 - sklearn is not followed
        """All trees of a binary `GradientBoostingClassifier`, its first guess as one more leaf."""
        table = cls()
        rate = boosted.init_.class_prior_[1]
        table.add({"leaf_value": math.log(rate / (1 - rate))})
        for (tree,) in boosted.estimators_:
            table.add(_told(tree.tree_, boosted.learning_rate))
        return table

    def add(self, tree: dict[str, Any]) -> None:
        """Append a tree in the form of LightGBM's `dump_model`."""
        if "left_child" not in tree:  # a tree without a split still adds its one leaf
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

    def node(self, seen: str, raw: str) -> Any:  # noqa: ANN401 - onnx has no types
        """The node that sums the leaves: value `seen` float64 (n, m) → `raw` float64 (n, 1)."""
        from onnx import helper, numpy_helper  # noqa: PLC0415 - only who exports needs it

        return helper.make_node(
            "TreeEnsemble",
            [seen],
            [raw],
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


def _told(tree: Any, rate: float, node: int = 0) -> dict[str, Any]:  # noqa: ANN401
    """A tree of scikit-learn in the form of LightGBM's."""
    left, right = tree.children_left[node], tree.children_right[node]
    if left == right:  # both −1: a leaf
        return {"leaf_value": rate * float(tree.value[node, 0, 0])}
    return {
        "split_feature": int(tree.feature[node]),
        "threshold": float(tree.threshold[node]),
        "left_child": _told(tree, rate, left),
        "right_child": _told(tree, rate, right),
    }
