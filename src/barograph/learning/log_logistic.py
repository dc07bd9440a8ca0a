"""The log-logistic error law of a regression, fitted by maximum likelihood."""

from dataclasses import replace

import numpy as np

from barograph.arrays import Float64
from barograph.learning.examples import Examples, unweighted
from barograph.learning.fitted import Core, LogLogistic
from barograph.learning.relative import Base, Relative, log_above, log_mean
from barograph.registry.model import TAU

_LIMIT = 10.0  # bound of a log scale


def log_ratio(view: Relative, base: Base, part: Examples) -> Float64:
    """The regression target ln v − ln base (n,), or ln v without a base."""
    log_outcome = log_above(part.outcome)
    return log_outcome - log_mean(part.x, view.places(base)) if base else log_outcome


def law_around(  # noqa: PLR0913 - the regression, its data, and the scale
    view: Relative,
    core: Core,
    train: Examples,
    seen: Float64,
    base: Base,
    weight: Float64,
    *,
    varies: bool,
) -> LogLogistic:
    """Fit the error law of `core` to its residuals on the training examples.

    seen: (n, m) the examples through the view; varies: whether the scale depends on the inputs or
    is constant.
    """
    off = log_ratio(view, base, train) - core(seen)
    scale, nothing = unweighted(seen, _LIMIT, train.count), np.zeros((len(off), 0))
    spread = scale.standard(seen) if varies else nothing
    _, _, widths, width = most_likely(nothing, spread, off, weight)
    scale = replace(scale, weights=widths if varies else scale.weights, bias=width)
    return LogLogistic(view.features.index(TAU), scale, view.places(base))


def most_likely(
    place: Float64, spread: Float64, target: Float64, weight: Float64
) -> tuple[Float64, float, Float64, float]:
    """Fit location and log scale: (weights (m,), bias, scale weights (k,), scale bias).

    place (n, m) and spread (n, k) are their inputs; target (n,), weight (n,). The negative log
    likelihood of a residual e at scale s is ln(1 + exp(−e/s)) + ln(1 + exp(e/s)) + ln s; each
    weight has a unit normal prior.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - only who trains; comes with sklearn

    one = np.ones((len(target), 1))
    m = 1 + place.shape[1]
    place, spread = np.hstack([one, place]), np.hstack([one, spread])
    prior = np.ones(m + spread.shape[1])
    prior[[0, m]] = 0.0

    def cost(parameters: Float64) -> tuple[float, Float64]:
        log_scale = np.clip(spread @ parameters[m:], -_LIMIT, _LIMIT)
        steepness = np.exp(-log_scale)
        u = (target - place @ parameters[:m]) * steepness
        # One exponential serves the loss, |u| + 2 ln(1 + exp(−|u|)), and its slope, tanh(u / 2).
        size = np.abs(u)
        tail = np.exp(-size)
        loss = size + 2 * np.log1p(tail) + log_scale
        pull = weight * np.copysign((1 - tail) / (1 + tail), u)
        slope = np.concatenate([-(pull * steepness) @ place, (weight - pull * u) @ spread])
        return float(weight @ loss + prior @ parameters**2 / 2), slope + prior * parameters

    start = np.zeros(len(prior))
    # Start from the ridge regression, near the optimum.
    ridge = (place * weight[:, None]).T @ place + np.diag(prior[:m] + 1e-9)
    start[:m] = np.linalg.solve(ridge, place.T @ (weight * target))
    off = float(np.mean(np.abs(target - place @ start[:m])))
    start[m] = np.log(max(off, 1e-3))
    parameters = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    return parameters[1:m], float(parameters[0]), parameters[m + 1 :], float(parameters[m])
