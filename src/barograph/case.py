"""What a case is: everything in which one forecast differs from another, handed to the jobs.

A job gets a `Case` and never imports one. Seconds, hours, customers and products have other names
here: a row has an `order` (a time where there is one), a `key` (whose row it is), features and an
`outcome`, from which each fold's training rows make the question that the models answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from barograph.candidates import Candidate, Examples
from barograph.contract import Contract
from barograph.models import Float32, Float64, ModelFacts
from barograph.splits import Fold, Rows

Ints = npt.NDArray[np.int64]


class Dataset(NamedTuple):
    """Rows as they were prepared for a case, and the hash of what they were made of."""

    frame: pl.DataFrame
    data_hash: str


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The rows of a dataset that can be used: every used feature and the outcome are known.

    x: (n, f) float32, the `features` in their order; outcome: (n,) float64; key: (n,) int64, places
    in `keys`; order: (n,) int64, strictly rising within a key, or, without time, a number that rows
    which belong together share; session: (n,) int64, rows of one session follow each other without
    a hole. `left_out` tells for each feature that was wanted and is not used why, `unused` how many
    rows could not be used for which reason.
    """

    features: tuple[str, ...]
    x: Float32
    outcome: Float64
    keys: tuple[str, ...]
    key: Ints
    order: Ints
    session: Ints
    left_out: Mapping[str, str]
    unused: Mapping[str, int]

    def columns(self, features: tuple[str, ...], rows: Rows) -> Float32:
        """(len(rows), len(features)) float32, C-contiguous: these features of these rows."""
        places = [self.features.index(name) for name in features]
        return np.ascontiguousarray(self.x[rows[:, None], places])


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The question of one fold: y (n,) float64 over all rows of the table, 1 yes, 0 no.

    NaN where the fold's training rows do not say what yes means; `left_out` tells for which keys
    and why. `tau` is the outcome from which on a key's answer is yes.
    """

    y: Float64
    tau: Mapping[str, float]
    left_out: Mapping[str, str]

    def examples(self, table: Table, features: tuple[str, ...], rows: Rows) -> Examples:
        """These rows as a candidate takes them; all must have an answer."""
        return Examples(table.columns(features, rows), self.y[rows] == 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The topics and the contract of a case whose records are scored as they come, each for itself.

    `source` has the records, `target` gets a `RecordPrediction` for each that keeps the contract,
    `dead_letters` the others.
    """

    contract: Contract
    source: str
    target: str
    dead_letters: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A binding of words, features, labels and models. All functions are pure.

    `name` is the registry's, `feature_set` identifies the catalogue of the features. `horizon_s` is
    how far a forecast looks ahead, 0 where time plays no part. `reference` names the candidate that
    every other must beat. `block` is how many following orders the bootstrap takes together.
    `stream` is None for a case whose records only the market's own pipeline makes.
    """

    name: str
    feature_set: str
    horizon_s: int
    reference: str
    block: int

    table: Callable[[pl.DataFrame], Table]
    """The usable rows of a dataset. What is chosen here, is chosen without the tested rows."""

    split: Callable[[Table, int], list[Fold]]
    """That many folds, each tested on rows that its other sides do not know."""

    target: Callable[[Table, Rows], Target]
    """The question as the training rows, and no others, put it."""

    candidates: Callable[[tuple[str, ...]], tuple[Candidate, ...]]
    """All ways to train on a table of these features, the reference among them."""

    threshold: Callable[[Table, Rows, Float64, Float64], float]
    """(table, rows, y, probability) → from which probability on to act, by validation rows."""

    judge: Callable[[Table, Rows, Float64, npt.NDArray[np.bool_]], dict[str, float]]
    """(table, rows, y, acted) → what acting was worth, by name; NaN where it is not defined."""

    events: Callable[[Table, Rows, Float64], int]
    """How many independent yes there are among rows."""

    span_ns: Callable[[Table, Rows], tuple[int, int]]
    """[start, end) of the time in which rows and their outcomes lie."""

    unseen: Callable[[Table, Rows, ModelFacts], npt.NDArray[np.bool_]]
    """Which of rows a registered model was not fitted on, nor on anything that they share."""

    stream: Stream | None = None
