"""The durable log: topics of keyed, ordered records, consumer groups and atomic commits.

`Log` says what a log is; `tests/log/test_contract.py` says it in tests, and every implementation
passes that suite unchanged. SQLite (`log/sqlite.py`) is the embedded one and needs no server;
Apache Kafka (`log/kafka/`) is for what outgrows one machine.

What holds for every log:

1.  A record that `append` or `commit` returned for is durable: it survives SIGKILL. Others may read
    it a moment before, and what they write of it is never durable without it.
2.  All records of one key lie in one partition, in the order they were written. The partition is
    `partition_of(key, partitions)`, the same on every log.
3.  `commit` is all or nothing: outputs, checkpoints and the group's position stand together or
    not at all. So a worker that crashed and restarted leaves the outputs of one that never did.
4.  A partition of a topic belongs to at most one member of a group at a time. A member that lost
    one without knowing (it slept, it was replaced) gets `FencedError` and nothing is written.
5.  A new group starts at the oldest record: nothing is skipped by arriving late.
6.  What retention removed is never skipped in silence: reading it raises `OffsetGapError`.
7.  A producer's name belongs to the handle that last took it. An earlier one that still writes (it
    slept, it was started twice) gets `ReplacedProducerError` and nothing is written.
8.  Offsets of a partition grow; they may have holes. A record comes back as it was written, with
    the log's own `APPENDED_TIME` added to its headers (in place of one that the writer put there).
    Records may share their headers: they are read, never changed.

A `Log` may be used by several threads, a `Member` by one at a time.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol
from zlib import crc32

import msgspec

from barograph.errors import BadInputError, MissingExtraError, UnsupportedLogError
from barograph.types import Message, Record, TopicPartition

MAX_VALUE_BYTES = 8 << 20
"""A larger value or checkpoint is refused by every log."""

Checkpoints = Mapping[str, bytes | None]
"""The checkpoints of one owner by key, as they are written: None removes one."""


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """What a topic promises. None keeps without limit; limits hold for each partition.

    `retention_s` is the age since APPENDED_TIME from which a record may go, `retention_bytes` the
    bytes of values that are kept at most. Of a `compacted` topic a record may go once a later one
    has its key; such a topic has no other limit. Names are of 1-200 letters, digits, '.', '_' and
    '-', and do not begin with "__".
    """

    name: str
    partitions: int = 1
    retention_s: int | None = None
    retention_bytes: int | None = None
    compacted: bool = False


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """What one partition holds: offsets in [oldest, next), in so many copies.

    `in_sync` of the `replicas` have all that was acknowledged.
    """

    partition: int
    oldest: int
    next: int
    replicas: int = 1
    in_sync: int = 1


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What `poll` brought.

    `revoked` are the partitions taken away since the last poll; forget their state first.
    `assigned` are those that became this member's since, each with the checkpoints last committed
    for it; restore them before using the records. A partition may stand in both: it was lost and
    came back, so what was done with it since the last commit is void. `records` are in offset order
    within each partition and only of partitions that are this member's.
    """

    records: Sequence[Record] = ()
    assigned: Mapping[TopicPartition, Mapping[str, bytes]] = {}
    revoked: frozenset[TopicPartition] = frozenset()


class Member(Protocol):
    """One consumer of a group. Its cycle is poll → work → commit → poll."""

    def poll(self, limit: int, timeout_s: float, linger_s: float = 0.0) -> Batch:
        """Up to `limit` records that come after the last polled ones, waiting up to `timeout_s`.

        linger_s: for how long the first record that is waited for may be left alone, so that others
        come with it and whoever is in a hurry has the processor; a log may pay no attention to it.
        Returns early with whatever is there, also with a change of partitions alone; an empty batch
        after the time-out. The first polls join the group: it may take several until partitions
        come. Polling again without a commit goes on in memory: what was polled and not committed is
        read again only after a crash or a change of owner. Partitions move to other members in
        polls; one whose records are all committed when this member polls is never fenced for that.
        Raises OffsetGapError when the next record is gone.
        """

    def commit(
        self,
        outputs: Iterable[Message] = (),
        checkpoints: Mapping[TopicPartition, Checkpoints] | None = None,
    ) -> None:
        """Write in one step: outputs, changed checkpoints, the position after all that was polled.

        Checkpoints are merged by key: a key not named keeps its last value, one that is None is
        removed. A checkpoint belongs to (group, partition, key) and comes back with the partition's
        assignment.
        Raises FencedError, and writes nothing, when a polled partition, or one of the checkpoints,
        is no longer this member's. After it the next polls give all partitions anew (`revoked`,
        then `assigned`), so that fenced work starts again from what was committed.
        Raises UnknownTopicError, or BadInputError for a value or a checkpoint that is too large,
        and writes nothing; the commit can be tried again.
        """

    def pass_over(self) -> None:
        """Mark what was polled as done without output: its position goes with the next commit.

        A log may write it at once. Until it is written, who takes a partition polls these records
        again; nobody is fenced for that. Raises FencedError as `commit` does where a partition went
        with records that were neither committed nor passed over.
        """

    def lag(self) -> dict[TopicPartition, int]:
        """For each of this member's partitions: from the next record to poll to the end."""

    def leave(self) -> None:
        """Give all partitions back at once, without waiting for a time-out. Idempotent."""


