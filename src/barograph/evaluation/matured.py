"""Matured predictions: pair predictions with their outcomes, and compute live scores.

The outcome of a prediction is, bit for bit, the `value_now` of the same product's prediction one
horizon later, so one pass over a prediction topic gives all labels. A prediction whose horizon was
not fully observed never matures. Each is scored against its own tau.
"""

from array import array
from collections.abc import Iterable
from math import nan
from typing import NamedTuple

import msgspec
import numpy as np

from barograph.arrays import Bool, Float64, Int64, Records
from barograph.evaluation import alarms, bootstrap, scores
from barograph.evaluation.labels import episodes, later
from barograph.evaluation.matured_levels import LevelRows, LevelTable, LiveLevel, judged
from barograph.evaluation.splits import sessions
from barograph.types import Interval, Prediction

RESAMPLES = 200
BLOCK_HORIZONS = 10
"""Bootstrap block length in horizons."""

_SCORES = (scores.base_rate, scores.pr_auc, scores.roc_auc, scores.brier, scores.log_loss)
_UNDEFINED = Interval(estimate=nan, low=nan, high=nan, level=0.95, resamples=0, undefined=0)


class LiveScores(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of one model's live predictions from `first_second` to `last_second`.

    `rows` counts predictions with probability and label, `immature` those without a label (yet),
    `verdicts` all. Intervals come from block resamples. Episodes are runs of outcomes at or above
    the model's own tau, `lead_s` is the median lead of those announced by an alarm at its own
    threshold. Undefined scores are NaN. `level` is of a model that forecasts the value itself.
    """

    model: str
    first_second: int
    last_second: int
    rows: int
    immature: int
    verdicts: dict[str, int]
    base_rate: Interval
    pr_auc: Interval
    roc_auc: Interval
    brier: Interval
    log_loss: Interval
    calibration_error: float
    episodes: int
    recall: float
    lead_s: float
    false_alarms_per_hour: float
    level: LiveLevel | None = None


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """Shadow minus champion, on the `rows` that both predicted and label alike.

    Each has its own tau: `left_out` rows are a spike by one and calm by the other.
    """

    champion: str
    shadow: str
    rows: int
    left_out: int
    pr_auc: Interval
    log_loss: Interval


class Forecasts(NamedTuple):
    """One model's predictions for one product that have a probability, in time order.

    All are (n,). `alarm`: the probability reached the prediction's threshold; `outcome`: 1.0 or 0.0
    by its tau, NaN if unknown.
    """

    second: Int64
    probability: Float64
    alarm: Bool
    outcome: Float64

    def only(self, rows: Bool | Int64) -> "Forecasts":
        """The forecasts at `rows`, a mask or indices."""
        return Forecasts(
            self.second[rows], self.probability[rows], self.alarm[rows], self.outcome[rows]
        )


class Matured(NamedTuple):
    """All predictions of one model, by product, with the outcomes `horizon_s` seconds later.

    Rows of the series are `step_s` seconds apart.
    """

    horizon_s: int
    step_s: int
    verdicts: dict[str, int]
    first_second: int
    last_second: int
    by_product: dict[str, Forecasts]
    levels: dict[str, LevelRows]


def mature(
    predictions: Iterable[Prediction], horizon_s: int, step_s: int = 1
) -> dict[str, Matured]:
    """The predictions of one topic, by model; of duplicates the first counts.

    horizon_s, step_s: those of the series. A prediction for another horizon has no outcome.
    """
    models: dict[str, int] = {}
    verdicts: list[dict[str, int]] = []
    numbers: dict[str, array[float]] = {}
    of_levels = LevelTable()
    for each in predictions:
        number = models.setdefault(each.model, len(models))
        if number == len(verdicts):
            verdicts.append({})
        verdicts[number][each.verdict] = verdicts[number].get(each.verdict, 0) + 1
        tau = each.tau if each.horizon_s == horizon_s else None
        of_levels.add(number, each, horizon_s)
        numbers.setdefault(each.product, array("d")).extend(
            (
                number,
                each.second,
                nan if each.probability is None else each.probability,
                each.alarm,
                nan if tau is None else tau,
                nan if each.value_now is None else each.value_now,
            )
        )
    tables = {product: np.frombuffer(numbers[product], _ROW) for product in sorted(numbers)}
    known = {product: _values(rows) for product, rows in tables.items()}
    matured = {}
    for model, number in models.items():
        rows_of = {product: rows[rows["model"] == number] for product, rows in tables.items()}
        seconds = np.concatenate([rows["second"] for rows in rows_of.values()])
        matured[model] = Matured(
            horizon_s=horizon_s,
            step_s=step_s,
            verdicts=verdicts[number],
            first_second=int(seconds.min()),
            last_second=int(seconds.max()),
            by_product={
                product: _forecasts(rows, tables[product], horizon_s)
                for product, rows in rows_of.items()
            },
            levels=of_levels.of_model(number, known, horizon_s),
        )
    return matured


_ROW = np.dtype(
    [(name, "f8") for name in ("model", "second", "probability", "alarm", "tau", "value_now")]
)
"""A prediction as numbers, so that a month of them fits into memory; NaN if unknown."""


def _forecasts(of_model: Records, rows: Records, horizon_s: int) -> Forecasts:
    """One model's rows of a product, with outcomes from the rows of all models."""
    of_model, rows = _by_second(of_model[~np.isnan(of_model["probability"])]), _by_second(rows)
    second = rows["second"].astype(np.int64)
    came = later(second, rows["value_now"], horizon_s=horizon_s)
    value = came[np.searchsorted(second, of_model["second"])]
    known = ~np.isnan(value + of_model["tau"])
    return Forecasts(
        second=of_model["second"].astype(np.int64),
        probability=of_model["probability"].copy(),
        alarm=of_model["alarm"] == 1.0,
        outcome=np.where(known, (value >= of_model["tau"]).astype(np.float64), nan),
    )


def _values(rows: Records) -> tuple[Int64, Float64]:
    """Strictly increasing seconds (n,) of a product, and its values."""
    rows = _by_second(rows)
    return rows["second"].astype(np.int64), rows["value_now"]


def _by_second(rows: Records) -> Records:
    return rows[np.unique(rows["second"], return_index=True)[1]]


def judge(model: str, matured: Matured) -> LiveScores:
    """Compute the live scores of one model's predictions."""
    horizon_s, step_s = matured.horizon_s, matured.step_s
    known_of = [each.only(~np.isnan(each.outcome)) for each in matured.by_product.values()]
    known = _pooled(known_of)
    base_rate, pr_auc, roc_auc, brier, log_loss = _intervals(known, matured)
    storms = alarms.episode_report(
        [_watch(each, horizon_s) for each in known_of], 1.0, horizon_s=horizon_s, step_s=step_s
    )
    predicted = sum(len(each.second) for each in matured.by_product.values())
    return LiveScores(
        model=model,
        first_second=matured.first_second,
        last_second=matured.last_second,
        rows=len(known.second),
        immature=predicted - len(known.second),
        verdicts=matured.verdicts,
        base_rate=base_rate,
        pr_auc=pr_auc,
        roc_auc=roc_auc,
        brier=brier,
        log_loss=log_loss,
        calibration_error=_calibration_error(known),
        episodes=storms.episodes,
        recall=storms.recall,
        lead_s=storms.lead_median_s,
        false_alarms_per_hour=storms.false_alarms_per_hour,
        level=judged(
            matured.levels.values(),
            horizon_s=horizon_s,
            block_rows=BLOCK_HORIZONS * horizon_s // step_s,
            resamples=RESAMPLES,
        ),
    )


def _intervals(known: Forecasts, series: Matured) -> list[Interval]:
    if not len(known.second):
        return [_UNDEFINED] * len(_SCORES)
    scored = [(score, known.probability) for score in _SCORES]
    drawn = bootstrap.resampled_together(scored, known.outcome, _resamples(known, series))
    return [score.interval() for score in drawn]


def _calibration_error(known: Forecasts) -> float:
    if not len(known.second):
        return nan
    return scores.calibration_error(known.outcome, known.probability)


def _watch(known: Forecasts, horizon_s: int) -> alarms.WatchedRows:
    """Alarms as probabilities 0 or 1, since each prediction had its own threshold."""
    return alarms.WatchedRows(
        second=known.second,
        probability=known.alarm.astype(np.float64),
        episodes=episodes(known.second, known.outcome, horizon_s=horizon_s),
    )


def compare(champion: str, ours: Matured, shadow: str, theirs: Matured) -> Paired:
    """Compare two models on the seconds of each product for which both have a probability."""
    pairs = []
    for product in sorted(ours.by_product.keys() & theirs.by_product.keys()):
        one, other = ours.by_product[product], theirs.by_product[product]
        _, here, there = np.intersect1d(
            one.second, other.second, assume_unique=True, return_indices=True
        )
        pairs.append((one.only(here), other.only(there)))
    before, after = _pooled(one for one, _ in pairs), _pooled(other for _, other in pairs)
    known = ~np.isnan(before.outcome + after.outcome)
    alike = before.outcome == after.outcome
    pr_auc, log_loss = _differences(before.only(alike), after.only(alike), ours)
    return Paired(
        champion=champion,
        shadow=shadow,
        rows=int(alike.sum()),
        left_out=int((known & ~alike).sum()),
        pr_auc=pr_auc,
        log_loss=log_loss,
    )


def _differences(before: Forecasts, after: Forecasts, series: Matured) -> list[Interval]:
    if not len(before.second):
        return [_UNDEFINED] * 2
    scored = [
        (score, each.probability)
        for score in (scores.pr_auc, scores.log_loss)
        for each in (before, after)
    ]
    resamples = _resamples(before, series)
    first, then, loss, less = bootstrap.resampled_together(scored, before.outcome, resamples)
    return [(then - first).interval(), (less - loss).interval()]


def _pooled(forecasts: Iterable[Forecasts]) -> Forecasts:
    return Forecasts(*(np.concatenate(column) for column in zip(_NOTHING, *forecasts, strict=True)))


_NOTHING = Forecasts(
    second=np.empty(0, np.int64),
    probability=np.empty(0),
    alarm=np.empty(0, np.bool_),
    outcome=np.empty(0),
)


def _resamples(forecasts: Forecasts, series: Matured) -> bootstrap.Resamples:
    session = sessions(forecasts.second, hole_s=series.horizon_s)
    rows = BLOCK_HORIZONS * series.horizon_s // series.step_s
    return bootstrap.resamples(forecasts.second, session, block_s=rows, count=RESAMPLES)
