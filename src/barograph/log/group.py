"""Who is in a consumer group of the embedded log, and what is whose: values, without writing.

The members of a group, ranked by when they joined, each have a quota of its partitions; quotas
differ by one at most. `survey` compares that with what a member holds.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from barograph.log.database import Database
from barograph.log.presence import is_present
from barograph.types import TopicPartition


class Lease(NamedTuple):
    """How members know of each other: by files in `folder`, each good for `lease_s`."""

    folder: Path
    lease_s: float
    clock_ns: Callable[[], int]

    def is_present(self, member: str) -> bool:
        """Whether the member's process lives and its lease has not ended."""
        return is_present(self.folder, member, self.clock_ns())


class Claim:
    """A partition that a member holds.

    `position` is the next offset to poll; all before `done` was committed or passed over, all
    before `committed` stands in the log.
    """

    __slots__ = ("committed", "done", "epoch", "partition", "position")

    def __init__(self, partition: int, epoch: int, position: int) -> None:
        self.partition, self.epoch = partition, epoch
        self.position = self.done = self.committed = position


class Survey(NamedTuple):
    """What a member must take and give back, by the state of its group.

    owes: whether it must give back more than it can, before a commit.
    """

    dead: list[str]
    lost: list[TopicPartition]
    give: list[TopicPartition]
    take: list[TopicPartition]
    owes: bool

    @property
    def is_settled(self) -> bool:
        """Whether nothing has to change now."""
        return not (self.dead or self.lost or self.give or self.take)


def survey(  # noqa: PLR0913 - the group as it stands, and the member
    database: Database,
    group: str,
    lease: Lease,
    me: str,
    held: Mapping[TopicPartition, Claim],
    partitions: Mapping[TopicPartition, int],
) -> Survey | None:
    """Return what is to do, or None when this member is not in the group (yet, or any more).

    me: the member's id. partitions: the id of each partition of the group's topics. Call it inside
    a transaction.
    """
    members = [row[0] for row in database.rows("members", group)]
    if me not in members:
        return None
    alive = [member for member in members if member == me or lease.is_present(member)]
    claims = {row[0]: (row[1], row[2]) for row in database.rows("claims", group)}
    lost: list[TopicPartition] = []
    kept: list[TopicPartition] = []
    for place, claim in held.items():
        ours = claims.get(claim.partition) == (me, claim.epoch)
        (kept if ours else lost).append(place)
    others = set(alive) - {me}
    free = [
        place
        for place, partition in partitions.items()
        if place not in kept and claims.get(partition, ("", 0))[0] not in others
    ]
    quota = share(len(partitions), len(alive), alive.index(me))
    settled = [place for place in kept if held[place].position == held[place].done]
    excess = max(len(kept) - quota, 0)
    return Survey(
        dead=[member for member in members if member not in alive],
        lost=lost,
        give=settled[::-1][:excess],
        take=free[: max(quota - len(kept), 0)],
        owes=len(settled) < excess,
    )


def share(partitions: int, members: int, rank: int) -> int:
    """How many of `partitions` the member of this rank (from 0) has; the first have one more."""
    return partitions // members + (rank < partitions % members)
