"""Where the choices have skill: scores of parts of the tested rows, beside the best baseline's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from barograph.arrays import Bool, Float64
from barograph.cases.case import Case, Table
from barograph.evaluation import bootstrap, scores
from barograph.evaluation.bootstrap import Resampled, Resamples
from barograph.evaluation.gate import wide
from barograph.evaluation.scores import Score
from barograph.evaluation.splits import Rows
from barograph.times import minute_of
from barograph.training.clock import clock_of
from barograph.types import HOUR_NS, Interval

PartKind = Literal["all", "key", "regime", "hour", "session"]
"""What a part is of: every tested row, a key, a third of the rows by the reference's forecast over
tau, an hour of the day (UTC) at which forecasts are made, or a stretch of history."""

THIRDS = ("calmest third", "middle third", "wildest third")
RESAMPLES = 200
"""Most block resamples of a part, as there are dozens, and of what can be known."""


class PairedScore(msgspec.Struct, frozen=True, kw_only=True):
    """A score of the choices and of a baseline on the same rows, and the first less the second."""

    baseline: str
    chosen: float
    of_baseline: float
    difference: Interval


class SkillRow(msgspec.Struct, frozen=True, kw_only=True):
    """The tested rows of one part: their number, contents, and the scores on them.

    `blocks` counts the whole bootstrap blocks, `events` the independent positives. In each score
    the baseline is the one of those to beat that has the best score on all tested rows; `pr_auc` is
    of each one's better ranking there. `better_than_reference` names every model whose log loss
    lies below the reference's by the whole interval. `pr_auc` is None without positives, `log_r2`
    where the choices or every baseline to beat have no forecast.
    """

    by: PartKind
    name: str
    rows: int
    blocks: int
    events: int
    base_rate: float
    pr_auc: PairedScore | None
    log_loss: PairedScore
    log_r2: PairedScore | None
    better_than_reference: list[str]


class Part(NamedTuple):
    """Some of the pooled rows: what they are of, and the indices (m,) of its rows among them."""

    by: PartKind
    name: str
    where: Rows


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PooledForecasts:
    """The tested rows of all folds, and what was forecast for them by each model: (n,) each.

    `rows` are indices into `table`; `ranking` is each model's better ranking, `volatility` is that
    of the models that forecast one. `baselines` are those to beat.
    """

    case: Case
    table: Table
    rows: Rows
    y: Float64
    outcome: Float64
    probability: Mapping[str, Float64]
    ranking: Mapping[str, Float64]
    volatility: Mapping[str, Float64]
    chosen: str
    baselines: Sequence[str]

    def some(self, where: Bool) -> "PooledForecasts":
        """The same of the tested rows at `where` (n,) alone."""

        def of(forecasts: Mapping[str, Float64]) -> Mapping[str, Float64]:
            return {name: forecast[where] for name, forecast in forecasts.items()}

        return replace(
            self,
            rows=self.rows[where],
            y=self.y[where],
            outcome=self.outcome[where],
            probability=of(self.probability),
            ranking=of(self.ranking),
            volatility=of(self.volatility),
        )


class Resampling(NamedTuple):
    """How intervals are drawn: at most `RESAMPLES` of `resamples`, at `level`, by `seed`."""

    resamples: int
    level: float
    seed: int

    def drawn(self, of: PooledForecasts, rows: Rows) -> Resamples:
        """Block resamples of rows (m,) of the table."""
        return bootstrap.resamples(
            of.table.order[rows],
            of.table.session[rows],
            block_s=of.case.block,
            count=min(self.resamples, RESAMPLES),
            seed=self.seed,
        )


def skill_rows(of: PooledForecasts, ratio: Float64 | None, how: Resampling) -> list[SkillRow]:
    """Score each part; empty for a case without time and without a baseline to beat.

    ratio: (n,) the reference's forecast over tau, None without one.
    """
    if not of.case.horizon_s or not of.baselines:
        return []
    against = {score.name: _best(of, score) for score in _SCORES}
    return [_scored(of, each, against, how) for each in parts(of, ratio)]


def parts(of: PooledForecasts, ratio: Float64 | None) -> Iterator[Part]:
    """Yield every part that has rows; keys and sessions only where there are several."""
    table, rows = of.table, of.rows
    yield Part("all", "all tested rows", np.arange(len(rows)))
    keys = np.unique(table.key[rows])
    if len(keys) > 1:
        for key in keys.tolist():
            yield Part("key", table.keys[key], np.flatnonzero(table.key[rows] == key))
    if ratio is not None:
        third = np.searchsorted(np.quantile(ratio, [1 / 3, 2 / 3]), ratio, side="right")
        for place in np.unique(third).tolist():
            yield Part("regime", THIRDS[place], np.flatnonzero(third == place))
    hour = clock_of(of.case, table).ns(table.order[rows] + 1) // HOUR_NS % 24
    for each in np.unique(hour).tolist():
        yield Part("hour", f"{each:02d}:00", np.flatnonzero(hour == each))
    regimes = np.unique(table.regime[rows])
    if len(regimes) > 1:
        for number in regimes.tolist():
            where = np.flatnonzero(table.regime[rows] == number)
            yield Part("session", minute_of(of.case.span_ns(table, rows[where])[0]), where)


_SCORES = (scores.pr_auc, scores.log_loss, scores.log_r2)


def _forecasts(of: PooledForecasts, score: Score) -> tuple[Mapping[str, Float64], Float64]:
    """What a score is called with: each model's forecast, and the truth."""
    if score is scores.pr_auc:
        return of.ranking, of.y
    if score is scores.log_loss:
        return of.probability, of.y
    return of.volatility, of.outcome


