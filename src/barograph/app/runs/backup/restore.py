"""A home made of a backup: all of it, or nothing."""

import os
import shutil
import time
from contextlib import ExitStack
from pathlib import Path

import msgspec

from barograph.app.runs.backup import record
from barograph.app.settings import FILE as SETTINGS
from barograph.errors import BadInputError
from barograph.files.copying import copied_sha256
from barograph.files.disk import check_room, declared, sync_directory

_STAGING = ".restoring"


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was restored, and how long that took.

    `backup_time_ns` is when the backup was begun, `version` what made it. `settings` is the copy of
    the settings file, which counts once it lies where verbs are called; empty where there is none.
    """

    home: str
    backup_time_ns: int
    version: str
    files: int
    bytes: int
    seconds: float
    settings: str


def restore(directory: Path, home: Path) -> Restored:
    """Make a home of a backup; every file is held against the record on its way.

    The home is new or empty, and is so again after an error. Raises BadInputError, DiskFullError.
    """
    began_s = time.monotonic()
    kept = record.read(directory)
    _check_target(directory, home)
    size = sum(file.bytes for file in kept.files)
    check_room(home, size)
    with ExitStack() as undo:
        staging = _make(home, undo)
        for file in kept.files:
            _copy(directory, file, staging)
        with declared(home):
            for folder, _, _ in os.walk(staging):
                sync_directory(Path(folder))
            _put_in_place(staging, home)
        undo.pop_all()
    settings = home / SETTINGS
    return Restored(
        home=str(home.absolute()),
        backup_time_ns=kept.time_ns,
        version=kept.version,
        files=len(kept.files),
        bytes=size,
        seconds=round(time.monotonic() - began_s, 3),
        settings=str(settings.absolute()) if settings.exists() else "",
    )


def _check_target(directory: Path, home: Path) -> None:
    if home.resolve().is_relative_to(directory.resolve()):
        raise BadInputError(
            str(home), "it lies in the backup", "Name a home outside of it (--home)"
        )
    if home.is_dir() and any(home.iterdir()):
        interrupted = (home / _STAGING).exists()
        why = "an interrupted restore lies there" if interrupted else "it is not empty"
        raise BadInputError(str(home), why, "Name another (--home), or move it away")


def _make(home: Path, undo: ExitStack) -> Path:
    """Make the home and the folder in it where files are until all are sound."""
    staging = home / _STAGING
    with declared(home):
        if home.is_dir():
            undo.callback(shutil.rmtree, staging, ignore_errors=True)
        else:
            undo.callback(shutil.rmtree, home, ignore_errors=True)
        staging.mkdir(parents=True)
    return staging


def _copy(directory: Path, file: record.BackedUpFile, staging: Path) -> None:
    source = directory / file.path
    target = staging / file.path.removeprefix(f"{record.HOME}/")
    try:
        if source.stat().st_size != file.bytes:
            raise record.damaged(
                source, f"it has not the {file.bytes:,} bytes it was backed up with"
            )
        sha256 = copied_sha256(source, target, file.bytes)
    except FileNotFoundError:
        raise record.damaged(source, "it is gone from the backup") from None
    if sha256 != file.sha256:
        raise record.damaged(source, "it is not what was backed up")


def _put_in_place(staging: Path, home: Path) -> None:
    """Move all into the home, databases last: a home with a log has everything."""
    for path in sorted(staging.iterdir(), key=lambda path: (path.suffix == ".sqlite", path.name)):
        path.rename(home / path.name)
    staging.rmdir()
    sync_directory(home)
