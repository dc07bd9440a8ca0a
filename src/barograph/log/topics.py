"""The topics of the market pipeline, of candles and of what is watched, defined once."""

from collections.abc import Iterable

import msgspec

from barograph.log import Log, Topic
from barograph.types import DAY_S

TICKS, FEATURES = "ticks.raw", "ticks.features"
PREDICTIONS, DEAD_LETTERS = "ticks.predictions", "ticks.deadletter"
SHADOW = "ticks.predictions.shadow"
STATUS = "ticks.status"
HEALTH, ALERTS = "health", "alerts"
UNDELIVERED, ALERT_LETTERS = "alerts.undelivered", "alerts.deadletter"

CANDLES, CANDLE_FEATURES = "candles.raw", "candles.features"
CANDLE_PREDICTIONS, CANDLE_SHADOW = "candles.predictions", "candles.predictions.shadow"
CANDLE_CHECKS, CANDLE_LETTERS = "candles.checks", "candles.deadletter"

TOPICS = (
    Topic(name=TICKS, partitions=3, retention_s=30 * DAY_S, retention_bytes=4 << 30),
    Topic(name=FEATURES, partitions=3, retention_s=30 * DAY_S, retention_bytes=4 << 30),
    Topic(name=PREDICTIONS, partitions=3, retention_s=30 * DAY_S, retention_bytes=1 << 30),
    Topic(name=SHADOW, partitions=3, retention_s=30 * DAY_S, retention_bytes=1 << 30),
    Topic(name=DEAD_LETTERS, retention_s=90 * DAY_S, retention_bytes=1 << 30),
    Topic(name=STATUS, retention_s=30 * DAY_S, retention_bytes=64 << 20),
)
"""Keyed by product, STATUS by venue. The archive keeps what retention lets go."""

ALERT_TOPICS = (
    Topic(name=HEALTH, retention_s=30 * DAY_S, retention_bytes=256 << 20),
    Topic(name=ALERTS, retention_s=365 * DAY_S, retention_bytes=256 << 20),
    Topic(name=UNDELIVERED, retention_s=365 * DAY_S, retention_bytes=64 << 20),
    Topic(name=ALERT_LETTERS, retention_s=90 * DAY_S, retention_bytes=64 << 20),
)
"""HEALTH is keyed by the monitor, ALERTS by the alert's id, UNDELIVERED by the sink; the records of
HEALTH that cannot be read are in ALERT_LETTERS. Any case shares them."""

CANDLE_TOPICS = (
    Topic(name=CANDLES),
    *(
        Topic(name=name, retention_s=3_653 * DAY_S)
        for name in (
            CANDLE_FEATURES,
            CANDLE_PREDICTIONS,
            CANDLE_SHADOW,
            CANDLE_CHECKS,
            CANDLE_LETTERS,
        )
    ),
)
"""Keyed by product. CANDLES is kept without limit: an hour of five years ago trains a model. What
is made of it is kept for ten years.
"""


def market_topics(partitions: int = 3) -> list[Topic]:
    """Return TOPICS with `partitions` partitions for the keyed ones."""
    return [
        msgspec.structs.replace(topic, partitions=partitions) if topic.partitions > 1 else topic
        for topic in TOPICS
    ]


def ensure_topics(log: Log, partitions: int = 3) -> None:
    """Create those topics of the market that `log` lacks; what exists stays as it is."""
    ensure(log, market_topics(partitions))


def ensure_alert_topics(log: Log) -> None:
    """Create those topics of health and alerts that `log` lacks; what exists stays as it is."""
    ensure(log, ALERT_TOPICS)


def ensure_candle_topics(log: Log) -> None:
    """Create those topics of candles that `log` lacks; what exists stays as it is."""
    ensure(log, CANDLE_TOPICS)


def ensure(log: Log, topics: Iterable[Topic]) -> None:
    """Create those topics that `log` lacks; what exists stays as it is."""
    known = {topic.name for topic in log.topics()}
    for topic in topics:
        if topic.name not in known:
            log.create(topic)
