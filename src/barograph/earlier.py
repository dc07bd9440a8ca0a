"""Words as earlier versions wrote them, which logs still keep, and what they are today."""

import msgspec

from barograph.types import (
    Measure,
    Name,
    Prediction,
    Second,
    Share,
    Threshold,
    TimeNs,
    Verdict,
)


class FirstPrediction(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="prediction/1"):
    """A Prediction as it was when there was one series, the market's."""

    product: Name
    second: Second
    event_time_ns: TimeNs
    receive_time_ns: TimeNs | None
    verdict: Verdict
    probability: Share | None
    spike: bool
    threshold: Threshold | None
    tau: Measure | None
    horizon_s: Second
    realized_vol_60s: Measure | None
    mid: Measure
    model: Name


def present_prediction(word: Prediction | FirstPrediction) -> Prediction:
    """The same prediction as a word of today."""
    if isinstance(word, Prediction):
        return word
    fields = msgspec.structs.asdict(word)
    alarm, value_now = fields.pop("spike"), fields.pop("realized_vol_60s")
    return Prediction(**fields, alarm=alarm, value_now=value_now)
