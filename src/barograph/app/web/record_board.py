"""The board of a record case: the last predictions, their rate, latency and verdicts."""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable

from barograph import codec
from barograph.app.web.answers import REASONS, RecordScore, RecordsNow, RecordsStatus
from barograph.app.web.boards import (
    NO_MODEL,
    Alerts,
    LastLatencies,
    Letters,
    Places,
    alert_event,
    appended_ns,
    milliseconds,
    prediction_event,
)
from barograph.app.web.fanout import Event
from barograph.cases.case import Case, stream_of
from barograph.log.topics import ALERTS
from barograph.types import NS_PER_S, Record, RecordPrediction, Verdict

MAX_LAST = 10_000
"""Records whose predictions are kept, and whose arrival is remembered."""

BINS = 10


class RecordBoard:
    """A `Board` of a record case."""

    def __init__(self, case: Case) -> None:
        stream = stream_of(case)
        self.case, self.stream, self.name = case, stream, case.name
        self.source, self.target = stream.source, stream.target
        self.prompt: tuple[str, ...] = (
            stream.source,
            stream.target,
            stream.dead_letters,
            ALERTS,
        )
        self.letters_topic = stream.dead_letters
        self.slow: tuple[str, ...] = ()
        self.rows_topic = self.gap_topic = ""
        self.places = Places(stream.target, ALERTS)
        self.alerts = Alerts(case.name)
        self.model = NO_MODEL
        self.problems: list[str] = []
        self.remarks: list[str] = []
        self.newest_receipt_ns: int | None = None
        self.predictions = 0
        """Of all that were read."""
        self._latest: OrderedDict[str, RecordScore] = OrderedDict()
        self._times_ns: deque[int] = deque(maxlen=MAX_LAST)
        self._came_ns: OrderedDict[str, int] = OrderedDict()
        self._letters, self._latencies = Letters(), LastLatencies()

    def receive(self, records: Iterable[Record], *, quiet: bool = False) -> list[Event]:
        """See `Board.receive`."""
        events: list[Event] | None = None if quiet else []
        for record in records:
            self.places.passed(record)
            if record.topic == self.stream.target:
                self._predicted(record, events)
            elif record.topic == ALERTS:
                alert = self.alerts.take(record)
                if alert is not None and events is not None:
                    events.append(alert_event(alert, self.places.cursor))
            elif record.topic == self.stream.source:
                self._came(record)
            elif record.topic == self.stream.dead_letters:
                self._letters.take(record)
        return events or []

    def take_gaps(self, records: Iterable[Record]) -> None:
        """See `Board.take_gaps`: records stand each for itself."""

    def answer(self, record: Record) -> RecordScore | None:
        """See `Board.answer`."""
        try:
            prediction = codec.decode_record_prediction.of(record)
        except codec.UnreadableError:
            return None  # `barograph check` counts those
        return self._answer(prediction, record)

    def latest(self, key: str) -> RecordScore | None:
        """See `Board.latest`."""
        return self._latest.get(key)

    def keys(self) -> list[str]:
        """The keys of the last thousand predictions, the newest first."""
        return list(reversed(self._latest))[:1_000]

    def newest_verdicts(self) -> list[str]:
        """See `Board.newest_verdicts`."""
        return [self._latest[key].verdict for key in list(self._latest)[-1:]]

    def status(self, now_ns: int) -> RecordsStatus:
        """See `Board.status`."""
        last = self._latest.values()
        histogram = [0] * BINS
        for each in last:
            if each.probability is not None:
                histogram[min(BINS - 1, int(each.probability * BINS))] += 1
        lately = sum(now_ns - 60 * NS_PER_S <= time_ns <= now_ns for time_ns in self._times_ns)
        return RecordsStatus(
            case=self.name,
            time_ns=now_ns,
            problems=self.problems,
            remarks=self.remarks,
            records=RecordsNow(
                predictions=self.predictions,
                per_s=round(lately / 60, 3),
                latency_p50_ms=self._latencies.percentile(0.5),
                latency_p99_ms=self._latencies.percentile(0.99),
                verdicts=dict(Counter(each.verdict for each in last).most_common()),
                labelled=sum(each.label for each in last),
                histogram=histogram,
                dead_letters=dict(self._letters.counts.most_common()),
            ),
            model=self.model,
        )

    def _predicted(self, record: Record, events: list[Event] | None) -> None:
        try:
            prediction = codec.decode_record_prediction.of(record)
        except codec.UnreadableError:
            return
        answer = self._answer(prediction, record)
        self.predictions += 1
        self._latest.pop(answer.key, None)
        self._latest[answer.key] = answer
        if len(self._latest) > MAX_LAST:
            self._latest.popitem(last=False)
        self._times_ns.append(answer.time_ns)
        self._latencies.add(answer.time_ns, answer.latency_ms)
        if events is not None:
            events.append(prediction_event(answer, answer.key, self.places.cursor))

    def _answer(self, prediction: RecordPrediction, record: Record) -> RecordScore:
        scored_ns = appended_ns(record)
        came_ns = self._came_ns.get(record.key)
        return RecordScore(
            case=self.name,
            key=prediction.key,
            time_ns=scored_ns or 0,
            verdict=str(prediction.verdict),
            reason=REASONS[Verdict(prediction.verdict)],
            probability=prediction.probability,
            label=prediction.label,
            threshold=prediction.threshold,
            model=prediction.model,
            latency_ms=milliseconds(came_ns, scored_ns),
        )

    def _came(self, record: Record) -> None:
        came_ns = appended_ns(record)
        if came_ns is None:
            return
        self.newest_receipt_ns = came_ns
        self._came_ns.pop(record.key, None)
        self._came_ns[record.key] = came_ns
        if len(self._came_ns) > MAX_LAST:
            self._came_ns.popitem(last=False)
