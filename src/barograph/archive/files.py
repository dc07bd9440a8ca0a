"""The files of an archive as they lie there, and what stands in them.

`HOME/archive/000001.ndjson.gz`, … hold one JSON line for each entry; of a file that is finished
`000001.manifest.json` says what it holds. A manifest stays where its file was removed.
"""

import re
from collections.abc import Iterator
from io import BufferedReader, FileIO
from itertools import islice
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from barograph.archive.entry_lines import LONGEST_LINE_BYTES, entry_of
from barograph.archive.manifest import ArchiveManifest
from barograph.codec import UNREADABLE
from barograph.errors import BadInputError
from barograph.files.disk import only_regular, read_regular, write_whole
from barograph.files.lines import file_sha256, lines_of
from barograph.types import DeadLetter
from barograph.venues.entries import Entry

Count = Annotated[int, Meta(ge=0)]
FileNumber = Annotated[int, Meta(ge=0, le=10_000_000)]
"""What is read of a log may be damaged: all numbers up to one are listed."""

FRAMES, MANIFEST = "ndjson.gz", "manifest.json"
_encode_manifest = msgspec.json.Encoder().encode
_decode_manifest = msgspec.json.Decoder(ArchiveManifest).decode


class Place(msgspec.Struct, frozen=True, order=True):
    """An end within the archive: the number of a file, bytes of it, and lines after these."""

    file: FileNumber = 0
    size: Count = 0
    lines: Count = 0


class ArchiveFile(NamedTuple):
    """A file of an archive as it lies there.

    `manifest` is None of one that is not finished, `last` where there is none after it. A manifest
    stays where its file was removed: then it is not `there`.
    """

    number: int
    path: Path
    manifest: ArchiveManifest | None
    last: bool
    there: bool

    @property
    def is_open(self) -> bool:
        """Whether a feed may still change it. One without manifest of an older version is whole."""
        return self.last and self.manifest is None


def archive_files(directory: Path) -> list[ArchiveFile]:
    """All files of an archive, in order. Raises BadInputError for a manifest that is none."""
    there = dict(numbered_files(directory))
    numbers = sorted(there.keys() | _numbered(directory, MANIFEST).keys())
    return [
        ArchiveFile(
            number,
            file_of(directory, number),
            _read_manifest(file_of(directory, number, MANIFEST)),
            last=number == numbers[-1],
            there=number in there,
        )
        for number in numbers
    ]


def existing_files(directory: Path) -> list[ArchiveFile]:
    """Return all files of an archive, in order. Raises BadInputError where there is no archive."""
    files = archive_files(directory)
    if not files:
        raise BadInputError(
            str(directory), "there is no archive", "Feed one first (`barograph replay FILE…`)"
        )
    return files


def read_file(
    path: Path, after_bytes: int = 0, until: Place | None = None
) -> Iterator[Entry | DeadLetter]:
    """Everything in one file of an archive, in order; or what comes after so many bytes.

    A torn end gives its whole lines and one dead letter for the rest; a damaged line gives one.
    until: a place in it where reading ends; what a writer adds meanwhile is not looked at.
    """
    size = path.stat().st_size
    end, lines = (size, 0) if until is None else (min(size, until.size), until.lines)
    yield from _entries(path, after_bytes, end)
    if lines:
        yield from islice(_entries(path, end, size), lines)


def _entries(path: Path, start: int, end: int) -> Iterator[Entry | DeadLetter]:
    with _Part(FileIO(path, opener=only_regular), end) as file:
        file.seek(start)
        for position, line in lines_of(file, LONGEST_LINE_BYTES):
            yield entry_of(path.name, position, line)


class _Part(BufferedReader):
    """The first bytes of a file, as a reader of its own."""

    def __init__(self, file: FileIO, end: int) -> None:
        super().__init__(file)
        self._end = end

    def read(self, size: int | None = -1) -> bytes:
        left = max(self._end - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))


def manifest_of(counts: ArchiveManifest, path: Path) -> ArchiveManifest:
    """Return the manifest of a file on disk, from its counts."""
    counts.file, counts.bytes, counts.sha256 = path.name, path.stat().st_size, file_sha256(path)
    return counts


def copy_of(manifest: ArchiveManifest) -> ArchiveManifest:
    """Return a deep copy of the counts, which the caller may keep while counting goes on."""
    return _decode_manifest(_encode_manifest(manifest))


def keep_manifest(directory: Path, manifest: ArchiveManifest) -> None:
    """Write a manifest beside its file."""
    path = directory / manifest.file.replace(FRAMES, MANIFEST)
    write_whole(path, msgspec.json.format(_encode_manifest(manifest)))


def _read_manifest(path: Path) -> ArchiveManifest | None:
    try:
        return manifest_in(read_regular(path), str(path))
    except FileNotFoundError:
        return None


def manifest_in(content: bytes, place: str) -> ArchiveManifest:
    """The manifest that these bytes are. Raises BadInputError, which names their place."""
    try:
        return _decode_manifest(content)
    except UNREADABLE as error:
        raise BadInputError(
            place, f"it is no manifest ({error})", "Restore it from a copy, or remove it"
        ) from error


def file_of(directory: Path, number: int, ending: str = FRAMES) -> Path:
    """Return the path of the file of that number, or of its manifest."""
    return directory / f"{number:06d}.{ending}"


def number_of(name: str) -> int:
    """Return the number in a file's name."""
    return int(name.partition(".")[0])


def numbered_files(directory: Path) -> list[tuple[int, Path]]:
    """Return the files on disk, by number; manifests are not read."""
    return sorted(_numbered(directory, FRAMES).items())


def last_number(directory: Path) -> int:
    """Return the highest number of any file so far, removed ones included."""
    return max([*_numbered(directory, FRAMES), *_numbered(directory, MANIFEST)], default=0)


def _numbered(directory: Path, ending: str) -> dict[int, Path]:
    if not directory.is_dir():
        return {}
    named = re.compile(rf"(\d{{6,}})\.{re.escape(ending)}").fullmatch
    return {int(match[1]): path for path in directory.iterdir() if (match := named(path.name))}
