"""Fit and test a case's candidates fold by fold, on rows outside their training data.

Each fold derives everything from its own train rows: the target's tau, the models, their
calibration, their alert thresholds, and the choice among them. So the test covers the choice too:
`pooled` scores the predictions of all folds together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from barograph.arrays import Float64
from barograph.cases.case import Case, SplitKind, Table, Target
from barograph.cases.sampled import SampleFacts
from barograph.errors import BadInputError, TooLittleDataError
from barograph.evaluation import scores
from barograph.evaluation.gate import PromotionGate
from barograph.evaluation.splits import Fold, Rows
from barograph.learning import candidate_names
from barograph.learning.candidates import Candidate, Proof, Slices
from barograph.learning.examples import Examples
from barograph.registry.versions import Trial
from barograph.times import time_of
from barograph.training import choices, levels
from barograph.training.tested import Tested
from barograph.training.walk_facts import DataFacts, FoldFacts, SideFacts

CHOSEN = candidate_names.CHOSEN
"""Name under which the choices of all folds are scored together."""

Progress = Callable[[str, int, int], None]
"""Called as progress(description of the next step, steps done, total steps)."""


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a training. `resamples` block resamples give the intervals at `level`.

    `trials` candidates with other hyperparameters are tried, for at most `minutes`. `control` runs
    the no-signal control too. A model expires `lifetime_h` hours after the end of the rows that it
    was tested on, or never if None. `quantile` and `candidates` are those asked for in place of the
    case's. With `promote` the model becomes the champion where the gate says so. `max_rows` is
    there if the dataset has more rows: the older ones were sampled.
    """

    seed: int = 1
    folds: int = 4
    split: SplitKind = "auto"
    trials: int = 0
    minutes: float = 5.0
    control: bool = False
    resamples: int = 1000
    level: float = 0.95
    lifetime_h: float | None = None
    gate: PromotionGate = PromotionGate()
    quantile: float | None = None
    candidates: tuple[str, ...] = ()
    promote: bool = True
    max_rows: int | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A fold and its target; its sides contain only rows whose y is known."""

    fold: Fold
    target: Target

    def answers(self, rows: Rows) -> Float64:
        """(len(rows),) y of the rows: 1.0 or 0.0."""
        return self.target.y[rows]


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """The results `tested[name][fold]` of all candidates in all folds.

    `choices` names the candidate that each fold chose by its held-out rows, `final` the one that
    is chosen by the test rows of all folds, which are held-out rows of the whole history.
    """

    case: Case
    table: Table
    split: SplitKind
    questions: Sequence[Question]
    tested: Mapping[str, Sequence[Tested]]
    left_out: Mapping[str, str]
    choices: Sequence[str]
    final: str
    trials: Sequence[Trial] = ()
    sample: SampleFacts | None = None

    @property
    def chosen(self) -> list[Tested]:
        """The choice of each fold; the last one can be registered."""
        return [self.tested[name][fold] for fold, name in enumerate(self.choices)]

    def data_facts(self, data_hash: str) -> DataFacts:
        """Facts of the data; `data_hash` is the dataset's."""
        table = self.table
        return DataFacts(
            data_hash=data_hash,
            feature_set=self.case.feature_set,
            usable_rows=len(table.order),
            unused=dict(table.unused),
            features=table.features,
            features_left_out=dict(table.left_out),
            keys=table.keys,
            sample=msgspec.UNSET if self.sample is None else self.sample,
        )

    def fold_facts(self) -> list[FoldFacts]:
        """Facts of each fold."""
        return [
            FoldFacts(
                train=self._side(question, question.fold.train),
                test=self._side(question, question.fold.test),
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
        y, stands_for = question.answers(rows), self.table.stands_for(rows)
        return SideFacts(
            rows=len(rows),
            start_ns=start_ns,
            end_ns=end_ns,
            base_rate=float(np.average(y, weights=stands_for)),
            stands_for=msgspec.UNSET if stands_for is None else int(stands_for.sum()),
        )


def walk(  # noqa: PLR0913 - the data, settings, and callables
    case: Case,
    table: Table,
    how: Training,
    progress: Progress = lambda _step, _done, _of: None,
    going_on: Callable[[], bool] = lambda: True,
    *,
    held_out_parts: int | None = None,
) -> Walk:
    """Fit and test every candidate in every fold; one that fails in a fold is left out.

    So is one whose features the rows do not have, and one that comes trained on tested rows.

    Then try `how.trials` more, drawn by `case.varied`, while `going_on()` is true: each fold uses,
    for each candidate, the hyperparameters with the lowest log loss on its held-out rows. A trial
    counts only if it was tested in all folds.
    held_out_parts: the most parts of each fold's train rows to hold out in turn; None is all.
    Raises TooLittleDataError if the folds are not feasible, a side has no row with a known y, or
    the reference or all other candidates cannot be fitted.
    """
    split, questions = questions_of(case, table, how, held_out_parts)
    tested: dict[str, list[Tested]] = {}
    left_out: dict[str, str] = {}
    candidates = case.candidates(table.features)
    members = [member for candidate in candidates for member in candidate.members]
    proofs: list[dict[str, Proof]] = [{} for _ in questions]
    steps = (len(candidates) + how.trials) * len(questions)

    def tried(candidate: Candidate, place: int) -> list[Tested]:
        of_folds = []
        for number, question in enumerate(questions):
            step = f"{candidate.name}, fold {number + 1}"
            progress(step, place * len(questions) + number, steps)
            tested, proof = _test(case, table, question, candidate, how.seed, proofs[number])
            of_folds.append(tested)
            if any(candidate is member for member in members):
                proofs[number][candidate.name] = proof
        return of_folds

    for place, candidate in enumerate(candidates):
        try:
            _refuse_untestable(case, table, questions, candidate)
            tested[candidate.name] = tried(candidate, place)
        except TooLittleDataError as error:
            left_out[candidate.name] = str(error)
            if candidate.name == case.reference:
                raise
            refused = error
    if not choices.eligible(case, table, tested):
        raise refused
    varied = [candidate for candidate in candidates if candidate.name in tested]
    trials = [_trial(candidate, tested[candidate.name]) for candidate in varied]
    for place, candidate in enumerate(_drawn(case, varied, how), len(candidates)):
        if not going_on():
            break
        folds = tried(candidate, place)
        trials.append(_trial(candidate, folds))
        tested[candidate.name] = [
            min(pair, key=lambda one: one.selection)
            for pair in zip(tested[candidate.name], folds, strict=True)
        ]
    chosen = [_choice(case, table, question, tested, n) for n, question in enumerate(questions)]
    final = _final(case, table, questions, tested) if case.prefers_simple else chosen[-1]
    return Walk(case, table, split, questions, tested, left_out, chosen, final, trials)


def _refuse_untestable(
    case: Case, table: Table, questions: Sequence[Question], candidate: Candidate
) -> None:
    """Raise TooLittleDataError without its features, or if it comes trained on tested rows."""
    lacking = {*candidate.features}.difference(table.features, questions[0].target.beside)
    if lacking:
        why = "; ".join(
            f"{name}: {table.left_out.get(name, 'no row has it')}" for name in sorted(lacking)
        )
        cure = "Take features of these rows, or record longer"
        raise TooLittleDataError(f"candidate {candidate.name}", f"no {why}", "its features", cure)
    until_ns = candidate.fitted_until_ns
    if until_ns is None:
        return
    first_ns = min(case.span_ns(table, question.fold.test)[0] for question in questions)
    if first_ns < until_ns:
        raise TooLittleDataError(
            f"candidate {candidate.name}",
            f"tests from {time_of(first_ns)} on, and it was trained until {time_of(until_ns)}",
            "rows that it has not seen",
            "Test it on later rows, or train it on earlier ones",
        )


def _choice(
    case: Case, table: Table, question: Question, tested: Mapping[str, list[Tested]], fold: int
) -> str:
    """The candidate that a fold chooses by its held-out rows."""
    if not case.prefers_simple:
        return choices.lowest(case, table, tested, fold)
    rows, names = question.fold.held_out, choices.eligible(case, table, tested)
    of = {name: tested[name][fold].held_out_probability for name in names}
    return choices.simplest_of(case, table, rows, question.answers(rows), of)


def tests_of(questions: Sequence[Question]) -> tuple[Rows, Float64]:
    """The test rows (n,) of all folds, one after the other, and their y (n,)."""
    tests = [question.fold.test for question in questions]
    answers = [each.answers(rows) for each, rows in zip(questions, tests, strict=True)]
    return np.concatenate(tests), np.concatenate(answers)


def _final(
    case: Case, table: Table, questions: Sequence[Question], tested: Mapping[str, list[Tested]]
) -> str:
    """The candidate that the whole history chooses by the test rows of all folds."""
    names = choices.eligible(case, table, tested)
    of = {name: np.concatenate([each.probability for each in tested[name]]) for name in names}
    return choices.simplest_of(case, table, *tests_of(questions), of)


def _drawn(case: Case, candidates: Sequence[Candidate], how: Training) -> list[Candidate]:
    """Draw `how.trials` candidates with other hyperparameters, taking turns."""
    if case.varied is None:
        return []
    rng = np.random.default_rng(how.seed)
    drawn: list[Candidate] = []
    turns = [one for one in candidates if one.parameters and one.name not in case.baselines]
    while turns and len(drawn) < how.trials:
        drawn.append(case.varied(turns[len(drawn) % len(turns)], rng))
    return drawn


def _trial(candidate: Candidate, folds: Sequence[Tested]) -> Trial:
    return Trial(
        candidate=candidate.name,
        parameters=dict(candidate.parameters),
        selection=[tested.selection for tested in folds],
    )


def questions_of(
    case: Case, table: Table, how: Training, held_out_parts: int | None = None
) -> tuple[SplitKind, list[Question]]:
    """Cut the folds and take each one's target, without fitting anything.

    held_out_parts, and what it raises: as for `walk`.
    """
    split, folds = case.split(table, how.folds, how.split)
    _refuse_sampled(case, table, folds)
    questions = []
    for number, fold in enumerate(folds, 1):
        target = case.target(table, fold.train)

        def answered(rows: Rows, y: Float64 = target.y) -> Rows:
            with_answer: Rows = rows[~np.isnan(y[rows])]
            return with_answer

        fold = Fold(  # noqa: PLW2901 - the same fold, of rows with known y
            train=answered(fold.train),
            test=answered(fold.test),
            inner=tuple(
                (answered(rest), answered(held))
                for rest, held in fold.inner
                # A part is not held out if the remaining rows are of one class.
                if len(np.unique(target.y[answered(rest)])) == 2
            )[:held_out_parts],
        )
        sides = [fold.train, fold.test, *(side for pair in fold.inner for side in pair)]
        if not all(map(len, sides)):
            raise TooLittleDataError(
                f"fold {number} of {len(folds)}",
                f"a side without labels ({'; '.join(target.left_out.values()) or 'none was cut'})",
                "some on each",
                "Record or simulate more history, or ask for fewer folds",
            )
        if not fold.inner:
            raise TooLittleDataError(
                f"fold {number} of {len(folds)}",
                "only one class beside each held-out part",
                "positives and negatives",
                "Record or simulate more history, or ask for fewer folds",
            )
        questions.append(Question(fold, target))
    return split, questions


def _test(  # noqa: PLR0913 - the rows, the candidate, and what is known of it
    case: Case,
    table: Table,
    question: Question,
    candidate: Candidate,
    seed: int,
    proven: Mapping[str, Proof],
) -> tuple[Tested, Proof]:
    fold, target = question.fold, question.target

    def examples(rows: Rows) -> Examples:
        return target.examples(table, candidate.features, rows)

    def fitted_on(rows: Rows) -> Examples:
        return thinned_examples(case, table, target, candidate.features, rows)

    held_out = fold.held_out
    slices = Slices(
        fitted_on(fold.train),
        tuple((fitted_on(rest), examples(held)) for rest, held in fold.inner),
    )
    proof = candidate.prove(slices, seed, proven)
    fitted, probability = proof.fitted, proof.probability
    y, x = question.answers(held_out), target.columns(table, candidate.features, fold.test)
    out = fitted.both(x)
    tested = Tested(
        candidate=candidate,
        fitted=fitted,
        z=out.z,
        probability=fitted.calibrated(out.z),
        volatility=out.volatility,
        held_out=proof.median,
        held_out_probability=probability,
        threshold=case.threshold(table, held_out, y, probability),
        selection=_selection(case, table, held_out, y, proof),
    )
    return tested, proof


def thinned_examples(
    case: Case, table: Table, target: Target, features: tuple[str, ...], rows: Rows
) -> Examples:
    """The examples of those of the rows (n,) that are on the case's stride.

    Labels of neighbouring rows overlap. All rows are taken if none is on the stride.
    """
    kept = rows[table.order[rows] % case.stride == 0]
    return target.examples(table, features, kept if len(kept) else rows, case.spacing)


def _refuse_sampled(case: Case, table: Table, folds: Sequence[Fold]) -> None:
    """Raise BadInputError where rows of a sampled history are tested or held out."""
    if table.sampled is None:
        return
    judged = np.concatenate([rows for fold in folds for rows in (fold.test, fold.held_out)])
    if table.sampled.history[judged].any():
        raise BadInputError(
            f"case {case.name}",
            "its `split` tests rows of a history that was sampled for --max-rows",
            "Give a --max-rows that all rows are within, or set `samples_history=False` in it",
        )


def _selection(case: Case, table: Table, held_out: Rows, y: Float64, proof: Proof) -> float:
    """What the choice goes by, on held-out rows; lower is better."""
    weight = table.weight(held_out)
    if case.level is None:
        return scores.weighted_log_loss(y, proof.probability, weight)
    if proof.median is None:
        return np.inf
    return levels.selection(case.level, table.outcome[held_out], proof.median, weight)
