"""Writes that survive a crash, and the errors of a disk as a person meets them."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from barograph.errors import BadInputError, DiskFullError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def declared(directory: Path) -> Iterator[None]:
    """The system's errors of writing as those that a person meets."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        if error.errno in _FULL:
            raise DiskFullError(str(directory), why) from error
        raise BadInputError(
            str(directory), f"it cannot be written ({why})", "Check the disk and its rights"
        ) from error


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place durably, whole or not at all. Raises DiskFullError, BadInputError."""
    partial = path.with_suffix(".partial")
    with declared(path.parent):
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make durable which files a directory has."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
