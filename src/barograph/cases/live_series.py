"""The live path of a series case.

A machine turns source records into feature rows, a scorer turns rows into predictions, and a column
of the row one horizon later gives the outcome. A `LiveSeries` defines all of it: topics, stages,
the baseline before there is a model, and the outcome of each prediction.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from barograph.errors import BadInputError
from barograph.machine import Machine


class Baseline(Protocol):
    """Predicts one key of a series before there is a model, from its values so far."""

    @property
    def threshold(self) -> float:
        """Probability from which its predictions are alarms."""

    def learn(self, second: int, value: float) -> None:
        """Learn the value at the end of `second`; called with increasing seconds."""

    def predict(self, value: float) -> tuple[float, float] | None:
        """(probability, tau) at the current `value`; None until enough was learned."""

    def dump(self) -> bytes:
        """Serialise everything learned as a checkpoint."""

    def load(self, checkpoint: bytes) -> None:
        """Restore a checkpoint. Raises ValueError for one of another kind of baseline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSeries:
    """The topics, rows and outcome of a series case.

    Topics: `source` has the records that rows are computed from; `rows` the feature rows
    (`types.FeatureRow`), `step_s` seconds apart within a key; `predictions` and `shadow` those of
    champion and candidate (`types.Prediction`); `dead_letters` the refused records. `columns` names
    a row's values in order, `feature_set` identifies their definition. `value_now` is the forecast
    column, non-negative and in `unit`: a row's outcome is this column of the row `horizon_s` later.
    `staleness` optionally names the column of seconds since the last record; rows older than the
    settings allow get the verdict STALE. Consumer groups are named `group_prefix` plus stage; cases
    that share a log need different prefixes.

    Raises BadInputError for a column not in `columns`, or a horizon that is not a multiple of
    `step_s`.
    """

    source: str
    rows: str
    predictions: str
    shadow: str
    dead_letters: str
    group_prefix: str
    columns: tuple[str, ...]
    feature_set: str
    value_now: str
    unit: str
    step_s: int
    horizon_s: int
    staleness: str | None = None

    machine: Callable[[], Machine] | None
    """Returns a new machine that turns records of `source` into feature rows by key.

    None if another case already computes these rows: that of `rows_by`.
    """

    rows_by: str = ""
    """Name of the case whose machine computes the rows, where it is another one."""

    cold_start: Callable[[], Baseline]
    """Returns a new baseline for one key."""

    def __post_init__(self) -> None:
        """Validate columns and horizon."""
        named = [name for name in (self.value_now, self.staleness) if name is not None]
        missing = [name for name in named if name not in self.columns]
        if missing:
            why = f"{', '.join(missing)} is not a column of its rows"
        elif self.step_s < 1 or self.horizon_s < 1 or self.horizon_s % self.step_s:
            why = f"a horizon of {self.horizon_s} s is not a multiple of {self.step_s} s"
        else:
            return
        raise BadInputError(f"the series of {self.rows}", why, "Correct it")

    @property
    def places(self) -> Mapping[str, int]:
        """Column name → index among a row's values."""
        return {name: place for place, name in enumerate(self.columns)}
