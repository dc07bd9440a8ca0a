"""Training examples, and helpers that all learners share."""

from collections.abc import Callable, Sequence

import numpy as np

from barograph.arrays import Bool, Float32, Float64, Int64
from barograph.errors import BadInputError, TooLittleDataError
from barograph.learning.fitted import Chance, Core, Fitted, Linear, LogLogistic, Odds, Seen, View


class Examples:
    """Validated training examples.

    `x` float32 (n, f), C-contiguous, finite; `y` bool (n,), True for positive; `outcome` (n,) the
    value from which y is derived, or y itself; `weight` (n,) with mean about 1, or about the mean
    of `count`. `count` (n,) is how many rows each stands for, None where each is one of its own.
    The caller leaves out rows with a missing feature or label: nothing is imputed. Raises
    BadInputError for other shapes, types or values.
    """

    __slots__ = ("count", "outcome", "weight", "x", "y")

    def __init__(
        self,
        x: Float32,
        y: Bool,
        outcome: Float64 | None = None,
        weight: Float64 | None = None,
        count: Int64 | None = None,
    ) -> None:
        why = ""
        if x.ndim != 2 or x.dtype != np.float32 or not x.flags.c_contiguous:
            why = f"features are {x.dtype} {x.shape}, not C-contiguous float32 (n, f)"
        elif y.dtype != np.bool_ or y.shape != x.shape[:1]:
            why = f"labels are {y.dtype} {y.shape}, not bool ({len(x)},)"
        elif not np.isfinite(x).all():
            why = "a feature is NaN or infinite"
        if why:
            raise BadInputError("training rows", why, "Keep the rows whose used features are known")
        self.x, self.y = x, y
        self.outcome = y.astype(np.float64) if outcome is None else outcome
        self.weight = np.ones(len(y)) if weight is None else weight
        self.count = count

    def only(self, places: Sequence[int]) -> "Examples":
        """The same examples with these columns of x alone, in this order."""
        x = np.ascontiguousarray(self.x[:, list(places)])
        return Examples(x, self.y, self.outcome, self.weight, self.count)


Learner = Callable[[Examples, int], Fitted]
"""(training examples, seed) → a model without calibration."""


def uncalibrated(view: View, core: Core, head: Odds | Chance | LogLogistic) -> Fitted:
    """A model without calibration, name and features, which `Candidate.prove` sets."""
    return Fitted("", (), view, core, head)


def unweighted(seen: Seen, limit: float = np.inf, count: Int64 | None = None) -> Linear:
    """A `Linear` that standardises columns like `seen` (n, m), with zero weights.

    count: (n,) how many rows each stands for; None where each is one of its own.
    """
    values = seen.astype(np.float64)
    if count is None:
        mean, deviation = values.mean(axis=0), values.std(axis=0)
    else:
        mean = np.average(values, axis=0, weights=count)
        deviation = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=count))
    # An infinite scale removes columns that are constant in training.
    constant = deviation <= 1e-9 * np.abs(mean)
    scale = np.where(constant, np.inf, deviation)
    return Linear(mean, scale, np.zeros(len(mean)), 0.0, limit)


def both_kinds(y: Bool) -> None:
    """Raise TooLittleDataError unless y (n,) has both positives and negatives."""
    if y.all() or not y.any():
        raise TooLittleDataError(
            "the training slice",
            f"{int(y.sum())} positives in {len(y)} rows",
            "positives and negatives",
            "Record more, or make the slice longer",
        )
