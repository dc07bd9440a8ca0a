"""The worker: the one loop that carries records through a machine, from a log into the same log.

1.  Poll. Partitions that became ours bring the checkpoints that were committed for them: a fresh
    machine for each is restored from them. Start, restart and rebalance are this one path.
2.  Let the machine of each partition receive that partition's records.
3.  Commit its values, its dead letters, its changed checkpoints and the position in one step.

So a worker may die anywhere: what it had not committed is done again, by it or by another, and
comes out the same, because a machine is a function of what it received.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from barograph import codec
from barograph.errors import FencedError
from barograph.log import Log
from barograph.types import DeadLetter, Message, Outcome, Record, TopicPartition


class Machine(Protocol):
    """What turns records into values: no socket, no clock, no file."""

    def receive(self, records: Sequence[Record]) -> Outcome:
        """The values and dead letters that follow from these records and all before them."""

    def snapshot(self) -> Mapping[str, bytes]:
        """The checkpoints, by key, of what changed since the last call."""

    def restore(self, checkpoints: Mapping[str, bytes]) -> None:
        """Take up each key where its checkpoint left it."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Which topics a worker joins, as which group; `stamp` is the header of the time of work."""

    group: str
    source: str
    target: str
    dead_letters: str
    stamp: str


class Tally(msgspec.Struct, kw_only=True):
    """What a worker has done so far."""

    records: int = 0
    values: int = 0
    dead_letters: int = 0
    commits: int = 0
    assigned: int = 0
    fenced: int = 0


def work(  # noqa: PLR0913 - the route, the machine, and the four things a shell has that a machine has not
    log: Log,
    route: Route,
    new_machine: Callable[[], Machine],
    *,
    clock_ns: Callable[[], int],
    until: Callable[[Tally, bool], bool],
    before_poll: Callable[[Iterable[Machine]], None] | None = None,
    limit: int = 5000,
    timeout_s: float = 0.25,
) -> Tally:
    """Work until `until(tally, idle)` says so; returns what was done.

    idle: the last poll was empty and nothing is left to read in the partitions that are ours.

    before_poll: called with the machines between two batches, e.g. to swap a model.
    """
    tally = Tally()
    machines: dict[TopicPartition, Machine] = {}
    member = log.join(route.group, [route.source])
    try:
        while True:
            if before_poll is not None:
                before_poll(machines.values())
            batch = member.poll(limit, timeout_s)
            for place in batch.revoked:
                machines.pop(place, None)
            for place, checkpoints in batch.assigned.items():
                machines[place] = new_machine()
                machines[place].restore(checkpoints)
                tally.assigned += 1
            if batch.records:
                try:
                    _step(member.commit, machines, batch.records, route, clock_ns, tally)
                except FencedError:
                    # Another owns a partition now and does its work. The machines are ahead of what
                    # stands in the log: the next poll assigns anew, from there.
                    tally.fenced += 1
                    machines.clear()
            idle = not batch.records and tally.assigned > 0 and not any(member.lag().values())
            if until(tally, idle):
                return tally
    finally:
        member.leave()


def _step(  # noqa: PLR0913 - one cycle of `work`
    commit: Callable[[Iterable[Message], Mapping[TopicPartition, Mapping[str, bytes]]], None],
    machines: Mapping[TopicPartition, Machine],
    records: Sequence[Record],
    route: Route,
    clock_ns: Callable[[], int],
    tally: Tally,
) -> None:
    outputs: list[Message] = []
    checkpoints: dict[TopicPartition, Mapping[str, bytes]] = {}
    values = dead_letters = 0
    by_place: dict[TopicPartition, list[Record]] = {}
    for record in records:
        by_place.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
    for place, of_place in by_place.items():
        outcome = machines[place].receive(of_place)
        headers = {route.stamp: str(clock_ns())}
        outputs.extend(Message(route.target, key, value, headers) for key, value in outcome.values)
        outputs.extend(dead_letter(route.dead_letters, letter) for letter in outcome.dead_letters)
        values += len(outcome.values)
        dead_letters += len(outcome.dead_letters)
        checkpoints[place] = machines[place].snapshot()
    commit(outputs, checkpoints)
    tally.records += len(records)
    tally.values += values
    tally.dead_letters += dead_letters
    tally.commits += 1


def dead_letter(topic: str, letter: DeadLetter) -> Message:
    """A dead letter as a message of a dead-letter topic."""
    return Message(topic, letter.key, codec.encode(letter))


def when_idle(_tally: Tally, idle: bool) -> bool:
    """For `until`: stop when everything that is there is done."""
    return idle
