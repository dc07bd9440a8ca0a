"""A case's candidates walk forward through its rows: fitted on the past, tested on what came next.

Each fold is fitted on its past alone: the target's threshold, the candidates, where to stop, their
calibration, their alert thresholds, and which of them is chosen. What all folds said of their test
rows is pooled and scored, for each candidate and for the chosen of each fold: it is the way of
choosing that is tested, and not what it chose afterwards.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from barograph import scores
from barograph.candidates import Candidate, Slices
from barograph.case import Case, Table, Target
from barograph.errors import TooLittleDataError
from barograph.models import Fitted, Float32, Float64
from barograph.promotion import Gate
from barograph.scores import Resampled, Resamples, Score
from barograph.splits import Fold, Rows
from barograph.types import Interval

Bools = npt.NDArray[np.bool_]

CHOSEN = "chosen"
"""The name under which the choices of all folds are scored together."""

Progress = Callable[[str, int, int], None]
"""Called with what begins now, and how many of how many steps are done."""


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """How to train. `resamples` block resamples make the intervals at `level`."""

    seed: int = 1
    folds: int = 4
    resamples: int = 1000
    level: float = 0.95
    gate: Gate = Gate()


class SideFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a fold: its rows, where they lie in time and their share of yes."""

    rows: int
    start_ns: int
    end_ns: int
    base_rate: float


class FoldFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One fold: sides, the tau of each key, what was chosen, and by which scores.

    `selection` is each candidate's PR-AUC on validation rows, `thresholds` the probability from
    which each of them acts.
    """

    train: SideFacts
    validation: SideFacts
    calibration: SideFacts
    test: SideFacts
    tau: dict[str, float]
    chosen: str
    selection: dict[str, float]
    thresholds: dict[str, float]


class ScoreRow(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate on the pooled test rows; `acting` is what its alerts were worth: `Case.judge`."""

    name: str
    pr_auc: Interval
    lift: Interval
    roc_auc: Interval
    brier: Interval
    log_loss: Interval
    calibration_error: float
    acting: dict[str, float]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate minus the reference, on the same resamples; intervals are made by `_wide`."""

    name: str
    pr_auc: Interval
    brier: Interval
    log_loss: Interval


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A fold and what is asked in it; its sides have only rows with an answer."""

    fold: Fold
    target: Target

    def answers(self, rows: Rows) -> Float64:
        """(len(rows),): 1.0 or 0.0."""
        return self.target.y[rows]


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """A candidate in one fold: its model, and what that said of the test rows."""

    fitted: Fitted
    probability: Float64
    threshold: float
    selection: float

    @property
    def acted(self) -> Bools:
        """On which test rows it raised an alarm."""
        return self.probability >= self.threshold


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """All folds of all candidates. `tested[name][fold]`; `choices` has a name for each fold."""

    case: Case
    table: Table
    questions: Sequence[Question]
    tested: Mapping[str, Sequence[Tested]]
    left_out: Mapping[str, str]

    @property
    def choices(self) -> list[str]:
        """Each fold's best by mean PR-AUC on validation rows, the first of equals.

        Those of the earlier folds count too, since the rows of one validation are few: in time they
        all lie before this fold's test. Without time one that shares a row with the test does not
        count, nor does a fold in which it is not defined (no yes among the validation rows). The
        reference is not eligible.
        """
        contenders = [name for name in self.tested if name != self.case.reference]
        folds = [question.fold for question in self.questions]

        def standing(name: str, fold: int) -> float:
            known = [
                tested.selection
                for of, tested in zip(folds[: fold + 1], self.tested[name], strict=False)
                if not np.isin(of.validation, folds[fold].test).any()
            ]
            known = [score for score in known if not np.isnan(score)]
            return sum(known) / len(known) if known else 0.0

        return [
            max(contenders, key=lambda name: standing(name, fold))
            for fold in range(len(self.questions))
        ]

    @property
    def chosen(self) -> list[Tested]:
        """The choice of each fold; the last one is what can go live."""
        return [self.tested[name][fold] for fold, name in enumerate(self.choices)]

    def fold_facts(self) -> list[FoldFacts]:
        """The folds in words and figures."""
        return [
            FoldFacts(
                **{
                    name: self._side(question, rows)
                    for name, rows in msgspec.structs.asdict(question.fold).items()
                },
                tau=dict(question.target.tau),
                chosen=choice,
                selection={name: folds[number].selection for name, folds in self.tested.items()},
                thresholds={name: folds[number].threshold for name, folds in self.tested.items()},
            )
            for number, (question, choice) in enumerate(
                zip(self.questions, self.choices, strict=True)
            )
        ]

    def _side(self, question: Question, rows: Rows) -> SideFacts:
        start_ns, end_ns = self.case.span_ns(self.table, rows)
        return SideFacts(
            rows=len(rows),
            start_ns=start_ns,
            end_ns=end_ns,
            base_rate=float(question.answers(rows).mean()),
        )


