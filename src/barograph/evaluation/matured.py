"""Matured predictions: what was said, beside what came, and from both the live scores of a model.

The label of second s is, to the bit, the `realized_vol_60s` that the prediction of second s + 60 of
the same product carries: a topic of predictions holds its own labels, and one pass over it is
enough. A prediction whose 60 seconds were not all observed never matures. Each is judged against
its own tau: whether what it called a spike came.
"""

from array import array
from collections.abc import Iterable
from math import nan
from typing import NamedTuple

import msgspec
import numpy as np

from barograph.arrays import Bool, Float64, Int64, Records
from barograph.evaluation import alarms, bootstrap, scores
from barograph.evaluation.labels import HORIZON_S, episodes
from barograph.evaluation.splits import HOLE_S, sessions
from barograph.types import Interval, Prediction

RESAMPLES = 200
BLOCK_S = 600


_SCORES = (scores.base_rate, scores.pr_auc, scores.roc_auc, scores.brier, scores.log_loss)
_UNDEFINED = Interval(estimate=nan, low=nan, high=nan, level=0.95, resamples=0, undefined=0)


class LiveScores(msgspec.Struct, frozen=True, kw_only=True):
    """How one model's predictions from `first_second` to `last_second` fared.

    `rows` have a probability and a label; `immature` ones have no label, yet or ever; `verdicts`
    counts all. Intervals come from block resamples. Episodes are storms by the model's own tau,
    `lead_s` is the median warning before those that an alarm at its own threshold announced. NaN
    where not defined.
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


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """Shadow minus champion, on the `rows` that both predicted and whose label both call alike.

    Each has a tau of its own: `left_out` rows came as a spike to one and as calm to the other.
    """

    champion: str
    shadow: str
    rows: int
    left_out: int
    pr_auc: Interval
    log_loss: Interval


class Said(NamedTuple):
    """What one model said of one product with a probability, in the order of seconds.

    Each is (n,). `alarm` says that the probability reached the prediction's threshold; `spike` is
    1.0 or 0.0 by its tau, NaN where the label is missing.
    """

    second: Int64
    probability: Float64
    alarm: Bool
    spike: Float64

    def only(self, rows: Bool | Int64) -> "Said":
        """Some of it."""
        return Said(self.second[rows], self.probability[rows], self.alarm[rows], self.spike[rows])


class Matured(NamedTuple):
    """All that one model said, by product, beside what came."""

    verdicts: dict[str, int]
    first_second: int
    last_second: int
    of: dict[str, Said]


def mature(predictions: Iterable[Prediction]) -> dict[str, Matured]:
    """The predictions of one topic, by model; of one that stands there twice the first."""
    models: dict[str, int] = {}
    verdicts: list[dict[str, int]] = []
    numbers: dict[str, array[float]] = {}
    for said in predictions:
        number = models.setdefault(said.model, len(models))
        if number == len(verdicts):
            verdicts.append({})
        verdicts[number][said.verdict] = verdicts[number].get(said.verdict, 0) + 1
        numbers.setdefault(said.product, array("d")).extend(_numbers(number, said))
    tables = {product: np.frombuffer(numbers[product], _ROW) for product in sorted(numbers)}
    found = {}
    for model, number in models.items():
        mine = {product: rows[rows["model"] == number] for product, rows in tables.items()}
        seconds = np.concatenate([rows["second"] for rows in mine.values()])
        found[model] = Matured(
            verdicts=verdicts[number],
            first_second=int(seconds.min()),
            last_second=int(seconds.max()),
            of={product: _beside(rows, tables[product]) for product, rows in mine.items()},
        )
    return found


_ROW = np.dtype(
    [(name, "f8") for name in ("model", "second", "probability", "alarm", "tau", "vol")]
)
"""A prediction in numbers: a month of them fits into memory. What is not known is NaN."""


def _numbers(model: int, said: Prediction) -> tuple[float, ...]:
    """A prediction as _ROW; without tau where it looks ahead for another time than labels do."""
    return (
        model,
        said.second,
        nan if said.probability is None else said.probability,
        said.spike,
        nan if said.tau is None or said.horizon_s != HORIZON_S else said.tau,
        nan if said.realized_vol_60s is None else said.realized_vol_60s,
    )


def _beside(mine: Records, rows: Records) -> Said:
    """One model's rows of a product beside the labels that all its rows carry."""
    mine, rows = _by_second(mine[~np.isnan(mine["probability"])]), _by_second(rows)
    later = mine["second"] + HORIZON_S
    place = np.minimum(np.searchsorted(rows["second"], later), len(rows) - 1)
    label = np.where(rows["second"][place] == later, rows["vol"][place], nan)
    known = ~np.isnan(label + mine["tau"])
    return Said(
        second=mine["second"].astype(np.int64),
        probability=mine["probability"].copy(),
        alarm=mine["alarm"] == 1.0,
        spike=np.where(known, (label >= mine["tau"]).astype(np.float64), nan),
    )


