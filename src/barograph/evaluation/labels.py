"""Outcomes: the value that is forecast, a horizon later, and which of them are spikes.

The value of second s + horizon covers the seconds s + 1 … s + horizon and is known at the close of
the last: it is a feature of that row, the same live and in training. Outcomes of neighbouring rows
share nearly all that they are made of, so what is independent is the episode and not the row.
"""

import numpy as np

from barograph.arrays import Float64, Int64
from barograph.errors import BadInputError, TooLittleDataError

HORIZON_S = 60
"""How far a label looks ahead, in seconds."""

QUANTILE = 0.90
"""Which quantile of the training labels is the spike threshold."""


def later(second: Int64, value: Float64, *, horizon_s: int) -> Float64:
    """The outcome of each row: the value of the row `horizon_s` after it.

    second: (n,) int64 of one key's rows, strictly rising; rows may be missing. value: (n,) float64,
    NaN where not known. Returns (n,) float64, NaN where there is no such row or its value is not
    known. Raises BadInputError for seconds out of order and a horizon below 1.
    """
    if horizon_s < 1:
        raise BadInputError("horizon_s", f"{horizon_s} is below 1", "Look ahead")
    if np.any(second[1:] <= second[:-1]):
        raise BadInputError(
            "feature rows",
            "their seconds do not rise strictly",
            "Give the rows of one product in the order of their seconds",
        )
    if not len(second):
        return np.empty(0)
    place = np.minimum(np.searchsorted(second, second + horizon_s), len(second) - 1)
    outcome: Float64 = np.where(second[place] == second + horizon_s, value[place], np.nan)
    return outcome


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
