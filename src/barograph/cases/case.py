"""What a case is: everything in which one forecast differs from another, handed to the jobs.

A job gets a `Case` and never imports one. Seconds, hours, customers and products have other names
here: a row has an `order` (a time where there is one), a `key` (whose row it is), features and an
`outcome`, from which each fold's training rows make the question that the models answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from barograph.arrays import Bool, Float32, Float64, Int64
from barograph.cases.contract import Stream
from barograph.cases.live_series import LiveSeries
from barograph.errors import BadInputError
from barograph.evaluation.splits import Fold, Rows
from barograph.learning.candidates import Candidate
from barograph.learning.examples import Examples
from barograph.registry.model import ModelFacts

SplitKind = Literal["auto", "walk-forward", "leave-session-out", "stratified"]
"""How folds are cut: by what lies before, by sessions, or by lots where there is no time."""


class Dataset(NamedTuple):
    """Rows as they were prepared for a case, and the hash of what they were made of."""

    frame: pl.DataFrame
    data_hash: str


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a dataset that can be used: every used feature and the outcome are known.

    x: (n, f) float32, the `features` in their order; outcome: (n,) float64; key: (n,) int64, places
    in `keys`; order: (n,) int64, strictly rising within a key, or, without time, a number that rows
    which belong together share; session: (n,) int64, rows of one session follow each other without
    a hole; regime: (n,) int64, rows of one regime lie near each other in time. `left_out` tells for
    each feature that was wanted and is not used why, `unused` how many rows could not be used for
    which reason.
    """

    features: tuple[str, ...]
    x: Float32
    outcome: Float64
    keys: tuple[str, ...]
    key: Int64
    order: Int64
    session: Int64
    regime: Int64
    left_out: Mapping[str, str]
    unused: Mapping[str, int]

    def columns(self, features: tuple[str, ...], rows: Rows) -> Float32:
        """(len(rows), len(features)) float32, C-contiguous: these features of these rows."""
        places = [self.features.index(name) for name in features]
        return np.ascontiguousarray(self.x[rows[:, None], places])

    def weight(self, rows: Rows) -> Float64:
        """(len(rows),), 1 in the mean: a regime of n rows weighs n^¼ in all.

        Ten hours of one night tell hardly more than one does of how the next night will be.
        """
        _, place, count = np.unique(self.regime[rows], return_inverse=True, return_counts=True)
        weight: Float64 = count[place].astype(np.float64) ** -0.75
        if len(rows):
            weight /= weight.mean()
        return weight


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The question of one fold: y (n,) float64 over all rows of the table, 1 yes, 0 no.

    NaN where the fold's training rows do not say what yes means; `left_out` tells for which keys
    and why. `tau` is the outcome from which on a key's answer is yes. `beside` has columns (n,)
    that models may use like features, by name, and that the training rows alone decide.
    """

    y: Float64
    tau: Mapping[str, float]
    left_out: Mapping[str, str]
    beside: Mapping[str, Float64] = field(default_factory=dict)

    def columns(self, table: Table, features: tuple[str, ...], rows: Rows) -> Float32:
        """(len(rows), len(features)) float32, C-contiguous: these features of these rows."""
        x = np.empty((len(rows), len(features)), np.float32)
        for place, name in enumerate(features):
            beside = self.beside.get(name)
            x[:, place] = (
                table.x[rows, table.features.index(name)] if beside is None else beside[rows]
            )
        return x

    def examples(self, table: Table, features: tuple[str, ...], rows: Rows) -> Examples:
        """These rows as a candidate takes them; all must have an answer."""
        return Examples(
            self.columns(table, features, rows),
            self.y[rows] == 1.0,
            table.outcome[rows],
            table.weight(rows),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A binding of words, features, labels and models. All functions are pure.

    `name` is the registry's, `feature_set` identifies the catalogue of the features. `horizon_s` is
    how far a forecast looks ahead, 0 where time plays no part. `baselines` names the candidates
    that cannot be chosen, the first of them the reference that others are told against; `to_beat`
    are those that the gate asks about. `block` is how many following orders the bootstrap takes
    together; of rows to learn from those are taken whose order is a multiple of `stride`.
    `live` is there for a case whose rows follow each other in time, `stream` for one whose records
    are scored each for itself; a case without either is trained, and predicts nothing live.
    """

    name: str
    feature_set: str
    horizon_s: int
    baselines: tuple[str, ...]
    to_beat: tuple[str, ...]
    block: int
    stride: int

    table: Callable[[pl.DataFrame], Table]
    """The usable rows of a dataset. What is chosen here, is chosen without the tested rows."""

    split: Callable[[Table, int, SplitKind], tuple[SplitKind, list[Fold]]]
    """(table, folds, protocol asked for) → the protocol and its folds.

    Each is tested on rows that its other sides do not know.
    """

    target: Callable[[Table, Rows], Target]
    """The question as the training rows, and no others, put it, and what stands beside features."""

    candidates: Callable[[tuple[str, ...]], tuple[Candidate, ...]]
    """All ways to train on a table of these features, the reference among them."""

    threshold: Callable[[Table, Rows, Float64, Float64], float]
    """(table, rows, y, probability) → from which probability on to act, by rows held out."""

    judge: Callable[[Table, Rows, Float64, Bool], dict[str, float]]
    """(table, rows, y, acted) → what acting was worth, by name; NaN where it is not defined."""

    events: Callable[[Table, Rows, Float64], int]
    """How many independent yes there are among rows."""

    span_ns: Callable[[Table, Rows], tuple[int, int]]
    """[start, end) of the time in which rows and their outcomes lie."""

    unseen: Callable[[Table, Rows, ModelFacts], Bool]
    """Which of rows a registered model was not fitted on, nor on anything that they share."""

    live: LiveSeries | None = None

    stream: Stream | None = None

    varied: Callable[[Candidate, np.random.Generator], Candidate] | None = None
    """A candidate that has parameters, with others drawn; None where nothing is searched."""

    threshold_rule: str = ""
    """What `threshold` keeps or seeks, in words."""

    goals: Mapping[str, float] = field(default_factory=dict)
    """What its choices should reach, by the score's name; the model card says whether they do."""

    @property
    def reference(self) -> str:
        """The first of the baselines."""
        return self.baselines[0]


def live_of(case: Case) -> LiveSeries:
    """The live path of a case. Raises BadInputError for a case without one."""
    if case.live is None:
        raise BadInputError(
            f"case {case.name}",
            "its rows do not follow each other in time",
            "Name a case of a series",
        )
    return case.live


def stream_of(case: Case) -> Stream:
    """The stream of a case. Raises BadInputError for a case without one."""
    if case.stream is None:
        raise BadInputError(
            f"case {case.name}", "it has no topic of records", "Name a case that has one"
        )
    return case.stream
