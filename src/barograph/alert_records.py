"""What is watched and what came of it: health samples, alerts, and alerts that were not delivered.

The records of the topics `health`, `alerts` and `alerts.undelivered`. Words of `types`, in a file
of their own; the same promises hold.
"""

import hashlib
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from barograph.types import Count, Measure, Name, Second, Share, Threshold, TimeNs

PROBABILITY = "probability"
"""The rule of alerts about the probability of tau."""

FORECAST = "forecast"
"""The rule of alerts about the forecast value; all but these two are about measures of health."""

NEWS_S = 600.0
"""What is written longer after it happened, as by a replay, is no news: it wakes nobody."""

_MAX_MEASURES = 5_000
_ID_DIGITS = 24

Subject = Annotated[str, Meta(max_length=300)]
_Text = Annotated[str, Meta(max_length=1_000)]
_Finite = Annotated[float, Meta(ge=-3e38, le=3e38)]


class Ending(StrEnum):
    """How an alert about predictions ended: the probability fell, or it was not known any more."""

    CALM = "calm"
    UNKNOWN = "unknown"


class Judgement(StrEnum):
    """What became of an alert: an outcome reached tau, none did, or some were not observed."""

    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class Change(StrEnum):
    """What happened to an alert: each of these once in its life, the last two in either order."""

    BEGAN = "began"
    ENDED = "ended"
    JUDGED = "judged"


class HealthSample(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="health/1"):
    """What a monitor measured at `time_ns` of its own clock.

    `source` names the monitor: samples of one source follow each other in time. `measures` are
    numbers by name, with the unit as suffix; of one product, group or connection it is
    "name:subject". None is measured and not known; what is not named was not measured. `facts` are
    words about them, for people.
    """

    time_ns: TimeNs
    source: Name
    measures: Annotated[dict[str, _Finite | None], Meta(max_length=_MAX_MEASURES)]
    facts: Annotated[dict[str, str], Meta(max_length=_MAX_MEASURES)] = {}


class AlertRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="alert/1"):
    """What happened to one alert, and how it stands since: the last record of an `id` has all.

    `id` is the same over an alert's life; (`id`, `change`) occurs once. `rule` is `probability`,
    `forecast` or the name of a rule over health; `subject` the product, group or "". `time_ns` is
    when the change happened, `started_ns` since when the condition holds, `ended_ns` when it was
    over, None while it lasts: event time for predictions, the monitor's clock for health. `text` is
    the change in a sentence.

    Of a rule over health: `value` now, the highest so far as `peak`, and the `limit`. Of a
    probability alert: `case`, the `probability` of its first alarm, `peak`, `threshold`, `tau`,
    `model` and `horizon_s`; `judgement` once its outcomes are known; `why` says what ended it:
    `calm`, a verdict, `missing`, `silent`, `model`. `right` and `wrong` count how this model's
    alerts on this product were judged so far, this one included.

    A forecast alert is the same of the forecast value: `value` is that of its first prediction at
    or above the `limit`, `peak` the highest, and it was right if an outcome reached the limit.
    """

    id: Name
    rule: Name
    subject: Subject
    change: Change
    time_ns: TimeNs
    started_ns: TimeNs
    ended_ns: TimeNs | None = None
    text: _Text = ""
    source: str = ""
    value: _Finite | None = None
    limit: _Finite | None = None
    peak: _Finite | None = None
    case: str = ""
    probability: Share | None = None
    threshold: Threshold | None = None
    tau: Measure | None = None
    model: str = ""
    horizon_s: Second | None = None
    alarms: Count = 0
    mid: Measure | None = None
    ending: Ending | None = None
    why: str = ""
    judgement: Judgement | None = None
    right: Count = 0
    wrong: Count = 0

    @property
    def key(self) -> str:
        """The idempotency key of this change: the same whenever it is delivered again."""
        return f"{self.id}-{self.change}"


class Undelivered(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="undelivered/1"):
    """An alert that a sink did not take: after so many `attempts`, the last of which said why."""

    sink: Name
    reason: str
    attempts: Count
    alert: AlertRecord


def identity(*parts: object) -> str:
    """Return the id of an alert with these parts: 24 hexadecimal digits of their SHA-256."""
    text = "\0".join(map(str, parts))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_ID_DIGITS]
