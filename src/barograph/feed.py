"""The feed: frames in; archive, events and dead letters out, once each, whatever is killed when.

A batch is written in two steps:

1.  The archive appends its frames and reaches the disk.
2.  The log appends events and dead letters, and with them, in the same step, how far the feed is:
    the archive's end, the venue machines' state and the place in a recording.

A feed that was killed between the two finds an archive longer than the log knows. What a recording
gave is cut off, since it will be read again; what a live connection gave is taken from the archive.
"""

import math
import time
from collections.abc import Callable, Iterable
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Protocol

import msgspec

from barograph.archive import (
    REPLAY,
    ArchivedFrame,
    ArchiveWriter,
    Closing,
    Place,
    Recorded,
    Recording,
    archive_end,
    read_archive,
)
from barograph.codec import encode
from barograph.errors import BadInputError
from barograph.log import Log
from barograph.log.topics import DEAD_LETTERS, TICKS, ensure_topics
from barograph.types import NS_PER_S, DeadLetter, Event, Frame, Gap, Heartbeat, Message, Tick
from barograph.venues.coinbase import AdvancedTrade, ExchangeFeed
from barograph.venues.continuity import Continuity, Dialect, Opening, Received, Rules
from barograph.venues.wrappers import time_of

PRODUCER = "feed"
"""The name under which the log keeps how far the feed is."""

_SHORTEST_SLEEP_S = 0.02
_RETAIN_EVERY_S = 3600.0

Progress = Callable[[int, int, int], None]
"""Called after each batch of a replay with bytes read, bytes in all, ticks so far."""


class Venue(Protocol):
    """A venue's protocol as a machine: frames in, events and dead letters out; never raises."""

    def open(self, opening: Opening) -> None:
        """A connection begins."""

    def close(self, connection: str) -> None:
        """A connection is lost: each of its products has a hole that ends with its next event."""

    def receive(self, frame: Frame) -> Received:
        """What a frame comes to, in order; nothing where it is understood and no news."""


