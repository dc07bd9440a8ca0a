"""What a case's board is, and what both kinds share.

A board is a machine: records of the log in, events of the stream out, and what was seen last in
memory. It does no I/O; `tail.py` feeds it.
"""

import math
from collections import Counter, deque
from collections.abc import Iterable
from typing import Protocol

import msgspec

from barograph import codec
from barograph.alert_records import AlertRecord
from barograph.app.web.answers import (
    ModelNow,
    RecordScore,
    RecordsStatus,
    SeriesPrediction,
    SeriesStatus,
)
from barograph.app.web.cursor import Positions, encoded
from barograph.app.web.fanout import Event
from barograph.types import APPENDED_TIME, NS_PER_S, Record

MAX_KEYS = 4_096
"""Keys that a board knows at most; of others there is only what the log holds."""

MAX_ALERTS = 1_000
"""Alerts of a case that are kept; older ones are in the log."""

NO_MODEL = ModelNow(
    label=None, since_ns=None, expires_ns=None, candidate=None, live=None, promised=None
)

encode = msgspec.json.Encoder().encode


class Board(Protocol):
    """The state of one case."""

    name: str
    source: str
    """The topic of what it predicts from."""
    target: str
    """The topic of its predictions."""
    prompt: tuple[str, ...]
    """Topics that are read as soon as they grow."""
    slow: tuple[str, ...]
    """Topics with many records, of which few count."""
    rows_topic: str
    """The topic of feature rows, of which the newest count; empty where it reads none."""
    gap_topic: str
    """The topic among whose records gaps are; empty for none."""
    places: "Places"
    model: ModelNow
    alerts: "Alerts"
    letters_topic: str
    problems: list[str]
    remarks: list[str]
    newest_receipt_ns: int | None
    """When the log took the newest record of `source`, in Unix nanoseconds."""

    def receive(self, records: Iterable[Record], *, quiet: bool = False) -> list[Event]:
        """Take records of its topics, in the order of the log; returns the events they make.

        quiet: make none, as for records that are older than every reader.
        """

    def take_gaps(self, records: Iterable[Record]) -> None:
        """Take gap records that are older than those of `receive`, some of which it may know."""

    def answer(self, record: Record) -> SeriesPrediction | RecordScore | None:
        """What a record of `target` says; None where it cannot be read."""

    def latest(self, key: str) -> SeriesPrediction | RecordScore | None:
        """The newest prediction of a key, or None."""

    def keys(self) -> list[str]:
        """The keys with a prediction, sorted."""

    def newest_verdicts(self) -> list[str]:
        """The verdicts of the newest predictions: of each key of a series, of the last record."""

    def status(self, now_ns: int) -> SeriesStatus | RecordsStatus:
        """How the case is now."""


class Places:
    """The next offset of each partition of what a stream is made of, and the cursor they are."""

    def __init__(self, *topics: str) -> None:
        self.positions: Positions = {topic: [] for topic in topics}

    def know(self, topic: str, offsets: list[int]) -> None:
        """Set where the partitions of a topic are read from, if the stream has it."""
        if topic in self.positions:
            self.positions[topic] = offsets

    def passed(self, record: Record) -> None:
        """A record was read."""
        offsets = self.positions.get(record.topic)
        if offsets is not None and record.partition < len(offsets):
            offsets[record.partition] = record.offset + 1

    @property
    def cursor(self) -> str:
        """The cursor behind all that was read."""
        return encoded(self.positions)


class Letters:
    """Counts of dead letters by reason, of those read."""

    def __init__(self) -> None:
        self.counts = Counter[str]()

    def take(self, record: Record) -> None:
        """Count one; what cannot be read counts as `unreadable`."""
        try:
            fault = str(codec.decode_dead_letter(record.value).fault)
        except codec.UnreadableError:
            fault = "unreadable"
        self.counts[fault] += 1


class Alerts:
    """The alerts of a case, and those of no case, each as it stands now.

    `newest` is by id, `placed` the records of the last changes with their places.
    """

    def __init__(self, case: str) -> None:
        self._case = case
        self.newest: dict[str, AlertRecord] = {}
        self.placed: deque[tuple[AlertRecord, int, int]] = deque(maxlen=MAX_ALERTS)

    def take(self, record: Record) -> AlertRecord | None:
        """Take a record of the topic; returns the alert if it concerns this case."""
        try:
            alert = codec.decode_alert.of(record)
        except codec.UnreadableError:
            return None
        if alert.case not in {"", self._case}:
            return None
        self.newest.pop(alert.id, None)
        self.newest[alert.id] = alert
        if len(self.newest) > MAX_ALERTS:
            del self.newest[next(iter(self.newest))]
        self.placed.append((alert, record.partition, record.offset))
        return alert

    def since(self, offsets: list[int], ends: list[int]) -> list[AlertRecord]:
        """The changes that lie from some offsets on, before others."""
        return [
            alert
            for alert, partition, offset in self.placed
            if partition < len(offsets) and offsets[partition] <= offset < ends[partition]
        ]


def prediction_event(answer: SeriesPrediction | RecordScore, key: str, cursor: str) -> Event:
    """The event of a prediction of `key`."""
    return Event("prediction", cursor, encode(answer), key)


def alert_event(alert: AlertRecord, cursor: str) -> Event:
    """The event of an alert's change. It concerns all readers, whatever their products."""
    return Event("alert", cursor, encode(alert))


class LastLatencies:
    """The latencies of the last minute, in milliseconds, of at most ten thousand predictions.

    The minute ends with the newest time that was added, so a history that is worked off before a
    live feed counts no longer than that.
    """

    def __init__(self) -> None:
        self._last: deque[tuple[int, float]] = deque(maxlen=10_000)
        self._newest_ns = 0

    def add(self, time_ns: int, latency_ms: float | None) -> None:
        """Take one, of what happened at `time_ns`; None is not known."""
        if latency_ms is None:
            return
        self._newest_ns = max(self._newest_ns, time_ns)
        since_ns = self._newest_ns - 60 * NS_PER_S
        if time_ns > since_ns:
            self._last.append((time_ns, latency_ms))
        while self._last and self._last[0][0] <= since_ns:
            self._last.popleft()

    def percentile(self, share: float) -> float | None:
        """The value below which a share of them lies; None without any."""
        since_ns = self._newest_ns - 60 * NS_PER_S
        ordered = sorted(latency for time_ns, latency in self._last if time_ns > since_ns)
        if not ordered:
            return None
        return round(ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)], 3)


def appended_ns(record: Record) -> int | None:
    """When the log took a record, in Unix nanoseconds."""
    return codec.natural(record.headers.get(APPENDED_TIME))


def milliseconds(start_ns: int | None, end_ns: int | None) -> float | None:
    """From one time to another in milliseconds; None where one is not known."""
    return None if start_ns is None or end_ns is None else (end_ns - start_ns) / 1e6


def in_order(records: Iterable[Record]) -> list[Record]:
    """Records of several partitions in the order in which the log took them."""
    return sorted(records, key=lambda record: appended_ns(record) or 0)
