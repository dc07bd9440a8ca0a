"""Scores, intervals and differences of all candidates on the pooled test rows of all folds."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from barograph.arrays import Bool, Float32, Float64
from barograph.evaluation import bootstrap, scores
from barograph.evaluation.bootstrap import Resampled, Resamples
from barograph.evaluation.diebold_mariano import DieboldMariano
from barograph.evaluation.gate import Forecast, at_best, wide
from barograph.evaluation.scores import Score
from barograph.evaluation.splits import Rows
from barograph.learning.relative import VOL_FLOOR
from barograph.registry.model import TAU
from barograph.registry.versions import Trial
from barograph.training import choices
from barograph.training.knowable_scores import Knowable, knowable_scores
from barograph.training.levels import OF_LEVEL, LevelScores
from barograph.training.pooled_levels import PooledLevels
from barograph.training.skill import PooledForecasts, Resampling, SkillRow, skill_rows
from barograph.training.tested import Tested
from barograph.training.walk_facts import FoldFacts
from barograph.training.walkforward import CHOSEN, Training, Walk, tests_of
from barograph.types import Interval

_OF_PROBABILITY = (
    scores.pr_auc,
    scores.roc_auc,
    scores.brier,
    scores.log_loss,
    scores.calibration_error,
)
_BY_RATIO = msgspec.structs.replace(scores.pr_auc, name="pr_auc_by_ratio")
_OF_VOLATILITY = (scores.log_r2, scores.qlike)


class ScoreRow(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of a candidate on the pooled test rows; `acting` is the result of `Case.judge`.

    `log_r2`, `qlike` and `pr_auc_by_ratio` are of its volatility forecast, None without one;
    `pr_auc_by_ratio` ranks by forecast / tau, without the calibration of each fold. `eligible` is
    false for what cannot be chosen. `level` is there where the case has a level and the
    candidate a forecast; then `log_r2` is of the median and `qlike` of the root mean square.
    """

    name: str
    eligible: bool
    pr_auc: Interval
    pr_auc_by_ratio: Interval | None
    lift: Interval
    roc_auc: Interval
    brier: Interval
    log_loss: Interval
    calibration_error: Interval
    log_r2: Interval | None
    qlike: Interval | None
    acting: dict[str, float]
    level: LevelScores | None = None


class ScoreDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate minus a baseline, on the same resamples, with intervals by `wide`.

    `pr_auc` uses each one's better ranking, by probability or by forecast / tau, as the gate does.
    `qlike` and the Diebold–Mariano test of it are there where both forecast the level.
    """

    name: str
    minus: str
    pr_auc: Interval
    brier: Interval
    log_loss: Interval
    qlike: Interval | None = None
    diebold_mariano: DieboldMariano | None = None


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One regime of the test rows: its span, its contents, and each candidate's scores.

    Undefined scores (without positives or without a forecast) are NaN.
    """

    start_ns: int
    end_ns: int
    rows: int
    base_rate: float
    events: int
    median_outcome: float
    pr_auc: dict[str, float]
    log_loss: dict[str, float]
    log_r2: dict[str, float]


class EvaluationFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The evaluation over the `rows` test rows of all folds.

    `scores` has the candidates in the case's order, then `CHOSEN`; `sessions` has the scores in
    each regime of the test rows, `skill` those by key, regime of volatility, hour and session
    beside the best baseline; `knowable` is what could be known at best, None where outcomes are not
    made of returns of seconds. `episodes` counts independent positives. The `*_left_out` map names
    to reasons.
    """

    split: str
    folds: list[FoldFacts]
    candidates_left_out: dict[str, str]
    keys_left_out: dict[str, str]
    trials: list[Trial]
    rows: int
    episodes: int
    base_rate: Interval
    reference: str
    scores: list[ScoreRow]
    differences: list[ScoreDifference]
    sessions: list[SessionRow]
    skill: list[SkillRow] = []
    knowable: Knowable | None = None


class Pooled:
    """The test rows of all folds, with forecasts and scores of every candidate and `CHOSEN`."""

    def __init__(self, walked: Walk, how: Training) -> None:
        self._walked, self._case, self._table, self._how = walked, walked.case, walked.table, how
        of_folds = {**walked.tested, CHOSEN: walked.chosen}
        self.names = tuple(of_folds)
        eligible = choices.eligible(walked.case, walked.table, walked.tested)
        self._eligible = {*eligible, CHOSEN}
        self.rows, self.y = tests_of(walked.questions)
        self.probability = {
            name: np.concatenate([tested.probability for tested in folds])
            for name, folds in of_folds.items()
        }
        self.volatility = {
            name: volatility
            for name, folds in of_folds.items()
            if (volatility := _volatility(folds)) is not None
        }
        self.outcome = np.maximum(self._table.outcome[self.rows], self._floor)
        rule, forecasting = self._case.level, {n: of_folds[n] for n in self.volatility}
        self.levels = (
            None
            if rule is None
            else PooledLevels(walked, rule, self.rows, self.outcome, forecasting)
        )
        every = np.ones(len(self.rows), np.bool_)
        tau = self.columns((TAU,), every)[:, 0] if self.volatility else None
        self._tau = None if tau is None else tau.astype(np.float64)
        self.ranking = self._ratios()
        self.acted = {
            name: np.concatenate([tested.acted for tested in folds])
            for name, folds in of_folds.items()
        }
        self._resamples = self._drawn()
        self._measured = self._all_measured()

    def facts(self) -> EvaluationFacts:
        """The evaluation as facts for report and card."""
        walked, of = self._walked, self._forecasts()
        how = Resampling(self._how.resamples, self._how.level, self._how.seed)
        return EvaluationFacts(
            split=walked.split,
            folds=walked.fold_facts(),
            candidates_left_out=dict(walked.left_out),
            keys_left_out=dict(walked.questions[-1].target.left_out),
            trials=list(walked.trials),
            rows=len(self.rows),
            episodes=self._case.events(self._table, self.rows, self.y),
            base_rate=self.base_rate,
            reference=self._case.reference,
            scores=self.score_rows(),
            differences=self.differences(),
            sessions=self.session_rows(),
            skill=skill_rows(of, self.ranking.get(self._case.reference), how),
            knowable=knowable_scores(of, self._tau, how),
        )

    @property
    def base_rate(self) -> Interval:
        """The base rate, which is the PR-AUC of a forecast without skill."""
        return self.interval(CHOSEN, scores.base_rate)

    def interval(self, name: str, score: Score) -> Interval:
        """The interval of one candidate's score."""
        return self._measured[name, score].interval(self._how.level)

    def over(
        self, name: str, other: str, score: Score, others_score: Score | None = None
    ) -> Interval:
        """One candidate's score minus another's, on the same resamples.

        others_score: the score of the other one; default the same score.
        """
        ours, theirs = self._measured[name, score], self._measured[other, others_score or score]
        return wide(ours - theirs, self._how.level)

    def forecast(self, name: str, where: Bool) -> Forecast:
        """A candidate's forecast for the tested rows at `where`, in the form for the gate."""
        ranking = self.ranking.get(name)
        return Forecast(
            probability=self.probability[name][where],
            ranking=None if ranking is None else ranking[where],
            level=None if self.levels is None else self.levels.gated(name, where),
        )

    def columns(self, features: tuple[str, ...], where: Bool) -> Float32:
        """float32 inputs of the tested rows at `where`, with their fold's `beside` columns."""
        parts = [
            question.target.columns(self._table, features, question.fold.test)
            for question in self._walked.questions
        ]
        return np.ascontiguousarray(np.concatenate(parts)[where])

    def score_rows(self) -> list[ScoreRow]:
        """Score rows of the candidates in the case's order, then of `CHOSEN`."""
        return [
            ScoreRow(
                name=name,
                eligible=name in self._eligible,
                pr_auc=self.interval(name, scores.pr_auc),
                pr_auc_by_ratio=self._of_forecast(name, _BY_RATIO),
                lift=self.interval(name, scores.lift),
                roc_auc=self.interval(name, scores.roc_auc),
                brier=self.interval(name, scores.brier),
                log_loss=self.interval(name, scores.log_loss),
                calibration_error=self.interval(name, scores.calibration_error),
                log_r2=self._of_forecast(name, scores.log_r2),
                qlike=self._of_forecast(name, scores.qlike),
                acting=self._case.judge(self._table, self.rows, self.y, self.acted[name]),
                level=self._level_scores(name),
            )
            for name in self.names
        ]

    def differences(self) -> list[ScoreDifference]:
        """Every candidate that is not a baseline, minus each baseline to beat."""
        return [
            ScoreDifference(
                name=name,
                minus=baseline,
                pr_auc=wide(self._best(name) - self._best(baseline), self._how.level),
                brier=self.over(name, baseline, scores.brier),
                log_loss=self.over(name, baseline, scores.log_loss),
                **self._of_levels(name, baseline),
            )
            for baseline in self.baselines
            for name in self.names
            if name not in self._case.baselines
        ]

    @property
    def beside(self) -> set[str]:
        """Names of the `beside` columns common to all folds."""
        return set.intersection(*(set(q.target.beside) for q in self._walked.questions))

    @property
    def baselines(self) -> list[str]:
        """The baselines to beat that could be fitted."""
        return [name for name in self._case.to_beat if name in self.names]

    def session_rows(self) -> list[SessionRow]:
        """Scores in each regime, in time order."""
        regime = self._table.regime[self.rows]
        return [self._session(np.flatnonzero(regime == number)) for number in np.unique(regime)]

    def _forecasts(self) -> PooledForecasts:
        return PooledForecasts(
            case=self._case,
            table=self._table,
            rows=self.rows,
            y=self.y,
            outcome=self.outcome,
            probability=self.probability,
            ranking={name: self._better_ranking(name) for name in self.names},
            volatility=self.volatility,
            chosen=CHOSEN,
            baselines=self.baselines,
        )

    def _better_ranking(self, name: str) -> Float64:
        by_probability = self._measured[name, scores.pr_auc]
        better = at_best(by_probability, self._measured.get((name, _BY_RATIO)))
        return self.probability[name] if better is by_probability else self.ranking[name]

    def _session(self, where: Rows) -> SessionRow:
        rows, y = self.rows[where], self.y[where]
        start_ns, end_ns = self._case.span_ns(self._table, rows)
        outcome = self.outcome[where]
        return SessionRow(
            start_ns=start_ns,
            end_ns=end_ns,
            rows=len(rows),
            base_rate=float(y.mean()),
            events=self._case.events(self._table, rows, y),
            median_outcome=float(np.median(self._table.outcome[rows])),
            pr_auc={
                name: scores.pr_auc(y, probability[where])
                for name, probability in self.probability.items()
            },
            log_loss={
                name: scores.log_loss(y, probability[where])
                for name, probability in self.probability.items()
            },
            log_r2={
                name: scores.log_r2(outcome, forecast[where])
                for name, forecast in self.volatility.items()
            },
        )

    def _best(self, name: str) -> Resampled:
        return at_best(self._measured[name, scores.pr_auc], self._measured.get((name, _BY_RATIO)))

    def _ratios(self) -> dict[str, Float64]:
        """Each volatility forecast (n,) over its fold's tau."""
        if self._tau is None:
            return {}
        return {name: forecast / self._tau for name, forecast in self.volatility.items()}

    @property
    def _floor(self) -> float:
        return VOL_FLOOR if self._case.level is None else self._case.level.floor

    def _level_scores(self, name: str) -> LevelScores | None:
        if self.levels is None or name not in self.levels.names:
            return None
        of = {score.name: self.interval(name, score) for score in OF_LEVEL}
        return self.levels.scores(name, of)

    def _of_levels(self, name: str, baseline: str) -> dict[str, Any]:
        """The differences of level forecasts, none unless both have some."""
        if self.levels is None or not {name, baseline} <= {*self.levels.names}:
            return {}
        return {
            "qlike": self.over(name, baseline, scores.qlike),
            "diebold_mariano": self.levels.diebold_mariano(name, baseline),
        }

    def _of_forecast(self, name: str, score: Score) -> Interval | None:
        return self.interval(name, score) if name in self.volatility else None

    def _all_measured(self) -> dict[tuple[str, Score], Resampled]:
        measures = [
            (name, score, score, forecast)
            for name, forecast in self.probability.items()
            for score in _OF_PROBABILITY
        ]
        # The base rate does not depend on the forecast.
        measures.append((CHOSEN, scores.base_rate, scores.base_rate, self.probability[CHOSEN]))
        measures += [
            (name, _BY_RATIO, scores.pr_auc, ratio) for name, ratio in self.ranking.items()
        ]
        measured = self._together(measures, self.y)
        base_rate = measured[CHOSEN, scores.base_rate]
        for name in self.names:
            measured[name, scores.lift] = measured[name, scores.pr_auc] / base_rate
        of_volatility = [
            (name, score, score, forecast)
            for name, forecast in self.volatility.items()
            if self.levels is None
            for score in _OF_VOLATILITY
        ]
        if self.levels is not None:
            of_volatility = self.levels.measures()
        return measured | self._together(of_volatility, self.outcome)

    def _together(
        self, measures: list[tuple[str, Score, Score, Float64]], truth: Float64
    ) -> dict[tuple[str, Score], Resampled]:
        """Resample all (candidate, key score, score, forecast) in one pass."""
        resampled = bootstrap.resampled_together(
            [(measure, forecast) for _, _, measure, forecast in measures], truth, self._resamples
        )
        return {
            (name, score): each for (name, score, *_), each in zip(measures, resampled, strict=True)
        }

    def _drawn(self) -> Resamples:
        return bootstrap.resamples(
            self._table.order[self.rows],
            self._table.session[self.rows],
            block_s=self._case.block,
            count=self._how.resamples,
            seed=self._how.seed,
        )


def _volatility(folds: Sequence[Tested]) -> Float64 | None:
    """Volatility forecasts of all folds, floored; None if a fold has none."""
    parts = [tested.volatility for tested in folds if tested.volatility is not None]
    return np.maximum(np.concatenate(parts), VOL_FLOOR) if len(parts) == len(folds) else None
