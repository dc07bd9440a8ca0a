"""Every kind of candidate, and invented rows in which each finds something to learn."""

import os

import numpy as np
import pytest

from barograph.learning.candidates import (
    Boosting,
    BoostingStages,
    Slices,
    climatology,
    gradient_boosting,
    har,
    has_xgboost,
    lightgbm,
    lightgbm_regression,
    logistic,
    persistence,
    relative,
    xgboost,
    xgboost_regression,
)
from barograph.learning.examples import Examples
from barograph.learning.relative import Ratio, Relative
from barograph.registry.model import TAU

VOLS = ("realized_vol_10s", "realized_vol_60s", "realized_vol_300s")
CLOCKS = ("hour_sin", "hour_cos")
FEATURES = (*VOLS, "spread_bps", "quiet_share_60s", "log_return_10s")
ALL = (*FEATURES, *CLOCKS, TAU)

BASE = VOLS[-1]
SHORT = (Ratio(VOLS[0], BASE), Ratio(VOLS[1], BASE))
RATIOS = (*SHORT, Ratio("quiet_share_60s", floor=0.0), Ratio("log_return_10s", BASE))
VIEW = Relative.of((*RATIOS, Ratio("spread_bps", floor=1e-4), Ratio(BASE, TAU)), BASE, TAU)
TREES = Boosting(rounds=60, learning_rate=0.1, least_rows_in_leaf=40, threads=1)

CLASSIFIERS = {
    "persistence": persistence(),
    "mean": persistence(VOLS, name="mean"),
    "logistic": logistic(FEATURES),
    "logistic_relative": logistic(VIEW),
    "gradient_boosting": gradient_boosting(
        FEATURES, BoostingStages(rounds=60, least_rows_in_leaf=120)
    ),
    "lightgbm": lightgbm(FEATURES, TREES),
    "lightgbm_relative": lightgbm(VIEW, TREES),
    "xgboost": xgboost(VIEW, TREES),
}
REGRESSIONS = {
    "har": har(VOLS),
    "climatology": climatology(CLOCKS),
    "relative": relative(RATIOS, (BASE,), SHORT),
    "lightgbm_regression": lightgbm_regression(VIEW, (BASE,), TREES),
    "xgboost_regression": xgboost_regression(VIEW, (BASE,), TREES),
}
KINDS = CLASSIFIERS | REGRESSIONS

needs_xgboost = pytest.mark.skipif(
    not has_xgboost() and not os.environ.get("CI"), reason="the extra xgboost is not installed"
)


def each(*names):
    """These kinds as parameters of a test, or all of them."""
    return [
        pytest.param(name, marks=needs_xgboost if name.startswith("xgboost") else ())
        for name in names or KINDS
    ]


def market(seed, rows=3000, *, informative=True):
    """Rows with all features: x (n, f), outcome (n,) in 1/√s.

    Informative ones are of two regimes, and what comes follows the last minute and the hour.
    """
    rng = np.random.default_rng(seed)
    regime = rng.choice([1.0, 4.0 if informative else 1.0], rows)
    hour = rng.uniform(0, 2 * np.pi, rows)
    vols = regime * np.exp(rng.normal(-10, [0.8, 0.8, 0.4 if informative else 0.01], (rows, 3)).T)
    others = rng.lognormal(0, 1, rows), rng.uniform(0, 1, rows), rng.normal(0, 1e-4, rows)
    clocks = np.sin(hour), np.cos(hour)
    tau = regime * np.exp(-9.0)
    median = vols[1] * np.exp(0.4 * clocks[0]) if informative else np.exp(-10)
    outcome = median * np.exp(rng.logistic(0, 0.3 if informative else 0.6, rows))
    return np.column_stack([*vols, *others, *clocks, tau]).astype(np.float32), outcome


def examples(features, seed, rows=3000, *, informative=True):
    """Rows to learn from, with these of the features."""
    x, outcome = market(seed, rows, informative=informative)
    columns = [ALL.index(name) for name in features]
    return Examples(np.ascontiguousarray(x[:, columns]), outcome >= x[:, -1], outcome)


def slices(candidate, *, informative=True):
    """What it may learn from, two parts held out."""
    whole, one, other = (
        examples(candidate.features, seed, informative=informative) for seed in range(3)
    )
    return Slices(whole, ((one, other), (other, one)))
