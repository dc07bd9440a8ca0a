"""Checkpoints of groups and producers: the last of each key of one compacted topic.

They are written in the transaction of what they belong to. All of one owner lie in one partition,
which is read through when the owner changes; compaction keeps it short.
"""

from collections.abc import Iterable, Mapping

import msgspec

from barograph.log import Topic, partition_of
from barograph.log.kafka.reader import Reader
from barograph.log.kafka.topics import Outgoing, Topics
from barograph.types import TopicPartition

CHECKPOINTS = Topic(name="__checkpoints", partitions=5, compacted=True)
_TAKEN = 10_000
_WAIT_S = 0.1


class Owner(msgspec.Struct, frozen=True, array_like=True):
    """Whose checkpoint: a group's for a partition, or a producer's (no topic, partition −1)."""

    name: str
    topic: str = ""
    partition: int = -1


_key = msgspec.json.Decoder(tuple[Owner, str])


def outgoing(topics: Topics, owner: Owner, states: Mapping[str, bytes]) -> list[Outgoing]:
    """Checkpoints on their way, to be written with what they belong to."""
    home = _home(topics, owner)
    return [
        Outgoing(
            topics.cluster.name(home.topic),
            home.partition,
            msgspec.json.encode((owner, name)).decode(),
            state,
            {},
        )
        for name, state in states.items()
    ]


class Restoring:
    """Reads back what stands for some owners, a piece at a time; `found` is right when it is done.

    What was written for them before this was made is read: where a transaction is still open, once
    it is known how that ends. For one thread at a time.
    """

    def __init__(self, topics: Topics, owners: Iterable[Owner]) -> None:
        self.found: dict[Owner, dict[str, bytes]] = {owner: {} for owner in owners}
        homes = {_home(topics, owner) for owner in self.found}
        self._ends = topics.ends(homes)
        self._reader = Reader(topics)
        self._reader.follow(topics.oldest(homes))

    def step(self, timeout_s: float) -> bool:
        """Read some more for about so long; says whether all is read."""
        for record in self._reader.take(_TAKEN, 0 if self._is_done() else timeout_s):
            owner, name = _key.decode(record.key)
            if owner in self.found:
                self.found[owner][name] = record.value
        return self._is_done()

    def close(self) -> None:
        """Release the connection."""
        self._reader.close()

    def _is_done(self) -> bool:
        return all(self._reader.reached(home) >= end for home, end in self._ends.items())


def restored(topics: Topics, owner: Owner) -> dict[str, bytes]:
    """What stands for one owner. Raises LogUnavailableError when that cannot be learned."""
    restoring = Restoring(topics, [owner])
    try:
        topics.cluster.wait_for(lambda: restoring.step(_WAIT_S))
    finally:
        restoring.close()
    return restoring.found[owner]


def _home(topics: Topics, owner: Owner) -> TopicPartition:
    """Where an owner's checkpoints lie; the topic is made when it is first needed."""
    if not topics.has(CHECKPOINTS.name):
        topics.create(CHECKPOINTS)
    text = f"{owner.name}/{owner.topic}/{owner.partition}"
    partitions = topics.partitions(CHECKPOINTS.name)
    return TopicPartition(CHECKPOINTS.name, partition_of(text, partitions))
