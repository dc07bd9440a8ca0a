"""Learns the reference of a drift test from rows: what is usual, and from where on it is not."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from barograph.arrays import Float64, Int64
from barograph.evaluation.drift import (
    EXCEEDANCE,
    LEAST_KNOWN,
    Column,
    KeyReference,
    Reference,
    Usual,
)
from barograph.evaluation.drift_calibration import Residuals, calibration
from barograph.evaluation.drift_counts import BINS, Counts, count, edges_of, grid
from barograph.evaluation.drift_limits import (
    ENOUGH_WINDOWS,
    LEAST_SHAPE,
    LEAST_WINDOWS,
    RATE_SHAPE,
    SHAPE,
    Cadence,
    critical,
    whole_windows,
    windows_for,
)
from barograph.evaluation.drift_statistics import memory_s, psi, shares_of, shift

LEAST_PSI, LEAST_SHIFT = 0.01, 0.02**2
"""Least scale of each statistic: what is smaller by itself is of no consequence."""


class KeyRows(NamedTuple):
    """Rows of one key, in any order: second (n,) int64, values (n, f) float64 with NaN."""

    second: Int64
    values: Float64


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
    columns = sum(len(one.statistics) for one in of.columns.values() if not one.untested)
    return columns + (of.calibration is not None and not of.calibration.untested)


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
    memory, why, needs = 0.0, "", 0.0
    if not len(known):
        why = "it has no value in the reference"
    elif bins == 1:
        why = "it has one value in the reference"
    elif windows < LEAST_WINDOWS or not len(used):
        why = f"the reference holds {windows:.1f} windows, and {LEAST_WINDOWS} are needed"
        needs = ENOUGH_WINDOWS
    else:
        rest = total - used
        p, q = shares_of(used), shares_of(rest)
        most = RATE_SHAPE if bins == 2 else SHAPE
        psi_usual, shift_usual = (
            _usual(psi(p, q), LEAST_PSI, most),
            _usual(shift(p, q), LEAST_SHIFT, most),
        )
        memory = memory_s(used, total, cadence.window_s)
    return Column(
        column=name,
        edges=tuple(edges.tolist()),
        shares=tuple(shares.round(6).tolist()),
        low=float(known.min()) if len(known) else None,
        high=float(known.max()) if len(known) else None,
        missing=1.0 - len(known) / len(values) if len(values) else 1.0,
        memory_s=round(memory, 3),
        windows=round(windows, 3),
        psi=psi_usual,
        shift=shift_usual,
        untested=why,
        needs_windows=needs,
    )


def _usual(statistics: Float64, least: float, most_shape: float = SHAPE) -> Usual:
    """Mean and shape of a statistic; a gamma distribution has the squared variation 2 / shape."""
    mean = max(float(statistics.mean()), least) if len(statistics) else least
    variance = float(statistics.var()) if len(statistics) else 0.0
    shape = min(most_shape, 2 * mean**2 / variance) if variance else most_shape
    return Usual(mean=mean, shape=max(shape, LEAST_SHAPE))


def _with_limits(key: KeyReference, cadence: Cadence, tests: int) -> KeyReference:
    varying = sum(len(one.statistics) for one in key.columns.values() if one.varies)
    columns = {
        name: _limited(column, cadence, tests, max(tests, varying))
        for name, column in key.columns.items()
    }
    known = key.calibration
    if known is not None and not known.untested:
        limit = critical(known.windows, cadence, tests, known.shape)
        known = msgspec.structs.replace(known, critical=limit)
    return msgspec.structs.replace(key, columns=columns, calibration=known)


def _limited(column: Column, cadence: Cadence, tests: int, most_tests: int) -> Column:
    if column.untested:
        return column
    # What remembers longer than the span can tell differs by any amount unchanged.
    farthest, shares = np.eye(len(column.shares)), np.array(column.shares)
    most = {"psi": psi(farthest, shares), "shift": shift(farthest, shares)}
    limited, needs = {}, []
    for statistic in ("psi", "shift"):
        usual, reached = column.usual(statistic), float(most[statistic].max())
        limit = usual.mean * critical(column.windows, cadence, tests, usual.shape)
        limited[statistic] = msgspec.structs.replace(usual, limit=limit)
        if statistic in column.statistics:
            if limit <= reached:
                needs.append(column.windows)
            else:
                # A window differs from the n − 1 others by (n / (n − 1)) of what it does from many.
                mean = usual.mean * (1 - 1 / max(2.0, column.windows))
                ratio = reached / mean
                needs.append(windows_for(ratio, column.windows, cadence, most_tests, usual.shape))
    out_of_reach = min(needs) > column.windows
    return msgspec.structs.replace(
        column,
        psi=limited["psi"],
        shift=limited["shift"],
        untested="its windows differ too much in the reference" if out_of_reach else "",
        needs_windows=min(needs) if out_of_reach and min(needs) < math.inf else 0.0,
    )
