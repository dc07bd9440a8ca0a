"""Recordings through the feed, at their own pace or as fast as it goes; one cut off goes on."""

import math
import time
from collections.abc import Callable, Iterable
from datetime import UTC, tzinfo
from pathlib import Path

from barograph.errors import BadInputError
from barograph.feed import Feed, Mark
from barograph.feed_summary import Summary
from barograph.recording import Recorded, Recording
from barograph.types import NS_PER_S, Frame
from barograph.venues.entries import Closing, Heard
from barograph.venues.wrappers import time_of

_SHORTEST_SLEEP_S = 0.02

Progress = Callable[[int, int, int], None]
"""Called after each batch of a replay with bytes read, bytes in all, ticks so far."""


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
                feed.take(Closing(connection))
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
            feed.take(entry.opening)
            feed.take(Heard(entry.frame, entry.opening.dialect), (name, lines))
        else:
            lines = int(entry.position)
            feed.reject(entry)
        summary.lines += 1
        if feed.pending >= feed.batch_lines:
            commit()
    for connection in feed.connections:
        feed.take(Closing(connection))
    summary.blank_lines += recording.blank_lines
    commit(done=True)
