"""Committed records of chosen partitions from chosen offsets on; belongs to no group.

The client says nothing of a partition that gives nothing. So every few seconds those that stand
still are compared with what the cluster says of them: behind the first open transaction is nothing
to be had, before it there is, and then a new client takes the place of one that was left behind by
a change of the brokers.
"""

import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import confluent_kafka as kafka

from barograph.errors import LogUnavailableError, OffsetGapError, TopicMadeAgainError
from barograph.log.kafka.cluster import plain, release
from barograph.log.kafka.topics import Topics
from barograph.log.kafka.watch import LIMIT_S, Identities, open_transaction
from barograph.types import APPENDED_TIME, NS_PER_MS, Record, TopicPartition

# The client names its own errors with an underscore, brokers' without; all are public.
_END = kafka.KafkaError._PARTITION_EOF  # noqa: SLF001
_GONE = {kafka.KafkaError._AUTO_OFFSET_RESET, kafka.KafkaError.OFFSET_OUT_OF_RANGE}  # noqa: SLF001
_LEARN_S = 1.0
_LOOK_S = 5.0
TAKEN, WAIT_S = 10_000, 0.1  # at once, and until there is something, by who reads without a group
_MOST_AT_ONCE = 1_000_000  # that the client takes for an answer


class PartitionReader:
    """Reads partitions from given offsets on; `who` names it in errors. Not thread-safe.

    About 4 µs a record of 250 bytes, 2 of which are the client's.
    """

    def __init__(self, topics: Topics, who: str = "a reader") -> None:
        self._topics, self._cluster, self._who = topics, topics.cluster, who
        self._consumer = self._cluster.consumer("reader", {})
        self.identities = Identities(topics, who)
        self.positions: dict[TopicPartition, int] = {}
        """What is read, and the next offset of each."""
        self._ends: dict[TopicPartition, int] = {}
        self._known: set[str] = set()
        self._place = cache(self._cluster.place)
        self._looked_s = time.monotonic()
        self._before: dict[TopicPartition, int] = {}
        """Up to where each was read at the last look."""
        self._readable: dict[TopicPartition, int] = {}
        """Up to where those that stood still could have been read at the last look."""
        self._waited_s: dict[TopicPartition, float] = {}

    def follow(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read these partitions from these offsets, and nothing else."""
        self._learn({place.topic for place in positions})
        self.positions = dict(positions)
        self._forget()
        self._consumer.assign(
            [self._cluster.partition(place, offset) for place, offset in positions.items()]
        )

    def add(self, place: TopicPartition, offset: int) -> None:
        """Read one more partition; the reading of the others goes on."""
        self._learn({place.topic})
        self.positions[place] = offset
        self._consumer.incremental_assign([self._cluster.partition(place, offset)])

    def drop(self, place: TopicPartition) -> None:
        """Stop reading a partition, if it was read."""
        self._ends.pop(place, None)
        if self.positions.pop(place, None) is not None:
            self._consumer.incremental_unassign([self._cluster.partition(place)])

    def reached(self, place: TopicPartition) -> int:
        """Up to where all records were taken: past the marks of transactions at the end too."""
        return max(self.positions[place], self._ends.get(place, 0))

    def take(self, limit: int, timeout_s: float) -> list[Record]:
        """Up to `limit` records, as soon as there is one or one more end was reached.

        Raises OffsetGapError where retention has removed the next record, OpenTransactionError
        where a partition gave nothing for `LIMIT_S` though it has more, TopicMadeAgainError and
        UnknownTopicError where a topic is not what it was.
        """
        if not self.positions or limit <= 0:
            return []
        if time.monotonic() - self._looked_s >= _LOOK_S:
            self._look()
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
            # Records from before a change of partition or position are not wanted any more.
            if offset < self.positions.get(place, offset + 1):
                continue
            self.positions[place] = offset + 1
            _, appended_ms = message.timestamp()
            own = message.headers()
            if own is None and appended_ms == stamped_ms:
                shared = headers  # one append has one time, and most records no other header
            else:
                shared = {plain(key): (value or b"").decode() for key, value in own or ()}
                shared[APPENDED_TIME] = str(appended_ms * NS_PER_MS)
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
        old, self._consumer = [self._consumer], None
        release(old)

    def _look(self) -> None:
        """Compare partitions that give nothing with the cluster's state of them."""
        now_s = time.monotonic()
        # Time that the process was suspended does not count as waiting.
        passed_s, self._looked_s = min(now_s - self._looked_s, 2 * _LOOK_S), now_s
        self.identities.check()
        at = {place: self.reached(place) for place in self.positions}
        still = [place for place in at if at[place] == self._before.get(place)]
        ends, readable = self._topics.ends(still), self._topics.stable_ends(still)
        is_left_behind = False
        waited_s: dict[TopicPartition, float] = {}
        for place in still:
            if at[place] > ends[place]:
                raise TopicMadeAgainError(self._who, place.topic)
            is_left_behind |= at[place] < self._readable.get(place, 0)
            if readable[place] <= at[place] < ends[place]:
                waited_s[place] = self._waited_s.get(place, 0.0) + passed_s
                if waited_s[place] >= LIMIT_S:
                    raise open_transaction(self._topics, self._who, place)
        self._before, self._readable, self._waited_s = at, readable, waited_s
        if is_left_behind:
            self._start_anew()

    def _start_anew(self) -> None:
        """Replace the client by a new one, which reads on from the same positions."""
        self.close()
        self._consumer = self._cluster.consumer("reader", {})
        self._known = set()
        self.follow(dict(self.positions))

    def _forget(self) -> None:
        for known in (self._ends, self._before, self._readable, self._waited_s):
            known.clear()

    def _learn(self, topics: set[str]) -> None:
        """Request the topics' metadata now; the client itself does so once a second."""
        self.identities.learn(topics)
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
            self.identities.check()
            oldest = self._topics.oldest([place])[place]
            if self.positions[place] > oldest:
                raise TopicMadeAgainError(self._who, place.topic)
            raise OffsetGapError(*place, self.positions[place], oldest)
        elif error.fatal():
            raise LogUnavailableError(self._cluster.address, error.str())
        else:
            self._cluster.heard(error)
