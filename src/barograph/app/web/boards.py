"""What a case's board is, and what both kinds share.

A board is a machine: records of the log in, events of the stream out, and what was seen last in
memory. It does no I/O; `tail.py` feeds it.
"""

import math
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

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
from barograph.log.topics import ALERTS
from barograph.types import APPENDED_TIME, NS_PER_S, Record

MAX_KEYS = 4_096
"""Keys that a board knows at most; of others there is only what the log holds."""

MAX_ALERTS = 1_000
"""Alerts of a case that are kept; older ones are in the log."""

NEWEST_ALERTS = 10_000
"""Records of alerts, of all cases, that a start reads at most: an alert has about three."""

NEWEST_LETTERS = 1_000
"""Dead letters that a start reads at once."""

MOST_RECORDS = 400_000
"""Records of a topic that a board gets of what the log has at a start, at most."""

NO_MODEL = ModelNow(
    label=None, since_ns=None, expires_ns=None, candidate=None, live=None, promised=None
)

encode = msgspec.json.Encoder().encode


class Fill(NamedTuple):
    """What a board gets of a topic when a server starts.

    newest: so many records, of all partitions together, before anybody sees the board. most: so
    many in all a little later. span_s: of `newest` only those of the last so many seconds, by what
    `second_of` reads from a record; it may raise UnreadableError.
    """

    newest: int
    most: int = 0
    span_s: int | None = None
    second_of: Callable[[Record], int] | None = None


Taker = Callable[[Record, "list[Event] | None"], None]
"""Takes a record; appends the events that it makes, where a list is given for them."""


class Board(ABC):
    """The state of one case; not thread-safe.

    name: of the case. source, target: the topics of what it predicts from and of its predictions.
    fills: what it reads, and how much of that at a start; ALERTS and `letters_topic`, that of its
    dead letters, belong to every board. awaited: topics of events that readers wait for, beside
    ALERTS: these are read as soon as they grow, all others a few times a second. followed: what its
    stream is made of, beside ALERTS.
    """

    def __init__(  # noqa: PLR0913 - its topics
        self,
        name: str,
        *,
        source: str,
        target: str,
        letters_topic: str,
        fills: Mapping[str, Fill],
        awaited: Collection[str],
        followed: Sequence[str],
    ) -> None:
        self.name, self.source, self.target = name, source, target
        self.letters_topic = letters_topic
        self.fills = {
            **fills,
            letters_topic: Fill(NEWEST_LETTERS, MOST_RECORDS),
            ALERTS: Fill(NEWEST_ALERTS),
        }
        self.awaited = frozenset((*awaited, ALERTS))
        self.places = Places(*followed, ALERTS)
        self.alerts = Alerts(name)
        self.model = NO_MODEL
        self.problems: list[str] = []
        self.remarks: list[str] = []
        self.newest_receipt_ns: int | None = None
        """When the log took the newest record of `source`, in Unix nanoseconds."""
        self._letters, self._latencies = Letters(), LastLatencies()
        self._takers: dict[str, Taker] = {letters_topic: self._refused, ALERTS: self._alerted}

    @property
    def gap_topic(self) -> str:
        """The topic among whose records gaps are; empty for none."""
        return ""

    def receive(self, records: Iterable[Record], *, quiet: bool = False) -> list[Event]:
        """Take records of its topics, in the order of the log; returns the events they make.

        quiet: make none, as for records that are older than every reader.
        """
        events: list[Event] | None = None if quiet else []
        for record in records:
            self.places.passed(record)
            taker = self._takers.get(record.topic)
            if taker is not None:
                taker(record, events)
        return events or []

    def take_older(self, records: Sequence[Record]) -> None:
        """Take records of one topic that its partition has before those that were taken.

        In the order of the log, page after page backwards. No event comes of them. Gap records may
        be among those that were taken.
        """
        for record in records:
            if record.topic == self.letters_topic:
                self._letters.take(record)

    @abstractmethod
    def answer(self, record: Record) -> SeriesPrediction | RecordScore | None:
        """What a record of `target` says; None where it cannot be read."""

    @abstractmethod
    def latest(self, key: str) -> SeriesPrediction | RecordScore | None:
        """The newest prediction of a key, or None."""

    @abstractmethod
    def keys(self) -> list[str]:
        """Keys with a prediction."""

    @abstractmethod
    def newest_verdicts(self) -> list[str]:
        """The verdicts of the newest predictions: of each key of a series, of the last record."""

    @abstractmethod
    def status(self, now_ns: int) -> SeriesStatus | RecordsStatus:
        """How the case is now."""

    def _refused(self, record: Record, _events: list[Event] | None) -> None:
        self._letters.take(record)

    def _alerted(self, record: Record, events: list[Event] | None) -> None:
        alert = self.alerts.take(record)
        if alert is not None and events is not None:
            events.append(alert_event(alert, self.places.cursor))


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
