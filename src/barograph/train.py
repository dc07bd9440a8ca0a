"""Training: candidates walk forward through a dataset, one goes to the registry, the gate decides.

1.  `walkforward` fits and tests every candidate in every fold, and chooses one in each.
2.  The pooled scores of these choices are the evidence for the gate.
3.  The chosen model of the last fold, as it was tested there, is exported and registered. It is the
    `candidate`; it becomes the `champion` if the gate says so.
"""

from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from barograph import promotion, scores
from barograph.case import Case, Dataset, Table
from barograph.errors import ForeignFeaturesError, RegistryError
from barograph.models import ModelFacts, export, sha256_of
from barograph.promotion import Decision, Evidence
from barograph.registry import Registry
from barograph.types import Interval
from barograph.walkforward import (
    CHOSEN,
    Difference,
    FoldFacts,
    Pooled,
    Progress,
    ScoreRow,
    Training,
    Walk,
    walk,
)

__all__ = ["Training", "TrainingReport", "train"]


class TrainingReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that a training found, as JSON or on a terminal; figures that are not defined are NaN.

    `rows` hold the candidates in the case's order and then `CHOSEN`. `unused` counts rows by why
    they could not be used, the `*_left_out` give the reason for each name. `champion` says how the
    present champion was compared; `seconds` how long each phase took.
    """

    case: str
    settings: Training
    data_hash: str
    feature_set: str
    usable_rows: int
    unused: dict[str, int]
    features: tuple[str, ...]
    features_left_out: dict[str, str]
    keys: tuple[str, ...]
    keys_left_out: dict[str, str]
    candidates_left_out: dict[str, str]
    folds: list[FoldFacts]
    tested_rows: int
    episodes: int
    base_rate: Interval
    reference: str
    rows: list[ScoreRow]
    differences: list[Difference]
    champion: str
    chosen: str
    version: int
    tau: dict[str, float]
    threshold: float
    decision: Decision
    seconds: dict[str, float]


class _Timer:
    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self.seconds: dict[str, float] = {}
        self._clock_ns, self._last_ns = clock_ns, clock_ns()

    def lap(self, phase: str) -> None:
        now_ns = self._clock_ns()
        self.seconds[phase] = round((now_ns - self._last_ns) / 1e9, 3)
        self._last_ns = now_ns


def train(  # noqa: PLR0913 - what to train on, where to put it, how, and the shell's two callables
    case: Case,
    dataset: Dataset,
    registry: Registry,
    how: Training | None = None,
    *,
    clock_ns: Callable[[], int],
    progress: Progress = lambda _step, _done, _of: None,
) -> TrainingReport:
    """Train, test, register and let the gate decide; see the module's text.

    The same dataset and seed give the same model, byte for byte.
    Raises TooLittleDataError as `walkforward.walk`, ExportRefusedError, RegistryError; then nothing
    was registered.
    """
    how = how or Training()
    timer = _Timer(clock_ns)
    table = case.table(dataset.frame)
    timer.lap("table")
    walked = walk(case, table, how, progress)
    timer.lap("fit")
    progress("scores", 0, 1)
    pooled = Pooled(walked, how)
    rows = pooled.score_rows()
    over_champion, champion = _over_champion(case, table, pooled, registry, how)
    evidence = Evidence(
        reference=case.reference,
        episodes=case.events(table, pooled.rows, pooled.y),
        over_base_rate=pooled.over_base_rate(CHOSEN),
        over_reference=pooled.over_reference(CHOSEN, scores.pr_auc),
        log_loss_over_reference=pooled.over_reference(CHOSEN, scores.log_loss),
        over_champion=over_champion,
        blocks=pooled.blocks,
    )
    decision = promotion.decide(evidence, how.gate)
    timer.lap("score")
    progress("registry", 0, 1)
    figures = {row.name: _figures(row, pooled.base_rate) for row in rows}
    facts, onnx = _live(walked, figures, dataset, how, clock_ns())
    version = _register(case, registry, onnx, facts, decision)
    timer.lap("register")
    return TrainingReport(
        case=case.name,
        settings=how,
        data_hash=dataset.data_hash,
        feature_set=case.feature_set,
        usable_rows=len(table.order),
        unused=dict(table.unused),
        features=table.features,
        features_left_out=dict(table.left_out),
        keys=table.keys,
        keys_left_out=dict(walked.questions[-1].target.left_out),
        candidates_left_out=dict(walked.left_out),
        folds=walked.fold_facts(),
        tested_rows=len(pooled.rows),
        episodes=evidence.episodes,
        base_rate=pooled.base_rate,
        reference=case.reference,
        rows=rows,
        differences=pooled.differences(),
        champion=champion,
        chosen=facts.candidate,
        version=version,
        tau=facts.tau,
        threshold=facts.threshold,
        decision=decision,
        seconds=timer.seconds,
    )


def _live(
    walked: Walk,
    figures: dict[str, dict[str, float | None]],
    dataset: Dataset,
    how: Training,
    created_time_ns: int,
) -> tuple[ModelFacts, bytes]:
    """The last fold's choice as what can be registered, its export proven on that fold's test."""
    case, table, last, chosen = walked.case, walked.table, walked.questions[-1], walked.chosen[-1]
    onnx = export(chosen.fitted, table.columns(chosen.fitted.features, last.fold.test))
    fitted_on = np.concatenate([last.fold.train, last.fold.validation, last.fold.calibration])
    start_ns, end_ns = case.span_ns(table, fitted_on)
    y = last.answers(last.fold.test)
    measures = (scores.base_rate, scores.pr_auc, scores.roc_auc, scores.brier, scores.log_loss)
    itself = {measure.name: measure(y, chosen.probability) for measure in measures}
    facts = ModelFacts(
        case=case.name,
        candidate=chosen.fitted.name,
        features=chosen.fitted.features,
        feature_set=case.feature_set,
        tau=dict(last.target.tau),
        threshold=chosen.threshold,
        horizon_s=case.horizon_s,
        train_start_ns=start_ns,
        train_end_ns=end_ns,
        data_hash=dataset.data_hash,
        seed=how.seed,
        sha256=sha256_of(onnx),
        scores=figures | {"last_fold": _defined(itself)},
        created_time_ns=created_time_ns,
        last_order=int(table.order[fitted_on].max()),
    )
    return facts, onnx


def _register(
    case: Case, registry: Registry, onnx: bytes, facts: ModelFacts, decision: Decision
) -> int:
    words = "; ".join(decision.reasons)
    verdict = "promoted" if decision.promote else "not promoted"
    version = registry.register(case.name, onnx, facts, {"decision": f"{verdict}: {words}"})
    registry.set_alias(case.name, "candidate", version)
    if decision.promote:
        registry.promote(case.name, version, words)
    return version


def _over_champion(
    case: Case, table: Table, pooled: Pooled, registry: Registry, how: Training
) -> tuple[Interval | None, str]:
    """The chosen's PR-AUC minus the champion's on rows that it never saw, and that in words.

    None where there is no champion; NaN, which the gate refuses, where none can be measured.
    """
    version = registry.champion_version(case.name)
    if version is None:
        return None, "there is none yet"
    try:
        champion = registry.load(case.name, version, case.feature_set)
    except (ForeignFeaturesError, RegistryError) as error:
        # It cannot score any more, so there is nothing to be worse than.
        return None, f"it cannot be used: {error}"
    facts = champion.facts
    foreign = set(facts.features) - set(table.features)
    unseen = case.unseen(table, pooled.rows, facts)
    if foreign:
        why = f"{champion.label} uses {', '.join(sorted(foreign))}, which these rows do not have"
    elif not unseen.any():
        why = f"{champion.label} was fitted on all tested rows or on later ones"
    else:
        interval = pooled.over_model(facts.features, champion.onnx.predict, unseen)
        return interval, f"{champion.label}, on {int(unseen.sum())} rows that it never saw"
    nan, none = np.nan, how.resamples
    unknown = Interval(
        estimate=nan, low=nan, high=nan, level=how.level, resamples=none, undefined=none
    )
    return unknown, why


def _figures(row: ScoreRow, base_rate: Interval) -> dict[str, float | None]:
    figures: dict[str, float] = {"base_rate": base_rate.estimate}
    for name in ("pr_auc", "lift", "roc_auc", "brier", "log_loss"):
        interval: Interval = getattr(row, name)
        figures |= {
            name: interval.estimate,
            f"{name}_low": interval.low,
            f"{name}_high": interval.high,
        }
    return _defined(figures | {"calibration_error": row.calibration_error} | row.acting)


def _defined(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in figures.items()}
