"""Writes that survive a crash, and the errors of a disk as a person meets them."""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from barograph.errors import BadInputError, DiskFullError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_HANDLES = {errno.EMFILE, errno.ENFILE}
_HANDLES_OF_SQLITE = 3
_LEAST_ROOM_BYTES = 64 << 20
"""What a person is advised to free where less would do."""


@contextmanager
def declared(directory: Path, needed_bytes: int = 0) -> Iterator[None]:
    """Translate the system's write errors into DiskFullError and BadInputError.

    needed_bytes: what is to be written, where that is known. That too many files are open is no
    fault of the directory and stays an OSError.
    """
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        if error.errno in FULL:
            raise full(directory, why, needed_bytes) from error
        if error.errno in NO_HANDLES:
            raise
        raise BadInputError(
            str(directory), f"it cannot be written ({why})", "Check the disk and its rights"
        ) from error


def full(path: Path, why: str, needed_bytes: int = 0) -> DiskFullError:
    """The error of a disk, quota or limit that is used up, with what is free and what to free."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    room = os.statvfs(place)
    if why == os.strerror(errno.EFBIG):
        return DiskFullError(str(path), why, "Allow larger files (`ulimit -f`)")
    if room.f_files and not room.f_favail:
        return DiskFullError(str(path), f"{why}, no inodes are left", "Remove some files there")
    free_mb, size_mb = (room.f_frsize * blocks / 1e6 for blocks in (room.f_bavail, room.f_blocks))
    return DiskFullError(
        str(path),
        f"{why}, {free_mb:,.1f} of {size_mb:,.0f} MB are free",
        f"Free at least {max(needed_bytes, _LEAST_ROOM_BYTES) / 1e6:,.0f} MB there",
    )


@contextmanager
def only_holder(lock: Path, otherwise: BadInputError) -> Iterator[None]:
    """Hold a lock file, which is made; the lock ends with its process.

    Raises `otherwise` where another process holds it, and as `declared`.
    """
    with declared(lock.parent):
        file = lock.open("wb")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise otherwise from None
        yield


def check_room(directory: Path, needed_bytes: int) -> None:
    """Raise, before work that takes long, what writing so much would raise; nothing is written."""
    place = directory.absolute()
    while not place.exists():
        place = place.parent
    with declared(directory, needed_bytes):
        if not os.access(place, os.W_OK | os.X_OK):
            number = errno.EROFS if os.statvfs(place).f_flag & os.ST_RDONLY else errno.EACCES
            raise OSError(number, os.strerror(number))
        room = os.statvfs(place)
        if room.f_frsize * room.f_bavail < needed_bytes or (room.f_files and not room.f_favail):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def check_handles(directory: Path) -> None:
    """Raise OSError where this process may not open three files more, of which SQLite says less.

    Call it after SQLite failed to open a file in `directory`.
    """
    if directory.is_dir():
        opened: list[int] = []
        try:
            while len(opened) < _HANDLES_OF_SQLITE:
                opened.append(os.open(directory, os.O_RDONLY))
        except OSError as error:
            if error.errno in NO_HANDLES:
                raise
        finally:
            for number in opened:
                os.close(number)


def only_regular(path: str, flags: int) -> int:
    """An opener for files of ours: OSError at once for a pipe or a device, which has no end."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is no regular file", path)


def read_regular(path: Path) -> bytes:
    """A whole file of ours. Raises OSError, as `only_regular` too."""
    with FileIO(path, opener=only_regular) as file:
        return file.readall()


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place durably, whole or not at all. Raises DiskFullError, BadInputError."""
    partial = path.with_name(f"{path.name}.partial")
    with declared(path.parent, len(content)):
        try:
            partial.write_bytes(content)
            put_in_place(partial, path)
        except OSError:
            with suppress(OSError):
                partial.unlink()
            raise


def put_in_place(partial: Path, path: Path) -> None:
    """Give a file that is whole its name, durably; both lie on one disk.

    Raises OSError, and for a device, a pipe or a folder of that name replaces nothing.
    """
    if path.exists() and not path.is_file():  # a rename would remove it
        raise OSError(errno.EINVAL, "what lies there is no regular file", str(path))
    with partial.open("rb") as content:
        os.fsync(content.fileno())
    partial.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Fsync a directory, so that its entries survive a crash."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
