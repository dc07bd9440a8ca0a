"""The log on Apache Kafka: the same promises where one machine is not enough.

What stands behind it: `cluster.py` the address and its clients, `reader.py` committed records from
anywhere, `transactions.py` all-or-nothing writing, `checkpoints.py` the compacted topic of states,
`member.py` consumer groups and the commit, `retention.py` what is kept, `watch.py` what brokers do
not say to who waits, `advice.py` what the client's words about a connection mean.

Everything that is written, is written in a transaction, and only what was committed is read. Topics
made here have the broker's append time and one partition for `partition_of(key)`, whoever writes.
"""

import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence

from barograph.errors import OffsetGapError
from barograph.log import (
    Checkpoints,
    Extent,
    Topic,
    check_append,
    check_partition,
    check_same,
    check_topic,
)
from barograph.log.kafka.checkpoints import CheckpointOwner, outgoing, restored
from barograph.log.kafka.cluster import Cluster
from barograph.log.kafka.member import KafkaMember
from barograph.log.kafka.reader import PartitionReader
from barograph.log.kafka.retention import ClusterRetention
from barograph.log.kafka.topics import Topics
from barograph.log.kafka.transactions import Transactions
from barograph.log.kafka.watch import Identities
from barograph.types import Message, Record, TopicPartition

_READ_S = 0.1
_MORE_S = 15.0  # who gives up does so before the cluster undoes what it had open


class KafkaLog:
    """The log at `kafka://host:port,…[/namespace][?replication=N]`; a `barograph.log.Log`.

    The namespace goes before the name of every topic, group and producer on the cluster, so that
    several logs can share one. Without `replication`, new topics stand on three brokers, or on as
    many as there are.

    wait_s: how long the cluster may fail to answer before LogUnavailableError. Longer than the
    cluster takes to replace a broker, or that would end the work.
    lease_s: after how long without a poll a living member loses its partitions to others. A dead
    one loses them after ten seconds, or `lease_s` if that is less; brokers do not allow less than
    their `group.min.session.timeout.ms`, six seconds unless set.
    """

    def __init__(self, address: str, *, wait_s: float = 60.0, lease_s: float = 30.0) -> None:
        self.address = address
        self._cluster = Cluster(address, wait_s)
        self._topics = Topics(self._cluster)
        self._lease_s = lease_s
        self._retention = ClusterRetention(self._topics)
        self._reader: PartitionReader | None = None
        self._identities = Identities(self._topics, "this log's reader")
        self._producers: dict[str, Transactions] = {}
        self._members: list[KafkaMember] = []
        self._writing, self._reading, self._retaining = (threading.Lock() for _ in range(3))

    def create(self, topic: Topic, *, replication: int | None = None) -> None:
        """See `Log.create`."""
        check_topic(topic)
        known = {each.name: each for each in self._topics.topics()}.get(topic.name)
        if known is None:
            self._topics.create(topic, replication)
        else:
            check_same(known, topic)
            self._topics.change(topic)

    def topics(self) -> list[Topic]:
        """See `Log.topics`."""
        return self._topics.topics()

    def extents(self, topic: str) -> list[Extent]:
        """See `Log.extents`. What a transaction has still open counts as there."""
        places = [TopicPartition(topic, n) for n in range(self._topics.partitions(topic))]
        oldest, ends = self._topics.oldest(places), self._topics.ends(places)
        return [
            Extent(
                partition=place.partition,
                oldest=oldest[place],
                next=ends[place],
                replicas=replicas,
                in_sync=in_sync,
            )
            for place, (replicas, in_sync) in zip(places, self._topics.copies(topic), strict=True)
        ]

    def append(
        self,
        messages: Iterable[Message],
        *,
        producer: str = "",
        checkpoints: Checkpoints | None = None,
    ) -> None:
        """See `Log.append`: one transaction, acknowledged by all copies in sync."""
        messages = check_append(messages, producer, checkpoints)
        if not messages and not checkpoints:
            return
        records = self._topics.placed(messages)
        if checkpoints:
            records += outgoing(self._topics, _producer(producer), checkpoints)
        with self._writing:
            self._transactions(producer).append(records)

    def producer_checkpoints(self, producer: str, *, take: bool = True) -> dict[str, bytes]:
        """See `Log.producer_checkpoints`.

        Taking the name ends what an earlier handle left unfinished.
        """
        if take:
            with self._writing:
                self._transactions(producer).take()
        return restored(self._topics, _producer(producer))

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """See `Log.read`. Pages that follow each other are read ahead."""
        check_partition(topic, partition, self._topics.partitions(topic))
        place = TopicPartition(topic, partition)
        oldest, end = self._topics.oldest([place])[place], self._topics.ends([place])[place]
        if offset < oldest:
            raise OffsetGapError(topic, partition, offset, oldest)
        records: list[Record] = []
        with self._reading:
            self._identities.learn([topic])
            if offset > end:
                self._identities.check()
        if offset >= end or limit <= 0:
            return records
        with self._reading:
            reader = self._reader_at(place, offset)
            while len(records) < limit and reader.reached(place) < end:
                records += reader.take(limit - len(records), _READ_S)
        return records

    def follow(self, positions: Mapping[TopicPartition, int]) -> PartitionReader:
        """See `Log.follow`."""
        for topic in {place.topic for place in positions}:
            self._topics.partitions(topic)
        reader = PartitionReader(self._topics, "a follower")
        reader.follow(positions)
        return reader

    def join(self, group: str, topics: Sequence[str]) -> KafkaMember:
        """See `Log.join`."""
        for topic in topics:
            self._topics.partitions(topic)
        member = KafkaMember(self._topics, group, topics, self._lease_s)
        self._members.append(member)
        return member

    def positions(self, group: str, topic: str) -> dict[int, int]:
        """See `Log.positions`."""
        return self._topics.committed(group, topic)

    def retain(self) -> int:
        """See `Log.retain`. The brokers do it too, in their own time and by whole segments."""
        with self._retaining:
            return sum(self._retention.trim(topic) for topic in self._topics.topics())

    def close(self) -> None:
        """See `Log.close`."""
        while self._members:
            self._members.pop().leave()
        with self._writing:
            while self._producers:
                self._producers.popitem()[1].close()
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None
        with self._retaining:
            self._retention.close()
        self._cluster.close()

    def _transactions(self, producer: str) -> Transactions:
        if producer not in self._producers:
            # An anonymous producer is never resumed, so its identity needs no takeover.
            identity = f"producer.{producer}" if producer else f"append.{uuid.uuid4().hex}"
            undone_s = self._cluster.wait_s + _MORE_S  # who takes the name need not wait
            self._producers[producer] = Transactions(self._cluster, identity, producer, undone_s)
        return self._producers[producer]

    def _reader_at(self, place: TopicPartition, offset: int) -> PartitionReader:
        """Return a reader at this offset; one that is there already has read ahead."""
        if self._reader is None:
            self._reader = PartitionReader(self._topics)
        if self._reader.positions != {place: offset}:
            self._reader.follow({place: offset})
        return self._reader


def _producer(name: str) -> CheckpointOwner:
    return CheckpointOwner(f"producer/{name}")
