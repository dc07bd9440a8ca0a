"""The definition of a forecast case, which jobs receive as an argument.

Jobs never import a case. Names are neutral here: a row has an `order` (a time if there is one), a
`key` (a product, a customer), features and an `outcome`, from which each fold's training rows
derive the binary target of the models.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import lcm
from typing import Any, Literal, NamedTuple, Self

import msgspec
import numpy as np
import polars as pl

from barograph.arrays import Bool, Float32, Float64, Int64
from barograph.cases.contract import Stream
from barograph.cases.live_series import LiveSeries
from barograph.cases.sampled import SampledRows, SampleFacts
from barograph.errors import BadInputError
from barograph.evaluation.conformal import LevelRule
from barograph.evaluation.splits import Fold, Rows
from barograph.learning.candidates import Candidate
from barograph.learning.examples import Examples
from barograph.registry.model import TAU, ModelFacts

SplitKind = Literal["auto", "walk-forward", "leave-session-out", "stratified", "given"]
"""How folds are cut: by time, by session, stratified at random without time, or as given."""


class Dataset(NamedTuple):
    """The prepared rows of a case, and the hash of their source data.

    `sample` says what was kept where not all rows are in `frame`.
    """

    frame: pl.DataFrame
    data_hash: str
    sample: SampleFacts | None = None


class Axis(msgspec.Struct, frozen=True):
    """How a quantity is shown: its name, and the unit in which it is `scale` times its value."""

    name: str
    unit: str = ""
    scale: float = 1.0

    @property
    def title(self) -> str:
        """The name with its unit, as it stands on an axis."""
        return f"{self.name}, {self.unit}" if self.unit else self.name

    def text(self, value: float) -> str:
        """A value in the axis' unit, to three significant digits."""
        return f"{value * self.scale:.3g} {self.unit}".rstrip()


OUTCOME, LEVEL = Axis("outcome"), Axis("level")


