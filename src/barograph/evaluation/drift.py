"""Drift: do rows still follow the distribution of the rows that a model was fitted on?

The rows of a stream are autocorrelated: an unchanged one looks different from hour to hour, and
tests that take rows as independent alarm nearly always. Here a window of the stream is compared
with the reference by two statistics on the reference's deciles,

    psi = Σ (p − q) ln(p / q),      shift = max |P − Q|²,

p, q the shares of the bins (each smoothed by `SMOOTHING`), P, Q their cumulative sums: the
population stability index, and the largest difference of quantiles, in probability. What is usual
is learned from the reference itself: each window of it is compared with the rest of it, which is a
moving-block permutation that leaves the order within windows as it was. A live window's statistic
over the mean of those is nearly F-distributed with k and k·n degrees of freedom: n windows in the
reference, and k from their coefficient of variation, at most `SHAPE` (Satterthwaite's approximation
of quadratic forms). It alarms at the level 1 / (windows ended in a week · tests), over all columns
of all keys (Bonferroni), so that at most one false alarm a week is expected, whatever the
autocorrelation within a window. `docs/drift.md` has what was measured.

Sources: Satterthwaite (1946), Biometrics Bulletin 2(6); Künsch (1989), Annals of Statistics 17(3);
Yurdakul, Naranjo (2020), Journal of Risk Model Validation 14(4), of the PSI.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from barograph.arrays import Float64, Int64
from barograph.codec import UNREADABLE
from barograph.evaluation.drift_calibration import CalibrationReference, Residuals, calibration
from barograph.evaluation.drift_counts import BINS, Counts, Grid, count, edges_of, grid
from barograph.evaluation.drift_limits import (
    LEAST_SHAPE,
    LEAST_WINDOWS,
    RATE_SHAPE,
    SHAPE,
    Cadence,
    critical,
    whole_windows,
)

SMOOTHING = 0.01
"""Added to each share before the PSI, so that an empty bin does not outweigh all others."""

LEAST_PSI, LEAST_SHIFT = 0.01, 0.02**2
"""Least scale of each statistic: what is smaller by itself is of no consequence."""

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


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """How the values of one column of one key were distributed, and how windows of it differed.

    `column` is the row's column. `edges` begin the second and later bins, `shares` are those of all
    bins. `low` and `high` are the range, `missing` the share of rows without a value. `memory_s` is
    the integrated autocorrelation time of the bins in seconds. `psi` and `shift` say how these
    statistics vary over the reference's `windows`. `untested` says why the column is not tested, or
    is empty.
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


