"""Platt's calibration of log-odds, kept near the identity where rows are few."""

import numpy as np

from barograph.arrays import Bool, Float64
from barograph.learning.fitted import sigmoid
from barograph.learning.linear import LEAST_SLOPE

_CALIBRATION_DOUBT = (
    0.1  # prior standard deviation of slope and bias: docs/evaluation.md, candidates
)
_NEWTON_STEPS = 20
_CONVERGED = 1e-9


def platt(raw: Float64, y: Bool, weight: Float64) -> tuple[float, float]:
    """Slope and bias of the logistic curve from raw log-odds (n,) to a probability.

    A normal prior around the identity, on the slope and on the bias at the mean score, keeps the
    change small for few rows or rows of one class, since raw models are nearly calibrated.
    """
    middle = float(np.average(raw, weights=weight)) if len(raw) else 0.0
    beside = np.stack([raw - middle, np.ones_like(raw)])
    prior = np.eye(2) / _CALIBRATION_DOUBT**2

    def cost(change: Float64) -> float:
        z = raw + change @ beside
        loss = np.logaddexp(0.0, np.where(y, -z, z)) @ weight
        return float(loss + change @ prior @ change / 2)

    change = np.zeros(2)
    for _ in range(_NEWTON_STEPS):
        p = sigmoid(raw + change @ beside)
        gradient = beside @ (weight * (p - y)) + prior @ change
        curvature = (beside * (weight * p * (1 - p))) @ beside.T + prior
        step = np.linalg.solve(curvature, gradient)
        if np.abs(step).max() < _CONVERGED:
            break
        before = cost(change)
        while cost(change - step) > before and np.abs(step).max() >= _CONVERGED:
            step /= 2  # backtrack while it overshoots
        change = change - step
    factor = max(LEAST_SLOPE, 1 + float(change[0]))
    return factor, float(change[1] - change[0] * middle)
