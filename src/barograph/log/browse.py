"""A log seen from beside: what its topics hold, and their records without a consumer group.

Records are read by pages, so a topic may be longer than memory. Those of several partitions come in
the order in which the log took them, by its own clock; within a partition it is that of offsets.
What retention removes meanwhile is left out: this shows what is kept.
"""

import heapq
from base64 import b64encode
from collections.abc import Iterator
from itertools import islice

import msgspec

from barograph import codec
from barograph.errors import BadInputError, OffsetGapError
from barograph.log import Extent, Log, check_partition, partition_of
from barograph.types import APPENDED_TIME, Message, Record

_PAGE = 500

_decode = msgspec.json.Decoder().decode


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What a topic holds and promises. `records_at_most`: offsets may have holes.

    `in_sync` of the `replicas` of its least covered partition have all that was acknowledged.
    Retention null keeps without limit.
    """

    name: str
    partitions: int
    records_at_most: int
    replicas: int
    in_sync: int
    retention_s: int | None
    retention_bytes: int | None
    compacted: bool


def holdings(log: Log) -> list[Holding]:
    """Return what each topic holds, ordered by name."""
    held = []
    for topic in log.topics():
        extents = log.extents(topic.name)
        least = min(extents, key=lambda extent: (extent.in_sync, extent.replicas))
        held.append(
            Holding(
                name=topic.name,
                partitions=topic.partitions,
                records_at_most=sum(extent.next - extent.oldest for extent in extents),
                replicas=least.replicas,
                in_sync=least.in_sync,
                retention_s=topic.retention_s,
                retention_bytes=topic.retention_bytes,
                compacted=topic.compacted,
            )
        )
    return held


def appended_time_ns(record: Record) -> int:
    """Return when the log took a record, by its own clock, in epoch nanoseconds."""
    return codec.natural(record.headers.get(APPENDED_TIME)) or 0


def records(log: Log, topic: str) -> Iterator[Record]:
    """All that the topic holds now, the oldest first; what is written meanwhile is not among it."""
    return merged(log, log.extents(topic), topic)


def first(  # noqa: PLR0913 - a place in a log, and which records from there
    log: Log,
    topic: str,
    limit: int,
    *,
    offset: int | None = None,
    partition: int | None = None,
    key: str | None = None,
) -> Iterator[Record]:
    """Return the first `limit` records from `offset`, or from the oldest on.

    An offset counts within one partition: BadInputError where there are several to choose from, and
    for an offset that is not there. Raises UnknownTopicError.
    """
    extents = _extents(log, topic, partition, key)
    if offset is not None:
        if len(extents) > 1:
            raise BadInputError(
                f"{topic}, offset {offset}", "an offset counts within one partition", "Name that"
            )
        extent = extents[0]
        if not extent.oldest <= offset <= extent.next:
            raise BadInputError(
                f"{topic}/{extent.partition}, offset {offset}",
                f"the oldest kept is {extent.oldest}, the next to be written {extent.next}",
                "Name one of those, oldest or newest",
            )
        extents = [msgspec.structs.replace(extent, oldest=offset)]
    return islice(_with_key(merged(log, extents, topic), key), limit)


def last(
    log: Log, topic: str, limit: int, *, partition: int | None = None, key: str | None = None
) -> list[Record]:
    """Return the last `limit` records, oldest first. Raises as `first`."""
    extents = _extents(log, topic, partition, key)
    downwards = (_downwards(log, topic, extent) for extent in extents)
    newest = heapq.merge(*downwards, key=appended_time_ns, reverse=True)
    return list(islice(_with_key(newest, key), limit))[::-1]


class Tail:
    """Follows a topic without a group: from now on, or from the oldest record kept.

    What retention removes before it was read is left out. Raises UnknownTopicError.
    """

    def __init__(self, log: Log, topic: str, *, from_oldest: bool = False) -> None:
        self._log, self._topic = log, topic
        self._offsets = {
            extent.partition: extent.oldest if from_oldest else extent.next
            for extent in log.extents(topic)
        }

    def take(self) -> Iterator[Record]:
        """What was written since the last call, by partition; what comes meanwhile is not in it.

        What is not taken from the iterator, or comes behind an error, comes with the next call.
        """
        for extent in self._log.extents(self._topic):
            new = msgspec.structs.replace(extent, oldest=self._offsets[extent.partition])
            for record in upwards(self._log, self._topic, new):
                self._offsets[extent.partition] = record.offset + 1
                yield record
            self._offsets[extent.partition] = extent.next


def as_line(record: Record | Message) -> bytes:
    """A record as one line of JSON; its value as it is where that is JSON, else as base64.

    A record that is not in a log yet has no place.
    """
    place = (
        {"partition": record.partition, "offset": record.offset}
        if isinstance(record, Record)
        else {}
    )
    return msgspec.json.encode(
        {
            "topic": record.topic,
            **place,
            "key": record.key,
            "headers": record.headers,
            "value": _json_or_base64(record.value),
        }
    )


def is_json(value: bytes) -> bool:
    """Whether bytes are one JSON value."""
    try:
        _decode(value)
    except codec.UNREADABLE:
        return False
    return True


def _json_or_base64(value: bytes) -> object:
    if not is_json(value):
        return {"base64": b64encode(value).decode()}
    # As written, digit for digit, but on one line: in JSON a raw line break is only white space.
    return msgspec.Raw(b"".join(value.splitlines()))


def _extents(log: Log, topic: str, partition: int | None, key: str | None) -> list[Extent]:
    """Return the extents of one partition, or of all partitions of the topic."""
    extents = log.extents(topic)
    if partition is None and key is not None:
        partition = partition_of(key, len(extents))
    if partition is None:
        return extents
    check_partition(topic, partition, len(extents))
    return [extents[partition]]


def _with_key(of: Iterator[Record], key: str | None) -> Iterator[Record]:
    return of if key is None else (record for record in of if record.key == key)


def merged(log: Log, extents: list[Extent], topic: str) -> Iterator[Record]:
    """The records of several partitions, each from its `oldest` on, the oldest first."""
    partitions = (upwards(log, topic, extent) for extent in extents)
    return heapq.merge(*partitions, key=appended_time_ns)


def upwards(log: Log, topic: str, extent: Extent) -> Iterator[Record]:
    """The records of [oldest, next) of a partition, in order, without what is gone meanwhile."""
    offset = extent.oldest
    while offset < extent.next:
        records = page(log, topic, extent.partition, offset, _PAGE)
        if not records:
            return
        for record in records:
            if record.offset >= extent.next:
                return
            yield record
        offset = records[-1].offset + 1


def page(log: Log, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
    """Up to `limit` records from `offset` on, or from the oldest kept where that is gone."""
    while True:
        try:
            return log.read(topic, partition, offset, limit)
        except OffsetGapError as gone:
            offset = gone.oldest


def _downwards(log: Log, topic: str, extent: Extent) -> Iterator[Record]:
    end = extent.next
    while end > extent.oldest:
        start = max(extent.oldest, end - _PAGE)
        page = list(upwards(log, topic, msgspec.structs.replace(extent, oldest=start, next=end)))
        yield from reversed(page)
        end = start
