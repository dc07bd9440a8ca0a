"""A backup of a home, taken while it is in use.

The order makes what is restored consistent: first the logs, each as it was at one moment, with the
positions and checkpoints in it; then the archive up to where it ended at that moment, which is
never behind a log; then the registry, under its writer's lock, so that it has every model that a
prediction in a log names; then what can be made again. The record comes last.
"""

import os
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing, nullcontext, suppress
from pathlib import Path
from shlex import quote

import msgspec

from barograph import __version__
from barograph.app.runs.backup import record
from barograph.app.runs.backup.contents import (
    ARCHIVE,
    REGISTRY,
    HomeFiles,
    is_database,
    listed,
    pinned,
)
from barograph.app.settings import FILE as SETTINGS
from barograph.archive.book import BOOK
from barograph.errors import BadInputError
from barograph.files.copying import copied_sha256
from barograph.files.databases import PinnedDatabase
from barograph.files.disk import check_room, declared, sync_directory, write_whole
from barograph.files.lines import file_sha256
from barograph.registry.database import only_writer

_REGISTRY_WAIT_S = 30.0
_LOOKS = 10


class BackedUp(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup came to: its files, their bytes by part of the home, and how long it took.

    `settings` is the settings file that is in it; empty where there is none.
    """

    directory: str
    home: str
    files: int
    bytes: int
    seconds: float
    parts: dict[str, int]
    settings: str


def back_up(home: Path, directory: Path, settings: Path | None = None) -> BackedUp:
    """Back a home up into a folder that is new or empty; nothing is left there after an error.

    settings: a file that goes with it. Raises BadInputError, DiskFullError and RegistryError.
    """
    began_s = time.monotonic()
    check_target(home, directory)
    with ExitStack() as undo:
        taking = _Taking(home, directory)
        with ExitStack() as held:
            files = pinned(home, held)
            if not _bytes_of(files):
                cure = "Name another (--home), or feed one first (`barograph replay FILE --home …`)"
                raise BadInputError(str(home), "there is nothing in it to back up", cure)
            check_room(directory, _bytes_of(files))
            _make(directory, undo)
            for log in files.logs:
                taking.database(log)
        taking.archive(files)
        taking.registry(files.registry)
        if settings is not None:
            taking.file(settings, SETTINGS, settings.stat().st_size, "settings")
        taking.rest({log.path for log in files.logs})
        done = taking.finish()
        undo.pop_all()
    return BackedUp(
        directory=str(directory.absolute()),
        home=done.home,
        files=len(done.files),
        bytes=sum(file.bytes for file in done.files),
        seconds=round(time.monotonic() - began_s, 3),
        parts=taking.parts(),
        settings="" if settings is None else str(settings.absolute()),
    )


def check_target(home: Path, directory: Path) -> None:
    """Raise BadInputError where a folder cannot take a backup of a home."""
    place = directory.resolve()
    if place.is_relative_to(home.resolve()):
        raise BadInputError(
            str(directory), "it lies in the home that is backed up", "Name a folder outside of it"
        )
    if place.exists() and not place.is_dir():
        raise BadInputError(str(directory), "it is no folder", "Name a new one")
    if place.is_dir() and any(place.iterdir()):
        interrupted = (place / record.HOME).is_dir() and not (place / record.FILE).exists()
        why = "an interrupted backup lies there" if interrupted else "it is not empty"
        raise BadInputError(str(directory), why, "Name a new folder, or remove it")


class _Taking:
    """Copies the parts of a home into a backup and keeps what its record says of them."""

    def __init__(self, home: Path, directory: Path) -> None:
        self._home, self._directory = home, directory
        self._time_ns = time.time_ns()
        self._files: dict[str, record.BackedUpFile] = {}
        self._part_of: dict[str, str] = {}

    def parts(self) -> dict[str, int]:
        """Bytes by part of the home."""
        parts: dict[str, int] = {}
        for path, file in self._files.items():
            parts[self._part_of[path]] = parts.get(self._part_of[path], 0) + file.bytes
        return parts

    def database(self, database: PinnedDatabase, part: str = "logs") -> None:
        """Copy a database. Raises BadInputError where it is damaged."""
        path = f"{record.HOME}/{database.path.relative_to(self._home).as_posix()}"
        target = self._directory / path
        with declared(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        if damage := database.copy(target):
            raise BadInputError(
                str(database.path),
                f"it is damaged ({damage})",
                f"`barograph doctor --home {quote(str(self._home))}` says what mends it",
            )
        self._keep(path, target.stat().st_size, file_sha256(target), part)

    def file(self, source: Path, path: str, size: int, part: str) -> None:
        """Copy the first bytes of a file. Raises FileNotFoundError where it is gone."""
        self._keep(path, size, copied_sha256(source, self._directory / path, size), part)

    def archive(self, files: HomeFiles) -> None:
        """Copy the archive as it was at the moment of the logs."""
        for name, size in files.archive.items():
            try:
                self.file(self._home / name, f"{record.HOME}/{name}", size, "archive")
            except FileNotFoundError:
                raise BadInputError(
                    str(self._home / name), "it was removed while it was copied", "Try again"
                ) from None
        if files.book is not None:
            path = f"{record.HOME}/{ARCHIVE}{BOOK}"
            write_whole(self._directory / path, files.book)
            self._keep(path, len(files.book), file_sha256(self._directory / path), "archive")

    def registry(self, files: Mapping[str, int]) -> None:
        """Copy the registry while nobody writes it. Raises RegistryError as `only_writer` does."""
        if not files:
            return
        folder = self._home / REGISTRY
        locked = only_writer(folder, "backup", _REGISTRY_WAIT_S)
        with locked if os.access(folder, os.W_OK) else nullcontext():
            for name, size in listed(self._home).items():
                if name.startswith(REGISTRY) and is_database(self._home / name):
                    with closing(PinnedDatabase(self._home / name)) as database:
                        self.database(database, "registry")
                elif name.startswith(REGISTRY):
                    self.file(self._home / name, f"{record.HOME}/{name}", size, "registry")

    def rest(self, logs: set[Path]) -> None:
        """Copy what is neither log nor archive nor registry, such as datasets and reports.

        Files that belong together are replaced one after the other, so they are copied until none
        was replaced meanwhile; one that grows is copied as far as it went.
        """
        known: dict[str, tuple[int, int]] = {}
        for _ in range(_LOOKS):
            names = self._rest_names(logs)
            for gone in known.keys() - names.keys():
                del known[gone], self._files[f"{record.HOME}/{gone}"]
            changed = {name for name in names if not _is_same(known.get(name), names[name])}
            if not changed and known.keys() == names.keys():
                return
            for name in sorted(changed):
                with suppress(FileNotFoundError):
                    path = f"{record.HOME}/{name}"
                    self.file(self._home / name, path, names[name][1], "other")
                    known[name] = names[name]
        raise BadInputError(
            str(self._home / min(changed)), "it is replaced again and again", "Try again later"
        )

    def finish(self) -> record.BackupRecord:
        """Make all names durable, write the record and return it."""
        done = record.BackupRecord(
            version=__version__,
            home=str(self._home.absolute()),
            time_ns=self._time_ns,
            files=[self._files[path] for path in sorted(self._files)],
        )
        with declared(self._directory):
            for folder, _, _ in os.walk(self._directory):
                sync_directory(Path(folder))
        record.keep(self._directory, done)
        return done

    def _rest_names(self, logs: set[Path]) -> dict[str, tuple[int, int]]:
        """Inode and size of each file of the rest."""
        names = {}
        for name in listed(self._home):
            path = self._home / name
            if name == SETTINGS and SETTINGS in self._files:  # of an earlier restore
                continue
            if not name.startswith((ARCHIVE, REGISTRY)) and path not in logs:
                with suppress(FileNotFoundError):
                    stat = path.stat()
                    names[name] = (stat.st_ino, stat.st_size)
        return names

    def _keep(self, path: str, size: int, sha256: str, part: str) -> None:
        self._files[path] = record.BackedUpFile(path, size, sha256)
        self._part_of[path] = part


def _is_same(known: tuple[int, int] | None, now: tuple[int, int]) -> bool:
    return known is not None and known[0] == now[0] and known[1] <= now[1]


def _make(directory: Path, undo: ExitStack) -> None:
    """Make the folder of a backup; `undo` removes what is in it, and itself if it was not there."""
    with declared(directory):
        if directory.is_dir():
            undo.callback(_empty, directory)
        else:
            directory.mkdir(parents=True)
            undo.callback(shutil.rmtree, directory, ignore_errors=True)


def _empty(directory: Path) -> None:
    shutil.rmtree(directory / record.HOME, ignore_errors=True)
    (directory / SETTINGS).unlink(missing_ok=True)


def _bytes_of(files: HomeFiles) -> int:
    logs = sum(log.path.stat().st_size for log in files.logs)
    return logs + sum(sum(part.values()) for part in (files.archive, files.registry, files.rest))
