"""Learners of linear models, without calibration.

The same examples and seed give a bit-identical model.
"""

from dataclasses import replace

import numpy as np

from barograph.arrays import Float64
from barograph.learning.examples import Examples, Learner, both_kinds, uncalibrated, unweighted
from barograph.learning.fitted import Fitted, LogLogistic, Odds, View
from barograph.learning.log_logistic import law_around, log_ratio, most_likely
from barograph.learning.relative import Base, MeanRatio, Relative, log_above
from barograph.registry.model import TAU

_Z_LIMIT = 10.0  # standard deviations; limits the influence of outliers
LEAST_SLOPE = 1e-3  # keeps the slope positive, so that the ranking is never reversed


def rising(view: MeanRatio, *, repeats: float) -> Learner:
    """An increasing logistic curve of a geometric mean over tau, which is the forecast too."""

    def grow(train: Examples, _seed: int) -> Fitted:
        both_kinds(train.y)
        seen = view.apply(train.x)
        # No clipping, so that the order of extreme volatilities is kept.
        core = unweighted(seen, count=train.count)
        z = core.standard(seen)
        weights, bias = _regression(z, train, repeats)
        if weights[0] < LEAST_SLOPE:
            rate = np.average(train.y, weights=train.weight)
            weights, bias = np.array([LEAST_SLOPE]), float(np.log(rate / (1 - rate)))
        core = replace(core, weights=weights, bias=bias)
        return uncalibrated(view, core, Odds(view.places))

    return grow


def logistic(view: View, repeats: float) -> Learner:
    """Logistic regression with a unit normal prior on each weight."""

    def grow(train: Examples, _seed: int) -> Fitted:
        both_kinds(train.y)
        seen = view.apply(train.x)
        core = unweighted(seen, _Z_LIMIT, train.count)
        weights, bias = _regression(core.standard(seen), train, repeats)
        return uncalibrated(view, replace(core, weights=weights, bias=bias), Odds())

    return grow


def least_squares(view: Relative, *, repeats: float) -> Learner:
    """Weighted least squares of ln v, with a logistic error law fitted to the residuals."""

    def grow(train: Examples, _seed: int) -> Fitted:
        seen, target = view.apply(train.x), log_above(train.outcome)
        core = unweighted(seen, count=train.count)
        beside = np.column_stack([core.standard(seen), np.ones(len(target))])
        root = np.sqrt(train.weight)
        solution, *_ = np.linalg.lstsq(beside * root[:, None], target * root)
        core = replace(core, weights=solution[:-1], bias=float(solution[-1]))
        law = law_around(view, core, train, seen, (), train.weight / repeats, varies=False)
        return uncalibrated(view, core, law)

    return grow


def ridge(view: Relative, base: Base, *, repeats: float, prior_rows: float = 1) -> Learner:
    """Weighted least squares of ln v − ln base on clipped inputs, with a normal prior.

    The prior of each weight is worth `prior_rows` independent rows. The error law has one scale.
    """

    def grow(train: Examples, _seed: int) -> Fitted:
        seen, target = view.apply(train.x), log_ratio(view, base, train)
        core = unweighted(seen, _Z_LIMIT, train.count)
        beside = np.column_stack([core.standard(seen), np.ones(len(target))])
        prior = np.full(beside.shape[1], prior_rows * repeats)
        prior[-1] = 0.0
        weighted = beside * train.weight[:, None]
        solution = np.linalg.solve(weighted.T @ beside + np.diag(prior), weighted.T @ target)
        core = replace(core, weights=solution[:-1], bias=float(solution[-1]))
        law = law_around(view, core, train, seen, base, train.weight / repeats, varies=False)
        return uncalibrated(view, core, law)

    return grow


def log_logistic(
    view: Relative, spread: tuple[int, ...], *, base: Base = (), repeats: float
) -> Learner:
    """Linear location and log scale of ln v − ln base, by maximum a posteriori estimation.

    spread: indices of the columns that the scale depends on.
    """
    columns = list(spread)

    def grow(train: Examples, _seed: int) -> Fitted:
        seen, target = view.apply(train.x), log_ratio(view, base, train)
        blank = unweighted(seen, _Z_LIMIT, train.count)
        z = blank.standard(seen)
        weight = train.weight / repeats
        weights, bias, spread_weights, width = most_likely(z, z[:, columns], target, weight)
        widths = blank.weights.copy()
        widths[columns] = spread_weights
        core = replace(blank, weights=weights, bias=bias)
        scale = replace(blank, weights=widths, bias=width)
        head = LogLogistic(view.features.index(TAU), scale, view.places(base))
        return uncalibrated(view, core, head)

    return grow


def _regression(z: Float64, train: Examples, repeats: float) -> tuple[Float64, float]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - only who trains needs it

    fit = LogisticRegression(C=1 / repeats, solver="newton-cholesky", max_iter=200)
    fit = fit.fit(z, train.y, sample_weight=train.weight)
    return fit.coef_[0].astype(np.float64), float(fit.intercept_[0])