def walk(
    case: Case,
    table: Table,
    how: Training,
    progress: Progress = lambda _step, _done, _of: None,
) -> Walk:
    """Fit and test every candidate in every fold; one that cannot be fitted in all is left out.

    Raises TooLittleDataError when the folds are not feasible, a side of one has no answer, or no
    candidate but the reference, or not even that, can be fitted.
    """
    questions = _questions(case, table, how.folds)
    tested: dict[str, list[Tested]] = {}
    left_out: dict[str, str] = {}
    candidates = case.candidates(table.features)
    steps = len(candidates) * len(questions)
    for place, candidate in enumerate(candidates):
        of_folds = []
        try:
            for number, question in enumerate(questions):
                step = f"{candidate.name}, fold {number + 1}"
                progress(step, place * len(questions) + number, steps)
                of_folds.append(_test(case, table, question, candidate, how.seed))
        except TooLittleDataError as error:
            left_out[candidate.name] = str(error)
            if candidate.name == case.reference or len(left_out) == len(candidates) - 1:
                raise
        else:
            tested[candidate.name] = of_folds
    return Walk(case, table, questions, tested, left_out)


def _questions(case: Case, table: Table, folds: int) -> list[Question]:
    questions = []
    for number, fold in enumerate(case.split(table, folds), 1):
        target = case.target(table, fold.train)
        sides = {
            side: rows[~np.isnan(target.y[rows])]
            for side, rows in msgspec.structs.asdict(fold).items()
        }
        for side, rows in sides.items():
            if not len(rows):
                raise TooLittleDataError(
                    f"fold {number} of {folds}, {side}",
                    f"no row with an answer ({'; '.join(target.left_out.values()) or 'none cut'})",
                    "some",
                    "Record or simulate more history, or ask for fewer folds",
                )
        questions.append(Question(Fold(**sides), target))
    return questions


def _test(case: Case, table: Table, question: Question, candidate: Candidate, seed: int) -> Tested:
    fold, target = question.fold, question.target
    train, validation, calibration = (
        target.examples(table, candidate.features, rows)
        for rows in (fold.train, fold.validation, fold.calibration)
    )
    fitted = candidate.fit(Slices(train, validation, calibration), seed)
    y, probability = question.answers(fold.validation), fitted.predict(validation.x)
    return Tested(
        fitted=fitted,
        probability=fitted.predict(table.columns(candidate.features, fold.test)),
        threshold=case.threshold(table, fold.validation, y, probability),
        selection=scores.pr_auc(y, probability),
    )


_MEASURED = (
    scores.base_rate,
    scores.pr_auc,
    scores.lift,
    scores.roc_auc,
    scores.brier,
    scores.log_loss,
)


