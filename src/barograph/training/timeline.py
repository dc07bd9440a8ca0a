"""The chosen forecast over time: strips to draw, episodes with their leads, false alarms."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from barograph.arrays import Bool, Float64, Int64
from barograph.cases.case import LEVEL, OUTCOME, Axis
from barograph.evaluation import alarms, labels
from barograph.evaluation.splits import Rows
from barograph.training.clock import Clock, clock_of
from barograph.training.pooled import Pooled
from barograph.training.walkforward import CHOSEN, Walk
from barograph.types import HOUR_NS, NS_PER_S

MOST_STRIPS = 24
STEPS = 720
"""Most steps of a strip."""

_DIGITS, _LEVEL_DIGITS = 4, 8


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """The alarm threshold in force in [start_ns, end_ns)."""

    start_ns: int
    end_ns: int
    probability: float


class TauLevel(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome from which a row was positive in [start_ns, end_ns)."""

    start_ns: int
    end_ns: int
    tau: float


class Strip(msgspec.Struct, frozen=True, kw_only=True):
    """One key in one regime. Step k is `step_ns` long and starts at start_ns + k · step_ns.

    `low` and `high` are the lowest and highest probability in each step, None without a row.
    `storms` are [start, end) of the true episodes. `outcome_low` and `outcome_high` are the lowest
    and highest outcome of each step's rows, `taus` its limits, `level` the last `Table.level` of
    each step, all in the units of the table; empty where the case has none.
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
    outcome_low: list[float | None] = []
    outcome_high: list[float | None] = []
    taus: list[TauLevel] = []
    level: list[float | None] = []


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
    """`strips`: the `MOST_STRIPS` longest, in time order; `false_alarms`: most alarms first.

    `outcome_axis` and `level_axis` say how to show what the strips hold.
    """

    strips: list[Strip]
    strips_left_out: int
    episodes: list[Episode]
    false_alarms: list[FalseAlarms]
    outcome_axis: Axis = OUTCOME
    level_axis: Axis = LEVEL


class _Rows(NamedTuple):
    """Tested rows of one key, by increasing order, with predictions and alarms."""

    key: str
    order: Int64
    y: Float64
    probability: Float64
    acted: Bool
    outcome: Float64
    tau: Float64
    level: Float64 | None
    regime: Int64
    fold: Int64


def timeline(walked: Walk, pooled: Pooled) -> Timeline | None:
    """Build the timeline of all folds' choices; None for a case without time."""
    if not walked.case.horizon_s:
        return None
    clock = clock_of(walked.case, walked.table)
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
        outcome_axis=walked.case.outcome_axis,
        level_axis=walked.case.level_axis,
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


def _by_key(walked: Walk, pooled: Pooled) -> Iterator[_Rows]:
    table, rows = walked.table, pooled.rows
    tau = np.concatenate([_taus(walked, number) for number in range(len(walked.questions))])
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
                outcome=table.outcome[rows[of_key]],
                tau=tau[of_key],
                level=None if table.level is None else table.level[rows[of_key]],
                regime=table.regime[rows[of_key]],
                fold=fold[of_key],
            )


def _taus(walked: Walk, number: int) -> Float64:
    """Return tau (n,) of a fold's test rows; NaN without one."""
    table, question = walked.table, walked.questions[number]
    tau = np.array([question.target.tau.get(key, np.nan) for key in table.keys])
    of_rows: Float64 = tau[table.key[question.fold.test]]
    return of_rows


def _strips(walked: Walk, rows: _Rows, clock: Clock, horizon: int) -> Iterator[Strip]:
    for regime in np.unique(rows.regime):
        of_regime = np.flatnonzero(rows.regime == regime)
        order = rows.order[of_regime]
        first, span = int(order[0]), int(order[-1] - order[0]) + 1
        width = -(-span // STEPS)
        step = (order - first) // width
        steps = -(-span // width)
        low, high = _ends(rows.probability[of_regime], step, steps)
        outcome_low, outcome_high = _ends(rows.outcome[of_regime], step, steps)
        level = np.full(steps, np.nan)
        if rows.level is not None:
            level[step] = rows.level[of_regime]  # the last row of a step wins
        parts = [
            part
            for number in np.unique(rows.fold[of_regime])
            if len(part := np.flatnonzero(rows.fold[of_regime] == number))
        ]
        spans = [
            (clock.ns(int(order[part[0]])), clock.ns(int(order[part[-1]]) + 1)) for part in parts
        ]
        storms = labels.episodes(order, rows.y[of_regime], horizon_s=horizon)
        yield Strip(
            key=rows.key,
            start_ns=clock.ns(first),
            end_ns=clock.ns(first + span),
            step_ns=width * clock.unit_ns,
            rows=len(of_regime),
            low=_decimals(low),
            high=_decimals(high),
            storms=[(clock.ns(opens), clock.ns(closes + 1)) for opens, closes in storms.tolist()],
            thresholds=[
                Level(
                    start_ns=start_ns,
                    end_ns=end_ns,
                    probability=walked.chosen[rows.fold[of_regime][part[0]]].threshold,
                )
                for part, (start_ns, end_ns) in zip(parts, spans, strict=True)
            ],
            outcome_low=_significant(outcome_low, _DIGITS),
            outcome_high=_significant(outcome_high, _DIGITS),
            taus=[
                TauLevel(start_ns=start_ns, end_ns=end_ns, tau=float(tau))
                for part, (start_ns, end_ns) in zip(parts, spans, strict=True)
                if np.isfinite(tau := rows.tau[of_regime][part[0]])
            ],
            level=[] if rows.level is None else _significant(level, _LEVEL_DIGITS),
        )


def _ends(values: Float64, step: Int64, steps: int) -> tuple[Float64, Float64]:
    """The lowest and the highest of the values in each step, infinite without one."""
    low, high = (np.full(steps, edge) for edge in (np.inf, -np.inf))
    np.minimum.at(low, step, values)
    np.maximum.at(high, step, values)
    return low, high


def _decimals(values: Float64) -> list[float | None]:
    return [round(value, _DIGITS) if np.isfinite(value) else None for value in values.tolist()]


def _significant(values: Float64, digits: int) -> list[float | None]:
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in values]


def _episodes(rows: _Rows, clock: Clock, horizon: int) -> Iterator[Episode]:
    storms = labels.episodes(rows.order, rows.y, horizon_s=horizon)
    known = alarms.leads(rows.order[rows.acted], storms, horizon)
    for (opens, closes), lead in zip(storms.tolist(), known.tolist(), strict=True):
        inside = slice(*_within(rows.order, opens, closes))
        yield Episode(
            key=rows.key,
            start_ns=clock.ns(opens),
            end_ns=clock.ns(closes + 1),
            peak=float((rows.outcome[inside] / rows.tau[inside]).max()),
            lead_s=lead * clock.unit_ns / NS_PER_S,
        )


def _within(order: Rows, opens: int, closes: int) -> tuple[int, int]:
    return int(np.searchsorted(order, opens)), int(np.searchsorted(order, closes, side="right"))


def _false_alarms(rows: _Rows, clock: Clock, horizon: int) -> Iterator[FalseAlarms]:
    storms = labels.episodes(rows.order, rows.y, horizon_s=horizon)
    begins = false_alerts(rows.order[rows.acted], storms, horizon)
    hours = np.array([clock.ns(order) // HOUR_NS for order in begins.tolist()], np.int64)
    for hour, count in zip(*np.unique(hours, return_counts=True), strict=True):
        yield FalseAlarms(key=rows.key, start_ns=int(hour) * HOUR_NS, alarms=int(count))
