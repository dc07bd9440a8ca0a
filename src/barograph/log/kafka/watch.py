"""What a broker does not say to who waits: why nothing comes, and that a topic is another one.

Behind a transaction that nobody ends, committed records are not given, and a group's position is
not reported. A topic that was deleted and made again has the same name, and offsets that mean other
records.
"""

from collections.abc import Iterable

from barograph.errors import (
    LogUnavailableError,
    OpenTransactionError,
    TopicMadeAgainError,
    UnknownTopicError,
)
from barograph.log.kafka.topics import Topics
from barograph.types import TopicPartition

LIMIT_S = 150.0
"""How long a reader waits for a transaction: the slowest writer's is undone in half of that."""

POSITIONS_LIMIT_S = 60.0
"""How long a member waits for positions: only members write them, and theirs is undone in 10 s."""


class Identities:
    """The topics of one reader, `reader` in its errors, as they were when it first read them."""

    def __init__(self, topics: Topics, reader: str) -> None:
        self._topics, self._reader = topics, reader
        self._known: dict[str, str] = {}

    def learn(self, names: Iterable[str]) -> None:
        """Note the identities of topics that are not known yet."""
        if new := set(names) - self._known.keys():
            self._known |= self._topics.identities(new)

    def of(self, topic: str) -> str:
        """Return the id of a topic when it was first read; empty for one that did not exist."""
        return self._known.get(topic, "")

    def check(self) -> None:
        """Raise TopicMadeAgainError or UnknownTopicError unless all are what they were."""
        if not self._known:
            return
        identities = self._topics.identities(self._known)
        for topic, identity in self._known.items():
            if topic not in identities:
                raise UnknownTopicError(topic, [each.name for each in self._topics.topics()])
            if identities[topic] != identity:
                raise TopicMadeAgainError(self._reader, topic)


def open_transaction(
    topics: Topics, reader: str, place: TopicPartition
) -> OpenTransactionError | LogUnavailableError:
    """Return the error for a partition that has more records and gives none."""
    home = topics.cluster.name(place.topic), place.partition
    return _error(topics, reader, place, home, LIMIT_S)


def open_commit(
    topics: Topics, group: str, place: TopicPartition
) -> OpenTransactionError | LogUnavailableError:
    """Return the error for a partition whose group position the cluster does not report."""
    home = topics.home_of_positions(group)
    return _error(topics, f"group {group}", place, home, POSITIONS_LIMIT_S)


def _error(
    topics: Topics, reader: str, place: TopicPartition, home: tuple[str, int], waited_s: float
) -> OpenTransactionError | LogUnavailableError:
    name, partition = home
    began = topics.open_since(name, partition)
    if began is None:
        return LogUnavailableError(
            topics.cluster.address,
            f"{reader} heard nothing of {place.topic}/{place.partition} for {waited_s:g} s, though "
            "no transaction is open there. Start again",
        )
    return OpenTransactionError(
        reader,
        f"{place.topic}/{place.partition}",
        waited_s,
        # It finds the writer by the offset at which its transaction began.
        f"kafka-transactions.sh --bootstrap-server {topics.cluster.brokers} abort --topic {name} "
        f"--partition {partition} --start-offset {began}",
        topics.cluster.address,
    )
