"""Level forecasts of a walk: intervals by replay, and the scores of the value itself.

In each fold, intervals know the residuals of the held-out rows and learn from the tested rows as
they would live: each outcome a horizon after its forecast.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from barograph.arrays import Bool, Float64, Int64
from barograph.cases.case import Table
from barograph.evaluation import scores
from barograph.evaluation.conformal import (
    Intervals,
    IntervalState,
    LevelRule,
    covered,
    replay,
    seeded,
)
from barograph.evaluation.gate import LevelForecast
from barograph.evaluation.scores import Score
from barograph.evaluation.splits import Rows
from barograph.registry.model import LevelFacts
from barograph.types import DAY_S, Interval

_HOURS, _REGIMES = 24, 4

OF_LEVEL = (scores.rmse, scores.r2, scores.mae, scores.mape, scores.pinball, scores.coverage)


class LevelScores(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of a candidate's level forecasts on the pooled test rows.

    `rmse` and `r2` are of the mean forecast, `mae` and `mape` of the median, `pinball` of the
    interval's ends; `width` is the median ratio of them. `coverage` is the share of outcomes within
    their interval: of all rows, of each year (UTC), of each slot and each hour of the day (UTC, at
    which the forecast is made; NaN without rows), and of each regime: the quarters of the rows from
    the lowest to the highest forecast.
    """

    rmse: Interval
    r2: Interval
    mae: Interval
    mape: Interval
    pinball: Interval
    coverage: Interval
    width: float
    coverage_by_year: dict[str, float]
    coverage_by_slot: list[float]
    coverage_by_hour: list[float] = []
    coverage_by_regime: list[float] = []


class Levels(NamedTuple):
    """Level forecasts of rows, (n,) each in the unit of the series.

    `root_mean_square` is QLIKE's functional. Where there were too few residuals all are the median.
    """

    median: Float64
    mean: Float64
    root_mean_square: Float64
    low: Float64
    high: Float64

    def gated(self, outcome: Float64, where: Bool) -> LevelForecast:
        """The forecasts of the rows at `where`, in the form for the gate."""
        inside = covered(outcome, self.low, self.high)
        return LevelForecast(value=self.root_mean_square[where], covered=inside[where])

    def measures(self, outcome: Float64, tail: float) -> list[tuple[Score, Float64]]:
        """(score, what it is called with beside the outcomes) of each score of a level."""
        inside = covered(outcome, self.low, self.high).astype(np.float64)
        loss = scores.pinball_loss(outcome, self.low, self.high, tail)
        return [
            (scores.log_r2, self.median),
            (scores.qlike, self.root_mean_square),
            (scores.rmse, self.mean),
            (scores.r2, self.mean),
            (scores.mae, self.median),
            (scores.mape, self.median),
            (scores.pinball, loss),
            (scores.coverage, inside),
        ]

    def scores(
        self, rule: LevelRule, outcome: Float64, second: Int64, of: Mapping[str, Interval]
    ) -> LevelScores:
        """The scores with their intervals `of` by name, and coverage by year and slot."""
        inside = covered(outcome, self.low, self.high)
        years = (second.astype("datetime64[s]")).astype("datetime64[Y]").astype(str)
        slots = np.array([rule.slot(each) for each in second.tolist()])
        hours = (second + 1) % DAY_S * _HOURS // DAY_S
        edges = np.quantile(self.median, np.arange(1, _REGIMES) / _REGIMES)
        regimes = np.searchsorted(edges, self.median, side="right")
        return LevelScores(
            **of,
            width=float(np.median(self.high / self.low)),
            coverage_by_year={
                str(year): float(inside[years == year].mean()) for year in np.unique(years)
            },
            coverage_by_slot=_shares(inside, slots, rule.slots),
            coverage_by_hour=_shares(inside, hours, _HOURS),
            coverage_by_regime=_shares(inside, regimes, _REGIMES),
        )


def _shares(inside: Bool, group: Int64, groups: int) -> list[float]:
    """The share of `inside` in each group, NaN in one without rows."""
    return [
        float(inside[group == each].mean()) if (group == each).any() else np.nan
        for each in range(groups)
    ]


def together(parts: Sequence[Levels]) -> Levels:
    """The forecasts of several folds, concatenated."""
    return Levels(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def selection(rule: LevelRule, outcome: Float64, median: Float64, weight: Float64) -> float:
    """QLIKE of held-out forecasts (n,), scaled to the root mean square by their own residuals."""
    value, centre = np.maximum(outcome, rule.floor), np.maximum(median, rule.floor)
    square = np.average((value / centre) ** 2, weights=weight)
    loss = scores.qlike_loss(value, centre * np.sqrt(square))
    return float(np.average(loss, weights=weight))


def of_fold(
    rule: LevelRule,
    horizon_s: int,
    table: Table,
    held: tuple[Rows, Float64],
    tested: tuple[Rows, Float64],
) -> tuple[Levels, LevelFacts]:
    """Level forecasts of a fold's tested rows, and what intervals have learned after them.

    held, tested: rows and their median forecasts (n,).
    """
    states = {}
    for place, key in enumerate(table.keys):
        rows, median = (each[table.key[held[0]] == place] for each in held)
        start = seeded(rule, horizon_s, table.order[rows], median, table.outcome[rows])
        states[key] = start.settled()
    return _replayed(LevelFacts(rule=rule, states=states), horizon_s, table, *tested)


def of_model(
    facts: LevelFacts, horizon_s: int, table: Table, rows: Rows, median: Float64
) -> Levels:
    """Level forecasts of later rows by a registered model, from its `median` forecasts (n,)."""
    return _replayed(facts, horizon_s, table, rows, median)[0]


def _replayed(
    facts: LevelFacts, horizon_s: int, table: Table, rows: Rows, median: Float64
) -> tuple[Levels, LevelFacts]:
    rule = facts.rule
    centre = np.maximum(median, rule.floor)
    out = np.tile(centre[:, None], 5)
    states: dict[str, IntervalState] = {}
    for place, key in enumerate(table.keys):
        of_key = np.flatnonzero(table.key[rows] == place)
        of_key = of_key[np.argsort(table.order[rows[of_key]], kind="stable")]
        intervals = Intervals(rule, horizon_s, facts.states.get(key))
        second, value = table.order[rows[of_key]], table.outcome[rows[of_key]]
        said = np.column_stack(replay(intervals, horizon_s, second, median[of_key], value))
        known = ~np.isnan(said[:, 0])
        out[of_key[known]] = said[known]
        states[key] = intervals.settled()
    low, high, mean, root_mean_square, told = out.T
    levels = Levels(np.maximum(told, rule.floor), mean, root_mean_square, low, high)
    return levels, LevelFacts(rule=rule, states=states)