class LogReader(Protocol):
    """Reads chosen partitions of several topics onwards, without a group. Not thread-safe."""

    @property
    def positions(self) -> Mapping[TopicPartition, int]:
        """The next offset to read of each partition."""

    def take(self, limit: int, timeout_s: float) -> list[Record]:
        """Up to `limit` records, in offset order within a partition.

        Returns as soon as there are some, and perhaps empty before `timeout_s` is over. Raises
        OffsetGapError when the next record is gone; a new one goes on at the oldest.
        """

    def close(self) -> None:
        """Release the connection. Idempotent."""


class Log(Protocol):
    """See the module's text for what every log promises.

    `address` is where it stands, as `open_log` takes it.
    """

    address: str

    def create(self, topic: Topic, *, replication: int | None = None) -> None:
        """Make a topic, or change the retention of an existing one; partitions stay as they are.

        replication: on how many machines each record of a new topic stands; None is the log's own
        choice. Raises BadInputError when the topic exists with another number of partitions or is
        compacted and should not be (or the other way round), when its name or limits make no sense,
        or there are not so many machines.
        """

    def topics(self) -> list[Topic]:
        """Return all topics, ordered by name."""

    def extents(self, topic: str) -> list[Extent]:
        """Return what each partition holds, in order. Raises UnknownTopicError."""

    def append(
        self,
        messages: Iterable[Message],
        *,
        producer: str = "",
        checkpoints: Checkpoints | None = None,
    ) -> None:
        """Write messages durably and, in the same step, where their producer stands.

        A producer that reads its checkpoints back after a crash goes on without repeating or
        missing a message. Checkpoints are merged by key, None removes one; they need a producer's
        name (BadInputError). Raises before anything is written: UnknownTopicError, BadInputError
        for a value or a checkpoint that is too large, ReplacedProducerError when another handle has
        taken the producer's name.
        """

    def producer_checkpoints(self, producer: str, *, take: bool = True) -> dict[str, bytes]:
        """Return the checkpoints that `producer` last wrote; empty for a new one.

        Claims the name: an earlier handle's next append raises ReplacedProducerError. Pass
        `take=False` to read without claiming it.
        """

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Records from `offset` on, without a group. Empty at the end of the partition.

        Raises UnknownTopicError, and OffsetGapError when `offset` is older than the oldest kept.
        """

    def follow(self, positions: Mapping[TopicPartition, int]) -> LogReader:
        """Read these partitions from these offsets onwards, on a connection of its own.

        The caller closes what it gets before the log. Raises UnknownTopicError.
        """

    def join(self, group: str, topics: Sequence[str]) -> Member:
        """Become a member of a group that shares the partitions of `topics` among its members.

        All members of a group name the same topics. Raises UnknownTopicError.
        """

    def positions(self, group: str, topic: str) -> dict[int, int]:
        """Where a group stands: of each partition the next offset after what it committed.

        A partition without a commit is left out. Does not join the group. Raises UnknownTopicError.
        """

    def retain(self) -> int:
        """Remove what the topics' retention no longer keeps; returns how many offsets went.

        What a compacted topic need not keep may go now or later.
        """

    def close(self) -> None:
        """Release everything; members of this log leave. Idempotent."""


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key: the CRC-32 of its UTF-8, modulo `partitions`."""
    return crc32(key.encode()) % partitions


