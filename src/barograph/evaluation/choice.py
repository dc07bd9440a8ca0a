"""The choice among candidates on held-out rows: the simplest that is about as good as the best.

Source: Breiman, Friedman, Olshen, Stone (1984), Classification and Regression Trees, 3.4.3: the
rule of one standard error, here of the paired difference and over blocks of dependent rows.
"""

import numpy as np

from barograph.arrays import Float64, Int64
from barograph.errors import BadInputError


def simplest(loss: Float64, weight: Float64, block: Int64) -> int:
    """The first of k candidates, from simple to complex, within a standard error of the best.

    loss: (k, n) of each candidate on each row; weight: (n,) of the rows, positive; block: (n,)
    numbers of the blocks, rows of different blocks taken as independent. The standard error is that
    of the difference of two weighted means on the same rows; with one block it is unknown, and the
    best is chosen. Raises BadInputError for other shapes or no row.
    """
    if loss.ndim != 2 or not loss.shape[1] or {weight.shape, block.shape} != {loss.shape[1:]}:
        why = f"losses {loss.shape}, weights {weight.shape} and blocks {block.shape} do not fit"
        raise BadInputError("a choice", why, "Give losses (k, n) and n weights and blocks")
    numbers, inverse = np.unique(block, return_inverse=True)
    whole = np.bincount(inverse, weight).astype(np.float64)
    best = int(np.argmin(loss @ weight))
    for place, one in enumerate(loss):
        more = np.bincount(inverse, (one - loss[best]) * weight).astype(np.float64)
        mean = more.sum() / whole.sum()
        if mean <= _standard_error(more, whole, len(numbers)):
            return place
    return best


def _standard_error(more: Float64, whole: Float64, blocks: int) -> float:
    """Of Σ more / Σ whole over independent blocks: the linearised ratio of two sums."""
    if blocks < 2:
        return 0.0
    off = more - more.sum() / whole.sum() * whole
    return float(np.sqrt(blocks / (blocks - 1) * (off @ off)) / whole.sum())
