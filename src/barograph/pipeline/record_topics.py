"""The topics of a stream of records, defined once."""

from barograph.cases.contract import Stream
from barograph.log import Log, Topic
from barograph.log.topics import ensure
from barograph.types import DAY_S


def stream_topics(stream: Stream, partitions: int = 3) -> list[Topic]:
    """The topics of a stream, keyed as its records are; limits as those of the market."""
    return [
        Topic(name=name, partitions=partitions, retention_s=30 * DAY_S, retention_bytes=4 << 30)
        for name in (stream.source, stream.target)
    ] + [Topic(name=stream.dead_letters, retention_s=90 * DAY_S, retention_bytes=1 << 30)]


def ensure_stream(log: Log, stream: Stream, partitions: int = 3) -> None:
    """Create those topics of a stream that `log` lacks; what exists stays as it is."""
    ensure(log, stream_topics(stream, partitions))