class Summary(msgspec.Struct, kw_only=True):
    """What one run of the feed took and gave.

    `quiet` frames are understood and no event (subscriptions). `skipped` files were done before.
    `resumed_at` is the line of the first file at which an interrupted replay went on. Times are of
    events; `seconds` is the run's own duration.
    """

    files: list[str] = []
    skipped: list[str] = []
    resumed_at: int = 0
    lines: int = 0
    ticks: int = 0
    heartbeats: int = 0
    quiet: int = 0
    blank_lines: int = 0
    gaps: dict[str, int] = {}
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
            return
        if type(event) is Tick:
            self.ticks += 1
            self.products[event.product] = self.products.get(event.product, 0) + 1
        elif type(event) is Heartbeat:
            self.heartbeats += 1
        time_ns = event.event_time_ns  # type: ignore[union-attr]  # a gap has left above
        if self.first_event_time_ns is None or time_ns < self.first_event_time_ns:
            self.first_event_time_ns = time_ns
        if self.last_event_time_ns is None or time_ns > self.last_event_time_ns:
            self.last_event_time_ns = time_ns

    def finish(self, seconds: float) -> None:
        """Take note of the run's duration."""
        self.seconds = seconds
        self.ticks_per_s = self.ticks / seconds if seconds > 0 else 0.0


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far a recording is: lines taken, and whether that was all."""

    lines: int
    done: bool = False


_place = msgspec.json.Decoder(Place).decode
_mark = msgspec.json.Decoder(Mark).decode


class Feed:
    """The feed's one path: whatever brings frames goes through here. Not for several threads.

    Recovers on construction. Raises BadInputError while another feed writes the same archive.
    `pending` counts frames and letters since the last commit, `summary` everything since the start.
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
        self._retain_at_s = time.monotonic()
        self._rules = rules or Rules()
        self._continuity = Continuity(self._rules)
        self._venues: dict[Dialect, Venue] = {
            Dialect.EXCHANGE: ExchangeFeed(continuity=self._continuity),
            Dialect.ADVANCED: AdvancedTrade(continuity=self._continuity),
        }
        self._writer = ArchiveWriter(archive)
        try:
            self._recover(archive)
        except BaseException:
            self._writer.close()
            raise

    @property
    def connections(self) -> list[str]:
        """The connections that are open."""
        return list(self._continuity.connections)

    def mark(self, recording: Recording) -> Mark:
        """How far a recording was taken by this or an earlier feed of the log."""
        saved = self._log.producer_checkpoints(PRODUCER).get(f"file:{recording.sha256}")
        return Mark(lines=0) if saved is None else _mark(saved)

    def open(self, opening: Opening) -> None:
        """A connection begins; nothing when it is open already."""
        if opening.connection not in self._continuity.connections:
            opening = msgspec.structs.replace(opening, rules=self._rules)
            self._venues[opening.dialect].open(opening)
            self._writer.open(opening)

    def close_connection(self, connection: str) -> None:
        """A connection is lost; nothing when it is not open."""
        if connection in self._continuity.connections:
            self._continuity.close(connection)
            self._writer.close_connection(connection)

    def receive(
        self, frame: Frame, dialect: Dialect, source: tuple[str, int] | None = None
    ) -> None:
        """Take a frame of an open connection. `source`: the file and line of its dead letters."""
        self.pending += 1
        self._writer.frame(frame, dialect)
        self._take(frame, dialect, source)

    def reject(self, letter: DeadLetter) -> None:
        """Take what could not even be a frame."""
        self.pending += 1
        self._messages.append(Message(DEAD_LETTERS, letter.key, encode(letter)))
        counts = self.summary.dead_letters
        counts[letter.fault] = counts.get(letter.fault, 0) + 1

    def commit(self, recording: Recording | None = None, mark: Mark | None = None) -> None:
        """Write what was taken, archive first; once an hour let go what no topic has to keep."""
        checkpoints = {
            "archive": msgspec.json.encode(self._writer.flush()),
            "continuity": self._continuity.snapshot(),
        }
        if recording is not None:
            checkpoints[f"file:{recording.sha256}"] = msgspec.json.encode(mark)
        self._log.append(self._messages, producer=PRODUCER, checkpoints=checkpoints)
        self._messages = []
        self.pending = 0
        if time.monotonic() > self._retain_at_s:
            self._log.retain()
            self._retain_at_s = time.monotonic() + _RETAIN_EVERY_S

    def close(self) -> None:
        """Archive what is not committed, for the next feed to take up; let it in. Idempotent."""
        self._writer.close()

    def _take(self, frame: Frame, dialect: Dialect, source: tuple[str, int] | None) -> None:
        events, letters = self._venues[dialect].receive(frame)
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
            self.summary.quiet += 1

    def _recover(self, archive: Path) -> None:
        saved = self._log.producer_checkpoints(PRODUCER)
        if "archive" not in saved:
            # Before anything is archived, so that a longer archive always means a crash.
            self.commit()
            return
        self._continuity.restore(saved["continuity"])
        place = _place(saved["archive"])
        if archive_end(archive) < place:
            # Somebody removed archive files: what is left stays, and a new file begins.
            return
        tail = list(read_archive(archive, place)) if archive_end(archive) > place else []
        if not tail or _of_a_recording(tail[0]):
            self._writer.cut(place)
            return
        for entry in tail:
            if isinstance(entry, DeadLetter):
                self.reject(entry)
            elif isinstance(entry, Opening):
                self._venues[entry.dialect].open(entry)
            elif isinstance(entry, Closing):
                self._continuity.close(entry.connection)
            else:
                self._take(entry.frame, entry.dialect, None)
        self.commit()


