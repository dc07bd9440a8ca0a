"""What an archive has that a log has not: classified, and passed to the machine again.

A file behind a log's standing is a crash's tail only when it was begun for this log, by the run
that the log last heard of, and has no manifest: what has one was acknowledged once, so this log was
restored from a copy, or stands in the place of one that was lost.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from barograph.archive.book import Book, new_id, read_book
from barograph.archive.continuity_checkpoint import at_of
from barograph.archive.files import (
    ArchiveFile,
    Place,
    archive_files,
    copy_of,
    keep_manifest,
    manifest_of,
    read_file,
)
from barograph.archive.manifest import ArchiveManifest
from barograph.archive.standing import ArchivePosition, Span, numbers_in, with_file
from barograph.archive.taken import REPLAY
from barograph.codec import UNREADABLE
from barograph.errors import CorruptLogError
from barograph.files.packed import TornError
from barograph.types import DeadLetter, Event
from barograph.venues.entries import Closing, Entry, connection_of

PRODUCER = "feed"
"""The name under which the log keeps how far the feed is."""

LOG_ID, STANDING, OLD_STANDING = "log", "archive:", "archive"
"""Under these names a log keeps its id and, for each archive by its id, its standing there."""

_standing = msgspec.json.Decoder(ArchivePosition).decode


class ArchiveComparison(NamedTuple):
    """What a log knows of an archive.

    `tail` is what a crash left between the two, `unknown` what the log has not and should have,
    `lacking` the numbers of files that the log has and the archive has lost. `adopted`: an older
    version wrote the log, or the archive's book is lost. `elsewhere`: the log has other archives.
    """

    book: Book
    log: str
    standing: ArchivePosition
    tail: list[ArchiveFile]
    unknown: list[ArchiveFile]
    lacking: list[int]
    adopted: bool
    elsewhere: bool


@contextmanager
def kept_whole(log: str) -> Iterator[None]:
    """Raise CorruptLogError where what a feed kept in the log at this address cannot be read."""
    try:
        yield
    except (*UNREADABLE, TornError) as error:
        raise CorruptLogError(log, f"what its feed kept there is damaged ({error})") from error


def compare(directory: Path, saved: Mapping[str, bytes], address: str) -> ArchiveComparison:
    """Compare a log's checkpoints with an archive. Raises BadInputError for a damaged book."""
    files, book = archive_files(directory), read_book(directory)
    archives = {
        name.removeprefix(STANDING): _standing(value)
        for name, value in saved.items()
        if name.startswith(STANDING)
    }
    adopted = False
    if book is not None and book.archive in archives:
        standing = archives[book.archive]
    elif saved.get(OLD_STANDING):
        standing, adopted = _adopted(_standing(saved[OLD_STANDING]), files, book), True
    elif book is None and len(archives) == 1 and _are_of(files, *archives.values()):
        (archive, standing), adopted = next(iter(archives.items())), True
        book = Book(archive=archive)
    else:
        standing = ArchivePosition()
    book = book or Book(archive=new_id())
    log = saved.get(LOG_ID, b"").decode() or new_id()
    owned = {None, log} if adopted else {log}
    after = _behind(files, standing, book, owned)
    at = at_of(saved)
    is_tail = (
        (at is None or at.archive == book.archive)
        and not any(file.manifest for file in after)
        and (adopted or (log in book.logs and book.logs[log].run == standing.run))
        and not (adopted and not book.logs and _was_acknowledged(after, standing))
    )
    tail = after if is_tail else []
    stood_here = book.stood_at(address) | {log, None}
    unknown = [
        file
        for file in files
        if file.there
        and file not in tail
        and (standing.whole or book.owner(file.number) in stood_here)
        and (standing.end_in(file.number) or Place(file.number)) < _ends(file)
    ]
    if any(book.owner(file.number) == log for file in unknown):
        log = new_id()  # of two that go on from one copy each is a log of its own
    there = {file.number for file in files}
    return ArchiveComparison(
        book,
        log,
        standing,
        tail,
        unknown,
        [number for number in numbers_in(standing.has) if number not in there],
        adopted,
        bool(archives.keys() - {book.archive}),
    )


def behind(
    directory: Path, standing: ArchivePosition, book: Book, owned: AbstractSet[str | None]
) -> list[ArchiveFile]:
    """The files of these logs that have more than stands in the log, or have to be finished."""
    return _behind(archive_files(directory), standing, book, owned)


def _behind(
    files: Sequence[ArchiveFile],
    standing: ArchivePosition,
    book: Book,
    owned: AbstractSet[str | None],
) -> list[ArchiveFile]:
    return [
        file
        for file in files
        if file.there and _is_behind(file, standing) and book.owner(file.number) in owned
    ]


def _adopted(
    standing: ArchivePosition, files: Sequence[ArchiveFile], book: Book | None
) -> ArchivePosition:
    """Return the position of a log older than ids: it has the earlier files that no log owns."""
    has: tuple[Span, ...] = ()
    for file in files:
        before = file.number < standing.file or (file.number == standing.file and standing.size)
        if before and (book is None or book.owner(file.number) is None):
            has = with_file(has, file.number)
    return msgspec.structs.replace(standing, has=has)


