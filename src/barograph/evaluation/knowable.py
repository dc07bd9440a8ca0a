"""How much of realised volatility can be known at best, estimated from returns alone.

The label of second s is the root mean square of the `horizon_s` one-second log returns after it. It
is a measurement: with the volatility of that minute known exactly, chance would still move it.
Two bounds follow, for scores of forecasts of the label:

- **itself**: one who knows the minute's own volatility. Odd and even seconds measure it twice, with
  separate noise. Their squares' sums o and e give δ = (o − e) / (o + e) and the variance of the
  noise of ln label, a · mean(δ²) / 4; a is exact for normal returns of constant volatility within
  the minute. No forecast of any kind is better than this, on average.
- **both sides**: regressions on what came before *and after* the label's minute, but not in it:
  mean squared return and share of seconds that moved, in windows of both sides, and forecasts that
  are known at second s. Each stretch of history is forecast by fits on the others. What comes after
  tells where volatility went, so no forecast from the past beats this by much, unless it uses
  something that neither the returns nor the given forecasts show.

Assumptions: returns of odd and even seconds are conditionally uncorrelated given the volatility of
the minute and have the same expected square; noise and volatility are independent in logs. So a
jump within a single second counts as noise, and a burst of several seconds as volatility. Wrong
where quotes bounce (neighbouring returns correlate, and both halves share the bounce: noise is
underestimated), where quotes stand still for seconds (a move lands in one half: noise is
overestimated in calm minutes), and for minutes without any move, which all count as the same lowest
volatility, without noise. The regressions are linear in logs, so the bound of both sides is itself
an estimate, from below, of what both sides tell.

Sources: Andersen, Bollerslev (1998), International Economic Review 39(4), for the label's noise as
a bound of R²; Barndorff-Nielsen, Shephard (2002), JRSS B 64(2), for the error of realised
volatility; Hansen, Lunde (2006), J. Business & Economic Statistics 24(2), for microstructure noise.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from barograph.arrays import Bool, Float64, Int64
from barograph.errors import BadInputError

WINDOWS = (1 / 6, 1.0, 5.0, 30.0)
"""Windows of each side, in horizons."""

STRETCHES = 10
"""Stretches of history, each of which is forecast by fits on the others."""

STRENGTHS = (1.0, 30.0, 1000.0)
"""Weights of the prior of no slope, in labels without overlap."""

_PRIOR_S = 5.0  # seconds of the mean of all that a window is mixed with, as it may hold few
_LEAST_SQUARE = 1e-14  # of a mean squared return: a volatility of 1e-7, as for scores
_LEAST_MOVED = 1e-3  # share of seconds
_FITTED_IN_HORIZON = 12
_NEWTON_STEPS = 25
_STEEPEST = 30.0  # log odds


class Seconds(NamedTuple):
    """The known one-second returns of one key: (g,) seconds, increasing, and squared returns."""

    second: Int64
    square: Float64


def has_returns(seconds: Seconds, at: Int64, horizon_s: int) -> Bool:
    """(n,) whether every return of the horizon of the label at each second (n,) is known."""
    if not len(seconds.second):
        return np.zeros(len(at), np.bool_)
    first = np.searchsorted(seconds.second, at + 1)
    last = np.minimum(first + horizon_s - 1, len(seconds.second) - 1)
    known: Bool = (seconds.second[last] == at + horizon_s) & (
        seconds.second[np.minimum(first, len(seconds.second) - 1)] == at + 1
    )
    return known


def imbalance(seconds: Seconds, at: Int64, horizon_s: int) -> Float64:
    """(n,) δ of each label: squares of odd less even seconds over all, 0 where nothing moved.

    at: (n,) the seconds that the labels are of. Raises BadInputError if a return of a label's
    horizon is missing.
    """
    first = np.searchsorted(seconds.second, at + 1)
    last = first + horizon_s - 1
    if not has_returns(seconds, at, horizon_s).all():
        raise BadInputError(
            "returns of labels", "some are missing", "Give every second of each label's horizon"
        )
    sign = np.where(seconds.second % 2 == 1, 1.0, -1.0)
    whole, odd_less_even = (
        _between(values, first, last + 1) for values in (seconds.square, sign * seconds.square)
    )
    out = np.zeros(len(at))
    np.divide(odd_less_even, whole, out, where=whole > 0)
    return np.clip(out, -1.0, 1.0)


def noise(imbalances: Float64, horizon_s: int) -> float:
    """The variance of ln label around ln of its minute's own volatility, from δ (n,)."""
    return _exact(horizon_s) * float(np.mean(imbalances**2)) / 4


def itself(outcome: Float64, imbalances: Float64, horizon_s: int) -> Float64:
    """(n,) forecast, in the unit of the labels (n,) > 0, of one who knows each one's volatility.

    The volatility itself is not known, so this has its joint distribution with the label: the label
    shrunk by its reliability, plus noise of the size that its own halves show. Constant where the
    labels vary by no more than noise.
    """
    log = np.log(outcome)
    variance = float(log.var())
    reliable = max(0.0, 1 - noise(imbalances, horizon_s) / variance) if variance > 0 else 0.0
    own = np.sqrt(_exact(horizon_s)) * imbalances / 2
    shrunk = log.mean() + reliable * (log - log.mean())
    out: Float64 = np.exp(shrunk + np.sqrt(reliable) * own)
    return out


