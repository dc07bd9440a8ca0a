"""A report of drift between two spans of a series' dataset, with missing values and quality.

The earlier span is the reference, and each window of the later one is tested as a live one. What
the usual tests say of the two spans as wholes stands beside it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl

from barograph.arrays import Float64, Int64
from barograph.cases.case import Case, Dataset, live_of
from barograph.cases.live_series import LiveSeries
from barograph.errors import TooLittleDataError
from barograph.evaluation.drift import (
    Column,
    KeyReference,
    Reference,
    out_of_range,
    strengths,
)
from barograph.evaluation.drift_counts import BINS, Counts, count
from barograph.evaluation.drift_fitting import KeyRows, reference
from barograph.evaluation.drift_limits import cadence_of
from barograph.evaluation.drift_statistics import psi, shift
from barograph.evaluation.drift_usual import (
    KS_LEVEL,
    PSI_LIMIT,
    kolmogorov_smirnov,
    stability_index,
)
from barograph.training.drift_reference import rows_of
from barograph.types import NS_PER_S, Reason

FILE, PAGE = "drift_report.json", "drift_report.html"
"""File names of the report and its page in the registry."""

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_DIGITS = 6


class Span(NamedTuple):
    """[start_ns, end_ns) of event time."""

    start_ns: int
    end_ns: int


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One span of one key. `reasons` counts values by why they are missing, `holes` the breaks.

    `coverage` is the share of the span's rows that there are.
    """

    start_ns: int
    end_ns: int
    rows: int
    coverage: float
    holes: int
    reasons: dict[str, int]


class ColumnDrift(msgspec.Struct, frozen=True, kw_only=True):
    """One column of one key in both spans; None is not defined.

    `psi` and `shift` (the largest difference of the distribution functions at the deciles, in
    probability) compare the spans as wholes. `strength` is the strongest test of a window of the
    later span, which alarms from 1 on, and `windows_at_limit` the share of windows that reach 1.
    `ks_p` and `usual_psi` are what the usual tests say. `before` and `after` are quantiles at 5,
    25, 50, 75 and 95 %, `shares_*` those of the deciles of the earlier span.
    """

    column: str
    psi: float | None
    shift: float | None
    strength: float | None
    windows_at_limit: float | None
    untested: str
    ks_p: float | None
    usual_psi: float | None
    missing_before: float
    missing_after: float
    out_of_range: float | None
    memory_s: float
    before: list[float]
    after: list[float]
    shares_before: list[float]
    shares_after: list[float]


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """A run of two or more windows at their limit; times are the ends of windows."""

    start_ns: int
    end_ns: int
    column: str
    peak: float


class KeyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The drift of one key. `strength` is that of each window of the later span, at `time_ns`.

    `columns` are strongest first; `tested` of the `varying` ones are tested. `too_short` says what
    the reference lacks where that is fewer than half, and is empty else; about `needs_s` seconds of
    rows would do, None where none are needed or no number would. The usual tests alarm in
    `ks_alarms` and `psi_alarms` columns. `out_of_range` is the mean share of a row's known values.
    """

    key: str
    before: Side
    after: Side
    tested: int
    varying: int
    too_short: str
    needs_s: int | None
    ks_alarms: int
    psi_alarms: int
    columns: list[ColumnDrift]
    alarms: list[Alarm]
    time_ns: list[int]
    strength: list[float]
    out_of_range: float | None


class DriftReport(msgspec.Struct, frozen=True, kw_only=True):
    """The drift of the later span against the earlier one, by key.

    `window_s` long windows end each `interval_s`; `tests` share one expected false alarm a week.
    `ks_alarms` and `psi_alarms` count the columns where the usual tests alarm, of `columns`.
    """

    case: str
    feature_set: str
    data_hash: str
    window_s: int
    interval_s: int
    tests: int
    columns: int
    ks_alarms: int
    psi_alarms: int
    keys: list[KeyReport]
    keys_left_out: dict[str, str]

    @property
    def alarms(self) -> int:
        """Alarms of all keys."""
        return sum(len(one.alarms) for one in self.keys)

    @property
    def too_short(self) -> dict[str, str]:
        """What the reference lacks to judge a key, by key; without those that it judges."""
        return {one.key: one.too_short for one in self.keys if one.too_short}


def halves(dataset: Dataset) -> tuple[Span, Span]:
    """The earlier and the later half of a dataset, by time."""
    second = dataset.frame["second"].to_numpy()
    if not len(second):
        return Span(0, 0), Span(0, 0)
    first, last = int(second.min()), int(second.max()) + 1
    middle = (first + last) // 2
    return (
        Span(first * NS_PER_S, middle * NS_PER_S),
        Span(middle * NS_PER_S, last * NS_PER_S),
    )


def drift_report(case: Case, dataset: Dataset, before: Span, after: Span) -> DriftReport:
    """Compare two spans of a dataset. A key that lacks rows in one of them is left out.

    Raises BadInputError for a case without time, TooLittleDataError where no key is left.
    """
    live = live_of(case)
    names = columns_of(case, dataset)
    earlier, later = sides(dataset, before, after)
    rows, new_rows = rows_of(earlier, names), rows_of(later, names)
    alone = sorted(rows.keys() ^ new_rows.keys())
    left_out = dict.fromkeys(alone, "it has no row in one of the spans")
    shared = {key: of for key, of in rows.items() if key in new_rows}
    if not shared:
        raise TooLittleDataError(
            f"drift of {case.name}",
            "no key with rows in both spans",
            "rows in both",
            "Name other spans (--reference, --current), or build the dataset again",
        )
    of = reference(
        shared, names, cadence=cadence_of(live.step_s), feature_set=live.feature_set,
        span_ns=before,
    )  # fmt: skip
    keys = [
        _key_report(
            of, key, (shared[key], new_rows[key]),
            (_side(earlier, key, before, live), _side(later, key, after, live)),
        )
        for key in sorted(shared)
    ]  # fmt: skip
    return DriftReport(
        case=case.name,
        feature_set=live.feature_set,
        data_hash=dataset.data_hash,
        window_s=of.cadence.window_s,
        interval_s=of.cadence.interval_s,
        tests=of.tests,
        columns=sum(len(key.columns) for key in keys),
        ks_alarms=sum(key.ks_alarms for key in keys),
        psi_alarms=sum(key.psi_alarms for key in keys),
        keys=keys,
        keys_left_out=left_out,
    )


def columns_of(case: Case, dataset: Dataset) -> tuple[str, ...]:
    """The features that models of the case may use, as far as each row has them."""
    columns = live_of(case).columns
    return tuple(name for name in case.table(dataset.frame).features if name in columns)


def sides(dataset: Dataset, before: Span, after: Span) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of both spans."""
    return _within(dataset.frame, before), _within(dataset.frame, after)


