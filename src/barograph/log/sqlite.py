"""The embedded log: one SQLite file, no server, any number of processes on one machine.

What stands behind it: `database.py` the connection and what is durable, `records.py` the records,
`member.py` consumer groups and the commit, `presence.py` who is alive.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from barograph.errors import BadInputError, ReplacedProducerError
from barograph.log import Checkpoints, Extent, Topic, check_append, check_same, check_topic
from barograph.log.arrivals import arrivals_of, release
from barograph.log.database import Database
from barograph.log.group import Lease
from barograph.log.member import SqliteMember
from barograph.log.reader import SqliteReader
from barograph.log.records import Records
from barograph.types import NS_PER_S, Message, Record, TopicPartition

_TRIM_RECORDS = 2_000  # a few ms in which other writers wait


class SqliteLog:
    """The log in the file `path`, made when absent; a `barograph.log.Log`.

    wait_s: how long a writer waits for others before LogUnavailableError.
    lease_s: after how long without poll or commit a living member loses its partitions to others;
    a dead one loses them at once.
    clock_ns: the wall clock of APPENDED_TIME and of retention by age.
    lease_clock_ns: the clock of leases; must be the same in all processes of the machine.
    """

    def __init__(
        self,
        path: Path,
        *,
        wait_s: float = 30.0,
        lease_s: float = 30.0,
        clock_ns: Callable[[], int] = time.time_ns,
        lease_clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._path, self._wait_s = path, wait_s
        self.address = f"sqlite:///{path.absolute()}"
        self._clock_ns = clock_ns
        self._lease = Lease(path.with_name(path.name + "-members"), lease_s, lease_clock_ns)
        self._database = Database(path, wait_s)
        self._arrivals = arrivals_of(path)
        self._records = Records(self._database)
        self._members: list[SqliteMember] = []
        self._epochs: dict[str, int] = {}
        """Of each producer's name that this handle took."""
        self._lock = threading.Lock()
        self._closed = False

    def create(self, topic: Topic, *, replication: int | None = None) -> None:
        """See `Log.create`."""
        check_topic(topic)
        if replication is not None and replication != 1:
            raise BadInputError(
                f"topic {topic.name}",
                f"an embedded log has one copy of a record, not {replication}",
                "Leave the replication out, or use Kafka (--log kafka://…)",
            )
        with self._lock, self._database.write():
            known = {each.name: each for each in self._topics()}.get(topic.name)
            if known is not None:
                check_same(known, topic)
            self._database.change(
                "put_topic", topic.name, topic.partitions, topic.retention_s, topic.retention_bytes
            )
            if known is None:
                self._database.change_many(
                    "add_partition", [(topic.name, number) for number in range(topic.partitions)]
                )
                if topic.compacted:
                    self._database.change("compact_topic", topic.name)

    def topics(self) -> list[Topic]:
        """See `Log.topics`."""
        with self._lock:
            return self._topics()

    def extents(self, topic: str) -> list[Extent]:
        """See `Log.extents`."""
        with self._lock:
            self._records.partitions(topic)
            return [
                Extent(partition=number, oldest=oldest, next=end)
                for number, oldest, end in self._database.rows("extents", topic)
            ]

    def append(
        self,
        messages: Iterable[Message],
        *,
        producer: str = "",
        checkpoints: Checkpoints | None = None,
    ) -> None:
        """See `Log.append`: one transaction and one fsync for the whole call."""
        # Read before locking: the iterable may be slow or use this log itself.
        messages = check_append(messages, producer, checkpoints)
        if not messages and not checkpoints:
            return
        ends: dict[int, int] = {}
        with self._lock, self._database.write(lambda: self._arrivals.grew(ends)):
            if producer:
                self._own(producer)
            ends = self._records.write(messages, self._clock_ns())
            states = (checkpoints or {}).items()
            self._database.change_many(
                "put_producer_checkpoint",
                [(producer, name, state) for name, state in states if state is not None],
            )
            self._database.change_many(
                "remove_producer_checkpoint",
                [(producer, name) for name, state in states if state is None],
            )

    def producer_checkpoints(self, producer: str, *, take: bool = True) -> dict[str, bytes]:
        """See `Log.producer_checkpoints`."""
        with self._lock:
            if not take:
                return dict(self._database.rows("producer_checkpoints", producer))
            with self._database.write():
                self._take(producer)
                return dict(self._database.rows("producer_checkpoints", producer))

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """See `Log.read`."""
        with self._lock, self._database.snapshot():
            return self._records.read(topic, partition, offset, limit)

    def follow(self, positions: Mapping[TopicPartition, int]) -> SqliteReader:
        """See `Log.follow`."""
        return SqliteReader(Database(self._path, self._wait_s), self._arrivals, positions)

    def join(self, group: str, topics: Sequence[str]) -> SqliteMember:
        """See `Log.join`. The member has a connection of its own, so threads do not share one."""
        with self._lock:
            for topic in topics:
                self._records.partitions(topic)
            database = Database(self._path, self._wait_s)
            member = SqliteMember(
                database, self._arrivals, group, topics, self._lease, self._clock_ns
            )
            self._members.append(member)
            return member

    def positions(self, group: str, topic: str) -> dict[int, int]:
        """See `Log.positions`."""
        with self._lock:
            self._records.partitions(topic)
            return dict(self._database.rows("positions", group, topic))

    def retain(self) -> int:
        """See `Log.retain`. In short transactions, so that writers hardly wait."""
        with self._lock:
            trimmed = sum(
                self._trim(partition, retention_s, retention_bytes)
                for partition, retention_s, retention_bytes in self._database.rows(
                    "limited_partitions"
                )
            )
            return trimmed + sum(
                self._compact(partition)
                for (partition,) in self._database.rows("compacted_partitions")
            )

    def close(self) -> None:
        """See `Log.close`."""
        with self._lock:
            while self._members:
                self._members.pop().close()
            self._database.close()
            if not self._closed:
                self._closed = True
                release(self._arrivals)

    def _topics(self) -> list[Topic]:
        return [
            Topic(
                name=name,
                partitions=partitions,
                retention_s=retention_s,
                retention_bytes=retention_bytes,
                compacted=bool(compacted),
            )
            for name, partitions, retention_s, retention_bytes, compacted in self._database.rows(
                "topics"
            )
        ]

    def _take(self, producer: str) -> None:
        self._epochs[producer] = self._database.rows("take_producer", producer)[0][0]

    def _own(self, producer: str) -> None:
        """Raise ReplacedProducerError unless the name is still this handle's; take it if new."""
        if producer not in self._epochs:
            self._take(producer)
        elif self._database.rows("producer_epoch", producer) != [(self._epochs[producer],)]:
            raise ReplacedProducerError(producer)

    def _compact(self, partition: int) -> int:
        with self._database.write():
            return self._records.compact(partition)

    def _trim(self, partition: int, retention_s: int | None, retention_bytes: int | None) -> int:
        older_than_ns = None if retention_s is None else self._clock_ns() - retention_s * NS_PER_S
        removed, gone = 0, _TRIM_RECORDS
        while gone == _TRIM_RECORDS:
            with self._database.write():
                gone = self._records.trim(partition, older_than_ns, retention_bytes, _TRIM_RECORDS)
            removed += gone
        return removed