def check_topic(topic: Topic) -> None:
    """Raise BadInputError unless every log could keep such a topic."""
    if not re.fullmatch(r"(?!__)[A-Za-z0-9._-]{1,200}", topic.name) or topic.name in {".", ".."}:
        why = "a topic's name is 1-200 letters, digits, '.', '_' and '-', without '__' in front"
    elif topic.partitions < 1:
        why = f"{topic.partitions} partitions are none"
    elif min(topic.retention_s or 0, topic.retention_bytes or 0) < 0:
        why = "a retention is not negative"
    elif topic.compacted and (topic.retention_s is not None or topic.retention_bytes is not None):
        why = "a compacted topic keeps the last record of each key, so it has no retention"
    else:
        return
    raise BadInputError(f"topic {topic.name!r}", why, "Choose another")


def check_same(known: Topic, wanted: Topic) -> None:
    """Raise BadInputError where an existing topic cannot become the wanted one."""
    if known.partitions != wanted.partitions:
        why = f"it has {known.partitions} partitions and cannot have {wanted.partitions}"
    elif known.compacted != wanted.compacted:
        why = f"it is {'' if known.compacted else 'not '}compacted, and that stays"
    else:
        return
    raise BadInputError(f"topic {known.name}", why, "Keep it so, or start a new topic")


def check_append(
    messages: Iterable[Message], producer: str, checkpoints: Checkpoints | None
) -> list[Message]:
    """Return an append's messages. Raises BadInputError for one that no log takes."""
    if checkpoints and not producer:
        raise BadInputError("append", "checkpoints belong to a producer", "Name the producer")
    listed = list(messages)
    check_values(listed)
    check_checkpoints(f"producer {producer}", checkpoints or {})
    return listed


def check_partition(topic: str, number: int, partitions: int) -> None:
    """Raise BadInputError unless a topic of so many partitions has this one."""
    if not 0 <= number < partitions:
        raise BadInputError(
            f"{topic}/{number}", f"{topic} has {partitions} partitions", "Count from 0"
        )


def check_values(messages: Iterable[Message]) -> None:
    """Raise BadInputError for a value that no log takes."""
    for message in messages:
        if len(message.value) > MAX_VALUE_BYTES:
            raise BadInputError(
                f"a record for {message.topic}",
                f"its value of {len(message.value)} bytes is over the {MAX_VALUE_BYTES} allowed",
                "Send less in one record",
            )


def check_checkpoints(owner: str, checkpoints: Checkpoints) -> None:
    """Raise BadInputError for a checkpoint that no log takes."""
    for name, state in checkpoints.items():
        size = len(state or b"")
        if size > MAX_VALUE_BYTES:
            raise BadInputError(
                f"checkpoint {name!r} of {owner}",
                f"its {size} bytes are over the {MAX_VALUE_BYTES} allowed",
                "Keep less state under one key",
            )


def file_of(address: str | Path) -> Path | None:
    """The file of an embedded log's address; None for the address of another kind."""
    text = str(address)
    if text.startswith("sqlite:///"):
        path = Path(text.removeprefix("sqlite:///"))
        if not path.name:
            raise UnsupportedLogError(text)
        return path
    return None if "://" in text else Path(text) / "log.sqlite"


def open_log(address: str | Path, *, lease_s: float = 30.0, live: bool = False) -> Log:
    """Open a directory's `log.sqlite`, a `sqlite:///path`, or `kafka://host:port,…[/namespace]`.

    A new file is named in full (`sqlite:////srv/log.sqlite`): one that is named from the
    working directory must be there (BadInputError).

    lease_s: after how long without a poll a living member loses its partitions to others.
    live: LogUnavailableError comes sooner, for a feed that archives meanwhile: after 3 s instead
    of 30 from SQLite, after 15 s instead of 60 from Kafka.
    Raises UnsupportedLogError for another address, MissingExtraError without a client for it.
    """
    if str(address).startswith("kafka://"):
        try:
            from barograph.log.kafka import KafkaLog  # noqa: PLC0415 - each log loads its client
        except ModuleNotFoundError as error:
            if error.name != "confluent_kafka":
                raise
            raise MissingExtraError(str(address), "kafka") from error
        return KafkaLog(str(address), wait_s=15.0 if live else 60.0, lease_s=lease_s)
    path = file_of(address)
    if path is None:
        raise UnsupportedLogError(str(address))
    if str(address).startswith("sqlite:///") and not path.is_absolute() and not path.exists():
        raise BadInputError(
            str(address),
            f"three slashes name a file below the working directory, and there is no "
            f"{path.absolute()}",
            f"Name a new file in full (sqlite:///{path.absolute()}), or sqlite:////{path} for "
            f"/{path}",
        )
    from barograph.log.sqlite import SqliteLog  # noqa: PLC0415 - each log loads its own client

    return SqliteLog(path, wait_s=3.0 if live else 30.0, lease_s=lease_s)
