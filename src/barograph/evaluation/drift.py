"""Drift: do rows still follow the distribution of the rows that a model was fitted on?

The rows of a stream are autocorrelated: an unchanged one looks different from hour to hour, and
tests that take rows as independent alarm nearly always. Here a window of the stream is compared
with the reference by two statistics on the reference's deciles,

    psi = Σ (p − q) ln(p / q),      shift = max |P − Q|²,

p, q the shares of the bins (each smoothed by `drift_statistics.SMOOTHING`), P, Q their cumulative
sums: the population stability index, and the largest difference of quantiles, in probability. What
is usual is learned from the reference itself (`drift_fitting`): each window of it is compared with
the rest of it, which is a moving-block permutation that leaves the order within windows as it was.
A live window's statistic over the mean of those is nearly F-distributed with k and k·n degrees of
freedom: n windows in the reference, and k from their coefficient of variation, at most `SHAPE`
(Satterthwaite's approximation of quadratic forms). It alarms at the level 1 / (windows ended in a
week · tests), over all columns of all keys (Bonferroni), so that at most one false alarm a week is
expected, whatever the autocorrelation within a window. `docs/drift.md` has what was measured.

Sources: Satterthwaite (1946), Biometrics Bulletin 2(6); Künsch (1989), Annals of Statistics 17(3);
Yurdakul, Naranjo (2020), Journal of Risk Model Validation 14(4), of the PSI.
"""

import math
from collections.abc import Iterator

import msgspec
import numpy as np

from barograph.arrays import Float64, Int64
from barograph.codec import UNREADABLE
from barograph.evaluation.drift_calibration import CalibrationReference
from barograph.evaluation.drift_counts import Grid, grid
from barograph.evaluation.drift_limits import Cadence
from barograph.evaluation.drift_statistics import psi, shares_of, shift
from barograph.figures import duration

LEAST_KNOWN = 0.5
"""Share of a window's rows that must be known for a test."""

EXCEEDANCE = "tau_exceedance"
"""Name of the column whose only edge is tau: the forecast value, and how often it reaches it."""


class Usual(msgspec.Struct, frozen=True, kw_only=True):
    """A statistic over the windows of the reference: its mean, and the limit of an alarm.

    `shape` is its degrees of freedom, at most `SHAPE`. `limit` is 0 where it is not tested.
    """

    mean: float
    shape: float
    limit: float = 0.0


class Lacking(msgspec.Struct, frozen=True, kw_only=True):
    """Why a reference cannot judge a key: `tested` of the `varying` columns are fewer than half.

    It has rows of `has_s` seconds; with about `needs_s` half would be tested, None where a week
    would not do.
    """

    has_s: int
    needs_s: int | None
    tested: int
    varying: int

    def __str__(self) -> str:
        if not self.varying:
            return "reference cannot judge: no column varies in it"
        tests = f"test {self.tested} of {self.varying} columns"
        if self.needs_s is None:
            has = duration(self.has_s)
            return f"reference cannot judge: its {has} {tests}, and a week as varied would not do"
        return (
            f"reference too short to judge: needs about {duration(self.needs_s)}; "
            f"the {duration(self.has_s)} it has {tests}"
        )


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """How the values of one column of one key were distributed, and how windows of it differed.

    `column` is the row's column. `edges` begin the second and later bins, `shares` are those of all
    bins. `low` and `high` are the range, `missing` the share of rows without a value. `memory_s` is
    the integrated autocorrelation time of the bins in seconds. `psi` and `shift` say how these
    statistics vary over the reference's `windows`. `untested` says why the column is not tested, or
    is empty; `needs_windows` is about how many would do then, 0 where no number would or none is
    needed.
    """

    column: str
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    low: float | None
    high: float | None
    missing: float
    memory_s: float
    windows: float
    psi: Usual
    shift: Usual
    untested: str = ""
    needs_windows: float = 0.0

    @property
    def varies(self) -> bool:
        """Whether the reference has two values of it."""
        return len(self.edges) > 0

    @property
    def statistics(self) -> tuple[str, ...]:
        """What is tested of it.

        Of a single rate both say the same, and the squared difference has the longer tail.
        """
        return ("psi",) if len(self.shares) == 2 else ("psi", "shift")

    def usual(self, statistic: str) -> Usual:
        """How "psi" or "shift" varies over the reference."""
        return self.psi if statistic == "psi" else self.shift


