"""Bringing the write-ahead log to the disk, once for all writers that wait for it.

A commit is in the write-ahead log, and to be read by others, before it is on the disk. The log is
one sequence: what brings a commit to the disk brings all before it. So a writer wakes those who
wait for its records first and then waits for the disk, beside them; and of several that wait, one
goes for all.
"""

import fcntl
import os
import threading
from pathlib import Path

from barograph.log.by_file import ByFile


class Durable:
    """The write-ahead log at `path`, which is there, for the writers of this process. Thread-safe.

    Get it with `durable_of`, and give it back with `release`.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY)
        self._turn, self._guard = threading.Lock(), threading.Lock()
        self._commits = 0
        self._on_disk = 0
        self._failed: OSError | None = None

    def committed(self) -> int:
        """Count a commit that others can read by now; returns its number, for `wait`."""
        with self._guard:
            self._commits += 1
            return self._commits

    def wait(self, number: int) -> None:
        """Return once this commit, and so all before it, is on the disk.

        Raises OSError where it may not be. So does every later call: after a failure the system
        takes what it could not write for written.
        """
        with self._turn:
            if self._failed is not None:
                raise self._failed
            if self._on_disk >= number:
                return
            reached = self._commits
            try:
                _sync(self._file)
            except OSError as error:
                self._failed = error
                raise
            self._on_disk = reached

    def close(self) -> None:
        """Release the file."""
        os.close(self._file)


def _sync(file: int) -> None:
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS, where fsync stops at the drive's cache
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(file)


_shared = ByFile(Durable, Durable.close)


def durable_of(path: Path) -> Durable:
    """Return this process's one for a write-ahead log. Raises OSError where it is not there."""
    return _shared.take(path)


def release(durable: Durable) -> None:
    """Give back what `durable_of` returned."""
    _shared.release(durable)
