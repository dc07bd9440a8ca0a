"""What is predicted, followed in the log: the newest of each product, alerts, latencies."""

from collections import deque
from collections.abc import Callable

import msgspec

from barograph import codec
from barograph.alert_records import PROBABILITY, AlertRecord, Change
from barograph.evaluation.alerts import RELEASE, Alert, AlertChange, AlertMachine
from barograph.log import Log, browse
from barograph.log.topics import ALERTS, FEATURES, PREDICTIONS
from barograph.pipeline.alert_list import decoded, latest
from barograph.pipeline.progress import Progress
from barograph.types import APPENDED_TIME, FeatureRow, Prediction, Record

HISTORY = 240
"""Of a product's last probabilities so many are kept."""

_ALERTS, _CHANGES = 8, 100
_EARLIER_ALERTS = 50
_EARLIER_ROWS = 6_000
"""Rows read back at the start, to know how long the present run of seconds is."""


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from the frame that closed a second to its prediction, committed."""

    count: int
    p50_ms: float | None
    p99_ms: float | None


class ProductLine(msgspec.Struct, kw_only=True):
    """What the view knows of one product."""

    prediction: Prediction
    latency_ms: float | None
    probabilities: deque[float | None]


class PredictionWatch:
    """Follows a log's predictions and feature rows from now on, or from the oldest one kept.

    `alerts` are the latest, by identity, as they stand; `judgements` counts those that are judged.
    `changes` are the latest of them, until they are taken from it; `health_changes` likewise those
    of alerts about health and other cases, of which `notices` are those that last, by id. release:
    that of the AlertMachine. alerts_of_log: read alerts, those of before among them, from the topic
    that workers beside it write, instead of making them here; the topic must exist. case: whose
    alerts there are of these predictions.
    """

    def __init__(
        self,
        log: Log,
        *,
        from_oldest: bool = False,
        release: float = RELEASE,
        alerts_of_log: bool = False,
        case: str = "",
    ) -> None:
        self._case = case
        self._tail = browse.Tail(log, PREDICTIONS, from_oldest=from_oldest)
        self._rows = browse.Tail(log, FEATURES, from_oldest=from_oldest)
        self.lines: dict[str, ProductLine] = {}
        self.progress: dict[str, Progress] = {}
        self.alerts: dict[tuple[str, int, str], Alert] = {}
        self.judgements: dict[str, int] = {}
        self.verdicts: dict[str, int] = {}
        self.models: dict[str, int] = {}
        self.alert_count = 0
        self.changes: deque[AlertChange] = deque(maxlen=_CHANGES)
        self.unreadable = 0
        self.notices: dict[str, AlertRecord] = {}
        self._machine = AlertMachine(release=release)
        self.health_changes: deque[AlertRecord] = deque(maxlen=_CHANGES)
        self._alerts = browse.Tail(log, ALERTS) if alerts_of_log else None
        if alerts_of_log:
            for alert in reversed(latest(log, _EARLIER_ALERTS)):
                self._stand(alert)
        self._latencies_ms: deque[float] = deque(maxlen=100_000)
        if not from_oldest:
            for record in browse.last(log, FEATURES, _EARLIER_ROWS):
                self._take_row(record)

    def look(self, stopped: Callable[[], bool] = lambda: False) -> int:
        """Take in what was written since the last look; return the number of predictions.

        stopped: asked after each record; once it is true the rest is left for the next look.
        """
        for record in self._rows.take():
            self._take_row(record)
            if stopped():
                return 0
        if self._alerts is not None:
            for alert in decoded(self._alerts.take()):
                if self._is_own(alert):
                    self._keep([(alert.change, _alert_of(alert))])
                else:
                    self._stand(alert)
                    self.health_changes.append(alert)
                if stopped():
                    return 0
        taken = 0
        for record in self._tail.take():
            self._read(record)
            taken += 1
            if stopped():
                break
        return taken

    def latencies(self) -> Latencies:
        """Return the latencies of all predictions taken in, in milliseconds."""
        ordered = sorted(self._latencies_ms)
        if not ordered:
            return Latencies(count=0, p50_ms=None, p99_ms=None)
        return Latencies(
            count=len(ordered),
            p50_ms=ordered[len(ordered) // 2],
            p99_ms=ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))],
        )

    def silent(self, now_ns: int, after_s: float) -> None:
        """End the alerts of products without a prediction for `after_s` seconds, as unknown.

        Those of the log are left to whoever writes them.
        """
        if self._alerts is None:
            self._keep(self._machine.expire(now_ns, after_s))

    def _stand(self, record: AlertRecord) -> None:
        """Keep how an alert of the log stands."""
        if self._is_own(record):
            self._keep_latest(_alert_of(record))
        elif record.change is not Change.ENDED and record.ended_ns is None:
            self.notices[record.id] = record
        else:
            self.notices.pop(record.id, None)

    def _is_own(self, alert: AlertRecord) -> bool:
        """Whether it is of the predictions that are watched; others are shown by their text."""
        return alert.rule == PROBABILITY and alert.case == self._case

    def _take_row(self, record: Record) -> None:
        try:
            row: FeatureRow = codec.decode_row.of(record)
        except codec.UnreadableError:
            return  # the scorer writes a dead letter for it
        self.progress.setdefault(row.product, Progress()).take(row)

    def _read(self, record: Record) -> None:
        try:
            prediction = codec.decode_prediction.of(record)
        except codec.UnreadableError:
            self.unreadable += 1
        else:
            self._take(prediction, record.headers)

    def _take(self, prediction: Prediction, headers: dict[str, str]) -> None:
        latency_ms = None
        written_ns = codec.natural(headers.get(APPENDED_TIME))
        if prediction.receive_time_ns is not None and written_ns is not None:
            latency_ms = (written_ns - prediction.receive_time_ns) / 1e6
            self._latencies_ms.append(latency_ms)
        known = self.lines.get(prediction.product)
        past = known.probabilities if known else deque[float | None](maxlen=HISTORY)
        past.append(prediction.probability)
        self.lines[prediction.product] = ProductLine(
            prediction=prediction, latency_ms=latency_ms, probabilities=past
        )
        self.verdicts[prediction.verdict] = self.verdicts.get(prediction.verdict, 0) + 1
        self.models[prediction.model] = self.models.get(prediction.model, 0) + 1
        if self._alerts is None:
            self._keep(self._machine.take(prediction))

    def _keep(self, changes: list[AlertChange]) -> None:
        self.changes += changes
        for change, alert in changes:
            self._count(change, str(alert.judgement))
            self._keep_latest(alert)

    def _count(self, change: Change, judgement: str) -> None:
        if change is Change.BEGAN:
            self.alert_count += 1
        elif change is Change.JUDGED:
            self.judgements[judgement] = self.judgements.get(judgement, 0) + 1

    def _keep_latest(self, alert: Alert) -> None:
        self.alerts[alert.product, alert.started_ns, alert.model] = alert
        while len(self.alerts) > _ALERTS:
            del self.alerts[min(self.alerts, key=lambda identity: identity[1])]


def _alert_of(record: AlertRecord) -> Alert:
    """An alert of the topic `alerts` as the machine knows it."""
    probability = record.probability or 0.0
    return Alert(
        product=record.subject,
        model=record.model,
        started_ns=record.started_ns,
        probability=probability,
        peak=probability if record.peak is None else record.peak,
        alarms=record.alarms,
        threshold=record.threshold,
        tau=record.tau,
        horizon_s=record.horizon_s or 0,
        mid=record.mid,
        ended_ns=record.ended_ns,
        ending=record.ending,
        why=record.why,
        judgement=record.judgement,
        right=record.right,
        wrong=record.wrong,
    )