def _within(frame: pl.DataFrame, span: Span) -> pl.DataFrame:
    second = pl.col("second")
    return frame.filter(
        (second >= span.start_ns // NS_PER_S) & (second < -(-span.end_ns // NS_PER_S))
    )


def _side(frame: pl.DataFrame, key: str, span: Span, live: LiveSeries) -> Side:
    part = frame.filter(pl.col("product") == key).sort("second")
    second = part["second"].to_numpy()
    digits = np.frombuffer("".join(part["reasons"].to_list()).encode(), np.uint8) - ord("0")
    counts = np.bincount(digits, minlength=len(Reason))
    expected = max(1, (span.end_ns - span.start_ns) // NS_PER_S // live.step_s)
    return Side(
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        rows=len(part),
        coverage=round(min(1.0, len(part) / expected), _DIGITS),
        holes=int((np.diff(second) > live.step_s).sum()),
        reasons={
            reason.name: int(counts[reason]) for reason in Reason if reason and counts[reason]
        },
    )


def _key_report(
    of: Reference, key: str, rows: tuple[KeyRows, KeyRows], sides: tuple[Side, Side]
) -> KeyReport:
    known, (before, after) = of.keys[key], rows
    cut, cadence = known.grid(), of.cadence
    counts = count(after.second, after.values, cut, cadence.interval_s)
    windows = counts.windows(cadence.intervals)
    by_column = _strengths(of, key, windows)
    strongest = np.max([*by_column.values(), np.zeros(len(windows.interval))], axis=0)
    outside = out_of_range(after.values, cut)
    columns = [
        _column_drift(name, column, before.values[:, place], after.values[:, place], counts, place,
                      by_column[name])
        for place, (name, column) in enumerate(known.columns.items())
    ]  # fmt: skip
    lacking = known.lacking(cadence)
    ends = (windows.interval + 1) * cadence.interval_s * NS_PER_S
    return KeyReport(
        key=key,
        before=sides[0],
        after=sides[1],
        tested=sum(not one.untested for one in known.columns.values()),
        varying=sum(one.varies for one in known.columns.values()),
        too_short="" if lacking is None else str(lacking),
        needs_s=None if lacking is None else lacking.needs_s,
        ks_alarms=sum(one.ks_p is not None and one.ks_p < KS_LEVEL for one in columns),
        psi_alarms=sum(one.usual_psi is not None and one.usual_psi > PSI_LIMIT for one in columns),
        columns=sorted(columns, key=lambda one: (-(one.strength or 0.0), one.column)),
        alarms=_alarms(ends, strongest, by_column),
        time_ns=ends.tolist(),
        strength=strongest.round(_DIGITS).tolist(),
        out_of_range=None
        if np.isnan(outside).all()
        else round(float(np.nanmean(outside)), _DIGITS),
    )


def _strengths(of: Reference, key: str, windows: Counts) -> dict[str, Float64]:
    """Strength of each window by column; 0 where it was not tested."""
    known: KeyReference = of.keys[key]
    by_column = {name: np.zeros(len(windows.interval)) for name in known.columns}
    for (name, _), strength in strengths(known, windows.bins, of.cadence).items():
        by_column[name] = np.fmax(by_column[name], strength)
    return by_column


def _column_drift(  # noqa: PLR0913 - one column in both spans, as values and as counts
    name: str,
    column: Column,
    before: Float64,
    after: Float64,
    counts: Counts,
    place: int,
    strength: Float64,
) -> ColumnDrift:
    bins: Int64 = counts.bins[:, place].sum(axis=0)
    total = int(bins[:BINS].sum())
    shares = bins[: len(column.shares)] / max(1, total)
    p, q = np.array(shares), np.array(column.shares)
    rows = int(bins.sum())
    tested = not column.untested
    return ColumnDrift(
        column=name,
        psi=_rounded(float(psi(p, q))) if total else None,
        shift=_rounded(math.sqrt(float(shift(p, q)))) if total else None,
        strength=_rounded(float(strength.max())) if tested and len(strength) else None,
        windows_at_limit=_rounded(float((strength >= 1).mean())) if tested else None,
        untested=column.untested,
        ks_p=_rounded(kolmogorov_smirnov(before, after)[1]),
        usual_psi=_rounded(stability_index(before, after)),
        missing_before=round(column.missing, _DIGITS),
        missing_after=round(int(bins[BINS]) / max(1, rows), _DIGITS),
        out_of_range=_rounded(int(counts.outside[:, place].sum()) / total) if total else None,
        memory_s=column.memory_s,
        before=_quantiles(before),
        after=_quantiles(after),
        shares_before=list(column.shares),
        shares_after=p.round(_DIGITS).tolist(),
    )


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.{_DIGITS}g}")


def _quantiles(values: Float64) -> list[float]:
    known = values[~np.isnan(values)]
    if not len(known):
        return []
    return [float(f"{value:.{_DIGITS}g}") for value in np.quantile(known, _QUANTILES).tolist()]


def _alarms(ends: Int64, strongest: Float64, by_column: Mapping[str, Float64]) -> list[Alarm]:
    """Runs of windows at their limit that are at least two windows long."""
    at_limit = np.concatenate([[False], strongest >= 1, [False]])
    edges = np.flatnonzero(at_limit[1:] != at_limit[:-1])
    alarms = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if stop - start > 1:
            peaks: Sequence[tuple[float, str]] = [
                (float(of[start:stop].max()), name) for name, of in by_column.items()
            ]
            peak, name = max(peaks)
            alarms.append(
                Alarm(
                    start_ns=int(ends[start]),
                    end_ns=int(ends[stop - 1]),
                    column=name,
                    peak=round(peak, _DIGITS),
                )
            )
    return alarms


def encoded(report: DriftReport) -> bytes:
    """Encode a report as JSON."""
    return msgspec.json.encode(report)
