"""All that a training found."""

import msgspec

from barograph.evaluation.gate import Decision
from barograph.registry.versions import Trial
from barograph.training.no_signal_control import Control
from barograph.training.pooled import Difference, ScoreRow, SessionRow
from barograph.training.walkforward import FoldFacts, Training
from barograph.types import Interval


class TrainingReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that a training found, as JSON or on a terminal; figures that are not defined are NaN.

    `rows` hold the candidates in the case's order and then `CHOSEN`, `sessions` the same for each
    regime of the test rows. `unused` counts rows by why they could not be used, the `*_left_out`
    give the reason for each name. `judged_rows` are those that the gate decided on, the others it
    had seen before; `champion` says how the present one was compared; `seconds` how long each phase
    took.
    """

    case: str
    settings: Training
    split: str
    data_hash: str
    code_hash: str
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
    sessions: list[SessionRow]
    trials: list[Trial]
    control: Control | None
    control_left_out: str
    champion: str
    chosen: str
    version: int
    tau: dict[str, float]
    threshold: float
    row_us: float
    judged_rows: int
    decision: Decision
    seconds: dict[str, float]
