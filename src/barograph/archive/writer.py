"""What a feed heard, verbatim, on disk: so that it can be heard again.

`HOME/archive/000001.ndjson.gz`, … hold one JSON line for each entry that the feed took: frames,
openings and closings of connections, requested pages of trades. Read again in their order
through the venue machine they give the same events. Each flush appends one gzip member and fsyncs,
so every gzip tool reads the files, and a torn write costs the end of the last member only.

A file is finished when it is large enough or its hour of receipt is over, and when its feed ends:
then `000001.manifest.json` says what it holds, and it changes no more.
"""

import fcntl
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from os.path import samestat
from pathlib import Path

from barograph.archive.book import Book, OwnerLog, keep_book, next_number
from barograph.archive.entry_lines import entry_of, head_of, line_of, with_bodies, with_body
from barograph.archive.files import (
    FRAMES,
    ArchiveFile,
    Place,
    copy_of,
    file_of,
    keep_manifest,
    last_number,
    manifest_of,
)
from barograph.archive.manifest import ArchiveManifest
from barograph.archive.standing import ArchivePosition
from barograph.errors import BadInputError, DiskFullError, RemovedError
from barograph.files.disk import declared, sync_directory, write_whole
from barograph.files.lines import packed
from barograph.types import HOUR_NS, DeadLetter, Event, Frame
from barograph.venues.entries import Closing, Dialect, Entry, Heard, Opening, received_of

ASIDE = "aside"
"""The folder of what was moved out of an archive."""


