"""A disk that is killed, full or broken at a chosen operation, and forgets what was not synced.

Files are real and lie in a folder; what a process does to them by Python's own calls is counted,
and so is each transaction of the embedded log. At the chosen one the process dies as by SIGKILL, or
the call fails. After a power cut the bytes behind the last fsync of a file may be gone.
"""

import errno
import io
import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from barograph.errors import DiskFullError, LogUnavailableError
from barograph.log.database import Database

KILL, FULL, BROKEN = "kill", "full", "broken"
LOCKED, NO_ROOM = "locked", "no room"
_ERRNO = {FULL: errno.ENOSPC, BROKEN: errno.EIO}


class Away(NamedTuple):
    """From an operation on so many writes to the log fail, and nothing else does.

    LOCKED: another program holds its write lock; NO_ROOM: it lies on a disk of its own, which is
    full.
    """

    kind: str
    writes: int


class Disk:
    """Counts the operations of one process below `folder`; strikes at those that are named.

    strikes: {number of the operation, from 1: KILL, FULL, BROKEN or an Away}. `journal(*what)` is
    called with what is durable, before a later operation can be struck.
    """

    def __init__(self, folder, strikes, journal):
        self.operations = 0
        self._folder = folder
        self._strikes, self._journal = strikes, journal
        self._away = Away(LOCKED, 0)
        self.struck_log = False
        """Whether the log was away at some time."""

    def _write_to_the_log(self, path):
        if not self._away.writes:
            return
        self.struck_log = True
        self._away = self._away._replace(writes=self._away.writes - 1)
        if self._away.kind == NO_ROOM:
            raise DiskFullError(str(path), "database or disk is full")
        raise LogUnavailableError(str(path), "another program holds the lock")

    def operation(self, only=None):
        """One operation; a strike ends the process here or fails the call, or may only do one."""
        self.operations += 1
        strike = self._strikes.get(self.operations)
        if strike == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        elif isinstance(strike, Away):
            self._away = strike
        elif strike is not None and only is None:
            raise OSError(_ERRNO[strike], os.strerror(_ERRNO[strike]))

    @contextmanager
    def at_work(self):
        """Python's calls go through this disk."""
        real_open, real_fsync = io.open, os.fsync

        def opened(file, mode="r", *rest, **options):
            ours = isinstance(file, str | os.PathLike) and self._ours(file)
            if ours and set(mode) & set("wax+"):
                self.operation()
                if not Path(file).exists():
                    self._journal("made", os.fspath(file))
            return real_open(file, mode, *rest, **options)

        def fsync(number):
            path = str(Path(f"/proc/self/fd/{number}").readlink())
            if not self._ours(path):
                real_fsync(number)
                return
            self.operation()
            real_fsync(number)
            self._journal("synced", path, os.fstat(number).st_size)

        def counted(call):
            def counting(path, *rest, **options):
                if self._ours(path):
                    self.operation()
                return call(path, *rest, **options)

            return counting

        real_write = Database.write

        @contextmanager
        def write(database, *seen):
            with _as_the_log_says(database.path):
                self.operation()
            self._write_to_the_log(database.path)
            with real_write(database, *seen):
                yield
            self.operation(only=KILL)

        with (
            patch.multiple(
                os,
                fsync=fsync,
                **{
                    name: counted(getattr(os, name))
                    for name in (
                        "truncate",
                        "unlink",
                        "remove",
                        "replace",
                        "rename",
                        "link",
                        "mkdir",
                    )
                },
            ),
            patch.object(io, "open", opened),
            patch("builtins.open", opened),
            patch.object(Database, "write", write),
        ):
            yield self

    def _ours(self, path):
        return Path(path).absolute().is_relative_to(self._folder)


@contextmanager
def _as_the_log_says(path):
    """SQLite's own I/O is not Python's: its failures come as what `Database` makes of them."""
    try:
        yield
    except OSError as error:
        kind = DiskFullError if error.errno == errno.ENOSPC else LogUnavailableError
        raise kind(str(path), str(error)) from error


def cut_power(sizes, random):
    """Let go, by chance, the ends of files that were written behind their last fsync.

    sizes: {path: size at the last fsync, 0 where there was none}. Returns how many were cut.
    """
    cut = 0
    for name, size in sorted(sizes.items()):
        path = Path(name)
        if path.is_file() and (length := path.stat().st_size) > size:
            os.truncate(path, random.randint(size, length))
            cut += 1
    return cut
