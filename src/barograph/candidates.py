"""Candidates for a champion: what each learns from, and how.

Everything here is a function of its arguments: no file, no clock, no unseeded random.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from barograph.encoding import Encoding
from barograph.errors import BadInputError, TooLittleDataError
from barograph.models import CalibratedTrees, Fitted, Float32, Float64, Logistic, entered, seen
from barograph.trees import TreeTable

Bool = npt.NDArray[np.bool_]

VOL_FLOOR = 1e-7
"""1/√s. Volatilities below count as this one, so that a minute without a move has a logarithm."""

_Z_LIMIT = 10.0  # standard deviations; one wild value must not own the sum
_CALIBRATION_DOUBT = 0.1  # one deviation of slope and bias: docs/evaluation.md, candidates
_NEWTON_STEPS = 20
_LEAST_SLOPE = 1e-3  # a calibration never turns the ranking round, it only flattens


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows to learn from: `x` float32 (n, f), C-contiguous, finite; `y` bool (n,), True is yes.

    Rows with a missing used feature or a missing label are left out by the caller: nothing is
    imputed. Raises BadInputError.
    """

    x: Float32
    y: Bool

    def __post_init__(self) -> None:
        why = ""
        if self.x.ndim != 2 or self.x.dtype != np.float32 or not self.x.flags.c_contiguous:
            why = f"features are {self.x.dtype} {self.x.shape}, not C-contiguous float32 (n, f)"
        elif self.y.dtype != np.bool_ or self.y.shape != self.x.shape[:1]:
            why = f"labels are {self.y.dtype} {self.y.shape}, not bool ({len(self.x)},)"
        elif not np.isfinite(self.x).all():
            why = "a feature is NaN or infinite"
        if why:
            raise BadInputError("training rows", why, "Keep the rows whose used features are known")


