"""Compare two registered models on the same rows, as a pull request asks: is the new one worse?

The rows are those on which the candidate was tested in its last fold, less those that the champion
may know: neither was fitted on any of them. Models of a case that fits them again on all rows of
their training are compared on rows that came after both. The promotion gate decides, with the
champion to be matched and then with the champion to be beaten.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from barograph.arrays import Bool, Float64
from barograph.cases.case import Case, Dataset, Table, adapted
from barograph.errors import BadInputError, TooLittleDataError
from barograph.evaluation import bootstrap, gate, scores
from barograph.evaluation.gate import (
    Contender,
    Decision,
    LevelWindow,
    PromotionGate,
    Window,
    wide,
)
from barograph.evaluation.scores import ReliabilityBin, Score
from barograph.evaluation.splits import Fold, Rows
from barograph.registry.model import LevelFacts, Model
from barograph.times import minute_of
from barograph.training import levels
from barograph.training.card import Card, Curve, curve
from barograph.training.levels import Levels
from barograph.training.walkforward import Question, Training, questions_of
from barograph.types import Interval

CHAMPION, CANDIDATE = "champion", "candidate"

_OF_PROBABILITY = (
    scores.log_loss,
    scores.pr_auc,
    scores.roc_auc,
    scores.brier,
    scores.calibration_error,
)
_OF_TRAINING = tuple(name for name in Training.__struct_fields__ if name not in {"gate", "control"})
_MOST_NAMED = 300

Verdict = Literal["better", "not worse", "refused"]


class Trained(NamedTuple):
    """A registered model with its card; `label` names it in the report."""

    label: str
    model: Model
    card: Card


class ScorePair(msgspec.Struct, frozen=True, kw_only=True):
    """A score of both models on the same rows, and candidate minus champion, resampled together."""

    name: str
    higher_is_better: bool
    champion: Interval
    candidate: Interval
    difference: Interval


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between the two trainings, as text; `of` is data, code, model or training."""

    of: Literal["data", "code", "model", "training"]
    name: str
    champion: str
    candidate: str


