"""Scores of forecasts on weighted rows."""

from collections.abc import Callable
from math import nan

import msgspec
import numpy as np

from barograph.arrays import Bool, Float64, Int32, Int64
from barograph.compiled import compiled
from barograph.errors import BadInputError

"""Row weights or row indices; int32 halves the memory traffic."""

LOG_LOSS_CLIP = 1e-6
"""Probabilities are clipped this far from 0 and 1: a wrong certainty costs 13.8 nats, not inf."""


class Score(msgspec.Struct, frozen=True):
    """A score; call it with (truth, forecast), both (n,), for its value on all rows.

    `prepare(truth, forecast)` does the work that is common to all resamples (sorting) and returns a
    function from (n,) row weights to the value, NaN if undefined; it is a `Means` if the score
    needs only weighted means. Both raise BadInputError for unequal lengths, NaN, and values outside
    the score's domain.
    """

    name: str
    higher_is_better: bool
    prepare: Callable[[Float64, Float64], Callable[[Int32], float]]

    def __call__(self, truth: Float64, forecast: Float64) -> float:
        """Return the score with every row counted once."""
        return self.prepare(truth, forecast)(np.ones(len(truth), np.int32))


class Means(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A value computed from the weighted means (m,) of columns (n, m)."""

    columns: Float64
    value: Callable[[Float64], float]

    def __call__(self, weight: Int32) -> float:
        """Return the value with row weights `weight` (n,)."""
        return self.value(_weighted_means(self.columns, weight))


def _refuse(why: str) -> BadInputError:
    return BadInputError("rows to score", why, "Leave out rows without label or forecast first")


def _refuse_unscorable(truth: Float64, forecast: Float64, *, spikes: bool) -> None:
    if truth.shape != forecast.shape or truth.ndim != 1 or len(truth) == 0:
        raise _refuse(f"truth {truth.shape} and forecast {forecast.shape} are not (n,), n > 0")
    if np.isnan(truth).any() or np.isnan(forecast).any():
        raise _refuse("some are NaN")
    if spikes and not np.isin(truth, (0.0, 1.0)).all():
        raise _refuse("a truth is neither 0 nor 1")


@compiled
def _average_precision(order: Int32, truth: Bool, ends_tie: Bool, weight: Int32) -> float:
    hits, rows, hits_before, area = 0, 0, 0, 0.0
    for k in range(len(order)):
        w = weight[order[k]]
        rows += w
        if truth[k]:
            hits += w
        if ends_tie[k] and hits > hits_before:
            area += (hits - hits_before) * (hits / rows)
            hits_before = hits
    return area / hits if hits > 0 else np.nan


@compiled
def _roc_area(order: Int32, truth: Bool, ends_tie: Bool, weight: Int32) -> float:
    hits, misses, hits_before, misses_before, area = 0, 0, 0, 0, 0.0
    for k in range(len(order)):
        w = weight[order[k]]
        if truth[k]:
            hits += w
        else:
            misses += w
        if ends_tie[k]:
            area += (misses - misses_before) * 0.5 * (hits + hits_before)
            hits_before, misses_before = hits, misses
    return area / hits / misses if hits > 0 and misses > 0 else np.nan


def _ranked(
    area: Callable[[Int32, Bool, Bool, Int32], float],
) -> Callable[[Float64, Float64], Callable[[Int32], float]]:
    """Prepare a score that depends on the order only; ties count as one step."""

    def prepare(truth: Float64, forecast: Float64) -> Callable[[Int32], float]:
        _refuse_unscorable(truth, forecast, spikes=True)
        # int32, so that the loop over the rows stays in the CPU cache.
        order = np.argsort(-forecast, kind="stable").astype(np.int32)
        ranked = forecast[order]
        ends_tie = np.append(ranked[1:] != ranked[:-1], True)
        spike = truth[order] == 1.0
        return lambda weight: float(area(order, spike, ends_tie, weight))

    return prepare


@compiled
def _weighted_means(columns: Float64, weight: Int32) -> Float64:
    # A plain loop: the summation order of BLAS depends on its threads.
    total, rows = np.zeros(columns.shape[1]), 0
    for k in range(len(columns)):
        for column in range(columns.shape[1]):
            total[column] += weight[k] * columns[k, column]
        rows += weight[k]
    return total / rows


def _mean(values: Float64) -> Means:
    return Means(columns=np.asarray(values, np.float64)[:, None], value=lambda mean: float(mean[0]))


def _base_rate(truth: Float64, forecast: Float64) -> Means:
    _refuse_unscorable(truth, forecast, spikes=True)
    return _mean(truth)


def _lift(truth: Float64, forecast: Float64) -> Callable[[Int32], float]:
    precision, rate = pr_auc.prepare(truth, forecast), base_rate.prepare(truth, forecast)

    def value(weight: Int32) -> float:
        spikes = rate(weight)
        return precision(weight) / spikes if spikes > 0 else nan

    return value


def _refuse_improbable(truth: Float64, forecast: Float64) -> None:
    _refuse_unscorable(truth, forecast, spikes=True)
    if forecast.min() < 0 or forecast.max() > 1:
        raise _refuse("a forecast is no probability")


def _brier(truth: Float64, forecast: Float64) -> Means:
    _refuse_improbable(truth, forecast)
    return _mean((forecast - truth) ** 2)


def _log_loss(truth: Float64, forecast: Float64) -> Means:
    _refuse_improbable(truth, forecast)
    return _mean(log_losses(truth, forecast))


def log_losses(truth: Float64, forecast: Float64) -> Float64:
    """The log loss of each row: (n,) of y (n,), 1.0 or 0.0, and probabilities (n,)."""
    clipped = np.clip(forecast, LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP)
    loss: Float64 = -np.log(np.where(truth == 1.0, clipped, 1 - clipped))
    return loss


def _refuse_unvolatile(truth: Float64, forecast: Float64) -> None:
    _refuse_unscorable(truth, forecast, spikes=False)
    if truth.min() <= 0 or forecast.min() <= 0:
        raise _refuse("a volatility is not positive")


def _qlike(truth: Float64, forecast: Float64) -> Means:
    _refuse_unvolatile(truth, forecast)
    return _mean(qlike_loss(truth, forecast))


def qlike_loss(truth: Float64, forecast: Float64) -> Float64:
    """(n,) loss of each row, whose mean is `qlike`, for volatilities (n,) above zero."""
    ratio = (truth / forecast) ** 2
    loss: Float64 = ratio - np.log(ratio) - 1
    return loss


def _log_r2(truth: Float64, forecast: Float64) -> Means:
    _refuse_unvolatile(truth, forecast)
    return _r2(np.log(truth), np.log(forecast))


def _r2(truth: Float64, forecast: Float64) -> Means:
    _refuse_unscorable(truth, forecast, spikes=False)
    centred = truth - truth.mean()

    def value(means: Float64) -> float:
        error, mean, square = means
        variance = square - mean**2
        # For constant truth the variance is only rounding error.
        return float(1 - error / variance) if variance > 1e-12 * truth[0] ** 2 else nan

    squares = (truth - forecast) ** 2
    return Means(columns=np.stack([squares, centred, centred**2], axis=1), value=value)


def _rmse(truth: Float64, forecast: Float64) -> Means:
    _refuse_unscorable(truth, forecast, spikes=False)
    squares = (truth - forecast) ** 2
    return Means(columns=squares[:, None], value=lambda mean: float(np.sqrt(mean[0])))


def _mae(truth: Float64, forecast: Float64) -> Means:
    _refuse_unscorable(truth, forecast, spikes=False)
    return _mean(np.abs(truth - forecast))


def _mape(truth: Float64, forecast: Float64) -> Means:
    _refuse_unvolatile(truth, forecast)
    return _mean(np.abs(truth - forecast) / truth)


def _share(truth: Float64, forecast: Float64) -> Means:
    _refuse_unscorable(truth, forecast, spikes=False)
    return _mean(forecast)


def pinball_loss(truth: Float64, low: Float64, high: Float64, tail: float) -> Float64:
    """(n,) loss of an interval's ends as quantiles at `tail` and 1 − tail, the mean of both.

    Source: Koenker, Bassett (1978), Econometrica 46(1).
    """
    below, above = truth - low, high - truth
    ends = [np.maximum(tail * off, (tail - 1) * off) for off in (below, above)]
    mean: Float64 = (ends[0] + ends[1]) / 2
    return mean


pr_auc = Score("pr_auc", True, _ranked(_average_precision))  # noqa: FBT003 - named by the class
"""Average precision: Σ (recall step · precision), no interpolation. Needs a spike to be defined."""

roc_auc = Score("roc_auc", True, _ranked(_roc_area))  # noqa: FBT003
"""Share of (spike, calm) pairs that the forecast ranks correctly; ties count half."""

base_rate = Score("base_rate", True, _base_rate)  # noqa: FBT003
"""Share of spikes, which is the PR-AUC of a forecast without skill. Ignores the forecast."""

lift = Score("lift", True, _lift)  # noqa: FBT003
"""PR-AUC over the base rate of the same rows."""

brier = Score("brier", False, _brier)  # noqa: FBT003
"""Mean squared error of probabilities. Brier (1950), Monthly Weather Review 78(1)."""

log_loss = Score("log_loss", False, _log_loss)  # noqa: FBT003
"""Mean -ln of the probability given to what happened, in nats, clipped at `LOG_LOSS_CLIP`."""

qlike = Score("qlike", False, _qlike)  # noqa: FBT003
"""Mean of v²/f² - ln(v²/f²) - 1, volatilities v, f > 0. Patton (2011), J. Econometrics 160(1)."""

log_r2 = Score("log_r2", True, _log_r2)  # noqa: FBT003
"""1 - Σ(ln v - ln f)² / Σ(ln v - mean ln v)² for volatilities v, f > 0."""

r2 = Score("r2", True, _r2)  # noqa: FBT003
"""1 - Σ(v - f)² / Σ(v - mean v)²; f is best as the mean of v."""

rmse = Score("rmse", False, _rmse)  # noqa: FBT003
"""Root of the mean of (v - f)², in the unit of v; f is best as the mean of v."""

mae = Score("mae", False, _mae)  # noqa: FBT003
"""Mean of |v - f|, in the unit of v; f is best as the median of v."""

mape = Score("mape", False, _mape)  # noqa: FBT003
"""Mean of |v - f| / v for v, f > 0."""

coverage = Score("coverage", True, _share)  # noqa: FBT003
"""Share of values within their interval; call it with 1.0 for those and 0.0 for the others."""

pinball = Score("pinball", False, _share)  # noqa: FBT003
"""Mean of `pinball_loss`, in the unit of v; call it with the losses."""


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of similar probability: mean predicted probability and observed frequency."""

    rows: int
    mean_probability: float
    frequency: float


def reliability(truth: Float64, probability: Float64, *, bins: int = 10) -> list[ReliabilityBin]:
    """Reliability table of at most `bins` bins with equal row counts, by increasing probability.

    Rows of equal probability stay together, in the bin of their middle rank, so bins may be uneven
    or fewer. Raises BadInputError as the scores do.
    """
    chosen = bins_of(truth, probability, bins)
    table = []
    for number in np.unique(chosen):
        inside = chosen == number
        table.append(
            ReliabilityBin(
                rows=int(inside.sum()),
                mean_probability=float(probability[inside].mean()),
                frequency=float(truth[inside].mean()),
            )
        )
    return table


def bins_of(truth: Float64, probability: Float64, bins: int = 10) -> Int64:
    """(n,) index of each row's bin in the reliability table."""
    _refuse_improbable(truth, probability)
    _, place, count = np.unique(probability, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count + 1) / 2
    chosen: Int64 = (bins * middle / len(truth)).astype(np.int64)[place]
    return chosen


def _calibration_error(truth: Float64, forecast: Float64) -> Means:
    bins = bins_of(truth, forecast)
    off = np.zeros((len(truth), int(bins.max()) + 1))
    off[np.arange(len(truth)), bins] = forecast - truth
    # In each bin |predicted − observed|, weighted by its rows.
    return Means(columns=off, value=lambda means: float(np.abs(means).sum()))


calibration_error = Score("calibration_error", False, _calibration_error)  # noqa: FBT003
"""Expected calibration error: row-weighted |predicted − observed| over ten bins of equal rows."""


def weighted_log_loss(truth: Float64, forecast: Float64, weight: Float64) -> float:
    """Log loss in nats with row weights `weight` (n,)."""
    loss = log_losses(truth, forecast)
    return float(np.sum(weight * loss) / np.sum(weight))