@dataclass(frozen=True, slots=True)
class Slices:
    """What one fit may see, in order of time, purged from each other: see `splits`."""

    train: Examples
    validation: Examples
    calibration: Examples


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to train: its name, the features that it uses, in input order, and how it learns."""

    name: str
    features: tuple[str, ...]
    learn: Callable[[str, tuple[str, ...], Slices, int], Fitted]

    def fit(self, slices: Slices, seed: int) -> Fitted:
        """Train; the same slices and seed give a model with the same bits.

        Raises BadInputError when the columns are not `features`, TooLittleDataError when a slice
        that is learned from does not hold both yes and no.
        """
        for part in (slices.train, slices.validation, slices.calibration):
            if part.x.shape[1] != len(self.features):
                raise BadInputError(
                    f"rows for {self.name}",
                    f"they have {part.x.shape[1]} columns, the model uses {len(self.features)}",
                    "Select the candidate's features in their order",
                )
        return self.learn(self.name, self.features, slices, seed)


def persistence(vol: str = "realized_vol_60s", *, repeats: float = 60) -> Candidate:
    """Tomorrow is as today: a rising logistic curve over the logarithm of the volatility now.

    It ranks as the volatility itself does (below `VOL_FLOOR` all rank alike). `repeats` is how many
    rows tell the same story: labels with a horizon of h seconds overlap h-fold at one-second steps,
    and a unit normal prior on the slope is weighed against rows / repeats.
    """
    return Candidate("persistence", (vol,), partial(_learn_persistence, repeats=repeats))


def har_logistic(vols: tuple[str, ...], *, repeats: float = 60) -> Candidate:
    """Logistic regression on log volatilities at several horizons; `repeats` as in `persistence`.

    Source: Corsi (2009), J. Financial Econometrics 7(2): heterogeneous autoregression.
    """
    return Candidate("har_logistic", vols, partial(_learn_linear, floor=VOL_FLOOR, repeats=repeats))


def logistic(
    features: tuple[str, ...],
    *,
    repeats: float = 60,
    encoding: Encoding | None = None,
    name: str = "logistic",
) -> Candidate:
    """Logistic regression on standardised features cut at ±10 deviations, with an L2 penalty.

    `repeats` as in `persistence`; `encoding` says which features are categories. What is constant
    in training has no weight.
    """
    learn = partial(_learn_linear, floor=None, repeats=repeats, encoding=encoding)
    return Candidate(name, features, learn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boosting:
    """How trees are boosted. `rounds` is a ceiling: the validation slice says when to stop."""

    rounds: int = 400
    patience: int = 40
    learning_rate: float = 0.04
    leaves: int = 12
    least_rows_in_leaf: int = 120
    l2: float = 10.0
    feature_share: float = 0.7
    threads: int = 2


def lightgbm(
    features: tuple[str, ...],
    how: Boosting | None = None,
    *,
    repeats: float = 60,
    encoding: Encoding | None = None,
) -> Candidate:
    """Gradient-boosted trees, stopped on validation, calibrated on their own slice (see `_platt`).

    `encoding` as in `logistic`.
    Sources: Ke et al. (2017), NeurIPS 30; Platt (1999), Advances in Large Margin Classifiers.
    """
    learn = partial(_learn_lightgbm, how=how or Boosting(), repeats=repeats, encoding=encoding)
    return Candidate("lightgbm", features, learn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """How scikit-learn boosts trees: so many rounds, each on shares of the rows and columns."""

    rounds: int = 150
    learning_rate: float = 0.05
    depth: int = 3
    least_rows_in_leaf: int = 20
    row_share: float = 0.5
    feature_share: float = 0.3


def gradient_boosting(
    features: tuple[str, ...],
    how: Stages | None = None,
    *,
    repeats: float = 60,
    encoding: Encoding | None = None,
) -> Candidate:
    """Stochastic gradient boosting by scikit-learn, calibrated as `lightgbm` is.

    `encoding` as in `logistic`. Source: Friedman (2002), Computational Statistics & Data Analysis
    38(4).
    """
    learn = partial(_learn_stages, how=how or Stages(), repeats=repeats, encoding=encoding)
    return Candidate("gradient_boosting", features, learn)


def _mean_and_scale(values: Float64) -> tuple[Float64, Float64]:
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    # An infinite scale silences a constant column, whatever it does later.
    constant = deviation <= 1e-9 * np.abs(mean)
    return mean, np.where(constant, np.inf, deviation)


def _both_kinds(name: str, part: str, y: Bool) -> None:
    if y.all() or not y.any():
        raise TooLittleDataError(
            f"{name}: the {part} slice",
            f"{int(y.sum())} yes in {len(y)} rows",
            "yes and no",
            "Record more, or make the slice longer",
        )


def _regression(z: Float64, y: Bool, repeats: float) -> tuple[Float64, float]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - only who trains needs it

    fit = LogisticRegression(C=1 / repeats, solver="newton-cholesky", max_iter=200).fit(z, y)
    return fit.coef_[0].astype(np.float64), float(fit.intercept_[0])


def _rising(z: Float64, y: Bool, repeats: float) -> tuple[float, float]:
    """Slope and bias of a logistic curve over one standardised score, the slope positive."""
    (slope,), bias = _regression(z[:, None], y, repeats)
    if slope >= _LEAST_SLOPE:
        return float(slope), bias
    rate = y.mean()
    return _LEAST_SLOPE, float(np.log(rate / (1 - rate)))


def _learn_persistence(
    name: str, features: tuple[str, ...], slices: Slices, _seed: int, *, repeats: float
) -> Logistic:
    _both_kinds(name, "training", slices.train.y)
    values = entered(slices.train.x, VOL_FLOOR)
    mean, scale = _mean_and_scale(values)
    slope, bias = _rising(((values - mean) / scale)[:, 0], slices.train.y, repeats)
    # Without a cut the order of volatilities is kept, however far from those of training.
    return Logistic(name, features, mean, scale, np.inf, np.array([slope]), bias, VOL_FLOOR)


def _learn_linear(  # noqa: PLR0913 - a candidate's fit and its three settings
    name: str,
    features: tuple[str, ...],
    slices: Slices,
    _seed: int,
    *,
    floor: float | None,
    repeats: float,
    encoding: Encoding | None = None,
) -> Logistic:
    _both_kinds(name, "training", slices.train.y)
    values = entered(seen(slices.train.x, encoding), floor)
    mean, scale = _mean_and_scale(values)
    z = np.clip((values - mean) / scale, -_Z_LIMIT, _Z_LIMIT)
    weights, bias = _regression(z, slices.train.y, repeats)
    return Logistic(name, features, mean, scale, _Z_LIMIT, weights, bias, floor, encoding)


def _learn_lightgbm(  # noqa: PLR0913 - a candidate's fit and its three settings
    name: str,
    features: tuple[str, ...],
    slices: Slices,
    seed: int,
    *,
    how: Boosting,
    repeats: float,
    encoding: Encoding | None,
) -> CalibratedTrees:
    import lightgbm as lgb  # noqa: PLC0415 - only who trains needs it

    for part in ("train", "validation", "calibration"):
        _both_kinds(name, part, getattr(slices, part).y)
    parameters = {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": how.learning_rate,
        "num_leaves": how.leaves,
        "min_data_in_leaf": how.least_rows_in_leaf,
        "lambda_l2": how.l2,
        "feature_fraction": how.feature_share,
        "use_missing": False,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": how.threads,
        "verbosity": -1,
    }
    x, x_stop = (seen(part.x, encoding) for part in (slices.train, slices.validation))
    train = lgb.Dataset(x, slices.train.y.astype(np.int8))
    stop = lgb.Dataset(x_stop, slices.validation.y.astype(np.int8), reference=train)
    booster = lgb.train(
        parameters,
        train,
        num_boost_round=how.rounds,
        valid_sets=[stop],
        callbacks=[lgb.early_stopping(how.patience, verbose=False)],
    )
    best = lgb.Booster(model_str=booster.model_to_string(num_iteration=booster.best_iteration))
    raw = partial(best.predict, raw_score=True)
    trees = TreeTable.of_lightgbm(best)
    slope, bias = _platt(raw(seen(slices.calibration.x, encoding)), slices.calibration.y, repeats)
    return CalibratedTrees(name, features, raw, trees, slope, bias, encoding)


def _learn_stages(  # noqa: PLR0913 - a candidate's fit and its three settings
    name: str,
    features: tuple[str, ...],
    slices: Slices,
    seed: int,
    *,
    how: Stages,
    repeats: float,
    encoding: Encoding | None,
) -> CalibratedTrees:
    from sklearn.ensemble import GradientBoostingClassifier  # noqa: PLC0415 - only who trains

    for part in ("train", "calibration"):
        _both_kinds(name, part, getattr(slices, part).y)
    boosted = GradientBoostingClassifier(
        n_estimators=how.rounds,
        learning_rate=how.learning_rate,
        max_depth=how.depth,
        min_samples_leaf=how.least_rows_in_leaf,
        subsample=how.row_share,
        max_features=how.feature_share,
        random_state=seed,
    ).fit(seen(slices.train.x, encoding), slices.train.y)
    raw = partial(_said_by_sklearn, boosted)
    trees = TreeTable.of_sklearn(boosted)
    slope, bias = _platt(raw(seen(slices.calibration.x, encoding)), slices.calibration.y, repeats)
    return CalibratedTrees(name, features, raw, trees, slope, bias, encoding)


def _said_by_sklearn(boosted: Any, x: Float32) -> Float64:  # noqa: ANN401 - it is not followed
    from sklearn import config_context  # noqa: PLC0415 - only who trains needs it

    with config_context(assume_finite=True):  # its check overflows on the largest float32
        said: Float64 = boosted.decision_function(x)
    return said


def _platt(raw: Float64, y: Bool, repeats: float) -> tuple[float, float]:
    """Slope and bias of the logistic curve from a raw log-odds to a probability.

    Trees that were stopped in time are nearly right by themselves, so a normal prior stands around
    the identity, on the slope and on the bias at the mean score: few rows change little.
    """
    beside = np.stack([raw - raw.mean(), np.ones_like(raw)])
    prior = np.eye(2) / _CALIBRATION_DOUBT**2

    def cost(change: Float64) -> float:
        z = raw + change @ beside
        return float(
            np.logaddexp(0.0, np.where(y, -z, z)).sum() / repeats + change @ prior @ change / 2
        )

    change = np.zeros(2)
    for _ in range(_NEWTON_STEPS):
        p = np.exp(-np.logaddexp(0.0, -(raw + change @ beside)))
        gradient = beside @ (p - y) / repeats + prior @ change
        curvature = (beside * p * (1 - p)) @ beside.T / repeats + prior
        step = np.linalg.solve(curvature, gradient)
        while cost(change - step) > cost(change):
            step /= 2  # until it no longer overshoots, or no longer moves
        change = change - step
    factor = max(_LEAST_SLOPE, 1 + float(change[0]))
    return factor, float(change[1] - change[0] * raw.mean())
