"""Hours of a volatility in a log, and its forecasts over 1, 6 and 24 hours, with intervals."""

import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from barograph.cases.case import Case
from barograph.codec import encode
from barograph.log import Topic, open_log
from barograph.log.topics import ensure, ensure_topics
from barograph.types import Message, Prediction, Verdict
from queue_levels import QUEUE_LEVELS
from queues import LIVE

HOUR = 3_600
NS = 10**9
NEWEST = 1_790_002_800
"""The end of an hour."""

TAU = 0.009
OUTSIDE = 10
"""Every tenth hour's value lies outside the interval that was forecast for it."""


def _case(name: str, hours: int) -> Case:
    live = replace(
        LIVE,
        source="hours.raw",
        rows="hours.features",
        predictions=f"hours.predictions.{hours}h",
        dead_letters="hours.deadletter",
        group_prefix=f"{name}-",
        value_now="waiting",
        unit="1/√h",
        step_s=HOUR,
        horizon_s=hours * HOUR,
    )
    return replace(QUEUE_LEVELS, name=name, live=live, horizon_s=live.horizon_s)


HOURS, HOURS_6, HOURS_24 = _case("hours", 1), _case("hours-6h", 6), _case("hours-24h", 24)
CASES = (HOURS, HOURS_6, HOURS_24)


def volatility(hour: int) -> float:
    """The value of an hour: a wave over the day, and noise."""
    noise = np.random.default_rng(hour).standard_normal()
    return 0.004 * math.exp(0.5 * math.sin(hour * math.tau / 24) + 0.25 * noise)


def forecast(case: Case, end_s: int, product: str = "BTC-USD", **more: object) -> Prediction:
    """What is said at the end of an hour; the interval misses every tenth value."""
    hours = case.horizon_s // HOUR
    due = end_s // HOUR + hours
    came = volatility(due)
    median = came * 0.35 if due % OUTSIDE == 0 else 0.0042 * math.exp(
        0.5 * math.sin(due * math.tau / 24)
    )  # fmt: skip
    width = 1.9 + 0.1 * hours**0.5
    known = {
        "product": product,
        "second": end_s - 1,
        "event_time_ns": end_s * NS,
        "receive_time_ns": end_s * NS + 2 * NS,
        "verdict": Verdict.PREDICTED,
        "probability": 0.08,
        "alarm": False,
        "threshold": 0.4,
        "tau": TAU,
        "horizon_s": case.horizon_s,
        "value_now": volatility(end_s // HOUR),
        "mid": 64_000.0 + 500 * math.sin(end_s / HOUR / 9),
        "model": f"{case.name}/2",
        "median": median,
        "forecast": median * 1.1,
        "low": median / width,
        "high": median * width,
    }
    return Prediction(**{**known, **more})


@contextmanager
def hour_log(home: Path) -> Iterator["HourLog"]:
    """A log with the topics of hours, and those of a market."""
    with closing(open_log(home)) as log:
        ensure_topics(log)
        names = [HOURS.live.source, *(case.live.predictions for case in CASES)]
        ensure(log, [Topic(name=name) for name in names])
        yield HourLog(home, log)


class HourLog:
    """The log of a home, for a test to write forecasts into."""

    def __init__(self, home: Path, log: object) -> None:
        self.home, self._log = home, log

    def forecast(self, case: Case, *predictions: Prediction) -> None:
        """Write forecasts of a case."""
        topic = case.live.predictions
        self._log.append([Message(topic, each.product, encode(each)) for each in predictions])

    def hours(self, count: int, newest_s: int = NEWEST, product: str = "BTC-USD") -> None:
        """Write the forecasts of all cases for so many hours, the last of which ends then."""
        ends = range(newest_s - (count - 1) * HOUR, newest_s + 1, HOUR)
        for case in CASES:
            self.forecast(case, *[forecast(case, end_s, product) for end_s in ends])
