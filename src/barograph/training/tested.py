"""What a candidate did in one fold."""

from dataclasses import dataclass

from barograph.arrays import Bool, Float64
from barograph.learning.candidates import Candidate
from barograph.learning.fitted import Fitted


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """A candidate in one fold: its model, predictions for the test rows (n,), and threshold.

    `z` is its uncalibrated log-odds there. `selection` is its log loss on the held-out rows (m,),
    or its QLIKE where the case has a level; `held_out` are its forecasts of those rows, None
    without one, and `held_out_probability` its probabilities.
    """

    candidate: Candidate
    fitted: Fitted
    z: Float64
    probability: Float64
    volatility: Float64 | None
    held_out: Float64 | None
    held_out_probability: Float64
    threshold: float
    selection: float

    @property
    def acted(self) -> Bool:
        """(n,) mask of the test rows with an alarm."""
        return self.probability >= self.threshold
