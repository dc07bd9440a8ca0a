"""Labels: the realised volatility of the seconds to come, and which of them are spikes.

A label of second s is made of the returns of s+1 … s+horizon and is known at the close of
s+horizon. Labels of neighbouring seconds share all but one return, so what is independent is the
episode and not the row.
"""

import numpy as np
from numpy.typing import NDArray

from barograph.arrays import Float64, Int64
from barograph.codec import NAT
from barograph.errors import BadInputError, TooLittleDataError
from barograph.types import MAX_RETURN_E9

HORIZON_S = 60
"""How far a label looks ahead, in seconds."""

QUANTILE = 0.90
"""Which quantile of the training labels is the spike threshold."""

MAX_HORIZON_S = 900


def future_realized_vol(second: Int64, return_e9: Int64, *, horizon_s: int = HORIZON_S) -> Float64:
    """Root mean square of the `horizon_s` one-second log returns after each second.

    second: (n,) int64, closed seconds of one product, strictly rising; seconds may be missing.
    return_e9: (n,) int64, one-second log returns in 1e-9, `codec.NAT` where not known.
    Returns (n,) float64 in 1/√s. NaN unless each of s+1 … s+horizon_s has a row and a known return.
    The sum of squares is exact, so the label of s equals the feature `realized_vol` of that window
    at s+horizon_s to the bit.
    Raises BadInputError for seconds out of order, a return beyond ±1e8 or a horizon beyond 900.
    Source: Andersen, Bollerslev, Diebold, Labys (2003), Econometrica 71(2).
    """
    known = return_e9 != NAT
    _refuse_unusable(second, return_e9[known], horizon_s)
    label = np.full(len(second), np.nan)
    if len(second) <= horizon_s:
        return label
    returns = np.where(known, return_e9, 0)
    sums = _window_sums((returns * returns).astype(np.uint64), horizon_s).astype(np.int64)
    unknown = _window_sums((~known).astype(np.uint64), horizon_s)
    # Strictly rising whole seconds that are horizon_s apart over horizon_s rows miss none.
    complete = (second[horizon_s:] - second[:-horizon_s] == horizon_s) & (unknown == 0)
    vol = np.sqrt(sums.astype(np.float64) / horizon_s) * 1e-9
    label[:-horizon_s][complete] = vol[complete]
    return label


def tau(training_labels: Float64, *, quantile: float = QUANTILE, min_labels: int = 600) -> float:
    """The spike threshold: a quantile of one product's training labels, in the labels' unit.

    It is the sorted label of rank ceil(quantile · (n − 1)) from 0 (numpy's "higher"), so it is
    always a value that occurred. Missing labels (NaN) are left out.
    Raises TooLittleDataError for fewer than `min_labels` known ones (600 overlapping labels are ten
    independent minutes) and where the quantile is zero: a market that does not move has no spikes.
    """
    known = training_labels[~np.isnan(training_labels)]
    if len(known) < min_labels:
        raise TooLittleDataError(
            "the spike threshold",
            f"{len(known)} known labels",
            f"{min_labels}",
            "Record or simulate more history before training",
        )
    threshold = float(np.quantile(known, quantile, method="higher"))
    if not threshold > 0:
        raise TooLittleDataError(
            "the spike threshold",
            f"a {quantile:.0%} quantile of {threshold:g}",
            "labels that move",
            "Leave this product out or record it while its market is open",
        )
    return threshold


def spikes(label: Float64, tau: float) -> Float64:
    """1.0 where the label is at or above `tau`, 0.0 below it, NaN where the label is missing."""
    return np.where(np.isnan(label), np.nan, (label >= tau).astype(np.float64))


def episodes(second: Int64, spike: Float64, *, horizon_s: int = HORIZON_S) -> Int64:
    """Independent runs of spike seconds: (m, 2) int64, first and last spike second, in time order.

    Two labels at least `horizon_s` apart share no return; a spike second that far after the last
    one opens a new episode, a nearer one prolongs it. Rows may be pooled and unsorted: with the
    rows of several products a second counts when any of them spikes, which counts a storm that
    went through all of them once. Missing labels are no spikes and end nothing.
    """
    storm = np.unique(second[spike == 1.0])
    if len(storm) == 0:
        return np.empty((0, 2), dtype=np.int64)
    opens = np.flatnonzero(np.diff(storm) >= horizon_s) + 1
    first = storm[np.concatenate(([0], opens))]
    last = storm[np.concatenate((opens - 1, [len(storm) - 1]))]
    return np.column_stack((first, last))


def _window_sums(values: NDArray[np.uint64], window: int) -> NDArray[np.uint64]:
    """Sums of values[i+1 … i+window] for each i that has them, exact: uint64 wraps and unwraps."""
    cumulative = np.cumsum(values, dtype=np.uint64)
    return cumulative[window:] - cumulative[:-window]


def _refuse_unusable(second: Int64, returns_e9: Int64, horizon_s: int) -> None:
    if not 1 <= horizon_s <= MAX_HORIZON_S:
        raise BadInputError(
            "horizon_s", f"{horizon_s} is not in 1 … {MAX_HORIZON_S}", "Choose one of these"
        )
    if np.any(second[1:] <= second[:-1]):
        raise BadInputError(
            "feature rows",
            "their seconds do not rise strictly",
            "Give the rows of one product in the order of their seconds",
        )
    if np.any((returns_e9 > MAX_RETURN_E9) | (returns_e9 < -MAX_RETURN_E9)):
        raise BadInputError(
            "feature rows",
            f"a one-second return lies beyond ±{MAX_RETURN_E9} e-9",
            "Such a return is not known: write it as NAT",
        )