@dataclass(frozen=True, eq=False)
class Table:
    """The usable rows of a dataset: every used feature and the outcome are known.

    x: (n, f) float32, the `features` in order; outcome: (n,) float64; key: (n,) int64, indices into
    `keys`; order: (n,) int64, strictly increasing within a key, or, without time, a group number
    shared by related rows; session: (n,) int64, rows of one session have no hole between them;
    regime: (n,) int64, rows of one regime are close in time. `left_out` maps each wanted but unused
    feature to the reason, `unused` each reason to its number of unusable rows. `level`: (n,) float,
    what the model card draws beside the forecasts, as the price of a market; None for nothing.
    `sampled` says what each row stands for where the history was sampled; None where all rows are
    there.
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
    level: Float64 | None = None
    sampled: SampledRows | None = None

    def columns(self, features: tuple[str, ...], rows: Rows) -> Float32:
        """(len(rows), len(features)) float32, C-contiguous: these features of these rows."""
        places = [self.features.index(name) for name in features]
        return np.ascontiguousarray(self.x[rows[:, None], places])

    def stands_for(self, rows: Rows, spacing: int = 1) -> Int64 | None:
        """(len(rows),) how many rows each stands for; None where each is one of its own.

        spacing: of `rows`, in rows of the table: one that stands for fewer has been thinned.
        """
        return None if self.sampled is None else np.maximum(self.sampled.stands_for[rows], spacing)

    def weight(self, rows: Rows, spacing: int = 1) -> Float64:
        """Sample weights (len(rows),) with mean 1; a regime of n rows has total weight n^¼.

        More rows of the same regime add little information about the next regime. spacing: of
        `rows`, in rows of the table. Of a sampled history n are the rows that are stood for, and
        the sum of the weights is what it is of those, thinned alike.
        """
        stands_for = self.stands_for(rows, spacing)
        if stands_for is not None:
            return _represented(self.regime[rows], stands_for, spacing)
        _, place, count = np.unique(self.regime[rows], return_inverse=True, return_counts=True)
        weight: Float64 = count[place].astype(np.float64) ** -0.75
        if len(rows):
            weight /= weight.mean()
        return weight

    def complete(self) -> Self:
        """The table without the rows of a sampled history."""
        if self.sampled is None:
            return self
        return replace(self.only(np.flatnonzero(~self.sampled.history)), sampled=None)

    def only(self, rows: Rows) -> Self:
        """The table with these rows alone."""
        return replace(self, **self._of_rows(rows))

    def _of_rows(self, rows: Rows) -> dict[str, Any]:
        """The fields that have an element for each row, of these rows."""
        each: dict[str, Any] = {
            "x": self.x,
            "outcome": self.outcome,
            "key": self.key,
            "order": self.order,
            "session": self.session,
            "regime": self.regime,
            "level": self.level,
        }
        of_rows: dict[str, Any] = {
            name: column[rows] for name, column in each.items() if column is not None
        }
        if self.sampled is not None:
            of_rows["sampled"] = self.sampled.only(rows)
        return of_rows


def _represented(regime: Int64, stands_for: Int64, spacing: int) -> Float64:
    """(n,) weights of rows that stand for others, as `Table.weight` says."""
    _, place = np.unique(regime, return_inverse=True)
    share = stands_for * np.bincount(place, stands_for)[place] ** -0.75
    weight: Float64 = share * (stands_for.sum() / spacing / max(share.sum(), 1e-300))
    return weight


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The binary target of one fold: y (n,) float64 over all rows of the table, 1 or 0.

    y is NaN for keys whose training rows cannot define the target; `left_out` maps these keys to
    the reason. `tau` maps a key to the outcome from which y is 1. `beside` has further columns (n,)
    by name, derived from the training rows alone, that models may use like features.
    """

    y: Float64
    tau: Mapping[str, float]
    left_out: Mapping[str, str]
    beside: Mapping[str, Float64] = field(default_factory=dict)

    def columns(self, table: Table, features: tuple[str, ...], rows: Rows) -> Float32:
        """(len(rows), len(features)) float32, C-contiguous: features or `beside` columns."""
        x = np.empty((len(rows), len(features)), np.float32)
        for place, name in enumerate(features):
            beside = self.beside.get(name)
            x[:, place] = (
                table.x[rows, table.features.index(name)] if beside is None else beside[rows]
            )
        return x

    def examples(
        self, table: Table, features: tuple[str, ...], rows: Rows, spacing: int = 1
    ) -> Examples:
        """Training examples of `rows`; y must not be NaN in any of them.

        spacing: as for `Table.weight`. Rows of a sampled history are left out where a `beside`
        column among the features is not known in it.
        """
        if table.sampled is not None:
            beside = [self.beside[name] for name in features if name in self.beside]
            for column in beside:
                rows = rows[~(table.sampled.history[rows] & np.isnan(column[rows]))]
        return Examples(
            self.columns(table, features, rows),
            self.y[rows] == 1.0,
            table.outcome[rows],
            table.weight(rows, spacing),
            table.stands_for(rows, spacing),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One forecast case: its features, target, models and rules. All functions are pure.

    `name` is the name in the registry, `feature_set` identifies the feature definitions.
    `horizon_s` is how far a forecast looks ahead, 0 without time. `baselines` names the candidates
    that cannot be chosen; the first is the reference for comparisons. `to_beat` names those that
    the gate compares with. `block` is the bootstrap's block length in consecutive orders; only rows
    whose order is a multiple of `stride` are trained on.
    A series case has `live`, a record case `stream`; a case with neither is trained but makes no
    live predictions.
    """

    name: str
    feature_set: str
    horizon_s: int
    baselines: tuple[str, ...]
    to_beat: tuple[str, ...]
    block: int
    stride: int
    longest_window_s: int = 0
    """How far back a feature looks at most, in seconds; 0 where rows have no time."""

    table: Callable[[pl.DataFrame], Table]
    """Dataset → its usable rows. It must not choose anything by the tested rows."""

    split: Callable[[Table, int, SplitKind], tuple[SplitKind, list[Fold]]]
    """(table, number of folds, requested protocol) → the protocol used and its folds.

    No fold's test rows share information with its other parts.
    """

    target: Callable[[Table, Rows], Target]
    """(table, training rows) → the target, derived from the training rows alone."""

    candidates: Callable[[tuple[str, ...]], tuple[Candidate, ...]]
    """Features → all candidates that can be trained on them, the reference included."""

    threshold: Callable[[Table, Rows, Float64, Float64], float]
    """(table, held-out rows, y, probability) → the probability from which to act."""

    judge: Callable[[Table, Rows, Float64, Bool], dict[str, float]]
    """(table, rows, y, acted) → scores of acting by name; NaN if undefined."""

    events: Callable[[Table, Rows, Float64], int]
    """(table, rows, y) → the number of independent positives."""

    span_ns: Callable[[Table, Rows], tuple[int, int]]
    """(table, rows) → [start, end) in Unix nanoseconds of the rows and their outcomes."""

    unseen: Callable[[Table, Rows, ModelFacts], Bool]
    """(table, rows, facts) → mask of the rows that share no information with the model's fit."""

    live: LiveSeries | None = None

    stream: Stream | None = None

    at_quantile: Callable[[float], Callable[[Table, Rows], Target]] | None = None
    """Quantile of the training outcomes → the `target` of that; None where no quantile counts."""

    table_with: Callable[[tuple[str, ...]], Callable[[pl.DataFrame], Table]] | None = None
    """Features → the `table` with these too, whatever rows they cost; None if `table` has all."""

    level: LevelRule | None = None
    """How a series' value itself is forecast, with intervals; None if only its reaching tau is.

    With a level, models are chosen and promoted by QLIKE of the value's forecast.
    """

    prefers_simple: bool = False
    """Whether `candidates` are listed from simple to complex, and the first one is chosen whose log
    loss on held-out rows is within a standard error of the lowest, baselines included.

    Otherwise the one with the lowest is, and no baseline.
    """

    refit: bool = False
    """Whether the registered model is fitted on all rows, and not as its last fold tested it."""

    samples_history: bool = False
    """Whether `table`, `split` and `target` take rows of a sampled history (`cases.sampled`)."""

    varied: Callable[[Candidate, np.random.Generator], Candidate] | None = None
    """(candidate, rng) → the candidate with other hyperparameters; None for no search."""

    threshold_rule: str = ""
    """The rule of `threshold` in words, for the model card."""

    goals: Mapping[str, float] = field(default_factory=dict)
    """Score name → the value to reach; the model card says whether the choices reach it."""

    outcome_axis: Axis = OUTCOME
    """How the model card shows outcomes and tau."""

    level_axis: Axis = LEVEL
    """How the model card shows `Table.level`."""

    @property
    def spacing(self) -> int:
        """How many rows of a key follow each other from one on the stride to the next."""
        step = 1 if self.live is None else self.live.step_s
        return lcm(self.stride, step) // step

    @property
    def reference(self) -> str:
        """Name of the first baseline."""
        return self.baselines[0]


Own = Callable[[tuple[str, ...]], Sequence[Candidate]]
"""Features → candidates of the caller's own."""


def adapted(
    case: Case,
    *,
    quantile: float | None = None,
    candidates: Collection[str] = (),
    own: Sequence[Candidate | Own] = (),
) -> Case:
    """The case with another quantile as its tau, and with these candidates beside its baselines.

    candidates: names of the case's. own: candidates besides, or functions of the features that
    return some; a row is used if the features that these name are known too. None and no candidate
    leave the case as it is. Raises BadInputError for a quantile where the case has none, and for a
    feature that its rows never have; its candidates raise it for a name that is not among them, or
    is twice.
    """
    if quantile is not None:
        if case.at_quantile is None:
            raise BadInputError(
                f"--quantile {quantile:g}",
                f"what counts in case {case.name} is not a quantile",
                "Leave it out",
            )
        case = replace(case, target=case.at_quantile(quantile))
    needed = [name for one in own if isinstance(one, Candidate) for name in one.features]
    if needed and case.table_with is not None:
        names = tuple(name for name in dict.fromkeys(needed) if name != TAU)
        case = replace(case, table=case.table_with(names))
    if candidates or own:
        case = replace(case, candidates=partial(_some, case, frozenset(candidates), tuple(own)))
    return case


def _some(
    case: Case,
    names: frozenset[str],
    own: tuple[Candidate | Own, ...],
    features: tuple[str, ...],
) -> tuple[Candidate, ...]:
    """The baselines of a case, the named ones of its other candidates, and those of the caller."""
    every = case.candidates(features)
    eligible = [each.name for each in every if each.name not in case.baselines]
    if unknown := sorted(names.difference(eligible)):
        raise BadInputError(
            f"--candidates {unknown[0]}",
            f"case {case.name} has no such candidate on these features",
            f"Name some of {', '.join(eligible)}; the baselines are always tested",
        )
    kept = names.union(case.baselines)
    of_case = tuple(each for each in every if each.name in kept)
    beside = [
        each for one in own for each in ([one] if isinstance(one, Candidate) else one(features))
    ]
    taken = [each.name for each in (*of_case, *beside)]
    if twice := sorted({name for name in taken if taken.count(name) > 1}):
        raise BadInputError(
            f"candidate {twice[0]}",
            f"two are called that in case {case.name}",
            "Give it a name of its own",
        )
    return (*of_case, *beside)


def live_of(case: Case) -> LiveSeries:
    """The live path of a case. Raises BadInputError for a case without one."""
    if case.live is None:
        raise BadInputError(
            f"case {case.name}",
            "it is not a series",
            "Name a case of a series",
        )
    return case.live


def stream_of(case: Case) -> Stream:
    """The stream of a case. Raises BadInputError for a case without one."""
    if case.stream is None:
        raise BadInputError(
            f"case {case.name}", "it has no topic of records", "Name a case of records"
        )
    return case.stream
