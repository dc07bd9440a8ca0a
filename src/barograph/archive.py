"""What a feed heard, verbatim, on disk: so that it can be heard again.

`HOME/archive/000001.ndjson.gz`, … hold one JSON line for each entry that the feed took: frames,
openings and closings of connections, pages of trades that were asked for. Read again in their order
through the venue machine they give the same events. Each flush appends one gzip member and fsyncs,
so every gzip tool reads the files, and a torn write costs the end of the last member only.

A file is finished when it is large enough or its hour of receipt is over, and when its feed ends:
then `000001.manifest.json` says what it holds, and it changes no more.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from barograph.archive_files import (
    MANIFEST,
    Place,
    archive_end,
    copy_of,
    file_of,
    keep_manifest,
    last_number,
    manifest_of,
    numbered_files,
    read_file,
)
from barograph.archive_lines import head_of, line_of, with_body
from barograph.disk import declared, sync_directory
from barograph.errors import BadInputError, DiskFullError
from barograph.lines import packed
from barograph.manifest import Manifest
from barograph.types import NS_PER_S, DeadLetter, Event
from barograph.venues.entries import Closing, Dialect, Entry, Heard, received_of

_HOUR_NS = 3600 * NS_PER_S


class Standing(msgspec.Struct, frozen=True):
    """Where a writer stands: the feed keeps it in the log, with the events of what was written.

    `counts` are those of the file at `place`, None where an older version wrote it. `finished` are
    manifests of files that were finished since the last flush.
    """

    file: int = 0
    size: int = 0
    counts: Manifest | None = None
    finished: tuple[Manifest, ...] = ()

    @property
    def place(self) -> Place:
        """The end."""
        return Place(self.file, self.size)


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
        self._finished: list[Manifest] = []
        self._acknowledged = self._failed = False
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

    def _begin(self, number: int = 0) -> None:
        self._place = Place(number or last_number(self._directory) + 1)
        self._from_ns = self._until_ns = 0
        """The hours of receipt that belong here; none yet where both are 0."""
        self._heads: dict[tuple[str, Dialect], bytes] = {}
        self._counts, self._digest = Manifest(), sha256()

    def write(self, entry: Entry) -> None:
        """Add an entry; a frame byte for byte."""
        received_ns = received_of(entry)
        if not self._lines or (
            received_ns is not None and not self._from_ns <= received_ns < self._until_ns
        ):
            self._turn(received_ns)
        if type(entry) is Heard:
            frame, dialect = entry
            head = self._heads.get((frame.connection, dialect))
            if head is None:
                head = self._heads[frame.connection, dialect] = head_of(frame, dialect)
            self._lines.append(with_body(head, frame))
        else:
            if isinstance(entry, Closing):
                for dialect in Dialect:
                    self._heads.pop((entry.connection, dialect), None)
            self._lines.append(line_of(entry))
        self._counts.add(entry)
        self._acknowledged = False

    def note(self, events: Sequence[Event], dead_letters: Sequence[DeadLetter] = ()) -> None:
        """Count what the entry that was written last, or recalled, came to."""
        self._counts.note(events, dead_letters)

    def flush(self) -> Standing:
        """Make all lines durable; returns where the archive ends now."""
        self._append()
        counts = copy_of(self._counts)
        return Standing(self._place.file, self._place.size, counts, tuple(self._finished))

    def acknowledge(self) -> None:
        """The log has what the last flush returned: files that are finished get their manifests."""
        while self._finished:
            keep_manifest(self._directory, self._finished[0])
            del self._finished[0]
        self._acknowledged = True

    def close(self) -> None:
        """Flush and let another writer in. Idempotent.

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

    def recall(self, standing: Standing) -> Iterator[Entry | DeadLetter]:
        """What was written after the log last heard of it, in order, to be taken once more.

        Note what each entry comes to before the next one. Nothing comes where the log has all, and
        where files were removed: what is left stays. Whoever does not want the entries calls `cut`.
        """
        self._finished = list(standing.finished)
        if archive_end(self._directory) < standing.place:
            return
        for number, path in numbered_files(self._directory):
            if number < standing.file:
                continue
            behind = standing.size if number == standing.file else 0
            # Of a file that an older version began nobody knows what the beginning came to.
            counts = standing.counts if behind else Manifest()
            self._counts = copy_of(counts or Manifest())
            for entry in read_file(path, behind):
                self._counts.add(entry)
                yield entry
            if counts is not None and not self._has_manifest(number):
                self._finished.append(manifest_of(self._counts, path))
        self._begin()

    def cut(self, standing: Standing) -> None:
        """Remove what was written after the log last heard of it, and begin a new file."""
        self._finished = list(standing.finished)
        if archive_end(self._directory) >= standing.place:
            with declared(self._directory):
                self._cut(standing)
        self.acknowledge()
        self._begin()

    def _cut(self, standing: Standing) -> None:
        for number, path in numbered_files(self._directory):
            if number > standing.file or (number == standing.file and standing.size == 0):
                path.unlink()
            elif number == standing.file:
                os.truncate(path, standing.size)
                if standing.counts is not None and not self._has_manifest(number):
                    self._finished.append(manifest_of(standing.counts, path))

    def _has_manifest(self, number: int) -> bool:
        return file_of(self._directory, number, MANIFEST).exists()

    def _turn(self, received_ns: int | None) -> None:
        """Begin a new file before an entry that belongs to one."""
        if not self._lines and self._place.size >= self._file_bytes:
            self._finish()
        if received_ns is None or self._from_ns <= received_ns < self._until_ns:
            return
        if self._until_ns:
            self._append()
            self._finish()
        hour_ns = received_ns - received_ns % _HOUR_NS
        # A clock that is set back a little begins nothing.
        self._from_ns, self._until_ns = hour_ns - _HOUR_NS, hour_ns + _HOUR_NS

    def _append(self) -> None:
        """Make the lines durable, as one gzip member; on a failure the file is as it was."""
        if not self._lines:
            return
        member = packed(b"".join(self._lines))
        path = file_of(self._directory, self._place.file)
        try:
            with declared(self._directory):
                with path.open("ab") as file:
                    file.write(member)
                    file.flush()
                    os.fsync(file.fileno())
                if self._place.size == 0:
                    sync_directory(self._directory)
        except (BadInputError, DiskFullError):
            self._failed = True
            with suppress(OSError):
                if self._place.size:
                    os.truncate(path, self._place.size)
                else:
                    path.unlink()
            raise
        self._digest.update(member)
        self._place = Place(self._place.file, self._place.size + len(member))
        self._lines.clear()

    def _finish(self) -> None:
        """The file is whole. Its lines are on the disk."""
        if self._place.size:
            self._counts.file = file_of(self._directory, self._place.file).name
            self._counts.bytes = self._place.size
            self._counts.sha256 = self._digest.hexdigest()
            self._finished.append(self._counts)
            self._begin(self._place.file + 1)