def sides(seconds: Seconds, at: Int64, horizon_s: int) -> Float64:
    """(n, 4 · windows): ln volatility and ln share of moves, before and after each label's minute.

    at: (n,) the seconds that the labels are of. Windows end at `at` and begin after `at` +
    `horizon_s`; missing seconds are left out of their means.
    """
    moved = (seconds.square > 0).astype(np.float64)
    columns = []
    for window_s in (max(1, round(part * horizon_s)) for part in WINDOWS):
        for start, stop in ((at - window_s, at), (at + horizon_s, at + horizon_s + window_s)):
            first, last = (
                np.searchsorted(seconds.second, edge, side="right") for edge in (start, stop)
            )
            for values, least, power in (
                (seconds.square, _LEAST_SQUARE, 0.5),
                (moved, _LEAST_MOVED, 1.0),
            ):
                total = _between(values, first, last) + _PRIOR_S * values.mean()
                mean = total / (last - first + _PRIOR_S)
                columns.append(power * np.log(np.maximum(mean, least)))
    return np.column_stack(columns)


def relative(columns: Float64, base: Float64) -> Float64:
    """The columns of `sides`, with ln volatility less a logarithm (n,)."""
    out = columns.copy()
    out[:, ::2] -= base[:, None]
    return out


def past_mean(columns: Float64) -> Float64:
    """(n,) mean ln volatility of the past, of the columns of `sides`: a base without a model."""
    mean: Float64 = columns[:, 4::4].mean(axis=1)
    return mean


def stretches(order: Int64) -> Int64:
    """(n,) the stretch of each row: `STRETCHES` of them in time, with equal numbers of seconds."""
    seconds, place = np.unique(order, return_inverse=True)
    of: Int64 = (STRETCHES * place // len(seconds)).astype(np.int64)
    return of


def smoothed(
    columns: Float64, base: Float64, log_outcome: Float64, stretch: Int64, horizon_s: int
) -> Float64:
    """(n,) forecasts of ln label: `base` (n,) and least squares of what it leaves on `columns`.

    columns: (n, k), relative to the base where they are of volatility, so that fits carry over to
    stretches of another one. Each stretch is forecast by a fit on the others. Rows are consecutive
    seconds of a key; labels of `horizon_s` overlap, so one row in five is fitted on where that is
    60. Slopes of standardised columns are drawn to 0 with the weight of `STRENGTHS` labels without
    overlap, whichever forecasts the other stretches best.
    """
    left = log_outcome - base
    fits = [
        base + _by_stretch(_least_squares, columns, left, stretch, (horizon_s, strength))
        for strength in STRENGTHS
    ]
    return min(fits, key=lambda fit: float(np.sum((log_outcome - fit) ** 2)))


def ranked(columns: Float64, y: Float64, stretch: Int64, horizon_s: int) -> Float64:
    """(n,) log odds of y by logistic regression on `columns` (n, k), fitted as `smoothed` is.

    The weight of the prior is the least of `STRENGTHS`.
    """
    return _by_stretch(_logistic, columns, y, stretch, (horizon_s, STRENGTHS[0]))


def _by_stretch(
    fit: Callable[[Float64, Float64, Float64], Float64],
    columns: Float64,
    truth: Float64,
    stretch: Int64,
    prior: tuple[int, float],
) -> Float64:
    horizon_s, strength = prior
    x, every = _standardised(columns), max(1, horizon_s // _FITTED_IN_HORIZON)
    ridge = strength * horizon_s / every * _slopes(x.shape[1])
    out = np.empty(len(x))
    for each in np.unique(stretch):
        test = stretch == each
        others = np.flatnonzero(~test)[::every]
        out[test] = x[test] @ fit(x[others], truth[others], ridge)
    return out


def _least_squares(x: Float64, y: Float64, ridge: Float64) -> Float64:
    return np.asarray(np.linalg.solve(x.T @ x + ridge, x.T @ y), np.float64)


def _logistic(x: Float64, y: Float64, ridge: Float64) -> Float64:
    weights: Float64 = np.zeros(x.shape[1])
    for _ in range(_NEWTON_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(x @ weights, -_STEEPEST, _STEEPEST)))
        slope = x.T @ (y - probability) - ridge @ weights
        curve = (x * (probability * (1 - probability))[:, None]).T @ x + ridge
        step = np.linalg.solve(curve + 1e-9 * np.eye(len(curve)), slope)
        weights += step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def _standardised(columns: Float64) -> Float64:
    """(n, 1 + k): ones, then the columns with mean 0 and deviation 1, or 0 where constant."""
    deviation = columns.std(axis=0)
    scaled = (columns - columns.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    return np.column_stack([np.ones(len(columns)), scaled])


def _slopes(width: int) -> Float64:
    """A diagonal of ones but for the first column, which is the intercept."""
    ones = np.ones(width)
    ones[0] = 0.0
    return np.diag(ones)


def _between(values: Float64, first: Int64, stop: Int64) -> Float64:
    """(n,) sums of values[first:stop]; exactly 0 where all of them are."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    between: Float64 = sums[stop] - sums[first]
    return between


def _exact(horizon_s: int) -> float:
    """Variance of ln of a chi-square over that of δ: (n / 2 + 1) ψ₁(n / 2) of n normal returns."""
    half, trigamma = horizon_s / 2, 0.0
    while half < 20:  # the series below is exact to 1e-9 from here on
        trigamma += 1 / half**2
        half += 1
    trigamma += 1 / half + 1 / (2 * half**2) + 1 / (6 * half**3) - 1 / (30 * half**5)
    return (horizon_s / 2 + 1) * trigamma
