"""The usual drift tests, which take rows as independent: to stand beside those of `drift`.

On autocorrelated rows they alarm nearly always (`docs/drift.md`).
"""

import math

import numpy as np

from barograph.arrays import Float64
from barograph.evaluation.drift_counts import edges_of

KS_LEVEL = 0.05
"""Usual level of the Kolmogorov–Smirnov test of each column."""

PSI_LIMIT = 0.2
"""Usual limit of the population stability index."""

_LEAST_SHARE = 1e-4


def kolmogorov_smirnov(before: Float64, after: Float64) -> tuple[float, float]:
    """(largest difference of the distribution functions, its asymptotic p-value); NaN is left out.

    NaN for both where one side has no value.
    Source: Hodges (1958), Arkiv för Matematik 3(5).
    """
    from scipy import special  # noqa: PLC0415 - only who reports

    one, other = np.sort(before[~np.isnan(before)]), np.sort(after[~np.isnan(after)])
    if not len(one) or not len(other):
        return math.nan, math.nan
    # Between two values of the second side its function is flat, so both ends of each flat count.
    steps = np.arange(len(other) + 1) / len(other)
    at, just_below = (
        np.searchsorted(one, other, side=side) / len(one) for side in ("right", "left")
    )
    last = np.append(other[1:] != other[:-1], True)
    first = np.append(True, last[:-1])
    distance = float(
        max(np.abs(at - steps[1:])[last].max(), np.abs(just_below - steps[:-1])[first].max())
    )
    rows = len(one) * len(other) / (len(one) + len(other))
    return distance, float(special.kolmogorov(math.sqrt(rows) * distance))


def stability_index(before: Float64, after: Float64) -> float:
    """The PSI over the deciles of `before`, with shares of at least 1e-4; NaN is left out."""
    one, other = before[~np.isnan(before)], after[~np.isnan(after)]
    if not len(one) or not len(other):
        return math.nan
    edges = edges_of(one)
    shares = [
        np.maximum(
            np.bincount(np.searchsorted(edges, side, side="right"), minlength=len(edges) + 1)
            / len(side),
            _LEAST_SHARE,
        )
        for side in (one, other)
    ]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
