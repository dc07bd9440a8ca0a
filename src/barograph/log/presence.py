"""Who is alive: one small locked file for each member of a consumer group.

The kernel releases a file lock (flock) when its process ends, however it ends, so the others see a
killed member at once and without a time-out. A process that is alive but does nothing (stopped, or
lost in one step) keeps its lock; the deadline that the file holds tells that it is overdue. The
clock is monotonic and shared by all processes of the machine; where it stands still while a laptop
sleeps, leases sleep too.

A child that was forked without exec inherits the lock and keeps its parent present until the
deadline passes.
"""

import fcntl
import os
import struct
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from barograph.errors import BadInputError, DiskFullError
from barograph.files.disk import declared

_DEADLINE = struct.Struct("<q")


class Presence:
    """This process's file in `folder`, locked until `withdraw` or the process's end.

    Raises DiskFullError, or BadInputError where the folder cannot be written for another reason.
    """

    def __init__(self, folder: Path, deadline_ns: int) -> None:
        self.id = uuid.uuid4().hex
        self._path = folder / self.id
        self.deadline_ns = 0
        with declared(folder):
            folder.mkdir(exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            self.extend(deadline_ns)
        except (BadInputError, DiskFullError):
            self.withdraw()
            raise

    def extend(self, deadline_ns: int) -> None:
        """Extend the lease to `deadline_ns`. Raises DiskFullError, BadInputError."""
        self.deadline_ns = deadline_ns
        with declared(self._path.parent):
            os.pwrite(self._file, _DEADLINE.pack(deadline_ns), 0)

    def withdraw(self) -> None:
        """Release the lease. Idempotent. A file that cannot be removed counts as abandoned."""
        if self._file >= 0:
            _remove(self._path)
            os.close(self._file)
            self._file = -1


def is_present(folder: Path, member: str, now_ns: int) -> bool:
    """Whether the member's process lives and its deadline has not passed."""
    try:
        file = os.open(folder / member, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        if _is_free(file):
            return False
        written = os.pread(file, _DEADLINE.size, 0)
        return len(written) < _DEADLINE.size or _DEADLINE.unpack(written)[0] >= now_ns
    finally:
        os.close(file)


def sweep(folder: Path, keep: Iterable[str]) -> None:
    """Remove the files of dead processes that are not in `keep`, where the disk lets us."""
    if not folder.is_dir():  # who enters says what is wrong with it
        return
    kept = set(keep)
    for path in folder.iterdir():
        if path.name not in kept and not is_present(folder, path.name, 0):
            _remove(path)


def _remove(path: Path) -> None:
    """Remove a file; a full or broken disk may keep it, which harms nobody: a later sweep tries."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _is_free(file: int) -> bool:
    try:
        # A shared lock, so that two concurrent checks do not mistake each other for the member.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
