"""Counts of rows by interval and bin: all that drift is measured on.

Time is cut into intervals of equal length since 1970, and each column's values into the bins of its
reference. Counts add up, so they depend neither on the order of rows nor on the batches in which
they came.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from barograph.arrays import Float64, Int64

Number = TypeVar("Number", Int64, Float64)

BINS = 10
"""Most bins of a column; edges are the deciles of its reference, without repeats."""


class Grid(NamedTuple):
    """Edges and ranges of the columns that are counted.

    edges: (f, BINS - 1) float64, increasing, filled up with infinity; low, high: (f,) float64, the
    lowest and highest value of the reference, NaN without one.
    """

    edges: Float64
    low: Float64
    high: Float64

    def of_bins(self, values: Float64) -> Int64:
        """(…, f) bin of each value (…, f); BINS for NaN."""
        bins: Int64 = (values[..., None] >= self.edges).sum(axis=-1)
        return np.where(np.isnan(values), BINS, bins)

    def outside(self, values: Float64) -> Int64:
        """(…, f) 1 where a value is known and beyond the range, else 0."""
        return ((values < self.low) | (values > self.high)).astype(np.int64)


class Counts(NamedTuple):
    """Counts by interval, in increasing order of intervals.

    interval: (k,) int64, second of a row // seconds of an interval; rows: (k,);
    bins: (k, f, BINS + 1), of which the last counts missing values; outside: (k, f), values beyond
    the range.
    """

    interval: Int64
    rows: Int64
    bins: Int64
    outside: Int64

    def windows(self, intervals: int) -> "Counts":
        """Sums over the `intervals` intervals that end with each one of these."""
        rows, bins, outside = (
            window_sums(self.interval, intervals, of) for of in (self.rows, self.bins, self.outside)
        )
        return Counts(self.interval, rows, bins, outside)

    @property
    def known(self) -> Int64:
        """(k, f) rows with a value."""
        known: Int64 = self.bins[:, :, :BINS].sum(axis=2)
        return known


def window_sums(interval: Int64, intervals: int, of: Number) -> Number:
    """(k, …) sums over the `intervals` intervals that end with each one of (k,) `interval`."""
    start = np.searchsorted(interval, interval - intervals, side="right")
    # Five years of hours and a hundred columns are half a GB: no copy more than needed.
    before = np.zeros((len(of) + 1, *of.shape[1:]), of.dtype)
    np.cumsum(of, axis=0, out=before[1:])
    summed: Number = before[start]
    np.subtract(before[1:], summed, out=summed)
    return summed


def grid(columns: Sequence[tuple[Sequence[float], float, float]]) -> Grid:
    """The grid of columns given as (edges, low, high)."""
    edges = np.full((len(columns), BINS - 1), np.inf)
    for place, (of_column, _, _) in enumerate(columns):
        edges[place, : len(of_column)] = of_column
    return Grid(
        edges,
        np.array([low for _, low, _ in columns], np.float64),
        np.array([high for _, _, high in columns], np.float64),
    )


def edges_of(values: Float64) -> Float64:
    """(at most BINS - 1,) the distinct deciles of the known values; each bin begins at its edge."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.empty(0)
    inner = np.quantile(known, np.arange(1, BINS) / BINS, method="higher")
    return np.unique(inner[inner > known.min()])


def count(second: Int64, values: Float64, cut: Grid, interval_s: int) -> Counts:
    """Count rows. second: (n,) int64; values: (n, f) float64, NaN if unknown; in any order."""
    interval, place = np.unique(second // interval_s, return_inverse=True)
    columns = values.shape[1]
    bins = np.zeros((len(interval), columns, BINS + 1), np.int64)
    outside = np.zeros((len(interval), columns), np.int64)
    # By column, and by whole codes: an order of magnitude quicker than adding at pairs of places.
    for column in range(columns):
        of, shape = values[:, column], (len(interval), BINS + 1)
        places = np.searchsorted(cut.edges[column], of, side="right")
        places[np.isnan(of)] = BINS
        coded = np.bincount(place * (BINS + 1) + places, minlength=shape[0] * shape[1])
        bins[:, column] = coded.reshape(shape)
        beyond = (of < cut.low[column]) | (of > cut.high[column])
        outside[:, column] = np.bincount(place[beyond], minlength=len(interval))
    return Counts(interval, np.bincount(place, minlength=len(interval)), bins, outside)


def merged(parts: Sequence[Counts]) -> Counts:
    """The sum of one or more counts of the same columns."""
    interval, place = np.unique(
        np.concatenate([one.interval for one in parts]), return_inverse=True
    )

    def summed(arrays: list[Int64]) -> Int64:
        every = np.concatenate(arrays)
        out = np.zeros((len(interval), *every.shape[1:]), np.int64)
        np.add.at(out, place, every)
        return out

    return Counts(
        interval,
        summed([one.rows for one in parts]),
        summed([one.bins for one in parts]),
        summed([one.outside for one in parts]),
    )