class KeyReference(msgspec.Struct, frozen=True, kw_only=True):
    """The reference of one key: its columns by name, and its calibration where it is known."""

    rows: int
    columns: dict[str, Column]
    calibration: CalibrationReference | None = None

    def grid(self) -> Grid:
        """Edges and ranges of the columns, in order."""
        nan = float("nan")
        return grid(
            [
                (
                    one.edges,
                    nan if one.low is None else one.low,
                    nan if one.high is None else one.high,
                )
                for one in self.columns.values()
            ]
        )

    def lacking(self, cadence: Cadence) -> Lacking | None:
        """What the reference lacks to judge the key; None where half of what varies is tested."""
        varying = [one for one in self.columns.values() if one.varies]
        tested = sum(not one.untested for one in varying)
        if varying and 2 * tested >= len(varying):
            return None
        needs = sorted(
            one.windows if not one.untested else one.needs_windows or math.inf for one in varying
        )
        half = needs[(len(needs) - 1) // 2] if needs else math.inf
        return Lacking(
            has_s=self.rows * cadence.step_s,
            needs_s=None if math.isinf(half) else math.ceil(half * cadence.window_s),
            tested=tested,
            varying=len(varying),
        )


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The reference of a model: that of each key, from [start_ns, end_ns) of event time.

    `feature_set` identifies the definitions of the columns, `tests` counts the tests that share the
    level of one false alarm a week.
    """

    feature_set: str
    start_ns: int
    end_ns: int
    cadence: Cadence
    tests: int
    keys: dict[str, KeyReference]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One test of one window: the statistic, and its strength, which alarms from 1 on."""

    key: str
    column: str
    statistic: str
    value: float
    strength: float


def strengths(of: KeyReference, bins: Int64, cadence: Cadence) -> dict[tuple[str, str], Float64]:
    """The strength of each test of windows, by (column, statistic).

    bins: (w, f, BINS + 1) counts in the order of the key's columns. Each is (w,); NaN where too few
    rows are known. A column that is not tested has none.
    """
    every = {}
    for place, (name, column) in enumerate(of.columns.items()):
        if column.untested:
            continue
        known = bins[:, place, : len(column.shares)]
        few = known.sum(axis=1) < LEAST_KNOWN * cadence.rows
        p, q = shares_of(known), np.array(column.shares)
        for statistic in column.statistics:
            value = psi(p, q) if statistic == "psi" else shift(p, q)
            every[name, statistic] = np.where(few, np.nan, value / column.usual(statistic).limit)
    return every


def findings(key: str, of: KeyReference, bins: Int64, cadence: Cadence) -> Iterator[Finding]:
    """The tests of one window. bins: (f, BINS + 1) counts in the order of the key's columns.

    A column with too few known rows, or one that is not tested, gives none.
    """
    for (column, statistic), one in strengths(of, bins[None], cadence).items():
        strength = float(one[0])
        if not math.isnan(strength):
            yield Finding(
                key=key,
                column=column,
                statistic=statistic,
                value=strength * of.columns[column].usual(statistic).limit,
                strength=strength,
            )


def out_of_range(values: Float64, cut: Grid) -> Float64:
    """(n,) share of the known values (n, f) of each row beyond the range; NaN without a value."""
    known = (~np.isnan(values)).sum(axis=1)
    out = np.full(len(values), np.nan)
    np.divide(cut.outside(values).sum(axis=1), known, out, where=known > 0)
    return out


def encoded(of: Reference) -> bytes:
    """Encode a reference as JSON."""
    return msgspec.json.encode(of)


def decoded(content: bytes) -> Reference:
    """Decode a reference. Raises ValueError if it is damaged."""
    try:
        return msgspec.json.decode(content, type=Reference)
    except UNREADABLE as error:
        raise ValueError(str(error)) from error
