"""The topics of a case, made where a log lacks them."""

import msgspec

from barograph.cases.contract import Stream
from barograph.cases.live_series import LiveSeries
from barograph.log import Log, Topic
from barograph.log.topics import ensure
from barograph.types import DAY_S

_LETTERS_S, _LETTERS_BYTES = 90 * DAY_S, 1 << 30


def stream_topics(stream: Stream, partitions: int = 3) -> list[Topic]:
    """The topics of a stream, keyed as its records are; limits as those of the market."""
    return [
        Topic(name=name, partitions=partitions, retention_s=30 * DAY_S, retention_bytes=4 << 30)
        for name in (stream.source, stream.target)
    ] + [_letters(stream.dead_letters)]


def ensure_stream(log: Log, stream: Stream, partitions: int = 3) -> None:
    """Create those topics of a stream that `log` lacks; what exists stays as it is."""
    ensure(log, stream_topics(stream, partitions))


def ensure_series(log: Log, live: LiveSeries) -> None:
    """Create those topics of a series that `log` lacks beside its source, partitioned like that.

    Nothing where there is no source: whoever reads it says so.
    """
    known = {topic.name: topic for topic in log.topics()}
    like = known.get(live.source)
    if like is None:
        return
    for name in (live.rows, live.predictions, live.shadow):
        like = known.get(name) or msgspec.structs.replace(like, name=name)
        if name not in known:
            log.create(like)
    if live.dead_letters not in known:
        log.create(_letters(live.dead_letters))


def _letters(name: str) -> Topic:
    return Topic(name=name, retention_s=_LETTERS_S, retention_bytes=_LETTERS_BYTES)
