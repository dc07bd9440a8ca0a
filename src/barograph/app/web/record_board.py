"""The board of a record case: the last predictions, their rate, latency and verdicts."""

from collections import Counter, OrderedDict, deque
from collections.abc import Sequence

from barograph import codec
from barograph.app.web.answers import REASONS, RecordScore, RecordsNow, RecordsStatus
from barograph.app.web.boards import (
    MOST_RECORDS,
    Board,
    Fill,
    appended_ns,
    milliseconds,
    prediction_event,
)
from barograph.app.web.fanout import Event
from barograph.cases.case import Case, stream_of
from barograph.types import NS_PER_S, Record, RecordPrediction, Verdict

MAX_LAST = 10_000
"""Records whose predictions are kept, and whose arrival is remembered."""

NEWEST_RECORDS = 2 * MAX_LAST
"""Records and predictions that a start reads at once."""

BINS = 10


class RecordBoard(Board):
    """The `Board` of a record case."""

    def __init__(self, case: Case) -> None:
        stream = stream_of(case)
        self.case, self.stream = case, stream
        super().__init__(
            case.name,
            source=stream.source,
            target=stream.target,
            letters_topic=stream.dead_letters,
            fills={
                stream.source: Fill(NEWEST_RECORDS),
                stream.target: Fill(NEWEST_RECORDS, MOST_RECORDS),
            },
            awaited=(stream.source, stream.target),
            followed=(stream.target,),
        )
        self._takers |= {stream.target: self._predicted, stream.source: self._came}
        self.predictions = 0
        """Of all that were read."""
        self._latest: OrderedDict[str, RecordScore] = OrderedDict()
        self._times_ns: deque[int] = deque(maxlen=MAX_LAST)
        self._came_ns: OrderedDict[str, int] = OrderedDict()

    def take_older(self, records: Sequence[Record]) -> None:
        """See `Board.take_older`."""
        super().take_older(records)
        for record in reversed(records):
            if record.topic == self.target and (answer := self.answer(record)) is not None:
                self.predictions += 1
                if answer.key not in self._latest and len(self._latest) < MAX_LAST:
                    self._latest[answer.key] = answer
                    self._latest.move_to_end(answer.key, last=False)

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

    def _came(self, record: Record, _events: list[Event] | None) -> None:
        came_ns = appended_ns(record)
        if came_ns is None:
            return
        self.newest_receipt_ns = came_ns
        self._came_ns.pop(record.key, None)
        self._came_ns[record.key] = came_ns
        if len(self._came_ns) > MAX_LAST:
            self._came_ns.popitem(last=False)
