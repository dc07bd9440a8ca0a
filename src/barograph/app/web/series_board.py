"""The board of a series case: rows in memory, the newest prediction of each key, the feed."""

from collections import deque
from collections.abc import Sequence
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
    MOST_RECORDS,
    Board,
    Fill,
    appended_ns,
    encode,
    milliseconds,
    prediction_event,
)
from barograph.app.web.fanout import Event
from barograph.app.web.series_rows import MAX_GAPS, MAX_ROWS, GapSpan, SeriesRows, window_of
from barograph.arrays import Records
from barograph.cases.case import Case, live_of
from barograph.log.topics import STATUS, TICKS
from barograph.pipeline.progress import Progress
from barograph.pipeline.recorded_gaps import gap_of
from barograph.types import NS_PER_S, FeedStatus, Prediction, Record

SHOWN_STEPS = 3_900
"""Steps of a key that a start reads before the page is shown: an hour, and what matures in it."""

NEWEST_ROWS = 100_000
"""Rows and predictions that a start reads at once, at most: an hour of some twenty products."""

PROGRESS_S = 3_600
"""Rows that are read to tell how long a warm-up takes; every window and the baseline need less."""

NEWEST_HEARD = 20_000
"""Records of a source that a start reads at once; older gaps come a little later."""

NEWEST_STATUSES = 1_000
"""Statuses that a start reads: of several connections the newest is among them."""

_MAX_MODELS = 10_000


class PlacedGap(NamedTuple):
    """A recorded gap with its place in the log."""

    key: str
    span: GapSpan
    partition: int
    offset: int


class SeriesBoard(Board):
    """The `Board` of a series case; `rows` are its keys' last hours."""

    def __init__(self, case: Case) -> None:
        live = live_of(case)
        self.case, self.live = case, live
        self.is_market = live.source == TICKS
        self.makes_market_rows = self.is_market and live.machine is not None
        self._window_s = window_of(live.step_s)
        shown_s = min(self._window_s, SHOWN_STEPS * live.step_s)
        fills = {
            live.predictions: Fill(NEWEST_ROWS, MOST_RECORDS, shown_s, _second_predicted),
            live.source: Fill(NEWEST_HEARD),
        }
        if self.is_market:
            fills[STATUS] = Fill(NEWEST_STATUSES)
        if self.makes_market_rows:  # whose features tell how long a warm-up takes
            fills[live.rows] = Fill(NEWEST_ROWS, 0, PROGRESS_S, _second_of_row)
        super().__init__(
            case.name,
            source=live.source,
            target=live.predictions,
            letters_topic=live.dead_letters,
            fills=fills,
            awaited=(live.predictions,),
            followed=(live.predictions, live.source),
        )
        self._takers |= {
            live.predictions: self._predicted,
            live.source: self._heard,
            live.rows: self._take_row,
            STATUS: self._take_status,
        }
        self.rows: dict[str, SeriesRows] = {}
        self.gaps: deque[PlacedGap] = deque(maxlen=MAX_GAPS)
        self.warmup_s: dict[str, int] = {}
        """The longest window of the champion's features, by its label."""
        self.models: dict[str, int] = {}
        """The number of each model's label in the rows."""
        self.heard_ns: dict[str, int] = {}
        self._newest: dict[str, tuple[Prediction, float | None]] = {}
        self._progress: dict[str, Progress] = {}
        self._statuses: dict[str, FeedStatus] = {}

    @property
    def gap_topic(self) -> str:
        """See `Board.gap_topic`."""
        return self.live.source if self.is_market else ""

    def new_rows(self) -> SeriesRows:
        """The rows of a key, without any yet."""
        return SeriesRows(level=self.case.level is not None, window_s=self._window_s)

    def take_older(self, records: Sequence[Record]) -> None:
        """See `Board.take_older`."""
        super().take_older(records)
        self._take_predictions([each for each in records if each.topic == self.target])
        self._take_gaps([each for each in records if each.topic == self.gap_topic])

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
        rows = self._rows_of(key)
        if rows is None:
            return
        rows.add(prediction, self._number(prediction.model), self._limit())
        latency_ms = milliseconds(prediction.receive_time_ns, appended_ns(record))
        self._latencies.add(prediction.event_time_ns, latency_ms)
        newest = self._newest.get(key)
        if newest is None or newest[0].second <= prediction.second:
            self._newest[key] = prediction, latency_ms
        if events is not None:
            answer = self._answer(prediction, latency_ms)
            events.append(prediction_event(answer, answer.product, self.places.cursor))

    def _take_predictions(self, records: Sequence[Record]) -> None:
        """Take older predictions; the newest one of a key may be among them."""
        older: dict[str, list[tuple[Prediction, int]]] = {}
        for record in reversed(records):
            try:
                prediction = codec.decode_prediction.of(record)
            except codec.UnreadableError:
                continue
            key = prediction.product
            if self._rows_of(key) is None:
                continue
            older.setdefault(key, []).append((prediction, self._number(prediction.model)))
            newest = self._newest.get(key)
            if newest is None or newest[0].second < prediction.second:
                latency_ms = milliseconds(prediction.receive_time_ns, appended_ns(record))
                self._newest[key] = prediction, latency_ms
        for key, predictions in older.items():
            self.rows[key].add_older(predictions[::-1], self._limit())

    def _take_gaps(self, records: Sequence[Record]) -> None:
        known = {(gap.partition, gap.offset) for gap in self.gaps} if records else set()
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

    def _rows_of(self, key: str) -> SeriesRows | None:
        """The rows of a key; None for one more than MAX_KEYS."""
        rows = self.rows.get(key)
        if rows is None and len(self.rows) < MAX_KEYS:
            rows = self.rows[key] = self.new_rows()
        return rows

    def _limit(self) -> int:
        """The rows that are kept of a key."""
        return min(self._window_s // self.live.step_s, MAX_ROWS // len(self.rows))

    def _number(self, model: str) -> int:
        """The number of a model's label; 0 for one too many."""
        if len(self.models) < _MAX_MODELS:
            return self.models.setdefault(model, len(self.models))
        return self.models.get(model, 0)

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
        if gap is None or self._rows_of(gap.product) is None:
            return None
        span = GapSpan(gap.start_ns, gap.end_ns, str(gap.cause), gap.missing)
        return PlacedGap(gap.product, span, record.partition, record.offset)

    def _take_status(self, record: Record, _events: list[Event] | None) -> None:
        try:
            status = codec.decode_status.of(record)
        except codec.UnreadableError:
            return
        self._statuses.pop(status.connection, None)
        self._statuses[status.connection] = status
        while len(self._statuses) > 8:
            del self._statuses[next(iter(self._statuses))]

    def _take_row(self, record: Record, _events: list[Event] | None) -> None:
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


def _second_predicted(record: Record) -> int:
    return codec.decode_prediction.of(record).second


def _second_of_row(record: Record) -> int:
    return codec.decode_row.of(record).second
