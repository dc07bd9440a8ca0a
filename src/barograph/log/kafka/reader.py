"""Committed records of chosen partitions from chosen offsets on; belongs to no group."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import confluent_kafka as kafka

from barograph.errors import LogUnavailableError, OffsetGapError
from barograph.log import APPENDED_TIME
from barograph.log.kafka.cluster import plain
from barograph.log.kafka.topics import Topics
from barograph.types import Record, TopicPartition

# The client names its own errors with an underscore, brokers' without; all are public.
_END = kafka.KafkaError._PARTITION_EOF  # noqa: SLF001
_GONE = {kafka.KafkaError._AUTO_OFFSET_RESET, kafka.KafkaError.OFFSET_OUT_OF_RANGE}  # noqa: SLF001
_NS_PER_MS = 1_000_000
_LEARN_S = 5.0
_MOST_AT_ONCE = 1_000_000  # that the client takes for an answer


class Reader:
    """Reads on from where it is told to. For one thread at a time.

    About 4 µs a record of 250 bytes, 2 of which are the client's.
    """

    def __init__(self, topics: Topics) -> None:
        self._topics, self._cluster = topics, topics.cluster
        self._consumer = self._cluster.consumer("reader", {})
        self.positions: dict[TopicPartition, int] = {}
        """What is read, and the next offset of each."""
        self._ends: dict[TopicPartition, int] = {}
        self._known: set[str] = set()
        self._place = cache(self._cluster.place)

    def follow(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read these partitions from these offsets, and nothing else."""
        self._learn({place.topic for place in positions})
        self.positions = dict(positions)
        self._ends.clear()
        self._consumer.assign(
            [self._cluster.partition(place, offset) for place, offset in positions.items()]
        )

    def add(self, place: TopicPartition, offset: int) -> None:
        """Read one more; the others go on undisturbed."""
        self._learn({place.topic})
        self.positions[place] = offset
        self._consumer.incremental_assign([self._cluster.partition(place, offset)])

    def drop(self, place: TopicPartition) -> None:
        """Read one less, if it was read."""
        self._ends.pop(place, None)
        if self.positions.pop(place, None) is not None:
            self._consumer.incremental_unassign([self._cluster.partition(place)])

    def reached(self, place: TopicPartition) -> int:
        """Up to where all records were taken: past the marks of transactions at the end too."""
        return max(self.positions[place], self._ends.get(place, 0))

    def take(self, limit: int, timeout_s: float) -> list[Record]:
        """Up to `limit` records, as soon as there is one or one more end was reached.

        Raises OffsetGapError where retention has removed the next record.
        """
        if not self.positions or limit <= 0:
            return []
        messages = self._consumer.consume(1, timeout_s)
        if messages and limit > 1:
            messages += self._consumer.consume(min(limit - 1, _MOST_AT_ONCE), 0)
        records = []
        headers: dict[str, str] = {}
        stamped_ms = -1
        for message in messages:
            place = self._place(message.topic(), message.partition())
            if (error := message.error()) is not None:
                self._note(place, message, error)
                continue
            offset = message.offset()
            # What came from before a change of place or position is not asked for any more.
            if offset < self.positions.get(place, offset + 1):
                continue
            self.positions[place] = offset + 1
            _, appended_ms = message.timestamp()
            own = message.headers()
            if own is None and appended_ms == stamped_ms:
                shared = headers  # one append has one time, and most records no other header
            else:
                shared = {plain(key): (value or b"").decode() for key, value in own or ()}
                shared[APPENDED_TIME] = str(appended_ms * _NS_PER_MS)
                if own is None:
                    headers, stamped_ms = shared, appended_ms
            records.append(
                Record(
                    place.topic,
                    place.partition,
                    offset,
                    (message.key() or b"").decode(),
                    message.value() or b"",
                    shared,
                )
            )
        return records

    def close(self) -> None:
        """Release the connection."""
        self._consumer.close()

    def _learn(self, topics: set[str]) -> None:
        """Ask where topics lie: left to itself the client does so once a second."""
        for topic in topics - self._known:
            try:
                self._consumer.list_topics(self._cluster.name(topic), timeout=_LEARN_S)
            except kafka.KafkaException as error:
                self._cluster.heard(error.args[0])  # then the client asks in its own time
        self._known |= topics

    def _note(self, place: TopicPartition, message: Any, error: Any) -> None:  # noqa: ANN401 - confluent_kafka has no types
        if error.code() == _END:
            if place in self.positions:
                self._ends[place] = message.offset()
        elif error.code() in _GONE and place in self.positions:
            oldest = self._topics.oldest([place])[place]
            raise OffsetGapError(*place, self.positions[place], oldest)
        elif error.fatal():
            raise LogUnavailableError(self._cluster.address, error.str())
        else:
            self._cluster.heard(error)
