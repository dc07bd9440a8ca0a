"""The recordings that a person named: directories by their files, and all in the order of time."""

import re
from collections.abc import Sequence
from datetime import UTC, tzinfo
from pathlib import Path

from barograph.archive.files import FRAMES, MANIFEST, numbered_files
from barograph.archive.recording import Recording
from barograph.errors import BadInputError
from barograph.venues.forms.own import OwnForm

_NUMBERED = re.compile(rf"(\d{{6,}})\.{re.escape(FRAMES)}").fullmatch
_BESIDE = frozenset({"book.json", "lock", "aside"})
"""What lies in an archive beside its files and their manifests."""


def recording_files(
    paths: Sequence[Path], zone: tzinfo = UTC, form: OwnForm | None = None
) -> list[Path]:
    """Return the files of recordings, the earliest first, whatever their order was.

    A directory stands for its files; what an archive has beside its frames is passed over. So
    recordings of one product follow each other as they were heard. Files of one archive stay in
    their order, and where one of several can be read only once, all stay as they were given.
    zone: that of naive local times. form: one of the user's own. Call it before any output exists:
    it raises BadInputError as Recording does, also for a file without a line.
    """
    files = [file for path in paths for file in _files_of(path)]
    times = {file: _first_time_ns(file, zone, form) for file in files}
    if len(files) < 2 or not all(file.is_file() for file in files):
        return files
    archives: dict[Path, int] = {}
    for file in files:
        if _NUMBERED(file.name):
            archive = file.parent
            archives[archive] = min(archives.get(archive, times[file]), times[file])

    def place(file: Path) -> tuple[int, str, int]:
        match = _NUMBERED(file.name)
        if match is None:
            return times[file], "", 0
        return archives[file.parent], str(file.parent), int(match[1])

    return sorted(files, key=place)


def _files_of(path: Path) -> list[Path]:
    """Return a file, or those of a directory, without what an archive has beside its frames."""
    if _is_compacted(path):
        raise BadInputError(
            str(path),
            "it holds events that `archive compact` made of an archive",
            "Name the archive that it was made of (HOME/archive)",
        )
    if not path.is_dir():
        beside = _is_beside(path) and bool(numbered_files(path.parent))
        return [] if beside else [path]
    files = [each for each in sorted(path.iterdir()) if each.is_file() and not _is_beside(each)]
    files = [each for each in files if not each.name.startswith(".")]
    if not files:
        raise BadInputError(str(path), "it is a directory without a recording", "Name recordings")
    return files


def _is_beside(path: Path) -> bool:
    return path.name in _BESIDE or path.name.endswith(f".{MANIFEST}")


def _is_compacted(path: Path) -> bool:
    """Whether a directory, or a file in it, is what `archive compact` makes."""
    if path.is_dir():
        return any(path.glob("product=*/date=*/hour=*.parquet"))
    return path.name.startswith("hour=") and path.parent.name.startswith("date=")


def _first_time_ns(file: Path, zone: tzinfo, form: OwnForm | None) -> int:
    """Return the first time in a recording; those without one come first.

    A pipe is not opened: its bytes can be read only once.
    """
    recording = Recording(file, zone, pipes=True, form=form)
    if file.is_file():
        try:
            next(recording.lines())
        finally:
            recording.close()
    return recording.first_time_ns or 0
