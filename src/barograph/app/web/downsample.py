"""A span of a series in buckets: what is drawn, with no spike, alarm or gap lost.

A bucket ends at `time_ns` and covers the `step_s` seconds before; it has the least, the greatest
and the last value of what its rows have, so the greatest of all buckets is the greatest of all
rows. Buckets without a row are left out; `gaps` has each hole that the span touches, however short.
"""

from collections.abc import Iterable

import msgspec
import numpy as np

from barograph.app.web.series_rows import OF_LEVEL, VERDICTS, GapSpan
from barograph.arrays import Bool, Float64, Int64, Records
from barograph.evaluation.conformal import covered
from barograph.evaluation.labels import later
from barograph.types import NS_PER_S

MOST_BUCKETS = 20_000
"""More buckets than this are refused."""

DRAWN_BUCKETS = 1_500
"""A span without a step is divided into at most so many."""

STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600)


class Extremes(msgspec.Struct, frozen=True):
    """The least, greatest and last known value of each bucket; null where a bucket has none."""

    min: list[float | None]
    max: list[float | None]
    last: list[float | None]


class Hole(msgspec.Struct, frozen=True):
    """A gap: its cause is null where rows are missing and no cause was recorded."""

    start_ns: int
    end_ns: int
    cause: str | None
    missing: int | None


