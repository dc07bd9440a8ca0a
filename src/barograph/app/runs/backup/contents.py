"""What a home holds that a backup keeps, as it is at one moment."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from barograph.archive.book import BOOK
from barograph.archive.files import MANIFEST
from barograph.errors import BadInputError
from barograph.files.databases import MAGIC, PinnedDatabase

ARCHIVE, REGISTRY = "archive/", "registry/"
_MOMENTS = 200
_LEFT_OUT = {"lock", "logs"}
"""Lock files, and the folder of access logs."""

_MAKING = (".lock", ".making", ".partial", "-journal", "-locks", "-members", "-shm", "-wal")
"""Ends of names of what a process holds, or is just making."""


class HomeFiles(NamedTuple):
    """The files of a home, by their paths in it, with their sizes in bytes.

    `logs` are pinned, so what they have is not more than `archive` has. `book` is the archive's.
    """

    logs: list[PinnedDatabase]
    archive: dict[str, int]
    registry: dict[str, int]
    rest: dict[str, int]
    book: bytes | None


def pinned(home: Path, held: ExitStack) -> HomeFiles:
    """Pin the logs of a home and list its files; `held` releases the logs.

    An archive is written before its log, and a manifest once the log knows the file, so the moment
    lies where none is written between the two looks: what the archive then has beyond the log is
    what a crash would leave. Raises BadInputError.
    """
    for _ in range(_MOMENTS):
        before = _archive_facts(home)
        with ExitStack() as attempt:
            logs = [
                attempt.enter_context(closing(PinnedDatabase(home / name)))
                for name in listed(home)
                if not name.startswith((ARCHIVE, REGISTRY)) and is_database(home / name)
            ]
            files = listed(home)
            if _archive_facts(home) == before:
                held.push(attempt.pop_all())
                return _by_kind(home, logs, files, before.book)
    raise BadInputError(
        str(home / ARCHIVE),
        f"it began or finished a file at each of {_MOMENTS} looks",
        "Wait until the recordings are replayed, and try again",
    )


def listed(home: Path) -> dict[str, int]:
    """Regular files of a home that a backup keeps, by path, in order: their bytes."""
    return dict(sorted(_walk(home, "", set())))


def is_database(path: Path) -> bool:
    """Whether a file is a SQLite database."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except FileNotFoundError:
        return False


def _walk(folder: Path, prefix: str, seen: set[tuple[int, int]]) -> Iterator[tuple[str, int]]:
    """Follow links, as of an archive on another disk, but no folder twice."""
    stat = folder.stat()
    if (stat.st_dev, stat.st_ino) in seen:
        return
    seen.add((stat.st_dev, stat.st_ino))
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name in _LEFT_OUT or name.startswith(".") or name.endswith(_MAKING):
                continue
            try:
                if entry.is_dir():
                    yield from _walk(Path(entry.path), f"{prefix}{name}/", seen)
                elif entry.is_file():
                    yield f"{prefix}{name}", entry.stat().st_size
            except FileNotFoundError:  # removed since
                continue


class _ArchiveFacts(NamedTuple):
    """What changes where a file of an archive begins or is finished."""

    book: bytes | None
    manifests: frozenset[str]


def _archive_facts(home: Path) -> _ArchiveFacts:
    archive, book = home / ARCHIVE, home / ARCHIVE / BOOK
    names = [path.name for path in archive.iterdir()] if archive.is_dir() else []
    return _ArchiveFacts(
        book.read_bytes() if book.exists() else None,
        frozenset(name for name in names if name.endswith(MANIFEST)),
    )


def _by_kind(
    home: Path, logs: list[PinnedDatabase], files: dict[str, int], book: bytes | None
) -> HomeFiles:
    of_logs = {log.path.relative_to(home).as_posix() for log in logs}
    archive = {name: size for name, size in files.items() if name.startswith(ARCHIVE)}
    registry = {name: size for name, size in files.items() if name.startswith(REGISTRY)}
    rest = {
        name: size
        for name, size in files.items()
        if name not in of_logs | archive.keys() | registry.keys()
    }
    archive.pop(ARCHIVE + BOOK, None)
    return HomeFiles(logs, archive, registry, rest, book)
