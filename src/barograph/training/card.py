"""The model card: what a model is, how it was tested, its scores, and where it fails.

A pure function of one training, stored as JSON; `card_page` renders it as HTML.
"""

from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
import numpy as np

from barograph.arrays import Float64
from barograph.codec import UNREADABLE
from barograph.errors import RegistryError
from barograph.evaluation import bootstrap, scores
from barograph.registry.model import ModelFacts
from barograph.training import card_words, skill_words
from barograph.training.card_words import Bin, Goal
from barograph.training.importance import Importance, importance
from barograph.training.pooled import Pooled
from barograph.training.report import TrainingReport, nested
from barograph.training.timeline import Timeline, timeline
from barograph.training.walkforward import CHOSEN, Walk

FILE, PAGE = "card.json", "card.html"
"""File names of the card and its page in the registry."""

CURVE_POINTS = 200
_BIN_RESAMPLES = 300
_CURE = "Train again (`barograph train --case …`): each training writes a card"


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Precision at increasing recall; thinned to `CURVE_POINTS` steps of recall."""

    recall: list[float]
    precision: list[float]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A model card; undefined scores are NaN (null in JSON).

    `curves` has those of `CHOSEN` and the baselines to beat; `bins` is the reliability table of
    `CHOSEN`. `threshold_rule` says how the alert threshold was chosen. `failures` are sentences,
    as are those of `skill`, which say what beats the baselines where. `timeline` is None for a case
    without time.
    """

    training: TrainingReport
    facts: ModelFacts
    threshold_rule: str
    goals: list[Goal]
    failures: list[str]
    curves: dict[str, Curve]
    bins: list[Bin]
    importance: list[Importance]
    timeline: Timeline | None
    skill: list[str] = []


def card(walked: Walk, pooled: Pooled, report: TrainingReport, facts: ModelFacts) -> Card:
    """Build the card of the version in `report`. The same training gives the same card."""
    over_time = timeline(walked, pooled)
    bins = _bins(walked, pooled, report)
    return Card(
        training=report,
        facts=facts,
        threshold_rule=walked.case.threshold_rule,
        goals=card_words.goals(report, walked.case.goals),
        failures=card_words.failures(report, bins, over_time),
        curves={
            name: curve(pooled.y, pooled.probability[name]) for name in (CHOSEN, *pooled.baselines)
        },
        bins=bins,
        importance=importance(walked, report.settings.seed),
        timeline=over_time,
        skill=skill_words.sentences(report),
    )


def curve(y: Float64, probability: Float64) -> Curve:
    """The precision-recall curve; empty without positives. Ties are one step."""
    order = np.argsort(-probability, kind="stable")
    ranked = probability[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    hits = np.cumsum(y[order])[ends]
    if not hits[-1:].any():
        return Curve(recall=[], precision=[])
    recall, precision = hits / hits[-1], hits / (ends + 1)
    kept = np.unique(np.searchsorted(recall, np.linspace(0, 1, CURVE_POINTS + 1)[1:]))
    return Curve(recall=recall[kept].round(5).tolist(), precision=precision[kept].round(5).tolist())


def _bins(walked: Walk, pooled: Pooled, report: TrainingReport) -> list[Bin]:
    """Reliability table of the chosen forecast, with intervals of the observed frequency."""
    probability, y = pooled.probability[CHOSEN], pooled.y
    table = scores.reliability(y, probability)
    _, place = np.unique(scores.bins_of(y, probability), return_inverse=True)
    drawn = bootstrap.resamples(
        walked.table.order[pooled.rows],
        walked.table.session[pooled.rows],
        block_s=walked.case.block,
        count=_BIN_RESAMPLES,
        seed=report.settings.seed,
    )
    values = np.full((_BIN_RESAMPLES, len(table)), np.nan)
    for number in range(_BIN_RESAMPLES):
        weight = drawn.weight(number).astype(np.float64)
        rows = np.bincount(place, weight, len(table))
        np.divide(np.bincount(place, weight * y, len(table)), rows, values[number], where=rows > 0)
    return [
        Bin(
            rows=one.rows,
            mean_probability=one.mean_probability,
            came_true=bootstrap.Resampled(
                estimate=one.frequency, values=of, resamples=drawn
            ).interval(report.settings.level),
        )
        for one, of in zip(table, values.T, strict=True)
    ]


def encoded(card: Card) -> bytes:
    """Encode the card as JSON; NaN becomes null."""
    return msgspec.json.encode(card)


def decoded(content: bytes, version: str) -> Card:
    """Decode a card. Raises RegistryError, which names `version`, if it is damaged."""
    try:
        fields = msgspec.json.decode(content, type=dict[str, Any])
        if isinstance(training := fields.get("training"), dict):
            fields["training"] = nested(training)
        return msgspec.convert(_with_nan(fields, Card), Card)
    except UNREADABLE as error:
        raise RegistryError(version, f"its card cannot be read ({error})", _CURE) from error


def _with_nan(value: Any, kind: Any) -> Any:  # noqa: ANN401 - JSON of any shape, and types
    """Replace null by NaN wherever the type is float, since JSON has no NaN."""
    if value is None:
        return np.nan if kind is float else None
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, dict):
        types = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
        return {name: _with_nan(part, types.get(name)) for name, part in value.items()}
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _with_nan(value, next(one for one in inner if one is not NoneType))
    if origin is dict and isinstance(value, dict):
        return {name: _with_nan(part, inner[1]) for name, part in value.items()}
    if origin in (list, tuple) and isinstance(value, list):
        each = inner if origin is tuple and inner[-1:] != (...,) else inner[:1] * len(value)
        return [_with_nan(part, one) for part, one in zip(value, each, strict=False)]
    return value
