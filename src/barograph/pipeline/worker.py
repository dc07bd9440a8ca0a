"""The worker: the one loop that carries records through a machine, from a log into the same log.

1.  Poll. Partitions that became ours bring the checkpoints that were committed for them: a fresh
    machine for each is restored from them and receives again the records between them and the
    first one polled. Start, restart and rebalance are this one path.
2.  Let the machine of each partition receive that partition's records.
3.  Commit its values, its dead letters and the position in one step, and its changed checkpoints
    with it where enough records have passed since the last ones. Where there is nothing but a
    position, that waits for the next commit, for a second at most.

So a worker may die anywhere: what it had not committed is done again, by it or by another, and
comes out the same, because a machine is a function of what it received. For the same reason the
outcome of records received again is dropped: it was committed before.

Checkpoints with every commit would cost their whole size for each of the small batches of a live
stream: megabytes a second of states beside kilobytes of values. Now and then they cost next to
nothing (`checkpoint_cadence.py`), and a restart reads the records since, and one batch, again.
These must still be there: OffsetGapError otherwise. A worker that is stopped leaves no such rest.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Generic, TypeVar

import msgspec

from barograph import codec
from barograph.errors import FencedError, ForeignStateError
from barograph.log import MAX_VALUE_BYTES, Log
from barograph.machine import Machine
from barograph.pipeline.checkpoint_cadence import CheckpointCadence
from barograph.pipeline.counted import WorkerCounts
from barograph.types import NS_PER_S, DeadLetter, Message, Outcome, Record, TopicPartition

NEXT = "\0next"
"""The worker's own checkpoint of a partition: the offset before which the machine's ones stand."""

REBUILD_RECORDS = 1_000_000
"""From so many records of a partition a state is made again whose checkpoint cannot be used."""

Until = Callable[["Tally", bool], bool]
"""As `work` says."""

_VOID = b"-"
"""In place of a checkpoint that could not be used and whose key did not come again."""

_LOOK_EVERY_NS = NS_PER_S
_PASS_OVER_NS = NS_PER_S
_PROGRESS_NS = 5 * NS_PER_S
_PAGE_RECORDS = 1000
_place_of = attrgetter("topic", "partition")


M = TypeVar("M", bound=Machine)


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Which topics a worker joins, as which group, and the headers that it gives to its values.

    `stamp` is the header of the time of work. `cost`, where it is not empty, is that of the
    machine's nanoseconds a record, in the batch in which the value was made. `count` is called with
    the group and the values of each batch, once they are committed. `linger_s` is that of
    `Member.poll`, for what nobody waits for.
    """

    group: str
    source: str
    target: str
    dead_letters: str
    stamp: str
    cost: str = ""
    linger_s: float = 0.0
    count: Callable[[str, Sequence[bytes]], None] = lambda _group, _values: None


class Tally(msgspec.Struct, kw_only=True):
    """What a worker has done so far.

    `assigned` and `revoked` count partitions that came and went. `lag` is how many records were
    still to be read in its own ones, when it last looked.
    """

    records: int = 0
    values: int = 0
    dead_letters: int = 0
    commits: int = 0
    assigned: int = 0
    revoked: int = 0
    fenced: int = 0
    lag: int = 0

    def plus(self, other: "Tally") -> "Tally":
        """Return the sum of this tally and a later one, with the later one's lag."""
        sums = {
            name: getattr(self, name) + getattr(other, name)
            for name in Tally.__struct_fields__
            if name != "lag"
        }
        return Tally(**sums, lag=other.lag)


def work(  # noqa: PLR0913 - the route, the machine, and what a shell has that a machine has not
    log: Log,
    route: Route,
    new_machine: Callable[[], M],
    *,
    clock_ns: Callable[[], int],
    until: Until,
    before_poll: Callable[[Iterable[M]], None] | None = None,
    limit: int = 5000,
    timeout_s: float = 0.25,
    checkpoint_every: int | None = 1000,
    timer_ns: Callable[[], int] = time.monotonic_ns,
    warn: Callable[[str], None] = lambda _line: None,
) -> Tally:
    """Work until `until(tally, idle)`, called after each commit, is true; return what was done.

    idle: the last poll was empty and nothing is left to read in the partitions that are ours. A
    worker without any is not idle: it waits for one that others leave.
    before_poll: called with the machines between two batches, e.g. to swap a model.
    timeout_s: how long a poll waits, and so how late at most `until` is called.
    checkpoint_every: the fewest records of a partition between two commits of its checkpoints; None
    for machines without memory, which receive nothing twice.
    warn: called with a line when a state is made again from the records, and how far that is.
    """
    worker = _Worker(log, route, new_machine, checkpoint_every, clock_ns, timer_ns, warn)
    try:
        while True:
            if before_poll is not None:
                before_poll(worker.machines())
            idle = worker.step(limit, timeout_s)
            if until(worker.tally, idle):
                worker.keep()
                return worker.tally
    finally:
        worker.member.leave()


