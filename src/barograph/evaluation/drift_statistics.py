"""How far the shares of two sets of bins are apart, and how long values remember."""

import numpy as np

from barograph.arrays import Float64, Int64

SMOOTHING = 0.01
"""Added to each share before the PSI, so that an empty bin does not outweigh all others."""


def shares_of(counts: Int64) -> Float64:
    """(…, bins) share of each bin of (…, bins) counts; zeros where all are empty."""
    shares: Float64 = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    return shares


def psi(p: Float64, q: Float64) -> Float64:
    """(…,) population stability index of shares (…, bins), each smoothed by `SMOOTHING`."""
    whole = 1 + SMOOTHING * p.shape[-1]
    p, q = (p + SMOOTHING) / whole, (q + SMOOTHING) / whole
    index: Float64 = ((p - q) * np.log(p / q)).sum(axis=-1)
    return index


def shift(p: Float64, q: Float64) -> Float64:
    """(…,) squared largest difference of the cumulative shares of (…, bins)."""
    difference: Float64 = np.abs(np.cumsum(p, axis=-1) - np.cumsum(q, axis=-1)).max(axis=-1)
    return difference**2


def memory_s(used: Int64, total: Int64, window_s: int) -> float:
    """Integrated autocorrelation time of the bins, in seconds, by batch means.

    used: (windows, bins) counts of windows of `window_s`; total: (bins,) counts of all rows. It is
    the variance of windows' mean bins over that of rows, times the window.
    """
    place = np.arange(len(total))
    rows, mean = total.sum(), total @ place / total.sum()
    variance = float(total @ (place - mean) ** 2 / rows)
    if not variance:
        return 0.0
    means = used @ place / used.sum(axis=1)
    return float(((means - mean) ** 2).mean() / variance * window_s)
