"""Consumer groups on Kafka: who reads which partition, and the commit.

Two consumers stand behind a member. One belongs to the group and never fetches: the broker gives it
partitions, takes them, and knows its generation. The other reads those partitions from where the
group stands. So a partition that comes or goes does not touch the reading of those that stay, and
one that comes is read only when its position is settled and its checkpoints are there: a
transaction that its former owner left open has first to end.

A commit is one transaction of outputs, checkpoints and positions. The broker refuses it when the
member is no longer of the group's generation (KIP-447), so who slept and was replaced writes
nothing. Assignment is cooperative and sticky (KIP-429): nobody stops for a rebalance.
"""

import time
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import confluent_kafka as kafka

from barograph.errors import (
    FencedError,
    LogUnavailableError,
    OffsetGapError,
    ReplacedProducerError,
)
from barograph.log import Batch, Checkpoints, check_checkpoints, check_values
from barograph.log.kafka.checkpoints import CheckpointOwner, Restoring, outgoing
from barograph.log.kafka.cluster import release
from barograph.log.kafka.reader import PartitionReader
from barograph.log.kafka.topics import Topics
from barograph.log.kafka.transactions import Expelled, Transactions
from barograph.log.kafka.watch import POSITIONS_LIMIT_S, Identities, open_commit
from barograph.types import Message, Record, TopicPartition

_SESSION_S, _HEARTBEAT_S = 10.0, 0.5
_LOOK_S = 0.05  # so often a waiting member hears of the group
_RESTORE_S = 0.02  # so long at most the held partitions wait for one that comes
_ASK_S = 0.5
_LOOK_ROUND_S = 5.0
_ANEW_S = 8.0
_UNDONE_S = 10.0  # so long the heirs of one who died in its commit wait; who lives starts anew


class _Claim:
    """A partition that this member reads. `position` is the next offset to poll.

    Before `done` all is committed or passed over, before `committed` the cluster knows it.
    """

    __slots__ = ("committed", "done", "position")

    def __init__(self, position: int) -> None:
        self.position = self.done = self.committed = position


