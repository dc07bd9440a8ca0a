"""Live scores of forecasts of a value: its median, its root mean square and its interval."""

from array import array
from collections.abc import Iterable, Mapping
from math import nan
from typing import NamedTuple

import msgspec
import numpy as np

from barograph.arrays import Float64, Int64
from barograph.evaluation import bootstrap, scores
from barograph.evaluation.conformal import FLOOR, covered
from barograph.evaluation.labels import later
from barograph.evaluation.splits import sessions
from barograph.types import Interval, Prediction


class LiveLevel(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of one model's forecasts of a value, on the `rows` whose value came.

    `log_r2`, `mae` and `mape` are of the median, `qlike` of the root mean square; `coverage` is the
    share of values within their interval, `width` the median ratio of its ends. Values below 1e-7
    count as that.
    """

    rows: int
    log_r2: Interval
    qlike: Interval
    mae: Interval
    mape: Interval
    coverage: Interval
    width: float


class LevelRows(NamedTuple):
    """One model's forecasts of one product's value, (n,) each, and the value that came; else NaN.

    Only predictions with an interval are among them, in time order.
    """

    second: Int64
    median: Float64
    forecast: Float64
    low: Float64
    high: Float64
    value: Float64


class LevelTable:
    """The forecasts of values of one topic, as numbers, while its predictions are read."""

    def __init__(self) -> None:
        self._numbers: dict[str, array[float]] = {}

    def add(self, model: int, prediction: Prediction, horizon_s: int) -> None:
        """Take a prediction of the model with this number, if it has an interval."""
        if prediction.low is None or prediction.horizon_s != horizon_s:
            return
        each = (prediction.median, prediction.forecast, prediction.low, prediction.high)
        row = (model, prediction.second, *(nan if of is None else of for of in each))
        self._numbers.setdefault(prediction.product, array("d")).extend(row)

    def of_model(
        self, model: int, known: Mapping[str, tuple[Int64, Float64]], horizon_s: int
    ) -> dict[str, LevelRows]:
        """One model's forecasts by product; of two for a second the first counts.

        known: each product's seconds (n,), strictly increasing, and its values (n,).
        """
        rows_of = {}
        for product, numbers in sorted(self._numbers.items()):
            table = np.frombuffer(numbers, np.float64).reshape(-1, 6)
            table = table[table[:, 0] == model]
            table = table[np.unique(table[:, 1], return_index=True)[1]]
            if not len(table):
                continue
            second, values = known[product]
            came = later(second, values, horizon_s=horizon_s)
            at = table[:, 1].astype(np.int64)
            median, forecast, low, high = table.T[2:]
            value = came[np.searchsorted(second, at)]
            rows_of[product] = LevelRows(at, median, forecast, low, high, value)
        return rows_of


def judged(
    rows: Iterable[LevelRows], *, horizon_s: int, block_rows: int, resamples: int
) -> LiveLevel | None:
    """The scores over all products, with intervals of block resamples; None without a value."""
    known = [of for of in rows if len(of.second)]
    if not known:
        return None
    pooled = LevelRows(*(np.concatenate(columns) for columns in zip(*known, strict=True)))
    pooled = LevelRows(*(column[~np.isnan(pooled.value)] for column in pooled))
    if not len(pooled.second):
        return None
    value = np.maximum(pooled.value, FLOOR)
    inside = covered(value, pooled.low, pooled.high).astype(np.float64)
    measures = [
        (scores.log_r2, np.maximum(pooled.median, FLOOR)),
        (scores.qlike, np.maximum(pooled.forecast, FLOOR)),
        (scores.mae, pooled.median),
        (scores.mape, np.maximum(pooled.median, FLOOR)),
        (scores.coverage, inside),
    ]
    session = sessions(pooled.second, hole_s=horizon_s)
    drawn = bootstrap.resamples(pooled.second, session, block_s=block_rows, count=resamples)
    of = bootstrap.resampled_together(measures, value, drawn)
    intervals = {score.name: one.interval() for (score, _), one in zip(measures, of, strict=True)}
    width = float(np.median(pooled.high / np.maximum(pooled.low, FLOOR)))
    return LiveLevel(rows=len(value), **intervals, width=width)
