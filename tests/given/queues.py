"""A case of a series that is no market: how many people wait at a counter, ten minutes ahead.

Records come each minute; rows, horizon, source and columns are its own.
"""

import math
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from barograph import codec
from barograph.cases import ColdStart, LiveSeries, candidates, series_case
from barograph.errors import ForeignStateError
from barograph.learning.relative import Ratio, Relative
from barograph.log import Topic
from barograph.registry.model import TAU
from barograph.types import Fault, FeatureRow, Message, Outcome, Reason

COLUMNS = ("waiting", "waiting_mean_10min", "arriving")
FEATURE_SET = "queues/1"
WINDOW = 10
START_MINUTE = 29_000_000


class Minute(msgspec.Struct, frozen=True):
    """What a counter reports of a minute."""

    queue: Annotated[str, Meta(min_length=1, max_length=20)]
    minute: Annotated[int, Meta(ge=0, le=10**9)]
    waiting: Annotated[float, Meta(ge=0, le=10_000)]
    arriving: Annotated[float, Meta(ge=0, le=10_000)]


class _State(msgspec.Struct):
    minute: int
    waiting: list[float]


class Counters:
    """A machine: minutes in, feature rows out; a minute that is missing empties the window."""

    def __init__(self):
        self.states = {}
        self.changed = set()

    def receive(self, records):
        values, dead_letters = [], []
        for record in records:
            try:
                minute = msgspec.json.decode(record.value, type=Minute)
            except codec.UNREADABLE as error:
                dead_letters.append(codec.dead(record, Fault.WRONG_SHAPE, str(error)))
                continue
            state = self.states.get(minute.queue)
            if state is not None and minute.minute <= state.minute:
                dead_letters.append(codec.dead(record, Fault.LATE, "its minute had closed"))
                continue
            if state is None or minute.minute != state.minute + 1:
                state = self.states[minute.queue] = _State(minute.minute, [])
            state.minute = minute.minute
            state.waiting = [*state.waiting[-WINDOW + 1 :], minute.waiting]
            self.changed.add(minute.queue)
            values.append((minute.queue, codec.encode(self._row(minute, state))))
        return Outcome(values, dead_letters)

    def _row(self, minute, state):
        whole = len(state.waiting) == WINDOW
        mean = math.fsum(state.waiting) / WINDOW if whole else None
        return FeatureRow(
            product=minute.queue,
            second=minute.minute * 60 + 59,
            feature_set=FEATURE_SET,
            receive_time_ns=None,
            values=[minute.waiting, mean, minute.arriving],
            reasons=f"0{int(Reason.KNOWN if whole else Reason.WARMUP)}0",
        )

    def snapshot(self):
        changed, self.changed = self.changed, set()
        return {queue: msgspec.json.encode(self.states[queue]) for queue in sorted(changed)}

    def restore(self, checkpoints):
        for queue, checkpoint in checkpoints.items():
            try:
                self.states[queue] = msgspec.json.decode(checkpoint, type=_State)
            except codec.UNREADABLE as error:
                raise ForeignStateError(queue) from error


LIVE = LiveSeries(
    source="queues.raw",
    rows="queues.features",
    predictions="queues.predictions",
    shadow="queues.predictions.shadow",
    dead_letters="queues.deadletter",
    group_prefix="queues-",
    columns=COLUMNS,
    feature_set=FEATURE_SET,
    value_now="waiting",
    unit="people",
    step_s=60,
    horizon_s=600,
    machine=Counters,
    cold_start=lambda: ColdStart(horizon_s=600, lowest=0.1),
)


def contenders(features):
    """As many as now, which the other must beat; what is waiting and on its way."""
    seen = Relative.of([Ratio(name, TAU, floor=0.1) for name in features])
    return (
        candidates.persistence("waiting", repeats=10),
        candidates.logistic(seen, repeats=10),
    )


QUEUES = series_case(
    "queues",
    LIVE,
    candidates=contenders,
    baselines=("persistence",),
    longest_window_s=600,
)


def source_topic(partitions=3):
    return Topic(name=LIVE.source, partitions=partitions)


def minutes(count, seed, queues=("north", "south"), start=0):
    """So many minutes of each queue: who arrives now waits in ten minutes."""
    for queue in queues:
        rng = np.random.default_rng([seed, *queue.encode()])
        busy = np.exp(0.9 * np.sin(np.arange(start + count + 10) / 15) + 0.4 * rng.standard_normal(
            start + count + 10
        ))  # fmt: skip
        arriving = np.round(10 * busy, 1)
        waiting = np.round(arriving[:-10] * rng.uniform(0.9, 1.1, start + count), 1)
        for n in range(start, start + count):
            minute = Minute(queue, START_MINUTE + n, float(waiting[n]), float(arriving[n + 10]))
            yield Message(LIVE.source, queue, msgspec.json.encode(minute))
