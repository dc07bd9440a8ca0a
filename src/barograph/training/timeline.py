"""The chosen forecast over time: strips to draw, episodes with their leads, false alarms."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from barograph.arrays import Bool, Float64, Int64
from barograph.evaluation import alarms, labels
from barograph.evaluation.splits import Rows
from barograph.training.pooled import Pooled
from barograph.training.walkforward import CHOSEN, Walk
from barograph.types import HOUR_NS, NS_PER_S

MOST_STRIPS = 24
STEPS = 720
"""Most steps of a strip."""

_DIGITS = 4


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """The alarm threshold in force in [start_ns, end_ns)."""

    start_ns: int
    end_ns: int
    probability: float


class Strip(msgspec.Struct, frozen=True, kw_only=True):
    """One key in one regime. Step k is `step_ns` long and starts at start_ns + k · step_ns.

    `low` and `high` are the lowest and highest probability in each step, None without a row.
    `storms` are [start, end) of the true episodes.
    """

    key: str
    start_ns: int
    end_ns: int
    step_ns: int
    rows: int
    low: list[float | None]
    high: list[float | None]
    storms: list[tuple[int, int]]
    thresholds: list[Level]


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A true episode: [start, end) of its positives, its peak, and its lead.

    `peak` is its highest outcome over tau, NaN without tau. `lead_s` is the time from the first
    alarm to the moment at which the episode shows, as in `alarms.episode_report`; 0 if missed.
    """

    key: str
    start_ns: int
    end_ns: int
    peak: float
    lead_s: float


class FalseAlarms(msgspec.Struct, frozen=True, kw_only=True):
    """Number of false alarms of one key in the hour from `start_ns` on."""

    key: str
    start_ns: int
    alarms: int


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """`strips`: the `MOST_STRIPS` longest, in time order; `false_alarms`: most alarms first."""

    strips: list[Strip]
    strips_left_out: int
    episodes: list[Episode]
    false_alarms: list[FalseAlarms]