class KeyRows(NamedTuple):
    """Rows of one key, in any order: second (n,) int64, values (n, f) float64 with NaN."""

    second: Int64
    values: Float64


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One test of one window: the statistic, and its strength, which alarms from 1 on."""

    key: str
    column: str
    statistic: str
    value: float
    strength: float


def reference(  # noqa: PLR0913 - rows, and what is known about them
    rows: Mapping[str, KeyRows],
    columns: Sequence[str],
    *,
    cadence: Cadence,
    feature_set: str,
    span_ns: tuple[int, int],
    tau: Mapping[str, float] | None = None,
    value_now: str = "",
    residuals: Mapping[str, Residuals] | None = None,
) -> Reference:
    """The reference of rows by key, whose values are `columns` in order.

    tau: the limit of each key for the column `value_now`, whose exceedance rate is tested too.
    residuals: tested forecasts of each key, for its calibration.
    """
    keys = {
        key: KeyReference(
            rows=len(of.second),
            columns=_columns(of, columns, cadence, (tau or {}).get(key), value_now),
            calibration=calibration((residuals or {}).get(key), cadence),
        )
        for key, of in sorted(rows.items())
    }
    # What cannot be tested at the level of all is left out, and its share of the level is used.
    limited = {
        key: _with_limits(one, cadence, sum(map(_tests, keys.values())))
        for key, one in keys.items()
    }
    tests = sum(map(_tests, limited.values()))
    return Reference(
        feature_set=feature_set,
        start_ns=span_ns[0],
        end_ns=span_ns[1],
        cadence=cadence,
        tests=tests,
        keys={key: _with_limits(one, cadence, tests) for key, one in limited.items()},
    )


def _tests(of: KeyReference) -> int:
    columns = sum(len(_statistics(one)) for one in of.columns.values() if not one.untested)
    return columns + (of.calibration is not None and not of.calibration.untested)


def _statistics(of: Column) -> tuple[str, ...]:
    """Of a single rate both say the same, and the squared difference has the longer tail."""
    return ("psi",) if len(of.shares) == 2 else ("psi", "shift")


def _columns(
    rows: KeyRows, names: Sequence[str], cadence: Cadence, tau: float | None, value_now: str
) -> dict[str, Column]:
    edges = {name: edges_of(rows.values[:, place]) for place, name in enumerate(names)}
    source = {name: (name, place) for place, name in enumerate(names)}
    if tau is not None and value_now in names:
        edges[EXCEEDANCE] = np.array([tau])
        source[EXCEEDANCE] = (value_now, list(names).index(value_now))
    values = rows.values[:, [place for _, place in source.values()]]
    cut = grid([(list(one), -np.inf, np.inf) for one in edges.values()])
    counts = count(rows.second, values, cut, cadence.interval_s)
    every = counts.windows(cadence.intervals)
    return {
        name: _column(
            source[name][0], edges[name], values[:, place], _of_column(counts, place),
            _of_column(every, place), cadence,
        )
        for place, name in enumerate(source)
    }  # fmt: skip


def _of_column(counts: Counts, place: int) -> Int64:
    bins: Int64 = counts.bins[:, place]
    return bins


def _column(  # noqa: PLR0913 - values, and what was counted of them
    name: str, edges: Float64, values: Float64, counts: Int64, every: Int64, cadence: Cadence
) -> Column:
    known = values[~np.isnan(values)]
    bins = len(edges) + 1
    total = counts[:, :bins].sum(axis=0)
    used = every[:, :bins][every[:, :BINS].sum(axis=1) >= LEAST_KNOWN * cadence.rows]
    windows = whole_windows(len(known), cadence)
    shares = total / max(1, len(known))
    psi_usual, shift_usual = _usual(np.empty(0), LEAST_PSI), _usual(np.empty(0), LEAST_SHIFT)
    memory_s, why = 0.0, ""
    if not len(known):
        why = "it has no value in the reference"
    elif bins == 1:
        why = "it has one value in the reference"
    elif windows < LEAST_WINDOWS or not len(used):
        why = f"the reference holds {windows:.1f} windows, and {LEAST_WINDOWS} are needed"
    else:
        rest = total - used
        p, q = _shares(used), _shares(rest)
        most = RATE_SHAPE if bins == 2 else SHAPE
        psi_usual, shift_usual = (
            _usual(psi(p, q), LEAST_PSI, most),
            _usual(shift(p, q), LEAST_SHIFT, most),
        )
        memory_s = _memory_s(used, total, cadence)
    return Column(
        column=name,
        edges=tuple(edges.tolist()),
        shares=tuple(shares.round(6).tolist()),
        low=float(known.min()) if len(known) else None,
        high=float(known.max()) if len(known) else None,
        missing=1.0 - len(known) / len(values) if len(values) else 1.0,
        memory_s=round(memory_s, 3),
        windows=round(windows, 3),
        psi=psi_usual,
        shift=shift_usual,
        untested=why,
    )


def _usual(statistics: Float64, least: float, most_shape: float = SHAPE) -> Usual:
    """Mean and shape of a statistic; a gamma distribution has the squared variation 2 / shape."""
    mean = max(float(statistics.mean()), least) if len(statistics) else least
    variance = float(statistics.var()) if len(statistics) else 0.0
    shape = min(most_shape, 2 * mean**2 / variance) if variance else most_shape
    return Usual(mean=mean, shape=max(shape, LEAST_SHAPE))


def _with_limits(key: KeyReference, cadence: Cadence, tests: int) -> KeyReference:
    columns = {}
    for name, column in key.columns.items():
        limited = column
        if not column.untested:
            limits = [
                msgspec.structs.replace(
                    usual,
                    limit=usual.mean * critical(column.windows, cadence, tests, usual.shape),
                )
                for usual in (column.psi, column.shift)
            ]
            # What remembers longer than the span can tell differs by any amount unchanged.
            farthest, shares = np.eye(len(column.shares)), np.array(column.shares)
            reached = [float(psi(farthest, shares).max()), float(shift(farthest, shares).max())]
            out_of_reach = all(
                usual.limit > most for usual, most in zip(limits, reached, strict=True)
            )
            limited = msgspec.structs.replace(
                column,
                psi=limits[0],
                shift=limits[1],
                untested="its windows differ too much in the reference" if out_of_reach else "",
            )
        columns[name] = limited
    known = key.calibration
    if known is not None and not known.untested:
        limit = critical(known.windows, cadence, tests, known.shape)
        known = msgspec.structs.replace(known, critical=limit)
    return msgspec.structs.replace(key, columns=columns, calibration=known)


def _memory_s(used: Int64, total: Int64, cadence: Cadence) -> float:
    """Batch-means estimate: the variance of windows' mean bins over that of rows, in seconds."""
    place = np.arange(len(total))
    rows, mean = total.sum(), total @ place / total.sum()
    variance = float(total @ (place - mean) ** 2 / rows)
    if not variance:
        return 0.0
    means = used @ place / used.sum(axis=1)
    return float(((means - mean) ** 2).mean() / variance * cadence.window_s)


def _shares(counts: Int64) -> Float64:
    shares: Float64 = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    return shares


def psi(p: Float64, q: Float64) -> Float64:
    """(…,) population stability index of shares (…, bins), each smoothed by `SMOOTHING`."""
    whole = 1 + SMOOTHING * p.shape[-1]
    p, q = (p + SMOOTHING) / whole, (q + SMOOTHING) / whole
    index: Float64 = ((p - q) * np.log(p / q)).sum(axis=-1)
    return index


def shift(p: Float64, q: Float64) -> Float64:
    """(…,) squared largest difference of the cumulative shares of (…, bins)."""
    difference: Float64 = np.abs(np.cumsum(p, axis=-1) - np.cumsum(q, axis=-1)).max(axis=-1)
    return difference**2


def findings(key: str, of: KeyReference, bins: Int64, cadence: Cadence) -> Iterator[Finding]:
    """The tests of one window. bins: (f, BINS + 1) counts in the order of the key's columns.

    A column with too few known rows, or one that is not tested, gives none.
    """
    for (name, column), counts in zip(of.columns.items(), bins, strict=True):
        known = counts[: len(column.shares)]
        if column.untested or known.sum() < LEAST_KNOWN * cadence.rows:
            continue
        p, q = _shares(known), np.array(column.shares)
        tested = {
            "psi": (float(psi(p, q)), column.psi),
            "shift": (float(shift(p, q)), column.shift),
        }
        for statistic in _statistics(column):
            value, usual = tested[statistic]
            yield Finding(
                key=key,
                column=name,
                statistic=statistic,
                value=value,
                strength=value / usual.limit,
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
