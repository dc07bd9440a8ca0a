"""The feed: entries in; archive, events and dead letters out, once each, whatever is killed when.

A batch is written in two steps:

1.  The archive appends its entries and reaches the disk.
2.  The log appends events and dead letters, and with them, in the same step, how far the feed is:
    the archive's end, the venue machine's state and the place in a recording.

A feed that was killed between the two finds an archive longer than the log knows. What a recording
gave is cut off, since it will be read again; what a live connection gave is taken from the archive.
"""

import time
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

import msgspec

from barograph.archive import ArchiveWriter, Standing
from barograph.codec import encode
from barograph.log import Log
from barograph.log.topics import DEAD_LETTERS, STATUS, TICKS, ensure_topics
from barograph.recording import REPLAY, Recording
from barograph.types import DeadLetter, Event, FeedStatus, Gap, Heartbeat, Message, Tick, Trade
from barograph.venues.coinbase import Coinbase
from barograph.venues.continuity import Received
from barograph.venues.entries import Closing, Entry, Heard, Hole, Opening, Rules, connection_of

PRODUCER = "feed"
"""The name under which the log keeps how far the feed is."""

Listen = Callable[[Entry, Received], None]
"""Called with each live entry and what it came to, once that is in the next commit's batch."""


class Summary(msgspec.Struct, kw_only=True):
    """What one run of the feed took and gave.

    `trades` have no quote of their own; `filled` of them came from REST. `missing` counts the
    trades or frames that gaps tell of. `quiet` frames are understood and were no event when they
    came (subscriptions). `skipped` files were done before. `resumed_at` is the line of the first
    file at which an interrupted replay went on. Times are of events; `seconds` is the run's own
    duration.
    """

    files: list[str] = []
    skipped: list[str] = []
    resumed_at: int = 0
    lines: int = 0
    ticks: int = 0
    heartbeats: int = 0
    trades: int = 0
    filled: int = 0
    quiet: int = 0
    blank_lines: int = 0
    gaps: dict[str, int] = {}
    missing: int = 0
    dead_letters: dict[str, int] = {}
    products: dict[str, int] = {}
    first_event_time_ns: int | None = None
    last_event_time_ns: int | None = None
    seconds: float = 0.0
    ticks_per_s: float = 0.0

    def count(self, event: Event) -> None:
        """Take note of an event."""
        if type(event) is Gap:
            self.gaps[event.cause] = self.gaps.get(event.cause, 0) + 1
            self.missing += event.missing or 0
            return
        if type(event) is Tick:
            self.ticks += 1
            self.products[event.product] = self.products.get(event.product, 0) + 1
        elif type(event) is Heartbeat:
            self.heartbeats += 1
        elif type(event) is Trade:
            self.trades += 1
            self.filled += event.filled
        time_ns = event.event_time_ns  # type: ignore[union-attr]  # a gap has left above
        if self.first_event_time_ns is None or time_ns < self.first_event_time_ns:
            self.first_event_time_ns = time_ns
        if self.last_event_time_ns is None or time_ns > self.last_event_time_ns:
            self.last_event_time_ns = time_ns

    def line(self) -> str:
        """What there was so far, in one line."""
        gaps, letters = sum(self.gaps.values()), sum(self.dead_letters.values())
        beats = self.heartbeats
        return f"{self.ticks:,} ticks, {beats:,} heartbeats, {gaps} gaps, {letters} dead letters"

    def finish(self, seconds: float) -> None:
        """Take note of the run's duration."""
        self.seconds = seconds
        self.ticks_per_s = self.ticks / seconds if seconds > 0 else 0.0


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far a recording is: lines taken, and whether that was all."""

    lines: int
    done: bool = False


_standing = msgspec.json.Decoder(Standing).decode
_mark = msgspec.json.Decoder(Mark).decode
_NOTHING = Received()


class Feed:
    """The feed's one path: whatever brings entries goes through here. Not for several threads.

    Recovers on construction. Raises BadInputError while another feed writes the same archive.
    `pending` counts what waits for the next commit, `summary` everything since the start.
    """

    batch_lines = 4096
    """How many are written together, where nothing asks for less."""

    def __init__(
        self, log: Log, archive: Path, rules: Rules | None = None, *, partitions: int = 3
    ) -> None:
        ensure_topics(log, partitions)
        self.summary = Summary()
        self.pending = 0
        self._log, self._messages = log, list[Message]()
        self._rules = rules or Rules()
        self._machine = Coinbase(self._rules)
        self._writer = ArchiveWriter(archive)
        try:
            self._recover()
        except BaseException:
            self._writer.close()
            raise

    @property
    def connections(self) -> list[str]:
        """The connections that are open."""
        return self._machine.connections

    def holes(self) -> list[Hole]:
        """The holes whose trades may still be asked for, oldest first."""
        return self._machine.holes()

    def mark(self, recording: Recording) -> Mark:
        """How far a recording was taken by this or an earlier feed of the log."""
        saved = self._log.producer_checkpoints(PRODUCER).get(f"file:{recording.sha256}")
        return Mark(lines=0) if saved is None else _mark(saved)

    def take(self, entry: Entry, source: tuple[str, int] | None = None) -> Received:
        """Archive an entry, and put what it comes to into the next commit.

        An opening of what is open is nothing, and so is whatever speaks of a connection that is
        not; but a frame opens its own. `source`: the file and line of a frame's dead letters.
        """
        connection = connection_of(entry)
        is_open = connection in self._machine.continuity.connections
        if type(entry) is Heard:
            if not is_open:
                self._take(self._ruled(Opening(connection=connection, dialect=entry.dialect)), None)
        elif type(entry) is Opening:
            if is_open:
                return _NOTHING
            entry = self._ruled(entry)
        elif not is_open:
            return _NOTHING
        self.pending += type(entry) is not Opening
        return self._take(entry, source)

    def report(self, status: FeedStatus) -> None:
        """Publish how a connection is, with the next commit."""
        self.pending += 1
        self._messages.append(Message(STATUS, status.venue, encode(status)))

    def reject(self, letter: DeadLetter) -> None:
        """Take what could not even be a frame."""
        self.pending += 1
        self._messages.append(Message(DEAD_LETTERS, letter.key, encode(letter)))
        counts = self.summary.dead_letters
        counts[letter.fault] = counts.get(letter.fault, 0) + 1

    def commit(self, recording: Recording | None = None, mark: Mark | None = None) -> None:
        """Write what was taken, archive first."""
        checkpoints = {
            "archive": msgspec.json.encode(self._writer.flush()),
            "continuity": self._machine.snapshot(),
        }
        if recording is not None:
            checkpoints[f"file:{recording.sha256}"] = msgspec.json.encode(mark)
        self._log.append(self._messages, producer=PRODUCER, checkpoints=checkpoints)
        self._writer.acknowledge()
        self._messages = []
        self.pending = 0

    def close(self) -> None:
        """Archive what is not committed, for the next feed to take up; let it in. Idempotent."""
        self._writer.close()

    def _ruled(self, opening: Opening) -> Opening:
        return msgspec.structs.replace(opening, rules=self._rules)

    def _take(self, entry: Entry, source: tuple[str, int] | None) -> Received:
        self._writer.write(entry)
        return self._hear(entry, source)

    def _hear(self, entry: Entry, source: tuple[str, int] | None = None) -> Received:
        received = self._machine.take(entry)
        events, letters = received.events, received.dead_letters
        for event in events:
            self._messages.append(Message(TICKS, event.product, encode(event)))
            self.summary.count(event)
        for letter in letters:
            if source is None:
                self.reject(letter)
            else:
                name, line = source
                self.reject(msgspec.structs.replace(letter, source=name, position=str(line)))
        if not events and not letters:
            self.summary.quiet += type(entry) is Heard
        else:
            self._writer.note(events, letters)
        return received

    def _recover(self) -> None:
        saved = self._log.producer_checkpoints(PRODUCER)
        if "archive" not in saved:
            # Before anything is archived, so that a longer archive always means a crash.
            self.commit()
            return
        self._machine.restore(saved["continuity"])
        standing = _standing(saved["archive"])
        tail = self._writer.recall(standing)
        first = next(tail, None)
        if first is None:
            return
        if _of_a_recording(first):
            self._writer.cut(standing)
            return
        for entry in chain((first,), tail):
            if isinstance(entry, DeadLetter):
                self.reject(entry)
            else:
                self._hear(entry)
        self.commit()


def ingest(
    feed: Feed,
    entries: Iterable[Entry | DeadLetter | None],
    listen: Listen = lambda _entry, _received: None,
    max_delay_s: float = 0.05,
    monotonic: Callable[[], float] = time.monotonic,
) -> Summary:
    """Take live entries until there are no more; connections of an earlier run are lost first.

    They are written when a batch is full, when the first of them waits for `max_delay_s`, or at a
    None, which says that the next one may be long in coming. A dead letter stands for a frame that
    could not be taken in.
    """
    started = monotonic()
    first_s: float | None = None
    _lose_all(feed)
    for entry in entries:
        if isinstance(entry, DeadLetter):
            feed.reject(entry)
        elif entry is not None:
            listen(entry, feed.take(entry))
            feed.summary.lines += type(entry) is Heard
        if feed.pending:
            now = monotonic()
            first_s = now if first_s is None else first_s
            if entry is None or feed.pending >= feed.batch_lines or now - first_s >= max_delay_s:
                feed.commit()
                first_s = None
    _lose_all(feed)
    feed.commit()
    feed.summary.finish(monotonic() - started)
    return feed.summary


def _lose_all(feed: Feed) -> None:
    for connection in feed.connections:
        feed.take(Closing(connection))


def _of_a_recording(entry: Entry | DeadLetter) -> bool:
    # A letter: torn before its first line, so there is nothing to take either way.
    return isinstance(entry, DeadLetter) or connection_of(entry).startswith(REPLAY)