class Levels(msgspec.Struct, frozen=True, kw_only=True):
    """Forecasts of the value one horizon later, in its unit: the last of each bucket.

    `inside` is false if any value that came lay outside its interval, true if none did, and null
    while that is not known.
    """

    median: list[float | None]
    forecast: list[float | None]
    low: list[float | None]
    high: list[float | None]
    inside: list[bool | None]


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A span of one key in buckets of `step_s` seconds; all lists have one value for each.

    A bucket ends at `time_ns`. `tau` and `threshold` are its last ones, `alarm` whether any of its
    predictions reached the threshold, `verdict` the first that is not PREDICTED. `outcome` is
    whether any of its predictions was followed by a value of at least its tau, false if none was
    and null while that is not known. `volatility` is the value that the case forecasts, in its
    unit; `level` has the forecasts of it, null for a case without.
    """

    product: str
    step_s: int
    from_ns: int
    to_ns: int
    time_ns: list[int]
    mid: Extremes
    volatility: Extremes
    probability: Extremes
    tau: list[float | None]
    threshold: list[float | None]
    alarm: list[bool]
    verdict: list[str]
    outcome: list[bool | None]
    gaps: list[Hole]
    level: Levels | None


def step_for(span_s: int, row_step_s: int) -> int:
    """The step in seconds at which a span has at most DRAWN_BUCKETS, a multiple of the rows'."""
    least = max(row_step_s, -(-span_s // DRAWN_BUCKETS))
    for step_s in STEPS_S:
        if step_s >= least and step_s % row_step_s == 0:
            return step_s
    return -(-least // row_step_s) * row_step_s


def downsampled(  # noqa: PLR0913 - a span of rows, and how it is divided
    product: str,
    rows: Records,
    gaps: Iterable[GapSpan],
    *,
    from_ns: int,
    to_ns: int,
    step_s: int,
    row_step_s: int,
    horizon_s: int,
) -> Series:
    """The buckets of the rows whose end lies in (from_ns, to_ns].

    rows: (n,) of ROW, in order: the one before the span shows a hole at its beginning, those up to
    a horizon behind it decide outcomes. gaps: recorded ones, in any order.
    """
    came, seconds = later(rows["second"], rows["value"], horizon_s=horizon_s), rows["second"]
    outcome = _outcomes(rows, came, horizon_s)
    inside = slice(*np.searchsorted(_ends_ns(rows), [from_ns, to_ns], side="right"))
    rows, outcome, came = rows[inside], outcome[inside], came[inside]
    bucket = -(-(rows["second"] + 1) // step_s)
    starts = np.flatnonzero(np.diff(bucket, prepend=-1)) if len(rows) else np.empty(0, np.int64)
    return Series(
        product=product,
        step_s=step_s,
        from_ns=from_ns,
        to_ns=to_ns,
        time_ns=(bucket[starts] * step_s * NS_PER_S).tolist(),
        mid=_extremes(rows["mid"], starts),
        volatility=_extremes(rows["value"], starts),
        probability=_extremes(rows["probability"], starts),
        tau=_last(rows["tau"], starts).tolist(),
        threshold=_last(rows["threshold"], starts).tolist(),
        alarm=_any(rows["alarm"], starts).tolist(),
        verdict=_verdicts(rows["verdict"], starts),
        outcome=_as_words(_greatest(outcome, starts)),
        gaps=_holes(seconds, list(gaps), from_ns, to_ns, row_step_s),
        level=_levels(rows, came, horizon_s, starts) if "low" in (rows.dtype.names or ()) else None,
    )


def _ends_ns(rows: Records) -> Int64:
    ends: Int64 = (rows["second"] + 1) * NS_PER_S
    return ends


def _levels(rows: Records, came: Float64, horizon_s: int, starts: Int64) -> Levels:
    held = -held_by_interval(rows, came, horizon_s)  # so that the greatest is a value outside
    return Levels(
        inside=_as_words(-_greatest(held, starts)),
        **{name: _last(rows[name], starts).tolist() for name in OF_LEVEL},
    )


def held_by_interval(rows: Records, came: Float64, horizon_s: int) -> Float64:
    """1.0 for each of the rows whose interval holds the value that came, 0.0 if not, else NaN.

    rows: (n,) of LEVEL_ROW; came: (n,) the value one horizon later, NaN where it is not known.
    """
    known = ~np.isnan(came + rows["low"]) & (rows["horizon_s"] == horizon_s)
    inside = covered(came, rows["low"], rows["high"])
    return np.where(known, inside.astype(np.float64), np.nan)


def _outcomes(rows: Records, came: Float64, horizon_s: int) -> Float64:
    """1.0 or 0.0 for each row whose outcome is known, else NaN."""
    known = ~np.isnan(came + rows["tau"] + rows["probability"]) & (rows["horizon_s"] == horizon_s)
    return np.where(known, (came >= rows["tau"]).astype(np.float64), np.nan)


def _extremes(values: Float64, starts: Int64) -> Extremes:
    return Extremes(
        min=np.fmin.reduceat(values, starts).tolist() if len(starts) else [],
        max=_greatest(values, starts).tolist(),
        last=_last(values, starts).tolist(),
    )


def _greatest(values: Float64, starts: Int64) -> Float64:
    greatest: Float64 = np.fmax.reduceat(values, starts) if len(starts) else np.empty(0)
    return greatest


def _last(values: Float64, starts: Int64) -> Float64:
    """The last value of each bucket that is not NaN."""
    if not len(starts):
        return np.empty(0)
    place = np.where(np.isnan(values), -1, np.arange(len(values)))
    last = np.maximum.reduceat(place, starts)
    known: Float64 = np.where(last < 0, np.nan, values[last])
    return known


def _any(flags: Bool, starts: Int64) -> Bool:
    found: Bool = np.logical_or.reduceat(flags, starts) if len(starts) else np.empty(0, np.bool_)
    return found


def _verdicts(codes: Records, starts: Int64) -> list[str]:
    """Of each bucket the first verdict that is not PREDICTED."""
    if not len(starts):
        return []
    place = np.where(codes == 0, len(codes), np.arange(len(codes)))
    first = np.minimum.reduceat(place, starts)
    padded = np.append(codes, 0)
    return [str(VERDICTS[code]) for code in padded[first].tolist()]


def _as_words(numbers: Float64) -> list[bool | None]:
    return [None if np.isnan(number) else bool(number) for number in numbers.tolist()]


def _holes(
    seconds: Int64, gaps: list[GapSpan], from_ns: int, to_ns: int, row_step_s: int
) -> list[Hole]:
    """The recorded gaps that the span touches, and the spans without rows that none explains."""
    recorded = [gap for gap in gaps if gap.end_ns >= from_ns and gap.start_ns <= to_ns]
    holes = [Hole(*gap) for gap in recorded]
    for place in np.flatnonzero(np.diff(seconds) > row_step_s).tolist():
        start_ns = (int(seconds[place]) + 1) * NS_PER_S
        end_ns = (int(seconds[place + 1]) + 1 - row_step_s) * NS_PER_S
        explained = any(gap.start_ns <= end_ns and gap.end_ns >= start_ns for gap in recorded)
        if not explained and start_ns <= to_ns and end_ns >= from_ns:
            holes.append(Hole(start_ns, end_ns, None, None))
    return sorted(holes, key=lambda hole: hole.start_ns)
