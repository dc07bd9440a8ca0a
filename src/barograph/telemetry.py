"""Every metric of Barograph: name, unit, labels and meaning, and how they are served.

Shells count here, once for each batch; machines and mathematics do not. A metric exists once in a
process, whatever runs in it, and is shown by `rendered` and by the endpoint of `served`.
docs/metrics.md is made from this file.

Labels are bounded: a metric keeps MAX_SERIES combinations of label values. What comes after them is
counted under `other`, and not shown at all where it is a gauge.
"""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Literal, NamedTuple

import prometheus_client
from prometheus_client import exposition

from barograph.errors import BadInputError

MAX_SERIES = 200
"""The most combinations of label values that one metric keeps."""

OTHER = "other"

LATENCY_BUCKETS_S = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
)  # fmt: skip
PROBABILITY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)

REGISTRY = prometheus_client.CollectorRegistry(auto_describe=True)
PROCESS = prometheus_client.ProcessCollector(registry=REGISTRY)
"""Memory, processor time and file handles of the process, where there is a /proc."""

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class Description(NamedTuple):
    """What a metric is: its name as it is served, its kind, unit, labels and meaning."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    labels: tuple[str, ...]
    meaning: str


DESCRIPTIONS: list[Description] = []
"""All metrics that this file defines, in its order."""


class _Labelled:
    """The series of one metric, at most MAX_SERIES of them. Thread-safe.

    It is shown from the first one on: a gauge that nobody sets here is not 0, it is not there.
    """

    def __init__(self, metric: Any, width: int) -> None:  # noqa: ANN401 - any of three kinds
        self._metric, self._width = metric, width
        self._series: dict[tuple[str, ...], Any] = {}
        self._lock, self._registered = Lock(), False

    def of(self, labels: tuple[str, ...], *, new: bool = True) -> Any:  # noqa: ANN401 - likewise
        """The series of these label values; beyond the bound that of `other`, or None if not `new`.

        Raises TypeError for too many or too few values.
        """
        series = self._series.get(labels)
        if series is not None:
            return series
        if len(labels) != self._width:
            raise TypeError(f"{len(labels)} label values for {self._width} labels")
        with self._lock:
            if not self._registered:
                self._registered = True
                REGISTRY.register(self._metric)
            if len(self._series) >= MAX_SERIES and labels not in self._series:
                if not new:
                    return None
                labels = (OTHER,) * self._width
            if labels not in self._series:
                self._series[labels] = self._metric.labels(*labels) if labels else self._metric
            return self._series[labels]

    def remove(self, labels: tuple[str, ...]) -> None:
        with self._lock:
            if labels and self._series.pop(labels, None) is not None:
                self._metric.remove(*labels)

    def keep_only(self, labels: tuple[str, ...]) -> None:
        """Remove the series that differ from `labels` in the last label value only."""
        for each in list(self._series):
            if each[:-1] == labels[:-1] and each != labels:
                self.remove(each)


class Counter:
    """A sum that only grows, from the start of the process."""

    def __init__(self, name: str, meaning: str, *labels: str, unit: str = "") -> None:
        name = _described(name, "counter", unit, labels, meaning)
        self._labelled = _Labelled(
            prometheus_client.Counter(name, meaning, labels, registry=None), len(labels)
        )

    def add(self, amount: float, *labels: str) -> None:
        """Add an amount, not negative, to the series of these label values; 0 shows the series."""
        self._labelled.of(labels).inc(amount)


class Gauge:
    """A value as it is now."""

    def __init__(self, name: str, meaning: str, *labels: str, unit: str = "") -> None:
        name = _described(name, "gauge", unit, labels, meaning)
        self._labelled = _Labelled(
            prometheus_client.Gauge(name, meaning, labels, registry=None), len(labels)
        )

    def set(self, value: float, *labels: str) -> None:
        """Set the series of these label values; ignored beyond the bound."""
        series = self._labelled.of(labels, new=False)
        if series is not None:
            series.set(value)

    def remove(self, *labels: str) -> None:
        """Show the series of these label values no more."""
        self._labelled.remove(labels)

    def set_only(self, value: float, *labels: str) -> None:
        """As `set`, and remove the series that differ in the last label value only."""
        self._labelled.keep_only(labels)
        self.set(value, *labels)


class Histogram:
    """A distribution in buckets of fixed bounds."""

    def __init__(
        self,
        name: str,
        meaning: str,
        *labels: str,
        unit: str = "seconds",
        buckets: tuple[float, ...] = LATENCY_BUCKETS_S,
    ) -> None:
        name = _described(name, "histogram", unit, labels, meaning)
        self._labelled = _Labelled(
            prometheus_client.Histogram(name, meaning, labels, registry=None, buckets=buckets),
            len(labels),
        )

    def observe(self, value: float, *labels: str) -> None:
        """Count a value in its bucket; NaN is not counted."""
        if value == value:  # noqa: PLR0124 - NaN would make the sum NaN for ever
            self._labelled.of(labels).observe(value)


def _described(
    name: str,
    kind: Literal["counter", "gauge", "histogram"],
    unit: str,
    labels: tuple[str, ...],
    meaning: str,
) -> str:
    shown = f"{name}_total" if kind == "counter" else name
    DESCRIPTIONS.append(Description(shown, kind, unit, labels, meaning))
    return name


# The process.

BUILD = Gauge(
    "barograph_build_info", "1, with the version that runs and its verb.", "version", "verb"
)
WARNINGS = Counter("barograph_warnings", "Warnings printed.")

# The feed: what came from the venue.

FRAMES = Counter("barograph_frames", "Frames received from the venue.")
TICKS = Counter("barograph_ticks", "Ticks taken.", "product")
HEARTBEATS = Counter("barograph_heartbeats", "Heartbeats taken, one for each product.")
TRADES = Counter("barograph_trades", "Trades without a quote, filled ones included.")
TRADES_FILLED = Counter("barograph_trades_filled", "Trades of holes that REST gave afterwards.")
TRADES_MISSING = Counter("barograph_trades_missing", "Trades or frames that gaps tell of.")
GAPS = Counter("barograph_gaps", "Gaps recorded.", "cause")
DEAD_LETTERS = Counter(
    "barograph_dead_letters",
    "Frames and records that became dead letters, by where (`feed` or a worker's group) and why.",
    "stage",
    "reason",
)
LATE = Counter(
    "barograph_late", "Ticks, trades and heartbeats for a second that had closed.", "group"
)
LAST_FRAME = Gauge(
    "barograph_feed_last_frame_timestamp_seconds",
    "When the last frame was received; at first, when the feed began.",
    unit="seconds since 1970",
)
LAST_TICK = Gauge(
    "barograph_feed_last_tick_timestamp_seconds",
    "When the last tick of a product was received.",
    "product",
    unit="seconds since 1970",
)
CONNECTIONS = Counter("barograph_feed_connections", "Connections opened.")
TROUBLES = Counter(
    "barograph_feed_troubles", "Connections that could not be made or were given up."
)
OVERFLOWS = Counter(
    "barograph_feed_overflows", "Connections given up because the venue left too much unread."
)
QUEUE = Gauge("barograph_feed_queue_entries", "Entries between socket and writer.", unit="entries")
QUEUE_BYTES = Gauge("barograph_feed_queue_bytes", "Size of those entries.", unit="bytes")
QUEUE_FULL = Counter("barograph_feed_queue_full", "How often that queue was full.")
OPEN_HOLES = Gauge("barograph_feed_open_holes", "Holes whose trades may still be requested.")
REST_FAILURES = Counter("barograph_feed_rest_failures", "Answers of REST that were of no use.")
CLOCK_OFFSET = Gauge(
    "barograph_feed_clock_offset_seconds",
    "Median of exchange time − receive time over the last minute; may be negative.",
    unit="seconds",
)
LOG_WRITABLE = Gauge(
    "barograph_feed_log_writable",
    "1; 0 while the log cannot be written and the archive alone takes what comes.",
)

# The way of a tick.

STEP_LATENCY = Histogram(
    "barograph_step_latency_seconds",
    "How long a step takes. `receive`: from the venue's clock to the socket, of the newest event "
    "of each batch; what is negative counts in the first bucket. `log`: from the socket to the "
    "log, committed, of the oldest frame of each batch. A worker's group (`featurizer`, `scorer`): "
    "from the log to what the worker made of it, committed, of the oldest record of each batch "
    "that came to something. `served`: from a prediction in the log to its reader.",
    "step",
)
PREDICTION_LATENCY = Histogram(
    "prediction_latency_seconds",
    "Of a worker's group (`scorer`): from the frame that closed a second to its prediction, "
    "committed, of the newest of each batch. `request`: from a request with rows to its answer.",
    "source",
)

# Workers: featurizer, scorer, shadow, record scorers, alerts; by consumer group.

RECORDS = Counter("barograph_records", "Records that a worker received and settled.", "group")
VALUES = Counter("barograph_values", "Values that it wrote.", "group")
CANDLE_CHECKS = Counter(
    "barograph_candle_checks",
    "Hours of our own ticks beside those of a service: `same`, or `differs`.", "result",
)  # fmt: skip
COMMITS = Counter("barograph_commits", "Its commits.", "group")
REBALANCES = Counter(
    "barograph_rebalances", "Partitions that came (`assigned`) or went (`revoked`).", "group",
    "change",
)  # fmt: skip
FENCED = Counter("barograph_fenced", "Commits refused because another member took over.", "group")
LAG = Gauge(
    "barograph_lag_records", "Records still to be read in its partitions.", "group", unit="records"
)
WORK_SECONDS = Counter(
    "barograph_work_seconds", "Time in the worker's machine.", "group", unit="seconds"
)

# Predictions and models.

PREDICTIONS = Counter(
    "barograph_predictions", "Predictions of a group, by verdict.", "group", "verdict"
)
ALARMS = Counter("barograph_alarms", "Predictions at or above their threshold.", "group")
PROBABILITY = Histogram(
    "barograph_prediction_probability",
    "Probabilities predicted.",
    "group",
    unit="",
    buckets=PROBABILITY_BUCKETS,
)
LAST_PREDICTION = Gauge(
    "barograph_last_prediction_timestamp_seconds",
    "When the last prediction with a probability was committed.",
    "group",
    unit="seconds since 1970",
)
MODEL = Gauge("barograph_model_info", "1, with the version in use.", "alias", "case", "model")
MODEL_EXPIRES = Gauge(
    "barograph_model_expires_timestamp_seconds",
    "When the version in use expires.",
    "alias",
    "case",
    unit="seconds since 1970",
)
MODEL_SWAPS = Counter("barograph_model_swaps", "Versions taken up while running.", "alias", "case")
REGISTRY_PROBLEM = Gauge(
    "barograph_registry_problem",
    "1 while the alias's version cannot be read or loaded, else 0.",
    "alias",
    "case",
)
LIVE_PR_AUC = Gauge(
    "barograph_live_pr_auc", "PR-AUC of the champion's matured predictions.", "case", unit="1"
)
LIVE_BASE_RATE = Gauge(
    "barograph_live_base_rate", "Share of those whose outcome reached tau.", "case", unit="1"
)
LIVE_CALIBRATION_ERROR = Gauge(
    "barograph_live_calibration_error",
    "Mean distance between their probabilities and what came, by bins.",
    "case",
    unit="1",
)
TRAININGS = Counter(
    "barograph_trainings", "Automatic trainings, by how they ended (`done` or `failed`).", "result"
)

# Drift.

DRIFT_RATIO = Gauge(
    "data_drift_ratio",
    "Mean share of a recent row's features outside the range of the training span.",
    "case",
    unit="1",
)
FEATURE_OOD = Counter(
    "feature_ood", "Values of a feature outside the range of its training span.", "case", "feature"
)
DRIFT_ALARM = Gauge(
    "barograph_drift_alarm", "1 while the drift test rejects the reference, else 0.", "case"
)
DRIFT_JUDGED = Gauge(
    "barograph_drift_judged",
    "1 where the reference is long enough for the drift test to judge every key, else 0.",
    "case",
)

# Alerts and who is told.

ALERTS = Counter("barograph_alerts", "Alerts that began, ended or were judged.", "rule", "change")
DELIVERIES = Counter(
    "barograph_alert_deliveries",
    "Messages to a sink, by how that ended (`delivered`, `retried`, `undelivered`).",
    "sink",
    "result",
)

# The web server.

HTTP_REQUESTS = Counter(
    "http_requests", "Requests answered, by route (its template) and status.", "method", "route",
    "status",
)  # fmt: skip
HTTP_SECONDS = Histogram(
    "http_request_duration_seconds", "From a request to the end of its answer.", "route"
)
STREAM_READERS = Gauge("barograph_stream_readers", "Readers of the stream now.", "kind")
STREAM_CLOSED = Counter("barograph_stream_closed", "Readers let go, by reason.", "reason")


def rendered(accept: str = "") -> tuple[bytes, str]:
    """All metrics as text in the format that `accept` asks for, and its content type."""
    encoder, content_type = exposition.choose_encoder(accept)
    return encoder(REGISTRY), content_type


@contextmanager
def served(port: int, host: str = "127.0.0.1") -> Iterator[int]:
    """Serve the metrics at an address while the context is active; yield the port.

    port: 0 picks a free one. Raises BadInputError where it cannot be listened on.
    """
    try:
        server, thread = prometheus_client.start_http_server(port, host, REGISTRY)
    except OSError as error:
        why = error.strerror or str(error)
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            what, cure = f"metrics_host {host}", "Name an address of this machine"
        else:
            what, cure = f"port {port} of the metrics", "Choose another one (`--metrics-port`)"
        raise BadInputError(what, why.lower(), cure) from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
