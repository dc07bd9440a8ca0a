"""What is predicted, followed in the log: the newest of each product, alerts, latencies."""

from collections import deque

import msgspec

from barograph import codec
from barograph.log import Log, browse
from barograph.log.topics import PREDICTIONS
from barograph.types import APPENDED_TIME, Prediction, Record

SEEN = 16
"""Of a product's last probabilities so many are kept."""


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
    """Follows a log's predictions from now on, or from the oldest one kept."""

    def __init__(self, log: Log, *, from_oldest: bool = False) -> None:
        self._tail = browse.Tail(log, PREDICTIONS, from_oldest=from_oldest)
        self.lines: dict[str, ProductLine] = {}
        self.alerts: deque[Prediction] = deque(maxlen=8)
        self.verdicts: dict[str, int] = {}
        self.models: dict[str, int] = {}
        self.alert_count = 0
        self.unreadable = 0
        self._latencies_ms: deque[float] = deque(maxlen=100_000)

    def look(self) -> int:
        """Take in the predictions written since the last look; return how many."""
        taken = 0
        for record in self._tail.take():
            self._read(record)
            taken += 1
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
        was_alert = known is not None and known.prediction.alarm
        past = known.probabilities if known else deque[float | None](maxlen=SEEN)
        past.append(prediction.probability)
        self.lines[prediction.product] = ProductLine(
            prediction=prediction, latency_ms=latency_ms, probabilities=past
        )
        self.verdicts[prediction.verdict] = self.verdicts.get(prediction.verdict, 0) + 1
        self.models[prediction.model] = self.models.get(prediction.model, 0) + 1
        if prediction.alarm and not was_alert:
            self.alert_count += 1
            self.alerts.append(prediction)
