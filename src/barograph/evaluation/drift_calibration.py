"""Calibration of forecasts over time: do probabilities still say how often the outcome comes?

Residuals (outcome minus probability) of overlapping horizons are autocorrelated too, so the squared
mean residual of a window is compared with the mean of that over the windows of tested rows.
"""

from typing import NamedTuple

import msgspec
import numpy as np

from barograph.arrays import Float64, Int64
from barograph.evaluation.drift_counts import edges_of, window_sums
from barograph.evaluation.drift_limits import LEAST_SHAPE, LEAST_WINDOWS, Cadence, whole_windows

LEAST_SQUARE = 0.02**2
"""Least scale of the squared mean residual: two points of probability are of no consequence."""


class CalibrationBin(msgspec.Struct, frozen=True, kw_only=True):
    """Forecasts of like probability: their number, mean probability, and share that came true."""

    rows: int
    predicted: float
    observed: float


class CalibrationReference(msgspec.Struct, frozen=True, kw_only=True):
    """Calibration on the tested rows of a key, by bins of probability that begin at `edges`.

    `square` is the mean squared mean residual of its `windows`, with `shape` degrees of freedom; a
    squared mean residual over it alarms from `critical` on. `untested` says why there is no test.
    """

    edges: tuple[float, ...]
    bins: tuple[CalibrationBin, ...]
    square: float
    shape: float
    windows: float
    critical: float = 0.0
    untested: str = ""

    def strength(self, residual: float, rows: int, cadence: Cadence) -> float | None:
        """Strength of a window with `rows` matured rows and this sum of residuals.

        It alarms from 1 on; None where it is not tested or half of the window has not matured.
        """
        if self.untested or not self.critical or 2 * rows < cadence.rows:
            return None
        return (residual / rows) ** 2 / self.square / self.critical


class Residuals(NamedTuple):
    """Forecasts of one key with outcomes: second (n,) int64, probability and y (n,) float64."""

    second: Int64
    probability: Float64
    y: Float64


def calibration(of: Residuals | None, cadence: Cadence) -> CalibrationReference | None:
    """The calibration of tested rows, in any order; None without rows."""
    if of is None or not len(of.second):
        return None
    edges = edges_of(of.probability)
    windows = whole_windows(len(of.second), cadence)
    squares = _squared_means(of, cadence)
    enough = windows >= LEAST_WINDOWS and len(squares) > 0
    square = max(float(squares.mean()) if enough else 0.0, LEAST_SQUARE)
    variance = float(squares.var()) if enough else 0.0
    why = f"the tested rows are {windows:.1f} windows, and {LEAST_WINDOWS} are needed"
    return CalibrationReference(
        edges=tuple(edges.tolist()),
        bins=bins_at(edges, of.probability, of.y),
        square=square,
        shape=max(LEAST_SHAPE, min(1.0, 2 * square**2 / variance)) if variance else 1.0,
        windows=round(windows, 3),
        untested="" if enough else why,
    )


def bins_at(edges: Float64, probability: Float64, y: Float64) -> tuple[CalibrationBin, ...]:
    """The reliability of forecasts in bins that begin at `edges`; zeros for an empty bin."""
    place = np.searchsorted(edges, probability, side="right")
    rows = np.bincount(place, minlength=len(edges) + 1)
    predicted = np.bincount(place, probability, len(edges) + 1) / np.maximum(rows, 1)
    observed = np.bincount(place, y, len(edges) + 1) / np.maximum(rows, 1)
    return tuple(
        CalibrationBin(rows=int(n), predicted=float(p), observed=float(o))
        for n, p, o in zip(rows, predicted, observed, strict=True)
    )


def _squared_means(of: Residuals, cadence: Cadence) -> Float64:
    """(w,) squared mean residuals of the windows that are at least half full."""
    interval, place = np.unique(of.second // cadence.interval_s, return_inverse=True)
    sums = np.bincount(place, of.y - of.probability, len(interval))
    rows = np.bincount(place, minlength=len(interval))
    counted = window_sums(interval, cadence.intervals, rows)
    full = 2 * counted >= cadence.rows
    means = window_sums(interval, cadence.intervals, sums)[full] / counted[full]
    squares: Float64 = means**2
    return squares
