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

import msgspec

from barograph.errors import BadInputError, CorruptLogError, FencedError, OffsetGapError
from barograph.log import Batch, Checkpoints, check_checkpoints, check_values
from barograph.log.arrivals import Arrivals
from barograph.log.database import Database
from barograph.log.group import Claim, Lease, Survey, survey
from barograph.log.presence import Presence, sweep
from barograph.log.records import Records
from barograph.types import NS_PER_S, Message, Record, TopicPartition

_LOOK_ROUND_S = 0.1
"""A member that waits for records looks this often at its group, at whether the others still live,
and at the file itself. In between it relies on what this process knows (`Arrivals`)."""


_Waiting = tuple[int, TopicPartition, Claim]
"""How many offsets wait in a partition, its place, and the claim to it."""


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
        self._held: dict[TopicPartition, Claim] = {}
        self._assigned: dict[TopicPartition, Mapping[str, bytes]] = {}
        self._revoked: set[TopicPartition] = set()
        self._looked_at: tuple[int, int] | None = None
        """The group's changes and the time, in ns, when it was last found settled."""
        self._void: set[TopicPartition] = set()
        """Partitions that went with records that were neither committed nor passed over."""

    def poll(self, limit: int, timeout_s: float, linger_s: float = 0.0) -> Batch:
        """See `Member.poll`."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            self._show()
            looks = timeout_s <= 0 or self._is_look_due()
            if looks:
                self._settle()
            records = self._fetch(limit) if looks else self._fetch_known(limit)
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
            if linger_s and self._arrivals.beyond(reached):
                time.sleep(linger_s)

    def commit(
        self,
        outputs: Iterable[Message] = (),
        checkpoints: Mapping[TopicPartition, Checkpoints] | None = None,
    ) -> None:
        """See `Member.commit`. One transaction and one fsync.

        1. Every held partition's position moves on, where owner and epoch are still ours.
        2. One that is not ours undoes it all, and this member starts anew.
        3. Outputs are appended, checkpoints replaced.
        4. Those who wait for the outputs in this process are woken; then the fsync follows.
        """
        outputs, checkpoints = list(outputs), checkpoints or {}
        check_values(outputs)
        for place, states in checkpoints.items():
            check_checkpoints(f"group {self._group} at {place.topic}/{place.partition}", states)
        moved = any(claim.position != claim.committed for claim in self._held.values())
        if not (self._void or moved or outputs or checkpoints):
            return
        self._fence(self._void | (checkpoints.keys() - self._held.keys()))
        ends: dict[int, int] = {}
        with self._database.write(lambda: self._arrivals.grew(ends)):
            self._fence(self._advance_all())
            ends = self._write(outputs, checkpoints)
        for claim in self._held.values():
            claim.committed = claim.done = claim.position
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
        self._arrivals.group_changed()

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

    def _advance(self, claim: Claim, position: int, me: str) -> bool:
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

    def _is_look_due(self) -> bool:
        """Whether the group may have changed since it was found settled."""
        if self._looked_at is None:
            return True
        changes, looked_ns = self._looked_at
        if changes != self._arrivals.group_changes:
            return True
        return not 0 <= self._lease.clock_ns() - looked_ns < _LOOK_ROUND_S * NS_PER_S

    def _settle(self) -> None:
        """Bring what is held in line with the group: one look, and a write only for a change."""
        now = self._arrivals.group_changes, self._lease.clock_ns()
        with self._database.snapshot():
            todo = self._survey()
        if todo is not None and todo.is_settled:
            self._looked_at = None if todo.owes else now
            return
        self._looked_at = None
        with self._database.write():
            todo = self._survey()
            if todo is None:
                self._enter()
                todo = self._survey()
            if todo is not None:
                self._follow(todo)
        self._arrivals.group_changed()

    def _survey(self) -> Survey | None:
        me = self._presence.id if self._presence else ""
        return survey(self._database, self._group, self._lease, me, self._held, self._partitions)

    def _follow(self, survey: Survey) -> None:
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
            if topics != self._topics and self._lease.is_present(member):
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
        self._looked_at = None
        if self._presence is not None:
            self._presence.withdraw()
            self._presence = None
            self._arrivals.group_changed()

    def _take(self, place: TopicPartition, me: str) -> None:
        partition = self._partitions[place]
        [(epoch, position)] = self._database.rows("take", self._group, partition, me)
        if position is None:
            position = self._records.bounds(partition)[0]
        self._held[place] = Claim(partition, epoch, position)
        self._assigned[place] = dict(self._database.rows("checkpoints", self._group, partition))

    def _revoke(self, place: TopicPartition) -> None:
        claim = self._held.pop(place)
        if claim.position != claim.done:
            self._void.add(place)
        if self._assigned.pop(place, None) is None:
            self._revoked.add(place)

    def _deadline_ns(self) -> int:
        return self._lease.clock_ns() + round(self._lease.lease_s * NS_PER_S)

    def _show(self) -> None:
        """Renew the lease, but not with every poll of a busy loop."""
        if self._presence is not None:
            deadline_ns = self._deadline_ns()
            if deadline_ns - self._presence.deadline_ns > self._lease.lease_s * NS_PER_S / 10:
                self._presence.extend(deadline_ns)

    # The records.

    def _fetch_known(self, limit: int) -> list[Record]:
        """As `_fetch`, of the partitions that this process knows to have more: one query each."""
        ends = self._arrivals.beyond(
            {claim.partition: claim.position for claim in self._held.values()}
        )
        grown = [
            (ends[claim.partition] - claim.position, place, claim)
            for place, claim in self._held.items()
            if claim.partition in ends
        ]
        try:
            return self._read(grown, limit)
        except (OffsetGapError, CorruptLogError):
            return self._fetch(limit)

    def _fetch(self, limit: int) -> list[Record]:
        """Records of all held partitions; each gets an even part of `limit`, or what it has."""
        with self._database.snapshot():
            return self._read(list(self._waiting()), limit)

    def _read(self, waiting: list[_Waiting], limit: int) -> list[Record]:
        """Read the records of some partitions, and move on behind them; of none where one fails."""
        records: list[Record] = []
        moved: list[tuple[Claim, int]] = []
        waiting.sort(key=lambda each: each[0])
        for served, (_, place, claim) in enumerate(waiting):
            part = -(-(limit - len(records)) // (len(waiting) - served))
            polled = self._records.read(*place, claim.position, part)
            if not polled and part > 0:  # else this would be waited for without an end
                raise self._damaged(place, f"{claim.position} and all after it are missing")
            if polled:
                moved.append((claim, polled[-1].offset + 1))
                records += polled
        for claim, position in moved:
            claim.position = position
        return records

    def _waiting(self) -> Iterator[_Waiting]:
        ends: dict[int, int] = {}
        for place, claim in self._held.items():
            oldest, end = self._records.bounds(claim.partition)
            if claim.position < oldest:
                raise OffsetGapError(*place, claim.position, oldest)
            if claim.position > end:
                raise self._damaged(place, f"{claim.position} was read, and it ends at {end}")
            ends[claim.partition] = end
            if claim.position < end:
                yield end - claim.position, place, claim
        self._arrivals.know(ends)

    def _damaged(self, place: TopicPartition, why: str) -> CorruptLogError:
        name = f"{place.topic}/{place.partition}"
        return CorruptLogError(str(self._database.path), f"{name} is damaged: offset {why}")