def _best(of: PooledForecasts, score: Score) -> str | None:
    """The baseline to beat with the best score on all tested rows; None without a defined one."""
    forecasts, truth = _forecasts(of, score)
    if of.chosen not in forecasts:
        return None
    sign = 1 if score.higher_is_better else -1
    values = {
        name: sign * score(truth, forecasts[name]) for name in of.baselines if name in forecasts
    }
    known = {name: value for name, value in values.items() if not np.isnan(value)}
    return max(known, key=lambda name: known[name], default=None)


def _scored(
    of: PooledForecasts, part: Part, against: Mapping[str, str | None], how: Resampling
) -> SkillRow:
    rows, y = of.rows[part.where], of.y[part.where]
    drawn = how.drawn(of, rows)

    def resampled(score: Score, names: Sequence[str]) -> list[Resampled]:
        forecasts, truth = _forecasts(of, score)
        measures = [(score, forecasts[name][part.where]) for name in names]
        return bootstrap.resampled_together(measures, truth[part.where], drawn)

    def paired(score: Score) -> PairedScore | None:
        baseline = against[score.name]
        if baseline is None or (score is scores.pr_auc and not y.any()):
            return None
        ours, theirs = resampled(score, (of.chosen, baseline))
        return _paired(baseline, ours, theirs, how.level)

    loss = dict(zip(of.probability, resampled(scores.log_loss, [*of.probability]), strict=True))
    rival = against[scores.log_loss.name] or of.case.reference
    return SkillRow(
        by=part.by,
        name=part.name,
        rows=len(rows),
        blocks=drawn.blocks,
        events=of.case.events(of.table, rows, y),
        base_rate=float(y.mean()),
        pr_auc=paired(scores.pr_auc),
        log_loss=_paired(rival, loss[of.chosen], loss[rival], how.level),
        log_r2=paired(scores.log_r2),
        better_than_reference=[
            name
            for name, each in loss.items()
            if wide(each - loss[of.case.reference], how.level).high < 0
        ],
    )


def _paired(baseline: str, ours: Resampled, theirs: Resampled, level: float) -> PairedScore:
    return PairedScore(
        baseline=baseline,
        chosen=ours.estimate,
        of_baseline=theirs.estimate,
        difference=wide(ours - theirs, level),
    )
