"""The chosen forecast over time: strips to draw, each episode's fate, where alarms were false."""

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
"""Into so many steps of equal length a strip is cut at most."""

_DIGITS = 4


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """From which probability on alarms were raised, from `start_ns` to before `end_ns`."""

    start_ns: int
    end_ns: int
    probability: float


class Strip(msgspec.Struct, frozen=True, kw_only=True):
    """One key in one regime. Step k is `step_ns` long and begins at start_ns + k · step_ns.

    `low` and `high` are the least and the highest probability in each step, None without a row, so
    nothing is smoothed away. `storms` are [start, end) of the true episodes.
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
    """A true episode: its first and last yes, how high it went, and how it was announced.

    `peak` is its highest outcome over tau, NaN where there is no tau. `lead_s` is from the first
    alarm to the moment at which it was a fact, as in `alarms.episode_report`; 0 where missed.
    """

    key: str
    start_ns: int
    end_ns: int
    peak: float
    lead_s: float


class FalseAlarms(msgspec.Struct, frozen=True, kw_only=True):
    """How many alarms of one key in the hour from `start_ns` on touched no episode."""

    key: str
    start_ns: int
    alarms: int


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `strips`: the `MOST_STRIPS` with most rows, in time; `false_alarms`: by number."""

    strips: list[Strip]
    strips_left_out: int
    episodes: list[Episode]
    false_alarms: list[FalseAlarms]


class _Clock(NamedTuple):
    """Orders as times: they rise evenly with time."""

    origin_ns: int
    unit_ns: int

    def ns(self, order: int) -> int:
        return self.origin_ns + int(order) * self.unit_ns

    def orders(self, seconds: int) -> int:
        return max(1, seconds * NS_PER_S // self.unit_ns)


class _Rows(NamedTuple):
    """Tested rows of one key, by rising order, with what was said and done there."""

    key: str
    order: Int64
    y: Float64
    probability: Float64
    acted: Bool
    excess: Float64
    regime: Int64
    fold: Int64


def timeline(walked: Walk, pooled: Pooled) -> Timeline | None:
    """What the choices of all folds said over time; None for a case without time."""
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
    """(k,): where the alerts begin that touch no storm, by the rule of `alarms.episode_report`."""
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
        mine = np.flatnonzero(table.key[rows] == place)
        if len(mine):
            mine = mine[np.argsort(table.order[rows[mine]], kind="stable")]
            yield _Rows(
                key=key,
                order=table.order[rows[mine]],
                y=pooled.y[mine],
                probability=pooled.probability[CHOSEN][mine],
                acted=pooled.acted[CHOSEN][mine],
                excess=excess[mine],
                regime=table.regime[rows[mine]],
                fold=fold[mine],
            )


def _excess(walked: Walk, number: int) -> Float64:
    """Outcome over tau of a fold's test rows; NaN without tau."""
    table, question = walked.table, walked.questions[number]
    tau = np.array([question.target.tau.get(key, np.nan) for key in table.keys])
    test = question.fold.test
    excess: Float64 = table.outcome[test] / tau[table.key[test]]
    return excess


def _strips(walked: Walk, rows: _Rows, clock: _Clock, horizon: int) -> Iterator[Strip]:
    for regime in np.unique(rows.regime):
        mine = np.flatnonzero(rows.regime == regime)
        order = rows.order[mine]
        first, span = int(order[0]), int(order[-1] - order[0]) + 1
        width = -(-span // STEPS)
        step = (order - first) // width
        low, high = (np.full(-(-span // width), edge) for edge in (np.inf, -np.inf))
        np.minimum.at(low, step, rows.probability[mine])
        np.maximum.at(high, step, rows.probability[mine])
        storms = labels.episodes(order, rows.y[mine], horizon_s=horizon)
        yield Strip(
            key=rows.key,
            start_ns=clock.ns(first),
            end_ns=clock.ns(first + span),
            step_ns=width * clock.unit_ns,
            rows=len(mine),
            low=_with_none(low),
            high=_with_none(high),
            storms=[(clock.ns(opens), clock.ns(closes + 1)) for opens, closes in storms.tolist()],
            thresholds=[
                Level(
                    start_ns=clock.ns(order[part[0]]),
                    end_ns=clock.ns(order[part[-1]] + 1),
                    probability=walked.chosen[number].threshold,
                )
                for number in np.unique(rows.fold[mine])
                if len(part := np.flatnonzero(rows.fold[mine] == number))
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
