"""Consumer groups of the embedded log: who reads which partition, and the commit.

Partitions are shared out at poll. The members of a group, ranked by when they joined, each have a
quota; quotas differ by one at most. A member over its quota gives partitions back, but only those
whose records it has committed; one under its quota takes what is free. So nobody stops for a
rebalance, and nothing polled is taken from a member that keeps its lease. Every taking raises the
partition's epoch, and a commit checks owner and epoch in the very transaction that writes: an
earlier owner cannot write a thing.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from barograph.errors import BadInputError, CorruptLogError, FencedError, OffsetGapError
from barograph.log import Batch, Checkpoints, check_checkpoints, check_values
from barograph.log.arrivals import Arrivals
from barograph.log.database import Database
from barograph.log.presence import Presence, is_present, sweep
from barograph.log.records import Records
from barograph.types import NS_PER_S, Message, Record, TopicPartition

_LOOK_ROUND_S = 0.1
"""An idle member looks this often at its group, and whether the others still live."""


class Lease(NamedTuple):
    """How members know of each other: by files in `folder`, each good for `lease_s`."""

    folder: Path
    lease_s: float
    clock_ns: Callable[[], int]


class _Claim:
    """A partition that this member holds.

    `position` is the next offset to poll; all before `done` was committed or passed over, all
    before `committed` stands in the log.
    """

    __slots__ = ("committed", "done", "epoch", "partition", "position")

    def __init__(self, partition: int, epoch: int, position: int) -> None:
        self.partition, self.epoch = partition, epoch
        self.position = self.done = self.committed = position


class _Survey(NamedTuple):
    """What a member must take and give back, by the state of its group."""

    dead: list[str]
    lost: list[TopicPartition]
    give: list[TopicPartition]
    take: list[TopicPartition]


class SqliteMember:
    """One consumer of a group; a `barograph.log.Member`. It joins with its first poll."""

    def __init__(  # noqa: PLR0913 - what it reads through, and who it is
        self,
        database: Database,
        arrivals: Arrivals,
        group: str,
        topics: Sequence[str],
        lease: Lease,
        clock_ns: Callable[[], int],
    ) -> None:
        self._database, self._records = database, Records(database)
        self._arrivals = arrivals
        self._group, self._lease, self._clock_ns = group, lease, clock_ns
        self._topics = msgspec.json.encode(sorted(set(topics))).decode()
        self._partitions = {
            TopicPartition(topic, number): partition
            for topic in sorted(set(topics))
            for number, partition in enumerate(self._records.partitions(topic))
        }
        self._presence: Presence | None = None
        self._held: dict[TopicPartition, _Claim] = {}
        self._assigned: dict[TopicPartition, Mapping[str, bytes]] = {}
        self._revoked: set[TopicPartition] = set()
        self._void: set[TopicPartition] = set()
        """Partitions that went with records that were neither committed nor passed over."""

    def poll(self, limit: int, timeout_s: float) -> Batch:
        """See `Member.poll`."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            self._settle()
            records = self._fetch(limit)
            left_s = deadline_s - time.monotonic()
            if records or self._assigned or self._revoked or left_s <= 0:
                batch = Batch(
                    records=records,
                    assigned=self._assigned,
                    revoked=frozenset(self._revoked),
                )
                self._assigned, self._revoked = {}, set()
                return batch
            reached = {claim.partition: claim.position for claim in self._held.values()}
            self._arrivals.wait(reached, min(left_s, _LOOK_ROUND_S))

    def commit(
        self,
        outputs: Iterable[Message] = (),
        checkpoints: Mapping[TopicPartition, Checkpoints] | None = None,
    ) -> None:
        """See `Member.commit`. One transaction and one fsync.

        1. Every held partition's position moves on, where owner and epoch are still ours.
        2. One that is not ours undoes it all, and this member starts anew.
        3. Outputs are appended, checkpoints replaced.
        """
        outputs, checkpoints = list(outputs), checkpoints or {}
        check_values(outputs)
        for place, states in checkpoints.items():
            check_checkpoints(f"group {self._group} at {place.topic}/{place.partition}", states)
        moved = any(claim.position != claim.committed for claim in self._held.values())
        if not (self._void or moved or outputs or checkpoints):
            return
        self._fence(self._void | (checkpoints.keys() - self._held.keys()))
        with self._database.write():
            self._fence(self._advance_all())
            ends = self._write(outputs, checkpoints)
        for claim in self._held.values():
            claim.committed = claim.done = claim.position
        self._arrivals.grew(ends)
        self._show()

    def pass_over(self) -> None:
        """See `Member.pass_over`. No transaction: each is an fsync, and others wait for it."""
        self._fence(self._void)
        for claim in self._held.values():
            claim.done = claim.position
        self._show()

    def lag(self) -> dict[TopicPartition, int]:
        """See `Member.lag`."""
        return {
            place: self._records.bounds(claim.partition)[1] - claim.position
            for place, claim in self._held.items()
        }

    def leave(self) -> None:
        """See `Member.leave`. A later poll joins again."""
        if self._presence is None:
            return
        me = self._presence.id
        passed_over = [claim for claim in self._held.values() if claim.done != claim.committed]
        self._vanish()
        with self._database.write():
            for claim in passed_over:
                self._advance(claim, claim.done, me)
            self._database.change("give_all", me)
            self._database.change("remove_member", me)

    def close(self) -> None:
        """Leave and release the connection. Idempotent."""
        try:
            self.leave()
        finally:
            self._database.close()

    # The commit.

    def _advance_all(self) -> set[TopicPartition]:
        """Write all positions; returns the partitions that are no longer ours."""
        me = self._presence.id if self._presence else ""
        return {
            place
            for place, claim in self._held.items()
            if not self._advance(claim, claim.position, me)
        }

    def _advance(self, claim: _Claim, position: int, me: str) -> bool:
        """Write the position of a claim; return whether it is still ours."""
        return bool(
            self._database.change(
                "advance", position, self._group, claim.partition, me, claim.epoch
            )
        )

    def _write(
        self, outputs: list[Message], checkpoints: Mapping[TopicPartition, Checkpoints]
    ) -> dict[int, int]:
        """Write outputs and checkpoints; return the ends of the partitions that grew."""
        ends = self._records.write(outputs, self._clock_ns())
        for place, states in checkpoints.items():
            owner = (self._group, self._held[place].partition)
            self._database.change_many(
                "put_checkpoint",
                [(*owner, name, state) for name, state in states.items() if state is not None],
            )
            self._database.change_many(
                "remove_checkpoint",
                [(*owner, name) for name, state in states.items() if state is None],
            )
        return ends

    def _fence(self, foreign: Collection[TopicPartition]) -> None:
        """Start anew and raise FencedError where one of these partitions went."""
        if foreign:
            error = FencedError(self._group, [f"{topic}/{n}" for topic, n in sorted(foreign)])
            self._vanish()
            self._void.clear()
            raise error

    # The group.

    def _settle(self) -> None:
        """Bring what is held in line with the group: one look, and a write only for a change."""
        self._show()
        with self._database.snapshot():
            survey = self._survey()
        if survey is not None and not any(survey):
            return
        with self._database.write():
            survey = self._survey()
            if survey is None:
                self._enter()
                survey = self._survey()
            if survey is not None:
                self._follow(survey)

    def _survey(self) -> _Survey | None:
        """What is to do, or None when this member is not in the group (yet, or any more)."""
        rows = self._database.rows("members", self._group)
        me = self._presence.id if self._presence else ""
        if me not in (row[0] for row in rows):
            return None
        alive = [row[0] for row in rows if row[0] == me or self._is_present(row[0])]
        claims = {row[0]: (row[1], row[2]) for row in self._database.rows("claims", self._group)}
        lost: list[TopicPartition] = []
        kept: list[TopicPartition] = []
        for place, claim in self._held.items():
            ours = claims.get(claim.partition) == (me, claim.epoch)
            (kept if ours else lost).append(place)
        others = set(alive) - {me}
        free = [
            place
            for place, partition in self._partitions.items()
            if place not in kept and claims.get(partition, ("", 0))[0] not in others
        ]
        quota = share(len(self._partitions), len(alive), alive.index(me))
        settled = [p for p in kept if self._held[p].position == self._held[p].done]
        return _Survey(
            dead=[row[0] for row in rows if row[0] not in alive],
            lost=lost,
            give=settled[::-1][: max(len(kept) - quota, 0)],
            take=free[: max(quota - len(kept), 0)],
        )

    def _follow(self, survey: _Survey) -> None:
        assert self._presence is not None  # noqa: S101 - a survey is made for members only
        for member in survey.dead:
            self._database.change("give_all", member)
            self._database.change("remove_member", member)
        for place in survey.lost:
            self._revoke(place)
        for place in survey.give:
            claim = self._held[place]
            if claim.done != claim.committed:
                self._advance(claim, claim.done, self._presence.id)
            self._database.change("give", self._group, self._partitions[place], self._presence.id)
            self._revoke(place)
        for place in survey.take:
            self._take(place, self._presence.id)

    def _enter(self) -> None:
        """Become a member under a new name."""
        self._vanish()
        for member, topics in self._database.rows("members", self._group):
            if topics != self._topics and self._is_present(member):
                raise BadInputError(
                    f"group {self._group}",
                    f"its members read {topics}, this one asks for {self._topics}",
                    "Use another group name, or stop the others first",
                )
        sweep(self._lease.folder, (row[0] for row in self._database.rows("all_members")))
        self._presence = Presence(self._lease.folder, self._deadline_ns())
        self._database.change("add_member", self._presence.id, self._group, self._topics)

    def _vanish(self) -> None:
        """Withdraw as if the process had died: others free its partitions and remove its rows."""
        for place in list(self._held):
            self._revoke(place)
        if self._presence is not None:
            self._presence.withdraw()
            self._presence = None

    def _take(self, place: TopicPartition, me: str) -> None:
        partition = self._partitions[place]
        [(epoch, position)] = self._database.rows("take", self._group, partition, me)
        if position is None:
            position = self._records.bounds(partition)[0]
        self._held[place] = _Claim(partition, epoch, position)
        self._assigned[place] = dict(self._database.rows("checkpoints", self._group, partition))

    def _revoke(self, place: TopicPartition) -> None:
        claim = self._held.pop(place)
        if claim.position != claim.done:
            self._void.add(place)
        if self._assigned.pop(place, None) is None:
            self._revoked.add(place)

    def _is_present(self, member: str) -> bool:
        return is_present(self._lease.folder, member, self._lease.clock_ns())

    def _deadline_ns(self) -> int:
        return self._lease.clock_ns() + round(self._lease.lease_s * NS_PER_S)

    def _show(self) -> None:
        """Renew the lease, but not with every poll of a busy loop."""
        if self._presence is not None:
            deadline_ns = self._deadline_ns()
            if deadline_ns - self._presence.deadline_ns > self._lease.lease_s * NS_PER_S / 10:
                self._presence.extend(deadline_ns)

    # The records.

    def _fetch(self, limit: int) -> list[Record]:
        """Records of all held partitions; each gets an even part of `limit`, or what it has."""
        records: list[Record] = []
        with self._database.snapshot():
            waiting = sorted(self._waiting(), key=lambda each: each[0])
            for served, (_, place, claim) in enumerate(waiting):
                part = -(-(limit - len(records)) // (len(waiting) - served))
                polled = self._records.read(*place, claim.position, part)
                if not polled and part > 0:  # else this would be waited for without an end
                    raise self._damaged(place, f"{claim.position} and all after it are missing")
                if polled:
                    claim.position = polled[-1].offset + 1
                    records += polled
        return records

    def _waiting(self) -> Iterator[tuple[int, TopicPartition, _Claim]]:
        for place, claim in self._held.items():
            oldest, end = self._records.bounds(claim.partition)
            if claim.position < oldest:
                raise OffsetGapError(*place, claim.position, oldest)
            if claim.position > end:
                raise self._damaged(place, f"{claim.position} was read, and it ends at {end}")
            if claim.position < end:
                yield end - claim.position, place, claim

    def _damaged(self, place: TopicPartition, why: str) -> CorruptLogError:
        name = f"{place.topic}/{place.partition}"
        return CorruptLogError(str(self._database.path), f"{name} is damaged: offset {why}")


def share(partitions: int, members: int, rank: int) -> int:
    """How many of `partitions` the member of this rank (from 0) has; the first have one more."""
    return partitions // members + (rank < partitions % members)