class Looks(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn of a model: its precision-recall curve and its reliability."""

    curve: Curve
    bins: list[ReliabilityBin]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two models on the same `rows`; undefined scores are NaN (null in JSON).

    The span is [start_ns, end_ns), zeros without time. `verdict` is "better" if the gate would
    promote the candidate over the champion, "not worse" if it would over an expired one, which need
    only be matched, else "refused"; `reasons` are the gate's. `scores` come with intervals at the
    level of the candidate's gate.
    """

    case: str
    champion: str
    candidate: str
    verdict: Verdict
    reasons: tuple[str, ...]
    rows: int
    events: int
    blocks: int
    start_ns: int
    end_ns: int
    base_rate: float
    scores: list[ScorePair]
    changes: list[Change]
    looks: dict[str, Looks]

    @property
    def worse(self) -> bool:
        """Whether the gate refuses the candidate."""
        return self.verdict == "refused"


def compare(case: Case, dataset: Dataset, champion: Trained, candidate: Trained) -> Comparison:
    """Score both models on the rows that neither was fitted on, and let the gate decide.

    dataset: that of the candidate's training, or a longer one where models are fitted again on all
    rows. Raises BadInputError for models of different targets, for another dataset, and where no
    row is left; ForeignFeaturesError is the registry's to raise.
    """
    _refuse_other_targets(case, champion, candidate)
    facts, how = candidate.model.facts, candidate.card.training.settings
    if not case.refit and dataset.data_hash != facts.data_hash:
        raise BadInputError(
            f"the dataset of {case.name}",
            f"{candidate.label} was judged on other data ({facts.data_hash[:12]}, not "
            f"{dataset.data_hash[:12]})",
            f"Train a candidate on this dataset (`barograph train --case {case.name}`)",
        )
    case = adapted(case, quantile=how.quantile, candidates=())
    table = case.table(dataset.frame)
    if case.refit:
        question = _after_both(case, table, champion, candidate)
    else:
        question = questions_of(case, table, how)[1][-1]
    both = _Both(case, table, question, {CHAMPION: champion, CANDIDATE: candidate})
    window = both.window(how)
    contenders = both.contender(CHAMPION), both.contender(CANDIDATE)
    verdict, decision = _decided(*contenders, window, how.gate)
    drawn = window.drawn(how.gate.resamples)
    start_ns, end_ns = case.span_ns(table, both.rows)
    return Comparison(
        case=case.name,
        champion=champion.label,
        candidate=candidate.label,
        verdict=verdict,
        reasons=decision.reasons,
        rows=len(both.rows),
        events=window.events,
        blocks=drawn.blocks,
        start_ns=start_ns,
        end_ns=end_ns,
        base_rate=float(both.y.mean()),
        scores=both.pairs(drawn, how.gate.level),
        changes=changes(champion, candidate),
        looks={name: _looks(both.y, each) for name, each in both.probability.items()},
    )


def _after_both(case: Case, table: Table, *of: Trained) -> Question:
    """The rows that neither model was fitted on, with tau of the rows before them."""
    every = np.arange(len(table.order))
    later = np.ones(len(every), np.bool_)
    for each in of:
        later &= case.unseen(table, every, each.model.facts)
    before = every[~later]
    cure = f"Record more, and build it again (`barograph dataset --case {case.name}`)"
    if not later.any() or not len(before):
        names = " and ".join(each.label for each in of)
        where = "before" if later.any() else "after"
        raise BadInputError(
            f"the dataset of {case.name}", f"it has no row {where} those of {names}", cure
        )
    target = case.target(table, before)
    rows = every[later & ~np.isnan(target.y)]
    if not len(rows):
        raise TooLittleDataError(
            f"the dataset of {case.name}", "no outcome after both trainings", "some", cure
        )
    return Question(Fold(train=before, test=rows, inner=()), target)


def encoded(comparison: Comparison) -> bytes:
    """Encode the comparison as JSON; NaN becomes null."""
    return msgspec.json.encode(comparison)


def changes(champion: Trained, candidate: Trained) -> list[Change]:
    """What differs between two trainings, data first; empty if nothing does."""
    before, after = (list(_properties(each)) for each in (champion, candidate))
    return [
        Change(of=of, name=name, champion=one, candidate=other)
        for (of, name, one), (_, _, other) in zip(before, after, strict=True)
        if one != other
    ]


_Property = tuple[Literal["data", "code", "model", "training"], str, str]


def _properties(of: Trained) -> Sequence[_Property]:
    facts, training = of.model.facts, of.card.training
    data, settings = training.data, msgspec.to_builtins(training.settings)
    return [
        ("data", "hash", data.data_hash),
        ("data", "usable rows", f"{data.usable_rows:,}"),
        ("data", "keys", _names(data.keys)),
        ("data", "features offered", _names(data.features)),
        ("data", "fitted until", minute_of(facts.train_end_ns) if facts.train_end_ns else "–"),
        ("code", "hash", training.code_hash or "unknown"),
        ("model", "candidate", facts.candidate),
        ("model", "features", _names(facts.features)),
        ("model", "threshold", f"{facts.threshold:.6g}"),
        ("model", "tau", _names(f"{key} {tau:.4g}" for key, tau in facts.tau.items())),
        ("model", "graph", facts.sha256[:16]),
        # What is not set is not there (`max_rows`).
        *(("training", name, _text(settings.get(name, "–"))) for name in _OF_TRAINING),
    ]


def _names(names: Iterable[str]) -> str:
    text = ", ".join(names)
    return text if len(text) <= _MOST_NAMED else f"{text[:_MOST_NAMED]}…"


def _text(value: object) -> str:
    return _names(value) if isinstance(value, list | tuple) else str(value)


class _Both:
    """The rows on which two models are compared, and their forecasts of them by role."""

    def __init__(
        self, case: Case, table: Table, question: Question, of: Mapping[str, Trained]
    ) -> None:
        self._case, self._table, self._question, self._of = case, table, question, of
        champion, candidate = of[CHAMPION], of[CANDIDATE]
        rows = question.fold.test
        rows = rows[case.unseen(table, rows, champion.model.facts)]
        if not len(rows):
            raise BadInputError(
                f"{champion.label} and {candidate.label}",
                f"they were judged on different data: {champion.label} was fitted on all rows on "
                f"which {candidate.label} was tested, or on later ones",
                f"Train both on the same dataset (`barograph train --case {case.name}`)",
            )
        self.probability: dict[str, Float64] = {}
        self._levels: dict[str, Levels] = {}
        for role in of:
            self._forecast(role, rows)
        known = np.ones(len(rows), np.bool_)
        for one in self._levels.values():
            known &= one.low < one.high  # equal while there are too few residuals
        if not known.any():
            raise TooLittleDataError(
                f"{champion.label} and {candidate.label}",
                f"no interval in {len(rows)} rows",
                "some",
                "Record more history, and train both again",
            )
        self._keep(rows, known)

    def window(self, how: Training) -> Window:
        """The rows as a window of the gate, without baselines: those were beaten in training."""
        rule = self._case.level
        level = None
        if rule is not None:
            level = LevelWindow(outcome=self._outcome, narrowest=rule.narrowest, widest=rule.widest)
        return Window(
            y=self.y,
            order=self._table.order[self.rows],
            session=self._table.session[self.rows],
            block=self._case.block,
            events=self._case.events(self._table, self.rows, self.y),
            feature_set=self._case.feature_set,
            baselines={},
            level=level,
            seed=how.seed,
        )

    def contender(self, role: str) -> Contender:
        """One of both before the gate, with the time for a row that its training measured."""
        every = np.ones(len(self.rows), np.bool_)
        level = self._levels.get(role)
        return Contender(
            label=role,
            feature_set=self._of[role].model.facts.feature_set,
            probability=self.probability[role],
            level=None if level is None else level.gated(self._outcome, every),
            row_us=self._of[role].card.training.model.row_us,
        )

    def pairs(self, drawn: bootstrap.Resamples, level: float) -> list[ScorePair]:
        """Every score of both, and the paired differences, on the same resamples."""
        one, other = self.probability[CHAMPION], self.probability[CANDIDATE]
        pairs = _pairs([(score, one, other) for score in _OF_PROBABILITY], self.y, drawn, level)
        if self._case.level is None:
            return pairs
        tail = self._case.level.tail
        both = (self._levels[role].measures(self._outcome, tail) for role in (CHAMPION, CANDIDATE))
        measures = [(score, one, other) for (score, one), (_, other) in zip(*both, strict=True)]
        return _pairs(measures, self._outcome, drawn, level) + pairs

    def _forecast(self, role: str, rows: Rows) -> None:
        of, case = self._of[role], self._case
        facts = of.model.facts
        foreign = set(facts.features) - {*self._table.features, *self._question.target.beside}
        if foreign:
            raise BadInputError(
                of.label,
                f"it uses {', '.join(sorted(foreign))[:_MOST_NAMED]}, which these rows do not have",
                f"Train it again on this dataset (`barograph train --case {case.name}`)",
            )
        x = self._question.target.columns(self._table, facts.features, rows)
        self.probability[role], median = of.model.onnx.forecast(x)
        if case.level is None:
            return
        if median is None or facts.level is None:
            why = "it forecasts no value, as the other one does"
            cure = f"Train it again (`barograph train --case {case.name}`)"
            raise BadInputError(of.label, why, cure)
        # Without the residuals that it has learned since: the tested rows are among them.
        bare = LevelFacts(rule=facts.level.rule, states={})
        self._levels[role] = levels.of_model(bare, case.horizon_s, self._table, rows, median)

    def _keep(self, rows: Rows, known: Bool) -> None:
        self.rows = rows[known]
        self.y = self._question.answers(self.rows)
        self.probability = {name: each[known] for name, each in self.probability.items()}
        self._levels = {
            name: Levels(*(column[known] for column in each)) for name, each in self._levels.items()
        }
        floor = 0.0 if self._case.level is None else self._case.level.floor
        self._outcome = np.maximum(self._table.outcome[self.rows], floor)


def _pairs(
    measures: Sequence[tuple[Score, Float64, Float64]],
    truth: Float64,
    drawn: bootstrap.Resamples,
    level: float,
) -> list[ScorePair]:
    every = [(score, forecast) for score, *forecasts in measures for forecast in forecasts]
    resampled = bootstrap.resampled_together(every, truth, drawn)
    return [
        ScorePair(
            name=score.name,
            higher_is_better=score.higher_is_better,
            champion=one.interval(level),
            candidate=other.interval(level),
            difference=wide(other - one, level),
        )
        for (score, *_), one, other in zip(measures, resampled[::2], resampled[1::2], strict=True)
    ]


def _decided(
    champion: Contender, candidate: Contender, window: Window, rule: PromotionGate
) -> tuple[Verdict, Decision]:
    """The gate's word where the champion is to be matched, and where it is to be beaten."""
    matched = gate.decide(msgspec.structs.replace(champion, expired=True), candidate, window, rule)
    if not matched.promote:
        return "refused", matched
    beaten = gate.decide(champion, candidate, window, rule)
    return ("better", beaten) if beaten.promote else ("not worse", matched)


def _refuse_other_targets(case: Case, champion: Trained, candidate: Trained) -> None:
    for name, of_champion, of_candidate in (
        ("horizon", champion.model.facts.horizon_s, candidate.model.facts.horizon_s),
        ("quantile", *(each.card.training.settings.quantile for each in (champion, candidate))),
        ("level", *(_rule_of(each.model) for each in (champion, candidate))),
    ):
        if of_champion != of_candidate:
            raise BadInputError(
                f"{champion.label} and {candidate.label}",
                f"they forecast different targets: {name} {of_champion} and {of_candidate}",
                f"Train one of them again (`barograph train --case {case.name}`) as the other was",
            )


def _rule_of(model: Model) -> object:
    return None if model.facts.level is None else model.facts.level.rule


def _looks(y: Float64, probability: Float64) -> Looks:
    return Looks(curve=curve(y, probability), bins=scores.reliability(y, probability))
