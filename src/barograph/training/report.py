"""All that a training found."""

from collections.abc import Mapping
from typing import Any

import msgspec

from barograph.evaluation.gate import Decision
from barograph.training.no_signal_control import Control
from barograph.training.pooled import EvaluationFacts
from barograph.training.walkforward import DataFacts, Training


class ChosenModel(msgspec.Struct, frozen=True, kw_only=True):
    """The model that was registered: its candidate's name, and how it is used.

    `threshold` is the probability from which it acts, `row_us` the median time of one row in µs.
    """

    chosen: str
    version: int
    tau: dict[str, float]
    threshold: float
    row_us: float


class GateFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate decided, and on how many rows: it had seen the other tested rows before.

    `champion` says how the present one was compared.
    """

    champion: str
    judged_rows: int
    decision: Decision


class TrainingReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that a training found, as JSON or on a terminal; figures that are not defined are NaN.

    `control_left_out` says why there is no `control`; `seconds` how long each phase took.
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
"""What fields of `EvaluationFacts` were called when a report was one object without parts."""


def nested(training: Mapping[str, Any]) -> Mapping[str, Any]:
    """A report's JSON with its parts, also of one that was written as one object without them."""
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
