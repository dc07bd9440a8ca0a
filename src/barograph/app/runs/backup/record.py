"""The record of a backup, `backup.json`: written last, so a backup without one was interrupted."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec
from msgspec import Meta

from barograph.codec import UNREADABLE
from barograph.errors import BadInputError
from barograph.files.disk import NO_HANDLES, read_regular, write_whole

FILE = "backup.json"
HOME = "home"
"""The folder of a backup that holds the home."""

FORM = 1
"""Raised when an older version could not restore what a newer one backs up."""

_ANOTHER = "Name another backup; nothing was restored"


class BackedUpFile(msgspec.Struct, frozen=True, array_like=True):
    """A file by its path in the backup, with what it must be to be restored."""

    path: str
    bytes: Annotated[int, Meta(ge=0)]
    sha256: str


class BackupRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds, and which version took it of which home, and when."""

    form: int = FORM
    version: str
    home: str
    time_ns: int
    files: list[BackedUpFile]


class _Form(msgspec.Struct):
    form: int = 0


def keep(directory: Path, record: BackupRecord) -> None:
    """Write the record durably. Raises DiskFullError and BadInputError."""
    write_whole(directory / FILE, msgspec.json.format(msgspec.json.encode(record)))


def read(directory: Path) -> BackupRecord:
    """Read the record. Raises BadInputError where the backup is incomplete, newer or damaged."""
    path = directory / FILE
    try:
        content = read_regular(path)
        form = msgspec.json.decode(content, type=_Form).form
        if form > FORM:
            raise BadInputError(
                str(path),
                f"a newer Barograph made this backup (form {form}, known is {FORM})",
                "Update Barograph, or name another backup",
            )
        record = msgspec.json.decode(content, type=BackupRecord)
    except (FileNotFoundError, NotADirectoryError):
        why = "it has no record, so it was interrupted" if directory.is_dir() else "it is no folder"
        cure = "Name another, or make one (`barograph backup DIRECTORY`)"
        raise BadInputError(f"backup {directory}", why, cure) from None
    except UNREADABLE as error:
        raise BadInputError(str(path), f"it is damaged ({error})", _ANOTHER) from error
    except OSError as error:
        if error.errno in NO_HANDLES:
            raise
        why = error.strerror or str(error)
        raise BadInputError(str(path), f"it cannot be read ({why})", _ANOTHER) from error
    _check_paths(path, record.files)
    return record


def damaged(path: Path, why: str) -> BadInputError:
    """The error of a backup whose file is not what the record says."""
    return BadInputError(str(path), why, _ANOTHER)


def _check_paths(path: Path, files: Sequence[BackedUpFile]) -> None:
    for file in files:
        parts = PurePosixPath(file.path).parts
        if not parts or parts[0] == "/" or ".." in parts or "\0" in file.path:
            raise damaged(path, f"it names {file.path!r}, which is no path within a backup")
