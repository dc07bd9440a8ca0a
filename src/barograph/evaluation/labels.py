"""Outcomes (the forecast value one horizon later), spikes and episodes.

The value of second s + horizon covers the seconds s + 1 … s + horizon and is known at the close of
the last: it is a feature of that row, identical live and in training. Outcomes of neighbouring rows
overlap almost entirely, so episodes are independent and rows are not.
"""

from collections import deque

import numpy as np

from barograph.arrays import Float64, Int64
from barograph.errors import BadInputError, TooLittleDataError

HORIZON_S = 60
"""Forecast horizon of the labels in seconds."""

QUANTILE = 0.90
"""Quantile of the training labels that is the spike threshold."""

LEAST_LABELS = 600
"""Fewest known labels for a spike threshold."""


def least_labels(horizon_s: int) -> int:
    """The fewest labels of rows a second apart for a threshold: ten independent ones."""
    return max(LEAST_LABELS, 10 * horizon_s)


def later(second: Int64, value: Float64, *, horizon_s: int) -> Float64:
    """The outcome of each row: the value of the row `horizon_s` later.

    second: (n,) int64 of one key's rows, strictly increasing; rows may be missing. value: (n,)
    float64, NaN if unknown. Returns (n,) float64, NaN if that row is missing or its value unknown.
    Raises BadInputError for seconds out of order and a horizon below 1.
    """
    if horizon_s < 1:
        raise BadInputError("horizon_s", f"{horizon_s} is below 1", "Use 1 or more")
    if np.any(second[1:] <= second[:-1]):
        raise BadInputError(
            "feature rows",
            "their seconds are not strictly increasing",
            "Give the rows of one product in the order of their seconds",
        )
    if not len(second):
        return np.empty(0)
    place = np.minimum(np.searchsorted(second, second + horizon_s), len(second) - 1)
    outcome: Float64 = np.where(second[place] == second + horizon_s, value[place], np.nan)
    return outcome


def came_due(waiting: deque[int], second: int) -> bool:
    """Whether a row at `second` waits for its outcome, which has come; earlier ones never get one.

    waiting: increasing seconds of one key's rows; those up to `second` are removed.
    """
    while waiting and waiting[0] < second:
        waiting.popleft()
    if not waiting or waiting[0] != second:
        return False
    waiting.popleft()
    return True


def tau(
    training_labels: Float64,
    *,
    quantile: float = QUANTILE,
    min_labels: int = LEAST_LABELS,
    stands_for: Int64 | None = None,
) -> float:
    """The spike threshold: a quantile of one product's training labels, in the labels' unit.

    It is the sorted label of rank ceil(quantile · (n − 1)) from 0 (numpy's "higher"), so it is
    always an observed value. Missing labels (NaN) are ignored. stands_for: (n,) how many labels
    each one stands for, one where it is None.
    Raises TooLittleDataError for fewer than `min_labels` known labels (600 overlapping labels are
    ten independent minutes) and if the quantile is zero: a constant market has no spikes.
    """
    is_known = ~np.isnan(training_labels)
    known = training_labels[is_known]
    count = len(known) if stands_for is None else int(stands_for[is_known].sum())
    if count < min_labels:
        raise TooLittleDataError(
            "the spike threshold",
            f"{count} known labels",
            f"{min_labels}",
            "Record or simulate more history before training",
        )
    threshold = (
        float(np.quantile(known, quantile, method="higher"))
        if stands_for is None
        else repeated_quantile(known, stands_for[is_known], quantile)
    )
    if not threshold > 0:
        raise TooLittleDataError(
            "the spike threshold",
            f"a {quantile:.0%} quantile of {threshold:g}",
            "labels above zero",
            "Leave this product out or record it while its market is open",
        )
    return threshold


def repeated_quantile(values: Float64, times: Int64, quantile: float) -> float:
    """The quantile (numpy's "higher") of the values (n,), each repeated so many `times` (n,).

    n and times are at least 1.
    """
    order = np.argsort(values, kind="stable")
    until = np.cumsum(times[order])
    rank = np.ceil((until[-1] - 1) * quantile)
    return float(values[order[np.searchsorted(until, rank, side="right")]])


def spikes(label: Float64, tau: float) -> Float64:
    """(n,) 1.0 for labels at or above `tau`, 0.0 below it, NaN for missing labels."""
    return np.where(np.isnan(label), np.nan, (label >= tau).astype(np.float64))


def episodes(second: Int64, spike: Float64, *, horizon_s: int = HORIZON_S) -> Int64:
    """Independent runs of spike seconds: (m, 2) int64, first and last spike second, in time order.

    Labels at least `horizon_s` apart share no return: a spike second that far after the last one
    starts a new episode, a nearer one extends it. Rows may be pooled and unsorted: a second counts
    if any product spikes, so a storm across several products counts once. Missing labels neither
    start nor end an episode.
    """
    storm = np.unique(second[spike == 1.0])
    if len(storm) == 0:
        return np.empty((0, 2), dtype=np.int64)
    opens = np.flatnonzero(np.diff(storm) >= horizon_s) + 1
    first = storm[np.concatenate(([0], opens))]
    last = storm[np.concatenate((opens - 1, [len(storm) - 1]))]
    return np.column_stack((first, last))