class _Clock(NamedTuple):
    """Converts orders, which are linear in time, to Unix nanoseconds."""

    origin_ns: int
    unit_ns: int

    def ns(self, order: int) -> int:
        return self.origin_ns + int(order) * self.unit_ns

    def orders(self, seconds: int) -> int:
        return max(1, seconds * NS_PER_S // self.unit_ns)


class _Rows(NamedTuple):
    """Tested rows of one key, by increasing order, with predictions and alarms."""

    key: str
    order: Int64
    y: Float64
    probability: Float64
    acted: Bool
    excess: Float64
    regime: Int64
    fold: Int64


def timeline(walked: Walk, pooled: Pooled) -> Timeline | None:
    """Build the timeline of all folds' choices; None for a case without time."""
    if not walked.case.horizon_s:
        return None
    clock = _clock(walked)
    horizon = clock.orders(walked.case.horizon_s)
    keys = list(_by_key(walked, pooled))
    strips = [strip for rows in keys for strip in _strips(walked, rows, clock, horizon)]
    kept = sorted(strips, key=lambda strip: -strip.rows)[:MOST_STRIPS]
    false = [one for rows in keys for one in _false_alarms(rows, clock, horizon)]
    return Timeline(
        strips=sorted(kept, key=lambda strip: (strip.start_ns, strip.key)),
        strips_left_out=len(strips) - len(kept),
        episodes=[one for rows in keys for one in _episodes(rows, clock, horizon)],
        false_alarms=sorted(false, key=lambda one: (-one.alarms, one.start_ns, one.key)),
    )


def false_alerts(alarm: Int64, storms: Int64, horizon: int) -> Int64:
    """(k,) starts of the alerts that touch no storm, by the rule of `alarms.episode_report`."""
    begins: list[int] = []
    place = 0
    while place < len(alarm):
        begins.append(place)
        place = int(np.searchsorted(alarm, alarm[place] + horizon))
    if not begins:
        return alarm
    next_storm = np.searchsorted(storms[:, 1], alarm)
    opens = np.append(storms[:, 0] - horizon, np.iinfo(np.int64).max)[next_storm]
    touches = np.logical_or.reduceat(alarm >= opens, begins)
    false: Int64 = alarm[begins][~touches]
    return false


def _clock(walked: Walk) -> _Clock:
    order = walked.table.order
    ends = [np.array([order.argmin()]), np.array([order.argmax()])]
    first, last = (int(order[row[0]]) for row in ends)
    first_ns, last_ns = (walked.case.span_ns(walked.table, row)[0] for row in ends)
    unit_ns = (last_ns - first_ns) // (last - first) if last > first else NS_PER_S
    return _Clock(first_ns - first * unit_ns, unit_ns)


def _by_key(walked: Walk, pooled: Pooled) -> Iterator[_Rows]:
    table, rows = walked.table, pooled.rows
    excess = np.concatenate([_excess(walked, number) for number in range(len(walked.questions))])
    sizes = [len(question.fold.test) for question in walked.questions]
    fold = np.repeat(np.arange(len(sizes)), sizes)
    for place, key in enumerate(table.keys):
        of_key = np.flatnonzero(table.key[rows] == place)
        if len(of_key):
            of_key = of_key[np.argsort(table.order[rows[of_key]], kind="stable")]
            yield _Rows(
                key=key,
                order=table.order[rows[of_key]],
                y=pooled.y[of_key],
                probability=pooled.probability[CHOSEN][of_key],
                acted=pooled.acted[CHOSEN][of_key],
                excess=excess[of_key],
                regime=table.regime[rows[of_key]],
                fold=fold[of_key],
            )


def _excess(walked: Walk, number: int) -> Float64:
    """Outcome over tau (n,) of a fold's test rows; NaN without tau."""
    table, question = walked.table, walked.questions[number]
    tau = np.array([question.target.tau.get(key, np.nan) for key in table.keys])
    test = question.fold.test
    excess: Float64 = table.outcome[test] / tau[table.key[test]]
    return excess


def _strips(walked: Walk, rows: _Rows, clock: _Clock, horizon: int) -> Iterator[Strip]:
    for regime in np.unique(rows.regime):
        of_regime = np.flatnonzero(rows.regime == regime)
        order = rows.order[of_regime]
        first, span = int(order[0]), int(order[-1] - order[0]) + 1
        width = -(-span // STEPS)
        step = (order - first) // width
        low, high = (np.full(-(-span // width), edge) for edge in (np.inf, -np.inf))
        np.minimum.at(low, step, rows.probability[of_regime])
        np.maximum.at(high, step, rows.probability[of_regime])
        storms = labels.episodes(order, rows.y[of_regime], horizon_s=horizon)
        yield Strip(
            key=rows.key,
            start_ns=clock.ns(first),
            end_ns=clock.ns(first + span),
            step_ns=width * clock.unit_ns,
            rows=len(of_regime),
            low=_with_none(low),
            high=_with_none(high),
            storms=[(clock.ns(opens), clock.ns(closes + 1)) for opens, closes in storms.tolist()],
            thresholds=[
                Level(
                    start_ns=clock.ns(order[part[0]]),
                    end_ns=clock.ns(order[part[-1]] + 1),
                    probability=walked.chosen[number].threshold,
                )
                for number in np.unique(rows.fold[of_regime])
                if len(part := np.flatnonzero(rows.fold[of_regime] == number))
            ],
        )


def _with_none(values: Float64) -> list[float | None]:
    return [round(value, _DIGITS) if np.isfinite(value) else None for value in values.tolist()]


def _episodes(rows: _Rows, clock: _Clock, horizon: int) -> Iterator[Episode]:
    storms = labels.episodes(rows.order, rows.y, horizon_s=horizon)
    known = alarms.leads(rows.order[rows.acted], storms, horizon)
    for (opens, closes), lead in zip(storms.tolist(), known.tolist(), strict=True):
        inside = slice(*_within(rows.order, opens, closes))
        yield Episode(
            key=rows.key,
            start_ns=clock.ns(opens),
            end_ns=clock.ns(closes + 1),
            peak=float(rows.excess[inside].max()),
            lead_s=lead * clock.unit_ns / NS_PER_S,
        )


def _within(order: Rows, opens: int, closes: int) -> tuple[int, int]:
    return int(np.searchsorted(order, opens)), int(np.searchsorted(order, closes, side="right"))


def _false_alarms(rows: _Rows, clock: _Clock, horizon: int) -> Iterator[FalseAlarms]:
    storms = labels.episodes(rows.order, rows.y, horizon_s=horizon)
    begins = false_alerts(rows.order[rows.acted], storms, horizon)
    hours = np.array([clock.ns(order) // HOUR_NS for order in begins.tolist()], np.int64)
    for hour, count in zip(*np.unique(hours, return_counts=True), strict=True):
        yield FalseAlarms(key=rows.key, start_ns=int(hour) * HOUR_NS, alarms=int(count))