class KafkaMember:
    """One consumer of a group; a `barograph.log.Member`. It joins with its first poll."""

    def __init__(self, topics: Topics, group: str, names: Sequence[str], lease_s: float) -> None:
        self._topics, self._cluster, self._group = topics, topics.cluster, group
        self._names = sorted(set(names))
        self._lease_s = lease_s
        self._membership: Any = None
        self._id: str | None = None
        self._reader: PartitionReader | None = None
        self._transactions = Transactions(
            topics.cluster, f"{group}.{uuid.uuid4().hex}", group, _UNDONE_S
        )
        self._held: dict[TopicPartition, _Claim] = {}
        self._coming: set[TopicPartition] = set()
        self._positions: dict[TopicPartition, int] = {}
        self._restoring: Restoring | None = None
        self._identities = Identities(topics, f"group {group}")
        self._identities.learn(self._names)
        self._asked_s: float | None = None
        """Since when the cluster does not tell the positions of what comes."""
        self._joined_s = 0.0
        self._looked_s = time.monotonic()
        self._assigned: dict[TopicPartition, Mapping[str, bytes]] = {}
        self._revoked: set[TopicPartition] = set()
        self._void: set[TopicPartition] = set()
        """Partitions that went while polled records of them were not committed."""

    def poll(self, limit: int, timeout_s: float, linger_s: float = 0.0) -> Batch:  # noqa: ARG002
        """See `Member.poll`; the client fetches in a thread of its own, whoever waits for it."""
        end_s = time.monotonic() + timeout_s
        wait_s = 0.0
        while True:
            self._attend(0.0 if self._held else wait_s)
            self._settle()
            if not self._held:
                self._look()
            records = self._take(limit, wait_s)
            left_s = end_s - time.monotonic()
            if records or self._assigned or self._revoked or left_s <= 0:
                batch = Batch(
                    records=records, assigned=self._assigned, revoked=frozenset(self._revoked)
                )
                self._assigned, self._revoked = {}, set()
                return batch
            wait_s = min(left_s, _LOOK_S)

    def commit(
        self,
        outputs: Iterable[Message] = (),
        checkpoints: Mapping[TopicPartition, Checkpoints] | None = None,
    ) -> None:
        """See `Member.commit`. One transaction.

        1. Outputs and checkpoints go to their partitions.
        2. The positions of all held partitions go to the group's coordinator, with this member's
           standing in the group; it refuses one who is not in it any more.
        3. The transaction's coordinator makes all of it readable, or none.
        """
        outputs, checkpoints = list(outputs), checkpoints or {}
        check_values(outputs)
        for place, states in checkpoints.items():
            check_checkpoints(f"group {self._group} at {place.topic}/{place.partition}", states)
        moved = any(claim.position != claim.committed for claim in self._held.values())
        if not (self._void or moved or outputs or checkpoints):
            return
        if foreign := self._void | (checkpoints.keys() - self._held.keys()):
            self._fence(foreign)
        records = self._topics.placed(outputs)
        for place, states in checkpoints.items():
            identity = self._identities.of(place.topic)
            records += outgoing(self._topics, self._owner(place), states, identity)
        positions = {
            place: (claim.position, self._identities.of(place.topic))
            for place, claim in self._held.items()
        }
        try:
            if positions:
                self._transactions.commit(records, positions, self._standing)
            else:
                self._transactions.append(records)
        except (Expelled, ReplacedProducerError):
            self._fence(positions)
        for claim in self._held.values():
            claim.committed = claim.done = claim.position

    def pass_over(self) -> None:
        """See `Member.pass_over`. No transaction, for whose end the next one would wait."""
        if self._void:
            self._fence(self._void)
        for claim in self._held.values():
            claim.done = claim.position

    def lag(self) -> dict[TopicPartition, int]:
        """See `Member.lag`. One question to each broker that leads a partition."""
        if self._reader is None:
            return {}
        return {
            place: max(0, end - self._reader.reached(place))
            for place, end in self._topics.ends(self._held).items()
        }

    def leave(self) -> None:
        """See `Member.leave`. A later poll joins again."""
        self._vanish()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._transactions.close()

    # The group.

    def _attend(self, timeout_s: float) -> None:
        """Poll the group's consumer, which calls the callbacks below."""
        if self._membership is None:
            session_s = min(_SESSION_S, self._lease_s)
            self._membership = self._cluster.consumer(
                self._group,
                {
                    "partition.assignment.strategy": "cooperative-sticky",
                    "max.poll.interval.ms": round(self._lease_s * 1000),
                    "session.timeout.ms": round(session_s * 1000),
                    # The heartbeat's answer tells a member that another came or went.
                    "heartbeat.interval.ms": round(min(_HEARTBEAT_S, session_s / 4) * 1000),
                },
            )
            self._membership.subscribe(
                [self._cluster.name(topic) for topic in self._names],
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_revoke,
            )
        for message in self._membership.consume(100, timeout_s):
            error = message.error()
            if error is not None and error.fatal():
                raise LogUnavailableError(self._cluster.address, error.str())

    def _on_assign(self, membership: Any, partitions: list[Any]) -> None:  # noqa: ANN401 - confluent_kafka has no types
        if membership is not self._membership:
            return
        self._id = membership.memberid()
        for partition in partitions:
            partition.offset = kafka.OFFSET_END
        membership.incremental_assign(partitions)
        membership.pause(partitions)
        self._coming |= self._places(partitions)
        self._start_over()

    def _on_revoke(self, membership: Any, partitions: list[Any]) -> None:  # noqa: ANN401 - as above
        if membership is not self._membership:  # it is being closed
            return
        for place in self._places(partitions):
            self._give(place)
        self._start_over()
        membership.incremental_unassign(partitions)

    def _places(self, partitions: list[Any]) -> set[TopicPartition]:
        return {self._cluster.place(each.topic, each.partition) for each in partitions}

    def _give(self, place: TopicPartition) -> None:
        """Give a partition up; what was polled and is not done is void."""
        self._coming.discard(place)
        claim = self._held.pop(place, None)
        if claim is None:
            return
        if claim.position != claim.done:
            self._void.add(place)
        if self._assigned.pop(place, None) is None:
            self._revoked.add(place)
        if self._reader is not None:
            self._reader.drop(place)

    def _vanish(self) -> None:
        """Leave the group; a later poll joins anew."""
        old, self._membership = [self._membership], None
        release(old)
        for place in list(self._held):
            self._give(place)
        self._coming.clear()
        self._start_over()

    # Partitions that are assigned.

    def _settle(self) -> None:
        """Bring partitions that come a step nearer: their positions, then their checkpoints."""
        if not self._coming:
            return
        if self._restoring is None:
            positions = self._committed()
            if positions is None:
                self._wait_for_positions()
                return
            self._asked_s = None
            self._positions = positions
            owners = [self._owner(place) for place in sorted(self._coming)]
            self._restoring = Restoring(self._topics, owners, self._identities)
        if not self._restoring.step(_RESTORE_S):
            return
        if self._reader is None:
            self._reader = PartitionReader(self._topics, f"group {self._group}")
        for place in sorted(self._coming):
            self._held[place] = _Claim(self._positions[place])
            self._reader.add(place, self._positions[place])
            self._assigned[place] = self._restoring.checkpoints[self._owner(place)]
        self._coming.clear()
        self._start_over()

    def _start_over(self) -> None:
        """Discard what was read for the assigned partitions: the assignment has changed."""
        if self._restoring is not None:
            self._restoring.close()
            self._restoring = None

    def _committed(self) -> dict[TopicPartition, int] | None:
        """Return the group's positions in what is assigned; None while a transaction is open.

        Raises OffsetGapError when retention has gone past that.
        """
        partitions = [self._cluster.partition(place) for place in sorted(self._coming)]
        try:
            answers = self._membership.committed(partitions, timeout=_ASK_S)
        except kafka.KafkaException as error:
            self._cluster.heard(error.args[0])
            return None
        if any(answer.error is not None for answer in answers):
            return None
        oldest = self._topics.oldest(self._coming)
        positions = {}
        for answer in answers:
            place = self._cluster.place(answer.topic, answer.partition)
            # A position committed in a deleted topic of the same name is void.
            is_of_another = bool(answer.metadata) and answer.metadata != self._identities.of(
                place.topic
            )
            position = oldest[place] if answer.offset < 0 or is_of_another else answer.offset
            if position < oldest[place]:
                raise OffsetGapError(*place, position, oldest[place])
            positions[place] = position
        return positions

    def _wait_for_positions(self) -> None:
        """Join anew when the cluster does not tell them, and raise when that does not help either.

        A client whose broker came back may ask in vain for good; a new one does not.
        """
        now_s = time.monotonic()
        if self._asked_s is None:
            self._asked_s = self._joined_s = now_s
        elif now_s - self._asked_s >= POSITIONS_LIMIT_S:
            self._asked_s = None
            raise open_commit(self._topics, self._group, min(self._coming))
        elif now_s - self._joined_s >= _ANEW_S:
            self._joined_s = now_s
            self._vanish()

    def _look(self) -> None:
        """Whether the topics are still there: of one that is gone a group says nothing."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= _LOOK_ROUND_S:
            self._looked_s = now_s
            self._identities.check()

    def _take(self, limit: int, timeout_s: float) -> Sequence[Record]:
        if self._reader is None:
            return ()
        records = self._reader.take(limit, timeout_s)
        for place, claim in self._held.items():
            claim.position = self._reader.positions[place]
        return records

    # The commit.

    def _owner(self, place: TopicPartition) -> CheckpointOwner:
        return CheckpointOwner(self._group, place.topic, place.partition)

    def _standing(self) -> Any:  # noqa: ANN401 - as above
        standing = self._membership.consumer_group_metadata()
        # Asked in this order: who was expelled and is in again under another name has lost what it
        # held, whether it has heard of that or not.
        if self._membership.memberid() != self._id:
            raise Expelled
        return standing

    def _fence(self, lost: Collection[TopicPartition]) -> None:
        self._vanish()
        self._void.clear()
        raise FencedError(self._group, [f"{topic}/{n}" for topic, n in sorted(lost)])
