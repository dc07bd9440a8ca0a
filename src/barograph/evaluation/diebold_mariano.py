"""The Diebold–Mariano test: is one forecast better than another, given autocorrelated losses?

Source: Diebold, Mariano (1995), J. Business & Economic Statistics 13(3); the variance with Bartlett
weights by Newey, West (1987), Econometrica 55(3).
"""

import math

import msgspec
import numpy as np

from barograph.arrays import Float64, Int64
from barograph.errors import BadInputError


class DieboldMariano(msgspec.Struct, frozen=True, kw_only=True):
    """Mean loss of one forecast minus another's, over its standard error, and the p-value of that.

    `p_value` is two-sided, of the normal distribution; both are NaN if the losses do not differ.
    `lags` autocovariances of the difference were counted.
    """

    statistic: float
    p_value: float
    lags: int


def diebold_mariano(order: Int64, difference: Float64, lags: int) -> DieboldMariano:
    """Test whether the mean of loss differences (n,) is zero.

    order: (n,) of the rows, in any order; rows of one order count as their mean, and holes are
    passed over. lags: at least the horizon in steps, less one. Raises BadInputError without rows,
    for unequal lengths and for negative lags.
    """
    if len(order) == 0 or len(order) != len(difference) or lags < 0:
        why = f"{len(order)} orders, {len(difference)} differences, {lags} lags"
        raise BadInputError("losses to compare", why, "Give a difference for each row")
    _, place, count = np.unique(order, return_inverse=True, return_counts=True)
    series = np.bincount(place, difference) / count
    mean = float(series.mean())
    off = series - mean
    n = len(series)
    lags = min(lags, n - 1)
    variance = float(off @ off)
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(off[lag:] @ off[:-lag])
    if not variance > 0:
        return DieboldMariano(statistic=math.nan, p_value=math.nan, lags=lags)
    statistic = mean / math.sqrt(variance) * n
    p_value = math.erfc(abs(statistic) / math.sqrt(2))
    return DieboldMariano(statistic=statistic, p_value=p_value, lags=lags)