class _Worker(Generic[M]):
    """A worker at work: its member, the partitions that are its own, and what was done."""

    def __init__(  # noqa: PLR0913 - what `work` was given
        self,
        log: Log,
        route: Route,
        new_machine: Callable[[], M],
        checkpoint_every: int | None,
        clock_ns: Callable[[], int],
        timer_ns: Callable[[], int],
        warn: Callable[[str], None],
    ) -> None:
        self.tally = Tally()
        self.member = log.join(route.group, [route.source])
        self._log, self._route = log, route
        self._new_machine, self._every = new_machine, checkpoint_every
        self._clock_ns, self._timer_ns = clock_ns, timer_ns
        self._warn, self._counts = warn, WorkerCounts(route.group)
        self._parts: dict[TopicPartition, _Part[M]] = {}
        self._look_ns = timer_ns()
        self._passed_over_ns: int | None = None
        """Since when positions wait for a commit."""

    def machines(self) -> list[M]:
        return [part.machine for part in self._parts.values()]

    def step(self, limit: int, timeout_s: float) -> bool:
        """Run one cycle; return whether it was idle."""
        batch = self.member.poll(limit, timeout_s, self._route.linger_s)
        self._counts.polled(batch)
        for place in batch.revoked:
            self._parts.pop(place, None)
        for place, checkpoints in batch.assigned.items():
            self._parts[place] = _Part(place, self._new_machine, checkpoints)
        self.tally.revoked += len(batch.revoked)
        self.tally.assigned += len(batch.assigned)
        if batch.records:
            self._work(batch.records)
        elif self._passed_over_ns is not None:
            self._commit()
        if not batch.records or self._timer_ns() >= self._look_ns:
            self.tally.lag = sum(self.member.lag().values())
            self._counts.lag(self.tally.lag)
            self._look_ns = self._timer_ns() + _LOOK_EVERY_NS
        return bool(self._parts) and not batch.records and not self.tally.lag

    def keep(self) -> None:
        """Commit the checkpoints of all that was done since the last ones."""
        checkpoints = {}
        if self._every is not None:
            checkpoints = {at: part.snapshot() for at, part in self._parts.items() if part.behind}
        if checkpoints or self._passed_over_ns is not None:
            self._commit((), checkpoints)

    def _work(self, records: Sequence[Record]) -> None:
        outputs: list[Message] = []
        checkpoints: dict[TopicPartition, Mapping[str, bytes]] = {}
        values, letters, spent_ns = list[bytes](), list[DeadLetter](), 0
        route, by_place = self._route, dict[TopicPartition, list[Record]]()
        for place, run in groupby(records, _place_of):
            by_place.setdefault(TopicPartition(*place), []).extend(run)
        for place, of_place in by_place.items():
            part = self._parts[place]
            if self._every is not None and (
                kept := part.recall(self._log, of_place[0].offset, self._rebuilding)
            ):
                checkpoints[place] = kept
            started_ns = self._timer_ns()
            outcome = part.receive(of_place)
            took_ns = self._timer_ns() - started_ns
            spent_ns += took_ns
            headers = self._headers(took_ns // len(of_place))
            if self._every and part.cadence.is_due(self._every, part.behind, started_ns):
                checkpoints[place] = part.snapshot()
            outputs += [Message(route.target, key, value, headers) for key, value in outcome.values]
            outputs += [dead_letter(route.dead_letters, each) for each in outcome.dead_letters]
            values += [value for _, value in outcome.values]
            letters += outcome.dead_letters
        if self._settle(outputs, checkpoints):
            self.tally.records += len(records)
            self.tally.values += len(values)
            self.tally.dead_letters += len(letters)
            self._counts.settled(records, len(values), letters, spent_ns)
            route.count(route.group, values)

    def _rebuilding(self, place: TopicPartition) -> Callable[[int, int], None]:
        """Return what is told how many records of how many a state is made of again."""
        next_ns = self._timer_ns()

        def progress(done: int, records: int) -> None:
            nonlocal next_ns
            if self._timer_ns() < next_ns or not records:
                return
            next_ns = self._timer_ns() + _PROGRESS_NS
            so_far = f", {done / records:.0%} done" if done else ""
            self._warn(
                f"{self._route.group}: the state of {place.topic}/{place.partition} is another "
                f"version's or damaged; it is made again from {records:,} records{so_far}"
            )

        return progress

    def _headers(self, cost_ns: int) -> dict[str, str]:
        headers = {self._route.stamp: str(self._clock_ns())}
        if self._route.cost:
            headers[self._route.cost] = str(cost_ns)
        return headers

    def _settle(
        self, outputs: list[Message], checkpoints: Mapping[TopicPartition, Mapping[str, bytes]]
    ) -> bool:
        """Commit what came of a batch; of most live ones nothing does but a position, which waits.

        A commit of its own would keep the one that follows it, perhaps with a warning, waiting.
        """
        now_ns = self._timer_ns()
        if self._passed_over_ns is None:
            self._passed_over_ns = now_ns
        if outputs or checkpoints or now_ns >= self._passed_over_ns + _PASS_OVER_NS:
            return self._commit(outputs, checkpoints)
        try:
            self.member.pass_over()
        except FencedError:
            return self._fenced()
        return True

    def _commit(
        self,
        outputs: Iterable[Message] = (),
        checkpoints: Mapping[TopicPartition, Mapping[str, bytes]] | None = None,
    ) -> bool:
        self._passed_over_ns = None
        try:
            self.member.commit(outputs, checkpoints)
        except FencedError:
            return self._fenced()
        self.tally.commits += 1
        self._counts.committed()
        return True

    def _fenced(self) -> bool:
        """Discard the work: another member owns a partition now.

        The machines are ahead of what stands in the log: the next poll assigns anew, from there.
        """
        self.tally.fenced += 1
        self._counts.fenced()
        self._parts.clear()
        self._passed_over_ns = None
        return False


class _Part(Generic[M]):
    """An assigned partition and its machine, `behind` records ahead of its checkpoints."""

    def __init__(
        self, place: TopicPartition, new_machine: Callable[[], M], checkpoints: Mapping[str, bytes]
    ) -> None:
        self._new_machine = new_machine
        self.machine, self.behind = new_machine(), 0
        self._place, self.cadence = place, CheckpointCadence(checkpoints)
        self._next_offset = -1  # behind the last record that the machine took; −1: none yet
        states = {
            key: state for key, state in checkpoints.items() if key != NEXT and state != _VOID
        }
        kept = checkpoints.get(NEXT)
        self._kept = codec.natural(kept)
        self._void: list[str] = []
        """The checkpoints that cannot be used, where one of them cannot."""
        try:
            self.machine.restore(states)
        except ForeignStateError:
            self.machine, self._void = new_machine(), [NEXT, *states]
        if kept is not None and self._kept is None:
            self.machine, self._void = new_machine(), [NEXT, *states]

    def recall(
        self,
        log: Log,
        offset: int,
        rebuilding: Callable[[TopicPartition], Callable[[int, int], None]],
    ) -> dict[str, bytes]:
        """Before the first record polled, at `offset`: replay what the checkpoints lack.

        Returns what has to be committed so that the same can be done again. rebuilding: returns
        what is told how far a state is made again, in records.
        """
        if self._next_offset >= 0:
            return {}
        if self._void or (self._kept or 0) > offset:
            return self._rebuild(log, offset, rebuilding(self._place))
        if self._kept is None:
            # The checkpoints, or their absence, are the state before this record.
            return {NEXT: b"%d" % offset}
        for page in _pages(log, self._place, self._kept, offset):
            self.receive(page)
        return {}

    def _rebuild(
        self, log: Log, offset: int, progress: Callable[[int, int], None]
    ) -> dict[str, bytes]:
        """Make the state again from the records before `offset`; returns all new checkpoints."""
        self.machine = self._new_machine()
        oldest = log.extents(self._place.topic)[self._place.partition].oldest
        first = max(oldest, offset - REBUILD_RECORDS)
        progress(0, offset - first)
        for page in _pages(log, self._place, first, offset):
            self.receive(page)
            progress(self._next_offset - first, offset - first)
        self._next_offset = offset
        void = dict.fromkeys(self._void, _VOID)
        self._void = []
        return {**void, **self.snapshot()}

    def receive(self, records: Sequence[Record]) -> Outcome:
        outcome = self.machine.receive(records)
        self.behind += len(records)
        self._next_offset = records[-1].offset + 1
        return outcome

    def snapshot(self) -> dict[str, bytes]:
        self.behind = 0
        kept = {**self.machine.snapshot(), NEXT: b"%d" % self._next_offset}
        self.cadence.taken(kept)
        return kept


def _pages(log: Log, place: TopicPartition, start: int, end: int) -> Iterator[list[Record]]:
    """Yield the records of [start, end), in pages, in order."""
    while start < end:
        page = log.read(*place, start, min(end - start, _PAGE_RECORDS))
        page = [record for record in page if record.offset < end]
        if not page:
            return
        yield page
        start = page[-1].offset + 1


def dead_letter(topic: str, letter: DeadLetter) -> Message:
    """Return a dead letter as a message of a dead-letter topic.

    Where the log would not take it whole, it has the beginning of the original, and says so.
    """
    value = codec.encode(letter)
    if len(value) > MAX_VALUE_BYTES:
        kept = letter.original[: MAX_VALUE_BYTES // 2]
        detail = (
            f"{letter.detail} (here are the first {len(kept):,} of {len(letter.original):,} bytes, "
            f"all stand in {letter.source} at {letter.position})"
        )
        value = codec.encode(
            msgspec.structs.replace(letter, original=kept, detail=detail, cut=True)
        )
    return Message(topic, letter.key, value)


def when_idle(_tally: Tally, idle: bool) -> bool:
    """Stop when everything that is there is done; an `until` for `work`."""
    return idle
