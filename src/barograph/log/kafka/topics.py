"""The topics of a log on a cluster: made, changed, and where their partitions begin and end."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import confluent_kafka as kafka
from confluent_kafka import (
    OFFSET_INVALID,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    admin,
)

from barograph.errors import BadInputError, LogUnavailableError, UnknownTopicError
from barograph.log import Topic, partition_of
from barograph.log.kafka.cluster import LARGEST_MESSAGE_BYTES, Cluster
from barograph.types import Message, TopicPartition

_MOST_REPLICAS = 3
_POSITIONS = "__consumer_offsets"
_SEGMENT_BYTES = 2 * LARGEST_MESSAGE_BYTES
_SEGMENT_S = 3600
_HEARD_S, _LOOK_S, _ASK_S = 2.0, 0.05, 0.5


class OutgoingRecord(NamedTuple):
    """A record on its way to a partition, under the cluster's name of its topic."""

    topic: str
    partition: int
    key: str
    value: bytes | None
    headers: Mapping[str, str]


class Topics:
    """What lies on a cluster. Raises LogUnavailableError when no broker answers."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._partitions: dict[str, int] = {}

    def topics(self) -> list[Topic]:
        """Return all topics of this log by name, without its internal ones."""
        known = self.cluster.metadata().topics
        names = sorted(
            name
            for name in known
            if name.startswith(self.cluster.prefix)
            and not name[len(self.cluster.prefix) :].startswith("__")
        )
        settings = self._settings(names)
        return [
            _topic(self.cluster.place(name, 0).topic, len(known[name].partitions), settings[name])
            for name in names
            if name in settings
        ]

    def partitions(self, topic: str) -> int:
        """Return a topic's number of partitions. Raises UnknownTopicError."""
        if topic not in self._partitions:
            name, end_s = self.cluster.name(topic), time.monotonic() + _HEARD_S
            known = self.cluster.metadata()
            # One broker may not know yet what another has just created.
            while name not in known.topics and len(known.brokers) > 1 and time.monotonic() < end_s:
                time.sleep(_LOOK_S)
                known = self.cluster.metadata()
            if name not in known.topics:
                raise UnknownTopicError(topic, [each.name for each in self.topics()])
            self._partitions[topic] = len(known.topics[name].partitions)
        return self._partitions[topic]

    def has(self, topic: str) -> bool:
        """Whether there is such a topic, the log's own among them."""
        return (
            topic in self._partitions or self.cluster.name(topic) in self.cluster.metadata().topics
        )

    def copies(self, topic: str) -> list[tuple[int, int]]:
        """Return (replicas, replicas in sync) of each partition."""
        partitions = self.cluster.metadata().topics[self.cluster.name(topic)].partitions
        return [(len(p.replicas), len(p.isrs)) for _, p in sorted(partitions.items())]

    def create(self, topic: Topic, replication: int | None = None) -> None:
        """Make a topic and wait until its partitions have leaders; one that is there stays.

        Raises BadInputError when there are fewer brokers than copies.
        """
        brokers = len(self.cluster.metadata().brokers)
        copies = replication or self.cluster.replication or min(_MOST_REPLICAS, brokers)
        if copies > brokers:
            why = f"{copies} copies need as many brokers, there are {brokers}"
            raise BadInputError(f"topic {topic.name}", why, "Ask for fewer, or add brokers")
        new = admin.NewTopic(
            self.cluster.name(topic.name),
            topic.partitions,
            copies,
            config=_config(topic)
            | {
                "message.timestamp.type": "LogAppendTime",
                "max.message.bytes": str(LARGEST_MESSAGE_BYTES),
                # With three copies one may be missing; what was acknowledged is on two.
                "min.insync.replicas": str(max(1, copies - 1)),
            },
        )
        try:
            self.cluster.answers(
                lambda a: a.create_topics([new]), but=[KafkaError.TOPIC_ALREADY_EXISTS]
            )
        except KafkaException as error:
            raise _refused(topic, error) from error
        self.cluster.wait_for(lambda: self._is_led(topic))

    def change(self, topic: Topic) -> None:
        """Change the retention of an existing topic."""
        wanted = [
            admin.ConfigEntry(key, value, incremental_operation=admin.AlterConfigOpType.SET)
            for key, value in _config(topic).items()
        ]
        resource = admin.ConfigResource(
            admin.ResourceType.TOPIC, self.cluster.name(topic.name), incremental_configs=wanted
        )
        self._answers(lambda a: a.incremental_alter_configs([resource]))
        self.cluster.wait_for(lambda: topic in self.topics())

    def placed(self, messages: Iterable[Message]) -> list[OutgoingRecord]:
        """Return the messages with their partitions. Raises UnknownTopicError."""
        routes: dict[tuple[str, str], tuple[str, int]] = {}
        outgoing = []
        for message in messages:
            route = (message.topic, message.key)
            if route not in routes:
                partition = partition_of(message.key, self.partitions(message.topic))
                routes[route] = (self.cluster.name(message.topic), partition)
            topic, partition = routes[route]
            outgoing.append(
                OutgoingRecord(topic, partition, message.key, message.value, message.headers)
            )
        return outgoing

    def identities(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the cluster's id of each existing topic; a recreated topic has a new one."""
        names = TopicCollection([self.cluster.name(topic) for topic in topics])
        descriptions = self._answers(
            lambda a: a.describe_topics(names), but=[KafkaError.UNKNOWN_TOPIC_OR_PART]
        )
        return {
            self.cluster.place(name, 0).topic: str(each.topic_id)
            for name, each in descriptions.items()
        }

    # Offsets.

    def oldest(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the first offset that each partition keeps."""
        return self._offsets(places, admin.OffsetSpec.earliest())

    def ends(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return each partition's end, open transactions included.

        Whoever reads up to there has read all that was acknowledged before: the cluster
        acknowledges a transaction a moment before its records can be read.
        """
        return self._offsets(places, admin.OffsetSpec.latest())

    def stable_ends(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where each partition's first open transaction began; the end where none is."""
        return self._offsets(
            places, admin.OffsetSpec.latest(), isolation_level=IsolationLevel.READ_COMMITTED
        )

    def open_since(self, name: str, partition: int) -> int | None:
        """Where the first transaction that is open began in a partition; None where none is.

        Under the cluster's own name of its topic.
        """
        spec = {kafka.TopicPartition(name, partition): admin.OffsetSpec.latest()}

        def end_at(level: Any) -> int:  # noqa: ANN401 - as above
            offsets = self._answers(lambda a: a.list_offsets(spec, isolation_level=level))
            return next(int(each.offset) for each in offsets.values())

        began, end = end_at(IsolationLevel.READ_COMMITTED), end_at(IsolationLevel.READ_UNCOMMITTED)
        return began if began < end else None

    def home_of_positions(self, group: str) -> tuple[str, int]:
        """The cluster's own topic and partition in which it keeps a group's positions."""
        topics = self.cluster.metadata().topics
        partitions = len(topics[_POSITIONS].partitions) if _POSITIONS in topics else 1
        return _POSITIONS, abs(_java_hash(self.cluster.name(group))) % partitions

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Where a group stands in each partition; of one where it never committed, nothing.

        Uses a consumer that joins no group, because the admin client's call can crash the process
        while a broker loads its groups.
        """
        places = [TopicPartition(topic, n) for n in range(self.partitions(topic))]
        partitions = [self.cluster.partition(place) for place in places]
        consumer = self.cluster.consumer(group, {})
        positions: list[Any] = []

        def heard() -> bool:
            nonlocal positions
            try:
                positions = consumer.committed(partitions, timeout=_ASK_S)
            except KafkaException as error:
                self.cluster.heard(error.args[0])
                return False
            return all(each.error is None for each in positions)

        try:
            self.cluster.wait_for(heard)
        finally:
            consumer.close()
        return {each.partition: each.offset for each in positions if each.offset >= 0}

    def first_since(self, places: Iterable[TopicPartition], ms: int) -> dict[TopicPartition, int]:
        """Return the first offset appended at or after `ms`; −1 where there is none."""
        return self._offsets(places, admin.OffsetSpec.for_timestamp(ms))

    def delete_before(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Delete the records before an offset of each partition."""
        partitions = [self.cluster.partition(place, offset) for place, offset in offsets.items()]
        self._answers(
            lambda a: a.delete_records(partitions),
            is_known=lambda deleted: deleted.low_watermark >= 0,
        )

    def _offsets(
        self,
        places: Iterable[TopicPartition],
        what: Any,  # noqa: ANN401 - as above
        **how: Any,  # noqa: ANN401 - as above
    ) -> dict[TopicPartition, int]:
        specs = {self.cluster.partition(place): what for place in places}
        if not specs:
            return {}
        # For a partition led by a dead broker the client returns OFFSET_INVALID without an error;
        # "no record that late" is another number.
        offsets = self._answers(
            lambda a: a.list_offsets(specs, **how),
            is_known=lambda offsets: offsets.offset != OFFSET_INVALID,
        )
        return {
            self.cluster.place(partition.topic, partition.partition): each.offset
            for partition, each in offsets.items()
        }

    def _answers(
        self,
        question: Callable[[Any], Mapping[Any, Any]],
        **how: Any,  # noqa: ANN401 - as above
    ) -> dict[Any, Any]:
        """Call `Cluster.answers`. Raises LogUnavailableError where the cluster refuses."""
        try:
            return self.cluster.answers(question, **how)
        except KafkaException as error:
            raise LogUnavailableError(self.cluster.address, error.args[0].str()) from error

    def _is_led(self, topic: Topic) -> bool:
        known = self.cluster.metadata().topics.get(self.cluster.name(topic.name))
        return (
            known is not None
            and len(known.partitions) == topic.partitions
            and all(partition.leader >= 0 for partition in known.partitions.values())
        )

    def _settings(self, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        if not names:
            return {}
        resources = [admin.ConfigResource(admin.ResourceType.TOPIC, name) for name in names]
        configs = self._answers(
            lambda a: a.describe_configs(resources), but=[KafkaError.UNKNOWN_TOPIC_OR_PART]
        )
        return {resource.name: settings for resource, settings in configs.items()}


def _java_hash(text: str) -> int:
    """`String.hashCode`, by which brokers choose the partition of a group."""
    units = text.encode("utf-16-be")
    hashed = 0
    for high, low in zip(units[::2], units[1::2], strict=True):
        hashed = (31 * hashed + (high << 8 | low)) & 0xFFFF_FFFF
    return hashed - (hashed >> 31 << 32)


def _config(topic: Topic) -> dict[str, str]:
    age, size = topic.retention_s, topic.retention_bytes
    limits = {
        "retention.ms": str(-1 if age is None else age * 1000),
        "retention.bytes": str(-1 if size is None else size),
    }
    if not topic.compacted:
        return limits | {"cleanup.policy": "delete"}
    return limits | {
        "cleanup.policy": "compact",
        # Only closed segments are compacted; of the default gibibyte none would ever close.
        "segment.bytes": str(_SEGMENT_BYTES),
        "segment.ms": str(_SEGMENT_S * 1000),
        "min.cleanable.dirty.ratio": "0.1",
        "delete.retention.ms": str(_SEGMENT_S * 1000),
    }


def _topic(name: str, partitions: int, settings: Mapping[str, Any]) -> Topic:
    age_ms, size = (int(settings[key].value) for key in ("retention.ms", "retention.bytes"))
    compacted = "compact" in settings["cleanup.policy"].value
    return Topic(
        name=name,
        partitions=partitions,
        retention_s=None if age_ms < 0 or compacted else age_ms // 1000,
        retention_bytes=None if size < 0 or compacted else size,
        compacted=compacted,
    )


def _refused(topic: Topic, error: KafkaException) -> BadInputError:
    return BadInputError(
        f"topic {topic.name}", f"the cluster refuses it ({error.args[0].str()})", "Ask its operator"
    )