class Pace:
    """How fast recordings are replayed: `speed` times their own time, None for as fast as it goes.

    `sleep` and `monotonic` take and give seconds.
    """

    def __init__(
        self,
        speed: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if speed is not None and not 0 < speed < math.inf:
            raise BadInputError(f"speed {speed}", "it is not above 0", "Give a factor, or max")
        self.monotonic = monotonic
        self._speed, self._sleep = speed, sleep
        self._first: tuple[int, float] | None = None

    def restart(self) -> None:
        """Another recording begins: its first frame is due at once."""
        self._first = None

    def ahead_s(self, frame: Frame) -> float:
        """For how long a frame is not due yet."""
        if self._speed is None or (time_ns := time_of(frame)) is None:
            return 0.0
        now = self.monotonic()
        if self._first is None:
            self._first = (time_ns, now)
        first_ns, started = self._first
        return started + (time_ns - first_ns) / NS_PER_S / self._speed - now

    def wait(self, seconds: float) -> None:
        """Sleep."""
        self._sleep(seconds)


def replay(
    feed: Feed,
    paths: Iterable[Path],
    pace: Pace | None = None,
    progress: Progress | None = None,
    zone: tzinfo = UTC,
) -> Summary:
    """Take recordings, one after the other, each on connections of its own.

    An interrupted replay goes on where the log stands; a file whose content was replayed before is
    skipped. `zone` is that of naive local times. Raises BadInputError for files that cannot be read
    or hold nothing, before any is replayed where that shows.
    """
    pace = pace or Pace()
    started = pace.monotonic()
    recordings = [Recording(path, zone) for path in paths]
    for recording in recordings:
        mark = feed.mark(recording)
        if mark.done:
            feed.summary.skipped.append(recording.path.name)
            continue
        feed.summary.files.append(recording.path.name)
        if not feed.summary.resumed_at:
            feed.summary.resumed_at = mark.lines
        for connection in feed.connections:
            if not connection.startswith(recording.connection):
                feed.close_connection(connection)
        pace.restart()
        _replay(feed, recording, mark.lines, pace, progress)
    feed.summary.finish(pace.monotonic() - started)
    return feed.summary


def _replay(
    feed: Feed, recording: Recording, lines: int, pace: Pace, progress: Progress | None
) -> None:
    summary, name = feed.summary, recording.path.name

    def commit(*, done: bool = False) -> None:
        feed.commit(recording, Mark(lines=lines, done=done))
        if progress is not None:
            progress(recording.bytes_read, recording.size, summary.ticks)

    for entry in recording.after(lines):
        if isinstance(entry, Recorded):
            ahead_s = pace.ahead_s(entry.frame)
            if ahead_s > _SHORTEST_SLEEP_S:
                if feed.pending:
                    commit()
                pace.wait(ahead_s)
            lines = entry.line
            feed.open(entry.opening)
            feed.receive(entry.frame, entry.opening.dialect, (name, lines))
        else:
            lines = int(entry.position)
            feed.reject(entry)
        summary.lines += 1
        if feed.pending >= feed.batch_lines:
            commit()
    for connection in feed.connections:
        feed.close_connection(connection)
    summary.blank_lines += recording.blank_lines
    commit(done=True)


def ingest(
    feed: Feed,
    frames: Iterable[Frame | Opening | Closing | None],
    dialect: Dialect,
    max_delay_s: float = 0.05,
    monotonic: Callable[[], float] = time.monotonic,
) -> Summary:
    """Take live frames until there are no more; connections of an earlier run are lost first.

    A frame of a connection that was not announced opens it, in `dialect`. Frames are written when
    a batch is full, when the first of them waits for `max_delay_s`, or at a None, which
    says that the next frame may be long in coming.
    """
    started = monotonic()
    first_s: float | None = None
    for connection in feed.connections:
        feed.close_connection(connection)
    for entry in frames:
        if isinstance(entry, Frame):
            feed.open(Opening(connection=entry.connection, dialect=dialect))
            feed.receive(entry, dialect)
            feed.summary.lines += 1
        elif isinstance(entry, Opening):
            feed.open(entry)
        elif isinstance(entry, Closing):
            feed.close_connection(entry.connection)
        if feed.pending:
            now = monotonic()
            first_s = now if first_s is None else first_s
            if entry is None or feed.pending >= feed.batch_lines or now - first_s >= max_delay_s:
                feed.commit()
                first_s = None
    for connection in feed.connections:
        feed.close_connection(connection)
    feed.commit()
    feed.summary.finish(monotonic() - started)
    return feed.summary


def _of_a_recording(entry: ArchivedFrame | Opening | Closing | DeadLetter) -> bool:
    if isinstance(entry, DeadLetter):
        # Torn before its first line: there is nothing to take either way.
        return True
    connection = entry.frame.connection if isinstance(entry, ArchivedFrame) else entry.connection
    return connection.startswith(REPLAY)
