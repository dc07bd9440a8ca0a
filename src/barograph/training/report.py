"""The report of a training."""

from collections.abc import Mapping
from typing import Any

import msgspec

from barograph.evaluation.gate import Decision
from barograph.training.no_signal_control import Control
from barograph.training.pooled import EvaluationFacts
from barograph.training.walk_facts import DataFacts
from barograph.training.walkforward import Training


class ChosenModel(msgspec.Struct, frozen=True, kw_only=True):
    """The registered model: its candidate's name, version and thresholds.

    `threshold` is the probability that raises an alert, `row_us` the median time per row in µs.
    """

    chosen: str
    version: int
    tau: dict[str, float]
    threshold: float
    row_us: float


class GateFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The gate's decision, and the number of test rows used (earlier gates used the others).

    `champion` says in words how the current champion was compared.
    """

    champion: str
    judged_rows: int
    decision: Decision


class TrainingReport(msgspec.Struct, frozen=True, kw_only=True):
    """All results of a training; undefined scores are NaN (null in JSON).

    `control_left_out` says why there is no `control`; `seconds` is the duration of each phase.
    """

    case: str
    settings: Training
    code_hash: str
    data: DataFacts
    tested: EvaluationFacts
    control: Control | None
    control_left_out: str
    model: ChosenModel
    gate: GateFacts
    seconds: dict[str, float]


_FORMER_NAMES = {"scores": "rows", "rows": "tested_rows"}
"""Names that fields of `EvaluationFacts` had in older, flat reports."""


def nested(training: Mapping[str, Any]) -> Mapping[str, Any]:
    """Convert the JSON of an older, flat report to the nested form; others are returned as is."""
    if "data" in training:
        return training

    def part(kind: type[msgspec.Struct], former: Mapping[str, str]) -> dict[str, Any]:
        names = {name: former.get(name, name) for name in kind.__struct_fields__}
        return {name: training[before] for name, before in names.items() if before in training}

    return {
        **training,
        "data": part(DataFacts, {}),
        "tested": part(EvaluationFacts, _FORMER_NAMES),
        "model": part(ChosenModel, {}),
        "gate": part(GateFacts, {}),
    }
