"""What the API answers, as types: their JSON is made by msgspec, unknown is null.

Times are Unix nanoseconds (`*_ns`).
"""

from typing import Literal

import msgspec

from barograph.types import Verdict

REASONS = {
    Verdict.PREDICTED: "there is a probability",
    Verdict.WARMUP: "a feature has not seen enough complete seconds since the start",
    Verdict.GAP: "a feature has not seen enough complete seconds since a gap",
    Verdict.STALE: "the last news is too old",
    Verdict.OUT_OF_RANGE: "a value lies beyond what the model or the windows hold",
    Verdict.MODEL_EXPIRED: "the model's date has passed",
    Verdict.NO_MODEL: "there is no model, and the baseline has not seen enough",
}
"""Why there is a probability or none, in words."""


class Refusal(msgspec.Struct, frozen=True):
    """What is wrong, and what to do."""

    error: str
    cure: str


class MaturedOutcome(msgspec.Struct, frozen=True):
    """What became of the prediction of one horizon ago: whether its tau was reached.

    `inside` tells whether the value lies in its interval, null where it had none.
    """

    time_ns: int
    probability: float
    alarm: bool
    outcome: bool
    inside: bool | None = None


class SeriesPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction of one product, or whatever keys the series, at `time_ns` of event time.

    `share_of_tau` is `value_now` / `tau`, `latency_ms` from the receipt of the frame that closed
    the second to the log. `matured` is what this prediction says of the one a horizon before.
    `median`, `forecast` (the root of the expected square), `low` and `high` are of the value one
    horizon later, in the unit of the case; null where the case does not forecast it.
    """

    case: str
    product: str
    time_ns: int
    receive_time_ns: int | None
    verdict: str
    reason: str
    probability: float | None
    alarm: bool
    threshold: float | None
    tau: float | None
    share_of_tau: float | None
    horizon_s: int
    value_now: float | None
    mid: float | None
    model: str
    latency_ms: float | None
    matured: MaturedOutcome | None
    median: float | None
    forecast: float | None
    low: float | None
    high: float | None


class RecordScore(msgspec.Struct, frozen=True, kw_only=True):
    """What the scorer says of one record, which the log took at `time_ns`.

    `latency_ms` is from the record in the log to its prediction there; null where that is not
    known.
    """

    case: str
    key: str
    time_ns: int
    verdict: str
    reason: str
    probability: float | None
    label: bool
    threshold: float | None
    model: str
    latency_ms: float | None


class ListedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case that is served. `value` is what a series forecasts, `outcome` what records are.

    `coverage` is the share of values that the intervals of its forecasts are to hold; null for a
    case that forecasts no value.
    """

    name: str
    kind: Literal["series", "records"]
    value: str
    unit: str
    horizon_s: int | None
    step_s: int | None
    keys: list[str]
    default: bool
    coverage: float | None


class Waiting(msgspec.Struct, frozen=True):
    """What a first probability waits for: `have` of `need`, and the seconds left without a gap."""

    left_s: int
    have: int
    need: int


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """The newest prediction of a product in short."""

    time_ns: int
    probability: float | None
    verdict: str
    reason: str
    tau: float | None
    threshold: float | None
    share_of_tau: float | None
    alarm: bool
    mid: float | None
    median: float | None
    low: float | None
    high: float | None
    wait: Waiting | None


class FeedNow(msgspec.Struct, frozen=True, kw_only=True):
    """The feed: ticks and latencies of the last minute."""

    ticks_per_s: float | None
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    clock_offset_ms: float | None
    reconnects: int
    dead_letters: dict[str, int]


class ModelNow(msgspec.Struct, frozen=True, kw_only=True):
    """The champion, and its scores on matured predictions beside those of its test fold."""

    label: str | None
    since_ns: int | None
    expires_ns: int | None
    candidate: str | None
    live: dict[str, float | int | None] | None
    promised: dict[str, float | None] | None


class SeriesStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a series case is now. `problems` and `remarks` are those of its health."""

    case: str
    time_ns: int
    problems: list[str]
    remarks: list[str]
    now: dict[str, Now]
    feed: FeedNow
    model: ModelNow


class RecordsNow(msgspec.Struct, frozen=True, kw_only=True):
    """Records: rate of the last minute, latency, and what the last predictions were.

    `histogram` counts the last probabilities in ten bins of 0.1.
    """

    predictions: int
    per_s: float
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    verdicts: dict[str, int]
    labelled: int
    histogram: list[int]
    dead_letters: dict[str, int]


class RecordsStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a record case is now. `problems` and `remarks` are those of its health."""

    case: str
    time_ns: int
    problems: list[str]
    remarks: list[str]
    records: RecordsNow
    model: ModelNow
