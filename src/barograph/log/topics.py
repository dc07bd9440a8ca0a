"""The topics of the market pipeline, defined once."""

import msgspec

from barograph.log import Log, Topic

TICKS, FEATURES = "ticks.raw", "ticks.features"
PREDICTIONS, DEAD_LETTERS = "ticks.predictions", "ticks.deadletter"

_DAY_S = 86_400

TOPICS = (
    Topic(name=TICKS, partitions=3, retention_s=30 * _DAY_S, retention_bytes=4 << 30),
    Topic(name=FEATURES, partitions=3, retention_s=30 * _DAY_S, retention_bytes=4 << 30),
    Topic(name=PREDICTIONS, partitions=3, retention_s=30 * _DAY_S, retention_bytes=1 << 30),
    Topic(name=DEAD_LETTERS, retention_s=90 * _DAY_S, retention_bytes=1 << 30),
)
"""Keyed by product. The archive keeps what retention lets go."""


def ensure_topics(log: Log, partitions: int = 3) -> None:
    """Create those of TOPICS that `log` lacks, with so many partitions for the keyed ones.

    What exists stays as it is.
    """
    known = {topic.name for topic in log.topics()}
    for topic in TOPICS:
        if topic.name not in known:
            wide = partitions if topic.partitions > 1 else 1
            log.create(msgspec.structs.replace(topic, partitions=wide))