class Pooled:
    """The test rows of all folds, what every candidate and `CHOSEN` said of them, and its worth."""

    def __init__(self, walked: Walk, how: Training) -> None:
        self._case, self._table, self._how = walked.case, walked.table, how
        of_folds = {**walked.tested, CHOSEN: walked.chosen}
        self.names = tuple(of_folds)
        self.rows = np.concatenate([question.fold.test for question in walked.questions])
        self.y = np.concatenate(
            [question.answers(question.fold.test) for question in walked.questions]
        )
        self.probability = {
            name: np.concatenate([tested.probability for tested in folds])
            for name, folds in of_folds.items()
        }
        self._acted = {
            name: np.concatenate([tested.acted for tested in folds])
            for name, folds in of_folds.items()
        }
        asked = [(name, score) for name in self.names for score in _MEASURED]
        self._resamples = self._drawn(self.rows)
        self._measured = dict(
            zip(
                asked,
                scores.resampled_together(
                    [(score, self.probability[name]) for name, score in asked],
                    self.y,
                    self._resamples,
                ),
                strict=True,
            )
        )

    @property
    def blocks(self) -> int:
        """How many whole blocks the bootstrap draws from."""
        return int(np.sum(self._resamples.length / self._resamples.block) + 1e-9)

    @property
    def base_rate(self) -> Interval:
        """What a forecast that knows nothing would reach in PR-AUC."""
        return self.interval(CHOSEN, scores.base_rate)

    def interval(self, name: str, score: Score) -> Interval:
        """One score of one candidate."""
        return self._measured[name, score].interval(self._how.level)

    def over_base_rate(self, name: str) -> Interval:
        """PR-AUC minus the base rate, on the same resamples."""
        return self._minus((name, scores.pr_auc), (name, scores.base_rate))

    def over_reference(self, name: str, score: Score) -> Interval:
        """A score minus the reference's, on the same resamples."""
        return self._minus((name, score), (self._case.reference, score))

    def over_model(self, features: tuple[str, ...], said_of: "Said", where: Bools) -> Interval:
        """`CHOSEN`'s PR-AUC minus that of a registered model, on the test rows at `where`.

        said_of: float32 rows (n, f) of `features` → their probabilities.
        """
        rows, y, ours = self.rows[where], self.y[where], self.probability[CHOSEN][where]
        asked = [
            (scores.pr_auc, ours),
            (scores.pr_auc, said_of(self._table.columns(features, rows))),
        ]
        chosen, other = scores.resampled_together(asked, y, self._drawn(rows))
        return _wide(chosen - other, self._how.level)

    def score_rows(self) -> list[ScoreRow]:
        """The table: candidates in the case's order, then `CHOSEN`."""
        return [
            ScoreRow(
                name=name,
                pr_auc=self.interval(name, scores.pr_auc),
                lift=self.interval(name, scores.lift),
                roc_auc=self.interval(name, scores.roc_auc),
                brier=self.interval(name, scores.brier),
                log_loss=self.interval(name, scores.log_loss),
                calibration_error=scores.calibration_error(self.y, self.probability[name]),
                acting=self._case.judge(self._table, self.rows, self.y, self._acted[name]),
            )
            for name in self.names
        ]

    def differences(self) -> list[Difference]:
        """Everything but the reference, minus the reference."""
        return [
            Difference(
                name=name,
                pr_auc=self.over_reference(name, scores.pr_auc),
                brier=self.over_reference(name, scores.brier),
                log_loss=self.over_reference(name, scores.log_loss),
            )
            for name in self.names
            if name != self._case.reference
        ]

    def _minus(self, ours: tuple[str, Score], theirs: tuple[str, Score]) -> Interval:
        return _wide(self._measured[ours] - self._measured[theirs], self._how.level)

    def _drawn(self, rows: Rows) -> Resamples:
        return scores.resamples(
            self._table.order[rows],
            self._table.session[rows],
            block_s=self._case.block,
            count=self._how.resamples,
            seed=self._how.seed,
        )


def _wide(difference: Resampled, level: float) -> Interval:
    """The percentile interval or its mirror image in the estimate, on each side the wider one.

    Average precision is skewed where there is little to find: percentiles alone promoted 1 of 20
    models of markets with nothing to predict, this none, and as many of those with something.
    """
    percentile = difference.interval(level)
    centre = 2 * percentile.estimate
    return msgspec.structs.replace(
        percentile,
        low=min(percentile.low, centre - percentile.high),
        high=max(percentile.high, centre - percentile.low),
    )


Said = Callable[[Float32], Float64]
"""A model's predictions."""
