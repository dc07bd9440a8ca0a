"""Boosted trees by LightGBM, XGBoost and scikit-learn, as classifiers and as regressions."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from barograph.arrays import Float32, Float64
from barograph.learning import sklearn_trees
from barograph.learning.examples import Examples, Learner, both_kinds, uncalibrated
from barograph.learning.fitted import Fitted, Odds, Seen, Trees, View
from barograph.learning.log_logistic import law_around, log_ratio
from barograph.learning.relative import Base, Relative
from barograph.learning.trees import TreeTable

Boosted = Callable[[Seen, Float64, Float64, int], Trees]
"""(inputs (n, m), target (n,), weight (n,), seed) → trees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boosting:
    """Hyperparameters of LightGBM and XGBoost: `rounds` trees of at most `leaves` leaves each.

    `bins` is the most values of a column that trees tell apart; each tree is grown on `row_share`
    of the rows.

    >>> bg.candidates.Boosting(rounds=50).parameters()["rounds"]
    50
    """

    rounds: int = 120
    learning_rate: float = 0.04
    leaves: int = 12
    least_rows_in_leaf: int = 120
    l2: float = 10.0
    feature_share: float = 0.7
    threads: int = 1
    bins: int = 255
    row_share: float = 1.0

    def parameters(self) -> dict[str, float]:
        """The hyperparameters that a search may vary, by name."""
        fixed = {"threads", "bins", "row_share"}
        return {name: value for name, value in asdict(self).items() if name not in fixed}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoostingStages:
    """Hyperparameters of scikit-learn's boosting; shares are of rows and columns per round.

    >>> bg.candidates.BoostingStages().depth
    3
    """

    rounds: int = 150
    learning_rate: float = 0.05
    depth: int = 3
    least_rows_in_leaf: int = 20
    row_share: float = 0.5
    feature_share: float = 0.3


def has_xgboost() -> bool:
    """Whether the extra `xgboost` is installed."""
    return find_spec("xgboost") is not None


def lightgbm(view: View, how: Boosting) -> Learner:
    """LightGBM classifier on y."""
    return _classifier(view, partial(_by_lightgbm, how, "binary"))


def lightgbm_regression(
    view: Relative, base: Base, repeats: float, varies: bool, how: Boosting
) -> Learner:
    """LightGBM regression of ln v − ln base, v the outcome; varies: as in `law_around`."""
    return _regression(view, base, repeats, varies, partial(_by_lightgbm, how, "huber"))


def xgboost(view: View, how: Boosting) -> Learner:
    """XGBoost classifier on y."""
    return _classifier(view, partial(_by_xgboost, how, "binary:logistic"))


def xgboost_regression(
    view: Relative, base: Base, repeats: float, varies: bool, how: Boosting
) -> Learner:
    """XGBoost regression of ln v − ln base, v the outcome; varies: as in `law_around`."""
    boosted = partial(_by_xgboost, how, "reg:pseudohubererror")
    return _regression(view, base, repeats, varies, boosted)


def _classifier(view: View, boosted: Boosted) -> Learner:
    def grow(train: Examples, seed: int) -> Fitted:
        both_kinds(train.y)
        y = train.y.astype(np.float64)
        return uncalibrated(view, boosted(view.apply(train.x), y, train.weight, seed), Odds())

    return grow


def _regression(
    view: Relative, base: Base, repeats: float, varies: bool, boosted: Boosted
) -> Learner:
    def grow(train: Examples, seed: int) -> Fitted:
        seen = view.apply(train.x)
        trees = boosted(seen, log_ratio(view, base, train), train.weight, seed)
        law = law_around(view, trees, train, seen, base, train.weight / repeats, varies=varies)
        return uncalibrated(view, trees, law)

    return grow


def gradient_boosting(view: View, how: BoostingStages) -> Learner:
    """Gradient boosting classifier of scikit-learn on y."""

    def grow(train: Examples, seed: int) -> Fitted:
        from sklearn.ensemble import GradientBoostingClassifier  # noqa: PLC0415 - only who trains

        both_kinds(train.y)
        boosted = GradientBoostingClassifier(
            n_estimators=how.rounds,
            learning_rate=how.learning_rate,
            max_depth=how.depth,
            min_samples_leaf=how.least_rows_in_leaf,
            subsample=how.row_share,
            max_features=how.feature_share,
            random_state=seed,
        ).fit(view.apply(train.x).astype(np.float32), train.y, sample_weight=train.weight)
        core = Trees(partial(_decision_function, boosted), sklearn_trees.boosted_table(boosted))
        return uncalibrated(view, core, Odds())

    return grow


def _by_lightgbm(  # noqa: PLR0913 - inputs, hyperparameters and objective
    how: Boosting, objective: str, seen: Seen, target: Float64, weight: Float64, seed: int
) -> Trees:
    import lightgbm as lgb  # noqa: PLC0415 - only who trains needs it

    parameters = {
        "objective": objective,
        "alpha": 0.5,  # of the Huber loss: larger errors have a constant gradient
        "learning_rate": how.learning_rate,
        "num_leaves": how.leaves,
        "min_data_in_leaf": how.least_rows_in_leaf,
        "lambda_l2": how.l2,
        "feature_fraction": how.feature_share,
        "use_missing": False,
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": how.threads,
        "verbosity": -1,
        "max_bin": how.bins,
    }
    if how.row_share < 1.0:
        parameters |= {"bagging_fraction": how.row_share, "bagging_freq": 1}
    rows = lgb.Dataset(seen.astype(np.float32), target, weight=weight)
    grown = lgb.train(parameters, rows, num_boost_round=how.rounds)
    return Trees(partial(grown.predict, raw_score=True), TreeTable.of_lightgbm(grown))


def _by_xgboost(  # noqa: PLR0913 - as for LightGBM
    how: Boosting, objective: str, seen: Seen, target: Float64, weight: Float64, seed: int
) -> Trees:
    import xgboost as xgb  # noqa: PLC0415 - an extra

    parameters = {
        "objective": objective,
        "huber_slope": 0.5,
        "eta": how.learning_rate,
        "max_leaves": how.leaves,
        "grow_policy": "lossguide",
        "max_depth": 0,
        # For a classifier it sums p(1 − p), about a tenth per row.
        "min_child_weight": how.least_rows_in_leaf / 10,
        "lambda": how.l2,
        "colsample_bynode": how.feature_share,
        "tree_method": "hist",
        "seed": seed,
        "nthread": how.threads,
        "max_bin": how.bins + 1,  # 256 is its default, which counts the edge above all values
        "subsample": how.row_share,
        "verbosity": 0,
    }
    rows = xgb.DMatrix(seen.astype(np.float32), label=target, weight=weight)
    table = TreeTable.of_xgboost(xgb.train(parameters, rows, num_boost_round=how.rounds))
    # xgboost sums in float32; the model sums the same leaves in float64.
    return Trees(table.total, table)


def _decision_function(boosted: Any, x: Float32) -> Float64:  # noqa: ANN401 - untyped package
    from sklearn import config_context  # noqa: PLC0415 - only who trains needs it

    with config_context(assume_finite=True):  # its check overflows on the largest float32
        margins: Float64 = boosted.decision_function(x)
    return margins