def _by_second(rows: Records) -> Records:
    return rows[np.unique(rows["second"], return_index=True)[1]]


def judge(model: str, matured: Matured) -> LiveScores:
    """The live scores of what one model said."""
    of = [said.only(~np.isnan(said.spike)) for said in matured.of.values()]
    known = _pooled(of)
    base_rate, pr_auc, roc_auc, brier, log_loss = _intervals(known)
    storms = alarms.episode_report([_watch(said) for said in of], 1.0, horizon_s=HORIZON_S)
    said = sum(len(said.second) for said in matured.of.values())
    return LiveScores(
        model=model,
        first_second=matured.first_second,
        last_second=matured.last_second,
        rows=len(known.second),
        immature=said - len(known.second),
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
    )


def _intervals(known: Said) -> list[Interval]:
    if not len(known.second):
        return [_UNDEFINED] * len(_SCORES)
    asked = [(score, known.probability) for score in _SCORES]
    drawn = bootstrap.resampled_together(asked, known.spike, _resamples(known))
    return [score.interval() for score in drawn]


def _calibration_error(known: Said) -> float:
    if not len(known.second):
        return nan
    return scores.calibration_error(known.spike, known.probability)


def _watch(said: Said) -> alarms.Watch:
    """The alarms as they were given, as certainties: each had its own threshold."""
    return alarms.Watch(
        second=said.second,
        probability=said.alarm.astype(np.float64),
        episodes=episodes(said.second, said.spike),
    )


def compare(champion: str, ours: Matured, shadow: str, theirs: Matured) -> Paired:
    """Two models on the seconds of each product that both gave a probability."""
    pairs = []
    for product in sorted(ours.of.keys() & theirs.of.keys()):
        one, other = ours.of[product], theirs.of[product]
        _, here, there = np.intersect1d(
            one.second, other.second, assume_unique=True, return_indices=True
        )
        pairs.append((one.only(here), other.only(there)))
    before, after = _pooled(one for one, _ in pairs), _pooled(other for _, other in pairs)
    known = ~np.isnan(before.spike + after.spike)
    alike = before.spike == after.spike
    pr_auc, log_loss = _differences(before.only(alike), after.only(alike))
    return Paired(
        champion=champion,
        shadow=shadow,
        rows=int(alike.sum()),
        left_out=int((known & ~alike).sum()),
        pr_auc=pr_auc,
        log_loss=log_loss,
    )


def _differences(before: Said, after: Said) -> list[Interval]:
    if not len(before.second):
        return [_UNDEFINED] * 2
    asked = [
        (score, said.probability)
        for score in (scores.pr_auc, scores.log_loss)
        for said in (before, after)
    ]
    first, then, loss, less = bootstrap.resampled_together(asked, before.spike, _resamples(before))
    return [(then - first).interval(), (less - loss).interval()]


def _pooled(of: Iterable[Said]) -> Said:
    return Said(*(np.concatenate(column) for column in zip(_NOTHING, *of, strict=True)))


_NOTHING = Said(
    second=np.empty(0, np.int64),
    probability=np.empty(0),
    alarm=np.empty(0, np.bool_),
    spike=np.empty(0),
)


def _resamples(said: Said) -> bootstrap.Resamples:
    session = sessions(said.second, hole_s=HOLE_S)
    return bootstrap.resamples(said.second, session, block_s=BLOCK_S, count=RESAMPLES)
