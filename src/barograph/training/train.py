"""Training: test candidates fold by fold, register one, and let the gate decide.

1.  `walkforward` fits and tests every candidate in every fold, and chooses one in each.
2.  The gate compares the pooled forecasts of these choices with those of the baselines and the
    current champion, on the test rows that no gate has used yet.
3.  A model is exported and registered: the choice of the last fold, as tested there, or the
    choice of the whole history, fitted on all of it (`registered`). It becomes the `candidate`, and
    the `champion` if the gate promotes it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from barograph.arrays import Bool
from barograph.cases.case import Case, Dataset, Table
from barograph.errors import ForeignFeaturesError, RegistryError, TooLittleDataError
from barograph.evaluation import gate, scores
from barograph.evaluation.gate import Contender, Decision, LevelWindow, Run, Window
from barograph.registry.drift import attach_reference
from barograph.registry.model import ModelFacts, OnnxModel, export, sha256_of
from barograph.registry.registry import Registry
from barograph.training import card, levels, no_signal_control
from barograph.training.card import Card
from barograph.training.drift_reference import reference_of
from barograph.training.knowable_scores import figures_of
from barograph.training.no_signal_control import Control
from barograph.training.pooled import Pooled, ScoreRow
from barograph.training.registered import Registered, registered
from barograph.training.report import ChosenModel, GateFacts, TrainingReport
from barograph.training.sampled_dataset import table_of
from barograph.training.walkforward import CHOSEN, Progress, Training, Walk, walk
from barograph.types import NS_PER_S, Interval

__all__ = ["Training", "train"]

_TIMED_ROWS = 200


class _Timer:
    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self.seconds: dict[str, float] = {}
        self._clock_ns, self._last_ns = clock_ns, clock_ns()

    def lap(self, phase: str) -> None:
        now_ns = self._clock_ns()
        self.seconds[phase] = round((now_ns - self._last_ns) / 1e9, 3)
        self._last_ns = now_ns


def train(  # noqa: PLR0913 - data, registry, settings and callables
    case: Case,
    dataset: Dataset,
    registry: Registry,
    how: Training | None = None,
    *,
    clock_ns: Callable[[], int],
    at_ns: int | None = None,
    again: Sequence[int] = (),
    code_hash: str = "",
    progress: Progress = lambda _step, _done, _of: None,
    page: Callable[[Card], str] | None = None,
) -> TrainingReport:
    """Train, test and register a model, and let the gate decide (see the module docstring).

    The same dataset and seed give the same model, byte for byte, unless a search ran out of time.
    at_ns: the training's time in Unix nanoseconds, from which its champion is expired or not; now
    if None. again: versions of this training that were cut off before they had a card: their gates
    do not count as looks at the rows. The model card is attached to the version, as is the page
    that `page` makes of it, and what the drift of live rows is measured against.
    Raises TooLittleDataError as `walkforward.walk` does, ExportRefusedError and RegistryError;
    nothing is registered then.
    """
    how = how or Training()
    timer = _Timer(clock_ns)
    registry.check_room()  # fail before the work
    judged = registry.judged(case.name, without=again)  # likewise
    table = table_of(case, dataset)
    timer.lap("table")
    end_ns = clock_ns() + int(how.minutes * 60 * NS_PER_S)
    walked = walk(case, table, how, progress, lambda: clock_ns() < end_ns)
    if dataset.sample is not None:
        walked = replace(walked, sample=dataset.sample)
    timer.lap("fit")
    progress("no-signal control", 0, 1)
    controlled, without_control = _controlled(walked, how)
    timer.lap("control")
    progress("scores", 0, 1)
    pooled = Pooled(walked, how)
    tested = pooled.facts()
    figures = {row.name: _figures(row, tested.base_rate) for row in tested.scores}
    figures[CHOSEN] |= figures_of(tested.knowable)
    now_ns = clock_ns() if at_ns is None else at_ns
    model = registered(walked, how)
    facts, onnx = _live(walked, pooled, model, figures, dataset, how, now_ns)
    row_us = _row_us(facts, onnx, walked, model, clock_ns)
    gate = _Gate(case, table, pooled, registry, facts, row_us, now_ns, judged)
    decision = gate.decide(how)
    timer.lap("score")
    progress("registry", 0, 1)
    example = _example(walked, model)
    version = _register(
        case, registry, onnx, facts, decision, gate.runs, example, promote=how.promote
    )
    if how.trials:  # without a search the report has the same facts
        registry.log_trials(case.name, walked.trials, dataset.data_hash, code_hash)
    timer.lap("register")
    report = TrainingReport(
        case=case.name,
        settings=how,
        code_hash=code_hash,
        data=walked.data_facts(dataset.data_hash),
        tested=tested,
        control=controlled,
        control_left_out=without_control,
        model=ChosenModel(
            chosen=facts.candidate,
            version=version,
            tau=facts.tau,
            threshold=facts.threshold,
            row_us=row_us,
        ),
        gate=gate.facts(decision),
        seconds=timer.seconds,
    )
    if (drift := reference_of(case, dataset, walked, pooled, facts)) is not None:
        attach_reference(registry, case.name, version, drift)
    timer.lap("drift")
    progress("model card", 0, 1)
    model_card = card.card(walked, pooled, report, facts)
    registry.attach(case.name, version, card.FILE, card.encoded(model_card))
    if page is not None:
        registry.attach(case.name, version, card.PAGE, page(model_card).encode())
    timer.lap("card")
    return report


def _controlled(walked: Walk, how: Training) -> tuple[Control | None, str]:
    if not how.control:
        return None, "not asked for"
    try:
        return no_signal_control.control(walked, how), ""
    except TooLittleDataError as error:  # shifted outcomes may leave a side without positives
        return None, str(error)


class _Gate:
    """Prepares the gate: the rows that it may use, and the contenders on them."""

    def __init__(  # noqa: PLR0913 - the evaluation, the new model, and the time
        self,
        case: Case,
        table: Table,
        pooled: Pooled,
        registry: Registry,
        facts: ModelFacts,
        row_us: float,
        now_ns: int,
        judged: list[Run],
    ) -> None:
        self._case, self._table, self._pooled, self._facts = case, table, pooled, facts
        self._row_us, self._now_ns = row_us, now_ns
        distance = max(1, case.horizon_s)
        order = table.order[pooled.rows]
        self._where = gate.unjudged(order, judged, distance)
        self.runs = gate.runs(order[self._where], distance)  # what this gate uses up
        self._champion: Contender | None = None
        self._compared = self._compare(registry)

    @property
    def _judged_rows(self) -> int:
        return int(self._where.sum())

    def facts(self, decision: Decision) -> GateFacts:
        """The decision, its rows and the champion, for the report."""
        return GateFacts(champion=self._compared, judged_rows=self._judged_rows, decision=decision)

    def decide(self, how: Training) -> Decision:
        """Let the gate decide; without usable rows the champion is kept."""
        where, pooled, table = self._where, self._pooled, self._table
        if not where.any():
            why = "the champion was fitted on them" if self.runs else "a gate has used all of them"
            return Decision(promote=False, reasons=(f"no tested row is left to decide on: {why}",))
        rows, y = pooled.rows[where], pooled.y[where]
        window = Window(
            y=y,
            order=table.order[rows],
            session=table.session[rows],
            block=self._case.block,
            events=self._case.events(table, rows, y),
            feature_set=self._case.feature_set,
            # A baseline that is registered itself need not be better than itself.
            baselines={
                name: pooled.forecast(name, where)
                for name in pooled.baselines
                if name != self._facts.candidate
            },
            level=self._level(where),
            seed=how.seed,
        )
        forecast = pooled.forecast(CHOSEN, where)
        candidate = Contender(
            label="candidate",
            feature_set=self._facts.feature_set,
            probability=forecast.probability,
            ranking=forecast.ranking,
            level=forecast.level,
            row_us=self._row_us,
        )
        decision = gate.decide(self._champion, candidate, window, how.gate)
        if not decision.counted:
            self.runs = []
        return decision

    def _level(self, where: Bool) -> LevelWindow | None:
        rule = self._case.level
        if rule is None:
            return None
        outcome = self._pooled.outcome[where]
        return LevelWindow(outcome=outcome, narrowest=rule.narrowest, widest=rule.widest)

    def _compare(self, registry: Registry) -> str:
        """Set the champion and keep only rows it was not fitted on; return a sentence."""
        case, pooled = self._case, self._pooled
        version = registry.champion_version(case.name)
        if version is None:
            return "there is none yet"
        try:
            champion = registry.load(case.name, version, case.feature_set)
        except (ForeignFeaturesError, RegistryError) as error:
            # A champion that cannot score need not be beaten.
            return f"it cannot be used: {error}"
        facts = champion.facts
        foreign = set(facts.features) - set(self._table.features) - pooled.beside
        if foreign:
            self._where = np.zeros_like(self._where)
            names = ", ".join(sorted(foreign))
            return f"{champion.label} uses {names}, which these rows do not have"
        self._where = self._where & case.unseen(self._table, pooled.rows, facts)
        if not self._where.any():
            return f"{champion.label} was fitted on all remaining rows, or on later ones"
        x = pooled.columns(facts.features, self._where)
        probability, median = champion.onnx.forecast(x)
        level = None
        if case.level is not None:
            if median is None or facts.level is None:
                return f"{champion.label} forecasts no value, and need not be beaten"
            rows, every = pooled.rows[self._where], np.ones(len(x), np.bool_)
            of_model = levels.of_model(facts.level, case.horizon_s, self._table, rows, median)
            level = of_model.gated(pooled.outcome[self._where], every)
        # No ranking: unlike pooled folds it has a single calibration.
        self._champion = Contender(
            label=champion.label,
            feature_set=facts.feature_set,
            probability=probability,
            level=level,
            expired=facts.expired(self._now_ns),
        )
        return f"{champion.label}, on {self._judged_rows} rows that it was not fitted on"


def _live(  # noqa: PLR0913 - what was trained, on what, and how
    walked: Walk,
    pooled: Pooled,
    model: Registered,
    figures: dict[str, dict[str, float | None]],
    dataset: Dataset,
    how: Training,
    created_time_ns: int,
) -> tuple[ModelFacts, bytes]:
    """Facts and verified ONNX export of the model to register."""
    case, table, fitted = walked.case, walked.table, model.fitted
    x = model.target.columns(table, fitted.features, model.checked)
    onnx = export(fitted, x, median=case.level is not None)
    start_ns, end_ns = case.span_ns(table, model.rows)
    _, tested_ns = case.span_ns(table, pooled.rows)
    facts = ModelFacts(
        case=case.name,
        candidate=fitted.name,
        features=fitted.features,
        feature_set=case.feature_set,
        tau=dict(model.target.tau),
        threshold=model.threshold,
        horizon_s=case.horizon_s,
        train_start_ns=start_ns,
        train_end_ns=end_ns,
        data_hash=dataset.data_hash,
        seed=how.seed,
        sha256=sha256_of(onnx),
        scores=figures | ({} if case.refit else {"last_fold": _of_last_fold(walked)}),
        created_time_ns=created_time_ns,
        expires_time_ns=_expires_ns(tested_ns, how),
        last_order=int(table.order[model.rows].max()),
        level=None if pooled.levels is None else pooled.levels.facts,
    )
    return facts, onnx


def _of_last_fold(walked: Walk) -> dict[str, float | None]:
    """What the registered model itself did in the last fold."""
    last, chosen = walked.questions[-1], walked.chosen[-1]
    measures = (scores.base_rate, scores.pr_auc, scores.roc_auc, scores.brier, scores.log_loss)
    y = last.answers(last.fold.test)
    return _defined({measure.name: measure(y, chosen.probability) for measure in measures})


def _expires_ns(tested_ns: int, how: Training) -> int | None:
    """When what a model was tested on is too old; what it was fitted on lies a test before."""
    if how.lifetime_h is None or not tested_ns:
        return None
    return tested_ns + int(how.lifetime_h * 3600 * NS_PER_S)


def _row_us(
    facts: ModelFacts, onnx: bytes, walked: Walk, model: Registered, clock_ns: Callable[[], int]
) -> float:
    """Median time to score one row with the ONNX graph, in µs."""
    graph = OnnxModel(onnx, len(facts.features))
    x = model.target.columns(walked.table, facts.features, model.checked[:_TIMED_ROWS])
    took = []
    for row in range(len(x)):
        started_ns = clock_ns()
        graph.predict(x[row : row + 1])
        took.append(clock_ns() - started_ns)
    return float(np.median(took)) / 1000


def _register(  # noqa: PLR0913 - the model, and the gate's decision with its rows
    case: Case,
    registry: Registry,
    onnx: bytes,
    facts: ModelFacts,
    decision: Decision,
    judged: list[Run],
    example: Mapping[str, float | str],
    *,
    promote: bool,
) -> int:
    words = "; ".join(decision.reasons)
    version = registry.register(
        case.name,
        onnx,
        facts,
        {"decision": f"{decision.word}: {words}"},
        judged=judged,
        example=example,
    )
    registry.set_alias(case.name, "candidate", version)
    if promote and decision.promote:
        registry.promote(case.name, version, words)
    return version


def _example(walked: Walk, model: Registered) -> dict[str, float | str]:
    """An input of the model: the last row that its export was checked on, and its key."""
    row, names = model.checked[-1:], model.fitted.features
    values = model.target.columns(walked.table, names, row)[0].tolist()
    return {"product": walked.table.keys[int(walked.table.key[row[0]])]} | dict(
        zip(names, values, strict=True)
    )


def _figures(row: ScoreRow, base_rate: Interval) -> dict[str, float | None]:
    figures: dict[str, float] = {"base_rate": base_rate.estimate}
    names = (
        "pr_auc",
        "lift",
        "roc_auc",
        "brier",
        "log_loss",
        "calibration_error",
        "log_r2",
        "qlike",
    )
    for name in names:
        interval: Interval | None = getattr(row, name)
        if interval is not None:
            figures |= {
                name: interval.estimate,
                f"{name}_low": interval.low,
                f"{name}_high": interval.high,
            }
    if row.level is not None:
        of_level = {score.name: getattr(row.level, score.name) for score in levels.OF_LEVEL}
        figures |= {name: interval.estimate for name, interval in of_level.items()}
    return _defined(figures | row.acting)


def _defined(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in figures.items()}
