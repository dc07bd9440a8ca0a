"""The board of a series case: rows in memory, the newest prediction of each key, the feed."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from barograph import codec
from barograph.app.web.answers import (
    REASONS,
    FeedNow,
    MaturedOutcome,
    Now,
    SeriesPrediction,
    SeriesStatus,
    Waiting,
)
from barograph.app.web.boards import (
    MAX_KEYS,
    NO_MODEL,
    Alerts,
    LastLatencies,
    Letters,
    Places,
    alert_event,
    appended_ns,
    encode,
    milliseconds,
    prediction_event,
)
from barograph.app.web.fanout import Event
from barograph.app.web.series_rows import MAX_GAPS, MAX_ROWS, GapSpan, SeriesRows, window_of
from barograph.arrays import Records
from barograph.cases.case import Case, live_of
from barograph.log.topics import ALERTS, STATUS, TICKS
from barograph.pipeline.progress import Progress
from barograph.pipeline.recorded_gaps import gap_of
from barograph.types import NS_PER_S, FeedStatus, Prediction, Record

_MAX_MODELS = 10_000


class PlacedGap(NamedTuple):
    """A recorded gap with its place in the log."""

    key: str
    span: GapSpan
    partition: int
    offset: int


class SeriesBoard:
    """A `Board` of a series case; `rows` are its keys' last hours."""

    def __init__(self, case: Case) -> None:
        live = live_of(case)
        self.case, self.live, self.name = case, live, case.name
        self.source, self.target = live.source, live.predictions
        self.is_market = live.source == TICKS
        self.prompt: tuple[str, ...] = (live.predictions, live.dead_letters, ALERTS)
        self.letters_topic = live.dead_letters
        if self.is_market:  # whose features tell how long a warm-up takes
            self.prompt += (live.rows, STATUS)
        self.slow: tuple[str, ...] = (live.source,)
        self.rows_topic = live.rows if self.is_market else ""
        self.gap_topic = live.source if self.is_market else ""
        self.places = Places(live.predictions, live.source, ALERTS)
        self.rows: dict[str, SeriesRows] = {}
        self.gaps: deque[PlacedGap] = deque(maxlen=MAX_GAPS)
        self.alerts = Alerts(case.name)
        self.model = NO_MODEL
        self.problems: list[str] = []
        self.remarks: list[str] = []
        self.warmup_s: dict[str, int] = {}
        """The longest window of the champion's features, by its label."""
        self.models: dict[str, int] = {}
        """The number of each model's label in the rows."""
        self.newest_receipt_ns: int | None = None
        self.heard_ns: dict[str, int] = {}
        self._newest: dict[str, tuple[Prediction, float | None]] = {}
        self._progress: dict[str, Progress] = {}
        self._statuses: dict[str, FeedStatus] = {}
        self._letters, self._latencies = Letters(), LastLatencies()

    def new_rows(self) -> SeriesRows:
        """The rows of a key, without any yet."""
        level = self.case.level is not None
        return SeriesRows(level=level, window_s=window_of(self.live.step_s))

    def receive(self, records: Iterable[Record], *, quiet: bool = False) -> list[Event]:
        """See `Board.receive`."""
        events: list[Event] | None = None if quiet else []
        for record in records:
            self.places.passed(record)
            if record.topic == self.live.predictions:
                self._predicted(record, events)
            elif record.topic == self.live.source:
                self._heard(record, events)
            elif record.topic == self.live.dead_letters:
                self._letters.take(record)
            elif record.topic == ALERTS:
                alert = self.alerts.take(record)
                if alert is not None and events is not None:
                    events.append(alert_event(alert, self.places.cursor))
            elif record.topic == STATUS:
                self._take_status(record)
            elif record.topic == self.live.rows:
                self._take_row(record)
        return events or []

    def take_gaps(self, records: Iterable[Record]) -> None:
        """See `Board.take_gaps`."""
        known = {(gap.partition, gap.offset) for gap in self.gaps}
        older = [
            placed
            for record in records
            if (record.partition, record.offset) not in known
            and (placed := self._placed(record)) is not None
        ]
        for placed in older:
            gaps = self.rows[placed.key].gaps
            if len(gaps) < MAX_GAPS:
                gaps.appendleft(placed.span)
        room = MAX_GAPS - len(self.gaps)
        self.gaps.extendleft(reversed(older[max(0, len(older) - room) :]))

    def answer(self, record: Record) -> SeriesPrediction | None:
        """See `Board.answer`."""
        try:
            prediction = codec.decode_prediction.of(record)
        except codec.UnreadableError:
            return None  # `barograph check` counts those
        latency_ms = milliseconds(prediction.receive_time_ns, appended_ns(record))
        return self._answer(prediction, latency_ms)

    def latest(self, key: str) -> SeriesPrediction | None:
        """See `Board.latest`."""
        newest = self._newest.get(key)
        return None if newest is None else self._answer(*newest)

    def keys(self) -> list[str]:
        """See `Board.keys`."""
        return sorted(self._newest)

    def newest_verdicts(self) -> list[str]:
        """See `Board.newest_verdicts`."""
        return [str(prediction.verdict) for prediction, _ in self._newest.values()]

    def status(self, now_ns: int) -> SeriesStatus:
        """See `Board.status`."""
        return SeriesStatus(
            case=self.name,
            time_ns=now_ns,
            problems=self.problems,
            remarks=self.remarks,
            now={key: self._now(*self._newest[key]) for key in self.keys()},
            feed=self._feed(now_ns),
            model=self.model,
        )

    def gap_event(self, gap: PlacedGap, cursor: str) -> Event:
        """The event of a recorded gap."""
        return Event("gap", cursor, encode({"product": gap.key, **gap.span._asdict()}), gap.key)

    def _predicted(self, record: Record, events: list[Event] | None) -> None:
        try:
            prediction = codec.decode_prediction.of(record)
        except codec.UnreadableError:
            return
        key = prediction.product
        rows = self.rows.get(key)
        if rows is None:
            if len(self.rows) >= MAX_KEYS:
                return
            rows = self.rows[key] = self.new_rows()
        if len(self.models) < _MAX_MODELS:
            self.models.setdefault(prediction.model, len(self.models))
        kept = window_of(self.live.step_s) // self.live.step_s
        limit = min(kept, MAX_ROWS // len(self.rows))
        rows.add(prediction, self.models.get(prediction.model, 0), limit)
        latency_ms = milliseconds(prediction.receive_time_ns, appended_ns(record))
        self._latencies.add(prediction.event_time_ns, latency_ms)
        newest = self._newest.get(key)
        if newest is None or newest[0].second <= prediction.second:
            self._newest[key] = prediction, latency_ms
        if events is not None:
            answer = self._answer(prediction, latency_ms)
            events.append(prediction_event(answer, answer.product, self.places.cursor))

    def _answer(self, prediction: Prediction, latency_ms: float | None) -> SeriesPrediction:
        value, tau = prediction.value_now, prediction.tau
        return SeriesPrediction(
            case=self.name,
            product=prediction.product,
            time_ns=prediction.event_time_ns,
            receive_time_ns=prediction.receive_time_ns,
            verdict=str(prediction.verdict),
            reason=REASONS[prediction.verdict],
            probability=prediction.probability,
            alarm=prediction.alarm,
            threshold=prediction.threshold,
            tau=tau,
            share_of_tau=None if value is None or not tau else value / tau,
            horizon_s=prediction.horizon_s,
            value_now=value,
            mid=prediction.mid,
            model=prediction.model,
            latency_ms=latency_ms,
            matured=self._matured(prediction),
            median=prediction.median,
            forecast=prediction.forecast,
            low=prediction.low,
            high=prediction.high,
        )

    def _matured(self, prediction: Prediction) -> MaturedOutcome | None:
        """What this prediction's value says of the one a horizon before it."""
        rows = self.rows.get(prediction.product)
        if rows is None or prediction.value_now is None:
            return None
        second = prediction.second - self.live.horizon_s
        row = rows.at(second)
        if row is None or row["horizon_s"] != self.live.horizon_s:
            return None
        tau, probability = float(row["tau"]), float(row["probability"])
        if np.isnan(tau + probability):
            return None
        return MaturedOutcome(
            time_ns=(second + 1) * NS_PER_S,
            probability=probability,
            alarm=bool(row["alarm"]),
            outcome=prediction.value_now >= tau,
            inside=self._inside(row, prediction.value_now),
        )

    def _inside(self, row: Records, value: float) -> bool | None:
        """Whether a value lies in the interval of a row; None where it has none."""
        if self.case.level is None or np.isnan(row["low"]):
            return None
        return bool(row["low"] <= value <= row["high"])

    def _heard(self, record: Record, events: list[Event] | None) -> None:
        heard_ns = appended_ns(record)
        if heard_ns is not None:
            self.newest_receipt_ns = heard_ns
            if len(self.heard_ns) < MAX_KEYS or record.key in self.heard_ns:
                self.heard_ns[record.key] = heard_ns
        placed = self._placed(record)
        if placed is None:
            return
        self.rows[placed.key].gaps.append(placed.span)
        self.gaps.append(placed)
        if events is not None:
            events.append(self.gap_event(placed, self.places.cursor))

    def _placed(self, record: Record) -> PlacedGap | None:
        """The gap that a record is, of a key that has rows from then on; else None."""
        gap = gap_of(record) if self.is_market else None
        if gap is None or (gap.product not in self.rows and len(self.rows) >= MAX_KEYS):
            return None
        self.rows.setdefault(gap.product, self.new_rows())
        span = GapSpan(gap.start_ns, gap.end_ns, str(gap.cause), gap.missing)
        return PlacedGap(gap.product, span, record.partition, record.offset)

    def _take_status(self, record: Record) -> None:
        try:
            status = codec.decode_status.of(record)
        except codec.UnreadableError:
            return
        self._statuses.pop(status.connection, None)
        self._statuses[status.connection] = status
        while len(self._statuses) > 8:
            del self._statuses[next(iter(self._statuses))]

    def _take_row(self, record: Record) -> None:
        try:
            row = codec.decode_row.of(record)
        except codec.UnreadableError:
            return
        if row.product in self._progress or len(self._progress) < MAX_KEYS:
            self._progress.setdefault(row.product, Progress()).take(row)

    def _now(self, prediction: Prediction, latency_ms: float | None) -> Now:
        newest = self._answer(prediction, latency_ms)
        return Now(
            time_ns=newest.time_ns,
            probability=newest.probability,
            verdict=newest.verdict,
            reason=newest.reason,
            tau=newest.tau,
            threshold=newest.threshold,
            share_of_tau=newest.share_of_tau,
            alarm=newest.alarm,
            mid=newest.mid,
            median=newest.median,
            low=newest.low,
            high=newest.high,
            wait=self._wait(prediction),
        )

    def _wait(self, newest: Prediction) -> Waiting | None:
        progress = self._progress.get(newest.product)
        if progress is None:
            return None
        wait = progress.wait(newest, self.warmup_s.get(newest.model))
        return None if wait is None else Waiting(wait.left_s, wait.have, wait.need)

    def _feed(self, now_ns: int) -> FeedNow:
        newest = max(self._statuses.values(), key=lambda each: each.time_ns, default=None)
        ticks_per_s = offset_ms = None
        if newest is not None and now_ns - newest.time_ns < 60 * NS_PER_S:
            seconds = min(60.0, max(1.0, (newest.time_ns - newest.since_ns) / NS_PER_S))
            ticks_per_s, offset_ms = round(newest.passed / seconds, 3), newest.offset_median_ms
        return FeedNow(
            ticks_per_s=ticks_per_s,
            latency_p50_ms=self._latencies.percentile(0.5),
            latency_p99_ms=self._latencies.percentile(0.99),
            clock_offset_ms=offset_ms,
            reconnects=0 if newest is None else newest.reconnects,
            dead_letters=dict(self._letters.counts.most_common()),
        )
