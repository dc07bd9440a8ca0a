"""The live path of a case whose rows follow each other in time.

Records of a source become feature rows by a machine, rows become predictions by a scorer, and one
of a row's own columns says, a horizon later, what came. From a `LiveSeries` alone follow the stages
and their topics, the baseline before there is a model, and the outcome of each prediction.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from barograph.errors import BadInputError
from barograph.machine import Machine


class Baseline(Protocol):
    """What predicts one key of a series before there is a model, from what it has seen so far."""

    @property
    def threshold(self) -> float:
        """The probability from which on its predictions are alarms."""

    def learn(self, second: int, value: float) -> None:
        """Take in the value that is known at the end of a second; seconds rise."""

    def predict(self, value: float) -> tuple[float, float] | None:
        """(probability, tau) at this value now; None as long as too little was seen."""

    def dump(self) -> bytes:
        """The checkpoint: all that was learned."""

    def load(self, checkpoint: bytes) -> None:
        """Take up from a checkpoint; ValueError for one of another kind of baseline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSeries:
    """The topics, rows and outcome of a case whose rows follow each other in time.

    `source` has what the rows are made of; `rows` the feature rows (`types.FeatureRow`), `step_s`
    seconds apart in each key; `predictions` and `shadow` what champion and candidate make of them
    (`types.Prediction`); `dead_letters` what could not be used. `columns` name a row's values in
    their order, `feature_set` identifies their definition. `value_now` is the column that is
    forecast, at least 0 and in `unit`: the outcome of a row is this column of the row `horizon_s`
    later. `staleness` is the column of seconds since the last news, if there is one: rows older
    than the settings allow get the verdict STALE. The groups that work on the topics are called
    `group_prefix` and their stage; two cases of one log need different ones.

    Raises BadInputError for columns that are not there, and a horizon that is no number of steps.
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
    """Makes a machine of records of `source` in, feature rows under their key out.

    None where another case makes these rows already.
    """

    cold_start: Callable[[], Baseline]
    """Makes the baseline of one key."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        named = [name for name in (self.value_now, self.staleness) if name is not None]
        missing = [name for name in named if name not in self.columns]
        if missing:
            why = f"{', '.join(missing)} is no column of its rows"
        elif self.step_s < 1 or self.horizon_s < 1 or self.horizon_s % self.step_s:
            why = f"a horizon of {self.horizon_s} s is no number of steps of {self.step_s} s"
        else:
            return
        raise BadInputError(f"the series of {self.rows}", why, "Correct it")

    @property
    def places(self) -> Mapping[str, int]:
        """{column: its place among a row's values}."""
        return {name: place for place, name in enumerate(self.columns)}
