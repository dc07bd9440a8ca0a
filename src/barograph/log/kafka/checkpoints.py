"""Checkpoints of groups and producers: the last of each key of one compacted topic.

They are written in the transaction of what they belong to. All of one owner lie in one partition,
which is read through when the owner changes; compaction keeps it short. A header names the identity
of the topic that they speak of: those of a topic that was deleted mean nothing to one of its name.
"""

from collections.abc import Iterable

import msgspec

from barograph.log import Checkpoints, Topic, partition_of
from barograph.log.kafka.reader import TAKEN, WAIT_S, PartitionReader
from barograph.log.kafka.topics import OutgoingRecord, Topics
from barograph.log.kafka.watch import Identities
from barograph.types import Record, TopicPartition

CHECKPOINTS = Topic(name="__checkpoints", partitions=5, compacted=True)
_REMOVED, _OF = "removed", "topic_id"


class CheckpointOwner(msgspec.Struct, frozen=True, array_like=True):
    """Whose checkpoint: a group's for a partition, or a producer's (no topic, partition −1)."""

    name: str
    topic: str = ""
    partition: int = -1


_key = msgspec.json.Decoder(tuple[CheckpointOwner, str])


def outgoing(
    topics: Topics, owner: CheckpointOwner, states: Checkpoints, identity: str = ""
) -> list[OutgoingRecord]:
    """Return checkpoints as records, to be written with what they belong to.

    identity: that of the owner's topic.
    """
    home = _home(topics, owner)
    of_topic = {_OF: identity} if identity else {}
    return [
        OutgoingRecord(
            topics.cluster.name(home.topic),
            home.partition,
            msgspec.json.encode((owner, name)).decode(),
            state,
            of_topic if state is not None else {**of_topic, _REMOVED: ""},
        )
        for name, state in states.items()
    ]


class Restoring:
    """Reads some owners' checkpoints back in steps; `checkpoints` is complete after the last.

    What was written for them before this was made is read: where a transaction is still open, once
    it is known how that ends. `identities` are those of the owners' topics; what speaks of another
    one is left out. Not thread-safe.
    """

    def __init__(
        self,
        topics: Topics,
        owners: Iterable[CheckpointOwner],
        identities: Identities | None = None,
    ) -> None:
        self.checkpoints: dict[CheckpointOwner, dict[str, bytes]] = {owner: {} for owner in owners}
        self._identities = identities
        homes = {_home(topics, owner) for owner in self.checkpoints}
        self._ends = topics.ends(homes)
        self._reader = PartitionReader(
            topics, ", ".join(sorted({owner.name for owner in self.checkpoints}))
        )
        self._reader.follow(topics.oldest(homes))

    def step(self, timeout_s: float) -> bool:
        """Read on for about so many seconds; return whether everything is read."""
        for record in self._reader.take(TAKEN, 0 if self._is_done() else timeout_s):
            owner, name = _key.decode(record.key)
            if owner not in self.checkpoints or self._is_of_another(owner, record):
                continue
            if _REMOVED in record.headers:
                self.checkpoints[owner].pop(name, None)
            else:
                self.checkpoints[owner][name] = record.value
        return self._is_done()

    def close(self) -> None:
        """Release the connection."""
        self._reader.close()

    def _is_of_another(self, owner: CheckpointOwner, record: Record) -> bool:
        of = record.headers.get(_OF)
        return bool(of and self._identities and self._identities.of(owner.topic) != of)

    def _is_done(self) -> bool:
        return all(self._reader.reached(home) >= end for home, end in self._ends.items())


def restored(topics: Topics, owner: CheckpointOwner) -> dict[str, bytes]:
    """Return the checkpoints of one owner; makes no topic where there are none yet.

    Raises LogUnavailableError when no broker answers, OpenTransactionError when a writer holds it
    up.
    """
    if not topics.has(CHECKPOINTS.name):
        return {}
    restoring = Restoring(topics, [owner])
    try:
        while not restoring.step(WAIT_S):
            continue
    finally:
        restoring.close()
    return restoring.checkpoints[owner]


def _home(topics: Topics, owner: CheckpointOwner) -> TopicPartition:
    """Where an owner's checkpoints lie; the topic is made when it is first needed."""
    if not topics.has(CHECKPOINTS.name):
        topics.create(CHECKPOINTS)
    text = f"{owner.name}/{owner.topic}/{owner.partition}"
    partitions = topics.partitions(CHECKPOINTS.name)
    return TopicPartition(CHECKPOINTS.name, partition_of(text, partitions))
