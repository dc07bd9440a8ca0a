"""What the registry says of each case, and how its champion fares by the rows in memory."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from barograph import telemetry
from barograph.app.web.answers import ModelNow
from barograph.app.web.series_board import SeriesBoard
from barograph.arrays import Records
from barograph.errors import BarographError
from barograph.evaluation import scores
from barograph.evaluation.conformal import FLOOR, covered
from barograph.evaluation.labels import later
from barograph.registry.model import ModelFacts
from barograph.registry.registry import Registry
from barograph.training.walkforward import CHOSEN

_LIVE: Mapping[str, telemetry.Gauge] = {
    "pr_auc": telemetry.LIVE_PR_AUC,
    "base_rate": telemetry.LIVE_BASE_RATE,
    "calibration_error": telemetry.LIVE_CALIBRATION_ERROR,
}


class Standing(NamedTuple):
    """The versions of a case, and the champion's facts; a problem where they cannot be read.

    A remark says why they are not of now, but the last that a server answered.
    """

    champion: int | None = None
    candidate: int | None = None
    since_ns: int | None = None
    facts: ModelFacts | None = None
    problem: str = ""
    remark: str = ""


class ModelWatch:
    """Looks at a registry. Not thread-safe."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[str, Standing] = {}

    def look(self, case: str) -> Standing:
        """How a case's models stand; reads facts only where the champion is another one."""
        try:
            champion = self._registry.champion_version(case)
            candidate = self._registry.version_of(case, "candidate")
            known = self._known.get(case, Standing())
            facts, since_ns = known.facts, known.since_ns
            if champion != known.champion or (facts is None and champion is not None):
                facts = None if champion is None else self._registry.facts(case, champion)
                history = self._registry.history(case)
                since_ns = next(
                    (each.time_ns for each in reversed(history) if each.version == champion), None
                )
            remark = self._registry.problem
            standing = Standing(champion, candidate, since_ns, facts, remark=remark)
        except (BarographError, OSError) as error:
            return self._known.get(case, Standing())._replace(problem=str(error))
        self._known[case] = standing
        return standing


def model_now(
    case: str, standing: Standing, live: Mapping[str, float | int | None] | None
) -> ModelNow:
    """A case's standing as the API answers it. live: the champion's live scores, if any."""
    if standing.champion is None or standing.facts is None:
        label = None if standing.candidate is None else f"{case}/{standing.candidate}"
        return ModelNow(
            label=None, since_ns=None, expires_ns=None, candidate=label, live=None, promised=None
        )
    facts = standing.facts
    other = standing.candidate if standing.candidate != standing.champion else None
    return ModelNow(
        label=f"{case}/{standing.champion}",
        since_ns=standing.since_ns,
        expires_ns=facts.expires_time_ns,
        candidate=None if other is None else f"{case}/{other}",
        live=None if live is None else dict(live),
        promised=facts.scores.get(CHOSEN),
    )


def show_live(case: str, live: Mapping[str, float | int | None] | None) -> None:
    """Show the champion's live scores among the metrics; what is not known is not there."""
    for name, gauge in _LIVE.items():
        value = None if live is None else live.get(name)
        if value is None:
            gauge.remove(case)
        else:
            gauge.set(value, case)


def rows_of_model(board: SeriesBoard, label: str) -> list[Records]:
    """Copies of all rows of each key, where the model has any; the loop's work."""
    number = board.models.get(label)
    if number is None:
        return []
    return [rows.between(-1, 2**62) for rows in board.rows.values() if len(rows)]


def live_scores(
    all_rows: list[Records], number: int, horizon_s: int
) -> dict[str, float | int | None] | None:
    """The scores of a model's matured predictions, each by its own tau; None without any.

    all_rows: those of each key. `rows` counts the predictions that have matured. Of a case that
    forecasts the value itself there are `qlike`, `log_r2` and `coverage`, too.
    """
    probabilities, outcomes = [np.empty(0)], [np.empty(0)]
    for rows in all_rows:
        came = later(rows["second"], rows["value"], horizon_s=horizon_s)
        known = (rows["model"] == number) & ~np.isnan(came + rows["tau"] + rows["probability"])
        probabilities.append(rows["probability"][known])
        outcomes.append((came[known] >= rows["tau"][known]).astype(np.float64))
    probability, outcome = np.concatenate(probabilities), np.concatenate(outcomes)
    if not len(outcome):
        return None
    found = {
        score.name: score(outcome, probability)
        for score in (scores.base_rate, scores.pr_auc, scores.brier, scores.calibration_error)
    }
    found |= _level_scores(all_rows, number, horizon_s)
    return {
        "rows": len(outcome),
        **{name: None if np.isnan(value) else float(value) for name, value in found.items()},
    }


def _level_scores(all_rows: list[Records], number: int, horizon_s: int) -> dict[str, float]:
    """Scores of a model's matured forecasts of the value itself; none without any."""
    columns = ("median", "forecast", "low", "high")
    matured = [np.empty((0, 5))]
    for rows in all_rows:
        if "low" not in (rows.dtype.names or ()):
            return {}
        came = later(rows["second"], rows["value"], horizon_s=horizon_s)
        known = (rows["model"] == number) & ~np.isnan(came + rows["low"])
        matured.append(np.stack([came, *(rows[name] for name in columns)], axis=1)[known])
    value, median, forecast, low, high = np.maximum(np.concatenate(matured), FLOOR).T
    if not len(value):
        return {}
    return {
        "qlike": scores.qlike(value, forecast),
        "log_r2": scores.log_r2(value, median),
        "coverage": float(covered(value, low, high).mean()),
    }