def _are_of(files: Sequence[ArchiveFile], standing: ArchivePosition) -> bool:
    """Whether an archive that has lost its book can be the one of a standing."""
    there = {file.number: file for file in files}
    last = there.get(standing.file)
    return bool(files) and (
        all(number in there for number in numbers_in(standing.has))
        and (not standing.size or (last is not None and _ends(last) >= standing.place))
    )


def _is_behind(file: ArchiveFile, standing: ArchivePosition) -> bool:
    """Whether a file has more than the log knows, or was never finished."""
    end = _ends(file)
    return end > standing.place or (
        end == standing.place and standing.size > 0 and file.manifest is None
    )


def _ends(file: ArchiveFile) -> Place:
    return Place(file.number, file.path.stat().st_size if file.there else 0)


def _was_acknowledged(files: Sequence[ArchiveFile], standing: ArchivePosition) -> bool:
    """Whether more than one batch is there: then some log had taken the first of them."""
    return any(
        _is_of_several(file.path, standing.size if file.number == standing.file else 0)
        for file in files
    )


def _is_of_several(path: Path, after_bytes: int) -> bool:
    """Whether more than one gzip member follows."""
    with path.open("rb") as file:
        file.seek(after_bytes)
        member = zlib.decompressobj(31)
        while chunk := file.read(1 << 17):
            try:
                member.decompress(chunk)
            except zlib.error:
                return False
            if member.eof:
                return bool(member.unused_data or file.read(1))
    return False


def is_read_again(tail: Sequence[ArchiveFile], standing: ArchivePosition) -> bool:
    """Whether a tail is of recordings alone, or torn before its first line.

    Closings say nothing: who begins closes what an earlier run had open.
    """
    recorded = torn = False
    for entry in Recall(standing, tail).entries():
        if isinstance(entry, DeadLetter):
            torn = True
        elif not isinstance(entry, Closing):
            if not connection_of(entry).startswith(REPLAY):
                return False
            recorded = True
    return recorded or (torn and not standing.lines)


class Recall:
    """Files of an archive heard once more, from where a log stands; resumable after each line.

    `standing` is where the log stands once it has what the lines so far came to.
    `joined` as a Span says.
    """

    def __init__(
        self, standing: ArchivePosition, files: Sequence[ArchiveFile], *, joined: bool = False
    ) -> None:
        self.standing = standing
        self.files, self._joined = files, joined
        self._counts: ArchiveManifest | None = standing.counts

    def entries(self) -> Iterator[Entry | DeadLetter]:
        """Yield the entries in order. Call `note` for each entry before taking the next."""
        for file in self.files:
            begun = file.number == self.standing.file
            size, lines = (self.standing.size, self.standing.lines) if begun else (0, 0)
            # The counts of a file begun by an older version are unknown.
            known = self.standing.counts if size or lines else ArchiveManifest()
            self._counts = None if known is None else copy_of(known)
            has = with_file(self.standing.has, file.number, joined=self._joined)
            for entry in islice(read_file(file.path, size), lines, None):
                lines += 1
                if self._counts is not None:
                    self._counts.add(entry)
                self._stand(Place(file.number, size, lines), has)
                yield entry
            end = Place(file.number, file.path.stat().st_size)
            self._stand(end, has)
            if file.manifest is None and self._counts is not None:
                finished = (*self.standing.finished, manifest_of(copy_of(self._counts), file.path))
                self.standing = msgspec.structs.replace(self.standing, finished=finished)

    def note(self, events: Sequence[Event], dead_letters: Sequence[DeadLetter] = ()) -> None:
        """Count what the last entry came to."""
        if self._counts is not None:
            self._counts.note(events, dead_letters)

    def checkpoint(self) -> ArchivePosition:
        """Return the position with the counts so far."""
        counts = None if self._counts is None else copy_of(self._counts)
        return msgspec.structs.replace(self.standing, counts=counts)

    def acknowledge(self, directory: Path) -> None:
        """The log has the last checkpoint: files that are finished get their manifests."""
        for manifest in self.standing.finished:
            keep_manifest(directory, manifest)
        self.standing = msgspec.structs.replace(self.standing, finished=())

    def _stand(self, place: Place, has: tuple[Span, ...]) -> None:
        self.standing = msgspec.structs.replace(
            self.standing, file=place.file, size=place.size, lines=place.lines, has=has
        )


def aside_warning(archive: Path, aside: Path, files: int) -> str:
    """Return the warning that the tail of a killed replay was moved aside."""
    return (
        f"{archive}: what a killed replay left in {_files(files)} was moved to {aside}; "
        "the recording is read again from where the log stands"
    )


def gap_warning(archive: Path) -> str:
    """Return the warning that held events are lost, since their frames are gone."""
    return (
        f"{archive} lacks frames that were heard before the log's last commit: what was held for a "
        "hole then is lost, and every product that was open has a gap"
    )


def lacking_warning(archive: Path, numbers: Sequence[int]) -> str:
    """Return the warning that the archive lacks files that the log knows."""
    which = f"{numbers[0]:06d}" + (f" to {numbers[-1]:06d}" if len(numbers) > 1 else "")
    return f"{archive} lacks {_files(len(numbers))} that the log knows ({which}); it goes on"


def _files(number: int) -> str:
    return f"{number:,} file" + ("s" if number != 1 else "")