class ArchiveWriter:
    """Appends to an archive; one at a time, by a lock that the kernel drops with the process.

    Begins a new file. Each entry is written, and what it came to is noted before the next one.
    Lines reach the disk with `flush`, and sooner where an hour ends. Raises BadInputError while
    another writes, DiskFullError when there is no room: then what was flushed before stands whole,
    and nothing of what comes after it.
    """

    def __init__(self, directory: Path, *, file_bytes: int = 64 << 20) -> None:
        self._directory, self._file_bytes = directory, file_bytes
        self._lines: list[bytes] = []
        self._book: Book | None = None
        self._log = self._address = self._run = ""
        self._finished: list[ArchiveManifest] = []
        self._acknowledged = self._failed = False
        self.lost: list[Path] = []
        """The files that were removed, or changed, while they were written."""
        with declared(directory):
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = (directory / "lock").open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise BadInputError(
                str(directory), "another feed writes here", "Wait for it or give another --home"
            ) from None
        self._begin()

    def serve(self, book: Book, log: str, address: str, *, run: str, known: int) -> None:
        """Begin files for this log from now on, each of which the book names before it is there.

        known: the highest number of a file that the log knows. The writer has written nothing yet.
        """
        self._book, self._log, self._address, self._run = book, log, address, run
        self._begin(next_number(self._directory, book, known))

    def _begin(self, number: int = 0) -> None:
        self._place = Place(number or last_number(self._directory) + 1)
        self._from_ns = self._until_ns = 0
        """The hours of receipt that belong here; none yet where both are 0."""
        self._heads: dict[tuple[str, Dialect], bytes] = {}
        self._counts, self._digest = ArchiveManifest(), sha256()

    def write(self, entry: Entry) -> None:
        """Add an entry; a frame byte for byte."""
        if type(entry) is Heard:
            self.write_frames((entry.frame,), entry.dialect)
            return
        self._turn(received_of(entry))
        if isinstance(entry, Closing):
            for dialect in Dialect:
                self._heads.pop((entry.connection, dialect), None)
        self._lines.append(line_of(entry))
        self._counts.add(entry)
        self._acknowledged = False

    def write_frames(self, frames: Sequence[Frame], dialect: Dialect) -> int:
        """Add frames of one connection byte for byte, up to the first that begins another file.

        Returns how many: at least one.
        """
        self._turn(frames[0].receive_time_ns)
        from_ns, until_ns = self._from_ns, self._until_ns
        for number, frame in enumerate(frames):
            received_ns = frame.receive_time_ns
            if received_ns is not None and not from_ns <= received_ns < until_ns:
                frames = frames[:number]
                break
        head = self._head(frames[0].connection, dialect)
        self._lines += [with_body(head, frame) for frame in frames]
        self._counts.add_frames(frames)
        self._acknowledged = False
        return len(frames)

    def write_lines(self, lines: Sequence[bytes], opening: Opening) -> None:
        """Add frames of a connection, without a receive time, each an object of JSON in a line."""
        self._turn(None)
        self._lines.append(with_bodies(self._head(opening.connection, opening.dialect), lines))
        self._counts.add_lines(opening.connection, len(lines))
        self._acknowledged = False

    def _head(self, connection: str, dialect: Dialect) -> bytes:
        head = self._heads.get((connection, dialect))
        if head is None:
            head = self._heads[connection, dialect] = head_of(connection, dialect)
        return head

    def note_ticks(self, times: Mapping[str, Sequence[int]]) -> None:
        """Count ticks that the frames written last came to: the event times of each product's."""
        self._counts.note_ticks(times)

    def note(self, events: Sequence[Event], dead_letters: Sequence[DeadLetter] = ()) -> None:
        """Count what the entry that was written last, or recalled, came to."""
        self._counts.note(events, dead_letters)

    def flush(self) -> ArchivePosition:
        """Make all lines durable; returns where the archive ends now."""
        self._append()
        counts = copy_of(self._counts)
        return ArchivePosition(self._place.file, self._place.size, counts, tuple(self._finished))

    def acknowledge(self) -> None:
        """The log has what the last flush returned: files that are finished get their manifests."""
        while self._finished:
            keep_manifest(self._directory, self._finished[0])
            del self._finished[0]
        self._acknowledged = True

    def finish(self) -> None:
        """Make all lines durable and begin a new file without writing a manifest.

        Used while the log does not have what was written.
        """
        self._append()
        self._finish()
        self._finished.clear()

    def close(self) -> None:
        """Flush and release the archive to other writers. Idempotent.

        The file is finished where the log has all of it; else the next writer sees to that.
        """
        if self._lock.closed:
            return
        try:
            if not self._failed:
                self._append()
                if self._acknowledged:
                    self._finish()
                    self.acknowledge()
        finally:
            self._lock.close()

    def set_aside(self, files: Iterable[ArchiveFile], standing: ArchivePosition) -> list[Path]:
        """Move what follows a standing in these files out of the archive; returns where to.

        Nothing is lost: it is in `aside/` before it is no more in the archive. Of a file that the
        standing is in the beginning stays, and is finished.
        """
        moved = []
        with declared(self._directory):
            aside = self._directory / ASIDE
            aside.mkdir(exist_ok=True)
            for file in files:
                behind = standing.size if file.number == standing.file else 0
                if behind and file.path.stat().st_size == behind:
                    self._end(file, standing)
                    continue
                target = _free(aside, file, behind)
                if behind:
                    with file.path.open("rb") as source:
                        source.seek(behind)
                        write_whole(target, source.read())
                    os.truncate(file.path, behind)
                    self._end(file, standing)
                else:
                    file.path.rename(target)
                moved.append(target)
            sync_directory(aside)
            sync_directory(self._directory)
        return moved

    def _end(self, file: ArchiveFile, standing: ArchivePosition) -> None:
        if standing.counts is not None:
            keep_manifest(self._directory, manifest_of(copy_of(standing.counts), file.path))

    def _turn(self, received_ns: int | None) -> None:
        """Begin a new file if the entry belongs into one."""
        if not self._lines and self._place.size >= self._file_bytes:
            self._finish()
        if received_ns is None or self._from_ns <= received_ns < self._until_ns:
            return
        if self._until_ns:
            self._append()
            self._finish()
        hour_ns = received_ns - received_ns % HOUR_NS
        # Small backward clock steps do not start a new file.
        self._from_ns, self._until_ns = hour_ns - HOUR_NS, hour_ns + HOUR_NS

    def _append(self) -> None:
        """Make the lines durable, as one gzip member; on a failure the file is as it was."""
        if not self._lines:
            return
        self._look()
        member = packed(b"".join(self._lines))
        path = file_of(self._directory, self._place.file)
        try:
            with declared(self._directory):
                is_new = self._place.size == 0
                if is_new and self._book is not None:
                    self._enter(self._book)
                self._append_to(path, member)
                if is_new:
                    sync_directory(self._directory)
        except (BadInputError, DiskFullError):
            self._failed = True
            raise
        self._digest.update(member)
        self._place = Place(self._place.file, self._place.size + len(member))
        self._lines.clear()

    def _look(self) -> None:
        """Continue in a new file if this one was removed or changed; buffered lines are kept.

        Raises RemovedError where the archive itself is not there any more.
        """
        lock = self._directory / "lock"
        if not (lock.exists() and samestat(lock.stat(), os.fstat(self._lock.fileno()))):
            self._failed = True
            raise RemovedError(str(self._directory), "was removed or replaced")
        path = file_of(self._directory, self._place.file)
        if self._place.size and not (path.exists() and path.stat().st_size == self._place.size):
            self.lost.append(path)
            self._begin(self._place.file + 1)
            for number, line in enumerate(self._lines, 1):
                self._counts.add(entry_of(path.name, number, line))

    def _append_to(self, path: Path, member: bytes) -> None:
        """Write a member durably, or none of it; a file that is there already is not begun."""
        file = path.open("ab" if self._place.size else "xb")
        try:
            with file:
                file.write(member)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                if self._place.size:
                    os.truncate(path, self._place.size)
                else:
                    path.unlink()
            raise

    def _enter(self, book: Book) -> None:
        """Enter the file into the book as this log's, before the file exists."""
        book.logs[self._log] = OwnerLog(self._address, self._run)
        book.begin(self._place.file, self._log)
        keep_book(self._directory, book)

    def _finish(self) -> None:
        """Finish the file, whose lines are on the disk."""
        if self._place.size:
            self._counts.file = file_of(self._directory, self._place.file).name
            self._counts.bytes = self._place.size
            self._counts.sha256 = self._digest.hexdigest()
            self._finished.append(self._counts)
            self._begin(self._place.file + 1)


def _free(aside: Path, file: ArchiveFile, behind: int) -> Path:
    """Return a path that does not exist yet in the folder of what was set aside."""
    beginning = f"-{behind}" if behind else ""
    path, again = aside / f"{file.number:06d}{beginning}.{FRAMES}", 1
    while path.exists():
        again += 1
        path = aside / f"{file.number:06d}{beginning}-{again}.{FRAMES}"
    return path
