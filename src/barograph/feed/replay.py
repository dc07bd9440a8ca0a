"""Recordings through the feed, at their own pace or as fast as it goes; one cut off goes on."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, tzinfo
from pathlib import Path

from barograph.archive.recall import kept_whole
from barograph.archive.recorded_form import describe, why_unread
from barograph.archive.recording import Line, Recorded, Recording
from barograph.errors import BadInputError
from barograph.feed.feed import Feed
from barograph.feed.marks import Mark, Passage, end_of
from barograph.feed.summary import Summary
from barograph.files.lines import BadLine
from barograph.types import NS_PER_S, DeadLetter, Frame
from barograph.venues.coinbase.recorded_lines import time_of
from barograph.venues.entries import Closing, Entry, Heard, Opening
from barograph.venues.forms.own import OwnForm

_SHORTEST_SLEEP_S = 0.02
_LEAST_SPEED = 1e-6
_SHORTEST_REACH, _LONGEST_REACH = 256, 8192
_GOOD, _LONGEST_PAUSE = 32, 256

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
        if speed is not None and speed < _LEAST_SPEED:
            why = f"it is below {_LEAST_SPEED}"
            raise BadInputError(f"speed {speed}", why, "Give a larger factor, or max")
        self.monotonic = monotonic
        self._speed, self._sleep = speed, sleep
        self._first: tuple[int, float] | None = None

    @property
    def is_none(self) -> bool:
        """Whether nothing waits: as fast as it goes."""
        return self._speed is None

    def restart(self) -> None:
        """Start a new recording, whose first frame is due at once."""
        self._first = None

    def ahead_s(self, frame: Frame) -> float:
        """Return for how many seconds a frame is not due yet."""
        if self._speed is None or (time_ns := time_of(frame)) is None:
            return 0.0
        now = self.monotonic()
        if self._first is None:
            self._first = (time_ns, now)
        first_ns, started = self._first
        return started + (time_ns - first_ns) / NS_PER_S / self._speed - now

    def wait(self, seconds: float) -> None:
        """Sleep for so many seconds."""
        self._sleep(seconds)


def replay(  # noqa: PLR0913 - what is taken how, and whom to tell
    feed: Feed,
    paths: Iterable[Path],
    pace: Pace | None = None,
    progress: Progress | None = None,
    zone: tzinfo = UTC,
    waiting: Callable[[str], object] = lambda _line: None,
    form: OwnForm | None = None,
) -> Summary:
    """Take recordings in their order, each on connections of its own; see `recording_files`.

    An interrupted replay goes on where the log stands, also of a file that has grown since; one of
    which all lines were taken before is skipped. The connections of the last one stay open, since
    it may grow. `zone` is that of naive local times; `waiting` is called with a line for a person
    when a pipe gives nothing for long. `form` is one of the user's own, for all of them.

    Raises BadInputError for files that cannot be read or hold nothing, before any is replayed where
    that shows; FileChangedError for one that is changed meanwhile: it does not count as done.
    """
    pace = pace or Pace()
    started = pace.monotonic()
    recordings = [Recording(path, zone, pipes=True, waiting=waiting, form=form) for path in paths]

    def form_of(path: Path) -> str:
        return describe(path, zone, form) if path.is_file() else "it was a pipe"

    for recording in recordings:
        try:
            _Replay(feed, recording, pace, progress, form_of).run()
        finally:
            recording.close()
    feed.summary.finish(pace.monotonic() - started)
    return feed.summary


class _Run:
    """Lines that came after each other on one connection: their numbers, frames and bytes."""

    def __init__(self) -> None:
        self.opening: Opening | None = None
        self.numbers: list[int] = []
        self.frames: list[Frame] = []
        self.lines: list[bytes] = []


class _Replay:
    """One recording on its way through the feed."""

    def __init__(
        self,
        feed: Feed,
        recording: Recording,
        pace: Pace,
        progress: Progress | None,
        form_of: Callable[[Path], str],
    ) -> None:
        self._form_of = form_of
        self._feed, self._recording = feed, recording
        self._pace, self._progress = pace, progress
        with kept_whole(feed.address):
            self._passage = Passage(recording, feed.marks())
        self._sure = self._passage.mark
        self._end = self._passage.mark.end
        self._run = _Run()
        self._begun = False
        self._reach, self._alone, self._pause = _LONGEST_REACH, 1, 1
        """How many lines are tried together whether they are plain, and after how many not."""

    def run(self) -> None:
        """Replay the lines that the log does not have yet."""
        summary, recording, start = self._feed.summary, self._recording, self._passage.mark
        if not start.done:
            self._begin()
        lines, refused = summary.lines, Counter(summary.dead_letters)
        self._take_lines()
        begun = self._begun
        lines, refused = summary.lines - lines, Counter(summary.dead_letters) - refused
        if begun and lines and refused.total() == lines and not start.lines:
            self._nothing_read(lines, refused)
        elif begun:
            summary.blank_lines += recording.blank_lines
            self._commit(done=True)
        else:
            recording.refuse_if_changed()
            summary.skipped.append(recording.name)
            if not self._passage.is_kept:  # under its name it may grow
                self._commit(done=True)

    def _take_lines(self) -> None:
        """Take all lines, and commit as often as there are enough."""
        feed, lines, run = self._feed, self._passage.lines, self._run
        while True:
            room = max(feed.batch_lines - feed.pending - len(run.lines), 1)
            number, some = lines.some(min(room, self._alone or self._reach))
            if not some:
                break
            if self._alone:
                for place, line in enumerate(some, number):
                    self._take_read(place, line)
                self._alone -= len(some)
            else:
                lines.back(len(some) - self._take_plain(number, some))
            if feed.pending + len(run.lines) >= feed.batch_lines:
                self._take_run()
                self._commit()
        self._take_run()

    def _take_plain(self, number: int, lines: Sequence[bytes | BadLine]) -> int:
        """Take the first lines as long as they are plain; returns how many."""
        opening, taken = self._recording.plain_opening, 0
        if opening is not None and self._pace.is_none and set(map(type, lines)) == {bytes}:
            self._take_run()
            taken = self._feed.take_plain(lines, opening)  # type: ignore[arg-type]  # just seen
        if taken:
            self._passage.taken.add_all(number + taken - 1, lines[:taken])  # type: ignore[arg-type]
            self._feed.summary.lines += taken
        if taken == len(lines):
            self._reach = min(4 * self._reach, _LONGEST_REACH)
        else:
            # Where few lines are plain, looking for them costs more than it saves.
            self._reach = max(2 * taken, _SHORTEST_REACH)
            self._alone = self._pause = min(2 * self._pause, _LONGEST_PAUSE) if taken < _GOOD else 1
        return taken

    def _take_read(self, number: int, line: bytes | BadLine) -> None:
        """Take a line as the recording reads it."""
        entry, run = self._recording.read(number, line), self._run
        if type(entry) is Recorded and self._begun and self._pace.is_none:
            if entry.opening is not run.opening:
                self._take_run()
                run.opening = entry.opening
            run.numbers.append(number)
            run.frames.append(entry.frame)
            run.lines.append(line)  # type: ignore[arg-type]  # a BadLine is a dead letter
        elif entry is not None:
            self._take_run()
            self._take_line(entry, number, line)

    def _take_run(self) -> None:
        """Take the lines that were read, together where they are of one connection."""
        run = self._run
        if run.opening is None or not run.lines:
            return
        self._feed.take_frames(run.frames, run.opening, self._recording.name, run.numbers)
        self._passage.taken.add_all(run.numbers[-1], run.lines)
        self._feed.summary.lines += len(run.lines)
        run.numbers, run.frames, run.lines = [], [], []

    def _take_line(self, entry: Line, number: int, line: bytes | BadLine) -> None:
        end = end_of(line) if isinstance(entry, DeadLetter) else ""
        if end and end == self._passage.mark.end:
            return
        if not self._begun:
            self._begin()
        self._take(entry)
        if end:
            # The line may be incomplete: it is read again when the file has grown.
            self._end = end
        else:
            self._passage.taken.add(number, line)
        self._feed.summary.lines += 1

    def _nothing_read(self, lines: int, refused: Counter[str]) -> None:
        """Note a file that gave dead letters alone: the next replay reads it again."""
        summary, recording = self._feed.summary, self._recording
        recording.refuse_if_changed()
        summary.unread[recording.name] = why_unread(
            f"none of its {lines:,} lines",
            refused,
            summary.first_letters[next(iter(refused))],
            lambda: self._form_of(recording.path),
        )
        self._feed.commit(self._passage.checkpoints(Mark()))

    def _begin(self) -> None:
        """Start this recording: the connections of the one before it are lost."""
        self._begun = True
        summary, recording = self._feed.summary, self._recording
        summary.files.append(recording.name)
        summary.forms[recording.name] = recording.form_line
        summary.remarks += recording.remarks()
        if not summary.resumed_at:
            summary.resumed_at = self._passage.taken.lines
        for connection in self._feed.connections:
            if not connection.startswith(recording.connection):
                self._feed.take(Closing(connection))
        self._pace.restart()

    def _take(self, entry: Line) -> None:
        if isinstance(entry, DeadLetter):
            self._feed.reject(entry)
            return
        source = self._recording.name, entry.line
        if isinstance(entry, Recorded):
            heard: Entry = Heard(entry.frame, entry.opening.dialect)
        else:
            heard = entry.entry
        if type(heard) is Heard:
            self._wait_for(heard.frame)
            self._feed.take(entry.opening)
        self._feed.take(heard, source)

    def _wait_for(self, frame: Frame) -> None:
        ahead_s = self._pace.ahead_s(frame)
        if ahead_s > _SHORTEST_SLEEP_S:
            if self._feed.pending:
                self._commit()
            self._pace.wait(ahead_s)

    def _commit(self, *, done: bool = False) -> None:
        """Commit what was taken, provided that the file still begins with it."""
        taken = self._passage.taken.passed()
        sure = self._recording.refuse_if_changed(wholly=done)
        mark = Mark(
            lines=taken.lines,
            sha256=taken.sha256,
            done=done,
            end=self._end if done else "",
            sure=None if sure else self._sure,
            connection=self._passage.mark.connection,
        )
        self._feed.commit(self._passage.checkpoints(mark))
        if sure:
            self._sure = mark
        if self._progress is not None:
            read = self._recording.bytes_read
            self._progress(read, self._recording.size or read, self._feed.summary.ticks)
