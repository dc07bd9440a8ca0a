"""The files of several logs in one archive, as one stream: each recording once.

Of one log's files nothing is changed. Where those of another log follow, what was open is closed,
since nobody knows what passed between; and of a recording that was archived for both, the frames
that were there before are left out, wherever one of them was interrupted.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

from barograph.archive.book import owners
from barograph.archive.files import ArchiveFile, Place, archive_files, read_file
from barograph.archive.standing import ArchivePosition
from barograph.archive.taken import REPLAY
from barograph.files.lines import file_sha256
from barograph.types import DeadLetter
from barograph.venues.entries import Closing, Entry, Heard, Opening, connection_of

_OWN = "own"


class Joined:
    """Reads files of an archive, in their order; those of one log as they are."""

    def __init__(self, directory: Path, files: Iterable[ArchiveFile]) -> None:
        self._streams = owners(directory, [file.number for file in files])
        self._is_one = len(set(self._streams.values())) < 2
        self._log = ""
        self._open: set[str] = set()
        self._openings: dict[tuple[str, str], Opening] = {}
        self._recorded: dict[str, array[int]] = {}
        """Of each connection of a recording what every frame hashes to."""
        self._reached: dict[tuple[str, str], int] = {}
        """Of each log how many of these its files gave, where that is known."""

    def as_taken(self, standing: ArchivePosition) -> Self:
        """Read the files as the log at this position took them; returns self."""
        if not self._is_one:
            for number in self._streams:
                if standing.end_in(number) is not None and not standing.is_joined(number):
                    self._streams[number] = _OWN
            self._is_one = len(set(self._streams.values())) < 2
        return self

    @property
    def is_one(self) -> bool:
        """Whether the files are those of one log."""
        return self._is_one

    def read(self, file: ArchiveFile, until: Place | None = None) -> Iterator[Entry | DeadLetter]:
        """Yield what a file adds to those before it."""
        for entry in read_file(file.path, 0, until):
            yield from self.take(file.number, entry)

    def noted(self, file: ArchiveFile, unreadable: dict[str, str]) -> Iterator[Entry | DeadLetter]:
        """Yield what a whole file adds; `unreadable` gets its path with its first damage."""
        size, manifest = file.path.stat().st_size, file.manifest
        if manifest is not None and manifest.bytes != size:
            why = f"it has {size} bytes, and had {manifest.bytes}"
            unreadable.setdefault(str(file.path), why)
        elif manifest is not None and manifest.sha256 != file_sha256(file.path):
            unreadable.setdefault(str(file.path), "its bytes are not those that it had")
        for entry in self.read(file):
            if isinstance(entry, DeadLetter):
                why = f"{entry.detail} (from line {entry.position})"
                unreadable.setdefault(str(file.path), why)
            yield entry

    def pass_over(self, file: ArchiveFile, until: Place | None = None) -> None:
        """Read past a file, so that what follows is judged as after it."""
        if not self._is_one:
            for _ in self.read(file, until):
                pass

    def take(self, number: int, entry: Entry | DeadLetter) -> Sequence[Entry | DeadLetter]:
        """Return what one entry adds: itself, nothing, or the closings before it as well."""
        if self._is_one or isinstance(entry, DeadLetter):
            return (entry,)
        out: list[Entry] = []
        log = self._streams[number]
        if log != self._log:
            out += [Closing(connection) for connection in sorted(self._open)]
            self._open.clear()
            self._log = log
        connection = connection_of(entry)
        if isinstance(entry, Opening):
            self._openings[log, connection] = entry
            self._reached.pop((log, connection), None)
            return out
        if isinstance(entry, Closing):
            self._openings.pop((log, connection), None)
            if connection in self._open:
                self._open.remove(connection)
                out.append(entry)
            return out
        if type(entry) is Heard and connection.startswith(REPLAY):
            is_repeat = self._is_repeat(log, entry)
            if is_repeat and log != _OWN:
                return out
        if connection not in self._open:
            self._open.add(connection)
            opening = self._openings.get((log, connection))
            if opening is not None:
                out.append(opening)
        out.append(entry)
        return out

    def _is_repeat(self, log: str, heard: Heard) -> bool:
        connection, frame = heard.frame.connection, hash(heard.frame.data)
        known = self._recorded.setdefault(connection, array("q"))
        reached = self._reached.get((log, connection))
        if reached is None:
            # The recording's beginning, or where its log went on after something else.
            reached = known.index(frame) if frame in known else len(known)
        is_repeat = reached < len(known) and known[reached] == frame
        if not is_repeat:
            known.append(frame)
            reached = len(known) - 1
        self._reached[log, connection] = reached + 1
        return is_repeat


def whole(
    directory: Path, unreadable: dict[str, str] | None = None
) -> Iterator[Entry | DeadLetter]:
    """Yield everything in an archive, in order, each recording once.

    unreadable: gets the path of each file that cannot be read whole, with its first damage.
    """
    noted = {} if unreadable is None else unreadable
    files = [file for file in archive_files(directory) if file.there]
    joined = Joined(directory, files)
    for file in files:
        yield from joined.noted(file, noted)


def entries_in_log(directory: Path, standing: ArchivePosition) -> Iterator[Entry | DeadLetter]:
    """Yield what a log at this position has of an archive, in order, each recording once."""
    ends = [(file, standing.end_in(file.number)) for file in archive_files(directory) if file.there]
    joined = Joined(directory, [file for file, end in ends if end]).as_taken(standing)
    for file, end in ends:
        if end is not None:
            yield from joined.read(file, end)
